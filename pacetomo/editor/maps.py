"""A Navigator map behind the targets: its pixels, where on the sample it lies, and what it tells of the stage."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pacetomo.editor.axis import axis_deg, mdoc_of
from pacetomo.editor.drawing import Polygon
from pacetomo.editor.model import Document
from pacetomo.editor.small import Piece, SmallImage, read_small, size_of
from pacetomo.editor.stage import is_plausible
from pacetomo.errors import MetadataError, PaceError, StackError
from pacetomo.files.extended_header import piece_coordinates
from pacetomo.files.stack import read_header, read_layout
from pacetomo.frames import XY, Matrix2

LONGEST_PX = 4096
"""Longest side of the image that is kept."""


@dataclass(frozen=True)
class MapItem:
    """What a Navigator item says of a map.

    Attributes
    ----------
    label : str
    path : Path
        The image file.
    section : int
        Section, or number of the montage, from 0.
    is_montage : bool
        Whether the sections are pieces of a montage.
    stage_um : XY
        Stage position of its centre.
    scale : Matrix2
        `MapScaleMat`: µm of stage from there to pixels of the map, Y down.
    size_px : tuple of (int, int)
        `MapWidthHeight`, to which `scale` belongs; the file may hold more pixels.
    tilt_deg : float
        Stage tilt at which it was taken.
    """

    label: str
    path: Path
    section: int
    is_montage: bool
    stage_um: XY
    scale: Matrix2
    size_px: tuple[int, int]
    tilt_deg: float = 0.0

    def __post_init__(self) -> None:
        if (
            min(self.size_px) <= 0
            or not math.isfinite(self.scale.determinant)
            or self.scale.determinant == 0.0
        ):
            raise MetadataError(
                f"map {self.label}: it does not say where its pixels lie (MapScaleMat, MapWidthHeight)"
            )


@dataclass(frozen=True)
class MapImage:
    """A map as it is shown, and where it lies."""

    item: MapItem
    image: SmallImage

    def stage_at(self, column: float, row: float) -> XY:
        """Stage position (µm) of a place in the shown image, counted in its pixels from the upper left corner."""
        (width, height), (full_width, full_height) = self.item.size_px, self.image.full_px
        x, up = self.image.file_pixel(column, row)
        from_centre = XY((x / full_width - 0.5) * width, (0.5 - up / full_height) * height)
        return self.item.stage_um.plus(self.item.scale.inverse().apply(from_centre))

    def corners_um(self, document: Document) -> Polygon:
        """Where the corners of the shown image lie in the plot (µm): upper left, upper right, lower right, lower left.

        Raises
        ------
        PaceError
            When it cannot be told where the map lies relative to the targets.
        """
        rows, columns = self.image.pixels.shape
        return tuple(
            place_on_plot(document, self.stage_at(column, row))
            for column, row in ((0, 0), (columns, 0), (columns, rows), (0, rows))
        )


def read_map(
    item: MapItem,
    progress: Callable[[float], None] = lambda share: None,
    is_wanted: Callable[[], bool] = lambda: True,
    longest_px: int = LONGEST_PX,
) -> MapImage | None:
    """Read a map for showing; parameters and errors as `pacetomo.editor.small.read_small`. For a worker thread.

    Raises
    ------
    MetadataError
        When a montage does not say where its pieces lie.
    """
    image = read_small(item.path, pieces_of(item), longest_px, progress, is_wanted)
    return None if image is None else MapImage(item, image)


def pieces_of(item: MapItem) -> list[Piece]:
    """Sections that make up a map.

    Raises
    ------
    StackError
        When there is no such section.
    MetadataError
        When a montage does not say where its pieces lie.
    """
    layout = read_layout(item.path)
    if not item.is_montage:
        if not 0 <= item.section < layout.sections:
            raise StackError(
                f"{item.path}: there is no section {item.section} for map {item.label}, the file has {layout.sections}"
            )
        return [Piece(item.section, 0, 0)]
    places = piece_coordinates(layout) or _pieces_in_mdoc(item.path)
    if places is None:
        raise MetadataError(
            f"{item.path}: where the pieces of montage {item.label} lie stands neither in the file nor in its .mdoc"
        )
    own = [Piece(n, x, y) for n, (x, y, z) in enumerate(places) if z == item.section and n < layout.sections]
    if not own:
        raise StackError(f"{item.path}: there is no montage {item.section} for map {item.label} in the file")
    left, low = min(piece.x for piece in own), min(piece.y for piece in own)
    return [piece._replace(x=piece.x - left, y=piece.y - low) for piece in own]


def _pieces_in_mdoc(path: Path) -> list[tuple[int, int, int]] | None:
    mdoc = mdoc_of(path)
    if mdoc is None:
        return None
    found = []
    for image in mdoc.images:
        place = image.get_floats("PieceCoordinates")
        if place is None or len(place) != 3:
            return None
        found.append((int(place[0]), int(place[1]), int(place[2])))
    return found


def place_on_plot(document: Document, stage_um: XY) -> XY:
    """Where a stage position lies in the plot (µm): relative to the tracking target, as seen at the tilt of picking.

    Raises
    ------
    PaceError
        When the tracking target has no stage position, or how the stage moves the sample is not known.
    """
    first, matrix = document.targets.tracking.stage_um, document.stage_to_specimen
    if first is None:
        raise PaceError(
            f"where the map lies is not known, because target {document.targets.tracking.number} has no stage "
            "coordinates (stageX, stageY)"
        )
    if matrix is None:
        raise PaceError(
            "where the map lies is not known, because neither the microscope nor the map's metadata tell how the stage "
            "moves the sample; keep the map's .mdoc file beside it, or open the target file at the microscope"
        )
    seen = matrix.apply(stage_um.minus(first))
    return XY(seen.x, seen.y * math.cos(math.radians(document.picked_at_deg)))


# --- how the stage moves the sample, as a map tells it


def stage_matrix(item: MapItem) -> Matrix2 | None:
    """Stage to specimen matrix from a map: its scale, the size of its pixels and the direction of the tilt axis in it.

    The camera sees x_specimen = x cos a + y sin a, y_specimen = -x sin a + y cos a of pixels (x right, y up) when the
    tilt axis lies at the angle a counter-clockwise from its X axis (`RotationAngle` of the metadata). Movements of the
    stage across the tilt axis are seen shortened by the cosine of the map's tilt, which is taken out.

    Returns
    -------
    Matrix2 or None
        None where neither metadata nor titles of the file tell the angle, or the pixels of file and map do not belong
        together.

    Raises
    ------
    StackError
        When the file cannot be read.
    """
    header = read_header(item.path)
    angle_deg = axis_deg(item.path, header)
    pixel_um = header.pixel_size_angstrom / 10_000
    if angle_deg is None or pixel_um <= 0:
        return None
    full_width = size_of(pieces_of(item), header)[0]
    a, shown_um = math.radians(angle_deg), pixel_um * full_width / item.size_px[0]
    to_specimen = Matrix2(
        shown_um * math.cos(a), -shown_um * math.sin(a), -shown_um * math.sin(a), -shown_um * math.cos(a)
    )
    across = 1 / math.cos(math.radians(item.tilt_deg))
    matrix = Matrix2(1.0, 0.0, 0.0, across).times(to_specimen.times(item.scale))
    return matrix if is_plausible(matrix) else None
