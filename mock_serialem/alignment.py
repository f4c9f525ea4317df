"""Aligning buffer A to a reference, and what follows from it for image shift."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mock_serialem import shifts
from mock_serialem.errors import CommandError
from mock_serialem.image import Image
from mock_serialem.sim.shot import Shot

if TYPE_CHECKING:
    from mock_serialem.session import Session


@dataclass(frozen=True)
class Alignment:
    """A shift found by correlation.

    Attributes
    ----------
    shift_um : tuple of float
        By this the content of the image must move to match the reference (specimen plane, Y up).
    peak : float
        Quality of the peak.
    """

    shift_um: tuple[float, float]
    peak: float


def shot_of(image: Image, name: str) -> Shot:
    """The exposure behind an image.

    Raises
    ------
    CommandError
        Nothing is known about the image's origin, so there is nothing to align with.
    """
    if image.shot is None:
        raise CommandError(
            f"The image in {name} was not taken in this session, so the simulated microscope cannot align with it "
            "in kinematic fidelity"
        )
    return image.shot


def measure(session: Session, image: Image, reference: Image, limit_um: float | None) -> Alignment | None:
    """Correlate two images; None if no peak lies within the limit.

    Raises
    ------
    CommandError
        One of them cannot be aligned with.
    """
    session.spend(session.scope.align_s, "align")
    found = session.world.measure_shift(
        shot_of(image, "the image"), shot_of(reference, "the reference"), limit_um
    )
    shift = found.shift_um
    return None if shift is None else Alignment(shift, found.peak)


def buffer_shift_px(session: Session, image: Image, shift_um: tuple[float, float]) -> tuple[float, float]:
    """Alignment shift in pixels of the image, Y down."""
    x, y = shifts.times(shifts.specimen_to_camera(session, image.mag_index, image.pixel_um), shift_um)
    return x, -y


def align_to(session: Session, letter: str, no_shift: bool) -> bool:
    """Align A to a buffer and, unless `no_shift`, move the image shift so that the next image is aligned.

    Returns
    -------
    bool
        False when no peak lies within the one-shot limit; nothing is changed then.

    Raises
    ------
    CommandError
        A buffer is empty or unsuitable, the correlation failed, or the image shift would exceed its limit.
    """
    image, reference = session.buffers.get("A"), session.buffers.get(letter)
    limit = session.script.align_limit_um
    session.script.align_limit_um = None
    found = measure(session, image, reference, limit)
    if found is None:
        if limit is not None:
            return False
        raise CommandError("The autoalignment failed: no correlation peak was found")
    apply_shift(session, image, found.shift_um, no_shift)
    x, y = image.shift_px
    session.log.add(f"Aligning to buffer {letter}: shift {x:.1f}, {y:.1f} pixels")
    return True


def apply_shift(session: Session, image: Image, shift_um: tuple[float, float], no_shift: bool) -> None:
    """Give an image its alignment shift and impose on image shift what has not been made up for yet.

    Raises
    ------
    CommandError
        The image shift would exceed its limit; it then stays as it is.
    """
    if not no_shift and not image.processed:
        due = (shift_um[0] - image.applied_um[0], shift_um[1] - image.applied_um[1])
        impose(session, due)
        image.applied_um = shift_um
    image.shift_um = shift_um
    image.shift_px = buffer_shift_px(session, image, shift_um)


def impose(session: Session, shift_um: tuple[float, float]) -> None:
    """Change image shift so that the image content moves by `shift_um` (specimen plane).

    Raises
    ------
    CommandError
        Beyond the limit.
    """
    matrix = shifts.inverse(shifts.is_to_specimen(session, session.world.mag_index))
    delta = shifts.times(matrix, (-shift_um[0], -shift_um[1]))
    if shifts.change_displayed(session, delta):
        raise CommandError("The image shift needed to align the image is beyond the limit")


def is_change(session: Session, image: Image) -> tuple[float, float]:
    """Image shift (IS units) that the image's alignment shift stands for, the one ``AlignTo`` imposes."""
    matrix = shifts.inverse(shifts.is_to_specimen(session, image.mag_index or session.world.mag_index))
    return shifts.times(matrix, (-image.shift_um[0], -image.shift_um[1]))


def clear(session: Session, image: Image, keep_image_shift: bool) -> None:
    """Set the alignment shift to zero and take back the image shift made for it, unless it is to stay."""
    if not keep_image_shift and math.hypot(*image.applied_um) > 0.0:
        impose(session, (-image.applied_um[0], -image.applied_um[1]))
    image.shift_px = image.shift_um = image.applied_um = (0.0, 0.0)


def camera_pixels(session: Session, image: Image) -> tuple[float, float]:
    """Alignment shift in super-resolution pixels, Y up."""
    return shifts.times(shifts.specimen_to_camera(session, image.mag_index), image.shift_um)
