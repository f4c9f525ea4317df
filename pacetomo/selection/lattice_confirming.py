"""Whether the holes themselves bear out a lattice that the autocorrelation suggests. Arrays only."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from pacetomo.frames import XY
from pacetomo.selection.lattice import LatticeKind, NoLattice, canonical, kind_of
from pacetomo.selection.lattice_cell import Cell, flattened, hole_of, strongest_place
from pacetomo.selection.lattice_holes import LEAST_SCORE, Fit, Seen, fit, seen
from pacetomo.selection.lattice_levels import LARGEST_PX, Level, Pixels, hole_response, reduced
from pacetomo.selection.lattice_rims import centred
from pacetomo.selection.lattice_vectors import Guess

Floats = NDArray[np.float64]

LEAST_HOLES = 4

_FEW = 9
"""With fewer holes they have to lie well on the lattice, and better still on one that is seen tilted."""

_LEAST_ON_LATTICE = 0.5
_PLAIN = 0.7
_LEAST_RIM_PX = 6.0
_LEAST_OF_RIM = 0.6
_MOST_RIMS = 120
_SMOOTHED = 0.02
"""Width in spacings of a Gaussian against noise, before holes are compared."""

_LEAST_CONFIDENCE = 0.22
_SURE = 0.4
_SCATTER, _SCATTER_OF_FEW, _SCATTER_OF_OBLIQUE = 0.1, 0.05, 0.025
"""Root mean square distance of holes from the lattice, in spacings, at most."""


class Candidate(NamedTuple):
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


class Confirmed(NamedTuple):
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
    def confidence(self) -> float:
        """0 to 1; see `lattice.FoundLattice`."""
        count = int(self.good.sum())
        return min(float(self.holes.scores[self.good].mean()), 1.0) * self.share * count / (count + 2)

    @property
    def is_plain(self) -> bool:
        """Whether no other lattice need be tried."""
        return int(self.good.sum()) >= _FEW and self.share >= _PLAIN


def confirmed(image: Pixels, candidate: Candidate) -> Confirmed | NoLattice:
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
    found = Confirmed(level, cell, fitted, holes, good, _share_on_lattice(fitted, holes, good, spacing))
    found = _sharpened(found, smooth)
    doubt = _doubt(found, spacing)
    return found if doubt is None else NoLattice(doubt)


def _sharpened(found: Confirmed, smooth: Pixels) -> Confirmed:
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


def _doubt(found: Confirmed, spacing: float) -> str | None:
    """What stands against believing in a lattice."""
    holes, good, count = found.holes, found.good, int(found.good.sum())
    if len(np.unique(holes.indices[good, 0])) < 2 or len(np.unique(holes.indices[good, 1])) < 2:
        return "all holes that are seen lie in one line"
    scatter = math.sqrt(float(np.nanmean(holes.off[good] ** 2))) / spacing
    if scatter > (_SCATTER_OF_FEW if count < _FEW else _SCATTER):
        return f"the {count} holes that are seen lie {scatter:.0%} of their distance off any lattice"
    plain = scatter <= _SCATTER_OF_OBLIQUE and found.share >= _PLAIN and found.confidence >= _SURE
    if count < _FEW and _kind(found.fit) is LatticeKind.OBLIQUE and not plain:
        return f"only {count} holes are seen, and they form neither squares, rectangles nor equal triangles"
    if found.share < _LEAST_ON_LATTICE:
        return f"only {found.share:.0%} of what looks like a hole lies on one lattice"
    if found.confidence < _LEAST_CONFIDENCE:
        return f"the {count} holes that are seen are too little alike to be sure of a lattice"
    return None


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
