"""The sample plane as the targets' heights show it.

On a plane with the slopes (k, m), untilted, a point seen at (x, y) at the start tilt t lies higher along the beam than
the origin by::

    R = k / D x + tan(t + atan m) y,        D = cos t - m sin t

(`SamplePlane.rise_um` in closed form) and at the distance ``n = (y + k x sin t) / D`` from it. The joint model adds
``p x + q n`` to R, and the slopes of the sum along x and y give k and m of the plane as it is.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from pacetomo.frames import XY
from pacetomo.geometry import SamplePlane, height_um
from pacetomo.joint.rows import Geometry
from pacetomo.joint.star import Floats
from pacetomo.sample_geometry import plane_from_slopes

NO_INCLINE_DEG = 1.5
"""A plane of less pretilt has no rotation to speak of."""

_EDGE_ON = 0.02


class SeenPlane(NamedTuple):
    """Slopes along x and y, as seen at the start tilt, of the heights that targets began with."""

    assumed: SamplePlane
    start_rad: float
    begun: XY

    @classmethod
    def of(cls, geometry: Geometry, assumed: SamplePlane) -> SeenPlane | None:
        """Read off the targets' heights; None where the assumed plane is seen edge-on.

        Targets that were put onto another surface after the first images do not lie on the assumed plane; where they
        do not span a plane, what they say nothing of is left as assumed.
        """
        tilt_deg, centre = geometry.start_tilt_deg, geometry.centre
        start_rad = math.radians(tilt_deg)
        shrink = _shrink(assumed, start_rad)
        if shrink < _EDGE_ON:
            return None
        slopes = assumed.slopes()
        begun = np.array([slopes.x / shrink, math.tan(start_rad + math.atan(slopes.y))])
        level_um = height_um(centre.n0_um, centre.z0_um, tilt_deg)
        places, apart = [], []
        for start in geometry.starts.values():
            place = start.shift_um.minus(centre.shift_um)
            places.append(place)
            apart.append(height_um(start.n0_um, start.z0_um, tilt_deg) - level_um - float(begun @ place))
        change = np.linalg.lstsq(np.array(places), np.array(apart), rcond=1e-6)[0]
        return cls(assumed, start_rad, XY(*(begun + change).tolist()))

    def plane(self, added: Floats) -> SamplePlane:
        """The plane when the unknowns p and q are `added`; named as the assumed one is, of two ways to name it."""
        shrink, slopes = _shrink(self.assumed, self.start_rad), self.assumed.slopes()
        sine = math.sin(self.start_rad)
        along_y = self.begun.y + added[1] / shrink
        along_x = self.begun.x + added[0] + added[1] * slopes.x * sine / shrink
        m = math.tan(math.atan(along_y) - self.start_rad)
        k = along_x * (math.cos(self.start_rad) - m * sine)
        plane = plane_from_slopes(XY(float(k), m))
        if abs(turn_deg(self.assumed, plane)) > 90.0 and abs(self.assumed.pretilt_deg) > NO_INCLINE_DEG:
            half = -180.0 if plane.rotation_deg > 0 else 180.0
            return SamplePlane(-plane.pretilt_deg, plane.rotation_deg + half)
        return plane


def _shrink(plane: SamplePlane, start_rad: float) -> float:
    """By how much distances across the axis on a plane are shortened when it is seen at a tilt."""
    return math.cos(start_rad) - plane.slopes().y * math.sin(start_rad)


def turn_deg(before: SamplePlane, after: SamplePlane) -> float:
    """By how much the rotation of two planes differs, from -180 to 180 degrees."""
    return (after.rotation_deg - before.rotation_deg + 180.0) % 360.0 - 180.0
