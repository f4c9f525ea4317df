"""An image at several sizes, and what in it has the size of a hole: the first step of finding a lattice.

Holes of diameter d stand out from the foil in a difference of two Gaussian filters of widths 0.28 d and 0.45 d (about
the Laplacian of a Gaussian of the best width for a disc, d / sqrt(8)). The response is divided by its own strength in
the neighbourhood, so that neither uneven light nor a bright crack nor the rim of a grid bar outweighs the holes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from pacetomo.frames import XY

Pixels = NDArray[np.float32]

LARGEST_PX = 768
"""Images are reduced to this size at most; a lattice too fine for it is looked for in a part of the image."""

SMALLEST_PX = 40

DIAMETERS_PX = (4.0, 5.0, 6.4)
"""Of holes, in pixels of a level; the next level is reduced by another factor of two."""

_INNER, _OUTER = 0.28, 0.45
_NEIGHBOURHOOD = 1.5
_CLIPPED = 2.5


class Level(NamedTuple):
    """A reduced image, or a part of it.

    `factor` is how many pixels of the whole image one of it stands for along each side, `start` the column and row of
    the whole image at which it begins.
    """

    pixels: Pixels
    factor: int
    start: tuple[int, int] = (0, 0)

    def place(self, column: float, row: float) -> XY:
        """Column and row in the whole image; whole numbers are the centres of pixels there and here.

        >>> Level(np.zeros((2, 2), np.float32), 4, (100, 0)).place(0.0, 1.0)
        XY(x=101.5, y=5.5)
        """
        return XY(
            (column + 0.5) * self.factor - 0.5 + self.start[0],
            (row + 0.5) * self.factor - 0.5 + self.start[1],
        )


def reduced(pixels: Pixels, factor: int) -> Pixels:
    """Means of blocks of pixels; what does not fill a block at the right and below is left out."""
    if factor == 1:
        return pixels
    rows, columns = (size // factor for size in pixels.shape)
    blocks = pixels[: rows * factor, : columns * factor].reshape(rows, factor, columns, factor)
    means: Pixels = blocks.mean(axis=(1, 3), dtype=np.float32)
    return means


def prepared(pixels: NDArray[np.generic]) -> Pixels:
    """An image as floats without extremes: hot pixels, and what is not a number.

    The darkest and brightest 0.1 % are cut off; sampled, because sorting a large image takes longer than all the rest.
    """
    image: Pixels = np.asarray(pixels, dtype=np.float32)
    step = max(1, min(image.shape) // 500)
    sample = image[::step, ::step]
    sample = sample[np.isfinite(sample)]
    if sample.size == 0:
        return np.zeros(image.shape, np.float32)
    low, middle, high = np.percentile(sample, (0.1, 50.0, 99.9))
    clean: Pixels = np.clip(image, low, high)
    clean[np.isnan(clean)] = middle
    return clean


def coarse_levels(pixels: Pixels) -> Iterator[Level]:
    """The whole image, from the size at which lattices are usually seen to ever smaller ones."""
    factor = math.ceil(max(pixels.shape) / LARGEST_PX)
    image = reduced(pixels, factor)
    while min(image.shape) >= SMALLEST_PX:
        yield Level(image, factor)
        image, factor = reduced(image, 2), factor * 2


def fine_levels(pixels: Pixels) -> Iterator[Level]:
    """The middle of a large image, less and less reduced: for lattices that `coarse_levels` are too small for."""
    factor = math.ceil(max(pixels.shape) / LARGEST_PX)
    while factor > 1:
        factor = (factor + 1) // 2
        rows, columns = (min(size, LARGEST_PX * factor) for size in pixels.shape)
        top, left = (pixels.shape[0] - rows) // 2, (pixels.shape[1] - columns) // 2
        yield Level(reduced(pixels[top : top + rows, left : left + columns], factor), factor, (left, top))


def hole_response(pixels: Pixels, diameter_px: float) -> Pixels:
    """How much each place looks like the middle of a hole: about 1 for a bright one, -1 for a dark one.

    Parameters
    ----------
    pixels : array (rows, columns)
        Of a level.
    diameter_px : float
        Of a hole, in its pixels.
    """
    inner = scipy.ndimage.gaussian_filter(pixels, _INNER * diameter_px)
    band = inner - scipy.ndimage.gaussian_filter(pixels, _OUTER * diameter_px)
    strength = np.sqrt(scipy.ndimage.gaussian_filter(band * band, _NEIGHBOURHOOD * diameter_px))
    # Where there is next to nothing, as under a bar, noise is not blown up to the strength of holes.
    floor = 0.3 * float(np.percentile(strength[::3, ::3], 80)) + 1e-12
    response: Pixels = np.clip(band / np.maximum(strength, floor), -_CLIPPED, _CLIPPED).astype(np.float32)
    return response - np.float32(response.mean())
