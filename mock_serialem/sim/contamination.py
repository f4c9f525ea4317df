"""Ice crystals on the sample: dark balls, few large ones and many grains of frost."""

from __future__ import annotations

import math

import numpy as np

from mock_serialem.sim.pose import Floats, Pose, plane_rotation
from mock_serialem.sim.raster import Floats32, Raster
from mock_serialem.sim.sample import Sheet

CELL_UM = 4.0
LARGEST_UM = 0.6
FROST_PER_CRYSTAL = 12.0


class Crystals:
    """Crystals lying on either face of the sheet, made cell by cell from the seed.

    Parameters
    ----------
    sheet : Sheet
    seed : int
    """

    def __init__(self, sheet: Sheet, seed: int) -> None:
        self._sheet = sheet
        self._seed = seed
        self._cells: dict[tuple[int, int, int, int], Floats] = {}

    def _cell(self, site: tuple[int, int], i: int, j: int) -> Floats:
        """(n, 4) array: sample-frame x, y, z of the ball's centre, radius; um."""
        key = (*site, i, j)
        if key not in self._cells:
            rng = np.random.default_rng([self._seed, 22, *(n % 2**32 for n in key)])
            spec = self._sheet.spec
            large, small = rng.poisson(
                spec.contamination_per_um2 * CELL_UM**2 * np.array([1.0, FROST_PER_CRYSTAL])
            )
            median = np.repeat([0.16, 0.035], [large, small])
            radius = np.minimum(median * np.exp(0.45 * rng.standard_normal(large + small)), LARGEST_UM)
            u, v = (rng.random((2, large + small)) + np.array([[i], [j]])) * CELL_UM
            side = np.where(rng.random(large + small) < 0.5, -1.0, 1.0)
            depth = side * (spec.thickness_nm * 0.5e-3 + 0.6 * radius)
            self._cells[key] = np.column_stack([self._sheet.points(site, u, v, depth), radius])
        return self._cells[key]

    def near(self, site: tuple[int, int], box: tuple[float, float, float, float]) -> Floats:
        """Crystals (n, 4) of all cells that may show in a box (u, v from, u, v to) of the sheet."""
        # High crystals lean into the field from outside it.
        reach = 4.0 * LARGEST_UM
        first_u, first_v = int((box[0] - reach) // CELL_UM), int((box[1] - reach) // CELL_UM)
        last_u, last_v = int((box[2] + reach) // CELL_UM), int((box[3] + reach) // CELL_UM)
        cells = [
            self._cell(site, i, j) for i in range(first_u, last_u + 1) for j in range(first_v, last_v + 1)
        ]
        return np.concatenate(cells)


def path_through_um(crystals: Floats, pose: Pose, x_um: Floats, y_um: Floats) -> Floats:
    """Path (um) through balls along the beam at some places of the specimen plane."""
    centres = pose.where_all(crystals[:, :3])
    across = (x_um[:, None] - centres[:, 0]) ** 2 + (y_um[:, None] - centres[:, 1]) ** 2
    path: Floats = 2.0 * np.sqrt(np.maximum(crystals[:, 3] ** 2 - across, 0.0)).sum(axis=1)
    return path


def add_path_nm(path_nm: Floats32, crystals: Floats, pose: Pose, net: Raster) -> None:
    """Add the path through balls to a map of it over a net; balls smaller than half its mesh do not show."""
    mesh_um = net.step * pose.pixel_um
    crystals = crystals[crystals[:, 3] > 0.5 * mesh_um]
    centres = pose.where_all(crystals[:, :3])[:, :2]
    camera = centres @ plane_rotation(pose.rotation_deg).T / mesh_um
    # The net is centred a little off the image, because it reaches beyond the last row and column.
    zero = plane_rotation(pose.rotation_deg) @ np.array([net.x_um[0, 0], net.y_um[0, 0]]) / mesh_um
    for (x, y), radius in zip(camera - zero, crystals[:, 3] / mesh_um):
        rows = slice(max(math.floor(-y - radius), 0), max(math.ceil(-y + radius) + 1, 0))
        columns = slice(max(math.floor(x - radius), 0), max(math.ceil(x + radius) + 1, 0))
        window = path_nm[rows, columns]
        if window.size:
            down = np.arange(rows.start, rows.start + window.shape[0])[:, None] + y
            right = np.arange(columns.start, columns.start + window.shape[1])[None, :] - x
            depth = np.sqrt(np.maximum(radius**2 - down * down - right * right, 0.0))
            window += (2e3 * mesh_um * depth).astype(np.float32)
