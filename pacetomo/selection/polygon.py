"""Targets that fill a polygon, so close that the beam's footprints just do not overlap at the highest tilt.

On a sample tilted by t a round beam is an ellipse, longer across the tilt axis (Y) by 1 / cos t. Squeezing Y by cos t
at the highest tilt makes circles of all footprints: so a dense packing of circles in the squeezed plane, stretched
again, is one of footprints, whatever its rotation.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pacetomo.errors import PlanError
from pacetomo.frames import XY

Floats = NDArray[np.float64]

PACKINGS = ("hexagonal", "square")

MOST_TARGETS = 2000
"""Beyond that the spacing has surely the wrong unit."""

STEEPEST_DEG = 80.0

_PHASES = 6
_TOLERANCE = 1e-9


def filled_polygon(
    corners_um: Sequence[XY],
    beam_diameter_um: float,
    max_tilt_deg: float = 60.0,
    packing: str = "hexagonal",
    rotation_deg: float = 0.0,
    spacing_um: float | None = None,
) -> tuple[XY, ...]:
    """Places inside a polygon at which footprints of the beam do not overlap up to a tilt.

    Of several positions of the packing that which has most places inside is taken.

    Parameters
    ----------
    corners_um : sequence of XY
        Corners in order, in the specimen frame (µm, untilted); either sense, the last may repeat the first.
    beam_diameter_um : float
        Diameter of the beam.
    max_tilt_deg : float
        Highest tilt, of either sign, of the sample.
    packing : str
        "hexagonal" or "square".
    rotation_deg : float
        Of the packing, counter-clockwise, before it is stretched across the tilt axis.
    spacing_um : float, optional
        Distance of neighbouring places along the tilt axis, if it is to be more than the beam's diameter.

    Returns
    -------
    tuple of XY
        Places row by row of the packing; in the polygon, or on its edge.

    Raises
    ------
    PlanError
        If the polygon encloses no area or crosses itself, a value makes no sense, or no place or too many fit.

    >>> square = [XY(0.0, 0.0), XY(2.1, 0.0), XY(2.1, 2.1), XY(0.0, 2.1)]
    >>> len(filled_polygon(square, 1.0, max_tilt_deg=0.0, packing="square"))
    9
    >>> len(filled_polygon(square, 1.0, max_tilt_deg=60.0, packing="square"))
    6
    """
    stretch = _stretch(beam_diameter_um, max_tilt_deg)
    spacing = beam_diameter_um if spacing_um is None else spacing_um
    if not spacing >= beam_diameter_um * (1 - 1e-9):
        raise PlanError(
            f"a spacing of {spacing:g} µm lets beams of {beam_diameter_um:g} µm overlap: at least the beam's diameter "
            "is needed"
        )
    corners = checked_polygon(corners_um)
    squeezed = corners * [1.0, 1.0 / stretch]
    expected = _area(squeezed) / spacing**2
    if expected > MOST_TARGETS:
        raise PlanError(
            f"the polygon would hold about {expected:.0f} targets, {MOST_TARGETS} are allowed: check the beam diameter "
            f"({beam_diameter_um:g} µm) and the corners (µm)"
        )
    best = _best_packing(squeezed, _basis(packing, rotation_deg) * spacing)
    if len(best) == 0:
        raise PlanError("no target fits into the polygon: it is narrower than a point can be placed in")
    return tuple(XY(float(x), float(y * stretch)) for x, y in best)


def checked_polygon(corners_um: Sequence[XY]) -> Floats:
    """Corners of a polygon as an array (n, 2), repeated ones left out.

    Raises
    ------
    PlanError
        If there are fewer than three, they enclose no area, or two sides cross or touch each other.
    """
    corners: list[XY] = []
    for corner in corners_um:
        if not XY(*corner).is_finite:
            raise PlanError("a corner of the polygon is no finite place: draw it again")
        if not corners or corner != corners[-1]:
            corners.append(XY(*corner))
    if len(corners) > 1 and corners[0] == corners[-1]:
        corners.pop()
    if len(corners) < 3:
        raise PlanError(
            f"the polygon has {len(corners)} corner{'' if len(corners) == 1 else 's'}: at least three are needed"
        )
    array = np.array(corners)
    extent = float(np.ptp(array, axis=0).max())
    if _area(array) <= 1e-6 * extent**2:
        raise PlanError("the corners of the polygon lie in one line or its sides cross: it encloses no area")
    if _crosses_itself(array, 1e-9 * extent**2):
        raise PlanError("two sides of the polygon cross or touch each other: draw it again without crossing")
    return array


def inside(points: Floats, corners: Floats) -> NDArray[np.bool_]:
    """Which points (n, 2) lie in a polygon or on its edge.

    By the number of sides that a ray to the right crosses (odd inside), whichever sense the corners have.
    """
    x, y = points[:, 0], points[:, 1]
    odd = np.zeros(len(points), dtype=bool)
    on_edge = np.zeros(len(points), dtype=bool)
    tolerance = _TOLERANCE * max(1.0, float(np.ptp(corners, axis=0).max()))
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0)):
        spans = (y0 > y) != (y1 > y)
        if spans.any():
            odd[spans] ^= x[spans] < x0 + (y[spans] - y0) * (x1 - x0) / (y1 - y0)
        length = max(math.hypot(x1 - x0, y1 - y0), tolerance)
        along = np.clip(((x - x0) * (x1 - x0) + (y - y0) * (y1 - y0)) / length**2, 0.0, 1.0)
        on_edge |= np.hypot(x - x0 - along * (x1 - x0), y - y0 - along * (y1 - y0)) <= tolerance
    return odd | on_edge


def _stretch(beam_diameter_um: float, max_tilt_deg: float) -> float:
    """Length of a footprint across the tilt axis over that along it; PlanError for impossible values."""
    if not (math.isfinite(beam_diameter_um) and beam_diameter_um > 0):
        raise PlanError(f"the beam diameter is {beam_diameter_um:g} µm: a length above 0 is needed")
    if not abs(max_tilt_deg) <= STEEPEST_DEG:
        raise PlanError(f"the highest tilt is {max_tilt_deg:g}°: at most {STEEPEST_DEG:g}° is possible")
    return 1.0 / math.cos(math.radians(max_tilt_deg))


def _basis(packing: str, rotation_deg: float) -> Floats:
    """Vectors of a packing at distance 1, as rows."""
    if packing not in PACKINGS:
        raise PlanError(f"the packing {packing!r} is unknown: {' or '.join(PACKINGS)} is needed")
    if not math.isfinite(rotation_deg):
        raise PlanError("the rotation of the packing is no number")
    angles = np.radians([rotation_deg, rotation_deg + (60.0 if packing == "hexagonal" else 90.0)])
    return np.column_stack([np.cos(angles), np.sin(angles)])


def _best_packing(corners: Floats, basis: Floats) -> Floats:
    """Lattice points in a polygon, for the position of the lattice that has most; rows along the first vector."""
    inverse = np.linalg.inv(basis)
    reach = corners @ inverse
    low, high = np.floor(reach.min(axis=0)).astype(int) - 1, np.ceil(reach.max(axis=0)).astype(int) + 1
    j, i = (axis.ravel() for axis in np.mgrid[low[1] : high[1] + 1, low[0] : high[0] + 1])
    indices = np.column_stack([i, j]).astype(np.float64)
    middle = corners.mean(axis=0) @ inverse
    # A lattice through each corner, and one through evenly spread places of a cell from the middle.
    steps = np.arange(_PHASES) / _PHASES
    phases = [*(corners @ inverse), *(middle + phase for phase in itertools.product(steps, steps))]
    best = np.zeros((0, 2))
    for phase in phases:
        points = (indices + phase % 1.0) @ basis
        kept = points[inside(points, corners)]
        if len(kept) > len(best):
            best = kept
    return best


def _area(corners: Floats) -> float:
    x, y = corners.T
    return 0.5 * abs(float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)))


def _crosses_itself(corners: Floats, tolerance: float) -> bool:
    """Whether two sides meet anywhere but at the corner between neighbours."""
    count = len(corners)
    sides = [(corners[n], corners[(n + 1) % count]) for n in range(count)]
    for one, other in itertools.combinations(range(count), 2):
        (a, b), (c, d) = sides[one], sides[other]
        if other - one in (1, count - 1):
            shared, before, after = (b, a, d) if other - one == 1 and (b == c).all() else (a, b, c)
            back, on = before - shared, after - shared
            if abs(_cross(back, on)) <= tolerance and float(back @ on) > 0:
                return True  # one side runs back on the other
        elif _meet(a, b, c, d, tolerance):
            return True
    return False


def _meet(a: Floats, b: Floats, c: Floats, d: Floats, tolerance: float) -> bool:
    """Whether two segments have a point in common."""
    turns = [_cross(b - a, c - a), _cross(b - a, d - a), _cross(d - c, a - c), _cross(d - c, b - c)]
    signs = [0 if abs(turn) <= tolerance else math.copysign(1, turn) for turn in turns]
    if signs[0] * signs[1] < 0 and signs[2] * signs[3] < 0:
        return True
    ends = ((signs[0], c, a, b), (signs[1], d, a, b), (signs[2], a, c, d), (signs[3], b, c, d))
    return any(sign == 0 and _between(point, start, end) for sign, point, start, end in ends)


def _between(point: Floats, start: Floats, end: Floats) -> bool:
    """Whether a point in line with a segment lies on it."""
    low, high = np.minimum(start, end), np.maximum(start, end)
    return bool(np.all((point >= low) & (point <= high)))


def _cross(a: Floats, b: Floats) -> float:
    return float(a[0] * b[1] - a[1] * b[0])
