"""A Navigator map behind the targets: its image, small enough to be shown, and where on the sample it lies.

Maps may be montages of gigabytes, so they are read in strips and averaged to the size shown on the way. Pieces of a
montage lie where their coordinates say, and are averaged where they overlap.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pacetomo.editor.drawing import Polygon
from pacetomo.editor.model import Document
from pacetomo.errors import MetadataError, PaceError, StackError
from pacetomo.files.extended_header import piece_coordinates
from pacetomo.files.mdoc import Mdoc, read_mdoc
from pacetomo.files.stack import StackHeader, read_header, read_layout
from pacetomo.frames import XY, Matrix2

Floats = NDArray[np.float32]

LONGEST_PX = 4096
"""Longest side of the image that is kept."""

STRIP_BYTES = 32_000_000
"""Bytes of the file that are in memory at a time."""

PERCENTILES = (1.0, 99.0)
"""Share (%) of pixels below black and up to white."""

_AXIS_LABEL = re.compile(r"Tilt axis angle = (-?[\d.]+)")


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


class Piece(NamedTuple):
    """A section of the file, and where its first pixel lies in the whole map (pixels of the file, Y up)."""

    section: int
    x: int
    y: int


@dataclass(frozen=True)
class MapImage:
    """A map as it is shown.

    Attributes
    ----------
    item : MapItem
    pixels : ndarray of float32, shape (rows, columns)
        Row 0 at the top, as displayed; nan where no piece of a montage lies.
    factor : int
        Pixels of the file, along each side, to one of these.
    full_px : tuple of (int, int)
        Columns and rows of the whole map in pixels of the file.
    """

    item: MapItem
    pixels: Floats
    factor: int
    full_px: tuple[int, int]

    def limits(self, percentiles: tuple[float, float] = PERCENTILES) -> tuple[float, float]:
        """Values to be shown black and white, by percentiles of a sample of the pixels."""
        step = max(1, int(math.sqrt(self.pixels.size / 1_000_000)))
        sample = self.pixels[::step, ::step]
        sample = sample[np.isfinite(sample)]
        if sample.size == 0:
            return 0.0, 1.0
        low, high = (float(value) for value in np.percentile(sample, percentiles))
        return (low, high) if high > low else (low, low + 1.0)

    def shades(self, low: float, high: float) -> NDArray[np.uint8]:
        """Pixels as grey values 0 to 255; 0 where there is nothing. `low` is shown black and `high` white."""
        scaled = np.nan_to_num((self.pixels - low) * np.float32(255.0 / (high - low)), nan=0.0)
        return np.asarray(np.clip(scaled, 0.0, 255.0), dtype=np.uint8)

    def stage_at(self, column: float, row: float) -> XY:
        """Stage position (µm) of a place in the shown image, counted in its pixels from the upper left corner."""
        return self.item.stage_um.plus(self._map_to_stage().apply(self._from_centre(column, row)))

    def _from_centre(self, column: float, row: float) -> XY:
        """Pixels of the map's own size, Y down, from its centre.

        Cells are counted from the lower left corner of the file, so that cells at the top may reach beyond the map.
        """
        (width, height), (full_width, full_height) = self.item.size_px, self.full_px
        up = (self.pixels.shape[0] - row) * self.factor
        return XY((column * self.factor / full_width - 0.5) * width, (0.5 - up / full_height) * height)

    def _map_to_stage(self) -> Matrix2:
        return self.item.scale.inverse()

    def corners_um(self, document: Document) -> Polygon:
        """Where the corners of the shown image lie in the plot (µm): upper left, upper right, lower right, lower left.

        Raises
        ------
        PaceError
            When it cannot be told where the map lies relative to the targets.
        """
        rows, columns = self.pixels.shape
        return tuple(
            place_on_plot(document, self.stage_at(column, row))
            for column, row in ((0, 0), (columns, 0), (columns, rows), (0, rows))
        )


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
        None where neither metadata nor titles of the file tell the angle.

    Raises
    ------
    StackError
        When the file cannot be read.
    """
    header = read_header(item.path)
    angle_deg = _axis_deg(item.path, header)
    pixel_um = header.pixel_size_angstrom / 10_000
    if angle_deg is None or pixel_um <= 0:
        return None
    full_width = _size_of(pieces_of(item), header)[0]
    a, shown_um = math.radians(angle_deg), pixel_um * full_width / item.size_px[0]
    to_specimen = Matrix2(
        shown_um * math.cos(a), -shown_um * math.sin(a), -shown_um * math.sin(a), -shown_um * math.cos(a)
    )
    across = 1 / math.cos(math.radians(item.tilt_deg))
    return Matrix2(1.0, 0.0, 0.0, across).times(to_specimen.times(item.scale))


