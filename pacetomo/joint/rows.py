"""The rows of the equations: how a target's position and height depend on the unknowns.

Two sets of unknowns, with a column for each and after them two or three for each stop away from the start tilt:

``x``   common: beta, gamma, drift velocity, start offset; u_x(j), c_x(j)
        own: d, e on the upper branch, e on the lower branch
``yz``  common: a, b, h, alpha, kappa, p, q, r, f, drift velocity, start offset; u_y(j), u_z(j), c_y(j)
        own: d, e on the upper branch, e on the lower branch, rough

Names, signs and units are those of the equations of `pacetomo.joint`: lengths in µm, drift in µm/min, alpha to q pure
numbers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Optional

import numpy as np

from pacetomo.frames import XY
from pacetomo.geometry import height_um, seen_y_um
from pacetomo.joint.priors import Scales, Slip, Stop, creep_covariance, motion_covariance
from pacetomo.joint.star import Floats, Row
from pacetomo.schemes import Branch
from pacetomo.tracking import Start

START_OFFSET_UM = 0.03
DRIFT_UM_PER_MIN = 0.005

X_SPREAD = np.array([0.015, 0.006, DRIFT_UM_PER_MIN, START_OFFSET_UM])
"""Standard deviations of the common unknowns of x that are no motion."""

YZ_SPREAD = np.array([0.5, 0.3, 0.4, 0.015, 0.006, 0.08, 0.08, 0.25, 0.15, DRIFT_UM_PER_MIN, START_OFFSET_UM])
"""The same of y and z: axis, its half difference, height, two cross terms, two slopes, bend, focus, drift, start."""

ROUGH_UM = 0.06
FOUND_UM = 0.02
NOT_FOUND_UM = 0.10
"""Error of a start position that an image has shown, and of one that only geometry gives."""

AXIS, AXIS_DIFFERENCE, HEIGHT, SLOPE_X, SLOPE_Y = 0, 1, 2, 5, 6
"""Places of some common unknowns of y and z."""
CREEP_S = 20.0
"""Time constant with which a stage comes to rest after a tilt."""

X_PER_STOP = 2
YZ_PER_STOP = 3
"""Columns of a stop: its motion, and how much of it dies out; heights creep by less than can be measured."""

OWN_D, OWN_ROUGH = 0, 3
OWN_E = {Branch.UP: 1, Branch.DOWN: 2}
SIDES = {Branch.START: 0, Branch.UP: 1, Branch.DOWN: -1}


class Moment(NamedTuple):
    """When and where a row holds: tilt, branch, number of the stop (None at the start), minutes since the start.

    `rest_s` is the time since the first image of the stop.
    """

    tilt_deg: float
    branch: Branch
    stop: Optional[int]  # noqa: UP045 - evaluated at run time on Python 3.9
    minutes: float
    rest_s: float = 0.0


class Geometry:
    """Targets as the set-up has found them.

    Parameters
    ----------
    starts : mapping of target number to Start
    start_tilt_deg : float
    centre : int
        The target that X and Y are counted from.
    axis_offsets_um : mapping of Branch to float
        Known distance of the tilt axis from where points are counted from, to be added to theirs from the axis.
    """

    def __init__(
        self,
        starts: Mapping[int, Start],
        start_tilt_deg: float,
        centre: int,
        axis_offsets_um: Mapping[Branch, float] | None = None,
    ) -> None:
        self.starts = dict(starts)
        self.axis_offsets_um = dict(axis_offsets_um or {})
        self.start_tilt_deg = start_tilt_deg
        self.tracking = centre
        self._centre = self.starts.get(centre) or next(iter(self.starts.values()))
        self._radius2_um2 = max(1.0, max(self._square(number) for number in self.starts))

    def _place(self, target: int) -> XY:
        start = self.starts[target]
        return XY(start.shift_um.x - self._centre.shift_um.x, start.n0_um - self._centre.n0_um)

    def _square(self, target: int) -> float:
        place = self._place(target)
        return place.x**2 + place.y**2

    def predicted(self, target: int, tilt_deg: float) -> tuple[XY, float]:
        """Shift that centres the target by geometry alone, and how much it has risen since the start."""
        start, from_deg = self.starts[target], self.start_tilt_deg
        dy = seen_y_um(start.n0_um, start.z0_um, tilt_deg) - seen_y_um(start.n0_um, start.z0_um, from_deg)
        rise = height_um(start.n0_um, start.z0_um, tilt_deg) - height_um(start.n0_um, start.z0_um, from_deg)
        return start.shift_um.plus(XY(0.0, dy)), rise

    def by_axis_um(self, tilt_deg: float, branch: Branch) -> XY:
        """What the known offset of the axis adds to y, and to the rise, of every target on a branch."""
        turned, off_um = self._turned(tilt_deg), self.axis_offsets_um.get(branch, 0.0)
        return XY(off_um * (turned.cosine - 1.0), off_um * turned.sine)

    def x_row(self, target: int, at: Moment, stops: int) -> Row:
        """Row of where the target is seen along the axis, less the prediction."""
        turned, start = self._turned(at.tilt_deg), self.starts[target]
        common = np.zeros((1, X_SPREAD.size + X_PER_STOP * stops))
        dy = self.predicted(target, at.tilt_deg)[0].y - start.shift_um.y
        common[0, : X_SPREAD.size] = [-dy, self._place(target).y * turned.sine_change, at.minutes, 1.0]
        if at.stop is not None:
            first = X_SPREAD.size + X_PER_STOP * at.stop
            common[0, first : first + 2] = [1.0, _creep(at)]
        return Row(common, np.array([[1.0, 0.0, 0.0]]))

    def yz_rows(self, target: int, at: Moment, stops: int) -> Row:
        """Rows of where the target is seen across the axis, and of its height at the start focus."""
        turned, place = self._turned(at.tilt_deg), self._place(target)
        sine, cosine, side = turned.sine, turned.cosine, SIDES[at.branch]
        dy = self.predicted(target, at.tilt_deg)[0].y - self.starts[target].shift_um.y
        higher = np.array([place.x, place.y, self._square(target) / self._radius2_um2])
        axis_y, axis_z = cosine - 1.0, sine
        common = np.zeros((2, YZ_SPREAD.size + YZ_PER_STOP * stops))
        common[0, :5] = [axis_y, side * axis_y, -sine, -place.x * turned.cosine_change, dy]
        common[0, 5:8] = -sine * higher
        common[0, 9:11] = [at.minutes, 1.0]
        common[1, :3] = [axis_z, side * axis_z, cosine - 1.0]
        common[1, 5:8] = cosine * higher
        common[1, 8] = 1.0
        if at.stop is not None:
            first = YZ_SPREAD.size + YZ_PER_STOP * at.stop
            common[0, [first, first + 2]] = [1.0, _creep(at)]
            common[1, first + 1] = 1.0
        return Row(common, np.array([[1.0, 0.0, 0.0, -sine], [0.0, 0.0, 0.0, cosine]]))

    @property
    def centre(self) -> Start:
        """The target that X and Y are counted from."""
        return self._centre

    def _turned(self, tilt_deg: float) -> _Turned:
        now, begun = math.radians(tilt_deg), math.radians(self.start_tilt_deg)
        return _Turned(
            math.sin(now - begun),
            math.cos(now - begun),
            math.sin(now) - math.sin(begun),
            math.cos(now) - math.cos(begun),
        )


def _creep(at: Moment) -> float:
    """How much of a stop's creep is still to come, of what there was at its first image."""
    return math.exp(-max(0.0, at.rest_s) / CREEP_S)


