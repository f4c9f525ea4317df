"""Holes one by one where a lattice predicts them, and the lattice that fits them best.

Each hole is compared with the mean of all: the template is their radial profile, the score the normalised
cross-correlation with it at the best place near the predicted one. The lattice is fitted to these places, which is more
exact than the autocorrelation and tells how exact it is.
"""

from __future__ import annotations

import itertools
import math
import warnings
from typing import Any, NamedTuple

import numpy as np
import scipy.fft
import scipy.ndimage
import scipy.spatial
from numpy.typing import NDArray

from pacetomo.selection.lattice_cell import Cell
from pacetomo.selection.lattice_levels import Pixels
from pacetomo.selection.lattice_rims import rim

Floats = NDArray[np.float64]
Spectrum = NDArray[np.complexfloating[Any, Any]]

_ROUNDS = (2.2, 6.0, math.inf, math.inf)
"""How far from the first hole others are looked at, in spacings."""

_REACH = 0.2
"""How far from the predicted place a hole is looked for, as a share of the spacing."""

LEAST_SCORE = 0.35
"""Normalised cross-correlation from which on a hole is believed to be seen."""

_MOST_HOLES = 2500
_NEIGHBOURS = 5
_LEAST_INSIDE = 0.3
_REWEIGHTED = 5
_TUKEY = 5.0
_FINEST_PX = 0.5
_AVERAGED = 150


class Seen(NamedTuple):
    """Lattice points of an image and what was found near them (pixels of a level); one row each.

    `off` is the distance of the place found from where the holes around lead to, `likeness` the map that the scores
    come from, `diameter_px` that of the mean hole.
    """

    indices: NDArray[np.intp]
    places: Floats
    scores: Floats
    off: Floats
    likeness: Pixels
    diameter_px: float


class Fit(NamedTuple):
    """A lattice fitted to holes.

    `basis` holds a and b as rows, `sigma` their standard errors.
    """

    origin: Floats
    basis: Floats
    sigma: Floats


def sites(shape: tuple[int, int], origin: Floats, basis: Floats) -> NDArray[np.intp]:
    """Indices (n, 2) of the lattice points inside an image, those nearest to its middle if there are very many."""
    rows, columns = shape
    corners = np.array(list(itertools.product((0, columns - 1), (0, rows - 1))), dtype=np.float64)
    inverse = np.linalg.inv(basis)
    reached = (corners - origin) @ inverse
    low, high = np.floor(reached.min(axis=0)).astype(int), np.ceil(reached.max(axis=0)).astype(int)
    i, j = (axis.ravel() for axis in np.mgrid[low[0] : high[0] + 1, low[1] : high[1] + 1])
    indices = np.column_stack([i, j])
    places = origin + indices @ basis
    inside = np.all((places >= 0) & (places <= [columns - 1, rows - 1]), axis=1)
    indices, places = indices[inside], places[inside]
    if len(indices) > _MOST_HOLES:
        away = np.hypot(*(places - [(columns - 1) / 2, (rows - 1) / 2]).T)
        indices = indices[np.argsort(away, kind="stable")[:_MOST_HOLES]]
    found: NDArray[np.intp] = indices
    return found


