"""Targets on a pattern of holes, from the middle outwards; and its vectors, measured from hole to hole.

A pattern has (2 size + 1)² holes. Targets follow a spiral around the tracking target, each a neighbour of the one
before: image shift makes short steps, and what is acquired first lies near the tracking target, where its position is
known best.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection
from dataclasses import dataclass, replace

from pacetomo.errors import PlanError
from pacetomo.frames import ORIGIN, XY
from pacetomo.pattern import LARGEST_SIZE, Index, Lattice, numbered_series, refit, way_out, with_lattice
from pacetomo.targets import Target, TargetSet


def spiral(size: int) -> tuple[Index, ...]:
    """All holes of a pattern from the middle outwards, counter-clockwise from the first vector.

    Raises
    ------
    PlanError
        If the size, the number of holes from the middle to each side, is not from 0 to 20.

    >>> spiral(1)
    ((0, 0), (1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1))
    """
    if not (size == int(size) and 0 <= size <= LARGEST_SIZE):
        raise PlanError(
            f"size of the pattern is {size}: how many holes it reaches from the middle to each side is needed, "
            f"0 to {LARGEST_SIZE}"
        )
    i = j = 0
    found = [(0, 0)]
    directions = itertools.cycle([(1, 0), (0, 1), (-1, 0), (0, -1)])
    for length in range(1, 2 * size + 2):
        # Two sides of each length; the last length has one only.
        for di, dj in itertools.islice(directions, 2):
            for _ in range(length):
                i, j = i + di, j + dj
                found.append((i, j))
    return tuple(found[: (2 * size + 1) ** 2])


def pattern_targets(
    tracking: Target, lattice: Lattice, size: int, left_out: Collection[Index] = ()
) -> TargetSet:
    """A target on each hole of a pattern, in spiral order.

    Parameters
    ----------
    tracking : Target
        The hole in the middle; the others' tilt series are named like its own.
    lattice : Lattice
        Vectors in the specimen frame at the tilt at which targets are picked (µm).
    size : int
        How many holes the pattern reaches from the middle to each side.
    left_out : collection of (int, int)
        Holes without a target, by their steps along both vectors; ones beyond the pattern are no mistake.

    Returns
    -------
    TargetSet
        With the vectors and the size as settings of its file.

    Raises
    ------
    PlanError
        If the hole in the middle is to be left out, or the size makes no sense.
    """
    if (0, 0) in left_out:
        raise PlanError(
            "the hole in the middle of the pattern carries the tracking target and cannot be left out: "
            "choose another one as the middle"
        )
    origin = tracking.shift_um or ORIGIN
    kept = [index for index in spiral(size) if index not in left_out]
    others = tuple(
        Target(number, numbered_series(tracking.series, number), shift_um=origin.plus(lattice.at(index)))
        for number, index in enumerate(kept[1:], tracking.number + 1)
    )
    targets = with_lattice(TargetSet((replace(tracking, shift_um=origin), *others)), lattice)
    return targets.with_override("size", str(int(size)))


@dataclass(frozen=True)
class VectorRefinement:
    """Vectors of a pattern in the course of being measured: the near hole along each first, then ever farther ones.

    Each hole is looked for where the ones before lead to, so that its neighbour is never taken for it. A hole that is
    not found ends the way along its vector: farther out it would be a guess.

    >>> course = VectorRefinement.of_pattern(Lattice(XY(2.0, 0.0), XY(0.0, 2.0)), 2)
    >>> course.next, course.expected_um
    ((1, 0), XY(x=2.0, y=0.0))
    >>> course = course.measured(XY(0.1, 0.0))
    >>> course.next, course.expected_um
    ((2, 0), XY(x=4.2, y=0.0))
    >>> course.missed().next
    (0, 1)

    Attributes
    ----------
    assumed : Lattice
        Before anything was measured (µm).
    to_do : tuple of (int, int)
        Holes still to be looked at.
    seen : tuple of ((int, int), XY)
        Holes measured, and where they lie from the tracking target (µm).
    """

    assumed: Lattice
    to_do: tuple[Index, ...]
    seen: tuple[tuple[Index, XY], ...] = ()

    @classmethod
    def of_pattern(cls, lattice: Lattice, size: int, left_out: Collection[Index] = ()) -> VectorRefinement:
        """The beginning, for a pattern of a size without the holes left out."""
        indices = [index for index in spiral(size) if index not in left_out]
        ways = itertools.chain.from_iterable(way_out(indices, axis) for axis in (0, 1))
        return cls(lattice, tuple(index for index in ways if index not in left_out))

    @property
    def lattice(self) -> Lattice:
        """Vectors that fit what has been measured best; as assumed where nothing tells."""
        return refit(self.assumed, self.seen)

    @property
    def next(self) -> Index | None:
        """The hole to look at; None when all is done."""
        return self.to_do[0] if self.to_do else None

    @property
    def expected_um(self) -> XY:
        """Where the next hole should lie from the tracking target; the origin when all is done."""
        return self.lattice.at(self.to_do[0]) if self.to_do else ORIGIN

    def measured(self, offset_um: XY) -> VectorRefinement:
        """After the next hole was seen at an offset from where it was expected (µm)."""
        if not self.to_do:
            return self
        place = self.expected_um.plus(offset_um)
        return replace(self, to_do=self.to_do[1:], seen=(*self.seen, (self.to_do[0], place)))

    def missed(self) -> VectorRefinement:
        """After the next hole was not found."""
        if not self.to_do:
            return self
        along_first = self.to_do[0][0] != 0
        return replace(self, to_do=tuple(index for index in self.to_do if (index[0] != 0) != along_first))
