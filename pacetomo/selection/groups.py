"""Targets from a group of Navigator points."""

from __future__ import annotations

from pacetomo.errors import ScopeError, TargetFileError
from pacetomo.files.navigator import read_navigator
from pacetomo.frames import ORIGIN
from pacetomo.scope.desk import POINT, Desk, Place
from pacetomo.scope.protocol import Level
from pacetomo.selection.bench import Bench
from pacetomo.selection.draft import Draft
from pacetomo.selection.dragging import Dragging
from pacetomo.selection.person import Person, Verdict


def group_of(desk: Desk) -> tuple[Place, ...]:
    """Points of the group to which the selected item belongs, the selected one first; empty without a group."""
    if not desk.places():
        return ()
    try:
        selected = desk.selected()
    except ScopeError:
        # Nothing is selected: that is no group.
        return ()
    items = read_navigator(desk.save_navigator()).items
    group = items[selected.place - 1].group
    members = [desk.place(n) for n, item in enumerate(items, 1) if group and item.group == group]
    points = [member for member in members if member.kind == POINT]
    return tuple(sorted(points, key=lambda point: point.place != selected.place))


def take_group(
    bench: Bench, person: Person, draft: Draft, dragging: Dragging, group: tuple[Place, ...], by_hand: bool
) -> None:
    """Choose the points of a group, the selected one as the tracking target.

    The stage goes to the first one, by its map if it was drawn on one. By hand each is centred in Preview; else they
    are taken where they are, relative to the first.

    Raises
    ------
    TargetFileError
        When no point but the first is within the limit of image shift.
    """
    desk = bench.desk
    first = group[0]
    steps = [bench.shift_of_stage(point.stage_um.minus(first.stage_um)) for point in group[1:]]
    near = [step for step in steps if step.length <= bench.limit_um]
    for point, step in zip(group[1:], steps):
        if step not in near:
            desk.tell(
                f"Warning: point {point.label} is {step.length:.1f} µm from point {first.label}, beyond the limit of "
                f"{bench.limit_um:g} µm (imageShiftLimit): it is left out",
                Level.WARNING,
            )
    if steps and not near:
        raise TargetFileError(
            f"all points of the group are more than {bench.limit_um:g} µm (imageShiftLimit) from point {first.label}"
        )
    go_to(bench, first)
    if by_hand:
        if not dragging.tracking_target():
            return
    elif dragging.preview(desk.shift_um(), by_hand=False) is Verdict.ACCEPT:
        dragging.view_reference()
    else:
        return
    dragging.previews(near, by_hand)


def go_to(bench: Bench, place: Place) -> None:
    """Bring a Navigator item into the centre: by the map on which it was drawn, else by the stage alone."""
    desk = bench.desk
    drawn = read_navigator(desk.save_navigator()).items[place.place - 1].drawn_on
    desk.move_stage_to((*place.stage_um, desk.stage_um()[2]))
    bench.go(ORIGIN)
    if drawn:
        desk.realign_to(place.place)
