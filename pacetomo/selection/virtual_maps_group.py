"""Which points become targets, and which map they lie on."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pacetomo.errors import NavigatorError
from pacetomo.files.navigator import ItemKind, NavFile, NavItem
from pacetomo.files.navigator_maps import map_below, pixel_of_stage
from pacetomo.frames import XY

SAME_PLACE_UM = 0.001
_TARGET_FILE = re.compile(r".+_tgts(_p\d+)?\.txt", re.IGNORECASE)
_OF_TARGET = re.compile(r"_tgt_\d+(_view)?\.mrc$", re.IGNORECASE)


def group_of(navigator: NavFile, selected: NavItem) -> tuple[NavItem, ...]:
    """Points of the group of an item, in the order of the table; a point without a group is one by itself.

    Raises
    ------
    NavigatorError
        When the item is no point and belongs to no group of points.
    """
    if selected.group:
        points = [item for item in navigator.in_group(selected.group) if item.item_kind is ItemKind.POINT]
        if not points:
            raise NavigatorError(
                f"the group of Navigator item {selected.label} has no points: add points on the map and select one"
            )
        return tuple(points)
    if selected.item_kind is not ItemKind.POINT:
        raise NavigatorError(
            f"Navigator item {selected.label} is not a point: select a point of the group that was drawn on the map"
        )
    return (selected,)


def map_of(navigator: NavFile, group: Sequence[NavItem]) -> NavItem:
    """Map that a group was drawn on; for points that name none the smallest one on which all of them lie.

    Raises
    ------
    NavigatorError
        When there is none, or the points were drawn on different maps.
    """
    named = {point.drawn_on for point in group} - {0}
    found = {item.map_id: item for point in group if (item := map_below(navigator, point)) is not None}
    if len(found) > 1:
        labels = ", ".join(sorted(item.label for item in found.values()))
        raise NavigatorError(
            f"the group of point {group[0].label} was drawn on different maps ({labels}): give the points of "
            "each map a group of their own"
        )
    if found:
        return next(iter(found.values()))
    around = [
        item for item in navigator.items if _is_source(item) and all(_is_on(item, p.stage_um) for p in group)
    ]
    if not around:
        gone = f" (the map with the ID {min(named)} is no longer in the Navigator)" if named else ""
        raise NavigatorError(
            f"point {group[0].label} and its group lie on no map{gone}: draw the points on a map"
        )
    return min(around, key=_area_um2)


def already_made(navigator: NavFile, group: Sequence[NavItem]) -> str | None:
    """Target file that a map at one of these points names in its note; None if there is none."""
    for item in navigator.items:
        if item.is_map and _TARGET_FILE.fullmatch(item.note) and item.has_stage:
            if any(item.stage_um.minus(point.stage_um).length < SAME_PLACE_UM for point in group):
                return item.note
    return None


def _is_source(item: NavItem) -> bool:
    """Whether an item is a map to cut from: reference images of targets are none."""
    return item.is_map and item.has_stage and _OF_TARGET.search(item.text("MapFile") or "") is None


def _is_on(item: NavItem, stage_um: XY) -> bool:
    columns, rows = item.map_data.size
    pixel = pixel_of_stage(item, stage_um)
    return 0.0 <= pixel.x <= columns and 0.0 <= pixel.y <= rows


def _area_um2(item: NavItem) -> float:
    data = item.map_data
    return data.size[0] * data.size[1] / abs(data.stage_to_pixel.determinant)
