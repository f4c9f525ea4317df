"""Navigator files: the items of SerialEM's Navigator, read and written without losing anything.

A file keeps its form (autodoc or XML), order, line ends, unknown keys and parameter sections; what nobody changed
comes back byte by byte. Items are frozen: a change returns a new item, and `NavFile` a new file.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

from pacetomo.errors import NavigatorError
from pacetomo.files.atomic import PathLike, Wait, read_bytes, write_with_backup
from pacetomo.files.navigator_items import LONGEST_LABEL, ItemKind, MapData, NavItem, new_item
from pacetomo.files.navigator_text import NavSection, NavText, parse_text, render_text

__all__ = [
    "LONGEST_LABEL",
    "PIXEL_KEYS",
    "ItemKind",
    "MapData",
    "NavFile",
    "NavItem",
    "format_navigator",
    "new_item",
    "new_navigator",
    "parse_navigator",
    "read_navigator",
    "write_navigator",
]

PIXEL_KEYS = ("CoordsInMap", "CoordsInAliMont", "CoordsInAliMontVS", "CoordsInPiece")
"""Keys that place an item by the pixels of a map, in place of StageXYZ."""

_REQUIRED = ("Color", "Regis", "Type")
_LOWEST_ID = 100000
_ID_RANGE = 2**31 - 1 - _LOWEST_ID


@dataclass(frozen=True)
class NavFile:
    """A whole Navigator file.

    Attributes
    ----------
    parts : NavText
        Keys of the head and all sections; those of kind "Item" are `NavItem`.
    name : str
        Name of the file for people.
    """

    parts: NavText
    name: str = "Navigator"

    @property
    def items(self) -> tuple[NavItem, ...]:
        """The items in the order of the table."""
        return tuple(section for section in self.parts.sections if isinstance(section, NavItem))

    @property
    def saved_as(self) -> str | None:
        """Path under which SerialEM last saved the file, often one of another computer."""
        return self.parts.head.text("LastSavedAs")

    def by_id(self, map_id: int) -> NavItem | None:
        """Return the item of an ID; None if there is none."""
        return next((item for item in self.items if item.map_id == map_id), None)

    def in_group(self, group: int) -> tuple[NavItem, ...]:
        """Return the items of a group in the order of the table; none for group 0."""
        return tuple(item for item in self.items if group and item.group == group)

    def with_item(self, place: int, item: NavItem) -> NavFile:
        """Return the file with another item at a place of the table (from 0)."""
        old = self.items[place]
        sections = tuple(item if section is old else section for section in self.parts.sections)
        return replace(self, parts=self.parts._replace(sections=sections))

    def with_added(self, items: Iterable[NavItem]) -> NavFile:
        """Return the file with further items after those it has, each with an ID that no other has.

        An item brings its ID along where that is free.
        """
        made = list(self.items)
        taken = {item.map_id for item in made} | {item.group for item in made}
        added = []
        for item in items:
            if item.map_id <= 0 or item.map_id in taken:
                item = item.with_value("MapID", self.free_id(item.label, taken))
            taken.add(item.map_id)
            added.append(item)
        sections = self.parts.sections
        places = [index for index, section in enumerate(sections) if isinstance(section, NavItem)]
        place = places[-1] + 1 if places else 0
        return replace(
            self, parts=self.parts._replace(sections=(*sections[:place], *added, *sections[place:]))
        )

    def without(self, unwanted: Iterable[int]) -> NavFile:
        """Return the file without the items of these IDs."""
        ids = set(unwanted)
        sections = tuple(
            section
            for section in self.parts.sections
            if not (isinstance(section, NavItem) and section.map_id in ids)
        )
        return replace(self, parts=self.parts._replace(sections=sections))

    def free_id(self, wish: str = "", taken: Iterable[int] = ()) -> int:
        """Return an ID that neither an item nor a group has; the same for the same file and `wish`.

        Spread over all of SerialEM's range, so that items of two files can be merged.
        """
        used = {item.map_id for item in self.items} | {item.group for item in self.items} | set(taken)
        number = zlib.crc32(f"{len(used)} {self.name} {wish}".encode("utf-8", "surrogateescape"))
        while (found := _LOWEST_ID + number % _ID_RANGE) in used:
            number += 1
        return found

    def saved_at(self, path: str) -> NavFile:
        """Return the file with the path that it says it was last saved under."""
        return replace(self, parts=self.parts._replace(head=self.parts.head.with_value("LastSavedAs", path)))


def new_navigator(path: str, newline: str = "\r\n") -> NavFile:
    """Make a Navigator file without items, in autodoc form with SerialEM's line ends."""
    entries = (("AdocVersion", "2.00"), ("LastSavedAs", path))
    return NavFile(NavText(NavSection("", "", entries, place=path), (), "", False, newline), path)


def read_navigator(path: PathLike, wait: Wait | None = None) -> NavFile:
    """Read a Navigator file.

    Parameters
    ----------
    path : path-like
        The file.
    wait : callable, optional
        Waits for the given seconds when another program holds the file; without it that is an error at once.

    Raises
    ------
    NavigatorError
        With file, item and what is needed, if the file cannot be read or is none.
    """
    data = read_bytes(path, wait, NavigatorError)
    return parse_navigator(data.decode("utf-8", "surrogateescape"), str(path))


def parse_navigator(text: str, name: str = "Navigator") -> NavFile:
    """Return the Navigator file that a text holds; `name` stands for the file in messages.

    Raises
    ------
    NavigatorError
        As `read_navigator`.
    """
    parts = parse_text(text, name)
    sections = tuple(map(_as_item, parts.sections))
    return NavFile(parts._replace(sections=sections), name)


def format_navigator(navigator: NavFile) -> str:
    """Return a Navigator file as text; undecodable bytes stand in it as surrogates."""
    return render_text(navigator.parts)


def write_navigator(path: PathLike, navigator: NavFile, wait: Wait | None = None) -> PathLike | None:
    """Write a Navigator file; a different one of that name is kept as a backup, whose name is returned.

    Raises
    ------
    NavigatorError
        If the file cannot be written.
    """
    data = format_navigator(navigator).encode("utf-8", "surrogateescape")
    return write_with_backup(path, data, wait, NavigatorError)


def _as_item(section: NavSection) -> NavSection:
    if section.kind != "Item":
        return section
    item = NavItem(section.kind, section.name, section.entries, section.source, section.place)
    missing = [key for key in _REQUIRED if item.text(key) is None]
    if not item.has_stage and all(item.text(key) is None for key in PIXEL_KEYS):
        missing.append("StageXYZ")
    if missing:
        raise NavigatorError(f"{item.place}: there is no {missing[0]}; the file is damaged or cut short")
    return item
