"""Going to Navigator items, loading maps, positions in images, Acquire at Items."""

from __future__ import annotations

from mock_serialem import maps, montage, realign, shifts
from mock_serialem.areas import go_to_area
from mock_serialem.commands import command
from mock_serialem.errors import CommandError
from mock_serialem.files.nav_file import POINT
from mock_serialem.image import Image
from mock_serialem.session import Session


@command("MoveToNavItem")
def move_to_item(session: Session, index: int = 0) -> None:
    """Move the stage to an item; image shift is not touched."""
    shifts.move_stage_to(session, *session.navigator.item(index).stage_um)


@command("LoadOtherMap")
def load_other_map(session: Session, index: int, buffer: str = "") -> None:
    """Load a map's image."""
    item = session.navigator.item(index, zero_is_current=False)
    _load(session, maps.load_map(session, item), buffer)


@command("LoadNavMap")
def load_map(session: Session, buffer: str = "") -> None:
    """Load the current item's image."""
    _load(session, maps.load_map(session, session.navigator.item(0)), buffer)


def _load(session: Session, image: Image, buffer: str) -> None:
    buffers = session.buffers
    name = buffers.letter(buffer) if buffer else buffers.read_letter
    buffers.put(name, image)
    buffers.current = name


def _realign(session: Session, index: int, restore: int, threshold: float, resets: int, zero: float) -> None:
    item = session.navigator.item(index)
    if resets == 0 and zero == 1.0:
        shifts.move_stage_to(session, *item.stage_um)
        return
    area = session.low_dose.area
    realign.realign(session, item, threshold, resets)
    if zero == 1.0:
        shifts.reset_image_shift(session)
    if restore and session.low_dose.on and area:
        go_to_area(session, area)


@command("RealignToNavItem")
def realign_to_item(
    session: Session,
    restore: int,
    continuous: int = 0,
    threshold: float = -1.0,
    resets: int = -1,
    zero: int = -1,
) -> None:
    """Realign to the current item."""
    _realign(session, 0, restore, threshold, resets, zero)


@command("RealignToOtherItem")
def realign_to_other(
    session: Session,
    index: int,
    restore: int,
    continuous: int = 0,
    threshold: float = -1.0,
    resets: int = -1,
    zero: float = -1.0,
) -> None:
    """Realign to an item."""
    _realign(session, index, restore, threshold, resets, zero)


@command("RealignToMapDrawnOn")
def realign_to_map(session: Session, index: int, restore: int) -> None:
    """Realign to the map an item was drawn on."""
    navigator = session.navigator
    place = navigator.with_id(navigator.item(index).integer("DrawnID"))
    if place < 0:
        raise CommandError("The item was not drawn on a map")
    _realign(session, place + 1, restore, -1.0, -1, -1.0)


# --- positions in images


def _coordinates(session: Session, buffer: str, adjust: int) -> tuple[Image, shifts.Matrix, shifts.Pair]:
    session.navigator.require_open()
    image = session.buffers.get(buffer)
    matrix, offset = maps.stage_to_image(session, image, adjust=not adjust)
    return image, matrix, offset


@command("StageToBufImageMatrix")
def stage_to_image_matrix(session: Session, buffer: str, adjust: int) -> tuple[float, ...]:
    """Stage to pixels (Y down): matrix and offset."""
    _, m, offset = _coordinates(session, buffer, adjust)
    return (*(float(value) for value in m.ravel()), *offset)


@command("BufImageToStageMatrix")
def image_to_stage_matrix(session: Session, buffer: str, adjust: int) -> tuple[float, ...]:
    """Pixels (Y down) to stage: matrix and offset."""
    _, m, offset = _coordinates(session, buffer, adjust)
    back = shifts.inverse(m)
    x, y = shifts.times(back, offset)
    return (*(float(value) for value in back.ravel()), -x, -y)


@command("StagePosToBufImagePos")
def stage_to_image(session: Session, buffer: str, adjust: int, x: float, y: float) -> tuple[float, float]:
    """Pixel (Y down) of a stage position."""
    _, m, offset = _coordinates(session, buffer, adjust)
    px, py = shifts.times(m, (x, y))
    return px + offset[0], py + offset[1]


