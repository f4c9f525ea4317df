"""Finding the lattice of holes in an image of a holey foil. Arrays only, no microscope.

1. The image is reduced, and holes of ever larger diameters are made to stand out (`lattice_levels`).
2. The autocorrelation of each such response suggests lattices (`lattice_vectors`).
3. The best one says where in its cell the hole is (`lattice_cell`), and
4. is fitted to the holes one by one, from where it is clearest outwards (`lattice_holes`, `lattice_rims`), and doubted
   if they do not bear it out (`lattice_confirming`).

Anything correlates with itself at some shifts. So a lattice is believed only if the correlation is far beyond chance
and lower half a step beside the lattice's points, and if enough holes alike lie on it and few off it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Union

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from pacetomo.frames import XY, Matrix2
from pacetomo.selection.lattice import FoundLattice, Hole, NoLattice, canonical, kind_of
from pacetomo.selection.lattice_confirming import Candidate, Confirmed, confirmed
from pacetomo.selection.lattice_holes import Seen
from pacetomo.selection.lattice_levels import (
    DIAMETERS_PX,
    Level,
    Pixels,
    coarse_levels,
    fine_levels,
    hole_response,
    prepared,
)
from pacetomo.selection.lattice_rims import rim
from pacetomo.selection.lattice_vectors import Autocorrelation, guesses, refined

Floats = NDArray[np.float64]

FoundOrNot = Union[FoundLattice, NoLattice]

SMALLEST_IMAGE_PX = 64

_LEAST_Z = 8.0
"""Standard deviations of chance; the best of all guesses in noise reaches 6."""

_LEAST_CONTRAST = 0.4
_TRIED = 3
_LARGEST_SHARE = 0.45
"""Of the image's side that a hole may take up: four of them are to be seen."""


