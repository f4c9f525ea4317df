"""Earlier images of a target, as they are kept and as they would look from another tilt: arrays only.

A point of the sample plane ``z = a x + b y`` (untilted) is seen at ``y (cos t - b sin t) - a x sin t`` across the tilt
axis (`pacetomo.frames`). So from one tilt to another the picture is stretched across the axis by the ratio of
``cos t - b sin t``, and sheared where the plane is turned.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple, Union

import numpy as np
from numpy.typing import NDArray

from pacetomo.cross_spectrum import Floats, Pixels
from pacetomo.frames import ORIGIN, XY, Matrix2
from pacetomo.scope.protocol import Missing

CLIP_SD = 4.0
"""Pixels farther than this from the mean, in standard deviations, are taken for outliers."""

TAPER_SHARE = 0.1
"""Share of each side over which an image fades out at either end."""

FEWEST_PX = 128
"""Shorter side under which an image shows too little to be compared here."""

Kept = NDArray[np.float16]


class Earlier(NamedTuple):
    """An earlier image of a target: `conditioned`, its stage tilt, and where the target was seen in it (µm)."""

    pixels: Kept
    tilt_deg: float
    off_centre_um: XY


KeptOrMissing = Union[Kept, Missing]


def conditioned(pixels: NDArray[Any]) -> KeptOrMissing:
    """An image as it is compared and kept: mean 0, scatter 1, outliers clipped, edges faded out.

    Parameters
    ----------
    pixels : array (rows, columns)
        Top row first.

    Returns
    -------
    array (rows, columns) or Missing
        Missing where the image is blank, smaller than `FEWEST_PX`, or repeats itself as no sample with noise does.
    """
    if pixels.ndim != 2 or min(pixels.shape) < FEWEST_PX:
        return Missing(f"an image of {' x '.join(map(str, pixels.shape))} pixels is too small to be compared")
    values = pixels.astype(np.float32)
    for _ in range(2):  # the second time without what outliers did to mean and scatter
        mean, spread = float(values.mean()), float(values.std())
        if not (math.isfinite(spread) and spread > 0.0):
            return Missing("the image is blank")
        np.clip(values, mean - CLIP_SD * spread, mean + CLIP_SD * spread, out=values)
    period = _period(pixels)
    if period is not None:
        return Missing(f"the image repeats itself after {period} pixels, which is too small to be compared")
    values -= values.mean()
    values *= window(values.shape) / np.float32(values.std())
    return values.astype(np.float16)


def _period(pixels: NDArray[Any]) -> int | None:
    """Columns after which an image repeats itself exactly; None if it does not."""
    columns = pixels.shape[1]
    line = pixels[pixels.shape[0] // 2]
    for period in np.flatnonzero(line[1 : columns // 2 + 1] == line[0]) + 1:
        if np.array_equal(line[period:], line[:-period]) and np.array_equal(
            pixels[:, period:], pixels[:, :-period]
        ):
            return int(period)
    return None


@functools.lru_cache(maxsize=4)
def window(shape: tuple[int, int]) -> Pixels:
    """Cosine rise and fall along both axes, by which every image fades out at its edges."""
    edges = []
    for size in shape:
        width = int(TAPER_SHARE * size)
        ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(width) + 0.5) / width)
        edges.append(np.concatenate([ramp, np.ones(size - 2 * width), ramp[::-1]]).astype(np.float32))
    window: Pixels = edges[0][:, None] * edges[1][None, :]
    return window


def stretch_between(from_deg: float, to_deg: float, slopes: XY = ORIGIN) -> Matrix2:
    """What becomes of the picture of a sample plane from one stage tilt to another (specimen frame).

    Parameters
    ----------
    from_deg, to_deg : float
        Stage tilts.
    slopes : XY
        Rise of the plane along X and along Y in the untilted stage.

    >>> round(stretch_between(0.0, 60.0).ypy, 6)
    0.5
    """
    first, last = math.radians(from_deg), math.radians(to_deg)
    shown = [math.cos(tilt) - slopes.y * math.sin(tilt) for tilt in (first, last)]
    if min(shown) < 0.05:  # edge-on as far as known: then what is known of the plane is wrong
        return Matrix2(1.0, 0.0, 0.0, 1.0)
    ratio = shown[1] / shown[0]
    return Matrix2(1.0, 0.0, slopes.x * (math.sin(first) * ratio - math.sin(last)), ratio)


def brought_over(one: Earlier, tilt_deg: float, px_to_um: Matrix2, slopes: XY = ORIGIN) -> Pixels:
    """An earlier image as it would look at another stage tilt with the target in its centre.

    A point at w (µm) from the target then lay at ``off_centre + F^-1 w`` in the earlier image, with F from
    `stretch_between`. What was outside of the earlier image is 0.

    Parameters
    ----------
    one : Earlier
    tilt_deg : float
        The other tilt.
    px_to_um : Matrix2
        Pixels (X right, Y up) to µm in the specimen frame.
    slopes : XY
        Rise of the sample plane along X and along Y in the untilted stage.
    """
    to_px = px_to_um.inverse()
    back = stretch_between(one.tilt_deg, tilt_deg, slopes).inverse()
    matrix = to_px.times(back).times(px_to_um)  # X right, Y up
    moved = to_px.apply(one.off_centre_um)
    rows, columns = one.pixels.shape
    right = np.arange(columns) - 0.5 * (columns - 1)
    up = 0.5 * (rows - 1) - np.arange(rows)
    column = _plane(matrix.xpy * up + moved.x + 0.5 * (columns - 1), matrix.xpx * right)
    row = _plane(0.5 * (rows - 1) - moved.y - matrix.ypy * up, -matrix.ypx * right)
    return _sampled(one.pixels, row, column) * window((rows, columns))


def _plane(down: Floats, across: Floats) -> Pixels:
    plane: Pixels = down.astype(np.float32)[:, None] + across.astype(np.float32)[None, :]
    return plane


def _sampled(pixels: Kept, row: Pixels, column: Pixels) -> Pixels:
    """Linear interpolation at the given rows and columns, which are overwritten; 0 outside."""
    rows, columns = pixels.shape
    wide = np.zeros((rows + 3, columns + 3), np.float32)
    wide[1:-2, 1:-2] = pixels
    for places, size in ((row, rows), (column, columns)):
        places += np.float32(1.0)
        np.clip(places, 0.0, size + 1.0, out=places)  # there is nothing but zeros from here on
    top, left = row.astype(np.int32), column.astype(np.int32)
    row -= top
    column -= left
    place = top * np.int32(columns + 3) + left
    flat = wide.ravel()
    upper, lower = flat.take(place), flat.take(place + np.int32(columns + 3))
    upper += column * (flat.take(place + np.int32(1)) - upper)
    lower += column * (flat.take(place + np.int32(columns + 4)) - lower)
    upper += row * (lower - upper)
    return upper
