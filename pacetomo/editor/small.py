"""Images of stacks and montages made small enough to be shown, read in strips.

A montage may be gigabytes, so its pixels are averaged over cells of the size shown while it is read. Pieces lie where
their coordinates say, and are averaged where they overlap.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pacetomo.errors import StackError
from pacetomo.files.stack import StackHeader, read_header

Floats = NDArray[np.float32]

STRIP_BYTES = 32_000_000
"""Bytes of the file that are in memory at a time."""

PERCENTILES = (1.0, 99.0)
"""Share (%) of pixels below black and up to white."""


class Piece(NamedTuple):
    """A section of the file, and where its first pixel lies in the whole image (pixels of the file, Y up)."""

    section: int
    x: int = 0
    y: int = 0


@dataclass(frozen=True)
class SmallImage:
    """An image as it is shown.

    Attributes
    ----------
    pixels : ndarray of float32, shape (rows, columns)
        Row 0 at the top, as displayed; nan where no piece of a montage lies.
    factor : int
        Pixels of the file, along each side, to one of these. Cells are counted from the lower left corner, so that
        those at the top and right may reach beyond the image.
    full_px : tuple of (int, int)
        Columns and rows of the whole image in pixels of the file.
    """

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

    def file_pixel(self, column: float, row: float) -> tuple[float, float]:
        """Place in pixels of the file, Y up, of one in the shown image, counted from its upper left corner."""
        return column * self.factor, (self.pixels.shape[0] - row) * self.factor


def read_small(
    path: Path,
    pieces: Sequence[Piece],
    longest_px: int,
    progress: Callable[[float], None] = lambda share: None,
    is_wanted: Callable[[], bool] = lambda: True,
) -> SmallImage | None:
    """Read an image for showing; what takes long is for a worker thread.

    Parameters
    ----------
    path : Path
    pieces : sequence of Piece
        One of a single image.
    longest_px : int
        Longest side of what is kept.
    progress : callable
        Is told the share (0 to 1) that is done, after each strip.
    is_wanted : callable
        Is asked as often; reading ends when it says no.

    Returns
    -------
    SmallImage or None
        None when it was not wanted any more.

    Raises
    ------
    StackError
        When the file cannot be read, is damaged, or has no such section.
    """
    header = read_header(path)
    absent = [piece.section for piece in pieces if not 0 <= piece.section < header.sections]
    if absent:
        raise StackError(
            f"{path}: there is no section {absent[0]}, the file has {header.sections}, counted from 0"
        )
    full = size_of(pieces, header)
    factor = max(1, math.ceil(max(full) / longest_px))
    shape = (math.ceil(full[1] / factor), math.ceil(full[0] / factor))
    sums, weights = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for done, piece in enumerate(pieces):
        for first_row, strip in _strips(path, header, piece.section):
            _add(sums, weights, strip, piece.x, piece.y + first_row, factor)
            progress((done + (first_row + strip.shape[0]) / header.rows) / len(pieces))
            if not is_wanted():
                return None
    with np.errstate(invalid="ignore"):
        pixels = np.where(weights > 0, sums / weights, np.float32(np.nan))
    return SmallImage(np.flipud(pixels).astype(np.float32), factor, full)


def size_of(pieces: Sequence[Piece], header: StackHeader) -> tuple[int, int]:
    """Columns and rows of the whole image in pixels of the file."""
    return (
        max(piece.x for piece in pieces) + header.columns,
        max(piece.y for piece in pieces) + header.rows,
    )


def _strips(path: Path, header: StackHeader, section: int) -> Iterator[tuple[int, Floats]]:
    """Strips of a section from the bottom: first row, and pixels of shape (rows, columns)."""
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
        yield first, data.reshape(count, header.columns).astype(np.float32)


def _add(
    sums: Floats,
    weights: Floats,
    strip: Floats,
    x: int,
    y: int,
    factor: int,
) -> None:
    """Add a strip whose first pixel is at (x, y) of the whole map to the sums over cells of `factor` pixels."""
    if factor == 1:  # nothing to add up, which saves half of the time
        at = (slice(y, y + strip.shape[0]), slice(x, x + strip.shape[1]))
        sums[at] += strip
        weights[at] += 1.0
        return
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
