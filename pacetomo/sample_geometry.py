"""The surface of the sample from heights measured at some of its points: a plane, or a paraboloid through many.

A point is given as it is seen at one stage tilt t: specimen shift x, y (µm) and its height z along the beam (µm,
towards the source), all relative to any one point. The surface is fitted in these terms,

    z = a + b x + c y        or        z = a + b x + c y + d x x + e x y + f y y,

which needs no geometry to start from. What is fitted is then turned back by the tilt: a point seen at (x, y) at
height z lies in the untilted stage at n = y cos t + z sin t, at height h = z cos t - y sin t. So the plane with the
slopes b and c rises, untilted, by b / (cos t + c sin t) along X and by (c cos t - sin t) / (cos t + c sin t) along Y.

Heights measured by autofocus or by CTF fits are off by about `NOISE_UM`, and now and then by far more. A point that
the others contradict is left out, the worst first, as long as the rest still says more than the surface needs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Union

import numpy as np
from numpy.typing import NDArray

from pacetomo.frames import XY
from pacetomo.geometry import SamplePlane
from pacetomo.scope.protocol import Missing

Floats = NDArray[np.float64]

NOISE_UM = 0.1
"""Standard deviation of a good height: of autofocus and CTF fits alike."""

OUTLIER_UM = 0.4
"""A point is wrong that adds more than this squared to the sum of squares: four times the noise."""

MISFIT_UM = 0.35
"""Largest scatter about a surface that describes the sample."""

FEWEST_SHARE = 0.6
"""Where fewer of the points than this agree, they do so by chance."""

STEEPEST_DEG = 45.0
"""No sample is inclined more; a fit that says so is wrong."""

VAGUEST_DEG = 8.0
"""Largest standard error of an inclination that is of use."""

FAR_OUT = 9.0
"""Leverage of a place so far from the measured ones that a paraboloid's height there is worth nothing."""

LEVEL = 1e-9
"""A rise per µm below which a plane has no direction."""

PLANE_TERMS = 3
PARABOLOID_TERMS = 6


class HeightPoint(NamedTuple):
    """Where a point is seen (specimen frame, µm) and its height along the beam (µm), relative to a common origin."""

    seen_um: XY
    rise_um: float


@dataclass(frozen=True)
class Surface:
    """A surface through measured points.

    Attributes
    ----------
    tilt_deg : float
        Stage tilt at which the points were seen.
    centre_um : XY
        Where the terms are counted from.
    terms : tuple of float
        Height (µm) at the centre, slopes along x and y; for a paraboloid also the factors of xx, xy and yy (1/µm).
    used : tuple of int
        Places of the points, in the order given, that count.
    scatter_um : float
        Standard deviation of the points about it; 0 where nothing is left to tell it from.
    slope_errors : XY
        Standard errors of the slopes along X and Y.
    """

    tilt_deg: float
    centre_um: XY
    terms: tuple[float, ...]
    used: tuple[int, ...]
    scatter_um: float
    slope_errors: XY

    @property
    def is_paraboloid(self) -> bool:
        """Whether it is curved."""
        return len(self.terms) > PLANE_TERMS

    def rise_um(self, seen_um: XY) -> float:
        """Height along the beam (µm) where a point is seen, from the origin of the points."""
        row = _rows([seen_um.minus(self.centre_um)], len(self.terms))[0]
        return float(row @ np.asarray(self.terms))

    def untilted(self, seen_um: XY) -> tuple[float, float]:
        """Y (µm) and height (µm) in the untilted stage of the surface's point that is seen there."""
        tilt, rise_um = math.radians(self.tilt_deg), self.rise_um(seen_um)
        return (
            seen_um.y * math.cos(tilt) + rise_um * math.sin(tilt),
            rise_um * math.cos(tilt) - seen_um.y * math.sin(tilt),
        )

    @property
    def plane(self) -> SamplePlane:
        """Pretilt and rotation of the plane, or of the paraboloid's tangent plane at the centre of the points."""
        return plane_from_slopes(self._untilted_slopes(XY(self.terms[1], self.terms[2])))

    @property
    def pretilt_error_deg(self) -> float:
        """Standard error of the pretilt."""
        return self._errors_deg()[0]

    @property
    def rotation_error_deg(self) -> float:
        """Standard error of the rotation; 90 where the sample is too level to have one."""
        return self._errors_deg()[1]

    def describe(self) -> str:
        """Pretilt and rotation with their standard errors."""
        plane = self.plane
        return (
            f"pretilt {plane.pretilt_deg:.1f} ± {self.pretilt_error_deg:.1f}°, "
            f"rotation {plane.rotation_deg:.1f} ± {self.rotation_error_deg:.1f}° from {len(self.used)} points"
        )

    def _untilted_slopes(self, seen: XY) -> XY:
        tilt = math.radians(self.tilt_deg)
        across = math.cos(tilt) + seen.y * math.sin(tilt)
        return XY(seen.x / across, (seen.y * math.cos(tilt) - math.sin(tilt)) / across)

    def _errors_deg(self) -> tuple[float, float]:
        """Errors of the slopes carried along and across the steepest rise."""
        slopes = self._untilted_slopes(XY(self.terms[1], self.terms[2]))
        rise = slopes.length
        along = XY(0.0, 1.0) if rise < LEVEL else slopes.scaled(1 / rise)
        steep = math.hypot(along.x * self.slope_errors.x, along.y * self.slope_errors.y)
        aside = math.hypot(along.y * self.slope_errors.x, along.x * self.slope_errors.y)
        turn_deg = 90.0 if rise < LEVEL else math.degrees(math.atan(aside / rise))
        return math.degrees(steep / (1.0 + rise**2)), turn_deg


