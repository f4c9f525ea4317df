"""Where the tilt axis lies, from the focus at places on and beside it over a few tilts.

The image shift of each place is held while the stage tilts, so what is measured is not one point of the sample but
whatever piece of it lies under the beam. Across the axis the sample is a line in the plane of y and z. Untilted it
rises by tan p per µm and passes over y = 0, where SerialEM has the axis, at the height h. The axis itself lies at
y = a. A tilt t turns the line about the axis, to an incline of t + p at its distance d = (h + a tan p) cos p from it,
so that at y it is

    z(t, y) = (y - a) tan(t + p) + d / cos(t + p)

high. The focus that gives the same defocus everywhere falls by as much as the sample rises:

    focus(t, y) = constant of the run - z(t, y) - bump of the place + drift * time

With a level sample and y = 0 that is a constant plus a tan t - h / cos t: the axis makes the focus run off to opposite
sides, the height to the same side. The differences between places tell the incline p, and nothing of the axis.

No sample is quite straight, so each place lies a little above or below the line: its bump.

Each run through the tilts has a constant of its own: the play of the tilt mechanism lifts the sample by another
amount on the way up than on the way down. In one run a drift of the focus looks like an axis, in one up and one down
it does not, which is why there are at least two. A stage that does not come to the same height each time lifts all
places of one visit to a tilt alike; how much is seen from the residuals, and such readings count for less. Whatever a
stage does along the beam in proportion to the tilt is an axis offset, for this measurement as for a tilt series.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Union

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from pacetomo.joint.certainty import Value
from pacetomo.sample_geometry import FEWEST_SHARE, NOISE_UM, OUTLIER_UM
from pacetomo.scope.protocol import Missing

Floats = NDArray[np.float64]
Count = NDArray[np.int_]

FEWEST_READINGS = 8
FEWEST_TILTS = 3

HEIGHT_FOUND_UM, HEIGHT_UNKNOWN_UM = 0.5, 5.0
"""How far a sample may lie from the axis along the beam, at the eucentric height and elsewhere."""

DRIFT_UM_PER_H = 0.5
"""How fast the zero of the focus may drift."""

INCLINE_DEG = 30.0
"""How far samples are inclined."""

BUMP_UM = 0.15
"""How far a place lies off the straight line; a standard deviation, as those above."""

CONSTANT_UM = 1000.0
"""As good as nothing is known of the constant of a run."""

NOISE_ROUNDS = 4
VAGUEST_UM = 1.0
"""Largest standard error of an offset that is of use."""

_SHARED = 3
"""Unknowns behind the offsets and before the bumps: incline, height, drift."""


class FocusReading(NamedTuple):
    """One autofocus.

    Attributes
    ----------
    tilt_deg : float
        Stage tilt.
    y_um : float
        Image shift of the place across the axis, from where SerialEM has the axis (specimen frame).
    focus_um : float
        Focus that gives the wanted defocus.
    run : int
        Number of the run through the tilts, from 0.
    time_s : float
        When.
    """

    tilt_deg: float
    y_um: float
    focus_um: float
    run: int
    time_s: float


@dataclass(frozen=True)
class AxisFit:
    """Where the tilt axis lies.

    Attributes
    ----------
    off_um : Value
        Y of the axis, from where SerialEM has it; to be added to SerialEM's tilt axis offset.
    up_um, down_um : Value or None
        The same from the tilts above 0 and below 0 alone; None where there are none.
    incline_deg : Value
        Incline of the sample across the axis.
    height_um : Value
        Height of the sample over the axis, untilted, where SerialEM has the axis.
    used : tuple of bool
        Of each reading, whether it counts.
    residuals_um : tuple of float
        Focus measured less fitted, of each reading.
    relative_um : tuple of float
        Focus measured of each reading, without the constant of its run and the drift.
    scatter_um : float
        Standard deviation of the readings that count.
    """

    off_um: Value
    up_um: Value | None
    down_um: Value | None
    incline_deg: Value
    height_um: Value
    used: tuple[bool, ...]
    residuals_um: tuple[float, ...]
    relative_um: tuple[float, ...]
    scatter_um: float

    def expected_um(self, tilt_deg: float, y_um: float, off_um: float | None = None) -> float:
        """Focus (µm) of the fit at a tilt and place, without constant and drift; or with the axis elsewhere."""
        off = self.off_um.value if off_um is None else off_um
        tilt, incline = math.radians(tilt_deg), math.radians(self.incline_deg.value)
        return -float(_height_um(np.array([tilt]), np.array([y_um]), off, incline, self.height_um.value)[0])


AxisFitOrMissing = Union[AxisFit, Missing]


def fit_axis(readings: Sequence[FocusReading], is_eucentric: bool) -> AxisFitOrMissing:
    """Tilt axis offset from focus at several tilts and places.

    Readings that the others contradict are left out, the worst first.

    Parameters
    ----------
    readings : sequence of FocusReading
        In any order.
    is_eucentric : bool
        Whether the eucentric height was found before. On an inclined sample an unknown height hides some of the axis.

    Returns
    -------
    AxisFit or Missing
        Missing when there are too few readings, or they are no line that turns about an axis.
    """
    tilts = {reading.tilt_deg for reading in readings}
    places = {reading.y_um for reading in readings}
    if len(readings) < FEWEST_READINGS or len(tilts) < FEWEST_TILTS or len(places) < 2:
        return Missing(
            f"{len(readings)} good measurements at {len(tilts)} tilts and {len(places)} places; at least "
            f"{FEWEST_READINGS} at {FEWEST_TILTS} tilts and 2 places are needed"
        )
    height_sigma_um = HEIGHT_FOUND_UM if is_eucentric else HEIGHT_UNKNOWN_UM
    whole = _Line(readings, height_sigma_um, by_branch=False)
    used = whole.consistent()
    if np.count_nonzero(used) < FEWEST_SHARE * len(readings):
        return Missing(
            f"only {np.count_nonzero(used)} of {len(readings)} measurements agree: take a flat piece of sample with "
            "good contrast"
        )
    found = whole.solve(used)
    off = found.value(0)
    if off.sigma > VAGUEST_UM:
        return Missing(f"the offset is uncertain by {off.sigma:.1f} µm: tilt farther or in smaller steps")
    up, down = _by_branch(readings, height_sigma_um, used)
    residuals = whole.residuals_um(found.unknowns)
    incline, height = found.value(1), found.value(2)
    return AxisFit(
        off,
        up,
        down,
        Value(math.degrees(incline.value), math.degrees(incline.sigma)),
        height,
        tuple(used.tolist()),
        tuple(residuals.tolist()),
        tuple((residuals - whole.height_um(found.unknowns)).tolist()),
        found.scatter_um,
    )


def _by_branch(
    readings: Sequence[FocusReading], height_sigma_um: float, used: NDArray[np.bool_]
) -> tuple[Value | None, Value | None]:
    """Offsets above and below 0, everything else shared."""
    tilts = np.array([reading.tilt_deg for reading in readings])[used]
    if not (np.any(tilts > 0) and np.any(tilts < 0)):
        return None, None
    found = _Line(readings, height_sigma_um, by_branch=True).solve(used)
    return found.value(0), found.value(1)


def _height_um(
    tilt: Floats, y_um: Floats, off_um: Floats | float, incline: float, height_um: float
) -> Floats:
    """Height of the sample under the beam (µm); angles in radians. See the top of the module."""
    turned = tilt + incline
    distance_um = (height_um + off_um * math.tan(incline)) * math.cos(incline)
    return np.asarray((y_um - off_um) * np.tan(turned) + distance_um / np.cos(turned))


class _Noise(NamedTuple):
    """Standard deviations (µm): of single readings, and of what all readings of a visit to a tilt have in common."""

    single_um: float
    common_um: float


@dataclass(frozen=True)
class _Solution:
    unknowns: Floats
    covariance: Floats
    scatter_um: float

    def value(self, place: int) -> Value:
        return Value(float(self.unknowns[place]), math.sqrt(float(self.covariance[place, place])))


class _Line:
    """The sample as a line that turns about the axis, to be fitted to readings.

    Unknowns are the offset, or those above and below 0, the incline (rad), the height (µm), the drift (µm/h) and the
    bumps of the places (µm) and the constants of the runs (µm). What is known of them beforehand counts as one
    measurement each.
    """

    def __init__(self, readings: Sequence[FocusReading], height_sigma_um: float, by_branch: bool) -> None:
        self._tilt = np.radians([reading.tilt_deg for reading in readings])
        self._y_um = np.array([reading.y_um for reading in readings])
        self._focus_um = np.array([reading.focus_um for reading in readings])
        hours = np.array([reading.time_s for reading in readings]) / 3600.0
        self._hours = hours - hours.mean()
        places, place = np.unique(self._y_um, return_inverse=True)
        runs, run = np.unique([reading.run for reading in readings], return_inverse=True)
        self._place: Count = place.reshape(-1)
        self._run: Count = run.reshape(-1)
        self._offs = 2 if by_branch else 1
        shared = (math.radians(INCLINE_DEG), height_sigma_um, DRIFT_UM_PER_H)
        self._prior = np.array([*shared, *[BUMP_UM] * len(places), *[CONSTANT_UM] * len(runs)])
        visits = [(reading.run, reading.tilt_deg) for reading in readings]
        known = {visit: number for number, visit in enumerate(dict.fromkeys(visits))}
        self._visit: Count = np.array([known[visit] for visit in visits])
        self._bumps = slice(self._offs + _SHARED, self._offs + _SHARED + len(places))
        self._constants = slice(self._bumps.stop, self._bumps.stop + len(runs))
        self._begin = np.zeros(self._constants.stop)
        self._begin[self._constants] = self._focus_um.mean()

    def height_um(self, unknowns: Floats) -> Floats:
        """Height of the sample at each reading."""
        off = unknowns[:1] if self._offs == 1 else np.where(self._tilt >= 0, unknowns[0], unknowns[1])
        incline, height = unknowns[self._offs : self._offs + 2]
        return _height_um(self._tilt, self._y_um, off, float(incline), float(height))

    def residuals_um(self, unknowns: Floats) -> Floats:
        """Focus measured less what the unknowns say, of each reading."""
        drift: Floats = unknowns[self._offs + 2] * self._hours
        constant = unknowns[self._constants][self._run]
        bump = unknowns[self._bumps][self._place]
        left: Floats = self._focus_um - (constant + drift - bump - self.height_um(unknowns))
        return left

    def consistent(self) -> NDArray[np.bool_]:
        """Which readings are left when those that the others contradict are taken out, the worst first."""
        used = np.ones(len(self._tilt), dtype=bool)
        while np.count_nonzero(used) > len(self._begin) + 1:
            unknowns, jacobian = self._least_squares(used, _Noise(NOISE_UM, 0.0))
            q, _ = np.linalg.qr(jacobian)
            leverage = np.minimum((q[: np.count_nonzero(used)] ** 2).sum(axis=1), 1.0 - 1e-9)
            contradiction_um = np.abs(self.residuals_um(unknowns)[used]) / np.sqrt(1.0 - leverage)
            # A reading that alone decides on an unknown is met exactly; nothing contradicts it.
            contradiction_um[leverage > 0.999] = 0.0
            worst = int(np.argmax(contradiction_um))
            if contradiction_um[worst] <= OUTLIER_UM:
                break
            used[np.flatnonzero(used)[worst]] = False
        return used

    def solve(self, used: NDArray[np.bool_]) -> _Solution:
        """Unknowns with their covariance, from the readings that count."""
        noise = _Noise(NOISE_UM, 0.0)
        for _ in range(NOISE_ROUNDS):  # how much each thing counts depends on the noise that is found
            unknowns, jacobian = self._least_squares(used, noise)
            residuals_um = self.residuals_um(unknowns)[used]
            noise = self._noise(residuals_um, used)
        over = max(1, int(np.count_nonzero(used)) - len(unknowns))
        scatter_um = math.sqrt(float((residuals_um**2).sum()) / over)
        covariance: Floats = np.asarray(np.linalg.inv(jacobian.T @ jacobian), dtype=np.float64)
        return _Solution(unknowns, covariance, scatter_um)

    def _noise(self, residuals_um: Floats, used: NDArray[np.bool_]) -> _Noise:
        """Noise of single readings, and of what all readings of a visit have in common, from their residuals.

        Visits cost one degree of freedom each, the unknowns are taken to cost the visits theirs.
        """
        visit, count = self._visits(used)
        means = np.bincount(visit, residuals_um) / count
        squares = float(((residuals_um - means[visit]) ** 2).sum())
        # The noise that is known beforehand counts as one more measurement of it.
        single = (squares + NOISE_UM**2) / (len(residuals_um) - len(count) + 1)
        free = max(1, len(count) - (self._offs + _SHARED + self._constants.stop - self._constants.start))
        together = float((count * means**2).sum()) / free
        common = max(0.0, together - single) / float(count.mean())
        return _Noise(math.sqrt(single), math.sqrt(common))

    def _visits(self, used: NDArray[np.bool_]) -> tuple[Count, Count]:
        """Visit of each reading that counts, from 0 without gaps, and how many readings each visit has."""
        _, visit, count = np.unique(self._visit[used], return_inverse=True, return_counts=True)
        return visit.reshape(-1), count

    def _least_squares(self, used: NDArray[np.bool_], noise: _Noise) -> tuple[Floats, Floats]:
        """Unknowns, and the derivatives of all that is minimised, in units of its noise.

        Of n readings with the noise s each and c in common, the mean has the noise of single ones when it is shrunk by
        the square root of s s / (s s + n c c), and the rest has it as it is.
        """
        visit, count = self._visits(used)
        shrink = 1.0 - np.sqrt(noise.single_um**2 / (noise.single_um**2 + count * noise.common_um**2))

        def misfit(unknowns: Floats) -> Floats:
            residuals_um = self.residuals_um(unknowns)[used]
            means = np.bincount(visit, residuals_um) / count
            alike = (residuals_um - (shrink * means)[visit]) / noise.single_um
            return np.concatenate([alike, unknowns[self._offs :] / self._prior])

        found = least_squares(misfit, self._begin, method="lm", x_scale="jac")
        self._begin = found.x  # near to where the next search will end
        return found.x, found.jac
