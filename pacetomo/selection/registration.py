"""What View and Record differ in between two targets: a linear transform, learnt from targets centred in both.

Positions are chosen in View, and Preview then shows where they really are. Both calibrations of image shift are off by
a percent or so and turned by a few tenths of a degree, which a 2x2 matrix takes in.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Union

import numpy as np
from numpy.typing import NDArray

from pacetomo.frames import XY, Matrix2

FEWEST_PAIRS = 5
"""Targets from which a transform is learnt: four numbers, and enough left to tell how well it fits."""

MOST_CHANGE = 0.1
"""By how much calibrations may differ; a transform beyond it was learnt from mistakes."""

STRAIGHT = 0.15
"""Targets lie in a row when they spread across it by less than this share of what they spread along it."""


@dataclass(frozen=True)
class NoRegistration:
    """No transform, with the reason; false in a condition."""

    reason: str

    def __bool__(self) -> bool:
        return False


@dataclass(frozen=True)
class Registration:
    """From steps in View to steps in Record (µm from the tracking target, specimen frame).

    Attributes
    ----------
    matrix : Matrix2
        The transform.
    mean_um, worst_um : float
        How far a target is from where the others' transform expects it, when it is left out.
    before_um : float
        How far targets are on average without the transform.
    targets : int
        From how many it was learnt.
    """

    matrix: Matrix2
    mean_um: float
    worst_um: float
    before_um: float
    targets: int

    def apply(self, step_um: XY) -> XY:
        """Step in Record of a step in View."""
        return self.matrix.apply(step_um)

    def describe(self) -> str:
        """For the log: matrix, and errors with and without it."""
        m = self.matrix
        return (
            f"View to Record, learnt from {self.targets} targets: {m.xpx:.4f} {m.xpy:.4f} {m.ypx:.4f} {m.ypy:.4f}; "
            f"mean error {1000 * self.mean_um:.0f} nm, worst {1000 * self.worst_um:.0f} nm "
            f"(without it {1000 * self.before_um:.0f} nm)"
        )


Floats = NDArray[np.float64]

RegistrationOrNot = Union[Registration, NoRegistration]


def register(in_view_um: Sequence[XY], in_record_um: Sequence[XY]) -> RegistrationOrNot:
    """Learn the transform by least squares, and judge it by leaving out each target in turn.

    Parameters
    ----------
    in_view_um, in_record_um : sequence of XY
        Steps from the tracking target to each other target, as chosen in View and as found in Record.

    Returns
    -------
    Registration or NoRegistration
        The latter when there are too few, all in a row, or when it does not help.

    Examples
    --------
    >>> places = [XY(2, 0), XY(0, 2), XY(-2, 0), XY(0, -2), XY(2, 2)]
    >>> register(places, [XY(1.01 * x, 0.99 * y) for x, y in places]).matrix.xpx
    1.01
    """
    if len(in_view_um) < FEWEST_PAIRS:
        return NoRegistration(f"{len(in_view_um)} targets were centred in both, {FEWEST_PAIRS} are needed")
    view, record = np.array(in_view_um, dtype=float), np.array(in_record_um, dtype=float)
    along, across = np.linalg.svd(view, compute_uv=False)
    if across < STRAIGHT * along:
        return NoRegistration("the targets lie in a row")
    whole = _fitted(view, record)
    if float(np.abs(whole - np.eye(2)).max()) > MOST_CHANGE:
        return NoRegistration(
            "the transform would change distances by more than a tenth: a target was mistaken"
        )
    errors = [
        math.hypot(*(record[n] - view[n] @ _fitted(np.delete(view, n, 0), np.delete(record, n, 0))))
        for n in range(len(view))
    ]
    before = float(np.hypot(*(record - view).T).mean())
    if float(np.mean(errors)) >= before:
        return NoRegistration(f"it would not help (they fit to {1000 * before:.0f} nm without it)")
    (xpx, ypx), (xpy, ypy) = (tuple(map(float, np.round(row, 9))) for row in whole)
    return Registration(Matrix2(xpx, xpy, ypx, ypy), float(np.mean(errors)), max(errors), before, len(view))


def _fitted(view: Floats, record: Floats) -> Floats:
    """2x2 matrix that rows of `view` are multiplied with from the right."""
    return np.asarray(np.linalg.lstsq(view, record, rcond=None)[0], dtype=np.float64)
