import dataclasses

import numpy as np
import pytest

from mock_serialem.sim.holey import EMPTY_HOLE, ICE, MISSING, Beads, CarbonGrain, HoleyMatter, holey_layers
from mock_serialem.sim.sample import HoleySpec

SPEC = HoleySpec()
MATTER = HoleyMatter(SPEC, seed=0)
UPRIGHT = (0.0, 0.0, 1.0)


def at_hole(i, j, du=0.0, dv=0.0):
    u, v = MATTER.centre_um(i, j)
    return np.array([u + du]), np.array([v + dv])


def test_holes_lie_on_the_lattice():
    assert MATTER.centre_um(1, 0) == pytest.approx((2.98, 0.34))
    assert MATTER.centre_um(0, 1) == pytest.approx((-0.34, 2.98))
    i, j, distance = MATTER.nearest_hole(*at_hole(-3, 2, 0.3, 0.4))
    assert (i[0], j[0], distance[0]) == (-3, 2, pytest.approx(0.5))


def test_missing_and_empty_holes_are_those_of_the_spec_near_the_centre():
    kinds = {(i, j): MATTER.kind((0, 0), i, j) for i in range(-3, 4) for j in range(-3, 4)}
    assert {key for key, kind in kinds.items() if kind == MISSING} == set(SPEC.missing)
    assert {key for key, kind in kinds.items() if kind == EMPTY_HOLE} == {(1, 3)}
    assert kinds[0, 0] == ICE
    far = [MATTER.kind((0, 0), i, j) for i in range(5, 20) for j in range(5, 20)]
    assert 0.01 < far.count(MISSING) / len(far) < 0.12


def test_ice_is_thinner_than_film_and_bars_stop_the_beam():
    hole = MATTER.path_um((0, 0), *at_hole(0, 0), UPRIGHT)[0]
    film = MATTER.path_um((0, 0), *at_hole(0, 0, 1.4), UPRIGHT)[0]
    missing = MATTER.path_um((0, 0), *at_hole(2, -1), UPRIGHT)[0]
    empty = MATTER.path_um((0, 0), *at_hole(1, 3), UPRIGHT)[0]
    bar = MATTER.path_um((0, 0), np.array([35.0]), np.array([0.0]), UPRIGHT)[0]
    assert hole == pytest.approx(0.85 * 0.045)
    assert film == missing == pytest.approx(0.110)
    assert empty == 0.0
    assert bar > 3.0
    assert MATTER.path_um((0, 0), *at_hole(0, 0), (0.0, 1.7, 2.0))[0] == pytest.approx(2.0 * hole)


def test_detail_is_lost_without_ice():
    places = [at_hole(0, 0), at_hole(0, 0, 1.4), at_hole(1, 3), (np.array([35.0]), np.array([0.0]))]
    assert [float(MATTER.detail((0, 0), u, v)[0]) for u, v in places] == [1.0, 0.7, 0.0, 0.0]


def test_particles_keep_to_ice_and_grain_to_film():
    layers = holey_layers(SPEC, MATTER, seed=0)
    particles = layers[0].make(np.random.default_rng(0), (0, 0), (0.4, 0.4), 1)
    in_hole, _ = MATTER.ice_share((0, 0), *particles.points_um[:, :2].astype(float).T)
    assert 0 < particles.weights.size
    assert in_hole.min() > 0.5
    grain = CarbonGrain(MATTER).make(np.random.default_rng(0), (0, 0), (0.4, 0.4), 1)
    in_hole, _ = MATTER.ice_share((0, 0), *grain.points_um[:, :2].astype(float).T)
    assert 0 < grain.weights.size
    assert in_hole.max() < 0.5


def test_beads_are_ten_nanometres_wide_and_not_in_vacuum():
    beads = Beads(MATTER, per_um2=4.0, half_depth_um=0.02)
    cloud = beads.make(np.random.default_rng(2), (0, 0), (0.0, 0.0), 1)
    balls = cloud.points_um.reshape(-1, 60, 3)
    assert np.ptp(balls, axis=1).max() <= 0.010 + 1e-6
    assert np.ptp(balls, axis=1).min() > 0.006
    u, v = MATTER.centre_um(1, 3)
    lost = dataclasses.replace(beads, cell_um=0.5, per_um2=400.0).make(
        np.random.default_rng(2), (0, 0), (u - 0.25, v - 0.25), 1
    )
    assert lost.weights.size == 0


def test_no_places_are_no_trouble():
    in_hole, filled = MATTER.ice_share((0, 0), np.zeros(0), np.zeros(0))
    assert in_hole.size == filled.size == 0
