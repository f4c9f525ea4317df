"""Which target tracks for the others, and which one takes over when it has ended on a branch.

The rule: of the targets that are still imaged on that branch, in an image as fine as Record's, and whose latest
alignment there could be used, the one closest to the old tracking target across the tilt axis. It moves most like the
old one when the stage tilts, whatever is wrong with the geometry. On the other branch the old one tracks again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from pacetomo.books import Books
from pacetomo.plan import Exposure
from pacetomo.schemes import Branch
from pacetomo.tracking import Start, TrackingModel


class Candidate(NamedTuple):
    """A target that could track: number, distance from the tilt axis (µm), and whether the rule allows it."""

    number: int
    n0_um: float
    is_healthy: bool


def choose_tracker(candidates: Iterable[Candidate], old_n0_um: float) -> int | None:
    """Number of the target to track from here on; None if there is none that could.

    >>> choose_tracker([Candidate(2, 3.0, True), Candidate(3, 0.4, False), Candidate(4, -1.0, True)], 0.0)
    4
    """
    able = [candidate for candidate in candidates if candidate.is_healthy]
    if not able:
        return None
    return min(able, key=lambda candidate: (abs(candidate.n0_um - old_n0_um), candidate.number)).number


class TrackingRole:
    """Who tracks.

    Parameters
    ----------
    own : int
        Number of the area's tracking target.
    starts : mapping of target number to Start
        All targets.
    model : TrackingModel
        Told of every change.
    books : Books
        Where changes are written down.
    is_healthy : callable
        Whether a target could track on a branch.
    """

    def __init__(
        self,
        own: int,
        starts: Mapping[int, Start],
        model: TrackingModel,
        books: Books,
        is_healthy: Callable[[int, Branch], bool],
    ) -> None:
        self.holder: int | None = own
        self._own = own
        self._starts = starts
        self._model = model
        self._books = books
        self._is_healthy = is_healthy
        self._deputies: dict[Branch, int | None] = {}

    def in_order(self, exposures: list[Exposure]) -> list[Exposure]:
        """Exposures still to be taken at a tilt, the tracking target first; another one tracks where it has ended."""
        if exposures:
            numbers, branch = [exposure.target for exposure in exposures], exposures[0].branch
            deputy = self._deputies.get(branch)
            if self._own in numbers:
                self._follow(self._own)
            elif deputy in numbers:
                self._follow(deputy)
            else:
                self._hand_over(numbers, branch)
        return sorted(exposures, key=lambda exposure: exposure.target != self.holder)

    def _hand_over(self, numbers: list[int], branch: Branch) -> None:
        candidates = [
            Candidate(number, self._starts[number].n0_um, self._is_healthy(number, branch))
            for number in numbers
        ]
        chosen = choose_tracker(candidates, self._starts[self._own].n0_um)
        if chosen is None and self._deputies.get(branch, self._own) is not None:
            self._books.warn(
                "no target is left that could track for the others: they follow predictions "
                f"on the {branch.value} branch"
            )
        self._deputies[branch] = chosen
        self._follow(chosen)

    def _follow(self, target: int | None) -> None:
        if target == self.holder:
            return
        self.holder = target
        self._model.follow(target)
        if target is not None:
            text = f"Target {target} tracks for the others from here on"
            self._books.step("tracking", text, target=target)
