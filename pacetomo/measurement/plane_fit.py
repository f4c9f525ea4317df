"""Pretilt and rotation of the sample from heights at points, and what is to be said about them.

The surface itself is fitted by `pacetomo.sample_geometry`: robustly, a plane or a paraboloid. Here it is decided
which of the two the points call for, whether the result can be true, and what follows from it for a tilt series.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Union

import numpy as np

from pacetomo.frames import XY
from pacetomo.geometry import SamplePlane
from pacetomo.joint.certainty import Value
from pacetomo.sample_geometry import (
    NOISE_UM,
    PARABOLOID_TERMS,
    PLANE_TERMS,
    HeightPoint,
    Surface,
    fit_surface,
)
from pacetomo.schemes import level_start_deg
from pacetomo.scope.protocol import Missing

STEEPEST_DEG = 30.0
"""Pretilt beyond which a result is not believed: lamellae are milled at 5 to 20 degrees."""

BY_CHANCE = 0.01
"""A paraboloid is called for where a plane would fit so much worse by chance only this rarely."""

OPPOSED = -0.5
"""Cosine of the angle between two steepest rises below which they point opposite ways."""

WRONG_DEG = 2.0
"""Angles below which signs are not worth a warning."""


@dataclass(frozen=True)
class Geometry:
    """How the sample is inclined.

    Attributes
    ----------
    surface : Surface
        What was fitted, as seen at the stage tilt of the measurement.
    plane : SamplePlane
        The plane, or the paraboloid's tangent plane in the middle of the points, in the untilted stage.
    pretilt_error_deg, rotation_error_deg : float
        Standard errors of pretilt and rotation.
    residuals_um : tuple of float
        Height measured less fitted, of every point.
    used : tuple of bool
        Of every point, whether it counts.
    """

    surface: Surface
    plane: SamplePlane
    pretilt_error_deg: float
    rotation_error_deg: float
    residuals_um: tuple[float, ...]
    used: tuple[bool, ...]

    @property
    def level_deg(self) -> float:
        """Stage tilt at which the sample is level across the tilt axis."""
        return -math.degrees(math.atan(self.plane.slopes().y)) + 0.0

    def start_tilt_deg(self, lowest_deg: float, highest_deg: float, step_deg: float) -> float:
        """Start tilt that compensates the pretilt, as near as whole steps allow."""
        return level_start_deg(self.plane.slopes().y, lowest_deg, highest_deg, step_deg)


GeometryOrMissing = Union[Geometry, Missing]


def fit_geometry(points: Sequence[HeightPoint], tilt_deg: float) -> GeometryOrMissing:
    """How the sample is inclined, from heights at points.

    Parameters
    ----------
    points : sequence of HeightPoint
        In any order, as seen at the stage tilt.
    tilt_deg : float
        Stage tilt.

    Returns
    -------
    Geometry or Missing
        Missing with the reason where no surface describes the points, or what came out cannot be true.
    """
    surface = _surface(points, tilt_deg)
    if isinstance(surface, Missing):
        return surface
    plane, error_deg = surface.plane, surface.pretilt_error_deg
    pretilt = Value(plane.pretilt_deg, error_deg)
    if abs(pretilt.value) > STEEPEST_DEG:
        return Missing(
            f"a pretilt of {pretilt.value:.0f} ± {error_deg:.0f}° came out, more than {STEEPEST_DEG:g}° is not "
            "believed: see that all points lie on the same piece of sample and that autofocus works there"
        )
    if abs(pretilt.value) < error_deg:
        return Missing(
            f"a pretilt of {pretilt.value:.1f}° came out, less than its own error of ±{error_deg:.1f}°: the sample is "
            "level as far as these points tell; points farther apart tell more"
        )
    residuals = tuple(point.rise_um - surface.rise_um(point.seen_um) for point in points)
    used = tuple(place in surface.used for place in range(len(points)))
    return Geometry(surface, plane, error_deg, surface.rotation_error_deg, residuals, used)


def _surface(points: Sequence[HeightPoint], tilt_deg: float) -> Surface | Missing:
    """Plane, or paraboloid where a plane does not describe the points."""
    flat = fit_surface(points, tilt_deg)
    curved = fit_surface(points, tilt_deg, paraboloid_from=PARABOLOID_TERMS + 1)
    if isinstance(curved, Missing) or not curved.is_paraboloid:
        return flat
    if isinstance(flat, Missing) or _is_called_for(curved, [points[place] for place in curved.used]):
        return curved
    return flat


def _is_called_for(curved: Surface, points: Sequence[HeightPoint]) -> bool:
    """Whether a plane through the same points leaves more than chance explains (F test)."""
    from scipy.stats import f as f_distribution

    rises = np.array([point.rise_um for point in points])
    rows = np.array([(1.0, *point.seen_um) for point in points])
    left = rises - rows @ np.linalg.lstsq(rows, rises, rcond=None)[0]
    over = len(points) - PARABOLOID_TERMS
    squares = sum((point.rise_um - curved.rise_um(point.seen_um)) ** 2 for point in points)
    more = PARABOLOID_TERMS - PLANE_TERMS
    # The noise that is known beforehand counts as one more measurement of it.
    variance = (squares + NOISE_UM**2) / (over + 1)
    ratio = max(0.0, float((left**2).sum()) - squares) / more / variance
    return bool(f_distribution.sf(ratio, more, over + 1) < BY_CHANCE)


class AreaSays(NamedTuple):
    """What an area's settings say of its geometry, and where: pretilt, rotation and start tilt (degrees)."""

    plane: SamplePlane
    plane_origin: str
    start_tilt_deg: float
    start_origin: str
    finds_start: bool


def warnings(found: Geometry, says: AreaSays) -> Iterator[str]:
    """Signs that are mistaken in an area's settings, a sentence each.

    A plane can be named in two ways, pretilt p and rotation r, or -p and r + 180; what is compared is which way it
    rises.
    """
    wanted, measured = says.plane.slopes(), found.plane.slopes()
    plane = says.plane
    if abs(plane.pretilt_deg) >= WRONG_DEG and _cosine(wanted, measured) < OPPOSED:
        yield (
            f"pretilt = {plane.pretilt_deg:g} and rotation = {plane.rotation_deg:g} ({says.plane_origin}) incline the "
            f"sample the opposite way: the sign of pretilt is mistaken, {found.plane.pretilt_deg:.1f} was measured"
        )
    start_deg, level_deg = says.start_tilt_deg, found.level_deg
    if (
        not says.finds_start
        and min(abs(start_deg), abs(level_deg)) >= WRONG_DEG
        and start_deg * level_deg < 0
    ):
        yield (
            f"startTilt = {start_deg:g} ({says.start_origin}) inclines the sample by "
            f"{abs(start_deg - level_deg):.0f}° in place of levelling it: its sign is mistaken, "
            f"{level_deg:+.1f}° makes it level"
        )


def _cosine(one: XY, other: XY) -> float:
    lengths = one.length * other.length
    return 0.0 if lengths == 0 else (one.x * other.x + one.y * other.y) / lengths
