"""Names of the files of an area whose targets are cut out of a map."""

from __future__ import annotations

import re
from pathlib import Path

from pacetomo.area_files import AreaFiles
from pacetomo.desk_script import CancelledError
from pacetomo.files.navigator import NavItem
from pacetomo.scope.desk import Desk

MOST_NAMES = 3
"""Names asked for before giving up."""

_FORBIDDEN = re.compile(r'[<>:"/\\|?*\s\x00-\x1f]+')
_LONGEST_ROOT = 60


def new_area(desk: Desk, map_below: NavItem, prefix: str, asks: bool) -> AreaFiles:
    """Names of the files of the new area, of which none is there yet."""
    root = _FORBIDDEN.sub("_", prefix or map_below.label).strip("_.") or "montage"
    files = _first_free(desk.folder(), root[:_LONGEST_ROOT])
    if not asks or prefix:
        return files
    for _ in range(MOST_NAMES):
        answer = desk.enter_text(
            f"Name of the area (beginning of all its files, without blanks); empty for {files.root}"
        )
        if answer is None:
            raise CancelledError("No name was given: nothing is written")
        if not answer:
            return files
        trouble = _trouble_with(desk.folder(), answer)
        if trouble is None:
            return _files_of(desk.folder(), answer)
        desk.show(trouble)
    raise CancelledError(f"{MOST_NAMES} names could not be used: nothing is written")


def _trouble_with(folder: Path, name: str) -> str | None:
    if _FORBIDDEN.search(name) or not name.isprintable():
        return f"{name!r} has blanks or signs that file names cannot have: choose a plain name"
    if len(name) > _LONGEST_ROOT:
        return f"{name[:20]}... has more than {_LONGEST_ROOT} characters: choose a shorter name"
    return None if _is_free(folder, name) else f"there are files of {name} already: choose another name"


def _first_free(folder: Path, root: str) -> AreaFiles:
    """Names of an area `root`, or of root_2, root_3 ... where files of that are there already."""
    name, number = root, 1
    while not _is_free(folder, name):
        number += 1
        name = f"{root}_{number}"
    return _files_of(folder, name)


def _is_free(folder: Path, root: str) -> bool:
    taken = (f"{root}_tgt_".lower(), f"{root}_tgts".lower(), f"{root}_ts_".lower())
    return not any(path.name.lower().startswith(taken) for path in folder.iterdir())


def _files_of(folder: Path, root: str) -> AreaFiles:
    return AreaFiles(folder / f"{root}_tgts.txt")
