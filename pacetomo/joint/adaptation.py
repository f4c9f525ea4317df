"""What a session teaches about itself: the scales of the stage's motion and the noise of alignments.

Scales of the motion go step by step along a ladder to where the evidence of everything measured so far, with their
prior, is largest. The noise scale is found on a grid from how well the measurements of each tilt agree with one
another; each target has a factor of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from pacetomo.joint.priors import ADAPTED, LADDER, USUAL, Scales, log_prior
from pacetomo.joint.star import Floats

NOISE_UM = 0.008
"""Standard deviation of an alignment where the sample is level (µm); scaled by what the session shows."""

STRETCH_POWER = 1.3
IMAGE_SHARE = 0.7
"""Share of the noise's variance that belongs to an image and does not go down the chain."""

CHAIN_SHARE = 0.3
"""Share of the noise's variance that every alignment adds to the chain."""

DEFOCUS_NOISE_UM = 0.1

_GRID = 2.0 ** np.arange(-2.0, 2.01, 0.25)
_GRID_SPREAD = 0.5
_OWN_WEIGHT = 8.0


def stepped(
    scales: Mapping[str, Scales],
    axes: str,
    evidence: Callable[[Mapping[str, Scales]], float],
    usual: Mapping[str, Scales] = USUAL,
) -> dict[str, Scales]:
    """Scales after at most one step of each along the ladder.

    Parameters
    ----------
    scales : mapping of axis to Scales
    axes : str
        Axes that may change.
    evidence : callable
        Log-likelihood of all measurements for given scales.
    usual : mapping of axis to Scales
        The most probable scales before anything is measured.
    """

    def score(trial: Mapping[str, Scales]) -> float:
        return evidence(trial) + sum(log_prior(trial[axis], usual[axis]) for axis in axes)

    best = dict(scales)
    best_score = score(best)
    for axis in axes:
        for name in ADAPTED:
            for factor in (LADDER, 1 / LADDER):
                changed = best[axis]._replace(**{name: getattr(best[axis], name) * factor})
                trial = {**best, axis: changed}
                trial_score = score(trial)
                if trial_score > best_score:
                    best, best_score = trial, trial_score
                    break
    return best


class Scatter(NamedTuple):
    """How the measurements of one axis at one tilt differ from their prediction.

    Attributes
    ----------
    targets : list of int
    apart : array (m,)
        Measured less predicted (µm).
    predicted : array (m, m)
        Covariance of the prediction.
    noise_um2 : float
        Variance of the noise at scale 1.
    """

    targets: list[int]
    apart: Floats
    predicted: Floats
    noise_um2: float


@dataclass
class NoiseScale:
    """Factors of the standard noise: a common one, and one of each target."""

    level_deg: float
    _evidence: Floats = field(default_factory=lambda: -0.5 * (np.log(_GRID) / _GRID_SPREAD) ** 2)
    _squares: dict[int, float] = field(default_factory=dict)
    _counts: dict[int, int] = field(default_factory=dict)

    @property
    def common(self) -> float:
        """Factor of all targets: mean of its logarithm."""
        weight = np.exp(self._evidence - self._evidence.max())
        return float(np.exp(weight @ np.log(_GRID) / weight.sum()))

    def of(self, target: int) -> float:
        """Factor of a target beside the common one."""
        count, squares = self._counts.get(target, 0), self._squares.get(target, 0.0)
        return math.sqrt((_OWN_WEIGHT + squares) / (_OWN_WEIGHT + count))

    def relative_error(self, target: int) -> float:
        """Relative standard error of a target's factor."""
        return 1.0 / math.sqrt(2.0 * (_OWN_WEIGHT + self._counts.get(target, 0)))

    def stretch(self, tilt_deg: float) -> float:
        """How much longer the way through the sample is than where it is level."""
        return 1.0 / max(0.2, math.cos(math.radians(tilt_deg - self.level_deg)))

    def standard_um2(self, tilt_deg: float) -> float:
        """Variance of an alignment at factor 1."""
        return float((NOISE_UM * self.stretch(tilt_deg) ** STRETCH_POWER) ** 2)

    def variance_um2(self, target: int, tilt_deg: float) -> float:
        """Variance of an alignment of a target."""
        return self.standard_um2(tilt_deg) * (self.common * self.of(target)) ** 2

    def learn(self, scatters: list[Scatter]) -> None:
        """Learn from the measurements of one tilt."""
        common = self.common
        for scatter in scatters:
            if len(scatter.targets) < 2:
                continue
            # Noise is the same for all, so one set of axes makes every grid point a sum.
            variances, axes = np.linalg.eigh(scatter.predicted)
            along = axes.T @ scatter.apart
            total = np.maximum(variances, 0.0)[:, None] + scatter.noise_um2 * _GRID**2
            self._evidence = self._evidence - 0.5 * (along[:, None] ** 2 / total + np.log(total)).sum(axis=0)
            inverse = 1.0 / (np.maximum(variances, 0.0) + scatter.noise_um2 * common**2)
            weighted = axes @ (inverse * along)
            squares = np.minimum(9.0, weighted**2 / (axes**2 @ inverse))
            for target, square in zip(scatter.targets, squares.tolist()):
                self._squares[target] = self._squares.get(target, 0.0) + square
                self._counts[target] = self._counts.get(target, 0) + 1
