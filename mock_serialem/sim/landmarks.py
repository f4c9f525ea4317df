"""What a person would take for a feature: holes of a film, bodies in a lamella."""

from __future__ import annotations

import math

import numpy as np

from mock_serialem.sim.features import cell_generator
from mock_serialem.sim.holey import ICE, HoleyMatter
from mock_serialem.sim.lamella import Vesicles
from mock_serialem.sim.pose import Point, Pose
from mock_serialem.sim.sample import HoleySpec, LamellaSpec, Placement, Sheet

UVW = tuple[float, float, float]

SMALLEST_UM = 0.08
"""Radius from which on a body in a lamella is worth centring."""


def nearest_landmark(sheet: Sheet, seed: int, pose: Pose, reach_um: float) -> Point | None:
    """Sample-frame point (um) of the feature nearest to the centre of an image, None if there is none within reach."""
    spec, here = sheet.spec, sheet.at_centre(pose.rotation, pose.offset_um)
    found: list[UVW] = []
    if isinstance(spec, HoleySpec):
        found = _holes(HoleyMatter(spec, seed), here)
    elif isinstance(spec, LamellaSpec):
        found = _bodies(spec, seed, here, reach_um)
    points = [_in_sample(sheet, here, place) for place in found]
    best = min(points, key=lambda point: math.hypot(*pose.where(point)[:2]), default=None)
    if best is None or math.hypot(*pose.where(best)[:2]) > reach_um:
        return None
    return best


def holes_within(sheet: Sheet, seed: int, pose: Pose, reach_um: float) -> list[Point]:
    """Sample-frame centres (um) of the holes with ice around the centre of an image.

    They come row by row of the lattice, each row in the direction opposite to the one before. A sample without holes
    has none.
    """
    spec, here = sheet.spec, sheet.at_centre(pose.rotation, pose.offset_um)
    if not isinstance(spec, HoleySpec):
        return []
    steps = math.ceil(reach_um / math.hypot(*spec.lattice_um[0])) + 1
    found = _holes(HoleyMatter(spec, seed), here, steps)
    return [_in_sample(sheet, here, place) for place in found]


def surface_point(sheet: Sheet, x_um: float, y_um: float) -> Point:
    """Point of the mid-surface with these coordinates in the sample's frame."""
    return sheet.at_centre(np.eye(3), np.array([-x_um, -y_um, 0.0])).point_um


def _in_sample(sheet: Sheet, here: Placement, place: UVW) -> Point:
    x, y, z = sheet.points(here.site, np.array([place[0]]), np.array([place[1]]), place[2])[0]
    return float(x), float(y), float(z)


def _holes(matter: HoleyMatter, here: Placement, steps: int = 2) -> list[UVW]:
    """Sheet u, v, depth of the sound holes around, so many steps of the lattice to each side."""
    middle_i, middle_j, _ = matter.nearest_hole(np.array([here.u_um]), np.array([here.v_um]))
    side = range(-steps, steps + 1)
    around = [(int(middle_i[0]) + i, int(middle_j[0]) + (j if i % 2 else -j)) for i in side for j in side]
    return [(*matter.centre_um(i, j), 0.0) for i, j in around if matter.kind(here.site, i, j) == ICE]


def _bodies(spec: LamellaSpec, seed: int, here: Placement, reach_um: float) -> list[UVW]:
    """Sheet u, v, depth of the larger bodies around."""
    layer = Vesicles(spec)
    cell, reach = layer.cell_um, min(reach_um, 3.0)
    found: list[UVW] = []
    for i in range(math.floor((here.u_um - reach) / cell), math.floor((here.u_um + reach) / cell) + 1):
        for j in range(math.floor((here.v_um - reach) / cell), math.floor((here.v_um + reach) / cell) + 1):
            rng = cell_generator(seed, layer.number, here.site, i, j)
            places, radii = layer.places(rng, (i * cell, j * cell))
            found += [
                (float(u), float(v), float(depth))
                for (u, v, depth), radius in zip(places, radii)
                if radius >= SMALLEST_UM and abs(depth) < spec.thickness_nm * 0.5e-3
                and not layer.is_outside((float(u), float(v)))
            ]  # fmt: skip
    return found
