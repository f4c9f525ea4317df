"""Matrices between the frames, and the displayed image shift with its hidden parts.

Frames: stage, specimen (X along the tilt axis, Y up), image shift (IS units), camera (super-resolution pixels, Y up).
A matrix result is the coordinate of the point that becomes centred: an image shift of d centres the specimen point
at +IStoSpecimen d, a stage move of d the one at +StageToSpecimen d (which is near -d).

displayed image shift = raw - tilt-axis-offset part - low-dose-area part
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mock_serialem.errors import CommandError

if TYPE_CHECKING:
    from mock_serialem.session import Session

BIN_DIVISOR = 2
"""Of a K3: camera matrices are in super-resolution pixels, half a physical one."""

Matrix = NDArray[np.float64]
Pair = tuple[float, float]


def times(matrix: Matrix, vector: Pair) -> Pair:
    """Apply a 2x2 matrix to a pair."""
    x, y = vector
    return (
        float(matrix[0, 0] * x + matrix[0, 1] * y),
        float(matrix[1, 0] * x + matrix[1, 1] * y),
    )


def inverse(matrix: Matrix) -> Matrix:
    """Inverse of a 2x2 matrix."""
    (a, b), (c, d) = matrix
    made: Matrix = np.array([[d, -b], [-c, a]]) / (a * d - b * c)
    return made


# --- matrices


def specimen_to_camera(session: Session, mag_index: int, pixel_um: float | None = None) -> Matrix:
    """Specimen (µm) to camera pixels, Y up; of super-resolution pixels, or of `pixel_um`."""
    world = session.world
    size = pixel_um if pixel_um is not None else world.pixel_um(mag_index) / BIN_DIVISOR
    angle = math.radians(world.rotation_deg(mag_index))
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, -s], [s, c]]) / size


def is_to_specimen(session: Session, mag_index: int) -> Matrix:
    """Image shift to specimen (µm), as calibrated."""
    return session.world.is_to_specimen(mag_index)


def stage_to_specimen(session: Session, mag_index: int) -> Matrix:
    """Stage (µm) to specimen (µm), as calibrated; near -1."""
    return session.world.stage_to_specimen(mag_index)


def is_to_camera(session: Session, mag_index: int) -> Matrix:
    """Image shift to camera."""
    return specimen_to_camera(session, mag_index) @ is_to_specimen(session, mag_index)


def stage_to_camera(session: Session, mag_index: int) -> Matrix:
    """Stage to camera."""
    return specimen_to_camera(session, mag_index) @ stage_to_specimen(session, mag_index)


def map_matrix(session: Session, mag_index: int, pixel_um: float) -> Matrix:
    """Stage (µm) to image pixels, Y down: SerialEM's ``MapScaleMat``."""
    matrix = specimen_to_camera(session, mag_index, pixel_um) @ stage_to_specimen(session, mag_index)
    return np.array([[1.0, 0.0], [0.0, -1.0]]) @ matrix


# --- displayed image shift


def axis_part(session: Session, mag_index: int) -> Pair:
    """Raw image shift that puts the tilt axis into the centre."""
    if not session.settings.get("ShiftToTiltAxis"):
        return 0.0, 0.0
    return times(inverse(is_to_specimen(session, mag_index)), (0.0, session.axis_offset_um))


def area_shift_um(session: Session, letter: str) -> Pair:
    """Specimen shift of a low-dose area against Record."""
    area = session.low_dose.areas[letter]
    side = -1.0 if session.low_dose.opposite else 1.0
    return side * area.axis_um + area.shift_um[0], area.shift_um[1]


def area_part(session: Session, letter: str, mag_index: int) -> Pair:
    """Raw image shift of a low-dose area; zero outside low dose."""
    if not session.low_dose.on or not letter:
        return 0.0, 0.0
    return times(inverse(is_to_specimen(session, mag_index)), area_shift_um(session, letter))


def hidden_part(session: Session) -> Pair:
    """Raw minus displayed image shift at present."""
    index = session.world.mag_index
    axis, area = axis_part(session, index), area_part(session, session.low_dose.area, index)
    return axis[0] + area[0], axis[1] + area[1]


def displayed(session: Session) -> Pair:
    """Image shift as ``ReportImageShift`` gives it (IS units)."""
    raw, hidden = session.world.image_shift, hidden_part(session)
    return raw[0] - hidden[0], raw[1] - hidden[1]


def specimen_shift_um(session: Session) -> Pair:
    """Displayed image shift on the specimen."""
    return times(is_to_specimen(session, session.world.mag_index), displayed(session))


