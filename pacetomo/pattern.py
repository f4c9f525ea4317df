"""Patterns of targets on a lattice of holes: reading, filling, and correcting the lattice's vectors.

A target file may say on which lattice its targets lie: `vecA0`, `vecA1` are X and Y of one vector from a hole to its
neighbour, `vecB0`, `vecB1` those of the other (µm, specimen coordinates at the tilt at which the targets were
picked), and `size` is how many holes the pattern reaches from the middle to each side.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from pacetomo.errors import TargetFileError
from pacetomo.frames import ORIGIN, XY, Matrix2
from pacetomo.number_text import format_float, parse_float
from pacetomo.targets import Target, TargetSet

VECTOR_NAMES = ("vecA0", "vecA1", "vecB0", "vecB1")

LARGEST_SIZE = 20
"""Holes to each side of the middle; a pattern of 41 x 41 holes is beyond any image shift."""

HOLE_REACH = 0.45
"""Share of the distance between neighbouring holes within which a hole is looked for: from half of it on, the
neighbour is nearer."""

LONE_REACH_UM = 1.0
"""How far a hole is looked for when nothing tells how far its neighbours are."""

_LAST_NUMBER = re.compile(r"\d+(?=\D*$)")

Index = tuple[int, int]


class Lattice(NamedTuple):
    """The two vectors of a lattice (µm) from a hole to its neighbours."""

    a_um: XY
    b_um: XY

    def at(self, index: tuple[float, float]) -> XY:
        """Place (µm) of a lattice point relative to the middle one.

        >>> Lattice(XY(3.0, 0.5), XY(-0.5, 3.0)).at((2, 1))
        XY(x=5.5, y=4.0)
        """
        return self.a_um.scaled(index[0]).plus(self.b_um.scaled(index[1]))

    def nearest(self, place_um: XY) -> Index:
        """Index of the lattice point nearest to a place along each vector."""
        i, j = self._matrix().inverse().apply(place_um)
        return round(i), round(j)

    def mapped(self, function: Callable[[XY], XY]) -> Lattice:
        """The lattice after a linear mapping, as tilting is one."""
        return Lattice(function(self.a_um), function(self.b_um))

    @property
    def spacing_um(self) -> float:
        """Distance from a hole to its nearest neighbour."""
        steps = itertools.product(range(-2, 3), range(-2, 3))
        return min(self.at(step).length for step in steps if step != (0, 0))

    def onto(self, other: Lattice) -> Matrix2:
        """The linear mapping that leads from this lattice to another."""
        return other._matrix().times(self._matrix().inverse())

    def _matrix(self) -> Matrix2:
        return Matrix2(self.a_um.x, self.b_um.x, self.a_um.y, self.b_um.y)


def read_lattice(targets: TargetSet) -> Lattice | None:
    """Lattice of a target file; None when it names none.

    Raises
    ------
    TargetFileError
        When a part of it is missing or no number, or the vectors span no lattice.
    """
    texts = {override.name: override.value.strip() for override in targets.overrides}
    given = [name for name in VECTOR_NAMES if texts.get(name, "None") not in ("", "None")]
    if not given:
        return None
    values = [parse_float(texts.get(name, "")) for name in VECTOR_NAMES]
    numbers = [value for value in values if value is not None]
    if len(numbers) < len(VECTOR_NAMES):
        lacking = [name for name, value in zip(VECTOR_NAMES, values) if value is None]
        raise TargetFileError(
            f"the pattern's lattice is incomplete: {' and '.join(lacking)} must be a number in µm (_set NAME = NUMBER)"
        )
    lattice = Lattice(XY(*numbers[:2]), XY(*numbers[2:]))
    a, b = lattice.a_um, lattice.b_um
    if not abs(a.x * b.y - a.y * b.x) > 0.05 * a.length * b.length:
        raise TargetFileError(
            f"the pattern's vectors ({a.x:g}, {a.y:g}) and ({b.x:g}, {b.y:g}) µm lie in one line or are zero: "
            "they must lead from a hole to two neighbours in different directions"
        )
    return lattice


def with_lattice(targets: TargetSet, lattice: Lattice) -> TargetSet:
    """Targets with another lattice written down, to 0.1 nm."""
    for name, value in zip(VECTOR_NAMES, (*lattice.a_um, *lattice.b_um)):
        targets = targets.with_override(name, format_float(round(value, 4)))
    return targets


def filled(targets: TargetSet) -> TargetSet:
    """A target at each lattice point of the pattern, if the file lists the tracking target only.

    The new targets follow row by row; their tilt series are named like that of the tracking target with their own
    number. A file that lists further targets, or no lattice or size, is left as it is.

    Raises
    ------
    TargetFileError
        When the size is no whole number from 0 to 20, or the lattice cannot be used.
    """
    lattice = read_lattice(targets)
    texts = [override.value.strip() for override in targets.overrides if override.name == "size"]
    if lattice is None or not texts or len(targets.targets) != 1:
        return targets
    size = parse_float(texts[0])
    if size is None or size != round(size) or not 0 <= size <= LARGEST_SIZE:
        raise TargetFileError(
            f"size of the pattern is {texts[0]!r}: how many holes it reaches from the middle to each side is needed, "
            f"0 to {LARGEST_SIZE}"
        )
    first = targets.tracking
    origin = first.shift_um or ORIGIN
    side = range(-int(size), int(size) + 1)
    indices = [index for index in itertools.product(side, side) if index != (0, 0)]
    new = tuple(
        Target(number, numbered_series(first.series, number), shift_um=origin.plus(lattice.at(index)))
        for number, index in enumerate(indices, first.number + 1)
    )
    return replace(targets, targets=(replace(first, shift_um=origin), *new))


def numbered_series(series: str, number: int) -> str:
    """Name of a tilt series like another one's, for another target.

    >>> numbered_series("grid1_p02_ts_001.mrc", 12), numbered_series("a.mrc", 2)
    ('grid1_p02_ts_012.mrc', 'a_002.mrc')
    """
    stem, dot, ending = series.rpartition(".")
    if _LAST_NUMBER.search(stem) is None:
        return f"{stem}_{number:03d}{dot}{ending}"
    return _LAST_NUMBER.sub(f"{number:03d}", stem, count=1) + dot + ending


def without_foreign_references(targets: TargetSet, root: str) -> TargetSet:
    """Targets of a copied pattern without the references of the position that it was copied from.

    The copy's own references begin with its root name, as ``lamella_p01`` in ``lamella_p01_tgt_001.mrc``.
    """

    def own(name: str | None) -> str | None:
        return name if name is not None and name.startswith(f"{root}_") else None

    return replace(
        targets,
        targets=tuple(
            replace(target, reference=own(target.reference), view=own(target.view))
            for target in targets.targets
        ),
    )


def hole_reach_um(lattice: Lattice | None, places_um: Sequence[XY]) -> float:
    """How far (µm) from where it is expected a hole may be looked for without taking its neighbour for it.

    Without a lattice the nearest two targets tell how far holes are apart.
    """
    if lattice is not None:
        return HOLE_REACH * lattice.spacing_um
    apart = [one.minus(other).length for one, other in itertools.combinations(places_um, 2)]
    return min([LONE_REACH_UM, *(HOLE_REACH * distance for distance in apart)])


def way_out(indices: Iterable[Index], axis: int) -> tuple[Index, ...]:
    """Lattice points to look at along a vector: the neighbour first, then ever twice as far, to the farthest target.

    Parameters
    ----------
    indices : iterable of (int, int)
        Where targets lie.
    axis : int
        0 for the first vector, 1 for the second.

    Returns
    -------
    tuple of (int, int)
        Empty when no target lies off the other vector's line.

    >>> way_out([(0, 0), (-3, 0), (1, 0), (5, 2)], 0)
    ((-1, 0), (-2, 0), (-3, 0))
    """
    off = [index for index in indices if index[axis] != 0]
    along = [index[axis] for index in off if index[1 - axis] == 0] or [index[axis] for index in off]
    if not along:
        return ()
    farthest = max(along, key=lambda step: (abs(step), step))
    sign = 1 if farthest > 0 else -1
    steps = []
    step = 1
    while step < abs(farthest):
        steps.append(sign * step)
        step *= 2
    return tuple((step, 0) if axis == 0 else (0, step) for step in (*steps, farthest))


def refit(lattice: Lattice, seen: Sequence[tuple[Index, XY]]) -> Lattice:
    """Vectors that bring lattice points to where they were seen, by least squares.

    Parameters
    ----------
    lattice : Lattice
        What was assumed; a vector that no measurement tells of stays as it is.
    seen : sequence of (index, place)
        Places (µm) relative to the middle hole.

    >>> refit(Lattice(XY(3.0, 0.0), XY(0.0, 3.0)), [((2, 0), XY(6.2, 0.4))])
    Lattice(a_um=XY(x=3.1, y=0.2), b_um=XY(x=0.0, y=3.0))
    """
    if not seen:
        return lattice
    indices = np.array([index for index, _ in seen], dtype=float)
    errors = np.array([place.minus(lattice.at(index)) for index, place in seen])
    # Of all solutions the one of least change is taken: where one vector was not measured, that leaves it alone.
    change = np.linalg.lstsq(indices, errors, rcond=None)[0]
    da, db = (XY(*(round(value, 9) for value in row)) for row in change.tolist())
    return Lattice(lattice.a_um.plus(da), lattice.b_um.plus(db))


def moved_along(targets: TargetSet, old: Lattice, new: Lattice) -> TargetSet:
    """Targets and geometry points carried along when the lattice they lie on is corrected.

    Distances from the tracking target follow the linear mapping between the lattices, so that a target beside its
    lattice point stays beside it. Stage coordinates are left as they are: specimen coordinates go before them.
    """
    mapping = old.onto(new)
    origin = targets.tracking.shift_um or ORIGIN

    def moved(shift_um: XY) -> XY:
        return origin.plus(mapping.apply(shift_um.minus(origin)))

    moved_targets = tuple(
        target if target.shift_um is None else replace(target, shift_um=moved(target.shift_um))
        for target in targets.targets
    )
    points = tuple(replace(point, shift_um=moved(point.shift_um)) for point in targets.geo_points)
    return with_lattice(replace(targets, targets=moved_targets, geo_points=points), new)
