"""Finding the lattice of holes in an image of a holey foil. Arrays only, no microscope.

1. The image is reduced, and holes of ever larger diameters are made to stand out (`lattice_levels`).
2. The autocorrelation of each such response suggests lattices (`lattice_vectors`).
3. The best one says where in its cell the hole is (`lattice_cell`), and
4. is fitted to the holes one by one, from where it is clearest outwards (`lattice_holes`).

Anything correlates with itself at some shifts. So a lattice is believed only if the correlation is far beyond chance
and lower half a step beside the lattice's points, and if enough holes alike lie on it and few off it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple, Union

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from pacetomo.frames import XY, Matrix2
from pacetomo.selection.lattice import FoundLattice, Hole, LatticeKind, NoLattice, canonical, kind_of
from pacetomo.selection.lattice_cell import Cell, flattened, hole_of, strongest_place
from pacetomo.selection.lattice_holes import LEAST_SCORE, Fit, Seen, fit, seen
from pacetomo.selection.lattice_levels import (
    DIAMETERS_PX,
    LARGEST_PX,
    Level,
    Pixels,
    coarse_levels,
    fine_levels,
    hole_response,
    prepared,
    reduced,
)
from pacetomo.selection.lattice_rims import centred, rim
from pacetomo.selection.lattice_vectors import Autocorrelation, Guess, guesses, refined

Floats = NDArray[np.float64]

FoundOrNot = Union[FoundLattice, NoLattice]

SMALLEST_IMAGE_PX = 64

LEAST_HOLES = 4

_LEAST_Z = 8.0
"""Standard deviations of chance; the best of all guesses in noise reaches 6."""

_LEAST_CONTRAST = 0.4
_TRIED = 3
_LARGEST_SHARE = 0.45
"""Of the image's side that a hole may take up: four of them are to be seen."""

_FEW = 9
"""With fewer holes the lattice has to be square, rectangular or hexagonal, and they have to lie well on it."""

_LEAST_ON_LATTICE = 0.5
_PLAIN = 0.7
_LEAST_RIM_PX = 6.0
_LEAST_OF_RIM = 0.6
_MOST_RIMS = 120
_SMOOTHED = 0.02
"""Width in spacings of a Gaussian against noise, before holes are compared."""

_LEAST_CONFIDENCE = 0.22
_SCATTER, _SCATTER_OF_FEW = 0.1, 0.05


class _Candidate(NamedTuple):
    """A guess in pixels of the whole image; `diameter_px` is that of the response it was seen in."""

    guess: Guess
    a: Floats
    b: Floats
    diameter_px: float

    @property
    def merit(self) -> float:
        """Lower bound of the correlation.

        Not z: small details are many, so their z is large even where only the rims of holes or specks repeat.
        """
        return self.guess.height * (1 - 3 / self.guess.z)


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


class _Confirmed(NamedTuple):
    """A lattice whose holes were seen; `good` marks them, `share` is that of places like a hole that lie on it."""

    level: Level
    cell: Cell
    fit: Fit
    holes: Seen
    good: NDArray[np.bool_]
    share: float

    @property
    def explained(self) -> float:
        """What tells it from a lattice with larger cells, on which only some of the holes lie."""
        return float(self.good.sum()) * self.share

    @property
    def is_plain(self) -> bool:
        """Whether no other lattice need be tried."""
        return int(self.good.sum()) >= _FEW and self.share >= _PLAIN


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
        confirmed: list[_Confirmed] = []
        for candidate in _candidates(levels(image), diameter_px, _LARGEST_SHARE * min(image.shape)):
            outcome = _confirmed(image, candidate)
            if isinstance(outcome, NoLattice):
                reason = outcome
                continue
            confirmed.append(outcome)
            if outcome.is_plain:
                break
        if confirmed:
            return _described(image, max(confirmed, key=lambda one: one.explained), to_specimen)
    return reason


def _candidates(levels: Iterator[Level], known_px: float | None, largest_px: float) -> list[_Candidate]:
    """Lattices worth a look, the best first."""
    found: list[_Candidate] = []
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
                    found.append(_Candidate(fitted, fitted.a * level.factor, fitted.b * level.factor, whole))
    found.sort(key=lambda candidate: -candidate.merit)
    return _distinct(found)[:_TRIED]


def _distinct(candidates: list[_Candidate]) -> list[_Candidate]:
    """Candidates without those of the same lattice as a better one."""
    kept: list[_Candidate] = []
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


def _confirmed(image: Pixels, candidate: _Candidate) -> _Confirmed | NoLattice:
    """The lattice as the holes themselves show it, or why they do not."""
    level = _level_for(image, min(math.hypot(*candidate.a), math.hypot(*candidate.b)))
    a, b = candidate.a / level.factor, candidate.b / level.factor
    spacing = min(math.hypot(*a), math.hypot(*b))
    smooth = scipy.ndimage.gaussian_filter(level.pixels, _SMOOTHED * spacing)
    flat = flattened(smooth, 0.6 * spacing)
    response = hole_response(level.pixels, max(candidate.diameter_px / level.factor, 2.0))
    cell = hole_of(flat, a, b, strongest_place(response, a, b))
    outcome = seen(flat, cell, np.array([a, b]))
    if outcome is None:
        return NoLattice("something repeats in the image, but no holes that are alike")
    fitted, holes = outcome
    good = _believed(holes, spacing)
    if int(good.sum()) < LEAST_HOLES:
        return NoLattice(
            f"{int(good.sum())} holes are seen that fit a lattice; at least {LEAST_HOLES} are needed"
        )
    found = _Confirmed(level, cell, fitted, holes, good, _share_on_lattice(fitted, holes, good, spacing))
    found = _sharpened(found, smooth)
    doubt = _doubt(found, spacing)
    return found if doubt is None else NoLattice(doubt)


