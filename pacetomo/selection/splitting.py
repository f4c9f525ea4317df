"""Splitting targets that image shift cannot reach from one place into areas, each with its own tracking target.

Every target of an area must lie within the limit of the area's tracking target, which is one of them. As few areas as
can be found are made, by two ways of which the better counts: taking again and again the tracking target that reaches
most of what is left, and spreading a given number of them as far apart as possible. Then targets go to the nearest
tracking target, and each area takes the target nearest to its middle for it, as long as all stay within the limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pacetomo.errors import PlanError
from pacetomo.frames import XY

Floats = NDArray[np.float64]

_ROUNDS = 20
_SLACK = 1e-9


class Group(NamedTuple):
    """An area: place of its tracking target and of all its members in the sequence that was split, the former first."""

    tracking: int
    members: tuple[int, ...]


def split_places(places_um: Sequence[XY], limit_um: float, first: int | None = None) -> tuple[Group, ...]:
    """Groups of places, each within a distance of one of its own.

    Parameters
    ----------
    places_um : sequence of XY
        In the specimen frame (µm).
    limit_um : float
        Largest distance of a place from its group's tracking target: the image-shift limit.
    first : int, optional
        A place that is to be a tracking target if all lie within the limit of it: one that was chosen by hand stays.

    Returns
    -------
    tuple of Group
        Each place is in one of them; in the order of their first members.

    Raises
    ------
    PlanError
        If the limit is no length above 0, or a place is not finite.

    >>> split_places([XY(0.0, 0.0), XY(4.0, 0.0), XY(20.0, 0.0), XY(8.0, 0.0)], 5.0)
    (Group(tracking=1, members=(1, 0, 3)), Group(tracking=2, members=(2,)))
    """
    if not limit_um > 0:
        raise PlanError(
            f"an image-shift limit of {limit_um:g} µm reaches no target: a length above 0 is needed"
        )
    if not all(place.is_finite for place in places_um):
        raise PlanError("a target has no finite place: it can be put into no area")
    if not places_um:
        return ()
    places = np.array(places_um, dtype=np.float64)
    apart = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
    reached = apart <= limit_um * (1 + _SLACK)
    if first is not None and reached[first].all():
        return (_group(first, np.arange(len(places))),)
    centres = _greedy(reached, apart)
    for count in range(1, len(centres)):
        spread = _spread(apart, reached, count)
        if spread is not None:
            centres = spread
            break
    centres = _settled(places, apart, reached, centres)
    nearest = np.argmin(apart[:, centres], axis=1)
    groups = [_group(int(centre), np.nonzero(nearest == n)[0]) for n, centre in enumerate(centres)]
    return tuple(sorted((group for group in groups if group.members), key=lambda group: min(group.members)))


def _group(tracking: int, members: NDArray[np.intp]) -> Group:
    return Group(tracking, (tracking, *(int(n) for n in members if n != tracking)))


def _greedy(reached: NDArray[np.bool_], apart: Floats) -> NDArray[np.intp]:
    """Tracking targets, each the one that reaches most places left; of equals the one with the nearest places."""
    left = np.ones(len(reached), dtype=bool)
    centres = []
    while left.any():
        counts = (reached & left).sum(axis=1)
        sums = np.where(reached & left, apart, 0.0).sum(axis=1)
        best = int(np.lexsort((np.round(sums, 9), -counts))[0])
        centres.append(best)
        left &= ~reached[best]
    return np.array(centres, dtype=np.intp)


def _spread(apart: Floats, reached: NDArray[np.bool_], count: int) -> NDArray[np.intp] | None:
    """So many tracking targets that reach everything, started from places far from one another; None if not found.

    Places are given to the nearest of them and each is moved to the place of its group with the smallest reach, over
    and over, as in Lloyd's algorithm.
    """
    start = int(np.argmin(apart.max(axis=1)))
    for origin in (start, int(np.argmax(apart[start]))):
        chosen = [origin]
        while len(chosen) < count:
            chosen.append(int(np.argmax(apart[:, chosen].min(axis=1))))
        centres = np.array(chosen, dtype=np.intp)
        for _ in range(_ROUNDS):
            if reached[:, centres].any(axis=1).all():
                return centres
            nearest = np.argmin(apart[:, centres], axis=1)
            moved = centres.copy()
            for n in range(count):
                members = np.nonzero(nearest == n)[0]
                if len(members):
                    moved[n] = members[np.argmin(apart[np.ix_(members, members)].max(axis=1))]
            if (moved == centres).all():
                break
            centres = moved
    return None


def _settled(
    places: Floats, apart: Floats, reached: NDArray[np.bool_], centres: NDArray[np.intp]
) -> NDArray[np.intp]:
    """As many tracking targets, each as near to the middle of its area as the limit lets it be."""
    for _ in range(_ROUNDS):
        nearest = np.argmin(apart[:, centres], axis=1)
        moved = centres.copy()
        for n in range(len(centres)):
            members = np.nonzero(nearest == n)[0]
            if len(members) == 0:
                continue
            able = members[reached[np.ix_(members, members)].all(axis=1)]
            away = np.hypot(*(places[able] - places[members].mean(axis=0)).T)
            moved[n] = able[np.argmin(np.round(away, 9))]
        if (moved == centres).all():
            break
        centres = moved
    return centres
