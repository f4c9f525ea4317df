"""Places between the targets of an area, where focus can be measured without touching a target.

Targets of a pattern stand on a lattice: the places farthest from all of them are the middles of its cells, also of
those around the pattern. Targets that stand anywhere are treated alike, with the lattice of their nearest neighbours.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from pacetomo.frames import XY

WANTED_PLACES = 6
"""Places to measure at: three more than a plane needs, so that wrong measurements show."""

FEWEST_PLACES = 3

LONE_SPACING_UM = 4.0
"""Spacing of the lattice around a single target."""

_BEGINNINGS = 8

STRAIGHT = 0.2
"""Three places count as a row when the smallest angle's sine among them is below this."""


def places_between(
    targets_um: Sequence[XY], limit_um: float, wanted: int = WANTED_PLACES, clearance_um: float = 0.0
) -> tuple[XY, ...]:
    """Well spread places between targets, no three in a row, none near a target.

    Parameters
    ----------
    targets_um : sequence of XY
        All targets of the area, wherever image shift has its origin.
    limit_um : float
        Largest distance from that origin.
    wanted : int
        How many places; there may be fewer.
    clearance_um : float
        Smallest distance from every target.

    Returns
    -------
    tuple of XY
        Empty when not even three can be found.
    """
    inside = [place for place in _cell_middles(targets_um) if place.length <= limit_um]
    free = [place for place in inside if _clearance_um(place, targets_um) >= clearance_um]
    if not free:
        return ()
    most_um = max(_clearance_um(place, targets_um) for place in free)
    free = [place for place in free if _clearance_um(place, targets_um) > 0.7 * most_um]
    # Begun far out, so that the places span the area. What is chosen first decides how many fit in without a row.
    begins = sorted(free, key=lambda place: (-round(place.length, 6), place))[:_BEGINNINGS]
    chosen = max((_spread(free, begin, wanted) for begin in begins), key=len)
    return chosen if len(chosen) >= FEWEST_PLACES else ()


def _spread(free: Sequence[XY], begin: XY, wanted: int) -> tuple[XY, ...]:
    """Places one after the other, each the farthest from those before; ties are decided by the coordinates."""
    chosen = [begin]
    while len(chosen) < wanted:
        left = [place for place in free if _adds_to(chosen, place)]
        if not left:
            break
        chosen.append(max(left, key=lambda place: (round(_clearance_um(place, chosen), 6), place)))
    return tuple(chosen)


def _cell_middles(targets_um: Sequence[XY]) -> list[XY]:
    """Middles of the lattice cells that have a target at a corner, each once."""
    first, second = lattice_of(targets_um)
    halves = [
        XY((a * first.x + b * second.x) / 2, (a * first.y + b * second.y) / 2)
        for a, b in itertools.product((-1, 1), repeat=2)
    ]
    middles: dict[tuple[int, int], XY] = {}
    grain_um = 0.1 * min(first.length, second.length)
    for target, half in itertools.product(sorted(targets_um), halves):
        place = target.plus(half)
        middles.setdefault((round(place.x / grain_um), round(place.y / grain_um)), place)
    return list(middles.values())


def lattice_of(targets_um: Sequence[XY]) -> tuple[XY, XY]:
    """The two shortest steps between targets that do not point the same way.

    Where all targets stand in a row, the second step is the first one turned by 90 degrees.

    >>> lattice_of([XY(0, 0), XY(3, 0), XY(0, 4), XY(3, 4)])
    (XY(x=3, y=0), XY(x=0, y=4))
    """
    steps = [b.minus(a) for a, b in itertools.combinations(targets_um, 2)]
    # Each step and its opposite are the same one: the half plane to the right is kept.
    steps = [
        step if (step.x, step.y) > (0.0, 0.0) else step.scaled(-1) for step in steps if step.length > 1e-6
    ]
    steps.sort(key=lambda step: (round(step.length, 6), -step.x, step.y))
    first = steps[0] if steps else XY(LONE_SPACING_UM, 0.0)
    for second in steps[1:]:
        if abs(_cross(first, second)) > 0.5 * first.length * second.length:
            return first, second
    return first, XY(-first.y, first.x)


def _clearance_um(place: XY, others_um: Sequence[XY]) -> float:
    return min(place.minus(other).length for other in others_um)


def _adds_to(chosen: Sequence[XY], place: XY) -> bool:
    """Whether a place is new and in no row with any two of those chosen."""
    if any(place.minus(other).length < 1e-6 for other in chosen):
        return False
    return all(not _in_a_row(a, b, place) for a, b in itertools.combinations(chosen, 2))


def _in_a_row(a: XY, b: XY, c: XY) -> bool:
    sides = sorted((b.minus(a), c.minus(b), a.minus(c)), key=lambda side: side.length)
    # The smallest angle lies between the two longer sides.
    return abs(_cross(sides[1], sides[2])) < STRAIGHT * sides[1].length * sides[2].length


def _cross(a: XY, b: XY) -> float:
    return a.x * b.y - a.y * b.x
