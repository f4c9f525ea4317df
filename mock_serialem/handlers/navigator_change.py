"""Making and changing Navigator items, and the table's files."""

from __future__ import annotations

from mock_serialem import maps
from mock_serialem.commands import command
from mock_serialem.errors import CommandError
from mock_serialem.files.autodoc import number, numbers
from mock_serialem.files.nav_file import NavItem
from mock_serialem.session import Session


@command("OpenNavigator")
def open_navigator(session: Session, name: str = "") -> None:
    """Open the Navigator, with a file if named."""
    navigator = session.navigator
    if navigator.is_open:
        if name:
            raise CommandError("The Navigator is already open")
        return
    if name:
        navigator.load(session.path(name))
    else:
        navigator.open_empty()


@command("ReadNavFile")
def read_nav_file(session: Session, name: str) -> None:
    """Read a file in place of the present table."""
    session.navigator.load(session.path(name))


@command("MergeNavFile")
def merge_nav_file(session: Session, name: str) -> None:
    """Add the items of a file."""
    session.navigator.require_open()
    session.navigator.load(session.path(name), merge=True)


@command("SaveNavigator")
def save_navigator(session: Session, name: str = "") -> None:
    """Save the table; without a known name the operator is asked."""
    navigator = session.navigator
    navigator.require_open()
    if name:
        navigator.save(session.path(name))
        return
    if navigator.path is None:
        answer = session.operator.answer("SaveNavigator", "name of the Navigator file")
        if isinstance(answer, str):
            navigator.save(session.path(answer))
            return
    navigator.save()


@command("CloseNavigator")
def close_navigator(session: Session) -> None:
    """Close the Navigator."""
    session.navigator.close()


@command("NewMap")
def new_map(session: Session, where: int | None = None, note: str = "") -> float:
    """Make a map of A; a text replaces (0), precedes (< 0) or follows (> 0) the standard note."""
    if where is not None and not note:
        raise CommandError("A text for the note is needed with a number that says where it goes")
    return float(maps.new_map(session, where or 0, note))


@command("AddStagePosAsNavPoint")
def add_stage_point(
    session: Session, x: float, y: float, z: float, group: int = 0, no_draw: int = 0
) -> float:
    """Add a point at a stage position."""
    session.navigator.require_open()
    index = session.navigator.add_point(x, y, z, group=max(0, group))
    if no_draw:
        session.navigator.items[index - 1].set("Draw", "0")
    return float(index)


@command("AddImagePosAsNavPoint")
def add_image_point(
    session: Session, buffer: str, x: float, y: float, z: float = -1000.0, group: int = 0, no_draw: int = 0
) -> float:
    """Add a point at a position in an image (pixels, Y down)."""
    session.navigator.require_open()
    image = session.buffers.get(buffer)
    stage_x, stage_y = maps.stage_of_pixel(session, image, (x, y))
    height = z if z >= -900.0 else (image.stage_um or (0.0, 0.0, 0.0))[2]
    index = session.navigator.add_point(stage_x, stage_y, height, group=max(0, group), drawn_on=image.map_id)
    if no_draw:
        session.navigator.items[index - 1].set("Draw", "0")
    return float(index)


def _array(session: Session, name: str) -> list[float]:
    try:
        return [float(word) for word in str(session.variables.get(name)).split()]
    except ValueError as err:
        raise CommandError(f"Variable {name} has elements that are not numbers") from err


@command("AddStagePointsAsPolygon")
def add_stage_polygon(session: Session, xs: str, ys: str, z: float, no_draw: int = 0) -> float:
    """Add a polygon from two arrays of stage coordinates."""
    session.navigator.require_open()
    return _add_polygon(session, list(zip(_array(session, xs), _array(session, ys))), z, no_draw)


@command("AddImagePointsAsPolygon")
def add_image_polygon(
    session: Session, buffer: str, xs: str, ys: str, z: float = -1000.0, no_draw: int = 0
) -> float:
    """Add a polygon from two arrays of image coordinates (pixels, Y down)."""
    session.navigator.require_open()
    image = session.buffers.get(buffer)
    points = [
        maps.stage_of_pixel(session, image, point) for point in zip(_array(session, xs), _array(session, ys))
    ]
    height = z if z >= -900.0 else (image.stage_um or (0.0, 0.0, 0.0))[2]
    return _add_polygon(session, points, height, no_draw, image.map_id)


def _add_polygon(
    session: Session, points: list[tuple[float, float]], z: float, no_draw: int, drawn_on: int = 0
) -> float:
    if len(points) < 3:
        raise CommandError("A polygon needs at least three points")
    index = session.navigator.add_polygon(points, z)
    if drawn_on:
        session.navigator.items[index - 1].set("DrawnID", str(drawn_on))
    if no_draw:
        session.navigator.items[index - 1].set("Draw", "0")
    return float(index)


@command("AdjustStagePosForNav")
def adjust_stage_pos(
    session: Session,
    x: float,
    y: float,
    is_x: float = 0.0,
    is_y: float = 0.0,
    camera: int = 0,
    mag_index: int = 0,
    tilt: float | None = None,
) -> tuple[float, float]:
    """Add the stage equivalent of an image shift to a stage position."""
    index = mag_index if mag_index > 0 else session.world.mag_index
    if not any(mag.index == index for mag in session.scope.magnifications):
        raise CommandError(f"There is no magnification with index {mag_index}")
    angle = session.world.tilt_readback_deg() if tilt is None else tilt
    dx, dy = maps.stage_of_image_shift(session, (is_x, is_y), index, angle)
    return x + dx, y + dy


