"""Learning a stage profile: scales from the evidence of all past series, and a trial with each of them left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.linalg import block_diag, cholesky, solve_triangular

from pacetomo.errors import ProfileError
from pacetomo.joint.courses import AXES, Course, Samples, samples_of
from pacetomo.joint.priors import USUAL, Scales, motion_covariance
from pacetomo.joint.profile import (
    Habit,
    Memory,
    Repeats,
    Score,
    StageProfile,
    places_of,
    repeating_parts,
)
from pacetomo.joint.star import Floats

MOST_COURSES = 12
"""Sessions that a profile is learnt from at most, the latest; with more, learning takes too long between two areas."""

LEAST_COURSES = 2
LEAST_TILTS = 6
"""Tilts with a displacement that make a session worth learning from."""

_STEPS = (2.0, 2.0**0.5)
_ROUNDS = 12
_SPREAD = 0.9
"""Standard deviation of the logarithm of each scale about where the search for it begins."""

_SHARE = 0.7
"""Where the search for what repeats begins, in terms of the usual scales of all motion."""


def learn_profile(courses: Sequence[Course]) -> StageProfile:
    """Learn a profile.

    Parameters
    ----------
    courses : sequence of Course
        The latest `MOST_COURSES` of them count.

    Raises
    ------
    ProfileError
        When fewer than two of them have tilts enough.
    """
    usable = [course for course in courses if course.usable >= LEAST_TILTS]
    if len(usable) < LEAST_COURSES:
        raise ProfileError(
            f"a stage profile needs {LEAST_COURSES} sessions with at least {LEAST_TILTS} usable tilts each; "
            f"of {len(courses)} there {'is' if len(usable) == 1 else 'are'} {len(usable)}"
        )
    chosen = tuple(sorted(usable, key=lambda course: course.date)[-MOST_COURSES:])
    learnt = {}
    for axis in AXES:
        samples = [samples_of(course, axis) for course in chosen]
        if sum(len(each.stops) >= LEAST_TILTS for each in samples) >= LEAST_COURSES:
            learnt[axis] = _Learnt(samples, _fitted(samples, axis, True), _fitted(samples, axis, False))
    score = _left_out(learnt["x"], learnt["y"])
    return StageProfile(chosen, {axis: each.habit for axis, each in learnt.items()}, score)


class _Learnt(NamedTuple):
    """Samples of an axis with the best scales, and with the best ones if nothing repeats."""

    samples: list[Samples]
    habit: Habit
    without: Habit


def _fitted(samples: Sequence[Samples], axis: str, repeating: bool) -> Habit:
    """Scales with the largest evidence times log-normal prior, step by step along each of them."""
    usual = USUAL[axis]
    begin = np.log([*usual, *(_SHARE * np.array([usual.smooth_um, usual.swing_um, usual.jump_um]))])
    evidence = _evidence_of(samples, repeating)

    def score(logs: Floats) -> float:
        return evidence(_habit(logs, repeating)) - 0.5 * float(np.sum(((logs - begin) / _SPREAD) ** 2))

    best, best_score = begin.copy(), score(begin)
    for factor in _STEPS:
        for _ in range(_ROUNDS):
            before = best_score
            for place in range(len(begin) if repeating else len(usual)):
                for step in (np.log(factor), -np.log(factor)):
                    trial = best.copy()
                    trial[place] += step
                    trial_score = score(trial)
                    if trial_score > best_score:
                        best, best_score = trial, trial_score
                        break
            if best_score == before:
                break
    return _habit(best, repeating)


def _habit(logs: Floats, repeating: bool) -> Habit:
    values = np.exp(logs).tolist()
    repeats = Repeats(*values[4:]) if repeating else Repeats(0.0, 0.0, 0.0)
    return Habit(repeats, Scales(*values[:4]))


def _evidence_of(samples: Sequence[Samples], repeating: bool) -> Callable[[Habit], float]:
    """Log-likelihood of all samples as a function of the scales."""
    parts = repeating_parts(places_of(samples), places_of(samples)) if repeating else None
    measured = np.concatenate([each.measured for each in samples])

    def evidence(habit: Habit) -> float:
        blocks = [each.spread + motion_covariance(each.stops, [], habit.rest) for each in samples]
        if parts is not None:
            return _log_likelihood(block_diag(*blocks) + parts.scaled(habit.repeats), measured)
        return sum(_log_likelihood(block, each.measured) for block, each in zip(blocks, samples))

    return evidence


def _log_likelihood(covariance: Floats, measured: Floats) -> float:
    if not len(measured):
        return 0.0
    root = cholesky(covariance, lower=True)
    apart = solve_triangular(root, measured, lower=True)
    return float(-0.5 * apart @ apart - np.log(np.diag(root)).sum())


# leaving series out


class _Trial(NamedTuple):
    """Errors (µm) of predicting each tilt of a series from those before it, and their predicted deviation."""

    errors: Floats
    sigma: Floats


def _left_out(x: _Learnt, y: _Learnt) -> Score:
    """Score of predicting each session by the others."""
    trials: list[tuple[_Trial, _Trial, _Trial, _Trial]] = []
    for place in range(len(x.samples)):
        of_x, of_y = (_try(each, place) for each in (x, y))
        trials.append((*of_x, *of_y))
    errors = [np.concatenate([trial[n].errors for trial in trials]) for n in range(4)]
    sigma = [np.concatenate([trial[n].sigma for trial in trials]) for n in (0, 2)]
    with_nm, without_nm = 1000 * np.hypot(errors[0], errors[2]), 1000 * np.hypot(errors[1], errors[3])
    normalised = np.concatenate([errors[0] / sigma[0], errors[2] / sigma[1]])
    return Score(
        len(with_nm),
        float(np.median(with_nm)),
        _rms(with_nm),
        float(np.median(without_nm)),
        _rms(without_nm),
        _rms(normalised),
    )


def _rms(values: Floats) -> float:
    return float(np.sqrt(np.mean(values**2)))


def _try(learnt: _Learnt, place: int) -> tuple[_Trial, _Trial]:
    """Predict a series, with a profile from the others and without one."""
    left_out = learnt.samples[place]
    others = [each for n, each in enumerate(learnt.samples) if n != place]
    expected = Memory(others, learnt.habit).expect(left_out.start_tilt_deg, left_out.stops)
    rest = left_out.spread + motion_covariance(left_out.stops, [], learnt.habit.rest)
    without = left_out.spread + motion_covariance(left_out.stops, [], learnt.without.rest)
    return (
        _one_step(rest + expected.covariance, left_out.measured - expected.mean),
        _one_step(without, left_out.measured),
    )


def _one_step(covariance: Floats, apart: Floats) -> _Trial:
    """Prediction errors one step ahead: the Cholesky factor's diagonal is the deviation of each given all before."""
    root = cholesky(covariance, lower=True)
    sigma = np.diag(root).copy()
    return _Trial(solve_triangular(root, apart, lower=True) * sigma, sigma)


def updated(courses: Sequence[Course], new: Sequence[Course]) -> tuple[Course, ...]:
    """Courses with newer ones; one that is already among them is replaced."""
    fresh = {(course.name, course.date) for course in new}
    return (*(course for course in courses if (course.name, course.date) not in fresh), *new)
