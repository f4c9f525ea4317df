"""Where the centre of a round hole lies, of which an image shows a piece of the edge."""

from __future__ import annotations

import math

import numpy as np
import scipy.ndimage
import scipy.signal
from numpy.typing import NDArray

from pacetomo.frames import XY
from pacetomo.scope.protocol import Missing, Picture, ShiftOrMissing

COMPARED_PX = 128
"""Shorter side to which an image is reduced."""

LEAST_SHARE = 0.08
"""Of the image that must lie inside the hole, and outside, so that there is an edge."""

LEAST_EXPLAINED = 0.3
"""Share of the variance of the smoothed image that the two levels, inside and outside, must explain."""

SMOOTHED_PX = 1.5

Pixels = NDArray[np.float64]


def hole_centre(
    picture: Picture, radius_um: float, is_bright: bool, expected_um: XY, reach_um: float
) -> ShiftOrMissing:
    """Centre of a hole of known radius, which may lie outside the image.

    For each place it is asked how well one level inside the circle and another outside describe the image: by the share
    of the variance between the two (Fisher's criterion, as in Otsu's threshold, with the circle in place of the
    threshold). Sums over all circles at once are a convolution with a disk.

    Parameters
    ----------
    picture : Picture
        An image that shows a part of the hole's edge.
    radius_um : float
        Of the hole.
    is_bright : bool
        Whether it is brighter than the foil.
    expected_um : XY
        Where the centre should be (specimen frame, µm from the image's centre).
    reach_um : float
        How far from there it may be.

    Returns
    -------
    XY or Missing
        In the same frame; Missing when there is no such edge.
    """
    factor = max(1, min(picture.pixels.shape) // COMPARED_PX)
    image = _reduced(picture.pixels, factor)
    rows, columns = image.shape
    pixel_um = factor * math.sqrt(abs(picture.to_specimen.determinant))
    radius = radius_um / pixel_um
    place = picture.to_specimen.inverse().apply(expected_um).scaled(1.0 / factor)
    middle = (round(-place.y), round(place.x))  # rows down and columns right of the image's centre
    reach = math.ceil(reach_um / pixel_um) + 1
    share, contrast = _explained(image, radius, middle, reach)
    row, column = (int(at) for at in np.unravel_index(int(np.argmax(share)), share.shape))
    best = float(share[row, column])
    if not best >= LEAST_EXPLAINED:
        return Missing(f"no edge of a hole explains the image ({best:.0%} of its variance)")
    if (contrast[row, column] > 0) != is_bright:
        return Missing("the edge has the wrong sides bright and dark")
    if not (0 < row < share.shape[0] - 1 and 0 < column < share.shape[1] - 1):
        return Missing(f"the hole is more than {reach_um:.2f} µm from where it should be")
    down = middle[0] - reach + row + _vertex(share[row - 1 : row + 2, column])
    right = middle[1] - reach + column + _vertex(share[row, column - 1 : column + 2])
    # A reduced image that lost some last rows and columns has its centre aside.
    down += (rows - picture.pixels.shape[0] / factor) / 2
    right += (columns - picture.pixels.shape[1] / factor) / 2
    return picture.to_specimen.apply(XY(right * factor, -down * factor))


def _reduced(pixels: NDArray[np.generic], factor: int) -> Pixels:
    """Means of `factor` x `factor` pixels, smoothed, with mean 0."""
    rows, columns = (size // factor for size in pixels.shape)
    values = pixels[: rows * factor, : columns * factor].astype(np.float64)
    image = scipy.ndimage.gaussian_filter(
        values.reshape(rows, factor, columns, factor).mean(axis=(1, 3)), SMOOTHED_PX
    )
    low, high = np.percentile(image, (2, 98))  # a speck of contamination counts no more than the foil
    clipped = np.clip(image, low, high)
    centred: Pixels = clipped - clipped.mean()
    return centred


def _explained(image: Pixels, radius: float, middle: tuple[int, int], reach: int) -> tuple[Pixels, Pixels]:
    """For centres within `reach` of `middle`: share of the variance that two levels explain, and their difference."""
    rows, columns = image.shape
    # All circles are cut from one disk with so much room around that it can lie anywhere against the image.
    room = [size + 2 * reach + 2 * abs(offset) + 2 for size, offset in zip((rows, columns), middle)]
    down, across = (np.arange(size) - (size - 1) / 2 for size in room)
    distance = np.hypot(down[:, None], across[None, :])
    disk = np.clip(radius - distance + 0.5, 0.0, 1.0)
    sums = scipy.signal.fftconvolve(disk, image[::-1, ::-1], mode="valid")
    counts = scipy.signal.fftconvolve(disk, np.ones_like(image), mode="valid")
    # The image's place against the disk is opposite to the disk's against the image.
    centre = [(size - 1) // 2 for size in sums.shape]
    rows_at = centre[0] - middle[0] + np.arange(reach, -reach - 1, -1)
    columns_at = centre[1] - middle[1] + np.arange(reach, -reach - 1, -1)
    inside, total = counts[np.ix_(rows_at, columns_at)], float(image.size)
    sum_in = sums[np.ix_(rows_at, columns_at)]
    outside = total - inside
    valid = (inside > LEAST_SHARE * total) & (outside > LEAST_SHARE * total)
    safe_in, safe_out = np.where(valid, inside, 1.0), np.where(valid, outside, 1.0)
    contrast = np.where(valid, sum_in / safe_in + sum_in / safe_out, 0.0)  # the whole has mean 0
    between = contrast**2 * inside * outside / total
    return np.where(valid, between / float((image**2).sum()), 0.0), contrast


def _vertex(three: Pixels) -> float:
    """Place of the top of a parabola through three values, from the middle one."""
    before, here, after = map(float, three)
    bend = before - 2 * here + after
    return 0.0 if bend >= 0 else 0.5 * (before - after) / bend