@command("BufImagePosToStagePos")
def image_to_stage(session: Session, buffer: str, adjust: int, x: float, y: float) -> tuple[float, ...]:
    """Stage position of a pixel (Y down), its piece (-1 for a single image), and the pixel in that piece."""
    image, m, offset = _coordinates(session, buffer, adjust)
    stage = shifts.times(shifts.inverse(m), (x - offset[0], y - offset[1]))
    piece, px, py = montage.piece_at(image, (x, y))
    return (*stage, float(piece), px, py)


@command("ReportItemImageCoords")
def item_image_coords(session: Session, index: int = 0, buffer: str = "A") -> tuple[float, float, float]:
    """Where an item lies in an image, and whether inside; -1 without coordinates."""
    item = session.navigator.item(index)
    image = session.buffers.get(buffer)
    try:
        x, y = maps.pixel_of_stage(session, image, item.stage_um[:2])
    except CommandError:
        return 0.0, 0.0, -1.0
    return x, y, float(0 <= x < image.size_px[0] and 0 <= y < image.size_px[1])


@command("GetNavGroupImageCoords")
def group_image_coords(session: Session, group: int, buffer: str, xs: str, ys: str) -> float:
    """Points of a group that lie in an image, in variables; their number, -1 without coordinates."""
    session.navigator.require_open()
    if group <= 0:
        raise CommandError(f"{group} is not a group ID")
    image = session.buffers.get(buffer)
    members = [i for i in session.navigator.items if i.integer("GroupID") == group and i.kind == POINT]
    try:
        points = [maps.pixel_of_stage(session, image, item.stage_um[:2]) for item in members]
    except CommandError:
        return -1.0
    inside = [(x, y) for x, y in points if 0 <= x < image.size_px[0] and 0 <= y < image.size_px[1]]
    if inside:
        session.variables.set(xs, "\n".join(f"{x:.6g}" for x, _ in inside))
        session.variables.set(ys, "\n".join(f"{y:.6g}" for _, y in inside))
    return float(len(inside))


@command("NavGoToMarker")
def go_to_marker(session: Session) -> None:
    """Move the stage to the marker point of A."""
    session.navigator.require_open()
    image = session.buffers.get("A")
    if image.marker_px is None:
        raise CommandError("There is no marker point in buffer A")
    x, y = maps.stage_of_pixel(session, image, image.marker_px)
    shifts.move_stage_to(session, x, y)


@command("ShiftItemsByAlignment")
def shift_items_by_alignment(session: Session) -> None:
    """Shift all items by the alignment shift of A."""
    session.navigator.require_open()
    image = session.buffers.get("A")
    point = (-image.shift_um[0], -image.shift_um[1])
    dx, dy = shifts.stage_for_specimen(session, point)
    for item in session.navigator.items:
        x, y, z = item.stage_um
        item.set_stage(x + dx, y + dy, z)


# --- Acquire at Items


@command("EndAcquireAtItems")
def end_acquire(session: Session, mode: int = 0) -> None:
    """Stop after this item."""
    if session.navigator.acquiring < 0:
        raise CommandError("The Navigator is not acquiring")
    session.navigator.end_after_item = True


@command("SkipAcquiringNavItem")
def skip_item(session: Session) -> None:
    """Leave this item out; it keeps its mark."""
    if session.navigator.acquiring < 0:
        raise CommandError("The Navigator is not acquiring")
    session.navigator.skip_item = True


@command("SkipMoveInNavAcquire")
def skip_move(session: Session, on: int = 1) -> None:
    """Do not move the stage to the next items."""
    session.navigator.skip_move = bool(on)


@command("SuspendNavRedraw")
def suspend_redraw(session: Session, on: int = 1) -> None:
    """Nothing is displayed."""


@command("ForceCenterRealign")
def force_center(session: Session) -> None:
    """Single images are always aligned as a whole."""
