"""Which measurements of a tilt to believe when they contradict one another or the prediction.

All targets of a tilt share the stage's motion. Each of their measurements is either that of the target, and then
differs from the prediction by the same offset as those of the others, or that of a false peak anywhere within reach.
The common offset is one that the stage's usual motion explains, or a slip of any size.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pacetomo.joint.star import Floats

GATE = 13.8
"""Chi-square (x and y) beyond which a measurement contradicts what is believed: one in a thousand."""

HUBER = 6.0
"""Chi-square beyond which a measurement counts less."""

REACH_UM = 0.5
"""Radius within which false peaks lie."""

SLIP_REACH_UM = 1.0
SLIP_PROBABILITY = 0.05
"""How often a stage does what its usual motion does not explain; more often than correlations of a good target fail."""

FALSE_PEAK = 0.01
MOST_DOUBT = 0.3
"""Probability of a false peak: of a target that has shown none, and at most."""


TINY = 1e-300
"""What no account is less probable than, so that it has a logarithm."""


class Deviations(NamedTuple):
    """Measurements of m targets at one tilt less their prediction at its begin.

    Attributes
    ----------
    apart : array (m, 2)
        x and y (µm).
    predicted_x, predicted_y : array (m, m)
        Covariance of the prediction, with the usual motion of the stage.
    noise : array (m,)
        Variance of the noise of each.
    doubt : array (m,)
        Probability that each is a false peak.
    """

    apart: Floats
    predicted_x: Floats
    predicted_y: Floats
    noise: Floats
    doubt: Floats


class Verdict(NamedTuple):
    """Which measurements are believed, whether the stage has slipped, and how probable that account is (logarithm)."""

    believed: tuple[bool, ...]
    slipped: bool
    score: float


def huber_factor(chi_square: float) -> float:
    """Factor on the noise variance of a measurement that fits badly."""
    return max(1.0, math.sqrt(chi_square / HUBER))


def doubt_after(doubt: float, believed: bool) -> float:
    """Probability of a false peak in the next image of a target."""
    return max(FALSE_PEAK, 0.6 * doubt) if believed else MOST_DOUBT


def judge(seen: Deviations, may_slip: bool = True) -> Verdict:
    """Most probable account of a tilt's measurements, without a slip where `may_slip` says that it is known already.

    Every measurement in turn is taken for one that shows the common offset; the account of its offset is as probable as
    that offset itself and as the other measurements given it. Last comes the account that all are false.
    """
    false_peak = seen.doubt / (math.pi * REACH_UM**2)
    verdict = Verdict((False,) * len(seen.doubt), False, float(np.log(false_peak).sum()))
    for k in range(len(seen.doubt)):
        candidate = _account(seen, k, false_peak, SLIP_PROBABILITY if may_slip else 0.0)
        if candidate.score > verdict.score:
            verdict = candidate
    return verdict


def _account(seen: Deviations, k: int, false_peak: Floats, slips: float) -> Verdict:
    """Verdict when the common offset is that of measurement k, and slips have a probability."""
    usual = (1 - slips) * float(_density(seen, None)[k])
    slip = slips / (math.pi * SLIP_REACH_UM**2)
    true_peak = (1 - seen.doubt) * _density(seen, k)
    true_peak[k] = 1 - seen.doubt[k]
    others = np.log(true_peak + false_peak)
    others[k] = math.log(1 - seen.doubt[k])
    believed: NDArray[np.bool_] = true_peak > false_peak
    believed[k] = True
    score = float(others.sum()) + math.log(usual + slip + TINY)
    return Verdict(tuple(believed.tolist()), slip > usual, score)


def _density(seen: Deviations, origin: int | None) -> Floats:
    """Density of each deviation as seen from that of `origin`, or of its own against the prediction."""
    density = np.ones(len(seen.noise))
    for axis, predicted in enumerate((seen.predicted_x, seen.predicted_y)):
        own = np.diag(predicted)
        apart, variance = seen.apart[:, axis], own + seen.noise
        if origin is not None:
            apart = apart - apart[origin]
            variance = variance + own[origin] + seen.noise[origin] - 2 * predicted[:, origin]
        variance = np.maximum(variance, 1e-12)
        density = density * np.exp(-0.5 * apart**2 / variance) / np.sqrt(2 * np.pi * variance)
    return density
