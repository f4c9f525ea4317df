"""What is drawn around a target in the Navigator: its beam on the tilted sample, or the tiles of its montage."""

from __future__ import annotations

import math

from pacetomo.errors import SettingsError
from pacetomo.frames import XY, Matrix2
from pacetomo.montage import Montage

CORNERS = 36
"""Of the polygon that stands for an ellipse; it is nowhere off it by more than half a percent of its size."""


def beam_outline(diameter_um: float, max_tilt_deg: float, corners: int = CORNERS) -> tuple[XY, ...]:
    """Ellipse that a round beam exposes at a tilt, in the untilted specimen around the target (µm).

    Across the tilt axis (Y) it is longer by ``1 / cos(tilt)``.

    Raises
    ------
    SettingsError
        For a diameter that is not positive, or a tilt of 90 degrees.

    >>> [round(max(point[axis] for point in beam_outline(2.0, 60.0)), 3) for axis in (0, 1)]
    [1.0, 2.0]
    """
    if not (diameter_um > 0 and abs(max_tilt_deg) < 90):
        raise SettingsError(
            f"a beam of {diameter_um:g} µm at {max_tilt_deg:g} degrees cannot be drawn: a diameter above 0 and a tilt "
            "below 90 degrees are needed"
        )
    stretch = 1.0 / math.cos(math.radians(max_tilt_deg))
    angles = (2 * math.pi * n / corners for n in range(corners))
    radius_um = diameter_um / 2
    return tuple(XY(radius_um * math.cos(angle), radius_um * stretch * math.sin(angle)) for angle in angles)


def montage_outline(montage: Montage, field_um: XY, camera_axes: Matrix2) -> tuple[XY, ...]:
    """Corners of all tiles of a montage together, around the target in the specimen frame (µm).

    Parameters
    ----------
    montage : Montage
        Its tiles.
    field_um : XY
        Size of an image along the camera's X and Y.
    camera_axes : Matrix2
        Camera's axes (X right, Y up) to the specimen's, without magnification.
    """
    step_um = field_um.scaled(1 - montage.overlap)
    half = XY(
        (montage.columns // 2) * step_um.x + field_um.x / 2, (montage.rows // 2) * step_um.y + field_um.y / 2
    )
    corners = (XY(-half.x, -half.y), XY(half.x, -half.y), XY(half.x, half.y), XY(-half.x, half.y))
    return tuple(camera_axes.apply(corner) for corner in corners)
