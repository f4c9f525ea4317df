"""What is known of a lattice of holes that was found in an image, in pixels and on the sample.

Places are columns to the right and rows down from the centre of the image's upper left pixel, so that ``(x, y)`` is
``pixels[y, x]``. On the sample they are µm from the image's centre in the specimen frame.

The vectors are the shortest of the lattice. Of these, `a` is the one that points most nearly to the right (within 45
degrees of it for a square lattice, 30 for a hexagonal one), and `b` the next one counter-clockwise as seen on the
screen: 90 degrees from `a` in a square lattice and 60 in a hexagonal one. A specimen frame that is not mirrored against
the image (a matrix of positive determinant) keeps that sense.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from typing import NamedTuple

from pacetomo.errors import PaceError
from pacetomo.frames import XY, Matrix2
from pacetomo.pattern import Index, Lattice

_SQUARE, _RIGHT_ANGLE_DEG, _HEXAGON_DEG = 0.06, 4.0, 4.0


class LatticeKind(enum.Enum):
    """Shape of a lattice's cell."""

    SQUARE = "square"
    RECTANGULAR = "rectangular"
    HEXAGONAL = "hexagonal"
    OBLIQUE = "oblique"


class Hole(NamedTuple):
    """A lattice point inside the image.

    `at_index` counts steps along `a_px` and `b_px`. `at_px` is where the hole was found, or the lattice point itself if
    none was; `score` the normalised cross-correlation with the mean hole (1 for a perfect match); `brightness` the step
    of brightness from its surroundings in units of that of the usual hole: near 0 for one filled with ice or without
    contrast, above 1 for an empty one, negative for one under a dark blob.
    """

    at_index: Index
    at_px: XY
    score: float
    brightness: float
    is_seen: bool


@dataclass(frozen=True)
class NoLattice:
    """An image in which no lattice was found, with the reason; false in a condition."""

    reason: str

    def __bool__(self) -> bool:
        return False


@dataclass(frozen=True)
class FoundLattice:
    """A lattice of holes in an image.

    Attributes
    ----------
    a_px, b_px : XY
        Its vectors (pixels, rows down).
    sigma_px : XY
        Standard error of the X and Y of the less certain vector.
    kind : LatticeKind
        Shape of the cell as seen; a tilted square lattice is a rectangular or oblique one.
    confidence : float
        0 to 1: mean score of the holes seen, times the share of places like a hole that lie on the lattice, times
        ``n / (n + 2)`` for n holes seen.
    centre_px : XY
        The lattice point with index (0, 0): that of the hole nearest to the centre of the image.
    diameter_px : float
        Of the mean hole.
    holes_are_bright : bool
        Whether holes are brighter than the foil.
    holes : tuple of Hole
        All lattice points inside the image, row by row of indices.
    size_px : tuple of int
        Columns and rows of the image.
    to_specimen : Matrix2 or None
        Pixels (X right, Y up) to µm in the specimen frame; without it nothing is known in µm.
    """

    a_px: XY
    b_px: XY
    sigma_px: XY
    kind: LatticeKind
    confidence: float
    centre_px: XY
    diameter_px: float
    holes_are_bright: bool
    holes: tuple[Hole, ...]
    size_px: tuple[int, int]
    to_specimen: Matrix2 | None = None

    @property
    def seen(self) -> tuple[Hole, ...]:
        """The holes that were seen."""
        return tuple(hole for hole in self.holes if hole.is_seen)

    @property
    def middle_hole(self) -> Hole:
        """The hole seen nearest to the centre of the image."""
        middle = XY((self.size_px[0] - 1) / 2, (self.size_px[1] - 1) / 2)
        return min(self.seen, key=lambda hole: hole.at_px.minus(middle).length)

    @property
    def vectors_um(self) -> Lattice:
        """The vectors in the specimen frame as seen in the image (µm); PaceError without a matrix."""
        return Lattice(self._vector_um(self.a_px), self._vector_um(self.b_px))

    @property
    def sigma_um(self) -> XY:
        """Standard error of each component of the vectors in the specimen frame (µm); PaceError without a matrix."""
        return self.sigma_px.scaled(math.sqrt(abs(self._matrix().determinant)))

    @property
    def diameter_um(self) -> float:
        """Diameter of the mean hole (µm); PaceError without a matrix."""
        return self.diameter_px * math.sqrt(abs(self._matrix().determinant))

    @property
    def offset_um(self) -> XY:
        """Where the hole nearest to the image's centre is seen from there (µm); PaceError without a matrix."""
        return self.place_um(self.middle_hole.at_px)

    def place_um(self, at_px: XY) -> XY:
        """Where a place in the image lies from its centre, in the specimen frame (µm); PaceError without a matrix."""
        return self._vector_um(XY(at_px.x - (self.size_px[0] - 1) / 2, at_px.y - (self.size_px[1] - 1) / 2))

    def _vector_um(self, vector_px: XY) -> XY:
        return self._matrix().apply(XY(vector_px.x, -vector_px.y))

    def _matrix(self) -> Matrix2:
        if self.to_specimen is None:
            raise PaceError("the lattice is known in pixels only: no calibration of the image came with it")
        return self.to_specimen


def canonical(a: XY, b: XY) -> tuple[XY, XY]:
    """The vectors that a lattice is described by, from its two shortest ones (rows down); see above.

    >>> canonical(XY(-29.0, 68.0), XY(67.0, 29.0))
    (XY(x=67.0, y=29.0), XY(x=29.0, y=-68.0))
    >>> a, b = canonical(XY(10.0, 0.0), XY(-5.0, 8.66))
    >>> b
    XY(x=5.0, y=-8.66)
    """
    third = a.minus(b) if a.x * b.x + a.y * b.y > 0 else a.plus(b)
    short = [a, b]
    if third.length < 1.1 * max(a.length, b.length):
        short.append(third)
    pointing = [vector.scaled(sign) for vector in short for sign in (1.0, -1.0)]
    first = min(pointing, key=lambda vector: (round(abs(_angle_deg(vector)), 6), _angle_deg(vector)))
    second = min(
        (vector for vector in pointing if abs(_cross(first, vector)) > 1e-9),
        key=lambda vector: (_angle_deg(vector) - _angle_deg(first)) % 360.0,
    )
    return first, second


def kind_of(a: XY, b: XY) -> LatticeKind:
    """Shape of the cell of two canonical vectors.

    Sides are called equal within 6 % and angles right within 4 degrees: so much images are distorted.
    """
    between_deg = (_angle_deg(b) - _angle_deg(a)) % 360.0
    alike = abs(a.length - b.length) <= _SQUARE * max(a.length, b.length)
    if alike and abs(between_deg - 60.0) <= _HEXAGON_DEG:
        return LatticeKind.HEXAGONAL
    if abs(between_deg - 90.0) <= _RIGHT_ANGLE_DEG:
        return LatticeKind.SQUARE if alike else LatticeKind.RECTANGULAR
    return LatticeKind.OBLIQUE


def _angle_deg(vector: XY) -> float:
    """Counter-clockwise from the right, as seen on the screen; -180 to 180."""
    return math.degrees(math.atan2(-vector.y, vector.x))


def _cross(a: XY, b: XY) -> float:
    return a.x * b.y - a.y * b.x
