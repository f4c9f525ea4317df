"""Where a point of the sample is seen, and how high it sits, at a stage tilt.

All functions follow the signs of `pacetomo.frames`: a point at distance n0 (µm) from the tilt axis and height z0 (µm)
above it is seen at ``y = n0 cos t - z0 sin t`` and sits at height ``z = z0 cos t + n0 sin t``, because tilting by t
rotates it about the X axis, counter-clockwise when looking from +X.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from pacetomo.errors import PlanError
from pacetomo.frames import XY


def seen_y_um(n0_um: float, z0_um: float, tilt_deg: float) -> float:
    """Y of a point across the tilt axis as seen along the beam (µm).

    >>> round(seen_y_um(2.0, 0.5, 30.0), 4)
    1.4821
    """
    tilt = math.radians(tilt_deg)
    return n0_um * math.cos(tilt) - z0_um * math.sin(tilt)


def height_um(n0_um: float, z0_um: float, tilt_deg: float) -> float:
    """Height of a point along the beam, towards the source positive (µm).

    >>> round(height_um(2.0, 0.5, 30.0), 4)
    1.433
    """
    tilt = math.radians(tilt_deg)
    return z0_um * math.cos(tilt) + n0_um * math.sin(tilt)


def axis_distance_um(seen_um: float, z0_um: float, tilt_deg: float) -> float:
    """Distance n0 from the tilt axis of a point of known height that is seen at `seen_um` (inverse of `seen_y_um`).

    Raises
    ------
    PlanError
        At tilts beyond ±89°, where the projection says nothing about n0.

    >>> round(axis_distance_um(seen_y_um(2.0, 0.5, 30.0), 0.5, 30.0), 6)
    2.0
    """
    if abs(tilt_deg) > 89.0:
        raise PlanError(
            f"tilt {tilt_deg:g}°: positions cannot be taken back to the untilted sample beyond ±89°"
        )
    tilt = math.radians(tilt_deg)
    return (seen_um + z0_um * math.sin(tilt)) / math.cos(tilt)


@dataclass(frozen=True)
class SamplePlane:
    """The plane of the sample in the untilted stage, through the tracking target.

    Attributes
    ----------
    pretilt_deg : float
        Tilt of the sample plane about the tilt axis (degrees); the plane is level at stage tilt -pretilt.
    rotation_deg : float
        Rotation of that inclined plane about the beam (degrees, counter-clockwise positive).
    """

    pretilt_deg: float = 0.0
    rotation_deg: float = 0.0

    def slopes(self) -> XY:
        """Rise of the plane per µm along X and along Y (pure numbers).

        An incline ``z = tan(pretilt) y`` turned counter-clockwise by the rotation rises along the turned y axis,
        whose unit vector is (-sin rotation, cos rotation).
        """
        rise = math.tan(math.radians(self.pretilt_deg))
        rotation = math.radians(self.rotation_deg)
        return XY(-rise * math.sin(rotation), rise * math.cos(rotation))

    def height_um(self, at_um: XY) -> float:
        """Height (µm) over the tracking target at a point of the untilted specimen frame.

        >>> round(SamplePlane(10.0, 0.0).height_um(XY(3.0, 2.0)), 4)
        0.3527
        """
        slopes = self.slopes()
        return slopes.x * at_um.x + slopes.y * at_um.y

    def untilted(self, seen_um: XY, tilt_deg: float) -> XY:
        """Where a point of the plane lies in the untilted specimen frame, seen at `seen_um` at a stage tilt.

        Solves ``y_seen = n cos t - h(x, n) sin t`` for n; x is not changed by tilting.

        Raises
        ------
        PlanError
            When the plane is seen within a degree of edge-on at that tilt.
        """
        slopes = self.slopes()
        tilt = math.radians(tilt_deg)
        foreshortening = math.cos(tilt) - slopes.y * math.sin(tilt)
        if foreshortening < 0.02:
            raise PlanError(
                f"at stage tilt {tilt_deg:g}° the sample plane (pretilt {self.pretilt_deg:g}°, "
                f"rotation {self.rotation_deg:g}°) is seen edge-on: check pretilt and tilts"
            )
        return XY(seen_um.x, (seen_um.y + slopes.x * seen_um.x * math.sin(tilt)) / foreshortening)

    def seen(self, untilted_um: XY, tilt_deg: float) -> XY:
        """Where a point of the plane, given in the untilted frame, is seen at a stage tilt (inverse of `untilted`).

        Without rotation Y shrinks by ``cos(pretilt + t) / cos(pretilt)``.

        >>> plane = SamplePlane(pretilt_deg=-10.0)
        >>> round(plane.seen(XY(0.0, 1.0), 10.0).y, 6) == round(1 / math.cos(math.radians(10.0)), 6)
        True
        """
        return XY(untilted_um.x, seen_y_um(untilted_um.y, self.height_um(untilted_um), tilt_deg))

    def rise_um(self, seen_um: XY, tilt_deg: float) -> float:
        """Height along the beam (µm) of the plane's point seen there at a stage tilt, over that of its origin.

        >>> round(SamplePlane(pretilt_deg=10.0).rise_um(XY(0.0, 1.0), 20.0), 4) == round(math.tan(math.radians(30)), 4)
        True
        """
        place = self.untilted(seen_um, tilt_deg)
        return height_um(place.y, self.height_um(place), tilt_deg)
