"""Units, axes, signs and frames: the one page that all other modules refer to.

Units
-----
Lengths are in µm, angles in degrees, times in seconds, doses in e/Å²; the suffix of a name says so (`_um`,
`_deg`, `_s`, `_nm`). Radians exist only inside a formula. SerialEM's own units are converted in its facade
and nowhere else.

Axes and signs
--------------
*Specimen frame*: X along the tilt axis, Y across it, 90 degrees counter-clockwise from X, both in the plane
normal to the beam; Z towards the electron source. A tilt t is positive counter-clockwise when seen from +X
towards the origin. A point at distance n from the tilt axis and height h above it (both at tilt 0) is seen at

    y(t) = n cos t - h sin t        and sits at height        z(t) = h cos t + n sin t.

For n = 2 µm and h = 0.5 µm that is y = 1.482 µm and z = 1.433 µm at t = 30 degrees.

*Sample plane*: over the tracking target (target 1) a target at (SSX, SSY) has the height
`tan(pretilt) * (cos(rotation) * SSY - sin(rotation) * SSX)`; rotation is positive counter-clockwise.

*Defocus* is SerialEM's: µm, negative for underfocus. A point that rises by dz when the stage tilts needs the
focus lowered by dz: focus to set = focus at the tracking target - change of the target's z.

*Shifts of targets picked at tilt 0* shrink along Y at the start tilt by
`cos(pretilt cos(rotation) + start) / cos(pretilt cos(rotation))`, unless the target file says with
`tiltTargets` at which tilt they were picked. `geometry.SamplePlane.seen` projects the plane itself: the same
without rotation, and right with it.

*Residual*: where a target is seen minus the image centre, at exposure, in the specimen frame, in nm.

Frames
------
=============== =============== =======================================================================
frame           unit            axes
=============== =============== =======================================================================
stage           µm              as the column reports X and Y; stage Y lies in the tilted plane
specimen        µm              as above; does not depend on magnification
image shift     IS units        axes of the deflectors; a unit is about a µm on some columns only
camera          pixels          unbinned, X right, Y up, origin at the image centre
=============== =============== =======================================================================

Matrices (`Matrix2`) lead from one frame to another and come from SerialEM. The result of a shift of stage or
image shift is the coordinate of the point that this shift brings to the centre; the image content itself
moves the other way. No matrix contains the tilt angle.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from pacetomo.errors import PaceError


class XY(NamedTuple):
    """A pair of coordinates; the name of the variable tells its frame and unit.

    `+` on tuples appends, so sums have a name of their own here.

    >>> XY(1.0, 2.0).plus(XY(0.5, -1.0)).scaled(2.0)
    XY(x=3.0, y=2.0)
    """

    x: float
    y: float

    def plus(self, other: XY) -> XY:
        """Return the sum, coordinate by coordinate."""
        return XY(self.x + other.x, self.y + other.y)

    def minus(self, other: XY) -> XY:
        """Return this point as seen from `other`."""
        return XY(self.x - other.x, self.y - other.y)

    def scaled(self, factor: float) -> XY:
        """Return both coordinates times a factor."""
        return XY(self.x * factor, self.y * factor)

    @property
    def length(self) -> float:
        """Distance from the origin, in the unit of the coordinates."""
        return math.hypot(self.x, self.y)

    @property
    def is_finite(self) -> bool:
        """Whether both coordinates are ordinary numbers."""
        return math.isfinite(self.x) and math.isfinite(self.y)


ORIGIN = XY(0.0, 0.0)


@dataclass(frozen=True)
class Matrix2:
    """A 2 x 2 matrix between two frames, its elements in SerialEM's order.

    Attributes
    ----------
    xpx, xpy, ypx, ypy : float
        New x = x * xpx + y * xpy, new y = x * ypx + y * ypy.
    """

    xpx: float
    xpy: float
    ypx: float
    ypy: float

    @property
    def determinant(self) -> float:
        """Area of the unit square after the transformation; negative if the handedness changes."""
        return self.xpx * self.ypy - self.xpy * self.ypx

    def apply(self, point: XY) -> XY:
        """Return a point of the first frame in the second.

        >>> Matrix2(0.0, -1.0, 1.0, 0.0).apply(XY(2.0, 0.0))
        XY(x=0.0, y=2.0)
        """
        return XY(point.x * self.xpx + point.y * self.xpy, point.x * self.ypx + point.y * self.ypy)

    def times(self, other: Matrix2) -> Matrix2:
        """Return the matrix that applies `other` first and this one after it."""
        first = self.apply(XY(other.xpx, other.ypx))
        second = self.apply(XY(other.xpy, other.ypy))
        return Matrix2(first.x, second.x, first.y, second.y)

    def inverse(self) -> Matrix2:
        """Return the matrix that leads back.

        Raises
        ------
        PaceError
            If the matrix has no inverse, as when a calibration is missing and SerialEM returns zeros.
        """
        scale = max(abs(value) for value in (self.xpx, self.xpy, self.ypx, self.ypy))
        # Image-shift units may be thousands to the µm, so the test for zero is relative to the elements.
        area = self._scaled_area(scale)
        if not abs(area) > 1e-9:
            raise PaceError(
                f"the matrix ({self.xpx:g}, {self.xpy:g}, {self.ypx:g}, {self.ypy:g}) cannot be inverted; "
                "the calibration it comes from is missing or wrong"
            )
        factor = 1.0 / (area * scale)
        return Matrix2(
            self.ypy / scale * factor,
            -self.xpy / scale * factor,
            -self.ypx / scale * factor,
            self.xpx / scale * factor,
        )

    def _scaled_area(self, scale: float) -> float:
        """Return the determinant of the matrix over `scale`; NaN where that has no meaning."""
        if not (math.isfinite(scale) and scale > 0.0):
            return math.nan
        return (self.xpx / scale) * (self.ypy / scale) - (self.xpy / scale) * (self.ypx / scale)


IDENTITY = Matrix2(1.0, 0.0, 0.0, 1.0)


@dataclass(frozen=True)
class Calibration:
    """How image shift, stage and specimen frames lead to one another, at the magnification of Record.

    Attributes
    ----------
    is_to_specimen : Matrix2
        Image-shift units to µm in the specimen frame.
    stage_to_specimen : Matrix2
        µm of stage movement to µm in the specimen frame.
    """

    is_to_specimen: Matrix2
    stage_to_specimen: Matrix2

    @cached_property
    def specimen_to_is(self) -> Matrix2:
        """µm in the specimen frame to image-shift units; PaceError if uncalibrated."""
        return self.is_to_specimen.inverse()

    @cached_property
    def specimen_to_stage(self) -> Matrix2:
        """µm in the specimen frame to µm of stage movement; PaceError if uncalibrated."""
        return self.stage_to_specimen.inverse()