class _Turned(NamedTuple):
    """Sine and cosine of the tilt since the start, and changes of the sine and cosine of the tilt itself."""

    sine: float
    cosine: float
    sine_change: float
    cosine_change: float


def x_prior(stops: Sequence[Stop], slips: Sequence[Slip], scales: Scales) -> Floats:
    """Prior covariance of the common unknowns of x."""
    count, size = X_SPREAD.size, X_SPREAD.size + X_PER_STOP * len(stops)
    prior = np.zeros((size, size))
    prior[:count, :count] = np.diag(X_SPREAD**2)
    prior[count::X_PER_STOP, count::X_PER_STOP] = motion_covariance(stops, slips, scales)
    prior[count + 1 :: X_PER_STOP, count + 1 :: X_PER_STOP] = creep_covariance(stops, scales)
    return prior


def yz_prior(
    stops: Sequence[Stop], slips_y: Sequence[Slip], slips_z: Sequence[Slip], of_y: Scales, of_z: Scales
) -> Floats:
    """Prior covariance of the common unknowns of y and z."""
    count, size = YZ_SPREAD.size, YZ_SPREAD.size + YZ_PER_STOP * len(stops)
    prior = np.zeros((size, size))
    prior[:count, :count] = np.diag(YZ_SPREAD**2)
    prior[count::YZ_PER_STOP, count::YZ_PER_STOP] = motion_covariance(stops, slips_y, of_y)
    prior[count + 1 :: YZ_PER_STOP, count + 1 :: YZ_PER_STOP] = motion_covariance(stops, slips_z, of_z)
    prior[count + 2 :: YZ_PER_STOP, count + 2 :: YZ_PER_STOP] = creep_covariance(stops, of_y)
    return prior


def own_spread(start: Start, chain_um2: float, rough: bool) -> Floats:
    """Prior covariance of a target's own unknowns of one axis.

    `chain_um2` is the variance of what the first image brings into the chains of both branches: as each begins with
    it, they begin equal.
    """
    spread = np.zeros((4, 4) if rough else (3, 3))
    spread[OWN_D, OWN_D] = (FOUND_UM if start.is_found else NOT_FOUND_UM) ** 2
    spread[1:3, 1:3] = chain_um2
    if rough:
        spread[OWN_ROUGH, OWN_ROUGH] = ROUGH_UM**2
    return spread