SurfaceOrMissing = Union[Surface, Missing]


def plane_from_slopes(slopes: XY) -> SamplePlane:
    """Pretilt and rotation of a plane that rises by `slopes` along X and Y (inverse of `SamplePlane.slopes`).

    Of the two ways to name a plane, the one with the smaller rotation: it is within ±90 degrees.

    >>> plane_from_slopes(SamplePlane(-9.0, 4.0).slopes())
    SamplePlane(pretilt_deg=-9.0, rotation_deg=4.0)
    """
    sign = -1.0 if slopes.y < 0 else 1.0
    pretilt_deg = sign * math.degrees(math.atan(slopes.length))
    if slopes.length < LEVEL:
        return SamplePlane()
    rotation_deg = math.degrees(math.atan2(-sign * slopes.x, sign * slopes.y))
    return SamplePlane(round(pretilt_deg, 6) + 0.0, round(rotation_deg, 6) + 0.0)


def fit_surface(
    points: Sequence[HeightPoint],
    tilt_deg: float,
    paraboloid_from: int | None = None,
    wanted_at_um: Sequence[XY] = (),
) -> SurfaceOrMissing:
    """Surface through points seen at a stage tilt.

    Parameters
    ----------
    points : sequence of HeightPoint
        In any order.
    tilt_deg : float
        Stage tilt.
    paraboloid_from : int, optional
        Number of points that count from which a paraboloid is tried; it needs at least one more than it has
        unknowns. A plane is taken where it does not describe the points, or runs away at a place where it is wanted.
    wanted_at_um : sequence of XY
        Where, as seen, heights will be read from it.

    Returns
    -------
    Surface or Missing
        Missing when there are too few points, they lie in a row, or no surface that a sample can have fits them.
    """
    if len(points) < PLANE_TERMS:
        return Missing(f"{len(points)} good measurements, at least {PLANE_TERMS} are needed")
    if paraboloid_from is not None and len(points) >= max(paraboloid_from, PARABOLOID_TERMS + 1):
        curved = _fit(points, tilt_deg, PARABOLOID_TERMS)
        if isinstance(curved, Surface) and len(curved.used) >= paraboloid_from:
            held = [points[place].seen_um.minus(curved.centre_um) for place in curved.used]
            if _most_leverage(held, [at.minus(curved.centre_um) for at in wanted_at_um]) < FAR_OUT:
                return curved
    return _fit(points, tilt_deg, PLANE_TERMS)


