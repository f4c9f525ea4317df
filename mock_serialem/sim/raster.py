"""Coarse nets of places over an image, for everything that varies slowly across it.

Pixels: array (rows, columns), top row first. A specimen point s (um from the image centre, Y up) falls on
column = (columns - 1)/2 + c_x and row = (rows - 1)/2 - c_y with c = R(rotation) s / pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mock_serialem.sim.pose import Floats, Pose, plane_rotation

Floats32 = NDArray[np.float32]

FINEST_STEP = 2
COARSEST_STEP = 16


@dataclass(frozen=True, eq=False)
class Raster:
    """A coarse net of places over the image: their rows and columns (pixels), specimen x and y (um, 2-D)."""

    rows: Floats
    columns: Floats
    x_um: Floats
    y_um: Floats

    @property
    def step(self) -> float:
        """Pixels between neighbouring places."""
        return float(self.rows[1] - self.rows[0])


def raster(pose: Pose, shape: tuple[int, int], grain_um: float) -> Raster:
    """Net of places about `grain_um` apart, in pixels at least 2 and at most 16; reaches just beyond the edge."""
    step = min(max(int(grain_um / pose.pixel_um), FINEST_STEP), COARSEST_STEP)
    rows = np.arange(0, shape[0] - 1 + step, step, dtype=np.float64)
    columns = np.arange(0, shape[1] - 1 + step, step, dtype=np.float64)
    right = columns[None, :] - (shape[1] - 1) / 2.0
    up = (shape[0] - 1) / 2.0 - rows[:, None]
    (a, b), (c, d) = (plane_rotation(-pose.rotation_deg) * pose.pixel_um).tolist()
    return Raster(rows, columns, a * right + b * up, c * right + d * up)


def _weights(places: Floats, wanted: Floats) -> Floats32:
    """(wanted, places) matrix of linear interpolation from evenly spaced places."""
    position = (wanted - places[0]) / (places[1] - places[0])
    lower = np.clip(position.astype(np.int64), 0, places.size - 2)
    part = position - lower
    matrix = np.zeros((wanted.size, places.size), dtype=np.float32)
    matrix[np.arange(wanted.size), lower] = 1.0 - part
    matrix[np.arange(wanted.size), lower + 1] = part
    return matrix


def spread(values: NDArray[Any], net: Raster, rows: Floats, columns: Floats) -> Floats32:
    """Values on a net, interpolated to other rows and columns."""
    coarse = np.asarray(values, dtype=np.float32)
    if np.array_equal(rows, net.rows) and np.array_equal(columns, net.columns):
        return coarse
    flat = (_weights(net.rows, rows) @ coarse) @ _weights(net.columns, columns).T
    return flat.astype(np.float32, copy=False)
