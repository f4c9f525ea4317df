"""How View and Record differ: where things that View shows at one place are when Record is to show them.

Their centres are apart, and their calibrations of image shift differ by a percent or so. What View expects at ``s``
(from the middle of the field, specimen frame) is centred in Record at ``s + d + D s``: `d` and the 2x2 matrix `D` are
fitted to places that were seen in both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple, Union

import numpy as np

from pacetomo.frames import ORIGIN, XY, Matrix2
from pacetomo.pattern import Lattice
from pacetomo.scope.protocol import Missing

FEWEST = 4
"""Places, of which each gives two numbers for the six to be fitted."""

BELIEVED_UM = 0.04
"""How far a place may be off the fit; one that is farther off is left out if enough others are left."""


class AreasApart(NamedTuple):
    """The difference, and how well it fits.

    Attributes
    ----------
    offset_um : XY
        `d` above: in the middle of the field.
    change : Matrix2
        `D` above: µm per µm.
    mean_um, worst_um : float
        Distances of the places from the fit.
    places : int
        How many were used.
    """

    offset_um: XY
    change: Matrix2
    mean_um: float = math.nan
    worst_um: float = math.nan
    places: int = 0

    def recorded(self, shift_um: XY) -> XY:
        """Place in Record of a place in View, both from the middle of the field in View."""
        return self.recorded_step(shift_um).plus(self.offset_um)

    def recorded_step(self, step_um: XY) -> XY:
        """Step between two places in Record, from that in View."""
        return step_um.plus(self.change.apply(step_um))

    def describe(self) -> str:
        """In words for the log."""
        farthest = max(
            abs(value) for value in (self.change.xpx, self.change.xpy, self.change.ypx, self.change.ypy)
        )
        return (
            f"View and Record are {self.offset_um.x:.3f}, {self.offset_um.y:.3f} µm apart, and differ by up to "
            f"{100 * farthest:.1f} % over the field; {self.places} places fit to {1000 * self.mean_um:.0f} nm, the "
            f"worst to {1000 * self.worst_um:.0f} nm"
        )


ALIKE = AreasApart(ORIGIN, Matrix2(0.0, 0.0, 0.0, 0.0))
"""Nothing is known of a difference."""

ApartOrMissing = Union[AreasApart, Missing]


def fit_apart(pairs: Sequence[tuple[XY, XY]]) -> ApartOrMissing:
    """Fit offset and change to places in View and how far off they were in Record (µm, specimen frame).

    Least squares; places that do not fit are left out one by one, the worst first.
    """
    left = list(pairs)
    while len(left) >= FEWEST:
        shifts, apart = (np.array(part, dtype=float) for part in zip(*left))
        design = np.column_stack([np.ones(len(left)), shifts])
        if np.linalg.matrix_rank(design, tol=0.5) < 3:
            return Missing("the places where both were seen lie in a row")
        solution = np.linalg.lstsq(design, apart, rcond=None)[0]
        off = np.hypot(*(apart - design @ solution).T)
        if float(off.max()) <= BELIEVED_UM:
            offset, by_x, by_y = (tuple(map(float, row)) for row in solution)
            change = Matrix2(by_x[0], by_y[0], by_x[1], by_y[1])
            return AreasApart(XY(*offset), change, float(off.mean()), float(off.max()), len(left))
        del left[int(np.argmax(off))]
    if len(pairs) < FEWEST:
        return Missing(f"both showed the same edge at {len(pairs)} places, {FEWEST} are needed")
    return Missing("the places where both were seen contradict each other")


def mean_apart(pairs: Sequence[tuple[XY, XY]]) -> XY:
    """Mean difference so far; none before the first."""
    if not pairs:
        return ORIGIN
    return XY(*np.mean([apart for _, apart in pairs], axis=0).tolist())


def spare_holes(lattice: Lattice, size: int) -> tuple[XY, ...]:
    """Holes just outside a pattern, from its middle hole: in the middles of its sides, then at its corners."""
    out = size + 1
    ring = ((out, 0), (0, out), (-out, 0), (0, -out), (out, out), (-out, out), (-out, -out), (out, -out))
    return tuple(lattice.at(index) for index in ring)
