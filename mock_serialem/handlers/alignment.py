"""Alignment of A and what is reported about it."""

from __future__ import annotations

import math

from mock_serialem import alignment, shifts
from mock_serialem.commands import command
from mock_serialem.errors import CommandError
from mock_serialem.handlers.transforms import transformed
from mock_serialem.processing import crop, show_correlation
from mock_serialem.session import Session
from mock_serialem.shifts import BIN_DIVISOR


def _align(session: Session, letter: str, no_shift: bool) -> float:
    return 0.0 if alignment.align_to(session, letter, no_shift) else -1.0


@command("AutoAlign")
def auto_align(session: Session) -> float:
    """Align A to the default alignment buffer."""
    return _align(session, session.buffers.align_letter, False)


@command("AlignTo")
def align_to(
    session: Session,
    buffer: str,
    no_shift: int = 0,
    no_trim: int = 0,
    spots: int = 0,
    show: int = 0,
    x: float = 0.0,
    y: float = 0.0,
    sigma: float = 0.0,
    pad: int = 0,
) -> float:
    """Align A to a buffer; with `show` only a correlation image is made, which goes to A."""
    letter = session.buffers.letter(buffer)
    if show:
        show_correlation(session, session.buffers.get("A"), session.buffers.get(letter))
        return 0.0
    return _align(session, letter, bool(no_shift))


@command("ConicalAlignTo")
def conical_align(session: Session, buffer: str, angle: float, show: int = 0) -> float:
    """Align A to a buffer; the simulated sample does not rotate."""
    if show:
        show_correlation(session, session.buffers.get("A"), session.buffers.get(buffer))
        return 0.0
    return _align(session, session.buffers.letter(buffer), False)


@command("LimitNextAutoAlign")
def limit_next(session: Session, limit: float) -> None:
    """Accept only peaks within so many µm in the next alignment."""
    session.script.align_limit_um = limit if limit > 0.0 else None


@command("ClearAlignment")
def clear_alignment(session: Session, keep: int = 0) -> None:
    """Forget A's alignment shift and, unless kept, the image shift made for it."""
    image = session.buffers.peek("A")
    if image is not None:
        alignment.clear(session, image, bool(keep))


@command("ReportAlignShift")
def report_align_shift(session: Session) -> tuple[float, ...] | None:
    """Shift of A: camera pixels Y up, nm along the image shift axes, nm in the specimen plane."""
    image = session.buffers.peek("A")
    if image is None:
        return None
    pixels = alignment.camera_pixels(session, image)
    _accumulate(session, pixels)
    index = image.mag_index or session.world.mag_index
    matrix = shifts.is_to_specimen(session, index)
    units = alignment.is_change(session, image)
    along = [1000.0 * abs(unit) * math.hypot(*matrix[:, axis]) for axis, unit in enumerate(units)]
    return (*pixels, *along, 1000.0 * image.shift_um[0], 1000.0 * image.shift_um[1])


@command("ReportISforBufferShift")
def report_is_for_shift(session: Session) -> tuple[float, float] | None:
    """Image shift that the alignment of A stands for."""
    image = session.buffers.peek("A")
    if image is None:
        return None
    _accumulate(session, alignment.camera_pixels(session, image))
    return alignment.is_change(session, image)


@command("ReportShiftDiffFrom")
def report_shift_difference(session: Session, expected: float) -> tuple[float, float, float] | None:
    """Percent by which A's shift differs from so many µm, cumulative difference and total distance (µm)."""
    image = session.buffers.peek("A")
    if image is None:
        return None
    script = session.script
    _accumulate(session, alignment.camera_pixels(session, image))
    index = image.mag_index or session.world.mag_index
    matrix = shifts.inverse(shifts.specimen_to_camera(session, index))
    total = math.hypot(*shifts.times(matrix, script.accumulated_px))
    length = math.hypot(*image.shift_um)
    percent = 100.0 * (length / expected - 1.0) if expected else 0.0
    return percent, length - expected, total


def _accumulate(session: Session, pixels: tuple[float, float]) -> None:
    x, y = session.script.accumulated_px
    session.script.accumulated_px = (x + pixels[0], y + pixels[1])


@command("ReportAccumShift")
def report_accumulated(session: Session) -> tuple[float, float]:
    """Sum of the shifts reported since the start or the last reset."""
    return session.script.accumulated_px


@command("ResetAccumShift")
def reset_accumulated(session: Session) -> None:
    """Start the sum anew."""
    session.script.accumulated_px = (0.0, 0.0)


@command("ReportAlignTrimming")
def report_trimming(session: Session) -> tuple[float, float, float, float]:
    """Nothing is trimmed before correlation."""
    return 0.0, 0.0, 0.0, 0.0


@command("AlignBetweenMags")
def align_between_mags(
    session: Session,
    buffer: str,
    centre_x: float,
    centre_y: float,
    max_shift: float,
    scale: float = 0.0,
    rotation: float = -1.0,
    no_shift: int = 0,
) -> tuple[float, float]:
    """Align A to an image of another magnification; scale change and rotation found are those of the calibration."""
    reference = session.buffers.get(session.buffers.align_letter if buffer.strip() == "-1" else buffer)
    image = session.buffers.get("A")
    centre = reference
    if centre_x >= 0.0 and centre_y >= 0.0:
        centre = crop(reference, (centre_x, centre_y), reference.size_px)
    found = alignment.measure(session, image, centre, max_shift if max_shift > 0.0 else None)
    if found is None:
        raise CommandError("Alignment between magnifications failed: no correlation peak was found")
    alignment.apply_shift(session, image, found.shift_um, bool(no_shift))
    if centre.pixel_um > 0.0 and image.pixel_um > 0.0:
        middle = (0.5 * centre.size_px[0], 0.5 * centre.size_px[1])
        centre = transformed(centre, image.pixel_um, image.rotation_deg, image.size_px, middle)
    session.buffers.put("B", centre.copy())
    return 1.0, 0.0


@command("AlignWithRotation")
def align_with_rotation(
    session: Session, buffer: str, centre: float, span: float
) -> tuple[float, float, float]:
    """Align A; the simulated sample does not rotate, so the rotation found is zero."""
    if not 0.2 <= span <= 50.0:
        raise CommandError("The angle range must be between 0.2 and 50 degrees")
    if not alignment.align_to(session, session.buffers.letter(buffer), no_shift=True):
        raise CommandError("Alignment with rotation failed: no correlation peak was found")
    return (0.0, *session.buffers.get("A").shift_px)


@command("MoveToMarker")
def move_to_marker(session: Session, use_stage: int = 0) -> None:
    """Centre the marker point of A by image shift or, with 1, by the stage."""
    image = session.buffers.get("A")
    if image.marker_px is None:
        raise CommandError("There is no marker point in buffer A")
    x, y = image.specimen_um(image.marker_px)
    point = (x + image.shift_um[0] - image.applied_um[0], y + image.shift_um[1] - image.applied_um[1])
    if use_stage:
        shifts.move_stage_by(session, *shifts.stage_for_specimen(session, point))
    else:
        alignment.impose(session, (-point[0], -point[1]))


@command("ShiftImageForDrift")
def shift_for_drift(session: Session, x: float, y: float, mode: int) -> None:
    """Shift the image by so many unbinned pixels, Y up."""
    index = session.world.mag_index
    matrix = shifts.inverse(shifts.specimen_to_camera(session, index))
    alignment.impose(session, shifts.times(matrix, (x * BIN_DIVISOR, y * BIN_DIVISOR)))
