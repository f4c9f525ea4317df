"""Navigator items that other programs placed by the pixels of a map, turned into stage positions.

Such an item has one of four keys with pixel X, pixel Y and stage Z in place of ``StageXYZ``, and the ID of its map.
Pixels are right-handed, counted from the lower left corner of the map, of the aligned montage, or of one piece.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from mock_serialem.files.autodoc import number, numbers
from mock_serialem.files.nav_file import MAP, NavFileError, NavItem

PIXEL_KEYS = ("CoordsInMap", "CoordsInAliMont", "CoordsInAliMontVS", "CoordsInPiece")

Pair = tuple[float, float]
PieceFinder = Callable[[NavItem, int], Pair]
"""Lower left corner (pixels of the whole montage, Y up) of a piece, by map and piece number."""


def convert_items(items: Iterable[NavItem], maps: Sequence[NavItem], piece: PieceFinder) -> None:
    """Give every item that is placed by pixels its stage coordinates, in place.

    Parameters
    ----------
    items : iterable of NavItem
        In file order.
    maps : sequence of NavItem
        Items already in the table; maps among `items` are found as well.
    piece : callable
        Tells where a piece lies.

    Raises
    ------
    NavFileError
        The map is missing or does not say how it was taken, or the key has not three numbers.
    """
    known = {item.map_id: item for item in maps if item.kind == MAP}
    for item in items:
        if item.kind == MAP:
            known[item.map_id] = item
        key = next((each for each in PIXEL_KEYS if each in item.entries), None)
        if key is not None and "StageXYZ" not in item.entries:
            _convert(item, key, known.get(item.integer("DrawnID")), piece)


def _convert(item: NavItem, key: str, drawn_on: NavItem | None, piece: PieceFinder) -> None:
    if drawn_on is None:
        raise NavFileError(f"item {item.label} has {key}, but its map {item.integer('DrawnID')} is not there")
    place = item.floats(key)
    if len(place) != 3:
        raise NavFileError(f"item {item.label}: {key} needs three numbers")
    corner: Pair = (0.0, 0.0)
    if key == "CoordsInPiece":
        number_on = item.integer("PieceOn", -1)
        if number_on < 0:
            raise NavFileError(f"item {item.label} has {key}, but no PieceOn")
        corner = piece(drawn_on, number_on)
    scale = 1.0 if key == "CoordsInMap" else _overview_scale(drawn_on)

    def stage(x: float, y: float) -> Pair:
        return stage_of_map_pixel(drawn_on, ((x + corner[0]) * scale, (y + corner[1]) * scale))

    x_um, y_um = stage(place[0], place[1])
    points = [stage(x, y) for x, y in item.points_um] if item.kind else [(x_um, y_um)]
    del item.entries[key]
    item.set("StageXYZ", f"{number(x_um)} {number(y_um)} {number(place[2])}")
    item.set("NumPts", str(len(points)))
    item.set("PtsX", numbers(x for x, _ in points))
    item.set("PtsY", numbers(y for _, y in points))


def _overview_scale(drawn_on: NavItem) -> float:
    """Pixels of the map's overview per pixel of its pieces."""
    pieces, overview = drawn_on.integer("MontBinning"), drawn_on.integer("MapBinning")
    return pieces / overview if pieces > 0 and overview > 0 else 1.0


def stage_of_map_pixel(drawn_on: NavItem, pixel: Pair) -> Pair:
    """Stage position (µm) of a pixel of a map, right-handed from its lower left corner.

    Raises
    ------
    NavFileError
        The map has no usable matrix or size.
    """
    matrix, size = drawn_on.floats("MapScaleMat"), drawn_on.floats("MapWidthHeight")
    if len(matrix) != 4 or len(size) != 2:
        raise NavFileError(f"map {drawn_on.label} has no matrix and size")
    square = np.reshape(matrix, (2, 2))
    if abs(np.linalg.det(square)) < 1e-12:
        raise NavFileError(f"map {drawn_on.label} has a matrix without inverse")
    # The matrix leads to pixels with Y down.
    offset = (pixel[0] - 0.5 * size[0], 0.5 * size[1] - pixel[1])
    dx, dy = np.linalg.solve(square, offset)
    x, y, _ = drawn_on.stage_um
    return x + float(dx), y + float(dy)
