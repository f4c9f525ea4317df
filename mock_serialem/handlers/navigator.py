"""Reading the Navigator."""

from __future__ import annotations

from mock_serialem.commands import command
from mock_serialem.errors import CommandError
from mock_serialem.files.nav_file import MAP, POINT
from mock_serialem.handlers.files import path_report
from mock_serialem.session import Session

Item = tuple[float, float, float, float, float]


def report(session: Session, place: int) -> Item:
    """Index, stage position and type of an item, which also go to variables."""
    navigator, variables = session.navigator, session.variables
    item = navigator.items[place]
    digits = "".join(char for char in item.label if char.isdigit())
    variables.report("navIndex", float(place + 1))
    variables.report("navLabel", item.label)
    variables.report("navNote", item.note)
    variables.report("navColor", float(item.integer("Color")))
    variables.report("navRegis", float(item.integer("Regis", 1)))
    variables.report("navIntLabel", float(digits or 0))
    variables.report("navNumHoles", 0.0)
    if navigator.acquiring >= 0:
        variables.report("navAcqIndex", float(navigator.acquired))
    return (float(place + 1), *item.stage_um, float(item.kind))


@command("ReportIfNavOpen")
def report_if_open(session: Session) -> float:
    """0 closed, 1 open, 2 open with a file."""
    navigator = session.navigator
    return 0.0 if not navigator.is_open else 2.0 if navigator.path is not None else 1.0


@command("ReportNumTableItems")
def report_number(session: Session) -> float:
    """Number of items."""
    session.navigator.require_open()
    return float(len(session.navigator.items))


@command("ReportNavFile")
def report_nav_file(session: Session, parts: int = 0) -> str | tuple[str, ...]:
    """Path of the Navigator file."""
    session.navigator.require_open()
    if session.navigator.path is None:
        raise CommandError("There is no Navigator file")
    return path_report(str(session.navigator.path), parts)


@command("ReportNavItem")
def report_nav_item(session: Session) -> Item:
    """Current item, or the one being acquired."""
    return report(session, session.navigator.index(0))


@command("ReportOtherItem")
def report_other_item(session: Session, index: int) -> Item:
    """Any item."""
    return report(session, session.navigator.index(index, zero_is_current=False))


@command("ReportNextNavAcqItem")
def report_next_item(session: Session) -> Item | tuple[float, float]:
    """The next item to acquire, or -1, 0."""
    navigator = session.navigator
    if navigator.acquiring < 0:
        raise CommandError("The Navigator is not acquiring")
    for place in range(navigator.acquiring + 1, len(navigator.items)):
        if navigator.items[place].acquire:
            return report(session, place)
    return -1.0, 0.0


def _find(session: Session, attribute: str, text: str) -> float:
    session.navigator.require_open()
    for number, item in enumerate(session.navigator.items, start=1):
        if getattr(item, attribute).lower() == text.lower():
            return float(number)
    return 0.0


@command("NavIndexWithLabel")
def index_with_label(session: Session, text: str) -> float:
    """First item with this label, or 0."""
    return _find(session, "label", text)


@command("NavIndexWithNote")
def index_with_note(session: Session, text: str) -> float:
    """First item with this note, or 0."""
    return _find(session, "note", text)


@command("FindItemWithLabelOrNote")
def find_item(
    session: Session, which: int, text: str, x: float | None = None, y: float | None = None
) -> tuple[float, float, float]:
    """Index and position of the item with a label (0) or note (1), the nearest one if a position is given."""
    session.navigator.require_open()
    best: tuple[float, float, float, float] | None = None
    for number, item in enumerate(session.navigator.items, start=1):
        if (item.note if which else item.label).lower() != text.lower():
            continue
        px, py, _ = item.stage_um
        distance = 0.0 if x is None or y is None else (px - x) ** 2 + (py - y) ** 2
        if best is None or distance < best[0]:
            best = (distance, float(number), px, py)
    return best[1:] if best else (0.0, 0.0, 0.0)


@command("NavIndexItemDrawnOn")
def index_drawn_on(session: Session, index: int) -> float:
    """Map an item was drawn on, or 0."""
    item = session.navigator.item(index)
    return float(session.navigator.with_id(item.integer("DrawnID")) + 1)


