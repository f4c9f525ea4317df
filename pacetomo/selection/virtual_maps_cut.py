"""Cutting an image as another magnification would show it out of the pieces of a map.

Only the windows of the pieces that are seen are read, one piece at a time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple, cast

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from pacetomo.frames import XY, Matrix2
from pacetomo.selection.virtual_maps_image import MapImage, Spot

Pixels = NDArray[np.float32]

SAME_SCALE = 2e-3
"""Pixels and rotation that agree so well are those of one magnification: pixels are copied, not interpolated."""

RIM_PX = 9
MARGIN_PX = 6
"""More pixels than asked for, for interpolation at the edges of a window."""

FEWEST_PX = 16
SMOOTH_PX = 1.5
"""Of a field smaller than this nothing is said; width (Gaussian sigma) of the smoothing."""

STRUCTURED = 2.5
"""`structure` from which on there is something to align by: ice in holes has up to 1.9, the fainter vesicles 4."""

MOST_COUNTS = 30000.0
STRETCH = 100.0
"""Factor by which interpolated counts are multiplied at most, so that rounding to whole numbers loses nothing."""


class Cut(NamedTuple):
    """An image cut out of a map.

    Attributes
    ----------
    pixels : array (rows, columns) of int16
        Row 0 is the lowest.
    padded : float
        Share of the pixels that lie outside of the map.
    pieces : int
        Pieces it was made of.
    """

    pixels: NDArray[np.int16]
    padded: float
    pieces: int


def step_between(source: MapImage, to_specimen: Matrix2) -> Matrix2:
    """Pixels of the map (Y up) for a step of one pixel of an image whose pixels lead to the specimen so."""
    return source.pixel_to_specimen.inverse().times(to_specimen)


def is_same_scale(step: Matrix2) -> bool:
    """Whether pixels of image and map are the same, so that they can be copied."""
    return max(abs(step.xpx - 1.0), abs(step.ypy - 1.0), abs(step.xpy), abs(step.ypx)) < SAME_SCALE


def cut(source: MapImage, spot: Spot, columns: int, rows: int, step: Matrix2) -> Cut:
    """Cut an image whose centre is a spot of the map.

    The piece of the spot goes before the others wherever it reaches, so that the middle of the image shows one
    exposure without seams. Pieces that are not known to fit to it are left out: they would show their content in the
    wrong place, and another image would be aligned to that.

    Parameters
    ----------
    source : MapImage
        The map.
    spot : Spot
        What lies in the centre.
    columns, rows : int
        Size of the image.
    step : Matrix2
        Pixels of the map for a step of one pixel of the image, both Y up.

    Returns
    -------
    Cut
        What none of these pieces shows is filled with the mean of the rim beside it.
    """
    copied = is_same_scale(step)
    centre = source.placed(spot)
    if copied:
        step = Matrix2(1.0, 0.0, 0.0, 1.0)
        # Pixels of the map have to lie on those of the image.
        centre = XY(
            round(centre.x + 0.5 * columns) - 0.5 * columns, round(centre.y + 0.5 * rows) - 0.5 * rows
        )
    made = np.full((rows, columns), np.nan, np.float32)
    used = 0
    for index in _nearest_first(source, spot, centre):
        used += _fill(made, source, index, centre, step, copied)
    outside = np.isnan(made)
    share = float(outside.mean())
    if share > 0.0:
        made[outside] = _rim_mean(made, outside)
    return Cut(_whole_counts(made, copied), share, used)


def structure(source: MapImage, spot: Spot, columns: int, rows: int, step: Matrix2) -> float:
    """How much more a map varies around a spot than its noise does: about 1 where it shows nothing.

    Variance of the smoothed pixels, over that which noise as strong as the differences of neighbours would have. An
    image of such a place matches another only by chance.

    Parameters
    ----------
    source, spot, columns, rows, step
        As for `cut`: the field that is looked at.
    """
    half_x = 0.5 * (abs(step.xpx) * columns + abs(step.xpy) * rows)
    half_y = 0.5 * (abs(step.ypx) * columns + abs(step.ypy) * rows)
    x, y = spot.local
    across = range(max(0, int(x - half_x)), min(source.header.columns, int(x + half_x)))
    along = range(max(0, int(y - half_y)), min(source.header.rows, int(y + half_y)))
    if min(len(across), len(along)) < FEWEST_PX:
        return 0.0
    pixels = source.window(spot.piece, across, along).astype(np.float32)
    noise = 1.4826 * float(np.median(np.abs(np.diff(pixels, axis=1)))) / math.sqrt(2.0)
    smooth = float(scipy.ndimage.gaussian_filter(pixels, SMOOTH_PX).var())
    by_noise = noise**2 / (4.0 * math.pi * SMOOTH_PX**2)
    return smooth / by_noise if by_noise > 0.0 else math.inf if smooth > 0.0 else 0.0


def _nearest_first(source: MapImage, spot: Spot, centre: XY) -> Iterator[int]:
    middle = XY(0.5 * source.header.columns, 0.5 * source.header.rows)

    def distance(index: int) -> float:
        return source.pieces[index].placed.plus(middle).minus(centre).length

    yield spot.piece
    others = [
        index for index in range(len(source.pieces)) if index != spot.piece and source.fits(spot.piece, index)
    ]
    yield from sorted(others, key=distance)


def _fill(made: Pixels, source: MapImage, index: int, centre: XY, step: Matrix2, copied: bool) -> bool:
    """Fill what is still unknown from one piece; False if that shows nothing of it."""
    rows, columns = made.shape
    corner = source.pieces[index].placed
    # Where the corners of the piece lie in the image bounds the part of it that the piece can fill.
    inverse = step.inverse()
    ends = [
        inverse.apply(XY(corner.x + x, corner.y + y).minus(centre))
        for x in (0, source.header.columns)
        for y in (0, source.header.rows)
    ]
    over = _span([end.x + 0.5 * columns for end in ends], columns)
    up = _span([end.y + 0.5 * rows for end in ends], rows)
    if not over or not up:
        return False
    block = made[up.start : up.stop, over.start : over.stop]
    unknown = np.isnan(block)
    if not unknown.any():
        return False
    first = XY(over.start + 0.5 - 0.5 * columns, up.start + 0.5 - 0.5 * rows)
    origin = step.apply(first).plus(centre).minus(corner)
    found = _sampled(source, index, origin, step, block.shape, copied)
    if found is None:
        return False
    fresh = unknown & ~np.isnan(found)
    block[fresh] = found[fresh]
    return bool(fresh.any())


def _span(ends: list[float], size: int) -> range:
    return range(max(0, math.floor(min(ends))), min(size, math.ceil(max(ends))))


def _sampled(
    source: MapImage, index: int, origin: XY, step: Matrix2, shape: tuple[int, ...], copied: bool
) -> Pixels | None:
    """Piece at the pixels of a part of the image, NaN outside of it; None if all of it is.

    `origin` is where the lower left pixel of the part lies in the piece.
    """
    rows, columns = shape
    reach = [step.apply(XY(right, up)).plus(origin) for right in (0, columns - 1) for up in (0, rows - 1)]
    # Averages over several pixels where the image is coarser than the map: sampling alone would show noise.
    factor = max(1, int(math.sqrt(abs(step.determinant)) + 0.01))
    margin = MARGIN_PX * factor
    across = _window([point.x for point in reach], source.header.columns, margin, factor)
    along = _window([point.y for point in reach], source.header.rows, margin, factor)
    if not across or not along:
        return None
    window = _averaged(source.window(index, across, along).astype(np.float32), factor)
    # In array indices the middle of pixel 0 is 0; rows come first.
    matrix = np.array([[step.ypy, step.ypx], [step.xpy, step.xpx]]) / factor
    offset = np.array([origin.y - along.start, origin.x - across.start]) / factor - 0.5
    found = scipy.ndimage.affine_transform(
        window,
        matrix,
        offset,
        output_shape=(rows, columns),
        order=0 if copied else 3,
        mode="constant",
        cval=np.nan,
    )
    return cast(Pixels, found)


def _window(ends: list[float], size: int, margin: int, factor: int) -> range:
    """Pixels needed of a piece along one axis, a multiple of `factor`; empty if none are."""
    first, last = max(0, math.floor(min(ends)) - margin), min(size, math.ceil(max(ends)) + margin)
    return range(first, first + (last - first) // factor * factor) if last - first >= factor else range(0)


def _averaged(pixels: Pixels, factor: int) -> Pixels:
    if factor == 1:
        return pixels
    rows, columns = (size // factor for size in pixels.shape)
    blocks = pixels[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor)
    return cast(Pixels, blocks.mean(axis=(1, 3), dtype=np.float32))


def _rim_mean(made: Pixels, outside: NDArray[np.bool_]) -> float:
    """Mean of the known pixels next to those that are not."""
    near = scipy.ndimage.uniform_filter(outside.astype(np.float32), RIM_PX) > 1e-3
    rim = made[near & ~outside]
    known = rim if rim.size else made[~outside]
    return float(known.mean()) if known.size else 0.0


def _whole_counts(made: Pixels, copied: bool) -> NDArray[np.int16]:
    highest = float(np.abs(made).max()) or 1.0
    factor = min(1.0, MOST_COUNTS / highest) if copied else min(STRETCH, MOST_COUNTS / highest)
    counts: NDArray[Any] = np.rint(made * np.float32(factor)).astype(np.int16)
    return counts
