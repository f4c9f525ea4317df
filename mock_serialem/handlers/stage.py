"""Stage and tilt."""

from __future__ import annotations

import math

from mock_serialem import shifts
from mock_serialem.commands import command
from mock_serialem.errors import CommandError
from mock_serialem.routines import walk
from mock_serialem.session import Session
from mock_serialem.stage_moves import tilt


@command("ReportStageXYZ")
def report_stage(session: Session) -> tuple[float, float, float]:
    """Stage X, Y, Z (µm)."""
    return session.world.stage_position_um()


@command("ReportTiltAngle")
def report_tilt(session: Session) -> float:
    """Tilt read back (degrees)."""
    return session.world.tilt_readback_deg()


@command("ReportStageBAxis")
def report_b_axis(session: Session) -> float:
    """Second tilt axis (degrees)."""
    return session.column.b_axis_deg


@command("SetStageBAxis")
def set_b_axis(session: Session, angle: float) -> None:
    """Keep the angle of a second axis; it does not move the sample."""
    session.column.b_axis_deg = angle


@command("ReportStageBusy")
def report_busy(session: Session) -> float:
    """Moves have always ended when a command returns."""
    return 0.0


@command("MoveStage")
def move_stage(session: Session, dx: float, dy: float, dz: float = 0.0) -> None:
    """Move by µm; zero components are not moved."""
    shifts.move_stage_by(session, dx, dy, dz)


@command("MoveStageTo")
def move_stage_to(session: Session, x: float, y: float, z: float | None = None) -> None:
    """Move to µm; Z stays if left out."""
    shifts.move_stage_to(session, x, y, z)


@command("BackgroundMoveStage")
def background_move(session: Session, x: float, y: float, speed: float = 0.0) -> None:
    """Move; the simulated stage arrives at once."""
    shifts.move_stage_to(session, x, y)


@command("MoveStageWithSpeed")
def move_with_speed(session: Session, dx: float, dy: float, speed: float) -> None:
    """Move at a fraction of full speed."""
    if speed <= 0.0:
        raise CommandError("The speed of a stage move must be positive")
    extra = math.hypot(dx, dy) * session.scope.stage_s_per_um * max(0.0, 1.0 / speed - 1.0)
    shifts.move_stage_by(session, dx, dy)
    session.spend(extra, "stage")


@command("StageShiftByPixels")
def stage_shift_by_pixels(session: Session, x: float, y: float) -> None:
    """Centre the point at (x, y) unbinned pixels from the centre."""
    index = session.world.mag_index
    matrix = shifts.specimen_to_camera(session, index, session.world.pixel_um(index))
    point = shifts.times(shifts.inverse(matrix), (x, y))
    shifts.move_stage_by(session, *shifts.stage_for_specimen(session, point))


@command("RelaxStage")
def relax_stage(session: Session, distance: float = 0.025) -> None:
    """Let the stage relax by a small move."""
    session.spend(session.scope.stage_overhead_s, "stage")


@command("BacklashAdjust")
def backlash_adjust(session: Session) -> None:
    """Leave and reach the position from the standard side."""
    x, y, _ = session.world.stage_position_um()
    shifts.move_stage_to(session, x - 5.0, y - 5.0)
    shifts.move_stage_to(session, x, y)


@command("StopBackgroundStage", "StopBackgroundTilt")
def stop_background(session: Session, *_: float) -> None:
    """Nothing is under way any more."""


def increment(session: Session) -> float:
    """Tilt increment (degrees), with the cosine of the tilt if so set."""
    step = session.settings.get("TiltIncrement")
    return step * shifts.cos_tilt(session) if session.settings.get("CosineTiltIncrement") else step


@command("TiltTo")
def tilt_to(
    session: Session, angle: float, restore: int = 0, x: float | None = None, y: float | None = None
) -> None:
    """Tilt to an angle; image shift and focus are not touched."""
    tilt(session, angle, restore, x, y)


@command("TiltBy")
def tilt_by(
    session: Session, step: float, restore: int = 0, x: float | None = None, y: float | None = None
) -> None:
    """Tilt by an angle."""
    tilt(session, session.world.tilt_readback_deg() + step, restore, x, y)


@command("TiltUp")
def tilt_up(session: Session, restore: int = 0, x: float | None = None, y: float | None = None) -> None:
    """Tilt up by the increment."""
    tilt(session, session.world.tilt_readback_deg() + increment(session), restore, x, y)


@command("TiltDown")
def tilt_down(session: Session, restore: int = 0, x: float | None = None, y: float | None = None) -> None:
    """Tilt down by the increment."""
    tilt(session, session.world.tilt_readback_deg() - increment(session), restore, x, y)


@command("BackgroundTilt")
def background_tilt(session: Session, angle: float, speed: float = 0.0) -> None:
    """Tilt; the simulated stage arrives at once."""
    tilt(session, angle, 0, None, None)


@command("SetTiltIncrement")
def set_tilt_increment(session: Session, step: int, cosine: int = 0) -> None:
    """Set the increment of ``TiltUp`` and ``TiltDown``."""
    if not 0.02 <= abs(step) <= 60.0:
        raise CommandError(f"{step} is not a legal tilt increment")
    session.apply_setting("TiltIncrement", step)
    session.apply_setting("CosineTiltIncrement", cosine)


@command("WalkUpTo")
def walk_up_to(session: Session, angle: float) -> None:
    """Tilt in steps, tracking with Trial images on the way."""
    walk(session, angle)


@command("ReverseTilt")
def reverse_tilt(session: Session, direction: int = 1) -> None:
    """Remove backlash."""
    session.world.remove_backlash()


@command("ReportTiltAxisOffset")
def report_axis_offset(session: Session) -> tuple[float, float, float, float, float, float]:
    """Offset (µm), as stage move, as image shift, and whether image shift is centred on the axis."""
    index = session.world.mag_index
    offset = (0.0, session.axis_offset_um)
    stage = shifts.times(shifts.inverse(shifts.stage_to_specimen(session, index)), offset)
    is_shift = shifts.times(shifts.inverse(shifts.is_to_specimen(session, index)), offset)
    return (session.axis_offset_um, *stage, *is_shift, session.settings.get("ShiftToTiltAxis"))


@command("SetTiltAxisOffset")
def set_axis_offset(session: Session, offset: float) -> None:
    """Set the offset (µm); the displayed image shift stays, so the raw one follows."""
    if abs(offset) > 25.0:
        raise CommandError(f"A tilt axis offset of {offset:.1f} is too large")
    shifts.set_axis_offset(session, offset)


@command("ReportLastAxisOffset")
def report_last_axis_offset(session: Session) -> float:
    """Offset (µm) found by the last fine eucentricity."""
    if session.focus.axis_offset_um is None:
        raise CommandError("There is no tilt axis offset from a fine eucentricity available")
    return session.focus.axis_offset_um
