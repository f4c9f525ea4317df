"""What a belief says about the stage: where it has slipped, and how much it scatters."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from pacetomo.joint.belief import Belief
from pacetomo.joint.certainty import Value
from pacetomo.joint.priors import Slip, moved_by
from pacetomo.joint.rows import SIDES, X_PER_STOP, X_SPREAD, YZ_PER_STOP, YZ_SPREAD
from pacetomo.joint.star import Floats, Star
from pacetomo.tracking import Finding

SLIP_UM = 0.2
"""Slips across the beam smaller than this are not worth a warning."""

SCATTER_UM = 0.08
"""Motion drawn anew at each tilt; good stages stay below a third of it."""

SCATTER_STOPS = 10
"""Tilts away from the start that it takes to judge it."""

_BRANCH_OF = {side: branch for branch, side in SIDES.items()}


def slips(belief: Belief) -> Iterator[Finding]:
    """Slips of the stage that are large enough, across the beam."""
    motion, stars = belief.motion, belief.stars
    in_x = slice(X_SPREAD.size, None, X_PER_STOP)
    in_y = slice(YZ_SPREAD.size, None, YZ_PER_STOP)
    x_prior, yz_prior = motion.x_prior(), motion.yz_prior()
    x_expected, yz_expected = motion.x_mean(), motion.yz_mean()
    for slip in motion.slips:
        if slip.side == 0 or slip.stop >= len(motion.stops):
            continue
        x = _size(slip, belief, x_prior[in_x, in_x], in_x, stars.x, x_expected)
        y = _size(slip, belief, yz_prior[in_y, in_y], in_y, stars.yz, yz_expected)
        length = math.hypot(x.value, y.value)
        spread = math.hypot(x.value * x.sigma, y.value * y.sigma) / max(length, 1e-9)
        size = Value(length, spread)
        if not size.matters(SLIP_UM):
            continue
        tilt_deg = belief.geometry.start_tilt_deg + motion.stops[slip.stop].phi_deg
        branch = _BRANCH_OF[slip.side]
        yield Finding(
            "slip",
            *size,
            "µm",
            f"the stage slipped by {length:.2f} ± {spread:.2f} µm (x {x.value:+.2f}, y {y.value:+.2f}) on its way to "
            f"{tilt_deg:.1f}° on the {branch.value} branch",
            "targets were followed as far as they were seen; if it comes again, set slowTilt = True, see that the "
            "holder sits firmly and have the stage looked after",
            tilt_deg=tilt_deg,
            branch=branch,
        )


def _size(slip: Slip, belief: Belief, prior: Floats, places: slice, star: Star, expected: Floats) -> Value:
    """How far a slip has gone along one axis, given what is believed of the whole motion along it.

    Under the prior the slip s of variance v and the motion u of covariance K have the covariance ``v m``, m telling how
    much of it each stop shows. So s given u is ``w u`` with ``w = v K^-1 m`` and a rest of variance ``v - v m w``, and
    what is known of s is that with u as it is believed: mean M, covariance P give ``w M`` and ``v - v m w + w P w``.
    What a stage profile expects (`expected`) is no part of u here.
    """
    moved, variance = moved_by(slip, belief.motion.stops), slip.sigma_um**2
    weights = variance * np.linalg.solve(prior, moved)
    rest = variance * (1.0 - float(moved @ weights))
    spread = float(weights @ star.covariance[places, places] @ weights)
    beyond = star.mean[places] - expected[places]
    return Value(float(weights @ beyond), math.sqrt(max(0.0, rest + spread)))


def scatter(belief: Belief) -> Iterator[Finding]:
    """A stage that moves a lot between tilts, every time anew."""
    stops, scales = len(belief.motion.stops), belief.motion.scales
    size_um = math.hypot(scales["x"].jitter_um, scales["y"].jitter_um)
    size = Value(size_um, size_um / math.sqrt(2.0 * max(1, stops)))
    if stops >= SCATTER_STOPS and size.matters(SCATTER_UM):
        yield Finding(
            "scatter",
            *size,
            "µm",
            f"the stage is off by {1000 * size.value:.0f} ± {1000 * size.sigma:.0f} nm from tilt to tilt, "
            "another way each time",
            "set slowTilt = True, a longer delayTilt and trackTwice = always, or image a larger field; a holder that "
            "is loose or worn does this",
            worth_telling=SCATTER_UM,
        )
