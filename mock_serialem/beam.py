"""How spot size and illuminated area make the dose rate, and the beam as an image shows it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mock_serialem.errors import CommandError
from mock_serialem.image import Image

if TYPE_CHECKING:
    from mock_serialem.low_dose import LowDoseArea
    from mock_serialem.session import Session

SPOT_FACTOR = 1.6
"""By so much the current falls from one spot size to the next higher one."""

_LEAST_INTENSITY = 1e-3


def strength(session: Session, calibrated: LowDoseArea) -> tuple[float, float]:
    """Dose rate and beam radius of the present illumination, relative to a calibrated one.

    A beam spread k times as wide has 1/k**2 of the dose rate.
    """
    column = session.column
    spread = max(column.intensity, _LEAST_INTENSITY) / calibrated.intensity
    current = SPOT_FACTOR ** (calibrated.spot - column.spot)
    return current / spread**2, spread


def intensity_for(session: Session, factor: float) -> float:
    """Raw intensity that multiplies the present dose rate by a factor.

    Raises
    ------
    CommandError
        The factor is not positive, or the lens cannot do it.
    """
    if factor <= 0.0:
        raise CommandError("The intensity cannot be set from an image without counts")
    wanted = max(session.column.intensity, _LEAST_INTENSITY) / math.sqrt(factor)
    if not 0.0 < wanted <= 40.0:
        raise CommandError("The intensity needed is out of range")
    return wanted


def edge_radius_um(image: Image) -> float:
    """Radius of the beam (µm) if its edge is within an image.

    Raises
    ------
    CommandError
        Nothing is known of the beam, or its edge is not seen.
    """
    if image.shot is None:
        raise CommandError("The image was not taken in this session, its beam is not known")
    radius = image.shot.setup.beam_radius_um
    half_diagonal = 0.5 * math.hypot(*image.size_px) * image.pixel_um
    if radius >= half_diagonal:
        raise CommandError("Not enough beam edges are in the image")
    return radius
