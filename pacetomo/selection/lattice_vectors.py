"""Vectors of a lattice from an image's correlation with itself.

A lattice of holes shows in the autocorrelation as a lattice of peaks, whatever its rotation and wherever the holes lie.
Each pair of peaks is a guess at the two vectors. A guess is judged by the mean correlation at the points it predicts,
against chance, and against the places between them: a stripe pattern correlates there as well, and so does a
cell that is a multiple of the true one.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy.fft
import scipy.ndimage
from numpy.typing import NDArray

from pacetomo.selection.lattice_levels import Pixels

Floats = NDArray[np.float64]

_NEAREST = 1.1
"""Distance of neighbouring holes in diameters, at least."""

_LEAST_OVERLAP = 0.2
"""Share of the image that must overlap with itself at a shift for its correlation to be counted."""

_LEAST_SINE, _LONGEST = 0.4, 2.2
"""Of the angle between the shortest vectors, and of the longer one in units of the other."""

_PEAKS = 12
_RINGS = 4


class Guess(NamedTuple):
    """Two vectors (columns right, rows down; pixels of a level) and what speaks for them.

    `height` is the mean correlation at the lattice's points (1 for identical surroundings), `z` the same in standard
    deviations of chance, `contrast` by which share it is lower between them, at least.
    """

    a: Floats
    b: Floats
    height: float
    z: float
    contrast: float


class Autocorrelation:
    """Correlation of a response with itself, for shifts in the right half plane and left of it.

    Parameters
    ----------
    response : array (rows, columns)
        Of mean zero.
    diameter_px : float
        Of the holes that the response is made for.
    """

    def __init__(self, response: Pixels, diameter_px: float) -> None:
        rows, columns = response.shape
        shape = [scipy.fft.next_fast_len(2 * size - size // 4, real=True) for size in response.shape]
        spectrum = scipy.fft.rfft2(response, shape)
        products = scipy.fft.irfft2(spectrum.real**2 + spectrum.imag**2, shape)
        # Shifts beyond three quarters of a side would wrap around; they overlap too little in any case.
        self.reach = (3 * rows // 4 - 1, 3 * columns // 4 - 1)
        down = np.arange(-self.reach[0], self.reach[0] + 1)
        right = np.arange(-self.reach[1], self.reach[1] + 1)
        self.overlap = np.outer(1 - np.abs(down) / rows, 1 - np.abs(right) / columns)
        sums = products[np.ix_(down, right)]
        power = float(products[0, 0]) / (rows * columns)
        self.values: Floats = np.where(
            self.overlap > 0,
            sums / np.maximum(self.overlap, 1e-6) / (rows * columns * max(power, 1e-30)),
            0.0,
        )
        self._diameter_px = diameter_px
        near = math.ceil(1.5 * diameter_px)
        middle_row, middle_column = self.reach
        around = self.values[
            max(middle_row - near, 0) : middle_row + near + 1,
            max(middle_column - near, 0) : middle_column + near + 1,
        ]
        # Values of a response are alike within its own width: so many of them count as one.
        self._independent = rows * columns / max(float((around**2).sum()), 1.0)

    def at(self, points: Floats) -> Floats:
        """Correlation at shifts (…, 2) of (columns, rows)."""
        places = [points[..., 1] + self.reach[0], points[..., 0] + self.reach[1]]
        values: Floats = scipy.ndimage.map_coordinates(self.values, places, order=1, mode="nearest")
        return values

    def near(self, points: Floats) -> Floats:
        """The same at the nearest whole pixels, which is faster."""
        rows = np.clip(np.rint(points[..., 1]).astype(np.intp) + self.reach[0], 0, 2 * self.reach[0])
        columns = np.clip(np.rint(points[..., 0]).astype(np.intp) + self.reach[1], 0, 2 * self.reach[1])
        values: Floats = self.values[rows, columns]
        return values

    def precision(self, points: Floats) -> Floats:
        """Reciprocal of the standard deviation that chance gives a correlation at shifts (…, 2); 0 if out of reach."""
        rows, columns = self.reach
        share = np.maximum(1 - 0.75 * np.abs(points[..., 1]) / rows, 0) * np.maximum(
            1 - 0.75 * np.abs(points[..., 0]) / columns, 0
        )
        within = (np.abs(points[..., 1]) <= rows) & (np.abs(points[..., 0]) <= columns)
        precision: Floats = np.where(
            within & (share >= _LEAST_OVERLAP), np.sqrt(share * self._independent), 0.0
        )
        return precision

    def peaks(self) -> Floats:
        """Shifts (n, 2) of peaks in a half plane: those farthest beyond chance, and the shortest of the high ones."""
        size = 2 * max(1, round(0.25 * self._diameter_px)) + 1
        highest = scipy.ndimage.maximum_filter(self.values, size=size) == self.values
        highest &= self.overlap >= _LEAST_OVERLAP
        highest[: self.reach[0]] = False
        rows, columns = np.nonzero(highest)
        shifts = np.column_stack([columns - self.reach[1], rows - self.reach[0]]).astype(np.float64)
        distance = np.hypot(shifts[:, 0], shifts[:, 1])
        shifts = shifts[distance >= _NEAREST * self._diameter_px]
        beyond = self.at(shifts) * self.precision(shifts)
        shifts, beyond = shifts[beyond > 3.0], beyond[beyond > 3.0]
        if len(beyond) == 0:
            return shifts
        order = np.argsort(-beyond, kind="stable")
        # In a fine lattice hundreds are alike: the vectors are among the shortest of them.
        high = np.nonzero(beyond >= 0.5 * beyond.max())[0]
        short = high[np.argsort(np.hypot(*shifts[high].T), kind="stable")]
        picked: Floats = shifts[np.unique(np.concatenate([order[:_PEAKS], short[:_PEAKS]]))]
        return picked

    def climbed(self, point: Floats, reach: float) -> tuple[Floats, float]:
        """Top of the correlation within a reach of a shift, to a fraction of a pixel, and its height."""
        n = max(1, math.ceil(reach))
        column, row = round(point[0]) + self.reach[1], round(point[1]) + self.reach[0]
        top, left = max(row - n, 0), max(column - n, 0)
        part = self.values[top : row + n + 1, left : column + n + 1]
        if part.size == 0:
            return point, 0.0
        r, c = (int(v) for v in np.unravel_index(int(np.argmax(part)), part.shape))
        r, c = r + top, c + left
        fine = [float(c), float(r)]
        if 0 < r < self.values.shape[0] - 1 and 0 < c < self.values.shape[1] - 1:
            fine = [c + _vertex(self.values[r, c - 1 : c + 2]), r + _vertex(self.values[r - 1 : r + 2, c])]
        return np.array([fine[0] - self.reach[1], fine[1] - self.reach[0]]), float(self.values[r, c])


def _vertex(three: Floats) -> float:
    """Where the parabola through three equidistant values has its vertex, from the middle one."""
    bend = three[0] - 2 * three[1] + three[2]
    return 0.0 if bend >= 0 else float(np.clip(0.5 * (three[0] - three[2]) / bend, -0.5, 0.5))


def shortest(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """The two shortest vectors of the lattice that two vectors span (Lagrange's reduction)."""
    if a @ a > b @ b:
        a, b = b, a
    while a @ a > 1e-12:
        b = b - round(float(a @ b) / float(a @ a)) * a
        if b @ b >= a @ a * (1 - 1e-9):
            break
        a, b = b, a
    return a, b


def _indices(rings: int) -> Floats:
    """Lattice points of a half plane without the origin, (n, 2)."""
    steps = [
        (i, j) for i, j in itertools.product(range(-rings, rings + 1), range(0, rings + 1)) if j > 0 or i > 0
    ]
    return np.array(steps, dtype=np.float64)


_NEAR, _FAR = _indices(2), _indices(_RINGS)
_BESIDE = np.array([[1, 0], [0, 1], [1, 1]]) / 2
_THIRDS = np.array([[1, 0], [0, 1], [1, 1], [1, 2]]) / 3


def judged(correlation: Autocorrelation, a: Floats, b: Floats, indices: Floats) -> Guess:
    """What speaks for two vectors."""
    basis = np.array([a, b])
    points = indices @ basis
    precision = correlation.precision(points)
    known = precision > 0
    if known.sum() < 2:
        return Guess(a, b, 0.0, 0.0, 0.0)
    values = correlation.at(points)
    weights = np.where(known, precision**2, 0.0)
    height = float(weights @ values / weights.sum())
    z = height * math.sqrt(float(weights.sum()))
    beside = [
        float(weights @ correlation.at((indices + step) @ basis)) / float(weights.sum())
        for step in (*_BESIDE, *_THIRDS)
    ]
    contrast = (height - max(beside)) / height if height > 0 else 0.0
    return Guess(a, b, height, z, contrast)


def guesses(correlation: Autocorrelation, least_contrast: float) -> list[Guess]:
    """Lattices that the peaks of a correlation suggest, the likeliest first."""
    pairs: list[tuple[Floats, Floats]] = []
    for one, other in itertools.combinations(correlation.peaks(), 2):
        a, b = shortest(one, other)
        lengths = math.hypot(*a), math.hypot(*b)
        area = abs(float(a[0] * b[1] - a[1] * b[0]))
        if area >= _LEAST_SINE * lengths[0] * lengths[1] and lengths[1] <= _LONGEST * lengths[0]:
            pairs.append((a, b))
    if not pairs:
        return []
    bases = np.array(pairs)
    points = _NEAR @ bases
    weights = correlation.precision(points) ** 2
    total = np.maximum(weights.sum(axis=1), 1e-9)
    heights = (weights * correlation.near(points)).sum(axis=1) / total
    beside = [
        (weights * correlation.near((_NEAR + step) @ bases)).sum(axis=1) / total
        for step in (*_BESIDE, *_THIRDS)
    ]
    contrasts = 1 - np.max(beside, axis=0) / np.maximum(heights, 1e-9)
    z = heights * np.sqrt(total)
    good = np.nonzero((heights > 0) & (contrasts >= least_contrast))[0]
    order = good[np.argsort(-z[good], kind="stable")]
    return [
        Guess(bases[n, 0], bases[n, 1], float(heights[n]), float(z[n]), float(contrasts[n])) for n in order
    ]


def refined(correlation: Autocorrelation, guess: Guess) -> Guess:
    """A guess fitted to ever more of the peaks it predicts, each looked for where those before lead to."""
    a, b = guess.a, guess.b
    reach = 0.12 * math.hypot(*a)
    for rings in range(1, _RINGS + 1):
        indices = _indices(rings)
        points = indices @ np.array([a, b])
        precision = correlation.precision(points)
        rows: list[Floats] = []
        seen: list[Floats] = []
        weights: list[float] = []
        for index, point, known in zip(indices, points, precision):
            if known == 0:
                continue
            top, height = correlation.climbed(point, reach)
            if height * known > 3.0 and math.hypot(*(top - point)) <= 1.5 * reach:
                rows.append(index)
                seen.append(top)
                weights.append(height * known)
        fitted = _fitted(rows, seen, weights)
        if fitted is None:
            break
        a, b = fitted
    a, b = shortest(a, b)
    return judged(correlation, a, b, _FAR)


def _fitted(
    rows: Sequence[Floats], seen: Sequence[Floats], weights: Sequence[float]
) -> tuple[Floats, Floats] | None:
    """Vectors by least squares; None if the peaks lie in one line."""
    if len(rows) < 2:
        return None
    indices = np.array(rows)
    scale = np.array(weights)[:, None]
    if np.linalg.matrix_rank(indices) < 2:
        return None
    solution = np.linalg.lstsq(indices * scale, np.array(seen) * scale, rcond=None)[0]
    return solution[0], solution[1]
