"""Centres of holes by their rims.

A correlation is drawn aside by a shadow on one side of a hole, by a bar beside it, and by the border of the image. The
step of brightness across the rim is not: what counts at a circle is how it is in most directions.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from pacetomo.selection.lattice_levels import Pixels

Floats = NDArray[np.float64]

_DIRECTIONS = 48
_ANGLES = np.linspace(0, 2 * math.pi, _DIRECTIONS, endpoint=False)
_SINES = np.stack([np.sin(_ANGLES), np.cos(_ANGLES)])  # row, column

_THICKNESS = 0.12
"""Width of the rings inside and outside of a circle, in diameters."""

_REACH = 0.12
"""How far from where it is known a hole's centre is looked for, in diameters."""

_STRONGEST = 1.3
"""Steps count up to so many times the usual one of the hole."""


class Rim(NamedTuple):
    """Circle around a hole: brightness step across it, diameter, and column and row of its centre from the middle."""

    step: float
    diameter_px: float
    aside: tuple[float, float]


def rim(hole: Floats, diameter_px: float, sign: int) -> Rim:
    """Circle at which the brightness changes most all around.

    What counts at a circle is the step across it in the median direction. A hole's shadow or a bright fringe on one
    side, which draw the centre of mass or a correlation aside, do not move it.

    Parameters
    ----------
    hole : array (side, side)
        `mean_hole`.
    diameter_px : float
        About that of the hole.
    sign : int
        1 for a bright hole, -1 for a dark one.
    """
    middle = hole.shape[0] // 2
    angles = np.linspace(0, 2 * math.pi, 48, endpoint=False)
    directions = np.stack([np.sin(angles), np.cos(angles)])  # row, column
    thickness = max(1.0, 0.12 * diameter_px)
    depths = np.linspace(0.25, 1.0, 4) * thickness
    centre, radius = np.zeros(2), 0.5 * diameter_px
    for width in (0.2 * diameter_px, 0.05 * diameter_px, 0.0125 * diameter_px):
        steps = width * np.linspace(-1.0, 1.0, 9)
        rows, columns, radii = (
            axis.ravel()
            for axis in np.meshgrid(centre[0] + steps, centre[1] + steps, radius + steps, indexing="ij")
        )
        at = [radii[:, None] + side * depths for side in (-1, 1)]
        means = []
        for distance in at:
            place = [
                middle + start[:, None, None] + distance[:, :, None] * direction
                for start, direction in zip((rows, columns), directions)
            ]
            means.append(scipy.ndimage.map_coordinates(hole, place, order=1, mode="nearest").mean(axis=1))
        step = np.median(sign * (means[0] - means[1]), axis=1)
        best = int(np.argmax(step))
        centre, radius = np.array([rows[best], columns[best]]), float(radii[best])
    return Rim(float(step[best]), 2 * radius, (float(centre[1]), float(centre[0])))


class Centres(NamedTuple):
    """Centres of holes (n, 2), the mean step across each rim, and the share of the rim that lies in the image."""

    places: Floats
    steps: Floats
    shares: Floats


def centred(pixels: Pixels, places: Floats, diameter_px: float, sign: int) -> Centres:
    """Centres of holes of one diameter, from where they are about.

    Parameters
    ----------
    pixels : array (rows, columns)
        The image.
    places : array (n, 2)
        Columns and rows.
    diameter_px : float
        Of all holes.
    sign : int
        1 for bright holes, -1 for dark ones.
    """
    usual = np.nanmedian(_steps(pixels, places[:, None], diameter_px, sign), axis=-1)
    cap = _STRONGEST * np.maximum(usual, 1e-9)[:, :, None]
    grid = np.linspace(-1.0, 1.0, 7) * _REACH * diameter_px
    right, down = (axis.ravel() for axis in np.meshgrid(grid, grid))
    aside = np.column_stack([right, down])
    for width in (1.0, 0.5):
        around = places[:, None] + width * aside
        steps = np.clip(_steps(pixels, around, diameter_px, sign), -cap, cap)
        known = np.isfinite(steps)
        values = np.where(known, steps, 0.0).sum(axis=-1) / np.maximum(known.sum(axis=-1), 1)
        if width == 1.0:
            places = around[np.arange(len(places)), np.argmax(values, axis=1)]
    places = places + _vertices(aside, values) * 0.5
    final = _steps(pixels, places[:, None], diameter_px, sign)[:, 0]
    known = np.isfinite(final)
    steps = np.where(known, np.clip(final, -cap[:, 0], cap[:, 0]), 0.0).sum(axis=-1) / np.maximum(
        known.sum(axis=-1), 1
    )
    return Centres(places, steps, known.mean(axis=-1))


def _steps(pixels: Pixels, centres: Floats, diameter_px: float, sign: int) -> Floats:
    """Brightness just inside less that just outside of circles (…, 2) in each direction; NaN beyond the image."""
    depths = np.linspace(0.25, 1.0, 3) * max(1.0, _THICKNESS * diameter_px)
    rings = []
    for side in (-1, 1):
        radii = 0.5 * diameter_px + side * depths
        rows = centres[..., 1, None, None] + radii[:, None] * _SINES[0]
        columns = centres[..., 0, None, None] + radii[:, None] * _SINES[1]
        # Bilinear interpolation gives NaN where one of the four pixels lies outside.
        ring = scipy.ndimage.map_coordinates(pixels, [rows, columns], order=1, mode="constant", cval=np.nan)
        rings.append(ring.mean(axis=-2))
    steps: Floats = sign * (rings[0] - rings[1]).astype(np.float64)
    return steps


def _vertices(aside: Floats, values: Floats) -> Floats:
    """Where paraboloids through values (n, m) at places (m, 2) have their tops; within those places."""
    x, y = aside.T
    design = np.column_stack([np.ones_like(x), x, y, x * x, x * y, y * y])
    c = np.linalg.lstsq(design, values.T, rcond=None)[0]
    bend = 4 * c[3] * c[5] - c[4] ** 2
    peaked = (c[3] < 0) & (c[5] < 0) & (bend > 0)
    safe = np.where(peaked, bend, 1.0)
    tops = np.column_stack([(c[4] * c[2] - 2 * c[5] * c[1]) / safe, (c[4] * c[1] - 2 * c[3] * c[2]) / safe])
    limit = float(np.abs(aside).max())
    best = aside[np.argmax(values, axis=1)]
    moved: Floats = np.where(peaked[:, None] & (np.abs(tops) <= limit), tops, best)
    return moved