@command("GetMapIndexes")
def get_map_indexes(session: Session, variable: str) -> None:
    """Indices of all maps in a variable."""
    session.navigator.require_open()
    places = (n for n, item in enumerate(session.navigator.items, start=1) if item.kind == MAP)
    session.variables.set(variable, "".join(f"{place}\n" for place in places))


@command("GetItemPointArray")
def get_points(session: Session, index: int, x: str, y: str) -> None:
    """Points of an item in two variables."""
    points = session.navigator.item(index).points_um
    session.variables.set(x, "\n".join(f"{px:.6g}" for px, _ in points))
    session.variables.set(y, "\n".join(f"{py:.6g}" for _, py in points))


@command("GetNavGroupStageCoords")
def get_group_coords(session: Session, group: int, x: str, y: str, z: str = "") -> float:
    """Points of a group in variables; their number."""
    session.navigator.require_open()
    if group <= 0:
        raise CommandError(f"{group} is not a group ID")
    found = [
        item.stage_um
        for item in session.navigator.items
        if item.integer("GroupID") == group and item.kind == POINT
    ]
    if found:
        for place, name in enumerate((x, y, z)):
            if name:
                session.variables.set(name, "\n".join(f"{point[place]:.6g}" for point in found))
    return float(len(found))


@command("ReportGroupStatus")
def report_group(session: Session) -> tuple[float, float, float, float]:
    """Status, group ID, number in the group, number still to acquire."""
    navigator = session.navigator
    navigator.require_open()
    if navigator.acquiring < 0:
        return -1.0, 0.0, 0.0, 0.0
    group = navigator.items[navigator.acquiring].integer("GroupID")
    if not group:
        return 0.0, 0.0, 0.0, 0.0
    members = [n for n, item in enumerate(navigator.items) if item.integer("GroupID") == group]
    left = [n for n in members if navigator.items[n].acquire]
    first = navigator.acquiring == members[0]
    return (1.0 if first else 2.0), float(group), float(len(members)), float(len(left))


@command("ReportItemAcquire")
def report_acquire(session: Session, index: int = 0) -> float:
    """Whether an item is marked."""
    return float(session.navigator.item(index).acquire)


@command("ReportTiltSeriesAtItem")
def report_tilt_series(session: Session, index: int) -> tuple[float, float]:
    """Whether an item is marked for a tilt series."""
    return float(session.navigator.item(index).integer("TSparamIndex", -1) >= 0), 0.0


@command("ReportNumNavAcquire")
def report_number_acquire(session: Session) -> tuple[float, float]:
    """Items marked to acquire and for tilt series, -1 if the Navigator is closed."""
    navigator = session.navigator
    if not navigator.is_open:
        return -1.0, -1.0
    series = sum(item.integer("TSparamIndex", -1) >= 0 for item in navigator.items)
    return float(sum(item.acquire for item in navigator.items)), float(series)


@command("NavItemFileToOpen")
def file_to_open(session: Session, index: int) -> tuple[str, float]:
    """File to open at an item, and whether there is one."""
    name = session.navigator.item(index).entries.get("FileToOpen", "")
    return name or "0", float(bool(name))


@command("ReportItemUserValue")
def report_user_value(session: Session, index: int, number: int) -> str:
    """User value 1 to 8, ``none`` if not set."""
    return session.navigator.item(index).entries.get(f"UserValue{_user_number(number)}", "none")


def _user_number(number: int) -> int:
    if not 1 <= number <= 8:
        raise CommandError("User values are numbered from 1 to 8")
    return number


@command("SetNavItemUserValue")
def set_user_value(session: Session, index: int, number: int, text: str = "") -> None:
    """Set or clear a user value."""
    session.navigator.item(index).set(f"UserValue{_user_number(number)}", text or None)


@command("ReportIfNavAcquiring")
def report_if_acquiring(session: Session) -> tuple[float, float]:
    """Whether acquiring, and the state."""
    navigator = session.navigator
    return float(navigator.acquiring >= 0), float(navigator.acquire_state)


@command("GetUniqueNavID")
def unique_id(session: Session) -> float:
    """A new ID."""
    return float(session.navigator.unique_id())


@command("GetRealignToItemError")
def realign_error(session: Session) -> tuple[float, float, float, float]:
    """Stage and local error (µm) of the last realign."""
    return session.realign_error
