"""The image of a map, single or a montage: where its pieces lie, and windows of their pixels.

Everything comes from the image file, its mdoc and the Navigator file, so no microscope is needed. Coordinates in a
montage are pixels of its pieces, X right and Y up from the lower left corner of the whole, as SerialEM writes them.
Pixel k covers k to k + 1.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from pacetomo.errors import MetadataError, NavigatorError
from pacetomo.files.exchange import mdoc_of
from pacetomo.files.mdoc import Mdoc, MdocSection, read_mdoc
from pacetomo.files.navigator import NavItem
from pacetomo.files.stack import StackHeader, read_header, read_rows
from pacetomo.frames import XY, Matrix2

ALIGNED = ("AlignedPieceCoordsVS", "AlignedPieceCoords")
"""Keys for where a piece lies once SerialEM has aligned the overlaps; the better one first."""

_AXIS_TITLE = re.compile(r"Tilt axis angle = *(-?[0-9.]+)")


class Piece(NamedTuple):
    """One piece of a montage; a single image is a montage of one.

    Attributes
    ----------
    section : int
        In the image file.
    nominal : XY
        Lower left corner in the montage as it was planned; stage coordinates of items refer to it.
    placed : XY
        The same as the overlaps say.
    """

    section: int
    nominal: XY
    placed: XY


class Spot(NamedTuple):
    """A point on a piece: which one (place in `MapImage.pieces`), and where in it (pixels, Y up)."""

    piece: int
    local: XY


@dataclass(frozen=True)
class MapImage:
    """The image behind a map item.

    Attributes
    ----------
    item : NavItem
        The map.
    path : Path
        Its file, and `header` what that says.
    header : StackHeader
    mdoc : Mdoc or None
        Metadata beside the file.
    pieces : tuple of Piece
    size : tuple of int
        Columns and rows of the whole as planned.
    pixel_um : float
        Pixel of the pieces on the specimen.
    rotation_deg : float
        From the image's X axis counter-clockwise to the tilt axis.
    is_aligned : bool
        Whether SerialEM has aligned the overlaps.
    joined : tuple of frozenset of int or None
        Groups of pieces that are known to fit together; None where all do.
    """

    item: NavItem
    path: Path
    header: StackHeader
    mdoc: Mdoc | None
    pieces: tuple[Piece, ...]
    size: tuple[int, int]
    pixel_um: float
    rotation_deg: float
    is_aligned: bool
    joined: tuple[frozenset[int], ...] | None = None

    @property
    def is_by_stage(self) -> bool:
        """Whether the pieces were reached by moves of the stage, which misses by more than image shift does."""
        return len(self.pieces) > 1 and self.item.get_int("MontUseStage", 1) != 0

    def fits(self, first: int, second: int) -> bool:
        """Whether two pieces may be shown in one image."""
        return (
            first == second or self.joined is None or any({first, second} <= group for group in self.joined)
        )

    @property
    def scale(self) -> float:
        """Pixels of the pieces per pixel of the map that the item describes (its overview)."""
        data = self.item.map_data
        if data.is_montage and data.binning > 0 and data.montage_binning > 0:
            return data.binning / data.montage_binning
        return self.size[0] / data.size[0]

    @property
    def stage_to_pixel(self) -> Matrix2:
        """µm of stage to pixels of the pieces, Y up."""
        matrix, scale = self.item.map_data.stage_to_pixel, self.scale
        return Matrix2(matrix.xpx * scale, matrix.xpy * scale, -matrix.ypx * scale, -matrix.ypy * scale)

    @property
    def pixel_to_specimen(self) -> Matrix2:
        """Pixels of the pieces (Y up) to µm in the specimen frame, as seen at the tilt of the map."""
        return camera_to_specimen(self.pixel_um, self.rotation_deg)

    def nominal_of_stage(self, stage_um: XY) -> XY:
        """Place in the planned montage that an item's stage position stands for."""
        offset = self.stage_to_pixel.apply(stage_um.minus(self.item.stage_um))
        return offset.plus(XY(0.5 * self.size[0], 0.5 * self.size[1]))

    def spot_of(self, item: NavItem) -> Spot | None:
        """Where an item lies; None outside of all pieces.

        On the piece that it was drawn on, else on the one that it lies deepest inside of.
        """
        nominal = self.nominal_of_stage(item.stage_um)
        spots = [Spot(index, nominal.minus(piece.nominal)) for index, piece in enumerate(self.pieces)]
        drawn_on = self._numbered(item.piece_on)
        if drawn_on is not None and self._depth(spots[drawn_on]) >= 0.0:
            return spots[drawn_on]
        best = max(spots, key=self._depth)
        return best if self._depth(best) >= 0.0 else None

    def placed(self, spot: Spot) -> XY:
        """Where a spot lies in the montage as the overlaps say."""
        return self.pieces[spot.piece].placed.plus(spot.local)

    def pieces_near(self, place: XY, radius: float) -> list[int]:
        """Pieces that reach within a distance of a place of the montage."""
        found = []
        for index, piece in enumerate(self.pieces):
            x, y = place.minus(piece.placed)
            outside = max(-x, x - self.header.columns), max(-y, y - self.header.rows)
            if max(outside) < radius:
                found.append(index)
        return found

    def window(self, piece: int, columns: range, rows: range) -> NDArray[Any]:
        """Pixels of a part of a piece; row 0 is the lowest."""
        whole = read_rows(self.path, self.header, self.pieces[piece].section, rows)
        return whole[:, columns.start : columns.stop]

    def section(self, piece: int) -> MdocSection | None:
        """Metadata of a piece."""
        return None if self.mdoc is None else _section_of(self.mdoc, self.pieces[piece].section)

    def _depth(self, spot: Spot) -> float:
        """Distance to the nearest edge of the piece; negative outside of it."""
        x, y = spot.local
        return min(x, y, self.header.columns - x, self.header.rows - y)

    def _numbered(self, number: int | None) -> int | None:
        """Place of a piece by SerialEM's number, up the columns from the lower left; None if it is not there."""
        rows = self.item.map_data.frames[1]
        if number is None or rows < 1 or len(self.pieces) == 1:
            return None
        lefts = sorted({piece.nominal.x for piece in self.pieces})
        bottoms = sorted({piece.nominal.y for piece in self.pieces})
        column, row = divmod(number, rows)
        if column >= len(lefts) or row >= len(bottoms):
            return None
        corner = XY(lefts[column], bottoms[row])
        return next((index for index, piece in enumerate(self.pieces) if piece.nominal == corner), None)


