"""Maps that the Navigator files of a folder have, to choose one from."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from pacetomo.editor.maps import MapItem
from pacetomo.editor.model import EditError
from pacetomo.errors import PaceError
from pacetomo.files.navigator import NavFile, NavItem, read_navigator
from pacetomo.files.navigator_maps import find_map_file


class MapChoice(NamedTuple):
    """A map of a Navigator file: its label, its note, and where it is from."""

    navigator: Path
    place: int
    label: str
    note: str


def choices_in(folder: Path) -> list[MapChoice]:
    """Maps of all Navigator files of a folder; a file that cannot be read has none.

    Raises
    ------
    EditError
        When there is no Navigator file, or none of them has a map.
    """
    files = sorted(folder.glob("*.nav"))
    if not files:
        raise EditError(
            f"there is no Navigator file (.nav) in {folder}: give the path of one, or copy it there with its maps"
        )
    found: list[MapChoice] = []
    problems: list[str] = []
    for path in files:
        try:
            found += choices_of(path)
        except PaceError as err:
            problems.append(str(err))
    if not found:
        raise EditError("; ".join(problems) or f"no Navigator file in {folder} has a map")
    return found


def choices_of(path: Path) -> list[MapChoice]:
    """Maps of a Navigator file; PaceError when it cannot be read."""
    items = read_navigator(path).items
    return [
        MapChoice(path, place, item.label, item.note)
        for place, item in enumerate(items)
        if item.text("Type") == "2" and item.is_map
    ]


def item_of(choice: MapChoice) -> MapItem:
    """What the Navigator says of a map.

    Raises
    ------
    PaceError
        When the file has changed, the map's image is not there, or it does not say where it lies.
    """
    navigator = read_navigator(choice.navigator)
    items = navigator.items
    if choice.place >= len(items) or items[choice.place].label != choice.label:
        raise EditError(f"{choice.navigator.name} has changed: choose the map once more")
    return map_item(navigator, choice.navigator.parent, items[choice.place])


def map_item(navigator: NavFile, folder: Path, item: NavItem) -> MapItem:
    """What a Navigator table says of a map, the image of which is looked for in a folder too.

    Raises
    ------
    PaceError
        When the image is not there, or the item does not say where it lies.
    """
    data = item.map_data
    return MapItem(
        item.label,
        find_map_file(navigator, folder, item),
        data.section,
        data.is_montage,
        item.stage_um,
        data.stage_to_pixel,
        data.size,
        data.tilt_deg,
    )
