"""What the beam and a montage cover on the sample, as polygons to be drawn on a map. Pure geometry.

On a sample tilted by t what is seen at y lies at y / cos t: a round beam covers an ellipse, longer across the tilt axis
by 1 / cos t, and a montage of abutting images as much more. Corners are in the specimen frame of the untilted sample.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from pacetomo.errors import PlanError
from pacetomo.frames import ORIGIN, XY, Matrix2
from pacetomo.geometry import SamplePlane
from pacetomo.montage import Montage

CORNERS = 32


def beam_footprint(
    diameter_um: float, max_tilt_deg: float = 0.0, centre_um: XY = ORIGIN, corners: int = CORNERS
) -> tuple[XY, ...]:
    """Outline of the beam on the sample at its highest tilt, counter-clockwise from +X.

    Parameters
    ----------
    diameter_um : float
        Of the beam, as seen along it.
    max_tilt_deg : float
        Highest tilt of the sample, of either sign.
    centre_um : XY
        Where the beam's centre hits the sample.
    corners : int
        Of the polygon; the ellipse is inscribed, and its corners along both axes are exact if a multiple of 4.

    Raises
    ------
    PlanError
        For a diameter that is no length above 0, a tilt from 85 degrees on, or fewer than 3 corners.

    >>> [(round(x, 3), round(y, 3)) for x, y in beam_footprint(1.0, 60.0, corners=4)]
    [(0.5, 0.0), (0.0, 1.0), (-0.5, 0.0), (-0.0, -1.0)]
    """
    if not (math.isfinite(diameter_um) and diameter_um > 0):
        raise PlanError(f"the beam diameter is {diameter_um:g} µm: a length above 0 is needed")
    if corners < 3:
        raise PlanError(f"an outline of {corners} corners is none: at least 3 are needed")
    untilted = _untilted(max_tilt_deg)
    angles = [2 * math.pi * n / corners for n in range(corners)]
    edge = (XY(math.cos(angle), math.sin(angle)).scaled(diameter_um / 2) for angle in angles)
    return tuple(centre_um.plus(untilted(place)) for place in edge)


def montage_outline(
    montage: Montage,
    field_um: XY,
    camera_axes: Matrix2,
    tilt_deg: float = 0.0,
    centre_um: XY = ORIGIN,
) -> tuple[XY, ...]:
    """Outline of all tiles of a montage on the sample: lower left corner of the image first, counter-clockwise in it.

    A single image is a montage of one tile.

    Parameters
    ----------
    montage : Montage
        Which tiles; how far it travels along the tilt axis is not in the outline.
    field_um : XY
        Size of one image along the camera's X and Y.
    camera_axes : Matrix2
        Camera's axes (X right, Y up) to the specimen's, without magnification.
    tilt_deg : float
        Tilt of the sample.
    centre_um : XY
        Middle of the centre tile on the sample.

    >>> from pacetomo.frames import IDENTITY
    >>> montage_outline(Montage(3, 1, overlap=0.5), XY(2.0, 1.0), IDENTITY)[2]
    XY(x=2.0, y=0.5)
    """
    step_um = field_um.scaled(1 - montage.overlap)
    half = XY(
        (montage.columns - 1) * step_um.x / 2 + field_um.x / 2,
        (montage.rows - 1) * step_um.y / 2 + field_um.y / 2,
    )
    untilted = _untilted(tilt_deg)
    signs = ((-1, -1), (1, -1), (1, 1), (-1, 1))
    return tuple(centre_um.plus(untilted(camera_axes.apply(XY(half.x * x, half.y * y)))) for x, y in signs)


def _untilted(tilt_deg: float) -> Callable[[XY], XY]:
    """From what is seen at a tilt to the untilted sample."""
    if not abs(tilt_deg) < 85.0:
        raise PlanError(f"a tilt of {tilt_deg:g}° shows the sample edge-on: less than 85° is needed")
    level = SamplePlane()
    return lambda place: level.untilted(place, tilt_deg)