def camera_to_specimen(pixel_um: float, rotation_deg: float) -> Matrix2:
    """Pixels of an image (Y up) to µm in the specimen frame.

    >>> camera_to_specimen(0.01, 90.0).apply(XY(0.0, 1.0)).x  # up the image is along the tilt axis
    0.01
    """
    angle = math.radians(rotation_deg)
    along, across = pixel_um * math.cos(angle), pixel_um * math.sin(angle)
    return Matrix2(along, across, -across, along)


def read_map_image(item: NavItem, path: Path) -> MapImage:
    """Read what a map's image file and its mdoc say; no pixels yet.

    Raises
    ------
    PaceError
        If a file is damaged, or nothing tells the pixel size, the rotation, or where the pieces lie.
    """
    data = item.map_data
    header = read_header(path)
    mdoc = read_mdoc(mdoc_of(path)) if mdoc_of(path).is_file() else None
    pieces, is_aligned = (
        _montage_pieces(path, mdoc, data.section) if data.is_montage else (_single(data.section), True)
    )
    last = max(piece.section for piece in pieces)
    if not 0 <= last < header.sections:
        raise NavigatorError(
            f"map {item.label}: section {last} is not in {path.name}, which ends with section {header.sections - 1}"
        )
    section = None if mdoc is None else _section_of(mdoc, pieces[0].section)
    return MapImage(
        item,
        path,
        header,
        mdoc,
        pieces,
        _whole_size(header, mdoc, pieces, data.section if data.is_montage else None),
        _pixel_um(path, header, section),
        _rotation_deg(path, header, section),
        is_aligned,
    )


def _section_of(mdoc: Mdoc, number: int) -> MdocSection | None:
    return next((each for each in mdoc.images if each.name == str(number)), None)


def _single(number: int) -> tuple[Piece, ...]:
    return (Piece(number, XY(0.0, 0.0), XY(0.0, 0.0)),)


def _montage_pieces(path: Path, mdoc: Mdoc | None, number: int) -> tuple[tuple[Piece, ...], bool]:
    """Pieces of a montage of the file, and whether their overlaps have been aligned."""
    if mdoc is None:
        raise MetadataError(f"{mdoc_of(path)} is not there; it says where the pieces of the montage lie")
    sections = [section for section in mdoc.images if section.need_floats("PieceCoordinates", 3)[2] == number]
    if not sections:
        raise MetadataError(f"{mdoc.name}: there are no pieces of montage {number}")
    key = next(
        (key for key in ALIGNED if all(section.text(key) is not None for section in sections)),
        "PieceCoordinates",
    )
    pieces = tuple(
        Piece(
            int(section.name),
            XY(*section.need_floats("PieceCoordinates", 3)[:2]),
            XY(*section.need_floats(key, 3)[:2]),
        )
        for section in sections
    )
    return pieces, key in ALIGNED


def _whole_size(
    header: StackHeader, mdoc: Mdoc | None, pieces: Sequence[Piece], montage: int | None
) -> tuple[int, int]:
    """Columns and rows of the planned montage; pieces may be missing, so its own section is asked first."""
    for section in () if mdoc is None or montage is None else mdoc.sections:
        if section.kind == "MontSection" and section.name == str(montage):
            size = section.get_floats("FullMontSize")
            if size is not None and len(size) == 2:
                return int(size[0]), int(size[1])
    columns = max(piece.nominal.x for piece in pieces) + header.columns
    rows = max(piece.nominal.y for piece in pieces) + header.rows
    return int(columns), int(rows)


def _pixel_um(path: Path, header: StackHeader, section: MdocSection | None) -> float:
    angstrom = None if section is None else section.get_float("PixelSpacing")
    angstrom = header.pixel_size_angstrom if angstrom is None else angstrom
    if not angstrom > 0:
        raise MetadataError(f"{path}: neither the file nor its mdoc tells the pixel size (PixelSpacing)")
    return angstrom * 1e-4


def _rotation_deg(path: Path, header: StackHeader, section: MdocSection | None) -> float:
    rotation = None if section is None else section.get_float("RotationAngle")
    if rotation is not None:
        return rotation
    for label in header.labels:
        found = _AXIS_TITLE.search(label)
        if found:
            return float(found.group(1)) + 90.0  # the title counts from the image's Y axis
    raise MetadataError(
        f"{path}: neither its mdoc (RotationAngle) nor a title (Tilt axis angle) tells how the image is rotated"
    )
