"""The transform from View to Record, learnt from targets that were centred in both.

Images of two magnifications differ a little in rotation, scale and shear from what the calibrations say, and beam and
image shift add a constant. So where Record finds a target depends linearly on where it was put in View:

    record = matrix · view + offset.

At least five targets are needed: the six numbers take three of them, and the rest says how good they are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Union

import numpy as np
from numpy.typing import NDArray

from pacetomo.frames import XY, Matrix2

Floats = NDArray[np.float64]

LEAST_TARGETS = 5

_FLATTEST = 0.1
"""Extent of the targets across their longest direction, as a share of that along it, at least."""

_HELPS = 0.7
"""Share of the error without the transform that may be left with it: chance alone seldom gets there."""

_SCALE = (0.7, 1.4)
_REWEIGHTED = 20
_HUBER = 1.5


class Centred(NamedTuple):
    """A target's place as centred in View, and as corrected in Record (µm, specimen frame, both from one origin)."""

    view_um: XY
    record_um: XY


@dataclass(frozen=True)
class NoRegistration:
    """No transform, with the reason; false in a condition."""

    reason: str

    def __bool__(self) -> bool:
        return False


@dataclass(frozen=True)
class Registration:
    """How places found in View are corrected for Record.

    Attributes
    ----------
    matrix : Matrix2
        View to Record.
    offset_um : XY
        Added after the matrix.
    errors_um : tuple of float
        Distance of each target from where the transform puts it, in the order given.
    left_out_errors_um : tuple of float
        The same for each target with a transform learnt from the others: what to expect of targets not seen in Record.
    uncorrected_um : float
        Root mean square distance without any transform.
    """

    matrix: Matrix2
    offset_um: XY
    errors_um: tuple[float, ...]
    left_out_errors_um: tuple[float, ...]
    uncorrected_um: float

    def apply(self, view_um: XY) -> XY:
        """Where Record finds what View has at a place (µm)."""
        return self.matrix.apply(view_um).plus(self.offset_um)

    @property
    def mean_um(self) -> float:
        """Mean error of the targets it was learnt from."""
        return sum(self.errors_um) / len(self.errors_um)

    @property
    def worst_um(self) -> float:
        """Largest error of the targets it was learnt from."""
        return max(self.errors_um)

    @property
    def expected_um(self) -> float:
        """Root mean square of the errors of targets left out."""
        return _rms(self.left_out_errors_um)

    @property
    def rotation_deg(self) -> float:
        """Rotation in the transform, counter-clockwise."""
        return math.degrees(math.atan2(self.matrix.ypx - self.matrix.xpy, self.matrix.xpx + self.matrix.ypy))

    @property
    def scale(self) -> float:
        """Mean scale of the transform."""
        return math.sqrt(abs(self.matrix.determinant))


RegistrationOrNot = Union[Registration, NoRegistration]


def learn_registration(targets: Sequence[Centred]) -> RegistrationOrNot:
    """The transform that fits targets centred in both View and Record best.

    By least squares in which a target far off the others counts less (Huber's weights), so that one that was centred
    on the wrong thing does not spoil the rest.

    Parameters
    ----------
    targets : sequence of Centred
        At least five, not in one line.

    Returns
    -------
    Registration or NoRegistration
        The latter also when the transform would not make targets that were left out clearly better.

    >>> places = [XY(0.0, 0.0), XY(5.0, 0.0), XY(0.0, 5.0), XY(-4.0, 1.0), XY(3.0, -6.0), XY(2.0, 2.0)]
    >>> found = learn_registration([Centred(at, XY(1.02 * at.x, 0.98 * at.y + 0.5)) for at in places])
    >>> round(found.matrix.xpx, 6), round(found.offset_um.y, 6), round(found.worst_um, 6)
    (1.02, 0.5, 0.0)
    """
    if len(targets) < LEAST_TARGETS:
        return NoRegistration(
            f"{len(targets)} targets are centred in both View and Record; at least {LEAST_TARGETS} are needed"
        )
    if not all(place.is_finite for target in targets for place in target):
        return NoRegistration("a target has no finite place in View or Record")
    view, record = (np.array(places, dtype=np.float64) for places in zip(*targets))
    if _lies_in_line(view):
        return NoRegistration("the targets lie in one line: the transform across it stays unknown")
    solution = _fitted(view, record)
    left_out = []
    for n in range(len(targets)):
        others = np.arange(len(targets)) != n
        if _lies_in_line(view[others]):
            return NoRegistration(
                f"without target {n + 1} of {len(targets)} the others lie in one line: the transform would rest on it"
            )
        left_out.append(
            float(_errors(_fitted(view[others], record[others]), view[n : n + 1], record[n : n + 1])[0])
        )
    (xpx, ypx), (xpy, ypy), offset = solution.tolist()
    found = Registration(
        Matrix2(xpx, xpy, ypx, ypy),
        XY(*offset),
        tuple(float(error) for error in _errors(solution, view, record)),
        tuple(left_out),
        _rms([target.record_um.minus(target.view_um).length for target in targets]),
    )
    return _doubted(found)


def _doubted(found: Registration) -> RegistrationOrNot:
    """The registration, unless it cannot be true or does not help."""
    if not (found.matrix.determinant > 0 and _SCALE[0] <= found.scale <= _SCALE[1]):
        return NoRegistration(
            f"the transform would scale View by {found.scale:.2f}"
            f"{' and mirror it' if found.matrix.determinant < 0 else ''}: places of different targets are mixed up"
        )
    if found.expected_um >= _HELPS * found.uncorrected_um:
        return NoRegistration(
            f"the transform does not help: targets left out would be {found.expected_um:.3f} µm off with it, "
            f"{found.uncorrected_um:.3f} µm without"
        )
    return found


def _fitted(view: Floats, record: Floats) -> Floats:
    """Rows of the solution: what X and what Y of View add to Record, and the offset."""
    design = np.column_stack([view, np.ones(len(view))])
    weights = np.ones(len(view))
    solution = np.zeros((3, 2))
    for _ in range(_REWEIGHTED):
        scale = np.sqrt(weights)[:, None]
        new = np.linalg.lstsq(design * scale, record * scale, rcond=None)[0]
        done = bool(np.abs(new - solution).max() < 1e-12)
        solution = new
        errors = _errors(solution, view, record)
        usual = max(1.4826 * float(np.median(errors)), 1e-9)
        weights = np.minimum(1.0, _HUBER * usual / np.maximum(errors, 1e-12))
        if done:
            break
    return solution


def _errors(solution: Floats, view: Floats, record: Floats) -> Floats:
    away: Floats = view @ solution[:2] + solution[2] - record
    distances: Floats = np.hypot(away[:, 0], away[:, 1])
    return distances


def _lies_in_line(places: Floats) -> bool:
    extents = np.linalg.svd(places - places.mean(axis=0), compute_uv=False)
    return bool(extents[1] <= _FLATTEST * extents[0])


def _rms(values: Sequence[float]) -> float:
    return math.sqrt(sum(value * value for value in values) / len(values))
