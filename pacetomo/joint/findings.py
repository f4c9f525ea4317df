"""What a belief says about the session that its operator should know: axis, sample plane, height, stage, targets.

A finding is reported when it is large enough to matter and beyond `SURE` standard errors. Axis, height and plane are
read off the belief under a cautious prior (`Motion.cautious`). Axis and height are given as the measurements alone
have them: a posterior of mean m and variance P under a prior of mean 0 and variance S comes from a measurement of
``m / (1 - P / S)`` with the variance ``P / (1 - P / S)``. The prior would draw a large error towards zero, and a cure
taken from it would leave a rest.

Sign of the axis. The model's `a` is how much farther along Y all targets lie from the axis than was thought, so the
axis lies at -a from where SerialEM's tilt axis offset has it, and -a is to be added to that offset. It moves targets
in y by ``a (cos phi - 1)``, as the stage's own smooth motion may; only measured heights, which it changes by
``a sin phi``, tell the two apart, as far as the stage's motion along the beam is smaller. So nothing is said of the
axis before a defocus has been measured.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from pacetomo.geometry import SamplePlane
from pacetomo.joint.belief import Belief
from pacetomo.joint.certainty import Value
from pacetomo.joint.contrast_findings import contrast
from pacetomo.joint.motion import Stars
from pacetomo.joint.rows import AXIS, AXIS_DIFFERENCE, HEIGHT, SLOPE_X, SLOPE_Y, YZ_SPREAD
from pacetomo.joint.seen_plane import NO_INCLINE_DEG, SeenPlane, turn_deg
from pacetomo.joint.stage_findings import scatter, slips
from pacetomo.joint.star import Floats
from pacetomo.tracking import Finding

AXIS_UM = 0.3
BRANCHES_UM = 0.5
"""Axis off by this much, and half the difference between the branches, from which on they are worth a warning."""

PLANE_DEG = 3.0
TURN_DEG = 20.0
HEIGHT_UM = 1.0

KNOWN_SHARE = 0.65
"""Share of an unknown's prior variance that measurements must have taken away before it is told."""


def findings(belief: Belief, plane: SamplePlane) -> tuple[Finding, ...]:
    """Everything that is large and sure enough to be told.

    Parameters
    ----------
    belief : Belief
    plane : SamplePlane
        The sample plane that the session began with, by settings or measurement.
    """
    stars = belief.motion.cautious(belief.stars)
    return (
        *_axis(belief, stars),
        *_plane(belief, stars, plane),
        *_height(stars),
        *slips(belief),
        *scatter(belief),
        *contrast(belief),
    )


def _measured(stars: Stars, entry: int) -> Value:
    """What the measurements alone say of an unknown of y and z; sigma is infinite where that is too little."""
    variance = float(stars.yz.covariance[entry, entry])
    known = 1.0 - variance / float(YZ_SPREAD[entry]) ** 2
    if known < KNOWN_SHARE:
        return Value(0.0, math.inf)
    return Value(float(stars.yz.mean[entry]) / known, math.sqrt(variance / known))


def _axis(belief: Belief, stars: Stars) -> Iterator[Finding]:
    if not belief.knows_focus:
        return
    off, apart = _measured(stars, AXIS), _measured(stars, AXIS_DIFFERENCE)
    if off.matters(AXIS_UM):
        lies = f"{-off.value:+.2f}"
        yield Finding(
            "axis",
            -off.value,
            off.sigma,
            "µm",
            f"the tilt axis lies {lies} ± {off.sigma:.2f} µm across from where SerialEM's tilt axis offset has it",
            f"add {lies} µm to the tilt axis offset in SerialEM (Tasks - Eucentricity - Set Tilt Axis Offset)",
            worth_telling=AXIS_UM,
        )
    if apart.matters(BRANCHES_UM):
        up_um = -apart.value
        yield Finding(
            "axis by branch",
            up_um,
            apart.sigma,
            "µm",
            f"the tilt axis lies {2 * up_um:+.2f} ± {2 * apart.sigma:.2f} µm farther along Y on the up branch than "
            "on the down branch",
            "this run follows it; the single tracker does with "
            f"taOffsetPos = {up_um:.2f} and taOffsetNeg = {-up_um:.2f}",
            worth_telling=BRANCHES_UM,
        )


def _plane(belief: Belief, stars: Stars, assumed: SamplePlane) -> Iterator[Finding]:
    seen = SeenPlane.of(belief.geometry, assumed)
    if seen is None:
        return
    added = stars.yz.mean[[SLOPE_X, SLOPE_Y]]
    spread: Floats = stars.yz.covariance[np.ix_([SLOPE_X, SLOPE_Y], [SLOPE_X, SLOPE_Y])]
    found = seen.plane(added)

    def errors_deg(at: Floats) -> Floats:
        """Errors of pretilt, of rotation, and of the incline along the axis."""
        plane = seen.plane(at)
        aside = math.atan(plane.slopes().x) - math.atan(assumed.slopes().x)
        return np.array(
            [plane.pretilt_deg - assumed.pretilt_deg, turn_deg(assumed, plane), math.degrees(aside)]
        )

    steps = 1e-3 * np.eye(2)
    slopes = np.stack([(errors_deg(added + d) - errors_deg(added - d)) / 2e-3 for d in steps], axis=1)
    sigmas = np.sqrt(np.diag(slopes @ spread @ slopes.T))
    pretilt, turn, aside = (Value(*pair) for pair in zip(errors_deg(added).tolist(), sigmas.tolist()))
    cure = f"set pretilt = {found.pretilt_deg:.1f}"
    if abs(found.pretilt_deg) > NO_INCLINE_DEG:
        cure += f" and rotation = {found.rotation_deg:.0f}"
    cure += " for areas on this piece of sample; this run goes on with what it has found"
    if pretilt.matters(PLANE_DEG):
        cause = (
            f"the sample's pretilt is {found.pretilt_deg:.1f} ± {pretilt.sigma:.1f}°, "
            f"not {assumed.pretilt_deg:g}° as assumed"
        )
        yield Finding("pretilt", *pretilt, "degrees", cause, cure, worth_telling=PLANE_DEG)
    elif aside.matters(PLANE_DEG):
        cause = (
            f"the sample's rotation is {found.rotation_deg:.0f} ± {turn.sigma:.0f}°, "
            f"not {assumed.rotation_deg:g}° as assumed"
        )
        yield Finding("rotation", *turn, "degrees", cause, cure, worth_telling=TURN_DEG)


def _height(stars: Stars) -> Iterator[Finding]:
    height = _measured(stars, HEIGHT)
    if height.matters(HEIGHT_UM):
        yield Finding(
            "height",
            height.value,
            height.sigma,
            "µm",
            f"the sample lies {height.value:+.2f} ± {height.sigma:.2f} µm along the beam from the eucentric height",
            "repeat the eucentric height on the next areas, and see that there is contrast where it is measured",
            worth_telling=HEIGHT_UM,
        )
