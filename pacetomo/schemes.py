"""Tilt schemes: in which order the stage visits which tilts.

A scheme is a frozen description; `stops()` derives the list. Tilts are counted in whole steps from the start tilt,
never added up, so that 41 tilts are 41 tilts; a range that is no multiple of the step is rounded inwards.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import NamedTuple, Union

from pacetomo.errors import PlanError


class Branch(enum.Enum):
    """Side of the start tilt that an image belongs to."""

    START = "start"
    UP = "up"
    DOWN = "down"


class TiltStop(NamedTuple):
    """One stage tilt (degrees) and the branch its images belong to."""

    tilt_deg: float
    branch: Branch


def _steps(reach_deg: float, step_deg: float) -> int:
    """Whole steps that fit into a range; a hundred-thousandth of a step is forgiven to rounding."""
    return max(0, math.floor(reach_deg / step_deg + 1e-5))


@dataclass(frozen=True)
class _Range:
    """Tilt range in degrees, counted in steps from the start tilt."""

    start_deg: float = 0.0
    lowest_deg: float = -60.0
    highest_deg: float = 60.0
    step_deg: float = 3.0

    def __post_init__(self) -> None:
        if not self.step_deg > 0:
            raise PlanError(f"the tilt step is {self.step_deg:g}°: a step above 0 is needed")
        if not self.lowest_deg <= self.start_deg <= self.highest_deg:
            raise PlanError(
                f"start tilt {self.start_deg:g}° lies outside the tilt range "
                f"{self.lowest_deg:g}° … {self.highest_deg:g}°"
            )

    def _upwards(self) -> list[TiltStop]:
        count = _steps(self.highest_deg - self.start_deg, self.step_deg)
        return [TiltStop(self._tilt(n), Branch.UP) for n in range(1, count + 1)]

    def _downwards(self) -> list[TiltStop]:
        count = _steps(self.start_deg - self.lowest_deg, self.step_deg)
        return [TiltStop(self._tilt(-n), Branch.DOWN) for n in range(1, count + 1)]

    def _tilt(self, steps: int) -> float:
        return round(self.start_deg + steps * self.step_deg, 6) + 0.0

    def _start(self) -> TiltStop:
        return TiltStop(self._tilt(0), Branch.START)


@dataclass(frozen=True)
class DoseSymmetric(_Range):
    """Groups of tilts on alternating sides of the start tilt, beginning above it.

    With group 2 and step 3: 0, 3, 6, -3, -6, 9, 12, -9, -12 … When one side has reached its end the other goes on.
    """

    group: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.group < 1:
            raise PlanError(f"the group size is {self.group}: at least 1 tilt per group is needed")

    def stops(self) -> tuple[TiltStop, ...]:
        """Tilts in order of acquisition."""
        sides = [self._upwards(), self._downwards()]
        stops = [self._start()]
        while any(sides):
            for side in sides:
                stops += side[: self.group]
                del side[: self.group]
        return tuple(stops)


@dataclass(frozen=True)
class GrowingGroups(DoseSymmetric):
    """Dose-symmetric near the start tilt, then the rest of the upper side in one go, then that of the lower.

    Attributes
    ----------
    alternate_deg : float
        How far from the start tilt the sides alternate.
    """

    alternate_deg: float = 30.0

    def stops(self) -> tuple[TiltStop, ...]:
        """Tilts in order of acquisition."""
        reach_deg = self.alternate_deg + 1e-5 * self.step_deg
        order = super().stops()
        near = [stop for stop in order if abs(stop.tilt_deg - self.start_deg) <= reach_deg]
        far = [stop for stop in order if abs(stop.tilt_deg - self.start_deg) > reach_deg]
        return (*near, *sorted(far, key=lambda stop: stop.branch is Branch.DOWN))


@dataclass(frozen=True)
class Bidirectional(_Range):
    """From the start tilt up to the highest, then from just below the start tilt down to the lowest."""

    def stops(self) -> tuple[TiltStop, ...]:
        """Tilts in order of acquisition."""
        return (self._start(), *self._upwards(), *self._downwards())


@dataclass(frozen=True)
class Unidirectional(Bidirectional):
    """From one end of the range to the other; the start tilt is one of the two ends."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.start_deg not in (self.lowest_deg, self.highest_deg):
            raise PlanError(
                f"a unidirectional series starts at one end of its range: start tilt {self.start_deg:g}° must be "
                f"{self.lowest_deg:g}° or {self.highest_deg:g}°"
            )


def level_start_deg(slope_y: float, lowest_deg: float, highest_deg: float, step_deg: float) -> float:
    """Start tilt at which a sample plane is level across the tilt axis, as near as whole steps allow.

    Parameters
    ----------
    slope_y : float
        Rise of the plane per µm across the tilt axis. Seen at tilt t a point of the plane rises as
        ``slope_y cos t + sin t``, so the plane is level at ``-atan(slope_y)``.
    lowest_deg, highest_deg, step_deg : float
        Tilt range, which the start tilt does not leave, and step; steps are counted from 0.

    >>> level_start_deg(math.tan(math.radians(-10)), -60, 60, 3)
    9.0
    """
    level_deg = -math.degrees(math.atan(slope_y))
    steps = round(level_deg / step_deg)
    lowest, highest = math.ceil(lowest_deg / step_deg - 1e-5), math.floor(highest_deg / step_deg + 1e-5)
    return round(max(lowest, min(highest, steps)) * step_deg, 6) + 0.0


Scheme = Union[DoseSymmetric, GrowingGroups, Bidirectional, Unidirectional]


def make_scheme(
    name: str,
    start_deg: float,
    lowest_deg: float,
    highest_deg: float,
    step_deg: float,
    group: int,
    alternate_deg: float = 30.0,
) -> Scheme:
    """Scheme by its name in the settings; `alternate_deg` is for growing groups only.

    Raises
    ------
    PlanError
        For an unknown name or a contradictory range.
    """
    if name == "dose-symmetric":
        return DoseSymmetric(start_deg, lowest_deg, highest_deg, step_deg, group)
    if name == "growing-groups":
        return GrowingGroups(start_deg, lowest_deg, highest_deg, step_deg, group, alternate_deg)
    if name == "bidirectional":
        return Bidirectional(start_deg, lowest_deg, highest_deg, step_deg)
    if name == "unidirectional":
        return Unidirectional(start_deg, lowest_deg, highest_deg, step_deg)
    raise PlanError(
        f"no tilt scheme {name!r}: dose-symmetric, growing-groups, bidirectional or unidirectional is needed"
    )