def limit_um(session: Session, mag_index: int = 0) -> float:
    """Largest image shift on the specimen, at the present magnification unless another is given.

    Raises
    ------
    CommandError
        There is no such magnification.
    """
    index = mag_index or session.world.mag_index
    present = next((m for m in session.scope.magnifications if m.index == index), None)
    if present is None:
        raise CommandError(f"Magnification index {mag_index} is out of range")
    return session.properties.get("LowMagImageShiftLimit" if present.low_mag else "ImageShiftLimit")


def length_um(session: Session, shift: Pair) -> float:
    """Length on the specimen of an image shift (IS units)."""
    return math.hypot(*times(is_to_specimen(session, session.world.mag_index), shift))


def set_displayed(session: Session, shift: Pair, settle: float = 1.0, adjust_tilt: bool = False) -> None:
    """Set the displayed image shift; with `adjust_tilt` compensate the coma of the change by beam tilt."""
    hidden = hidden_part(session)
    before = displayed(session)
    session.world.set_image_shift((shift[0] + hidden[0], shift[1] + hidden[1]), max(0.0, settle))
    if adjust_tilt:
        tilt_beam_for(session, (shift[0] - before[0], shift[1] - before[1]))


def change_displayed(session: Session, delta: Pair, settle: float = 1.0, adjust_tilt: bool = False) -> bool:
    """Add to the image shift; return True, with nothing done, if the raw total would be beyond the limit."""
    raw, now = session.world.image_shift, displayed(session)
    if length_um(session, (raw[0] + delta[0], raw[1] + delta[1])) > limit_um(session):
        return True
    set_displayed(session, (now[0] + delta[0], now[1] + delta[1]), settle, adjust_tilt)
    return False


def set_axis_offset(session: Session, offset_um: float) -> None:
    """Set the tilt axis offset; the displayed image shift stays, so the raw one follows."""
    shift = displayed(session)
    session.axis_offset_um = offset_um
    session.properties.set("TiltAxisOffset", offset_um)
    set_displayed(session, shift)


def tilt_beam_for(session: Session, shift: Pair) -> None:
    """Add the beam tilt that undoes the coma of an image shift, keeping the first state for the script's end."""
    world = session.world
    if session.script.saved_beam_tilt is None:
        session.script.saved_beam_tilt = world.beam_tilt
    dx, dy = times(world.is_to_beam_tilt(), shift)
    world.set_beam_tilt((world.beam_tilt[0] + dx, world.beam_tilt[1] + dy))


# --- stage equivalents


def cos_tilt(session: Session) -> float:
    """Cosine of the present tilt."""
    return math.cos(math.radians(session.world.tilt_readback_deg()))


def stage_for_specimen(session: Session, point_um: Pair) -> Pair:
    """Stage move (µm) that centres a point of the specimen plane, allowing for the tilt."""
    matrix = inverse(stage_to_specimen(session, session.world.mag_index))
    x, y = times(matrix, point_um)
    return x, y / cos_tilt(session)


def move_stage_by(session: Session, dx_um: float, dy_um: float, dz_um: float = 0.0) -> None:
    """Move the stage by a difference; a zero z is left alone."""
    x, y, z = session.world.stage_position_um()
    move_stage_to(session, x + dx_um, y + dy_um, z + dz_um if dz_um else None)


def move_stage_to(session: Session, x_um: float, y_um: float, z_um: float | None = None) -> None:
    """Move the stage.

    Raises
    ------
    CommandError
        The position is outside the stage's limits.
    """
    stage = session.world.config.stage
    limit = min(stage.xy_limit_um, session.properties.get("StageLimits"))
    if max(abs(x_um), abs(y_um)) > limit or (z_um is not None and abs(z_um) > stage.z_limit_um):
        raise CommandError(f"Stage position {x_um:.2f} {y_um:.2f} is outside the stage limits")
    session.world.move_stage_to(x_um, y_um, z_um)


def reset_image_shift(session: Session) -> None:
    """Move the stage by the equivalent of the image shift and set the displayed one to zero; correct the focus."""
    x, y = specimen_shift_um(session)
    if math.hypot(x, y) < 0.01:
        return
    dx, dy = stage_for_specimen(session, (x, y))
    set_displayed(session, (0.0, 0.0))
    move_stage_by(session, dx, dy)
    tangent = math.tan(math.radians(session.world.tilt_readback_deg()))
    session.world.set_focus(
        session.world.focus_um + y * tangent * session.properties.get("DeltaZtoDefocusFactor")
    )
