"""The order in which the targets of a pattern are listed."""

from __future__ import annotations

import itertools

from pacetomo.pattern import Index


def spiral(size: int) -> tuple[Index, ...]:
    """All lattice points up to `size` to each side of the middle, in a spiral from there.

    Each point is a neighbour of the one before.

    >>> spiral(1)
    ((0, 0), (1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1))
    """
    i = j = 0
    places: list[Index] = [(i, j)]
    directions = itertools.cycle(((1, 0), (0, 1), (-1, 0), (0, -1)))
    # Sides of 1, 1, 2, 2, 3, 3 … steps, as a square spiral has them; the last one is cut short.
    for side in itertools.count(1):
        for di, dj in (next(directions), next(directions)):
            for _ in range(side):
                i, j = i + di, j + dj
                places.append((i, j))
        if side > 2 * size:
            return tuple(places[: (2 * size + 1) ** 2])
    raise AssertionError("the sides have no end")