def _axis_deg(path: Path, header: StackHeader) -> float | None:
    """Direction of the tilt axis from the image's X axis, counter-clockwise (degrees); None if nobody tells."""
    mdoc = _mdoc_of(path)
    if mdoc is not None:
        for image in mdoc.images:
            angle = image.get_float("RotationAngle")
            if angle is not None:
                return angle
    for label in header.labels:
        match = _AXIS_LABEL.search(label)
        if match is not None:
            return float(match[1]) + 90.0  # titles count from the image's Y axis
    return None


def _mdoc_of(path: Path) -> Mdoc | None:
    """Metadata beside an image file; None if there are none."""
    beside = path.with_name(path.name + ".mdoc")
    return read_mdoc(beside) if beside.is_file() else None


# --- reading


def read_map(
    item: MapItem,
    progress: Callable[[float], None] = lambda share: None,
    is_wanted: Callable[[], bool] = lambda: True,
    longest_px: int = LONGEST_PX,
) -> MapImage | None:
    """Read a map for showing. For a worker thread.

    Parameters
    ----------
    item : MapItem
    progress : callable
        Is told the share (0 to 1) that is done, after each strip.
    is_wanted : callable
        Is asked as often; reading ends when it says no.
    longest_px : int
        Longest side of what is kept.

    Returns
    -------
    MapImage or None
        None when it was not wanted any more.

    Raises
    ------
    StackError
        When the file cannot be read, is damaged, or has no such section.
    MetadataError
        When a montage does not say where its pieces lie.
    """
    header = read_header(item.path)
    pieces = pieces_of(item)
    full = _size_of(pieces, header)
    factor = max(1, math.ceil(max(full) / longest_px))
    shape = (math.ceil(full[1] / factor), math.ceil(full[0] / factor))
    sums, weights = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for done, piece in enumerate(pieces):
        for share, (first_row, strip) in _strips(item.path, header, piece.section):
            _add(sums, weights, strip, piece.x, piece.y + first_row, factor)
            progress((done + share) / len(pieces))
            if not is_wanted():
                return None
    with np.errstate(invalid="ignore"):
        pixels = np.where(weights > 0, sums / weights, np.float32(np.nan))
    return MapImage(
        item, np.flipud(pixels).astype(np.float32), factor, (shape[1] * factor, shape[0] * factor)
    )


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
    mdoc = _mdoc_of(path)
    if mdoc is None:
        return None
    found = []
    for image in mdoc.images:
        place = image.get_floats("PieceCoordinates")
        if place is None or len(place) != 3:
            return None
        found.append((int(place[0]), int(place[1]), int(place[2])))
    return found


def _size_of(pieces: list[Piece], header: StackHeader) -> tuple[int, int]:
    """Columns and rows of the whole map."""
    return (
        max(piece.x for piece in pieces) + header.columns,
        max(piece.y for piece in pieces) + header.rows,
    )


def _strips(
    path: Path, header: StackHeader, section: int
) -> Iterator[tuple[float, tuple[int, NDArray[np.float32]]]]:
    """Strips of a section from the bottom: share that is then done, first row, pixels (rows, columns)."""
    row_bytes = header.columns * np.dtype(header.dtype).itemsize
    rows = max(1, STRIP_BYTES // row_bytes)
    start = header.data_start + section * header.section_bytes
    for first in range(0, header.rows, rows):
        count = min(rows, header.rows - first)
        try:
            with path.open("rb") as stream:
                stream.seek(start + first * row_bytes)
                data = np.fromfile(stream, dtype=header.dtype, count=count * header.columns)
        except OSError as err:
            raise StackError(f"{path}: section {section} cannot be read ({err.strerror or err})") from err
        if data.size != count * header.columns:
            raise StackError(
                f"{path}: section {section} is cut short; the file was changed while it was read"
            )
        yield (first + count) / header.rows, (first, data.reshape(count, header.columns).astype(np.float32))


def _add(
    sums: NDArray[np.float32],
    weights: NDArray[np.float32],
    strip: NDArray[np.float32],
    x: int,
    y: int,
    factor: int,
) -> None:
    """Add a strip whose first pixel is at (x, y) of the whole map to the sums over cells of `factor` pixels."""
    rows, row_counts = _cells(y, strip.shape[0], factor)
    columns, column_counts = _cells(x, strip.shape[1], factor)
    added = np.add.reduceat(np.add.reduceat(strip, rows, axis=0), columns, axis=1)
    at = (slice(y // factor, y // factor + len(rows)), slice(x // factor, x // factor + len(columns)))
    sums[at] += added
    weights[at] += np.outer(row_counts, column_counts).astype(np.float32)


def _cells(first: int, count: int, factor: int) -> tuple[NDArray[np.int_], NDArray[np.int_]]:
    """Where, among `count` pixels from `first` on, the cells of `factor` pixels begin, and how many pixels each has."""
    begins = np.arange(-(first % factor), count, factor)
    begins[0] = 0
    return begins, np.diff(np.append(begins, count))