def hole_diameter_px(pixels: NDArray[Any]) -> float:
    """Diameter of the hole in the middle of an image of a single hole, bright or dark, as a reference for others (px).

    Parameters
    ----------
    pixels : array (rows, columns)
        The hole takes up from a quarter to all of the shorter side.
    """
    side = min(pixels.shape)
    image = prepared(pixels)
    top, left = (size // 2 - side // 2 for size in image.shape)
    middle = image[top : top + side - (1 - side % 2), left : left + side - (1 - side % 2)].astype(np.float64)
    middle = scipy.ndimage.gaussian_filter(middle, 0.01 * side)
    return max(
        rim(middle, share * side, sign) for share in (0.3, 0.45, 0.6, 0.8) for sign in (1, -1)
    ).diameter_px


def find_lattice(
    pixels: NDArray[Any], to_specimen: Matrix2 | None = None, diameter_px: float | None = None
) -> FoundOrNot:
    """The lattice of holes in an image.

    Parameters
    ----------
    pixels : array (rows, columns)
        The image, top row first; holes may be brighter or darker than the foil.
    to_specimen : Matrix2, optional
        Pixels (X right, Y up) to µm in the specimen frame.
    diameter_px : float, optional
        About the diameter of a hole, if it is known (`hole_diameter_px`); others are not tried then.

    Returns
    -------
    FoundLattice or NoLattice
        The latter, false in a condition, says why nothing was found.

    Raises
    ------
    ValueError
        When the array is not one of two dimensions.
    """
    if pixels.ndim != 2:
        raise ValueError(f"an image of two dimensions is needed, this one has {pixels.ndim}")
    if min(pixels.shape) < SMALLEST_IMAGE_PX:
        return NoLattice(
            f"the image has {pixels.shape[1]} x {pixels.shape[0]} pixels; at least {SMALLEST_IMAGE_PX} along each "
            "side are needed"
        )
    image = prepared(pixels)
    if float(np.ptp(image)) == 0.0:
        return NoLattice("the image is the same everywhere")
    reason = NoLattice("nothing in the image repeats in two directions")
    for levels in (coarse_levels, fine_levels):
        good: list[Confirmed] = []
        for candidate in _candidates(levels(image), diameter_px, _LARGEST_SHARE * min(image.shape)):
            outcome = confirmed(image, candidate)
            if isinstance(outcome, NoLattice):
                reason = outcome
                continue
            good.append(outcome)
            if outcome.is_plain:
                break
        if good:
            return _described(image, max(good, key=lambda one: one.explained), to_specimen)
    return reason


def _candidates(levels: Iterator[Level], known_px: float | None, largest_px: float) -> list[Candidate]:
    """Lattices worth a look, the best first."""
    found: list[Candidate] = []
    for level in levels:
        for diameter in DIAMETERS_PX:
            whole = diameter * level.factor
            if whole > largest_px or (known_px is not None and not 0.6 < whole / known_px < 1.5):
                continue
            correlation = Autocorrelation(hole_response(level.pixels, diameter), diameter)
            for guess in guesses(correlation, _LEAST_CONTRAST)[:_TRIED]:
                fitted = refined(correlation, guess)
                nearest = min(math.hypot(*fitted.a), math.hypot(*fitted.b))
                if fitted.z >= _LEAST_Z and fitted.contrast >= _LEAST_CONTRAST and nearest > 1.1 * diameter:
                    found.append(Candidate(fitted, fitted.a * level.factor, fitted.b * level.factor, whole))
    found.sort(key=lambda candidate: -candidate.merit)
    return _distinct(found)[:_TRIED]


def _distinct(candidates: list[Candidate]) -> list[Candidate]:
    """Candidates without those of the same lattice as a better one."""
    kept: list[Candidate] = []
    for candidate in candidates:
        area = abs(float(np.linalg.det([candidate.a, candidate.b])))
        same = False
        for other in kept:
            steps = np.array([candidate.a, candidate.b]) @ np.linalg.inv([other.a, other.b])
            other_area = abs(float(np.linalg.det([other.a, other.b])))
            same |= bool(np.abs(steps - np.rint(steps)).max() < 0.1) and 0.8 < area / other_area < 1.25
        if not same:
            kept.append(candidate)
    return kept


def _described(image: Pixels, found: Confirmed, to_specimen: Matrix2 | None) -> FoundLattice:
    """What was found, in pixels of the whole image and by the canonical vectors."""
    level, fitted, holes, good = found.level, found.fit, found.holes, found.good
    a, b = canonical(*(XY(*(float(value) * level.factor for value in row)) for row in fitted.basis))
    basis = np.array([a, b])
    inverse = np.linalg.inv(basis)
    rows, columns = image.shape
    places = (holes.places + 0.5) * level.factor - 0.5 + level.start
    middle = np.array([(columns - 1) / 2, (rows - 1) / 2])
    nearest = places[good][np.argmin(np.hypot(*(places[good] - middle).T))]
    origin = np.array(level.place(float(fitted.origin[0]), float(fitted.origin[1])))
    origin = origin + np.rint((nearest - origin) @ inverse) @ basis
    sigma = float(fitted.sigma.max()) * level.factor
    return FoundLattice(
        a,
        b,
        XY(sigma, sigma),
        kind_of(a, b),
        found.confidence,
        XY(float(origin[0]), float(origin[1])),
        holes.diameter_px * level.factor,
        found.cell.sign == 1,
        _holes(found, places, origin, basis),
        (columns, rows),
        to_specimen,
    )


def _holes(found: Confirmed, places: Floats, origin: Floats, basis: Floats) -> tuple[Hole, ...]:
    """All lattice points that were looked at, by index; those without a hole at their own place."""
    brightness = _brightness(found.level.pixels, found.holes, found.good, found.cell.sign)
    own = (np.array(found.level.start) - 0.5) + (
        found.fit.origin + found.holes.indices @ found.fit.basis + 0.5
    ) * (found.level.factor)
    indices = np.rint((own - origin) @ np.linalg.inv(basis)).astype(int)
    at = np.where(found.good[:, None], places, own)
    return tuple(
        Hole(
            (int(indices[n, 0]), int(indices[n, 1])),
            XY(float(at[n, 0]), float(at[n, 1])),
            float(found.holes.scores[n]),
            float(brightness[n]),
            bool(found.good[n]),
        )
        for n in np.lexsort((indices[:, 1], indices[:, 0]))
    )


def _brightness(pixels: Pixels, holes: Seen, good: NDArray[np.bool_], sign: int) -> Floats:
    """Step of brightness at each lattice point in units of that of the usual hole."""
    radius = 0.5 * holes.diameter_px
    n = math.ceil(1.5 * radius)
    down, right = (axis.ravel() for axis in np.mgrid[-n : n + 1, -n : n + 1])
    distance = np.hypot(down, right)
    rows = np.clip(np.rint(holes.places[:, 1]).astype(int)[:, None] + down, 0, pixels.shape[0] - 1)
    columns = np.clip(np.rint(holes.places[:, 0]).astype(int)[:, None] + right, 0, pixels.shape[1] - 1)
    around = pixels[rows, columns]
    inner = distance <= max(0.8 * radius, 1.0)
    outer = (distance > 1.15 * radius) & (distance <= max(1.5 * radius, 1.15 * radius + 1.5))
    steps = sign * (around[:, inner].mean(axis=1) - np.median(around[:, outer], axis=1))
    usual = float(np.median(steps[good]))
    values: Floats = steps / usual if usual > 0 else np.ones(len(steps))
    return values.astype(np.float64)
