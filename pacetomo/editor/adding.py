"""New targets: at single places, as a pattern on a lattice, and from lists of places found elsewhere. Pure."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from pacetomo.editor.edits import check_places, renumbered
from pacetomo.editor.model import Document, EditError, tidy
from pacetomo.frames import ORIGIN, XY
from pacetomo.pattern import HOLE_REACH, LARGEST_SIZE, Lattice, numbered_series, with_lattice
from pacetomo.targets import Target

SAME_PLACE_UM = 0.01
"""A target nearer to another one than this is the same one."""

IN_STEP = 0.1
"""Share of the distance between neighbours by which a target may lie beside a lattice that it belongs to."""

MOST_TARGETS = 2000
"""Targets of an area beyond which a pattern or polygon was surely meant otherwise."""

_SERIES = re.compile(r"_ts_(?=\d+\.[^.]+$)")


def add_at(document: Document, places_um: Sequence[XY], clearance_um: float = SAME_PLACE_UM) -> Document:
    """Add targets at places (µm) relative to the tracking target; they alone are selected.

    Their tilt series are named like that of the tracking target, with the first numbers that no file has; stage
    coordinates are given where the stage's matrix is known.

    Parameters
    ----------
    document : Document
    places_um : sequence of XY
        In order of acquisition.
    clearance_um : float
        Places nearer than this to a target, or to a place before, are left out.

    Raises
    ------
    EditError
        When a run has begun, or no place is left to add a target at.
    """
    document.require_unlocked()
    document.require_places()
    check_places(places_um)
    chosen = _free(places_um, document.places_um.values(), clearance_um)
    if not chosen:
        raise EditError("there is a target at each of these places already")
    count = len(document.numbers) + len(chosen)
    if count > MOST_TARGETS:
        raise EditError(
            f"the area would have {count} targets, at most {MOST_TARGETS} are possible: choose a "
            "wider spacing or a smaller region"
        )
    document = renumbered(document)
    first = len(document.numbers) + 1
    new = tuple(
        Target(
            number, series, shift_um=tidy(document.origin_um.plus(place)), stage_um=document.stage_at(place)
        )
        for number, (series, place) in enumerate(zip(free_series(document, len(chosen)), chosen), start=first)
    )
    targets = replace(document.targets, targets=(*_with_own_place(document), *new))
    return document.with_targets(targets).with_selected(target.number for target in new)


def _free(places_um: Iterable[XY], held_um: Iterable[XY], clearance_um: float) -> list[XY]:
    """Places at least so far from those that are held, and from each other.

    Places are kept by the square of that size in which they lie, so that only the squares around have to be looked at.
    """
    squares: dict[tuple[int, int], list[XY]] = {}

    def square(place: XY) -> tuple[int, int]:
        return math.floor(place.x / clearance_um), math.floor(place.y / clearance_um)

    def is_free(place: XY) -> bool:
        column, row = square(place)
        around = itertools.product((column - 1, column, column + 1), (row - 1, row, row + 1))
        others = itertools.chain.from_iterable(squares.get(at, ()) for at in around)
        return all(place.minus(other).length >= clearance_um for other in others)

    for place in held_um:
        squares.setdefault(square(place), []).append(place)
    free = []
    for place in places_um:
        if is_free(place):
            free.append(place)
            squares.setdefault(square(place), []).append(place)
    return free


def _with_own_place(document: Document) -> tuple[Target, ...]:
    """Targets as they are; the tracking target with the coordinates that the new ones refer to."""
    first, *rest = document.targets.targets
    return (replace(first, shift_um=first.shift_um or ORIGIN), *rest)


def add_pattern(
    document: Document, lattice: Lattice, size: int, centre_um: XY = ORIGIN, limit_um: float | None = None
) -> Document:
    """Add a target at each point of a lattice around a place that has none yet.

    The lattice is written down where the tracking target lies on it, its size where that is in the middle.

    Parameters
    ----------
    document : Document
    lattice : Lattice
        Vectors from a hole to its neighbours (µm).
    size : int
        How many holes the pattern reaches from the middle to each side.
    centre_um : XY
        Its middle (µm), relative to the tracking target.
    limit_um : float, optional
        Largest distance from the tracking target; points beyond are left out.

    Raises
    ------
    EditError
        When the size or the lattice makes no sense, a run has begun, or no point is free.
    """
    if not 0 <= size <= LARGEST_SIZE:
        raise EditError(f"a pattern reaches 0 to {LARGEST_SIZE} holes to each side, not {size}")
    a, b = lattice.a_um, lattice.b_um
    if not abs(a.x * b.y - a.y * b.x) > 0.05 * a.length * b.length:
        raise EditError("the vectors of the pattern lie in one line or are zero")
    side = range(-size, size + 1)
    places = [centre_um.plus(lattice.at(index)) for index in itertools.product(side, side)]
    if limit_um is not None:
        places = [place for place in places if place.length <= limit_um]
    added = add_at(document, places, clearance_um=HOLE_REACH * lattice.spacing_um)
    index = lattice.nearest(centre_um)
    off_um = centre_um.minus(lattice.at(index)).length
    if off_um > IN_STEP * lattice.spacing_um:
        return added  # the lattice of the tracking target is another one
    targets = with_lattice(added.targets, lattice)
    return added.with_targets(targets.with_override("size", str(size)) if index == (0, 0) else targets)


def lattice_through(document: Document, numbers: Sequence[int]) -> Lattice:
    """The lattice on which three targets are neighbours: from the first to the second, and to the third."""
    if len(numbers) != 3:
        raise EditError("three targets tell a lattice: one and two of its neighbours in different directions")
    middle, one, other = (document.places_um[document.target(number).number] for number in numbers)
    return Lattice(one.minus(middle), other.minus(middle))


def free_series(document: Document, count: int) -> list[str]:
    """Names for new tilt series like that of the tracking target, with the next numbers of which no file is there.

    Neither a series nor a reference image of that number is in the document or the session folder.
    """
    taken = set(document.known.names)
    for target in document.targets.targets:
        taken.update(name.casefold() for name in (target.series, target.reference, target.view) if name)
    like = document.targets.tracking.series
    names: list[str] = []
    for number in itertools.count(len(document.numbers) + 1):
        if len(names) == count:
            break
        series = numbered_series(like, number)
        wanted = {name.casefold() for name in (series, *image_names(series))}
        if not wanted & taken:
            names.append(series)
            taken |= wanted
    return names


def image_names(series: str) -> tuple[str, str]:
    """Names of the Preview and View reference images that go with a tilt series.

    >>> image_names("L3_ts_004.mrc")
    ('L3_tgt_004.mrc', 'L3_tgt_004_view.mrc')
    """
    stem = series.rpartition(".")[0] or series
    root = _SERIES.sub("_tgt_", series).rpartition(".")[0] if _SERIES.search(series) else f"{stem}_tgt"
    return f"{root}.mrc", f"{root}_view.mrc"


def with_images(document: Document, number: int, reference: str | None, view: str | None) -> Document:
    """Give a target reference images that have been taken at its place; None leaves one as it is."""
    target = document.target(number)
    target = replace(target, reference=reference or target.reference, view=view or target.view)
    taken = {name.casefold() for name in (reference, view) if name}
    known = replace(document.known, names=document.known.names | taken)
    return document.with_known(known).with_targets(document.targets.with_target(target))
