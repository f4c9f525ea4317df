"""What repeats when a stage tilts: mean and covariance of its motion, learnt from past series.

The motion of a stage is taken for the sum of a part that is the same in every series and one that is new each time.
The latter has the form of `pacetomo.joint.priors`. The former is, for each axis, a Gaussian process over stage tilt and
branch::

    u(t, B) = g(t) + g_B(t) - g(t_0) - g_B(t_0) + J_B [B began second]

with a smooth g common to the branches, g_B (smooth, and swing) of each branch, and the jump J_B at the change of
direction. It belongs to the tilt of the stage, not to the tilt since the start, so series with other start tilts add to
it. What is known of it is its distribution given all samples of past series (regression).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.linalg import block_diag, cho_solve, cholesky, solve_triangular

from pacetomo.joint.courses import Course, Samples, samples_of, tilt_range_deg
from pacetomo.joint.priors import BRANCH_SHARE, SMOOTH, SWING_DEG, Scales, Stop, motion_covariance
from pacetomo.joint.star import Floats


class Repeats(NamedTuple):
    """Scales of the part of an axis' motion that repeats (µm): smooth part, swing, jump between branches."""

    smooth_um: float
    swing_um: float
    jump_um: float


class Habit(NamedTuple):
    """How an axis moves: scales of what repeats, and of the rest."""

    repeats: Repeats
    rest: Scales


class Expected(NamedTuple):
    """Mean (n,) and covariance (n, n) of the part that repeats, at n stops."""

    mean: Floats
    covariance: Floats


class Score(NamedTuple):
    """How well tilts of series left out are predicted, each from the tilts before it and the other series.

    Errors in x and y together (nm), with the samples of the other series and with none; `spread` is the root mean
    square of the errors with a profile in terms of their predicted standard deviation: 1 where the profile's covariance
    is right, above where it promises too much. Scales are those of all series.
    """

    tilts: int
    median_nm: float
    rms_nm: float
    median_without_nm: float
    rms_without_nm: float
    spread: float


@dataclass(frozen=True)
class StageProfile:
    """What past series have shown of a stage.

    Attributes
    ----------
    courses : tuple of Course
        The series, the oldest first.
    habits : mapping of axis ("x", "y", "z") to Habit
        Without "z" where too little defocus was measured.
    score : Score
        How well it predicts.
    """

    courses: tuple[Course, ...]
    habits: Mapping[str, Habit]
    score: Score

    @property
    def rest(self) -> dict[str, Scales]:
        """Scales of what differs from series to series, for each axis that was learnt."""
        return {axis: habit.rest for axis, habit in self.habits.items()}

    def expect(self, axis: str, start_tilt_deg: float, stops: Sequence[Stop]) -> Expected:
        """Mean and covariance (µm, µm²) of the part of an axis' motion that repeats, at the stops of a new series."""
        if not self.courses:
            there = _places(start_tilt_deg, stops)
            return Expected(
                np.zeros(len(stops)), repeating_parts(there, there).scaled(self.habits[axis].repeats)
            )
        return self._memories[axis].expect(start_tilt_deg, stops)

    def forgotten(self) -> StageProfile:
        """Return a profile that knows how much the stage moves, and nothing of where."""
        return replace(self, courses=())

    @cached_property
    def _memories(self) -> dict[str, Memory]:
        return {axis: memory_of(self.courses, axis, habit) for axis, habit in self.habits.items()}

    def describe(self) -> str:
        """How much it was learnt from and how well it predicts, in two lines."""
        images = sum(course.usable * course.targets for course in self.courses)
        low_deg, high_deg = tilt_range_deg(self.courses)
        dates = sorted(course.date[:10] for course in self.courses if course.date)
        when = (
            "" if not dates else f", {dates[0]}" if dates[0] == dates[-1] else f", {dates[0]} to {dates[-1]}"
        )
        score = self.score
        return (
            f"learnt from {len(self.courses)} sessions, {images} images, {low_deg:+.0f} to {high_deg:+.0f}°{when}; "
            f"axes {', '.join(sorted(self.habits))}\n"
            f"sessions left out, {score.tilts} tilts: predicted to {score.median_nm:.0f} nm in median, "
            f"{score.rms_nm:.0f} nm rms; without a profile {score.median_without_nm:.0f} and "
            f"{score.rms_without_nm:.0f} nm; errors are {score.spread:.2f} of what is predicted of them"
        )


