"""The lamella: slab and rim, and what a cell is made of."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mock_serialem.sim.features import EMPTY, PHASE_PER_NM, Cloud, Layer, Particles, Site, join, templates
from mock_serialem.sim.pose import Floats
from mock_serialem.sim.sample import LamellaSpec

RIM_LEVELS = 24


class LamellaMatter:
    """A slab of even thickness, and a wedge of bulk rising from its edges on both faces.

    See `matter.Matter` for the methods.
    """

    grain_um = 0.15

    def __init__(self, spec: LamellaSpec) -> None:
        self._spec = spec
        steps = (np.arange(RIM_LEVELS) + 0.5) / RIM_LEVELS * 2.0 - 1.0
        self._levels_um = steps * spec.rim_height_um
        self._step_um = 2.0 * spec.rim_height_um / RIM_LEVELS

    def outside_um(self, u_um: Floats, v_um: Floats) -> Floats:
        """Distance beyond the edge of the lamella; negative inside."""
        spec = self._spec
        return np.maximum(np.abs(u_um) - spec.length_um / 2.0, np.abs(v_um) - spec.width_um / 2.0)

    def path_um(self, site: Site, u_um: Floats, v_um: Floats, beam: tuple[float, float, float]) -> Floats:
        """Slab plus the bulk that the slanting beam crosses over or under it."""
        along_u, along_v, stretch = beam
        level = self._levels_um.reshape(-1, *[1] * u_um.ndim)
        beyond = self.outside_um(u_um + level * along_u, v_um + level * along_v)
        # Soft over one step, so that the shadow's edge does not show the levels.
        inside = np.clip((beyond * self._spec.rim_slope - np.abs(level)) / self._step_um + 0.5, 0.0, 1.0)
        path: Floats = (inside.sum(axis=0) * self._step_um + self._spec.thickness_nm * 1e-3) * stretch
        return path

    def detail(self, site: Site, u_um: Floats, v_um: Floats) -> Floats:
        """Cells are full of detail; bulk is opaque."""
        return np.where(self.outside_um(u_um, v_um) < 0.0, 1.0, 0.1)


@dataclass(frozen=True)
class Vesicles:
    """Membrane-bound bodies, cut off at the faces of the slab; a third of them with dense contents."""

    spec: LamellaSpec
    number: int = 2
    cell_um: float = 1.0
    reach_um: float = 0.5
    coarsest_nm: float = 100.0

    def make(
        self, rng: np.random.Generator, site: Site, corner_um: tuple[float, float], thinning: int
    ) -> Cloud:
        """See `Layer.make`."""
        half = self.spec.thickness_nm * 0.5e-3
        places, radii = self.places(rng, corner_um)
        count = len(radii)
        flat = rng.uniform(0.6, 1.0, count)
        contents = np.where(rng.random(count) < 0.35, rng.uniform(0.08, 0.28, count), 0.0)
        bodies = []
        for index in range(count):
            place = places[index]
            if self.is_outside(place):
                continue
            # Each body has a generator of its own, so that thinning one leaves the next as it is.
            own = np.random.default_rng(rng.bit_generator.random_raw(2).tolist())
            bodies += [
                self._membrane(own, place, float(radii[index]), float(flat[index]), thinning),
                self._contents(
                    own, place, float(radii[index]), float(flat[index]), float(contents[index]), thinning
                ),
            ]
        cloud = join(bodies)
        kept = np.abs(cloud.points_um[:, 2]) < half
        return Cloud(cloud.points_um[kept], cloud.weights[kept])

    def places(self, rng: np.random.Generator, corner_um: tuple[float, float]) -> tuple[Floats, Floats]:
        """Centres (n, 3) and radii (n,) of a cell's bodies: sheet u, v and depth, um."""
        count = int(rng.poisson(self.spec.vesicles_per_um2 * self.cell_um**2))
        places = rng.random((count, 3))
        places[:, :2] = places[:, :2] * self.cell_um + np.asarray(corner_um)
        places[:, 2] = (places[:, 2] * 2.0 - 1.0) * 1.6 * self.spec.thickness_nm * 0.5e-3
        radii: Floats = np.minimum(0.085 * np.exp(0.6 * rng.standard_normal(count)), self.reach_um)
        return places, radii

    def is_outside(self, place: Sequence[float] | Floats) -> bool:
        """Tell whether a body's centre lies beyond the edge of the lamella."""
        half_length, half_width = self.spec.length_um / 2.0, self.spec.width_um / 2.0
        return bool(abs(place[0]) > half_length or abs(place[1]) > half_width)

    def _membrane(
        self, rng: np.random.Generator, place: Floats, radius_um: float, flat: float, thinning: int
    ) -> Cloud:
        """A bilayer as two leaflets 4 nm apart."""
        area_nm2 = 4.0 * math.pi * (radius_um * 1e3) ** 2
        count = max(int(area_nm2 / 14.0 / thinning), 12)
        sphere = rng.standard_normal((count, 3))
        sphere /= np.linalg.norm(sphere, axis=1, keepdims=True)
        leaflet = np.where(rng.random(count) < 0.5, -0.002, 0.002)
        points = place + sphere * np.array([1.0, flat, 1.0]) * (radius_um + leaflet)[:, None]
        weight = 2.5 * PHASE_PER_NM * 4.0 * area_nm2 / count
        return Cloud(points.astype(np.float32), np.full(count, weight, dtype=np.float32))

    def _contents(
        self,
        rng: np.random.Generator,
        place: Floats,
        radius_um: float,
        flat: float,
        density: float,
        thinning: int,
    ) -> Cloud:
        """Dense matter spread through the body."""
        if density == 0.0:
            return EMPTY
        volume_nm3 = 4.0 / 3.0 * math.pi * (radius_um * 1e3) ** 3
        count = max(int(volume_nm3 / 400.0 / thinning), 12)
        ball = rng.standard_normal((count, 3))
        ball *= (0.97 * rng.random(count) ** (1.0 / 3.0) / np.linalg.norm(ball, axis=1))[:, None]
        points = place + ball * np.array([1.0, flat, 1.0]) * radius_um
        weight = density * PHASE_PER_NM * volume_nm3 / count
        return Cloud(points.astype(np.float32), np.full(count, weight, dtype=np.float32))


def lamella_layers(spec: LamellaSpec, seed: int) -> list[Layer]:
    """Everything inside a lamella."""
    half = spec.thickness_nm * 0.5e-3
    particles = Particles(spec.particles_per_um2, half, (5.5, 0.35), templates(24, 24, seed))
    return [particles, Vesicles(spec)]
