"""What a belief says about single targets: which of them have too little contrast to be aligned by."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import median

from pacetomo.joint.belief import Belief
from pacetomo.joint.certainty import Value
from pacetomo.tracking import Finding

LATEST = 8
FEWEST = 5
"""Alignments of a target by which its contrast is judged: the latest ones, and how many there must be."""

LEAST_NOISE = 1.8
"""Factor of a target's alignment noise over that of the others from which on it is worth a warning."""

_NO_CONTRAST = (
    "see whether ice, a grid bar or thick sample covers it, and choose targets with more to see; "
    "it is sent where the others say it is"
)


def contrast(belief: Belief) -> Iterator[Finding]:
    """Targets whose alignments fail, or scatter, while those of the others do not.

    The scatter of the tracking target tells nothing of it: it is imaged first, while the stage still creeps.
    """
    tracking = belief.geometry.tracking
    latest = {target: kept[-LATEST:] for target, kept in belief.outcomes().items() if len(kept) >= FEWEST}
    for target, kept in latest.items():
        others = [other for other in latest if other != target]
        if not others:
            continue
        usual = [value for other in others for value in latest[other]]
        failed = _share(kept)
        excess = Value(failed.value - usual.count(False) / len(usual), failed.sigma)
        noise = belief.noise.of(target) / median(belief.noise.of(other) for other in others)
        factor = Value(noise, noise * belief.noise.relative_error(target))
        if excess.value > 0 and excess.matters(0.0):
            cause = (
                f"target {target} shows no contrast to align by: {kept.count(False)} of its latest {len(kept)} "
                "alignments were not believed, those of the others were"
            )
            yield Finding("contrast", *failed, "", cause, _NO_CONTRAST, target=target)
        elif target != tracking and noise > 1 and factor._replace(value=noise - 1).matters(LEAST_NOISE - 1):
            cause = (
                f"target {target} shows little contrast: its alignments scatter {noise:.1f} ± {factor.sigma:.1f} times "
                "as much as those of the others"
            )
            yield Finding("noise", *factor, "", cause, _NO_CONTRAST, target=target)


def _share(latest: Sequence[bool]) -> Value:
    """Share of failures; its error as if one more had failed and one more had not, so that none is certain."""
    count = len(latest)
    likely = (latest.count(False) + 1) / (count + 2)
    return Value(latest.count(False) / count, math.sqrt(likely * (1 - likely) / (count + 2)))
