"""Tilting as commands do it, with limits and the option to move back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mock_serialem import shifts
from mock_serialem.errors import CommandError

if TYPE_CHECKING:
    from mock_serialem.session import Session


def tilt_limit_deg(session: Session) -> float:
    """Largest tilt: what the program allows and the stage can do."""
    return min(session.properties.get("MaximumTiltAngle"), session.world.config.stage.maximum_tilt_deg)


def tilt(session: Session, angle: float, restore: int, x: float | None, y: float | None) -> None:
    """Tilt and, with `restore`, move X and Y back to where they were or to the position given."""
    limit = tilt_limit_deg(session)
    if abs(angle) > limit + 0.05:
        raise CommandError(f"A tilt of {angle:.2f} degrees is beyond the limit of {limit:.1f}")
    before = session.world.stage_position_um()
    session.world.tilt_to(max(-limit, min(limit, angle)))
    if restore:
        shifts.move_stage_to(session, before[0] if x is None else x, before[1] if y is None else y)