def _fit(points: Sequence[HeightPoint], tilt_deg: float, terms: int) -> SurfaceOrMissing:
    """Least squares with the points left out that contradict the rest."""
    seen = [point.seen_um for point in points]
    centre = XY(sum(p.x for p in seen) / len(seen), sum(p.y for p in seen) / len(seen))
    rows = _rows([p.minus(centre) for p in seen], terms)
    rises = np.array([point.rise_um for point in points])
    used = np.arange(len(points))
    while True:
        solved = _solve(rows[used], rises[used])
        if solved is None:
            return Missing("the points lie in a row: they say nothing about the slope across it")
        found, contradiction_um = solved
        worst = int(np.argmax(contradiction_um))
        # One point more than the surface has unknowns shows that something is wrong, but not which point.
        if contradiction_um[worst] <= OUTLIER_UM or len(used) <= terms + 1:
            break
        used = np.delete(used, worst)
    return _judge(_surface(rows[used], rises[used], found, used, centre, tilt_deg), len(points))


def _most_leverage(held: Sequence[XY], wanted: Sequence[XY]) -> float:
    """Largest variance of a paraboloid's height at the places wanted, in units of that of one measurement."""
    if not wanted:
        return 0.0
    rows, at = _rows(held, PARABOLOID_TERMS), _rows(wanted, PARABOLOID_TERMS)
    return float(np.einsum("ij,jk,ik->i", at, np.linalg.inv(rows.T @ rows), at).max())


def _rows(places: Sequence[XY], terms: int) -> Floats:
    x = np.array([place.x for place in places])
    y = np.array([place.y for place in places])
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y][:terms], axis=1)


def _solve(rows: Floats, rises: Floats) -> tuple[Floats, Floats] | None:
    """Terms, and how strongly the others contradict each point (µm, scattering like a measurement); None for a row."""
    scale = np.sqrt((rows**2).mean(axis=0)) + 1e-12
    u, singular, vt = np.linalg.svd(rows / scale, full_matrices=False)
    if singular[-1] < 0.02 * singular[0]:
        return None
    found = (vt.T @ ((u.T @ rises) / singular)) / scale
    leverage = np.minimum((u**2).sum(axis=1), 1.0 - 1e-9)
    residuals = rises - rows @ found
    # A point that alone decides on a term is met exactly; nothing contradicts it.
    return found, np.where(leverage > 0.999, 0.0, np.abs(residuals) / np.sqrt(1.0 - leverage))


def _surface(
    rows: Floats, rises: Floats, found: Floats, used: NDArray[np.int_], centre: XY, tilt_deg: float
) -> Surface:
    over = len(rises) - len(found)
    squares = float(((rises - rows @ found) ** 2).sum())
    # The noise that is known beforehand counts as one more measurement of the scatter.
    variance = (squares + NOISE_UM**2) / (over + 1)
    errors = np.sqrt(variance * np.diag(np.linalg.inv(rows.T @ rows)))
    return Surface(
        tilt_deg,
        centre,
        tuple(float(term) for term in found),
        tuple(int(place) for place in used),
        math.sqrt(squares / over) if over else 0.0,
        XY(float(errors[1]), float(errors[2])),
    )


def _judge(surface: Surface, given: int) -> SurfaceOrMissing:
    """Refuse what no sample looks like."""
    if len(surface.used) < FEWEST_SHARE * given:
        return Missing(f"only {len(surface.used)} of {given} measurements agree")
    if surface.scatter_um > MISFIT_UM:
        return Missing(
            f"the measurements scatter by {surface.scatter_um:.2f} µm about a plane, {MISFIT_UM:g} µm are allowed"
        )
    if abs(surface.plane.pretilt_deg) > STEEPEST_DEG:
        return Missing(
            f"a pretilt of {surface.plane.pretilt_deg:.0f}° came out, more than {STEEPEST_DEG:g}° is not believed"
        )
    if surface.pretilt_error_deg > VAGUEST_DEG:
        return Missing(
            f"the pretilt is uncertain by {surface.pretilt_error_deg:.0f}°: the points lie too near together"
        )
    return surface
