"""What repeats in a lattice's cell: where in it the hole lies, how large it is, and whether it is bright or dark.

The image is folded onto one cell. Cut at the middle of its brightness, it falls into holes and foil: the foil hangs
together from cell to cell and a hole does not. So holes are told from foil whatever the contrast, also where they take
up more of the area than the foil does.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from pacetomo.selection.lattice_levels import Pixels
from pacetomo.selection.thresholds import otsu

Floats = NDArray[np.float64]

_BINS = 32
_CLIPPED = 3.0
_FOLDED = 2.5
"""Standard deviation, in cells, of the weight of cells."""


class Cell(NamedTuple):
    """The hole of a cell.

    `centre` is its column and row in the pixels that were folded, `diameter_px` that of a disc of its area, `sign` 1
    for a bright hole and -1 for a dark one.
    """

    centre: Floats
    diameter_px: float
    sign: int


def flattened(pixels: Pixels, width_px: float) -> Pixels:
    """An image with the light evened out: deviation from the neighbourhood's mean over its standard deviation.

    Parameters
    ----------
    pixels : array (rows, columns)
        The image.
    width_px : float
        Standard deviation of the Gaussian that makes the neighbourhood.
    """
    mean = scipy.ndimage.gaussian_filter(pixels, width_px)
    away = pixels - mean
    spread = np.sqrt(scipy.ndimage.gaussian_filter(away * away, width_px))
    floor = 0.3 * float(np.percentile(spread[::3, ::3], 80)) + 1e-12
    flat: Pixels = np.clip(away / np.maximum(spread, floor), -_CLIPPED, _CLIPPED).astype(np.float32)
    return flat


def strongest_place(response: Pixels, a: Floats, b: Floats) -> Floats:
    """Column and row around which an image repeats best with a lattice's vectors.

    The response is multiplied with itself one step away to all four sides. Under a bar or on torn foil that comes to
    nothing, so what is learnt there need not spoil what is learnt where the foil is sound.
    """
    together = np.zeros(response.shape, np.float32)
    for step in (a, -a, b, -b):
        together += response * _moved(response, round(float(step[0])), round(float(step[1])))
    width = 1.5 * math.sqrt(abs(float(a[0] * b[1] - a[1] * b[0])))
    evidence = scipy.ndimage.gaussian_filter(together, width, mode="constant")
    row, column = np.unravel_index(int(np.argmax(evidence)), evidence.shape)
    return np.array([float(column), float(row)])


def _moved(pixels: Pixels, right: int, down: int) -> Pixels:
    """An image moved by whole pixels; zeros where nothing came from."""
    rows, columns = pixels.shape
    moved = np.zeros_like(pixels)
    if abs(right) < columns and abs(down) < rows:
        moved[max(down, 0) : rows + min(down, 0), max(right, 0) : columns + min(right, 0)] = pixels[
            max(-down, 0) : rows - max(down, 0), max(-right, 0) : columns - max(right, 0)
        ]
    return moved


def folded(flat: Pixels, a: Floats, b: Floats, around: Floats) -> Floats:
    """Mean over the cells near a place; the first axis runs along `a` and the second along `b`, from that place.

    Cells count the less the farther they are: an error of the vectors adds up from cell to cell.
    """
    inverse = np.linalg.inv(np.column_stack([a, b]))
    rows, columns = (np.arange(size, dtype=np.float64) for size in flat.shape)
    i = inverse[0, 0] * (columns[None, :] - around[0]) + inverse[0, 1] * (rows[:, None] - around[1])
    j = inverse[1, 0] * (columns[None, :] - around[0]) + inverse[1, 1] * (rows[:, None] - around[1])
    near = np.exp(-0.5 * (i * i + j * j) / _FOLDED**2)
    bins = ((i % 1.0) * _BINS).astype(np.intp) % _BINS * _BINS + ((j % 1.0) * _BINS).astype(np.intp) % _BINS
    counts = np.bincount(bins.ravel(), weights=near.ravel(), minlength=_BINS**2)
    sums = np.bincount(bins.ravel(), weights=(flat * near).ravel(), minlength=_BINS**2)
    means = np.divide(sums, counts, out=np.zeros(_BINS**2), where=counts > 0).reshape(_BINS, _BINS)
    cell: Floats = scipy.ndimage.gaussian_filter(means, 1.0, mode="wrap")
    return cell


def hole_of(flat: Pixels, a: Floats, b: Floats, around: Floats) -> Cell:
    """The hole of a lattice's cell.

    Parameters
    ----------
    flat : array (rows, columns)
        `flattened`.
    a, b : array (2,)
        Vectors of the lattice in its pixels (columns right, rows down).
    around : array (2,)
        Column and row near which cells are looked at.
    """
    cell = folded(flat, a, b, around)
    threshold = otsu(cell)
    bright, dark = (_island(cell, threshold, sign) for sign in (1, -1))
    if bright.hangs_together != dark.hangs_together:
        sign = 1 if dark.hangs_together else -1
    else:
        # Both are islands, as a hole and the shadow at its rim may be: the one that weighs more is the hole.
        sign = 1 if float(cell.mean()) >= float(np.median(cell)) else -1
    island = bright if sign == 1 else dark
    area = abs(float(a[0] * b[1] - a[1] * b[0])) * min(island.share, 0.8)
    steps = [share - round(share) for share in island.centre]
    centre: Floats = around + steps[0] * a + steps[1] * b
    return Cell(centre, 2 * math.sqrt(area / math.pi), sign)


class _Island(NamedTuple):
    """Connected part of a cell around its extreme: centre and share of the area (cells), whether it meets itself."""

    centre: tuple[float, float]
    share: float
    hangs_together: bool


def _island(cell: Floats, middle: float, sign: int) -> _Island:
    """The part around the brightest or the darkest place."""
    tiled = np.tile(sign * (cell - middle), (3, 3))
    top = np.unravel_index(int(np.argmax(sign * cell)), cell.shape)
    labels, _ = scipy.ndimage.label(tiled > 0)
    label = labels[int(top[0]) + _BINS, int(top[1]) + _BINS]
    i, j = np.nonzero(labels == label)
    weights = tiled[i, j]
    share = len(i) / _BINS**2
    if np.ptp(i) >= 1.5 * _BINS or np.ptp(j) >= 1.5 * _BINS:
        centre = ((float(top[0]) + 0.5) / _BINS, (float(top[1]) + 0.5) / _BINS)
        return _Island(centre, share / 9, True)
    centre = (
        (float(np.average(i, weights=weights)) + 0.5) / _BINS % 1.0,
        (float(np.average(j, weights=weights)) + 0.5) / _BINS % 1.0,
    )
    return _Island(centre, share, False)