def _sharpened(found: _Confirmed, smooth: Pixels) -> _Confirmed:
    """The lattice fitted to the rims of the holes; as it was, where rims are too fine or too few of them are whole.

    Of many holes the correlations are exact enough together.
    """
    holes, good = found.holes, found.good
    if holes.diameter_px < _LEAST_RIM_PX or good.sum() > _MOST_RIMS:
        return found
    own = centred(smooth, holes.places[good], holes.diameter_px, found.cell.sign)
    usual = float(np.median(own.steps))
    weights = np.where(
        own.shares >= _LEAST_OF_RIM, own.shares * np.clip(own.steps / max(usual, 1e-9), 0.0, 1.0), 0.0
    )
    fitted = fit(holes.indices[good], own.places, weights) if (weights > 0).sum() >= LEAST_HOLES else None
    if fitted is None:
        return found
    places, off = holes.places.copy(), holes.off.copy()
    places[good] = own.places
    aside = np.hypot(*(own.places - fitted.origin - holes.indices[good] @ fitted.basis).T)
    # Where little of a rim is seen, its place says nothing about the lattice.
    off[good] = np.where(own.shares >= _LEAST_OF_RIM, aside, np.nan)
    return found._replace(fit=fitted, holes=holes._replace(places=places, off=off))


def _level_for(image: Pixels, spacing_px: float) -> Level:
    """The image at a size at which a hole can be placed to a percent of the spacing, and no larger."""
    factor = max(1, int(min(spacing_px / 12, max(spacing_px / 40, max(image.shape) / 512))))
    rows, columns = (min(size, LARGEST_PX * factor) for size in image.shape)
    top, left = (image.shape[0] - rows) // 2, (image.shape[1] - columns) // 2
    return Level(reduced(image[top : top + rows, left : left + columns], factor), factor, (left, top))


def _believed(holes: Seen, spacing: float) -> NDArray[np.bool_]:
    """Which lattice points show a hole: one like the others, near enough to where they lead to."""
    least = max(LEAST_SCORE, 0.5 * float(np.percentile(holes.scores, 95)))
    good: NDArray[np.bool_] = (holes.scores >= least) & (holes.off <= 0.15 * spacing)
    return good


def _doubt(found: _Confirmed, spacing: float) -> str | None:
    """What stands against believing in a lattice."""
    holes, good, count = found.holes, found.good, int(found.good.sum())
    if len(np.unique(holes.indices[good, 0])) < 2 or len(np.unique(holes.indices[good, 1])) < 2:
        return "all holes that are seen lie in one line"
    scatter = math.sqrt(float(np.nanmean(holes.off[good] ** 2))) / spacing
    if scatter > (_SCATTER_OF_FEW if count < _FEW else _SCATTER):
        return f"the {count} holes that are seen lie {scatter:.0%} of their distance off any lattice"
    if count < _FEW and _kind(found.fit) is LatticeKind.OBLIQUE:
        return f"only {count} holes are seen, and they form neither squares, rectangles nor equal triangles"
    if found.share < _LEAST_ON_LATTICE:
        return f"only {found.share:.0%} of what looks like a hole lies on one lattice"
    if _confidence(found) < _LEAST_CONFIDENCE:
        return f"the {count} holes that are seen are too little alike to be sure of a lattice"
    return None


def _confidence(found: _Confirmed) -> float:
    count = int(found.good.sum())
    return float(found.holes.scores[found.good].mean()) * found.share * count / (count + 2)


def _share_on_lattice(fitted: Fit, holes: Seen, good: NDArray[np.bool_], spacing: float) -> float:
    """Share of the places like a hole that lie on the lattice."""
    size = 2 * max(1, round(0.3 * spacing)) + 1
    top = scipy.ndimage.maximum_filter(holes.likeness, size=size) == holes.likeness
    top &= holes.likeness >= 0.8 * float(np.median(holes.scores[good]))
    rows, columns = np.nonzero(top)
    steps = (np.column_stack([columns, rows]) - fitted.origin) @ np.linalg.inv(fitted.basis)
    off = np.hypot(*((steps - np.rint(steps)) @ fitted.basis).T)
    return float((off <= 0.2 * spacing).mean()) if len(off) else 0.0


def _kind(fitted: Fit) -> LatticeKind:
    return kind_of(*canonical(*(XY(*(float(value) for value in row)) for row in fitted.basis)))


def _described(image: Pixels, found: _Confirmed, to_specimen: Matrix2 | None) -> FoundLattice:
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
        min(_confidence(found), 1.0),
        XY(float(origin[0]), float(origin[1])),
        holes.diameter_px * level.factor,
        found.cell.sign == 1,
        _holes(found, places, origin, basis),
        (columns, rows),
        to_specimen,
    )


def _holes(found: _Confirmed, places: Floats, origin: Floats, basis: Floats) -> tuple[Hole, ...]:
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
