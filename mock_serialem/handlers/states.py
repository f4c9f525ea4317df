"""Imaging states, and the state in which a map was taken."""

from __future__ import annotations

from mock_serialem import imaging_states, realign
from mock_serialem.commands import command
from mock_serialem.errors import CommandError
from mock_serialem.image import AREA_LETTERS
from mock_serialem.session import Session

_NO_SUCH_STATE = 1.0


@command("GoToImagingState")
def go_to_imaging_state(session: Session, name: str) -> float:
    """Go to a state by name or number: 0, or 1 if there is none."""
    place = imaging_states.find_state(session, name)
    if place < 0:
        return _NO_SUCH_STATE
    imaging_states.go_to_state(session, session.imaging_states[place])
    return 0.0


@command("ImagingStateProperties")
def imaging_state_properties(session: Session, name: str) -> float | tuple[float | str, ...]:
    """0, number, low-dose area (-1 none), camera, magnification index and name; only 1 if there is none."""
    place = imaging_states.find_state(session, name)
    if place < 0:
        return _NO_SUCH_STATE
    state = session.imaging_states[place]
    area = float(AREA_LETTERS.index(state.area)) if state.area else -1.0
    return 0.0, place + 1.0, area, 1.0, float(state.mag_index), state.name


@command("SetMapAcquireState")
def set_map_state(session: Session, index: int) -> None:
    """Bring the column to the state of a map."""
    item = session.navigator.item(index)
    imaging_states.remember(session)
    realign.go_to_map_state(session, item)


@command("RestoreState")
def restore_state(session: Session, error: int = 0) -> None:
    """Bring the column back to where it was before the first change of state."""
    if not imaging_states.restore(session) and error:
        raise CommandError("There is no saved state to restore")
