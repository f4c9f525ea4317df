"""The holey film: carbon, ice in its holes, gold beads and particles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mock_serialem.sim.features import PHASE_PER_NM, Cloud, Layer, Particles, Site, templates
from mock_serialem.sim.pose import Floats
from mock_serialem.sim.sample import HoleySpec

Indices = NDArray[np.int64]

BAR_UM = 3.0
"""Thickness of a grid bar, as ice."""

SOUND_UM = 12.0
"""Distance from the centre of a site within which only the holes listed in the specification are unsound."""

ICE, MISSING, EMPTY_HOLE = 0, 1, 2


class HoleyMatter:
    """Film with holes, ice in the holes, bars around the square; see `matter.Matter` for the methods."""

    grain_um = 0.025

    def __init__(self, spec: HoleySpec, seed: int) -> None:
        self._spec = spec
        self._seed = seed
        self._lattice = np.array(spec.lattice_um).T
        self._inverse = np.linalg.inv(self._lattice)

    def nearest_hole(self, u_um: Floats, v_um: Floats) -> tuple[Indices, Indices, Floats]:
        """Lattice indices of the nearest hole and the distance (um) from its centre."""
        (a, b), (c, d) = self._inverse.tolist()
        i = np.rint(a * u_um + b * v_um)
        j = np.rint(c * u_um + d * v_um)
        (p, q), (r, s) = self._lattice.tolist()
        distance = np.hypot(u_um - (p * i + q * j), v_um - (r * i + s * j))
        return i.astype(np.int64), j.astype(np.int64), distance

    def centre_um(self, i: int, j: int) -> tuple[float, float]:
        """Sheet coordinates of a hole's centre."""
        u, v = self._lattice @ np.array([i, j])
        return float(u), float(v)

    def kind(self, site: Site, i: int, j: int) -> int:
        """What became of a lattice point: ICE, MISSING (the film goes on) or EMPTY_HOLE (lost its ice)."""
        if (i, j) in self._spec.missing:
            return MISSING
        if (i, j) in self._spec.empty:
            return EMPTY_HOLE
        if np.hypot(*self.centre_um(i, j)) < SOUND_UM:
            return ICE
        key = [self._seed, 12, *(n % 2**32 for n in (*site, i, j))]
        return MISSING if np.random.default_rng(key).random() < self._spec.missing_share else ICE

    def _kinds(self, site: Site, i: Indices, j: Indices) -> NDArray[np.int8]:
        """`kind` for arrays, each lattice point looked up once."""
        if not i.size:
            return np.zeros(i.shape, dtype=np.int8)
        first_i, first_j = int(i.min()), int(j.min())
        shape = (int(i.max()) - first_i + 1, int(j.max()) - first_j + 1)
        kinds = np.empty(shape, dtype=np.int8)
        for row, column in np.ndindex(*shape):
            kinds[row, column] = self.kind(site, first_i + row, first_j + column)
        return kinds[i - first_i, j - first_j]

    def ice_share(self, site: Site, u_um: Floats, v_um: Floats) -> tuple[Floats, Floats]:
        """How much of a place lies in a hole (1 inside, 0 on film), and how much of that hole holds ice."""
        i, j, distance = self.nearest_hole(u_um, v_um)
        kinds = self._kinds(site, i, j)
        in_hole = np.clip((self._spec.hole_radius_um - distance) / 0.02 + 0.5, 0.0, 1.0) * (kinds != MISSING)
        return in_hole, (kinds != EMPTY_HOLE).astype(np.float64)

    def path_um(self, site: Site, u_um: Floats, v_um: Floats, beam: tuple[float, float, float]) -> Floats:
        """Film or ice, by the nearest lattice point; bars stop the beam."""
        spec = self._spec
        distance = self.nearest_hole(u_um, v_um)[2]
        in_hole, filled = self.ice_share(site, u_um, v_um)
        # The meniscus: ice is thinnest in the middle of a hole.
        ice = spec.thickness_nm * (0.85 + 0.4 * np.minimum(distance / spec.hole_radius_um, 1.0) ** 2)
        film = (in_hole * ice * filled + (1.0 - in_hole) * spec.film_nm) * 1e-3
        beyond = np.maximum(np.abs(u_um), np.abs(v_um)) - spec.square_um / 2.0
        path: Floats = (film + BAR_UM * np.clip(beyond / 0.3, 0.0, 1.0)) * beam[2]
        return path

    def detail(self, site: Site, u_um: Floats, v_um: Floats) -> Floats:
        """Ice with particles has most, film with beads less, an empty hole or a bar none."""
        in_hole, filled = self.ice_share(site, u_um, v_um)
        beyond = np.maximum(np.abs(u_um), np.abs(v_um)) > self._spec.square_um / 2.0
        return np.where(beyond, 0.0, np.where(in_hole > 0.5, filled, 0.7))


