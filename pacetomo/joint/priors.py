"""What is believed before anything is measured: the stage's motion, its scales, and the errors of the geometry.

The motion u(j) of one axis is a Gaussian process over the tilts visited, zero at the start tilt:

smooth part   standard deviation A far from the start, correlated over some 45 and 18 degrees, common to the branches;
branch part   the same with 0.4 A, each branch for itself;
swing         correlated over some 9 degrees only, each branch for itself;
jitter        sigma, drawn at each tilt, 1.5 sigma where the direction has just changed;
walk          steps of 0.35 sigma along a branch, which stay;
jump          of the whole second branch against the first, when the direction changes for the first time;
slips         of all tilts from some tilt on, where measurements have shown that the stage moved; part of it belongs to
              the branch, because play in the mechanism is taken back on the other one.

Beside it stands the creep c(j): what is still to come at the first image of a tilt and dies out while the targets are
imaged; a stage that jitters more also creeps more.

Lengths are µm, tilts degrees from the start tilt.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pacetomo.joint.star import Floats

SMOOTH = ((0.8, 45.0), (0.2, 18.0))
"""Shares of the variance and correlation lengths (degrees) of the smooth part."""

SWING_DEG = 9.0
"""Correlation length of the swing: displacements of real sessions go on for three or four steps of 3 degrees."""

BRANCH_SHARE = 0.4
WALK_SHARE = 0.35
CREEP_SHARE = 0.4
"""Standard deviations of a step of the walk and of the creep, in terms of the jitter's."""

CHANGE_FACTOR = 1.5
JUMP_UM = 0.4
SLIP_UM = 1.0
SLIP_OF_ALL = 0.5
"""Share of a slip's variance that both branches have in common."""

LOG_SPREAD = 0.7
"""Standard deviation of the logarithm of a scale about its usual value."""

LADDER = 2.0**0.5
"""Ratio of neighbouring values of a scale that are compared."""


class Stop(NamedTuple):
    """One visit of a tilt away from the start.

    `phi_deg` is the tilt less the start tilt; `side` +1 for the branch above it, -1 below; `place` counts the visits
    of that branch from 1; `turned` tells that the visit before was of the other branch; `is_second` that its branch
    was the second to begin.
    """

    phi_deg: float
    side: int
    place: int
    turned: bool
    is_second: bool


def stop_after(before: Sequence[Stop], phi_deg: float, side: int) -> Stop:
    """Return what a visit of a tilt is after others."""
    return Stop(
        phi_deg,
        side,
        1 + sum(stop.side == side for stop in before),
        bool(before) and before[-1].side != side,
        bool(before) and before[0].side != side,
    )


class Slip(NamedTuple):
    """A lasting motion of the stage: from a stop on (number from 0), seen on a side or, with side 0, known of both."""

    stop: int
    side: int
    sigma_um: float


class Scales(NamedTuple):
    """Scales of one axis' motion (µm): of the smooth part, the jitter, the swing, and the jump between branches."""

    smooth_um: float
    jitter_um: float
    swing_um: float = 0.02
    jump_um: float = JUMP_UM


ADAPTED = ("smooth_um", "jitter_um", "swing_um")
"""Scales that a session shows by itself; there is one jump only."""

USUAL = {"x": Scales(0.20, 0.015, 0.025), "y": Scales(0.25, 0.020, 0.05), "z": Scales(0.20, 0.020, 0.03)}
"""What stages usually do; the scales of a session are found from this by the evidence."""


def log_prior(scales: Scales, usual: Scales) -> float:
    """Logarithm of the prior density of scales, log-normal about the usual ones, up to a constant."""
    apart = np.log(np.asarray(scales) / np.asarray(usual)) / LOG_SPREAD
    return float(-0.5 * apart @ apart)


def motion_covariance(stops: Sequence[Stop], slips: Sequence[Slip], scales: Scales) -> Floats:
    """Prior covariance (stops, stops) of one axis' motion in µm²."""
    phi = np.array([stop.phi_deg for stop in stops])
    side = np.array([stop.side for stop in stops])
    place = np.array([stop.place for stop in stops], dtype=float)
    second = np.array([stop.is_second for stop in stops], dtype=float)
    same_side = side[:, None] == side[None, :]
    smooth = np.zeros((len(stops), len(stops)))
    for share, length_deg in SMOOTH:
        alike, to_start = _alike(phi, length_deg)
        smooth += share * (alike - np.outer(to_start, to_start))
    covariance: Floats = scales.smooth_um**2 * smooth * (1.0 + BRANCH_SHARE**2 * same_side)
    swing, to_start = _alike(phi, SWING_DEG)
    covariance += scales.swing_um**2 * (swing - np.outer(to_start, to_start)) * same_side
    covariance += (
        (WALK_SHARE * scales.jitter_um) ** 2 * np.minimum(place[:, None], place[None, :]) * same_side
    )
    covariance += max(scales.jump_um, 3 * scales.jitter_um) ** 2 * np.outer(second, second)
    turned = np.array([CHANGE_FACTOR if stop.turned else 1.0 for stop in stops])
    covariance += np.diag((scales.jitter_um * turned) ** 2)
    for slip in slips:
        later, there = _after(slip, stops)
        share = 1.0 if slip.side == 0 else SLIP_OF_ALL
        covariance += share * slip.sigma_um**2 * np.outer(later, later)
        covariance += (1.0 - share) * slip.sigma_um**2 * np.outer(there, there)
    return covariance


def _alike(phi_deg: Floats, length_deg: float) -> tuple[Floats, Floats]:
    """Correlation of tilts with one another (n, n) and with the start (n,)."""
    alike: Floats = np.exp(-0.5 * ((phi_deg[:, None] - phi_deg[None, :]) / length_deg) ** 2)
    to_start: Floats = np.exp(-0.5 * (phi_deg / length_deg) ** 2)
    return alike, to_start


def moved_by(slip: Slip, stops: Sequence[Stop]) -> Floats:
    """Share of a slip that each stop is expected to show: all of it on its own side, part of it on the other."""
    later, there = _after(slip, stops)
    return later if slip.side == 0 else SLIP_OF_ALL * later + (1.0 - SLIP_OF_ALL) * there


def _after(slip: Slip, stops: Sequence[Stop]) -> tuple[Floats, Floats]:
    """1 for every stop after a slip, and for those of them that are on its side; else 0."""
    later = np.array([float(n >= slip.stop) for n in range(len(stops))])
    there = np.array([float(n >= slip.stop and slip.side in (0, stop.side)) for n, stop in enumerate(stops)])
    return later, there


def creep_covariance(stops: Sequence[Stop], scales: Scales) -> Floats:
    """Prior covariance (stops, stops) of one axis' creep in µm²: each tilt for itself."""
    return np.diag(np.full(len(stops), (CREEP_SHARE * scales.jitter_um) ** 2))
