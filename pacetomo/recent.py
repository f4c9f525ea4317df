"""The latest images of each target and branch, kept small, for later ones to be aligned to."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from pacetomo.earlier_images import Earlier
from pacetomo.schemes import Branch


class RecentImages:
    """Earlier images by target and branch; those of the start tilt begin both branches.

    100 targets with three images of 256 x 182 pixels on either branch take 56 MB.

    Parameters
    ----------
    most : int
        How many are kept for a target and branch.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._placed: dict[tuple[int, Branch], deque[Earlier]] = {}
        self._unplaced: dict[tuple[int, Branch], Earlier] = {}

    def of(self, target: int, branch: Branch) -> Sequence[Earlier]:
        """Images to align to, the oldest first; one in which the target was not found only for want of others."""
        placed = self._placed.get((target, branch))
        if placed:
            return tuple(placed)
        return tuple(one for key, one in self._unplaced.items() if key == (target, branch))

    def add(
        self, target: int, branch: Branch, image: Earlier, found: bool = True, afresh: bool = False
    ) -> None:
        """Keep an image.

        `found` tells that the target's place in it is known and not only taken to be; with `afresh` it is known in
        another way than in the images before, which are of no use with it.
        """
        for side in (Branch.UP, Branch.DOWN) if branch is Branch.START else (branch,):
            if found:
                self._unplaced.pop((target, side), None)
                placed = self._placed.setdefault((target, side), deque(maxlen=self._most))
                if afresh:
                    placed.clear()
                placed.append(image)
            else:
                self._unplaced[target, side] = image