@dataclass(frozen=True)
class IceParticles:
    """Particles in the ice of holes only."""

    inner: Particles
    matter: HoleyMatter
    number: int = 3
    cell_um: float = 0.4
    reach_um: float = 0.03
    coarsest_nm: float = 1.6

    def make(
        self, rng: np.random.Generator, site: Site, corner_um: tuple[float, float], thinning: int
    ) -> Cloud:
        """See `Layer.make`."""
        cloud = self.inner.make(rng, site, corner_um, thinning)
        if not cloud.weights.size:
            return cloud
        u, v = cloud.points_um[:, :2].astype(np.float64).T
        in_hole, filled = self.matter.ice_share(site, u, v)
        kept = in_hole * filled > 0.5
        return Cloud(cloud.points_um[kept], cloud.weights[kept])


@dataclass(frozen=True)
class CarbonGrain:
    """The amorphous grain of the film, which gives Thon rings wherever there is no ice."""

    matter: HoleyMatter
    half_depth_um: float = 0.010
    per_um2: float = 120_000.0
    number: int = 4
    cell_um: float = 0.4
    reach_um: float = 0.0
    coarsest_nm: float = 1.6

    def make(
        self, rng: np.random.Generator, site: Site, corner_um: tuple[float, float], thinning: int
    ) -> Cloud:
        """See `Layer.make`."""
        count = int(rng.poisson(self.per_um2 * self.cell_um**2))
        points = rng.random((count, 3)) * self.cell_um
        points[:, :2] += np.asarray(corner_um)
        points[:, 2] = (points[:, 2] / self.cell_um * 2.0 - 1.0) * self.half_depth_um
        in_hole, _ = self.matter.ice_share(site, points[:, 0], points[:, 1])
        points = points[in_hole < 0.5]
        return Cloud(points.astype(np.float32), np.full(len(points), 0.5, dtype=np.float32))


@dataclass(frozen=True)
class Beads:
    """Gold beads on the film and in the ice, seen at any magnification."""

    matter: HoleyMatter
    per_um2: float
    half_depth_um: float
    radius_nm: float = 5.0
    number: int = 5
    cell_um: float = 1.0
    reach_um: float = 0.01
    coarsest_nm: float = 40.0

    def make(
        self, rng: np.random.Generator, site: Site, corner_um: tuple[float, float], thinning: int
    ) -> Cloud:
        """See `Layer.make`; gold gives about ten times the phase of protein."""
        count = int(rng.poisson(self.per_um2 * self.cell_um**2))
        places = rng.random((count, 3)) * self.cell_um
        places[:, :2] += np.asarray(corner_um)
        places[:, 2] = (places[:, 2] / self.cell_um * 2.0 - 1.0) * self.half_depth_um
        in_hole, filled = self.matter.ice_share(site, places[:, 0], places[:, 1])
        places = places[(in_hole < 0.5) | (filled > 0.5)]
        each = max(60 // thinning, 1)
        ball = rng.standard_normal((each, 3))
        ball *= (
            (rng.random(each) ** (1.0 / 3.0) / np.linalg.norm(ball, axis=1))[:, None] * self.radius_nm * 1e-3
        )
        if each == 1:
            ball[:] = 0.0
        points = (places[:, None, :] + ball).reshape(-1, 3)
        weight = 10.0 * PHASE_PER_NM * 4.0 / 3.0 * np.pi * self.radius_nm**3 / each
        return Cloud(points.astype(np.float32), np.full(len(points), weight, dtype=np.float32))


def holey_layers(spec: HoleySpec, matter: HoleyMatter, seed: int) -> list[Layer]:
    """Everything in and on the film."""
    half = spec.thickness_nm * 0.5e-3
    particles = Particles(spec.particles_per_um2, 0.8 * half, (6.0, 0.3), templates(12, 32, seed))
    return [IceParticles(particles, matter), CarbonGrain(matter), Beads(matter, spec.beads_per_um2, half)]