def mean_hole(flat: Pixels, places: Floats, radius_px: float) -> Floats:
    """Median of the image around places, so that single ones do not count; a square of odd side."""
    n = math.ceil(radius_px)
    places = places[:: 1 + len(places) // _AVERAGED]
    down, right = np.mgrid[-n : n + 1, -n : n + 1]
    rows, columns = places[:, 1, None, None] + down, places[:, 0, None, None] + right
    patches = scipy.ndimage.map_coordinates(flat, [rows, columns], order=1, mode="constant", cval=np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a pixel outside the image around all of them
        hole: Floats = np.nan_to_num(np.nanmedian(patches, axis=0)).astype(np.float64)
    return hole


def template(hole: Floats, radius_px: float) -> Pixels:
    """Radial profile of a hole as a square image of odd side; NaN beyond the radius."""
    n = hole.shape[0] // 2
    down, right = np.mgrid[-n : n + 1, -n : n + 1]
    distance = np.hypot(down, right)
    rings = np.arange(math.ceil(radius_px) + 1)
    profile = [float(hole[np.abs(distance - ring) < 1.0].mean()) for ring in rings]
    disc: Pixels = np.where(distance <= radius_px, np.interp(distance, rings, profile), np.nan).astype(
        np.float32
    )
    return disc


class Likeness:
    """Normalised cross-correlation of an image with templates of one size.

    Near the border the part of the template that lies inside counts, so that a hole cut by it is seen where it is.

    Parameters
    ----------
    flat : array (rows, columns)
        The image.
    side : int
        Of the templates, odd.
    """

    def __init__(self, flat: Pixels, side: int) -> None:
        self._shape = flat.shape
        self._padded = tuple(scipy.fft.next_fast_len(size + side - 1, real=True) for size in flat.shape)
        self._offset = side // 2
        self._inside, self._pixels, self._squares = (
            scipy.fft.rfft2(image, self._padded) for image in (np.ones_like(flat), flat, flat * flat)
        )

    def to(self, disc: Pixels) -> Pixels:
        """Likeness at each pixel, -1 to 1; -1 where too little of the template lies inside.

        Parameters
        ----------
        disc : array (side, side)
            The template, NaN where it does not count.
        """
        mask = np.isfinite(disc).astype(np.float32)
        pattern = np.nan_to_num(disc - np.nanmean(disc)).astype(np.float32)
        ones, weights, squares = (
            scipy.fft.rfft2(kernel, self._padded) for kernel in (mask, pattern, pattern * pattern)
        )
        count = np.maximum(self._sums(self._inside, ones), 1.0)
        mean_pixels, mean_pattern = (
            self._sums(self._pixels, ones) / count,
            self._sums(self._inside, weights) / count,
        )
        var_pixels = self._sums(self._squares, ones) / count - mean_pixels**2
        var_pattern = self._sums(self._inside, squares) / count - mean_pattern**2
        product = self._sums(self._pixels, weights) / count - mean_pixels * mean_pattern
        flatness = max(float(np.nanvar(disc)), 1e-12)
        spread = np.sqrt(np.maximum(var_pixels, 0.01) * np.maximum(var_pattern, 0.2 * flatness))
        enough = count >= _LEAST_INSIDE * mask.sum()
        result: Pixels = np.where(enough, np.clip(product / spread, -1.0, 1.0), -1.0).astype(np.float32)
        return result

    def _sums(self, image: Spectrum, kernel: Spectrum) -> Pixels:
        # Templates and masks are symmetric, so convolution is correlation.
        whole = scipy.fft.irfft2(image * kernel, self._padded)
        rows, columns = self._shape
        sums: Pixels = whole[self._offset : self._offset + rows, self._offset : self._offset + columns]
        return sums


def tops(values: Pixels, places: Floats, reach_px: float) -> tuple[Floats, Floats]:
    """Highest values within a reach of places (n, 2): where, to a fraction of a pixel, and how high."""
    n = max(1, math.ceil(reach_px))
    down, right = (axis.ravel() for axis in np.mgrid[-n : n + 1, -n : n + 1])
    near = np.hypot(down, right) <= max(reach_px, 1.0)
    down, right = down[near], right[near]
    padded = np.pad(values, n + 2, mode="constant", constant_values=-1.0)
    rows = np.clip(np.rint(places[:, 1]).astype(int), 0, values.shape[0] - 1)[:, None] + down + n + 2
    columns = np.clip(np.rint(places[:, 0]).astype(int), 0, values.shape[1] - 1)[:, None] + right + n + 2
    around = padded[rows, columns]
    best = np.argmax(around, axis=1)
    each = np.arange(len(places))
    row, column = rows[each, best], columns[each, best]
    fine = [
        _vertices(padded[row, column - 1], padded[row, column], padded[row, column + 1]) + column - n - 2,
        _vertices(padded[row - 1, column], padded[row, column], padded[row + 1, column]) + row - n - 2,
    ]
    return np.column_stack(fine).astype(np.float64), around[each, best].astype(np.float64)


def _vertices(before: Pixels, here: Pixels, after: Pixels) -> Pixels:
    bend = before - 2 * here + after
    shift = np.divide(0.5 * (before - after), bend, out=np.zeros_like(bend), where=bend < -1e-9)
    moved: Pixels = np.clip(shift, -0.5, 0.5)
    return moved


def fit(indices: NDArray[np.intp], places: Floats, weights: Floats) -> Fit | None:
    """Lattice through places by weighted least squares; None if they do not span one.

    Places far off count less and less (Tukey's biweight), so that holes drawn aside by a bar or a crack do not bend the
    lattice. The standard errors are those of the least squares, from the residuals themselves.
    """
    design = np.column_stack([np.ones(len(indices)), indices])
    used = weights.astype(np.float64)
    for _ in range(_REWEIGHTED):
        kept = used > 0
        if kept.sum() < 3 or np.linalg.matrix_rank(design[kept]) < 3:
            return None
        scale = np.sqrt(used[kept])[:, None]
        solution = np.linalg.lstsq(design[kept] * scale, places[kept] * scale, rcond=None)[0]
        off = np.hypot(*(places - design @ solution).T)
        width = max(_TUKEY * float(np.median(off[weights > 0])), _FINEST_PX)
        used = weights * np.maximum(1 - (off / width) ** 2, 0.0) ** 2
    used = np.where(kept, used, 0.0)
    mean = float(used[kept].mean())
    if mean <= 0:
        return None
    freedom = max(int(kept.sum()) - 3, 1)
    variance = float((used * off**2).sum()) / (2 * freedom * mean)
    covariance = np.linalg.pinv((design * used[:, None] / mean).T @ design)
    sigma = np.sqrt(max(variance, 0.05**2) * np.diag(covariance)[1:])
    return Fit(solution[0], solution[1:], sigma)


def seen(flat: Pixels, cell: Cell, basis: Floats) -> tuple[Fit, Seen] | None:
    """Holes of a lattice and the lattice fitted to them; None if too few look alike.

    The fit starts around the cell's hole and grows: each round takes in holes farther away, where those before lead to.

    Parameters
    ----------
    flat : array (rows, columns)
        The image with the light evened out.
    cell : Cell
        Where the holes lie.
    basis : array (2, 2)
        Vectors of the lattice as rows.
    """
    spacing = min(math.hypot(*row) for row in basis)
    radius = max(min(0.5 * spacing, 0.85 * cell.diameter_px), 2.0)
    origin = cell.centre
    middle = cell.centre
    good = np.zeros((0, 2))
    compare = Likeness(flat, 2 * math.ceil(radius) + 1)
    for rounds in _ROUNDS:
        indices = sites(flat.shape, origin, basis)
        if len(indices) < 3:
            return None
        places = origin + indices @ basis
        away = np.hypot(*(places - middle).T)
        order = np.argsort(away, kind="stable")
        count = max(int((away <= rounds * spacing).sum()), 6)
        indices, places = indices[order[:count]], places[order[:count]]
        around = good if len(good) else places
        circle = rim(mean_hole(flat, around, radius), cell.diameter_px, cell.sign)
        values = compare.to(template(mean_hole(flat, around + circle.aside, radius), radius))
        found, scores = tops(values, places, _REACH * spacing)
        off = np.hypot(*(found - places).T)
        at_rim = off > 0.9 * _REACH * spacing  # the slope of something else
        fitted = fit(indices, found, np.where(at_rim, 0.0, np.maximum(scores - LEAST_SCORE, 0.0)))
        if fitted is None:
            return None
        best = fitted
        origin, basis = best.origin, best.basis
        good = found[scores >= max(LEAST_SCORE, 0.7 * float(np.percentile(scores, 90)))]
    # A shadow on one side of the holes draws the correlation aside, always to the same side.
    circle = rim(mean_hole(flat, good, radius), circle.diameter_px, cell.sign)
    expected = origin + indices @ basis
    expected = expected + _strain(expected, found - expected, scores)
    found, scores = tops(values, expected, _REACH * spacing)
    off = np.hypot(*(found - expected).T)
    best = best._replace(origin=best.origin + circle.aside)
    return best, Seen(indices, found + circle.aside, scores, off, values, circle.diameter_px)


def _strain(places: Floats, moves: Floats, scores: Floats) -> Floats:
    """How far holes around each place lie off the lattice: median of the nearest good ones.

    The pieces of a montage do not fit exactly, and foil is wavy.
    """
    good = scores >= max(LEAST_SCORE, 0.7 * float(np.percentile(scores, 90)))
    if good.sum() <= _NEIGHBOURS:
        return np.zeros_like(places)
    _, nearest = scipy.spatial.cKDTree(places[good]).query(places, _NEIGHBOURS)
    strain: Floats = np.median(moves[good][nearest], axis=1)
    return strain
