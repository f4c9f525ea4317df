"""Structure of the sample in three dimensions, as clouds of scattering points.

Each layer of structure is made cell by cell from the seed alone, when a field first needs the cell; a
cell made twice is the same. A point has sheet coordinates u, v, a depth from the mid-surface (um) and a
weight: the phase (rad) it gives the electron wave times the area over which it does so (nm^2). Protein in ice
gives about 0.016 rad per nanometre of path at 300 kV.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mock_serialem.sim.sample import Sheet

Floats32 = NDArray[np.float32]
Site = tuple[int, int]
Box = tuple[float, float, float, float]
"""u and v from, u and v to (um)."""

PHASE_PER_NM = 0.016
CACHED_POINTS = 6_000_000

FULL_DETAIL_NM = 0.75
"""Pixel at and below which structure is drawn with all its points."""


@dataclass(frozen=True, eq=False)
class Cloud:
    """Points (n, 3) in um and weights (n,) in rad nm^2."""

    points_um: Floats32
    weights: Floats32


EMPTY = Cloud(np.zeros((0, 3), np.float32), np.zeros(0, np.float32))


class Layer(Protocol):
    """One kind of structure."""

    @property
    def number(self) -> int:
        """Tells the layers of a sample apart."""
        ...

    @property
    def cell_um(self) -> float:
        """Side of a cell."""
        ...

    @property
    def reach_um(self) -> float:
        """How far structure sticks out of its cell."""
        ...

    @property
    def coarsest_nm(self) -> float:
        """Largest pixel at which the layer shows."""
        ...

    def make(
        self, rng: np.random.Generator, site: Site, corner_um: tuple[float, float], thinning: int
    ) -> Cloud:
        """Structure of the cell whose lower corner is given; every `thinning`-th point, made heavier instead."""
        ...


def join(clouds: Sequence[Cloud]) -> Cloud:
    """All points in one cloud."""
    if not clouds:
        return EMPTY
    return Cloud(np.concatenate([c.points_um for c in clouds]), np.concatenate([c.weights for c in clouds]))


def random_rotations(rng: np.random.Generator, count: int) -> Floats32:
    """(count, 3, 3) rotations, uniform, from normalised quaternions."""
    q = rng.standard_normal((count, 4))
    q /= np.linalg.norm(q, axis=1, keepdims=True)
    w, x, y, z = q.T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.array(rows, dtype=np.float32).transpose(2, 0, 1)


def templates(count: int, points: int, seed: int) -> Floats32:
    """(count, points, 3) lumpy shapes of unit radius, from chains of overlapping balls; the shapes of particles."""
    rng = np.random.default_rng([seed, 20])
    shapes = np.empty((count, points, 3), dtype=np.float32)
    for shape in shapes:
        lobes = rng.normal(0.0, 0.5, (rng.integers(2, 6), 3))
        shape[:] = lobes[rng.integers(0, len(lobes), points)] + rng.normal(0.0, 0.22, (points, 3))
        shape -= shape.mean(axis=0)
        shape /= np.sqrt((shape**2).sum(axis=1).mean() * 5.0 / 3.0)
    return shapes


@dataclass(frozen=True)
class Particles:
    """Macromolecules strewn through a slab.

    Attributes
    ----------
    per_um2 : float
        Number under a square micrometre.
    half_depth_um : float
        They lie within this distance of the mid-surface.
    radius_nm : (mean, spread of the logarithm)
    """

    per_um2: float
    half_depth_um: float
    radius_nm: tuple[float, float]
    shapes: Floats32
    number: int = 1
    cell_um: float = 0.4
    reach_um: float = 0.03
    coarsest_nm: float = 1.6

    def make(
        self, rng: np.random.Generator, site: Site, corner_um: tuple[float, float], thinning: int
    ) -> Cloud:
        """See `Layer.make`."""
        count = int(rng.poisson(self.per_um2 * self.cell_um**2))
        places = rng.random((count, 3)).astype(np.float32)
        places[:, :2] = places[:, :2] * self.cell_um + np.asarray(corner_um, dtype=np.float32)
        places[:, 2] = (places[:, 2] * 2.0 - 1.0) * self.half_depth_um
        mean, spread = self.radius_nm
        radii = mean * np.exp(spread * rng.standard_normal(count)).astype(np.float32)
        shapes = self.shapes[rng.integers(0, len(self.shapes), count), ::thinning]
        turned = np.einsum("nij,nkj->nki", random_rotations(rng, count), shapes)
        points = turned * (radii * 1e-3)[:, None, None] + places[:, None, :]
        # Half of the sphere around a particle is really filled.
        each = 0.5 * 4.0 / 3.0 * np.pi * radii**3 * PHASE_PER_NM / shapes.shape[1]
        return Cloud(points.reshape(-1, 3), np.repeat(each, shapes.shape[1]).astype(np.float32))


def cell_generator(seed: int, layer: int, site: Site, i: int, j: int) -> np.random.Generator:
    """Source of everything in one cell of a layer."""
    return np.random.default_rng([seed, 21, layer, *(n % 2**32 for n in (*site, i, j))])


class FeatureStore:
    """Keeps the cells made so far, as points relative to their site's origin in the sample frame.

    Parameters
    ----------
    sheet : Sheet
    layers : sequence of Layer
    seed : int
    """

    def __init__(self, sheet: Sheet, layers: Sequence[Layer], seed: int) -> None:
        self._sheet = sheet
        self._layers = layers
        self._seed = seed
        self._cells: OrderedDict[tuple[int, Site, int, int, int], Cloud] = OrderedDict()
        self._points = 0

    def within(self, site: Site, box: Box, pixel_nm: float) -> list[Cloud]:
        """Clouds of all cells that may show in a box of the sheet, at this pixel size."""
        thinning = max(1, round((pixel_nm / FULL_DETAIL_NM) ** 1.2))
        found = []
        for layer in self._layers:
            if pixel_nm > layer.coarsest_nm:
                continue
            reach, cell = layer.reach_um, layer.cell_um
            first_u, first_v = int((box[0] - reach) // cell), int((box[1] - reach) // cell)
            last_u, last_v = int((box[2] + reach) // cell), int((box[3] + reach) // cell)
            for i in range(first_u, last_u + 1):
                for j in range(first_v, last_v + 1):
                    found.append(self._cell(layer, site, i, j, thinning))
        return [cloud for cloud in found if cloud.weights.size]

    @property
    def cached_points(self) -> int:
        """Points kept at present."""
        return self._points

    def _cell(self, layer: Layer, site: Site, i: int, j: int, thinning: int) -> Cloud:
        key = (layer.number, site, i, j, thinning)
        if key in self._cells:
            self._cells.move_to_end(key)
            return self._cells[key]
        rng = cell_generator(self._seed, layer.number, site, i, j)
        made = layer.make(rng, site, (i * layer.cell_um, j * layer.cell_um), thinning)
        cloud = self._placed(made)
        self._cells[key] = cloud
        self._points += cloud.weights.size
        while self._points > CACHED_POINTS and len(self._cells) > 1:
            self._points -= self._cells.popitem(last=False)[1].weights.size
        return cloud

    def _placed(self, cloud: Cloud) -> Cloud:
        """Bend the sheet and turn it: sheet coordinates to the sample frame at the site's origin."""
        u, v, depth = cloud.points_um.astype(np.float64).T
        local = np.stack([u, v, self._sheet.bend(u, v)[0] + depth], axis=-1) @ self._sheet.turn.T
        return Cloud(local.astype(np.float32), cloud.weights)
