"""Samples as specified, and the curved, tilted sheet that is their mid-surface.

The grid carries sites (lamellae, or squares of holey film) on a square raster. At each site the sheet is
built in its own coordinates u, v, w (um; w along the normal of the uncurved sheet), given its curvature,
then turned: pretilt about x, rotation about z, both counter-clockwise positive. No height is computed
from a formula; it follows from turning points.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from mock_serialem.sim.pose import rotation_about_x, rotation_about_z

Floats = NDArray[np.float64]
Number = TypeVar("Number", float, NDArray[np.float64])

CURVATURE_AT_UM = 8.0
"""Distance from the centre of a site at which the curvature of a specification is stated."""

SATURATION_UM = 24.0
"""Distance beyond which a sheet no longer bends away."""


@dataclass(frozen=True)
class SampleSpec:
    """What lamella and holey film have in common.

    Attributes
    ----------
    pretilt_deg, rotation_deg : float
        Tilt of the sheet about x, then rotation about z; counter-clockwise positive.
    curvature_um : (along u, along v)
        Height of the sheet over its tangent plane at 8 um from the centre.
    thickness_nm : float
        Of lamella or ice.
    site_pitch_um : float
        Distance between neighbouring sites of the grid, along x and y. The first lies at (0, 0).
    site_height_um : float
        Standard deviation of the heights of the other sites.
    contamination_per_um2 : float
        Ice crystals lying on the sheet.
    fiducials_um : tuple of (u, v, depth)
        Gold beads of 20 nm in the first site, each at a place of its own: sheet coordinates and distance from the
        mid-surface.
    """

    pretilt_deg: float = 0.0
    rotation_deg: float = 0.0
    curvature_um: tuple[float, float] = (0.0, 0.0)
    thickness_nm: float = 100.0
    site_pitch_um: float = 100.0
    site_height_um: float = 1.5
    contamination_per_um2: float = 0.02
    fiducials_um: tuple[tuple[float, float, float], ...] = ()


@dataclass(frozen=True)
class LamellaSpec(SampleSpec):
    """A milled lamella in a rim of bulk.

    Attributes
    ----------
    length_um, width_um : float
        Extent along x and across it (along u and v).
    rim_height_um : float
        How far the bulk stands out over and under the sheet; it shadows the lamella at high tilt.
    rim_slope : float
        Rise of the bulk per distance from the edge of the lamella.
    vesicles_per_um2, particles_per_um2 : float
        Membrane-bound bodies and particles, at any depth.
    """

    pretilt_deg: float = -9.0
    rotation_deg: float = 4.0
    curvature_um: tuple[float, float] = (0.18, 0.12)
    thickness_nm: float = 150.0
    site_pitch_um: float = 120.0
    contamination_per_um2: float = 0.03
    length_um: float = 24.0
    width_um: float = 18.0
    rim_height_um: float = 2.5
    rim_slope: float = 1.0
    vesicles_per_um2: float = 3.0
    particles_per_um2: float = 5000.0


@dataclass(frozen=True)
class HoleySpec(SampleSpec):
    """Ice in a carbon film with a lattice of holes, sagging between the bars of the grid.

    Attributes
    ----------
    lattice_um : two vectors
        From a hole to its neighbours, along u and v of the sheet; a hole lies at the centre of the site.
    hole_radius_um : float
    film_nm : float
        Thickness of the film around the holes, ice included, as ice that would absorb as much.
    square_um : float
        Free width of a grid square; bars beyond.
    missing, empty : lattice indices
        Holes that were never made, and holes that lost their ice.
    missing_share : float
        Share of missing holes farther out than 12 um.
    particles_per_um2, beads_per_um2 : float
        Particles in the ice; gold beads of 10 nm on film and ice.
    """

    pretilt_deg: float = 1.5
    rotation_deg: float = 0.0
    curvature_um: tuple[float, float] = (0.15, 0.20)
    thickness_nm: float = 45.0
    site_pitch_um: float = 83.0
    contamination_per_um2: float = 0.02
    lattice_um: tuple[tuple[float, float], tuple[float, float]] = ((2.98, 0.34), (-0.34, 2.98))
    hole_radius_um: float = 0.75
    film_nm: float = 110.0
    square_um: float = 58.0
    missing: tuple[tuple[int, int], ...] = ((2, -1), (-1, 2), (-3, -2))
    empty: tuple[tuple[int, int], ...] = ((1, 3),)
    missing_share: float = 0.05
    particles_per_um2: float = 900.0
    beads_per_um2: float = 25.0


@dataclass(frozen=True, eq=False)
class Placement:
    """Where a beam line meets the sheet: site, sheet coordinates (um) and the point in the sample frame."""

    site: tuple[int, int]
    u_um: float
    v_um: float
    point_um: tuple[float, float, float]


class Sheet:
    """The mid-surface of all sites.

    Parameters
    ----------
    spec : SampleSpec
    seed : int
        Decides the heights of the sites other than the first.
    """

    def __init__(self, spec: SampleSpec, seed: int) -> None:
        self.spec = spec
        self._seed = seed
        self.turn: Floats = rotation_about_z(spec.rotation_deg) @ rotation_about_x(spec.pretilt_deg)
        self._heights: dict[tuple[int, int], float] = {(0, 0): 0.0}

    def site_at(self, x_um: float, y_um: float) -> tuple[int, int]:
        """Indices of the site nearest to a place in the sample frame."""
        pitch = self.spec.site_pitch_um
        return round(x_um / pitch), round(y_um / pitch)

    def origin_um(self, site: tuple[int, int]) -> Floats:
        """Centre of a site in the sample frame."""
        if site not in self._heights:
            key = [self._seed, 11, site[0] % 2**32, site[1] % 2**32]
            self._heights[site] = float(np.random.default_rng(key).normal(0.0, self.spec.site_height_um))
        pitch = self.spec.site_pitch_um
        return np.array([site[0] * pitch, site[1] * pitch, self._heights[site]])

    def bend(self, u_um: Number, v_um: Number) -> tuple[Number, Number, Number]:
        """Height w of the curved sheet over its tangent plane, and its slopes along u and v."""
        first, second = self.spec.curvature_um
        w_u, slope_u = _bowl(u_um, first)
        w_v, slope_v = _bowl(v_um, second)
        return w_u + w_v, slope_u, slope_v

    def points(
        self, site: tuple[int, int], u_um: Floats, v_um: Floats, depth_um: Floats | float = 0.0
    ) -> Floats:
        """Sample-frame points (n, 3) of sheet coordinates; `depth_um` is measured from the mid-surface along w."""
        w = self.bend(u_um, v_um)[0] + depth_um
        return np.stack([u_um, v_um, w], axis=-1) @ self.turn.T + self.origin_um(site)

    def meet(
        self, rotation: Floats, offset_um: Floats, lab_x_um: Number, lab_y_um: Number, site: tuple[int, int]
    ) -> tuple[Number, Number]:
        """Sheet coordinates at which vertical lines of the lab pierce the sheet of one site.

        Parameters
        ----------
        rotation, offset_um : arrays
            Lab = rotation @ sample + offset.
        lab_x_um, lab_y_um : float or arrays
            Where the lines are.
        site : indices

        Returns
        -------
        u_um, v_um : float or arrays
        """
        to_lab = rotation @ self.turn
        start = rotation @ self.origin_um(site) + offset_um
        (a, b, c), (d, e, f) = to_lab[:2].tolist()
        x, y = lab_x_um - float(start[0]), lab_y_um - float(start[1])
        flat = a * e - b * d
        u, v = (e * x - b * y) / flat, (a * y - d * x) / flat
        # Newton on the curved sheet; the plane is so near that three steps reach rounding error.
        for _ in range(4):
            w, slope_u, slope_v = self.bend(u, v)
            miss_x, miss_y = a * u + b * v + c * w - x, d * u + e * v + f * w - y
            xu, xv, yu, yv = a + c * slope_u, b + c * slope_v, d + f * slope_u, e + f * slope_v
            area = xu * yv - xv * yu
            u = u - (yv * miss_x - xv * miss_y) / area
            v = v - (xu * miss_y - yu * miss_x) / area
        return u, v

    def at_centre(self, rotation: Floats, offset_um: Floats) -> Placement:
        """Where the lab line x = y = 0 pierces the mid-surface."""
        # The site is found on the untilted grid plane through the sample's origin.
        x = -offset_um[0] / rotation[0, 0]
        y = -offset_um[1] / rotation[1, 1]
        site = self.site_at(float(x), float(y))
        u, v = self.meet(rotation, offset_um, 0.0, 0.0, site)
        point = self.points(site, np.array([u]), np.array([v]))[0]
        return Placement(site, u, v, (float(point[0]), float(point[1]), float(point[2])))

    def beam(self, rotation: Floats) -> tuple[float, float, float]:
        """Beam direction in a sheet's own frame: du/dw, dv/dw, and path length per unit of w."""
        u, v, w = (rotation @ self.turn)[2]
        return float(u / w), float(v / w), float(1.0 / abs(w))


def _bowl(distance_um: Number, height_um: float) -> tuple[Number, Number]:
    """Height and slope of a bowl that is `height_um` at 8 um and levels off far outside."""
    far = SATURATION_UM**2
    scale = height_um * (1.0 / CURVATURE_AT_UM**2 + 1.0 / far)
    square = distance_um * distance_um
    lower = 1.0 + square / far
    return scale * square / lower, scale * 2.0 * distance_um / (lower * lower)
