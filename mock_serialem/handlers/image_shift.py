"""Image shift, beam tilt that goes with it, and what is reported about them."""

from __future__ import annotations

from mock_serialem import shifts
from mock_serialem.commands import command
from mock_serialem.errors import CommandError
from mock_serialem.routines import realign_after_reset
from mock_serialem.session import Session
from mock_serialem.shifts import BIN_DIVISOR


@command("SetImageShift")
def set_image_shift(session: Session, x: float, y: float, settle: float = 1.0, adjust: int = 0) -> float:
    """Set the displayed image shift; 1 and nothing done beyond the limit, which here counts the request alone."""
    if shifts.length_um(session, (x, y)) > shifts.limit_um(session):
        return 1.0
    shifts.set_displayed(session, (x, y), settle, bool(adjust))
    return 0.0


@command("ImageShiftByUnits")
def shift_by_units(session: Session, dx: float, dy: float, settle: float = 1.0, adjust: int = 0) -> float:
    """Add image shift in its own units."""
    return float(shifts.change_displayed(session, (dx, dy), settle, bool(adjust)))


@command("ImageShiftByMicrons")
def shift_by_microns(session: Session, dx: float, dy: float, settle: float = 1.0, adjust: int = 0) -> float:
    """Add image shift given in specimen µm."""
    matrix = shifts.inverse(shifts.is_to_specimen(session, session.world.mag_index))
    return float(shifts.change_displayed(session, shifts.times(matrix, (dx, dy)), settle, bool(adjust)))


@command("ImageShiftByPixels")
def shift_by_pixels(session: Session, dx: float, dy: float, settle: float = 1.0, adjust: int = 0) -> float:
    """Centre the point at (dx right, dy up) unbinned pixels from the centre."""
    # The program works in whole super-resolution pixels here.
    pixels = (float(round(dx * BIN_DIVISOR)), float(round(dy * BIN_DIVISOR)))
    matrix = shifts.inverse(shifts.is_to_camera(session, session.world.mag_index))
    return float(shifts.change_displayed(session, shifts.times(matrix, pixels), settle, bool(adjust)))


@command("ImageShiftByStageDiff")
def shift_by_stage(session: Session, dx: float, dy: float, settle: float = 1.0, adjust: int = 0) -> float:
    """Add the image shift equivalent to a stage move (µm), allowing for the tilt."""
    index = session.world.mag_index
    point = shifts.times(shifts.stage_to_specimen(session, index), (dx, dy * shifts.cos_tilt(session)))
    delta = shifts.times(shifts.inverse(shifts.is_to_specimen(session, index)), point)
    return float(shifts.change_displayed(session, delta, settle, bool(adjust)))


@command("ReportImageShift")
def report_image_shift(session: Session) -> tuple[float, float, float, float, float, float]:
    """IS units; where the zero now lies (unbinned pixels); stage move (µm) that would replace it."""
    index = session.world.mag_index
    shift = shifts.displayed(session)
    camera = shifts.times(shifts.is_to_camera(session, index), shift)
    stage = shifts.stage_for_specimen(session, shifts.specimen_shift_um(session))
    return (*shift, -camera[0] / BIN_DIVISOR, -camera[1] / BIN_DIVISOR, *stage)


@command("ReportSpecimenShift")
def report_specimen_shift(session: Session) -> tuple[float, float]:
    """Displayed image shift on the specimen (µm)."""
    return shifts.specimen_shift_um(session)


@command("ReportMaxImageShift")
def report_maximum(session: Session, index: int) -> tuple[float, float]:
    """Limit (µm), and the deflectors' own where known."""
    return shifts.limit_um(session, index), 0.0


@command("ResetImageShift")
def reset_image_shift(session: Session, backlash: int = 0, relax: float = 0.0) -> None:
    """Replace image shift by a stage move."""
    shifts.reset_image_shift(session)
    if backlash:
        session.spend(session.scope.stage_overhead_s, "stage")


@command("ResetShiftIfAbove")
def reset_if_above(session: Session, limit: float) -> None:
    """Reset image shift and realign when it exceeds a limit (µm)."""
    realign_after_reset(session, limit)


@command("AdjustBeamTiltforIS")
def adjust_beam_tilt(session: Session) -> None:
    """Add the beam tilt for the whole displayed image shift; calling twice adds twice."""
    shifts.tilt_beam_for(session, shifts.displayed(session))


@command("SaveBeamTilt")
def save_beam_tilt(session: Session) -> None:
    """Keep the beam tilt."""
    if session.script.saved_beam_tilt is not None:
        raise CommandError("There is already a saved beam tilt value")
    session.script.saved_beam_tilt = session.world.beam_tilt


@command("RestoreBeamTilt")
def restore_beam_tilt(session: Session) -> None:
    """Put back the kept beam tilt."""
    saved = session.script.saved_beam_tilt
    if saved is None:
        raise CommandError("There is no saved beam tilt to restore")
    session.world.set_beam_tilt(saved)
    session.script.saved_beam_tilt = None


@command("ReportComaVsISmatrix")
def report_coma_matrix(session: Session) -> tuple[float, float, float, float]:
    """Image shift to beam tilt."""
    matrix = session.world.is_to_beam_tilt()
    return float(matrix[0, 0]), float(matrix[0, 1]), float(matrix[1, 0]), float(matrix[1, 1])
