"""How far the centre of View lies off that of Record, seen at a place beside the targets. Arrays only.

A target that shows nothing in Record cannot tell. So a structure that View shows beside the targets, such as the edge
of a hole, is imaged as Record would show it, and looked for in the View image.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from pacetomo.frames import XY, Matrix2
from pacetomo.scope.protocol import Missing, Picture, ShiftOrMissing

Pixels = NDArray[np.float32]
IsClear = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.bool_]]
"""Tells of places (µm from the image's centre, specimen plane) whether the beam may be there."""

SMOOTH_PX = 1.0
GRADIENT_PX = 2.0
"""Widths (Gaussian sigma) for comparing, and for telling where there are corners."""

LEAST_PEAK = 0.5
"""Correlation coefficient from which on the structure counts as found."""

DISTINCT = 1.5
"""How many times less the best place must leave unexplained, as 1 less the coefficient, than any other does.

Bright holes in a dark film give coefficients near 1 all around.
"""

BESIDE_PX = 8
FEWEST_PX = 12


def place_with_structure(view: Picture, field_um: XY, margin_um: float, is_clear: IsClear) -> XY | None:
    """Where a View image shows most that can be told in both directions, in a field such as that of Record.

    An edge alone can be told across itself only: what counts is the smaller eigenvalue of the structure tensor, the sum
    of products of the slopes over the field.

    Parameters
    ----------
    view : Picture
        The image.
    field_um : XY
        Field to be imaged there (X by Y of its camera).
    margin_um : float
        How far the field must stay inside of the image.
    is_clear : callable
        Where the beam may be.

    Returns
    -------
    XY or None
        From the centre of the image (µm, specimen plane); None where no place is clear.
    """
    pixel_um = _scale_um(view.to_specimen)
    window = [max(3, round(size / pixel_um)) for size in (field_um.y, field_um.x)]
    smooth = scipy.ndimage.gaussian_filter(view.pixels.astype(np.float32), GRADIENT_PX)
    down, right = np.gradient(smooth)
    means = [
        scipy.ndimage.uniform_filter(part, window) for part in (down * down, right * right, down * right)
    ]
    half = 0.5 * (means[0] + means[1])
    score = half - np.sqrt(np.maximum(0.25 * (means[0] - means[1]) ** 2 + means[2] ** 2, 0.0))
    rows, columns = score.shape
    edge = [math.ceil(0.5 * size + margin_um / pixel_um) for size in window]
    step = max(1, min(window) // 6)
    at = np.meshgrid(
        np.arange(edge[0], rows - edge[0], step), np.arange(edge[1], columns - edge[1], step), indexing="ij"
    )
    row, column = (axis.ravel() for axis in at)
    x, y = _specimen(view.to_specimen, column + 0.5 - 0.5 * columns, 0.5 * rows - row - 0.5)
    values = np.where(is_clear(x, y), score[row, column], -np.inf)
    if not values.size or not np.isfinite(values.max()):
        return None
    best = int(np.argmax(values))
    return XY(float(x[best]), float(y[best]))


def place_in_view(view: Picture, other: Picture, expected_um: XY, reach_um: float) -> ShiftOrMissing:
    """Where a View image shows what is in the centre of an image of higher magnification.

    Parameters
    ----------
    view, other : Picture
        The images.
    expected_um, reach_um : XY, float
        Where it should be (from the centre of the View image, µm, specimen plane), and how far around it is looked for.

    Returns
    -------
    XY or Missing
        Missing where nothing alike stands out.
    """
    template = _seen_in(view, other)
    if min(template.shape) < FEWEST_PX:
        return Missing("an image of higher magnification shows too little to be found in View")
    pixel_um = _scale_um(view.to_specimen)
    expected = view.to_specimen.inverse().apply(expected_um)
    reach = math.ceil(reach_um / pixel_um)
    rows, columns = view.pixels.shape
    # The template's lower right neighbour of the middle is pixel n // 2, also where n is odd.
    middle = (round(0.5 * rows - expected.y - 0.5), round(expected.x + 0.5 * columns - 0.5))
    first = [at - size // 2 - reach for at, size in zip(middle, template.shape)]
    last = [start + size + 2 * reach for start, size in zip(first, template.shape)]
    if min(first) < 0 or last[0] > rows or last[1] > columns:
        return Missing("the structure lies too near to the edge of the View image")
    smooth = scipy.ndimage.gaussian_filter(view.pixels.astype(np.float32), SMOOTH_PX)
    heights = _coefficients(smooth[first[0] : last[0], first[1] : last[1]], template)
    row, column = np.unravel_index(int(np.argmax(heights)), heights.shape)
    highest = float(heights[row, column])
    beside = np.ones(heights.shape, bool)
    beside[
        max(0, row - BESIDE_PX) : row + BESIDE_PX + 1, max(0, column - BESIDE_PX) : column + BESIDE_PX + 1
    ] = False
    others = float(heights[beside].max()) if beside.any() else 0.0
    if highest < LEAST_PEAK or 1.0 - others < DISTINCT * (1.0 - highest):
        return Missing(f"the structure was not found in View for sure (correlation {highest:.2f})")
    # The middle of the template in continuous coordinates of the View image, X right and Y up from its centre.
    over = first[1] + column + _top(heights[row], int(column)) + 0.5 * template.shape[1] - 0.5 * columns
    down = first[0] + row + _top(heights[:, column], int(row)) + 0.5 * template.shape[0] - 0.5 * rows
    return view.to_specimen.apply(XY(float(over), float(-down)))


def _top(line: Pixels, at: int) -> float:
    """How far from its highest value the top of a line lies, by the parabola through the three."""
    if not 0 < at < len(line) - 1:
        return 0.0
    before, here, after = (float(value) for value in line[at - 1 : at + 2])
    bend = before - 2.0 * here + after
    return 0.5 * (before - after) / bend if bend < 0.0 else 0.0


def _seen_in(view: Picture, other: Picture) -> Pixels:
    """The part of an image of higher magnification that has all its pixels, as View would show it."""
    to_other = other.to_specimen.inverse().times(view.to_specimen)  # X right, Y up
    ratio = math.sqrt(abs(to_other.determinant))
    rows, columns = other.pixels.shape
    # Turned a little against each other, so not quite all of it.
    turn = abs(to_other.xpy) / ratio
    size = [
        math.floor(length / ratio - turn * across / ratio)
        for length, across in ((rows, columns), (columns, rows))
    ]
    if min(size) < FEWEST_PX:
        return np.zeros((0, 0), np.float32)
    smooth = scipy.ndimage.gaussian_filter(
        other.pixels.astype(np.float32), math.hypot(SMOOTH_PX * ratio, 0.3 * ratio)
    )
    right = np.arange(size[1]) + 0.5 - 0.5 * size[1]
    up = 0.5 * size[0] - np.arange(size[0]) - 0.5
    right, up = np.meshgrid(right, up)
    x, y = _specimen(to_other, right, up)
    at = np.array([0.5 * rows - y - 0.5, x + 0.5 * columns - 0.5])
    made: Pixels = scipy.ndimage.map_coordinates(smooth, at, order=1, mode="nearest").astype(np.float32)
    return made


def _coefficients(image: Pixels, template: Pixels) -> Pixels:
    """Correlation coefficient of a template with each part of an image that is as large."""
    import scipy.signal  # takes longer to load than a script may need to its first command

    flat = template - template.mean()
    image = image - image.mean()
    ones = np.ones_like(flat)
    products = scipy.signal.fftconvolve(image, flat[::-1, ::-1], mode="valid")
    sums = scipy.signal.fftconvolve(image, ones, mode="valid")
    squares = scipy.signal.fftconvolve(image**2, ones, mode="valid") - sums**2 / flat.size
    floor = 1e-6 * max(float(squares.max()), 1e-12)
    found: Pixels = products / np.sqrt(np.maximum(squares, floor) * max(float((flat**2).sum()), 1e-12))
    return found


def _specimen(matrix: Matrix2, x: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    return x * matrix.xpx + y * matrix.xpy, x * matrix.ypx + y * matrix.ypy


def _scale_um(matrix: Matrix2) -> float:
    return math.sqrt(abs(matrix.determinant))
