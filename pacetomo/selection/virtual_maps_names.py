"""Names of the files of an area whose targets are cut out of a map."""

from __future__ import annotations

from pacetomo.area_files import AreaFiles
from pacetomo.desk_script import CancelledError
from pacetomo.files.navigator import NavItem
from pacetomo.scope.desk import Desk
from pacetomo.selection.draft import target_file_of
from pacetomo.selection.names import free_name, trouble_with_name

MOST_NAMES = 3
"""Names asked for before giving up."""


def new_area(desk: Desk, map_below: NavItem, prefix: str, asks: bool) -> AreaFiles:
    """Names of the files of the new area, of which none is there yet."""
    name = free_name(desk.folder(), prefix or map_below.label)
    if not asks or prefix:
        return target_file_of(desk.folder(), name)
    for _ in range(MOST_NAMES):
        answer = desk.enter_text(
            f"Name of the area (beginning of all its files, without blanks); empty for {name}"
        )
        if answer is None:
            raise CancelledError("No name was given: nothing is written")
        trouble = trouble_with_name(desk.folder(), answer or name)
        if trouble is None:
            return target_file_of(desk.folder(), answer or name)
        desk.show(trouble)
    raise CancelledError(f"{MOST_NAMES} names could not be used: nothing is written")