def _numbered(session: Session, index: int) -> NavItem:
    """Item by its index from 1; commands that change an item take no other kind of index."""
    if index <= 0:
        raise CommandError(f"Navigator item index {index} is out of range")
    return session.navigator.item(index)


@command("ChangeItemColor")
def change_color(session: Session, index: int, color: int) -> None:
    """Colour 0 to 5."""
    if not 0 <= color <= 5:
        raise CommandError(f"{color} is not a colour of Navigator items")
    _numbered(session, index).set("Color", str(color))


@command("ChangeItemLabel")
def change_label(session: Session, index: int, label: str) -> None:
    """Label of at most 16 characters."""
    if len(label) > 16:
        raise CommandError("A label can have at most 16 characters")
    _numbered(session, index).label = label


@command("ChangeItemNote")
def change_note(session: Session, index: int, note: str = "") -> None:
    """Note; none clears it."""
    _numbered(session, index).set("Note", note or None)


@command("ChangeItemDraw")
def change_draw(session: Session, index: int, draw: int | None = None) -> None:
    """Draw or not; without a value toggle."""
    item = _numbered(session, index)
    on = not item.integer("Draw", 1) if draw is None else bool(draw)
    item.set("Draw", None if on else "0")


@command("ChangeItemGroupID")
def change_group(session: Session, index: int, group: int) -> None:
    """Group."""
    if group < 0:
        raise CommandError(f"{group} is not a group ID")
    _numbered(session, index).set("GroupID", str(group) if group else None)


@command("ChangeItemRegistration")
def change_registration(session: Session, index: int, registration: int) -> None:
    """Registration of an item."""
    if registration < 1:
        raise CommandError(f"{registration} is not a registration number")
    _numbered(session, index).set("Regis", str(registration))


@command("SetItemAcquire")
def set_acquire(session: Session, index: int = 0, on: int = 1) -> None:
    """Mark an item."""
    item = session.navigator.item(index)
    if on and item.integer("TSparamIndex", -1) >= 0:
        raise CommandError("The item is already set for a tilt series")
    if on and session.navigator.is_being_acquired(item):
        raise CommandError("An item in the range that is being acquired cannot be turned on")
    item.acquire = bool(on)


@command("SetItemTargetDefocus")
def set_item_defocus(session: Session, index: int, defocus: float) -> None:
    """Target defocus of an item (µm)."""
    if not -20.0 <= defocus <= 0.0:
        raise CommandError(f"A target defocus of {defocus:g} is out of range")
    session.navigator.item(index).set("TargetDefocus", number(defocus))


@command("SetItemSeriesAngles")
def set_series_angles(
    session: Session, index: int, start: float, end: float, bidir: float | None = None
) -> None:
    """Tilt range of an item."""
    item = session.navigator.item(index)
    item.set("TSstartEndAngles", numbers((start, end)))
    if bidir is not None:
        item.set("TSbidirAngle", number(bidir))


@command("DeleteNavigatorItem")
def delete_item(session: Session, index: int) -> None:
    """Remove an item."""
    navigator = session.navigator
    place = navigator.index(index)
    del navigator.items[place]
    if navigator.current >= place:
        navigator.current = max(navigator.current - 1, 0) if navigator.items else -1


@command("ShiftItemsByMicrons")
def shift_items(session: Session, dx: float, dy: float, registration: int = 0, extra: int = 0) -> None:
    """Shift all items of a registration (µm)."""
    session.navigator.require_open()
    if max(abs(dx), abs(dy)) > 100.0:
        raise CommandError("A shift of Navigator items can be at most 100 microns")
    for item in session.navigator.items:
        if registration > 0 and item.integer("Regis", 1) != registration:
            continue
        x, y, z = item.stage_um
        item.set_stage(x + dx, y + dy, z)


@command("UpdateItemZ")
def update_item_z(session: Session, index: int = 0) -> None:
    """Give an item the present stage Z."""
    item = session.navigator.item(index)
    x, y, _ = item.stage_um
    item.set_stage(x, y, session.world.stage_position_um()[2])


@command("UpdateGroupZ")
def update_group_z(session: Session, following: int = 0) -> None:
    """Give all items of the current item's group the present stage Z."""
    group = session.navigator.item(0).integer("GroupID")
    if not group:
        raise CommandError("The current item is not in a group")
    z = session.world.stage_position_um()[2]
    for item in session.navigator.items:
        if item.integer("GroupID") == group:
            x, y, _ = item.stage_um
            item.set_stage(x, y, z)


@command("SetSelectedNavItem")
def select_item(session: Session, index: int, no_redraw: int = 0) -> None:
    """Make an item current."""
    if session.navigator.acquiring >= 0:
        raise CommandError("The current item cannot be changed while acquiring")
    session.navigator.current = session.navigator.index(index)


@command("SetNavRegistration")
def set_registration(session: Session, registration: int) -> None:
    """Registration of the items made from now on."""
    session.navigator.require_open()
    if not 1 <= registration <= 99:
        raise CommandError(f"{registration} is not a registration number")
    session.navigator.registration = registration


@command("AddCirclePolygon")
def add_circle(session: Session, radius: float, x: float | None = None, y: float | None = None) -> None:
    """Add a circle around a point or the current stage position."""
    session.navigator.require_open()
    stage = session.world.stage_position_um()
    maps.add_circle(session, radius, stage[0] if x is None else x, stage[1] if y is None else y, stage[2])
