"""Where the pieces of a montage lie according to what their overlaps show.

The stage misses by some tenths of a µm where it is sent, so pieces do not lie where they were planned. SerialEM notes
in the mdoc what it found by aligning overlaps; where it did not, the pieces that are needed are aligned here.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator
from dataclasses import replace
from itertools import combinations
from typing import Any, NamedTuple, cast

import numpy as np
import scipy.fft
import scipy.ndimage
from numpy.typing import NDArray

from pacetomo.frames import XY
from pacetomo.selection.virtual_maps_image import MapImage

Pixels = NDArray[np.float32]

LEAST_OVERLAP_PX = 16
SHORTEST_PX = 128
"""Least width of what is compared: more than the overlap where that is narrow, as pieces may overlap by more."""

SEARCHED = 0.85
"""Share of the overlap by which pieces may be off and still be compared."""

LEAST_SHARE = 0.12
"""Share of the compared parts that must show the same for a shift to be believed."""

LEAST_HEIGHT = 8.0
"""Height of a peak in standard deviations of the correlation; true ones have more than 20."""

DISTINCT = 1.25
"""How many times as high as any peak farther away within reach it must be."""

WIDTH_PX = 12
FINE_PX, COARSE_PX = 1.0, 12.0
"""Widths (Gaussian sigma) between which structures are compared."""

CLIP_SD = 6.0


class Neighbours(NamedTuple):
    """Two pieces, and by how many pixels the second is farther from the first than planned (Y up)."""

    first: int
    second: int
    further: XY


def aligned(source: MapImage, needed: Collection[int]) -> MapImage:
    """Return a map whose needed pieces lie as their overlaps show; as planned where these show nothing.

    Parameters
    ----------
    source : MapImage
        The map; one that SerialEM has aligned is returned as it is.
    needed : collection of int
        Places in `MapImage.pieces`.

    Notes
    -----
    The offsets are the shortest ones (least squares) that explain all differences found, so pieces without overlap to
    others stay where they are. Of a montage by stage moves those may lie anywhere: they are not joined to the others.
    """
    if source.is_aligned or len(needed) < 2:
        return source
    numbers = sorted(needed)
    found = list(_differences(source, numbers))
    source = replace(source, joined=_joined(source, numbers, found))
    if not found:
        return source
    matrix = np.zeros((len(found), len(numbers)))
    for row, pair in enumerate(found):
        matrix[row, numbers.index(pair.second)] = 1.0
        matrix[row, numbers.index(pair.first)] = -1.0
    offsets = np.linalg.lstsq(matrix, np.array([pair.further for pair in found]), rcond=None)[0]
    pieces = list(source.pieces)
    for number, (x, y) in zip(numbers, offsets):
        piece = pieces[number]
        pieces[number] = piece._replace(placed=piece.placed.plus(XY(round(float(x)), round(float(y)))))
    return replace(source, pieces=tuple(pieces))


def _joined(
    source: MapImage, numbers: list[int], found: list[Neighbours]
) -> tuple[frozenset[int], ...] | None:
    """Pieces that fit together; None where all do, as those of a montage that was taken by image shift."""
    if not source.is_by_stage:
        return None
    group = {number: number for number in numbers}
    for pair in found:
        old, new = group[pair.second], group[pair.first]
        group = {number: new if value == old else value for number, value in group.items()}
    return tuple(
        frozenset(number for number in numbers if group[number] == value) for value in set(group.values())
    )


def _differences(source: MapImage, numbers: list[int]) -> Iterator[Neighbours]:
    for first, second in combinations(numbers, 2):
        further = _further(source, first, second)
        if further is not None:
            yield Neighbours(first, second, further)


def _further(source: MapImage, first: int, second: int) -> XY | None:
    """How much farther apart two pieces are than planned; None where they do not overlap or show nothing alike.

    A point at u in a window of the first piece that starts at a, and at u + s in one of the second that starts at b,
    is the same place of the montage: corner 1 + a + u = corner 2 + further + b + u + s.
    """
    corners = [source.pieces[number].nominal for number in (first, second)]
    in_x = _windows(int(corners[0].x), int(corners[1].x), source.header.columns)
    in_y = _windows(int(corners[0].y), int(corners[1].y), source.header.rows)
    if in_x is None or in_y is None:
        return None
    (across, overlap_x), (along, overlap_y) = in_x, in_y
    if overlap_x < 0.5 * source.header.columns and overlap_y < 0.5 * source.header.rows:
        return None  # they meet in a corner only
    one, other = (
        _conditioned(source.window(number, across[which], along[which]))
        for which, number in enumerate((first, second))
    )
    planned = XY(
        corners[0].x + across[0].start - corners[1].x - across[1].start,
        corners[0].y + along[0].start - corners[1].y - along[1].start,
    )
    found = shift_between(one, other, planned, SEARCHED * min(overlap_x, overlap_y))
    return None if found is None else planned.minus(found)


def _conditioned(pixels: NDArray[Any]) -> Pixels:
    """Part of a piece without slow changes, and with outliers clipped by a spread that they do not change."""
    values = pixels.astype(np.float32)
    values = scipy.ndimage.gaussian_filter(values, FINE_PX) - scipy.ndimage.gaussian_filter(values, COARSE_PX)
    spread = 1.4826 * float(np.median(np.abs(values - np.median(values))))
    values = np.clip(values, -CLIP_SD * spread, CLIP_SD * spread)
    return cast(Pixels, values - values.mean())


def shift_between(first: Pixels, second: Pixels, expected: XY, reach: float) -> XY | None:
    """Where the content of one image lies in another of the same size.

    The height at each shift is the correlation of what overlaps there over the square root of its area: what noise
    gives has the same scatter everywhere.

    Parameters
    ----------
    first, second : array (rows, columns)
        Row 0 lowest, of mean 0.
    expected : XY
        Columns and rows by which it should be shifted.
    reach : float
        How far from there it is looked for along either axis.

    Returns
    -------
    XY or None
        Columns and rows; None where no peak stands out.
    """
    shape = [2 * size for size in first.shape]
    spectra = [scipy.fft.rfft2(part, shape) for part in (first, second)]
    heights = scipy.fft.irfft2(spectra[1] * np.conj(spectra[0]), shape)
    rows, columns = _near(expected.y, reach, first.shape[0]), _near(expected.x, reach, first.shape[1])
    # Overlaps of rectangles are products of triangles.
    shared = np.outer(first.shape[0] - np.abs(rows), first.shape[1] - np.abs(columns))
    believed = shared > LEAST_SHARE * first.size
    if not believed.any():
        return None
    heights = np.where(believed, heights[np.ix_(rows, columns)] / np.sqrt(np.maximum(shared, 1)), 0.0)
    row, column = np.unravel_index(int(np.argmax(heights)), heights.shape)
    highest, spread = float(heights[row, column]), 1.4826 * float(np.median(np.abs(heights[believed])))
    beside = np.abs(rows - rows[row])[:, None] + np.abs(columns - columns[column])[None, :] > WIDTH_PX
    others = float(heights[beside].max()) if beside.any() else 0.0
    if not highest > LEAST_HEIGHT * spread or highest < DISTINCT * others:
        return None
    return XY(float(columns[column]), float(rows[row]))


def _near(expected: float, reach: float, size: int) -> NDArray[np.intp]:
    """Shifts along one axis to look at; as indices of a correlation negative ones count from its end."""
    low, high = max(math.floor(expected - reach), 1 - size), min(math.ceil(expected + reach), size - 1)
    return np.arange(low, high + 1)


def _windows(first: int, second: int, size: int) -> tuple[tuple[range, range], int] | None:
    """Parts of two pieces that begin at these pixels to be compared along an axis, and their overlap; None without.

    Both parts are equally long, at least as long as can be compared.
    """
    overlap = size - abs(second - first)
    if overlap < LEAST_OVERLAP_PX:
        return None
    length = min(size, max(overlap, SHORTEST_PX))
    low, high = range(length), range(size - length, size)
    return ((high, low) if second > first else (low, high)), overlap
