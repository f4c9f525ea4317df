"""The Navigator: the table of items, the current one, and the one being acquired."""

from __future__ import annotations

from pathlib import Path

from mock_serialem.errors import CommandError
from mock_serialem.files.autodoc import number, numbers
from mock_serialem.files.nav_file import (
    MAP,
    POINT,
    POLYGON,
    NavContents,
    NavFileError,
    NavItem,
    new_item,
    read_nav,
    write_nav,
)
from mock_serialem.files.nav_pixels import PieceFinder, convert_items

_FIRST_ID = 100001


def _no_piece(drawn_on: NavItem, number: int) -> tuple[float, float]:
    raise NavFileError(f"the pieces of map {drawn_on.label} are not known")


class Navigator:
    """Items and their state.

    Attributes
    ----------
    is_open : bool
    path : Path or None
        File of the table.
    contents : NavContents
    current : int
        Index of the selected item from 0, -1 for none.
    acquiring : int
        Index from 0 of the item in progress during Acquire at Items, -1 otherwise.
    acquire_state : int
        What ``ReportIfNavAcquiring`` reports: 0 none, 7 a script is running.
    registration : int
        Of new items.
    piece_finder : callable
        Finds a piece of a montage map, for items placed by their pixel in it.
    acquired : int
        Items started in this run (``navAcqIndex``).
    acquire_range : list of NavItem
        First and last item of this run.
    """

    def __init__(self, line_end: str) -> None:
        self.is_open = False
        self.path: Path | None = None
        self.contents = NavContents()
        self.current = -1
        self.acquiring = -1
        self.acquire_state = 0
        self.acquired = 0
        self.acquire_range: list[NavItem] = []
        self.end_after_item = False
        self.skip_move = False
        self.skip_item = False
        self.skip_z_move = False
        self.skipped_groups: set[int] = set()
        self.registration = 1
        self.piece_finder: PieceFinder = _no_piece
        self._line_end = line_end
        self._next_id = _FIRST_ID
        self._backed_up: set[Path] = set()

    @property
    def items(self) -> list[NavItem]:
        """The table."""
        return self.contents.items

    def open_empty(self) -> None:
        """Open the Navigator with an empty table."""
        self.is_open = True
        self.path = None
        self.contents = NavContents()
        self.current = -1

    def load(self, path: Path, merge: bool = False) -> None:
        """Read a file; with `merge` append the items that are not there yet.

        Raises
        ------
        CommandError
            The file cannot be read.
        """
        try:
            contents = read_nav(path)
            convert_items(contents.items, self.items if merge else [], self.piece_finder)
        except (OSError, NavFileError) as err:
            raise CommandError(f"Cannot read Navigator file {path}: {err}") from err
        if merge:
            known = {item.map_id for item in self.items}
            # Files of other programs may have items without an ID: those are never the same.
            self.items.extend(i for i in contents.items if not i.map_id or i.map_id not in known)
        else:
            self.contents = contents
            self.path = path
        self.is_open = True
        self.current = len(self.items) - 1
        self._next_id = max([self._next_id, *(item.map_id + 1 for item in self.items)])

    def save(self, path: Path | None = None) -> None:
        """Write the table.

        Raises
        ------
        CommandError
            No file name is known, or the file cannot be written.
        """
        self.require_open()
        target = path or self.path
        if target is None:
            raise CommandError("The Navigator table has no file name to save to")
        try:
            write_nav(target, self.contents, self._line_end, backup=target not in self._backed_up)
        except OSError as err:
            raise CommandError(f"Cannot write Navigator file {target}: {err}") from err
        self._backed_up.add(target)
        self.path = target

    def close(self) -> None:
        """Close the Navigator."""
        self.is_open = False
        self.contents = NavContents()
        self.path = None
        self.current = -1

    def require_open(self) -> None:
        """Raise CommandError when the Navigator is closed."""
        if not self.is_open:
            raise CommandError("The Navigator is not open")

    def unique_id(self) -> int:
        """Return an ID that no item and no group has."""
        self.require_open()
        self._next_id += 1
        return self._next_id

    def next_label(self) -> str:
        """Return the label that a new item gets: one more than the highest numeric one."""
        used = [int(item.label) for item in self.items if item.label.isdecimal()]
        return str(max(used, default=0) + 1)

    def add(self, item: NavItem) -> int:
        """Append an item with the present registration, make it current and return its index from 1."""
        item.set("Regis", str(self.registration))
        self.items.append(item)
        self.current = len(self.items) - 1
        return len(self.items)

    def add_point(
        self,
        x_um: float,
        y_um: float,
        z_um: float = 0.0,
        note: str = "",
        label: str | None = None,
        acquire: bool = False,
        group: int = 0,
        drawn_on: int = 0,
    ) -> int:
        """Add a point at a stage position (µm), opening the Navigator if it is closed; return its index from 1."""
        if not self.is_open:
            self.open_empty()
        item = new_item(
            label or self.next_label(), POINT, (x_um, y_um, z_um), [(x_um, y_um)], self.unique_id()
        )
        if note:
            item.set("Note", note)
        if group:
            item.set("GroupID", str(group))
        if drawn_on:
            item.set("DrawnID", str(drawn_on))
        item.acquire = acquire
        return self.add(item)

    def add_polygon(self, points: list[tuple[float, float]], z_um: float) -> int:
        """Add a polygon with the stage points (µm) as given; return its index from 1."""
        xs, ys = [x for x, _ in points], [y for _, y in points]
        center = (0.5 * (min(xs) + max(xs)), 0.5 * (min(ys) + max(ys)), z_um)
        return self.add(new_item(self.next_label(), POLYGON, center, points, self.unique_id()))

    def add_map(
        self, stage_um: tuple[float, float, float], corners: list[tuple[float, float]], keys: dict[str, str]
    ) -> int:
        """Add a map with its keys; return its index from 1."""
        item = new_item(self.next_label(), MAP, stage_um, corners, self.unique_id())
        for key, value in keys.items():
            item.set(key, value)
        return self.add(item)

    def begin_acquiring(self) -> list[NavItem]:
        """Return the items marked to be acquired, for a run that begins."""
        marked = [item for item in self.items if item.acquire]
        self.acquire_range = [marked[0], marked[-1]] if marked else []
        self.acquired, self.end_after_item, self.skip_move, self.skip_item = 0, False, False, False
        return marked

    def end_acquiring(self) -> None:
        """A run is over."""
        self.acquiring, self.acquire_state = -1, 0
        self.acquire_range = []
        self.skipped_groups.clear()

    def is_due(self, item: NavItem) -> bool:
        """Tell whether an item is still there, still marked, and not in a group whose rest is left out."""
        there = any(each is item for each in self.items)
        return there and item.acquire and item.integer("GroupID") not in self.skipped_groups

    def is_being_acquired(self, item: NavItem) -> bool:
        """Tell whether an item lies in the range of the table that is being acquired."""
        if self.acquiring < 0:
            return False
        ends = [
            place for place, each in enumerate(self.items) if any(each is end for end in self.acquire_range)
        ]
        place = next(n for n, each in enumerate(self.items) if each is item)
        return bool(ends) and min(ends) <= place <= max(ends)

    def index(self, given: int, zero_is_current: bool = True) -> int:
        """Turn a command's item index (from 1, negative from the end, 0 current) into one from 0.

        Raises
        ------
        CommandError
            The Navigator is closed, the index is out of range, or there is no current item.
        """
        self.require_open()
        if given == 0 and zero_is_current:
            place = self.acquiring if self.acquiring >= 0 else self.current
            if not 0 <= place < len(self.items):
                raise CommandError("There is no current Navigator item")
            return place
        place = given - 1 if given > 0 else len(self.items) + given
        if given == 0 or not 0 <= place < len(self.items):
            raise CommandError(f"Navigator item index {given} is out of range")
        return place

    def item(self, given: int, zero_is_current: bool = True) -> NavItem:
        """The item for a command's index; errors as in `index`."""
        return self.items[self.index(given, zero_is_current)]

    def with_id(self, map_id: int) -> int:
        """Index from 0 of the item with this ID, -1 if there is none."""
        for place, item in enumerate(self.items):
            if map_id and item.map_id == map_id:
                return place
        return -1


__all__ = ["MAP", "POINT", "POLYGON", "NavItem", "Navigator", "number", "numbers"]
