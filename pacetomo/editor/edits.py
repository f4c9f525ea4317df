"""Edits of targets, geometry points and settings. Pure: each takes a document and returns a new one.

Rules that all of them keep: the tracking target is first and never skipped, its place is the origin of all others,
numbers count from 1 in the order of the file after every edit of the order, and file names stay with their target
(images of that name may exist).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from pacetomo.editor.coordinates import FARTHEST_UM
from pacetomo.editor.model import ConfirmationNeededError, Document, EditError, tidy
from pacetomo.frames import ORIGIN, XY
from pacetomo.problem import listed
from pacetomo.targets import AREAS, GeoPoint, Target


def move_warning(document: Document, numbers: Collection[int]) -> str | None:
    """What moving these targets costs that the user must agree to; None if nothing."""
    named = [
        f"{n} ({', '.join(document.existing_images(n))})" for n in numbers if document.existing_images(n)
    ]
    if not named:
        return None
    return (
        f"reference images show the old place of target {listed(named, most=4)}; when it is moved they are taken out "
        "of the target file (the images stay in the folder) and must be taken anew, or the run would align back to "
        "the old place"
    )


def move(document: Document, places_um: Mapping[int, XY], confirmed: bool = False) -> Document:
    """Move targets to places relative to the present tracking target (µm).

    Stage coordinates follow where the stage's matrix is known; where not, those of a target that is not the tracking
    target are dropped, because its specimen coordinates are what counts. When the tracking target moves, the others
    stay where they are on the sample, and so their coordinates change.

    Raises
    ------
    ConfirmationNeededError
        When reference images show the old place and it is not `confirmed` that they are given up.
    EditError
        When a run has begun, or the tracking target has stage coordinates that cannot follow.
    """
    document.require_unlocked()
    check_places(places_um.values())
    document.require_places()
    warning = move_warning(document, list(places_um))
    if warning is not None and not confirmed:
        raise ConfirmationNeededError(warning)
    old_um = document.places_um
    moved = []
    for target in document.targets.targets:
        if target.number not in places_um:
            moved.append(target)
            continue
        moved.append(_moved(document, target, places_um[target.number], old_um[target.number]))
    changed = document.with_targets(replace(document.targets, targets=tuple(moved)))
    tracking = document.targets.tracking.number
    return _with_origin(changed, document, tracking) if tracking in places_um else changed


def _moved(document: Document, target: Target, to_um: XY, from_um: XY) -> Target:
    """One target at another place, its reference images given up."""
    step = document.stage_step(to_um.minus(from_um))
    is_tracking = target.number == document.targets.tracking.number
    if is_tracking and target.stage_um is not None and step is None:
        raise EditError(
            f"target {target.number} is the tracking target and its stage position cannot follow, because how the "
            "stage moves the sample is not known: open the file at the microscope, or load a map of the area"
        )
    stage_um = None if target.stage_um is None or step is None else tidy(target.stage_um.plus(step))
    there = set(document.existing_images(target.number))
    return replace(
        target,
        shift_um=tidy(document.origin_um.plus(to_um)),
        stage_um=stage_um,
        reference=None if target.reference in there else target.reference,
        view=None if target.view in there else target.view,
    )


def make_track(document: Document, number: int) -> Document:
    """Make a target the tracking target: it comes first and is the origin of all coordinates.

    Stage coordinates stay as they are; geometry points keep their place on the sample. A skipped one is skipped no
    more.

    Raises
    ------
    EditError
        When a run has begun, or the target's stage position cannot be found.
    """
    document.require_unlocked()
    chosen = document.target(number)
    if number == document.targets.tracking.number:
        return document
    order = [chosen, *(target for target in document.targets.targets if target.number != number)]
    first = replace(chosen, skip=False)
    changed = replace(document, targets=replace(document.targets, targets=(first, *order[1:])))
    return renumbered(_with_origin(changed, document, number))


def _with_origin(changed: Document, before: Document, number: int) -> Document:
    """`changed` with all coordinates relative to a target, which is the tracking target from now on.

    `before` is the document as it was, whose tracking target may still tell where the others are.
    """
    targets = changed.targets.targets
    if all(target.shift_um is None for target in targets) and not changed.targets.geo_points:
        return changed  # stage coordinates alone tell where targets are
    before.require_places()
    shifts_um = {
        target.number: target.shift_um or before.origin_um.plus(before.places_um[target.number])
        for target in targets
    }
    origin_um = shifts_um[number]
    moved = [replace(t, shift_um=tidy(shifts_um[t.number].minus(origin_um))) for t in targets]
    moved[0] = replace(moved[0], shift_um=ORIGIN, stage_um=_stage_of(before, moved[0]))
    points = tuple(
        replace(point, shift_um=tidy(point.shift_um.minus(origin_um))) for point in changed.targets.geo_points
    )
    return replace(changed, targets=replace(changed.targets, targets=tuple(moved), geo_points=points))


def _stage_of(before: Document, target: Target) -> XY | None:
    """Stage position of a new tracking target."""
    if target.stage_um is not None or before.targets.tracking.stage_um is None:
        return target.stage_um
    found = before.stage_at(before.places_um[target.number])
    if found is None:
        raise EditError(
            f"target {target.number} has no stage coordinates, and they cannot be found because how the stage moves "
            "the sample is not known: open the file at the microscope, or load a map of the area"
        )
    return found


def set_skip(document: Document, numbers: Iterable[int], skip: bool) -> Document:
    """Leave targets out, or not. A run that has begun takes note of it when it is gone on with.

    Raises
    ------
    EditError
        When the tracking target is among those to be left out.
    """
    chosen = frozenset(numbers)
    if skip and document.targets.tracking.number in chosen:
        raise EditError(
            f"target {document.targets.tracking.number} is the tracking target, which cannot be skipped: make another "
            "one the tracking target first"
        )
    return _with_each(document, chosen, lambda target: replace(target, skip=skip))


def toggle_skip(document: Document, numbers: Collection[int]) -> Document:
    """Leave targets out, or take all of them in again if all are left out already."""
    return set_skip(document, numbers, not all(document.target(number).skip for number in numbers))


def delete(document: Document, numbers: Collection[int]) -> Document:
    """Delete targets; if the tracking target is among them, the first one left takes its place.

    Raises
    ------
    EditError
        When a run has begun, or no target would be left.
    """
    document.require_unlocked()
    numbers = frozenset(document.target(number).number for number in numbers)
    left = [target for target in document.targets.targets if target.number not in numbers]
    if not left:
        raise EditError("no target would be left; an area needs at least one")
    if document.targets.tracking.number in numbers:
        heir = next((target for target in left if not target.skip), left[0])
        gone = {document.target(number).series for number in numbers}
        document = make_track(document, heir.number)
        left = [target for target in document.targets.targets if target.series not in gone]
    return renumbered(document.with_targets(replace(document.targets, targets=tuple(left))))


def reorder(document: Document, order: Sequence[int]) -> Document:
    """Bring the targets into another order of acquisition, all numbers given once; the tracking target stays first.

    Raises
    ------
    EditError
        When a run has begun or numbers are missing.
    """
    document.require_unlocked()
    if sorted(order) != sorted(document.numbers):
        raise EditError("a new order must name each target once")
    tracking = document.targets.tracking.number
    targets = [document.target(number) for number in (tracking, *(n for n in order if n != tracking))]
    return renumbered(replace(document, targets=replace(document.targets, targets=tuple(targets))))


def move_in_list(document: Document, numbers: Collection[int], before: int | None) -> Document:
    """Bring targets in front of another one in the order of acquisition, None for the end.

    They keep their order among themselves. In front of the tracking target means right behind it.
    """
    moving = [number for number in document.numbers if number in numbers]
    rest = [number for number in document.numbers if number not in numbers]
    place = rest.index(before) if before in rest else len(rest)
    return reorder(document, [*rest[:place], *moving, *rest[place:]])


def renumbered(document: Document) -> Document:
    """The document with its targets numbered from 1 in their order; the same targets stay selected."""
    new = {old: place for place, old in enumerate(document.numbers, start=1)}
    if all(old == place for old, place in new.items()):
        return document
    targets = tuple(replace(target, number=new[target.number]) for target in document.targets.targets)
    return replace(
        document,
        targets=replace(document.targets, targets=targets),
        selected=frozenset(new[number] for number in document.selected if number in new),
    )


def set_defocus(document: Document, numbers: Iterable[int], defocus_um: float | None) -> Document:
    """Give targets a defocus of their own (µm, underfocus negative); None for their share of the range."""
    document.require_unlocked()
    if defocus_um is not None and not abs(defocus_um) <= 100.0:
        raise EditError(f"a defocus of {defocus_um:g} µm is not possible, -100 to 100 µm is")
    return _with_each(document, numbers, lambda target: replace(target, defocus_um=defocus_um))


def set_area(document: Document, numbers: Iterable[int], area: str) -> Document:
    """Record targets in another low-dose area: "R", "V" or "S"."""
    document.require_unlocked()
    if area not in AREAS:
        raise EditError(f"there is no low-dose area {area!r} to record in; {', '.join(AREAS)} are")
    return _with_each(document, numbers, lambda target: replace(target, area=area))


def set_score(document: Document, numbers: Iterable[int], score: float | None) -> Document:
    """Give targets another score; None for none."""
    if score is not None and not math.isfinite(score):
        raise EditError("a score must be a number")
    return _with_each(document, numbers, lambda target: replace(target, score=score))


def _with_each(document: Document, numbers: Iterable[int], change: Callable[[Target], Target]) -> Document:
    chosen = frozenset(document.target(number).number for number in numbers)
    targets = tuple(change(t) if t.number in chosen else t for t in document.targets.targets)
    return document.with_targets(replace(document.targets, targets=targets))


# --- geometry points


def add_point(document: Document, place_um: XY) -> Document:
    """Add a geometry point at a place relative to the tracking target (µm); it alone is selected."""
    document.require_unlocked()
    check_places([place_um])
    point = GeoPoint(tidy(document.origin_um.plus(place_um)))
    points = (*document.targets.geo_points, point)
    changed = document.with_targets(document.targets.with_geo_points(points))
    return changed.with_selected(points=[len(points) - 1])


def move_point(document: Document, place: int, to_um: XY) -> Document:
    """Move the geometry point in a place of the list (from 0) to a place relative to the tracking target (µm)."""
    document.require_unlocked()
    check_places([to_um])
    points = list(document.targets.geo_points)
    if not 0 <= place < len(points):
        raise EditError(f"there is no geometry point {place + 1}")
    points[place] = replace(points[place], shift_um=tidy(document.origin_um.plus(to_um)))
    return document.with_targets(document.targets.with_geo_points(tuple(points)))


def delete_points(document: Document, places: Collection[int]) -> Document:
    """Delete the geometry points in these places of the list (from 0)."""
    document.require_unlocked()
    left = tuple(point for place, point in enumerate(document.targets.geo_points) if place not in places)
    changed = replace(document, selected_points=frozenset())
    return changed.with_targets(document.targets.with_geo_points(left))


# --- all of it


def reset(document: Document) -> Document:
    """The area as it was opened."""
    if document.original is None:
        return document
    return document.with_targets(document.original)


def check_places(places_um: Iterable[XY]) -> None:
    """Refuse places that are no numbers, or that no stage reaches (EditError)."""
    if not all(place.length <= FARTHEST_UM for place in places_um):
        raise EditError("a place must be two numbers in µm, no farther off than any stage moves")
