"""Where points of the sample lie in one image: the rigid mapping from sample frame to specimen plane.

Frames (micrometres throughout)
-------------------------------
sample    x along the tilt axis, y across it, z up towards the source, untilted; fixed to the sample.
specimen  x, y in the plane normal to the beam, origin at the image centre; z is the lab height.

At tilt t a point rotates about x, counter-clockwise seen from +x:
y' = y cos t - z sin t, z' = y sin t + z cos t.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float, float]
Floats = NDArray[np.float64]


def rotation_about_x(angle_deg: float) -> Floats:
    """3x3 matrix that turns y towards z (counter-clockwise seen from +x)."""
    c, s = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
    return np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])


def rotation_about_z(angle_deg: float) -> Floats:
    """3x3 matrix that turns x towards y (counter-clockwise seen from +z)."""
    c, s = math.cos(math.radians(angle_deg)), math.sin(math.radians(angle_deg))
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def plane_rotation(angle_deg: float) -> Floats:
    """2x2 counter-clockwise rotation."""
    return rotation_about_z(angle_deg)[:2, :2].copy()


@dataclass(frozen=True, eq=False)
class Pose:
    """Everything geometric about one exposure, as it truly was.

    Attributes
    ----------
    rotation : (3, 3) array
        Turns sample vectors into lab vectors.
    offset_um : (3,) array
        Where the origin of the sample frame lies: x, y from the image centre, z lab height.
    centre_um : (x, y, z)
        Point of the mid-surface at the image centre, sample frame.
    tilt_deg, tilt_nominal_deg : float
        True tilt, and the one asked for.
    defocus_um : float
        True defocus at `centre_um`, underfocus negative.
    pixel_um, rotation_deg : float
        True binned pixel size and image rotation.
    """

    rotation: Floats
    offset_um: Floats
    centre_um: Point
    tilt_deg: float
    tilt_nominal_deg: float
    defocus_um: float
    pixel_um: float
    rotation_deg: float

    def where(self, point_um: Point) -> Point:
        """Specimen-plane x, y from the image centre and lab height z of a sample point.

        >>> pose = Pose(rotation_about_x(30.0), np.zeros(3), (0.0, 0.0, 0.0), 30.0, 30.0, -3.0, 5e-4, 0.0)
        >>> [round(value, 3) for value in pose.where((1.0, 2.0, 0.5))]
        [1.0, 1.482, 1.433]
        """
        x, y, z = self.rotation @ np.asarray(point_um) + self.offset_um
        return float(x), float(y), float(z)

    def where_all(self, points_um: NDArray[np.floating]) -> Floats:
        """`where` for an (n, 3) array."""
        return points_um @ self.rotation.T + self.offset_um

    def defocus_at(self, lab_z_um: float) -> float:
        """Defocus (um) at another lab height: towards the source is less underfocus."""
        return self.defocus_um + lab_z_um - self.where(self.centre_um)[2]
