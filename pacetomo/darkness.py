"""How dark an image is by its target's own history. Pure judgement, no microscope."""

from __future__ import annotations

import math
import statistics

from pacetomo.schemes import Branch

DIM = 0.5
"""Share of the counts of the image before under which valves may have closed in the middle of an exposure."""

BLACK = 0.05
"""Share at which an image is black: a beam that fades or ice that gets thicker from one tilt to the next leaves far
more."""

BLACK_BESIDE_OTHERS = 0.02
"""The same, for the first image of a target beside the other targets' images."""

NEAR_ZERO_PER_S = 1.0
"""Counts per second of a camera without a beam, at most."""

BRIGHT = 2.0
"""An image with so many times the counts of the black one before it shows that the beam was off then."""


class Brightness:
    """Counts per second of the images of a run so far, by target and branch."""

    def __init__(self) -> None:
        self._latest: dict[tuple[int, Branch], float] = {}

    def note(self, target: int, branch: Branch, counts_per_s: float) -> None:
        """Take note of an image that was kept; one without a measurement says nothing."""
        if not math.isfinite(counts_per_s):
            return
        for side in (Branch.UP, Branch.DOWN) if branch is Branch.START else (branch,):
            self._latest[target, side] = counts_per_s

    def expected_per_s(self, target: int, branch: Branch) -> float | None:
        """Counts per second of the target's image before; None before its first."""
        return self._latest.get((target, Branch.UP if branch is Branch.START else branch))

    def is_black(self, target: int, branch: Branch, counts_per_s: float) -> bool:
        """Whether an image shows nothing beside the target's image before.

        Its first is compared with those of the others, the very first one with what a camera gives without a beam.
        """
        own = self.expected_per_s(target, branch)
        if own is not None:
            return counts_per_s < BLACK * own
        return counts_per_s < (BLACK_BESIDE_OTHERS * self._others_per_s() or NEAR_ZERO_PER_S)

    def floor_per_s(self, target: int, branch: Branch) -> float:
        """Mean counts per second under which valves are worth a question.

        >>> seen = Brightness()
        >>> seen.note(1, Branch.START, 200.0)
        >>> seen.floor_per_s(1, Branch.UP), seen.floor_per_s(2, Branch.START)
        (100.0, 4.0)
        """
        own = self.expected_per_s(target, branch)
        if own is not None:
            return max(NEAR_ZERO_PER_S, DIM * own)
        return max(NEAR_ZERO_PER_S, BLACK_BESIDE_OTHERS * self._others_per_s())

    def _others_per_s(self) -> float:
        """Usual counts per second of all targets; 0 before the first image of the run."""
        return statistics.median(self._latest.values()) if self._latest else 0.0


def share_of_beam(counts: float, kept_counts: float | None, valves_closed: bool) -> float:
    """Share of the dose (0 to 1) that a black image has cost, told by the image taken again after it.

    Behind closed valves, and where the next image is bright, no more of the beam was there than shows in the counts.
    An image that stays black shows something opaque, and the beam was on it each time.

    Parameters
    ----------
    counts : float
        Mean of the black image.
    kept_counts : float or None
        Mean of the one taken again; None if there is none.
    valves_closed : bool
        Whether the column said that its valves were closed.

    >>> share_of_beam(1.0, 100.0, False), share_of_beam(1.0, 1.5, False), share_of_beam(0.0, None, True)
    (0.01, 1.0, 0.0)
    """
    if kept_counts is not None and kept_counts > BRIGHT * max(counts, 0.0):
        return max(counts, 0.0) / kept_counts
    return 0.0 if valves_closed else 1.0