class Memory:
    """The samples of one axis of past series, ready to be asked.

    Parameters
    ----------
    samples : sequence of Samples
    habit : Habit
    """

    def __init__(self, samples: Sequence[Samples], habit: Habit) -> None:
        self._repeats = habit.repeats
        self._places = places_of(samples)
        covariance = repeating_parts(self._places, self._places).scaled(habit.repeats)
        covariance += block_diag(
            *(each.spread + motion_covariance(each.stops, [], habit.rest) for each in samples)
        )
        self._root = cholesky(covariance, lower=True)
        self._weights = cho_solve((self._root, True), np.concatenate([each.measured for each in samples]))

    def expect(self, start_tilt_deg: float, stops: Sequence[Stop]) -> Expected:
        """Mean and covariance of the part that repeats, at stops."""
        there = _places(start_tilt_deg, stops)
        across = repeating_parts(self._places, there).scaled(self._repeats)
        known = solve_triangular(self._root, across, lower=True)
        covariance = repeating_parts(there, there).scaled(self._repeats) - known.T @ known
        return Expected(across.T @ self._weights, 0.5 * (covariance + covariance.T))


def memory_of(courses: Sequence[Course], axis: str, habit: Habit) -> Memory:
    """Memory of an axis of courses."""
    return Memory([samples_of(course, axis) for course in courses], habit)


class Places(NamedTuple):
    """Where the part that repeats is asked for; arrays (n,) of tilt, start tilt, side, and 1 on a second branch."""

    tilt_deg: Floats
    start_deg: Floats
    side: Floats
    second: Floats


def places_of(samples: Sequence[Samples]) -> Places:
    """Places of the samples of several series, one after the other."""
    parts = [_places(each.start_tilt_deg, each.stops) for each in samples]
    return Places(*(np.concatenate(column) for column in zip(*parts)))


def _places(start_tilt_deg: float, stops: Sequence[Stop]) -> Places:
    return Places(
        np.array([start_tilt_deg + stop.phi_deg for stop in stops]),
        np.full(len(stops), start_tilt_deg),
        np.array([float(stop.side) for stop in stops]),
        np.array([float(stop.is_second) for stop in stops]),
    )


class RepeatingParts(NamedTuple):
    """Prior covariance (n, m) of each summand of the part that repeats, at scales of 1, between places."""

    smooth: Floats
    swing: Floats
    jump: Floats

    def scaled(self, repeats: Repeats) -> Floats:
        """Covariance at given scales (µm²)."""
        covariance: Floats = sum(scale**2 * part for scale, part in zip(repeats, self))  # type: ignore[assignment]
        return covariance


def repeating_parts(one: Places, other: Places) -> RepeatingParts:
    """Summands of the covariance between places."""
    same_side = one.side[:, None] == other.side[None, :]
    smooth = sum(share * _moved_alike(one, other, length_deg) for share, length_deg in SMOOTH)
    return RepeatingParts(
        smooth * (1.0 + BRANCH_SHARE**2 * same_side),
        _moved_alike(one, other, SWING_DEG) * same_side,
        np.outer(one.second, other.second) * same_side,
    )


def _moved_alike(one: Places, other: Places, length_deg: float) -> Floats:
    """Covariance of the differences g(tilt) - g(start) of a process of variance 1."""

    def alike(first: Floats, second: Floats) -> Floats:
        return np.exp(-0.5 * ((first[:, None] - second[None, :]) / length_deg) ** 2)

    return (
        alike(one.tilt_deg, other.tilt_deg)
        - alike(one.tilt_deg, other.start_deg)
        - alike(one.start_deg, other.tilt_deg)
        + alike(one.start_deg, other.start_deg)
    )
