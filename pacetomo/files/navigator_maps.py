"""Maps of a Navigator file: where their images are now, and where their pixels lie on the stage.

A map places pixels by its matrix, pixel x = m00 dX + m01 dY + W / 2 and pixel y = m10 dX + m11 dY + H / 2, where
(dX, dY) is stage minus the map's position and pixel Y runs down from the top row. Items that other programs placed
by pixels count from the lower left corner instead.
"""

from __future__ import annotations

import ntpath
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePath, PureWindowsPath

from pacetomo.errors import NavigatorError, PaceError
from pacetomo.files.navigator import PIXEL_KEYS, ItemKind, NavFile, NavItem
from pacetomo.frames import XY

PieceCorner = Callable[[NavItem, int], XY]
"""Lower left corner (pixels of the unbinned montage, Y up) of a piece, by map and number of the piece."""


def pixel_of_stage(drawn_on: NavItem, stage_um: XY) -> XY:
    """Return the pixel of a map (Y down, the corner of the top left pixel is the origin) at a stage position."""
    data = drawn_on.map_data
    offset = data.stage_to_pixel.apply(stage_um.minus(drawn_on.stage_um))
    return offset.plus(XY(0.5 * data.size[0], 0.5 * data.size[1]))


def stage_of_pixel(drawn_on: NavItem, pixel: XY) -> XY:
    """Return the stage position (µm) of a pixel of a map, Y down; NavigatorError without a usable matrix."""
    data = drawn_on.map_data
    offset = pixel.minus(XY(0.5 * data.size[0], 0.5 * data.size[1]))
    try:
        inverse = data.stage_to_pixel.inverse()
    except PaceError as err:
        raise NavigatorError(f"{drawn_on.place}: MapScaleMat leads nowhere: {err}") from err
    return inverse.apply(offset).plus(drawn_on.stage_um)


def map_below(navigator: NavFile, item: NavItem) -> NavItem | None:
    """Return the map that an item was drawn on; None if it has none or that is not there."""
    found = navigator.by_id(item.drawn_on) if item.drawn_on else None
    return found if found is not None and found.is_map else None


def placed(navigator: NavFile, piece_corner: PieceCorner | None = None) -> NavFile:
    """Return the file with stage positions for the items that were placed by the pixels of a map.

    Parameters
    ----------
    navigator : NavFile
        The file; others of its items stay as they are.
    piece_corner : callable, optional
        Tells where a piece of a montage lies, for items placed in a piece.

    Raises
    ------
    NavigatorError
        If the map is not there, or a key has not three numbers.
    """
    for place, item in enumerate(navigator.items):
        if not item.has_stage:
            navigator = navigator.with_item(place, _placed(navigator, item, piece_corner))
    return navigator


def _placed(navigator: NavFile, item: NavItem, piece_corner: PieceCorner | None) -> NavItem:
    key = next(name for name in PIXEL_KEYS if item.text(name) is not None)
    drawn_on = map_below(navigator, item)
    if drawn_on is None:
        raise NavigatorError(
            f"{item.place}: {key} counts pixels of the map with the ID {item.drawn_on}, which is not there; "
            "merge the file with the one that holds the map"
        )
    x, y, z_um = item.need_floats(key, 3)
    corner, scale = XY(0.0, 0.0), 1.0
    if key == "CoordsInPiece":
        if item.piece_on is None or piece_corner is None:
            raise NavigatorError(
                f"{item.place}: {key} cannot be used, the position of the piece is not known"
            )
        corner = piece_corner(drawn_on, item.piece_on)
    if key != "CoordsInMap":
        data = drawn_on.map_data
        scale = data.montage_binning / data.binning if data.montage_binning > 0 else 1.0
    height = drawn_on.map_data.size[1]

    def stage_um(pixel: XY) -> XY:
        on_map = pixel.plus(corner).scaled(scale)
        return stage_of_pixel(drawn_on, XY(on_map.x, height - on_map.y))

    centre = stage_um(XY(x, y))
    points = [centre] if item.item_kind is ItemKind.POINT else list(map(stage_um, item.points_um))
    # In the place of the key it replaces nothing else moves.
    entries = tuple(("StageXYZ", "") if name == key else (name, text) for name, text in item.entries)
    return replace(item, entries=entries).with_value("StageXYZ", (*centre, z_um)).with_points(points)


def find_map_file(navigator: NavFile, folder: Path, drawn_on: NavItem) -> Path:
    """Return the image file of a map, also where the folder was moved or copied to another computer.

    Looked for in this order: the path as it stands; relative to the folder of the Navigator file; where the file
    lies relative to the folder in which the Navigator was last saved, beside the Navigator file; by its bare name
    there.

    Parameters
    ----------
    navigator : NavFile
        The Navigator file.
    folder : Path
        Folder that it lies in.
    drawn_on : NavItem
        The map.

    Raises
    ------
    NavigatorError
        If the file is at none of these places; it names them.
    """
    named = drawn_on.map_data.file
    candidates = _candidates(named, navigator.saved_as, folder)
    for path in candidates:
        if path.is_file():
            return path
    places = ", ".join(str(path) for path in candidates)
    raise NavigatorError(
        f"map {drawn_on.label}: its image {named} is not there (looked for {places}); "
        "copy it beside the Navigator file"
    )


def _candidates(named: str, saved_as: str | None, folder: Path) -> list[Path]:
    windows = PureWindowsPath(named)
    parts = windows.parts[1:] if windows.anchor else windows.parts
    found = [Path(named) if PurePath(named).is_absolute() else folder.joinpath(*parts)]
    if saved_as is not None and windows.anchor:
        last_folder = PureWindowsPath(saved_as).parent
        if last_folder.anchor.lower() == windows.anchor.lower():
            relative = ntpath.relpath(str(windows), str(last_folder))
            found.append(folder.joinpath(*PureWindowsPath(relative).parts))
    found.append(folder / windows.name)
    return list(dict.fromkeys(found))
