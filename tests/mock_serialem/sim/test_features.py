import numpy as np
import pytest

from mock_serialem.sim.features import Cloud, FeatureStore, Particles, join, random_rotations, templates
from mock_serialem.sim.sample import LamellaSpec, Sheet

SHEET = Sheet(LamellaSpec(pretilt_deg=10.0, rotation_deg=0.0, curvature_um=(0.0, 0.0)), seed=0)
PARTICLES = Particles(500.0, 0.06, (5.0, 0.3), templates(4, 16, 0))


def test_rotations_are_proper():
    turns = random_rotations(np.random.default_rng(0), 50)
    assert np.linalg.det(turns) == pytest.approx(np.ones(50), abs=1e-5)
    assert turns @ turns.transpose(0, 2, 1) == pytest.approx(np.broadcast_to(np.eye(3), (50, 3, 3)), abs=1e-5)


def test_particles_lie_in_their_cell_and_slab():
    cloud = PARTICLES.make(np.random.default_rng(1), (0, 0), (2.0, -4.0), 1)
    assert cloud.points_um[:, 0].min() > 2.0 - 0.03
    assert cloud.points_um[:, 0].max() < 2.4 + 0.03
    assert cloud.points_um[:, 1].min() > -4.0 - 0.03
    assert np.abs(cloud.points_um[:, 2]).max() < 0.06 + 0.03
    assert cloud.weights.min() > 0.0
    assert 40 < len(cloud.weights) / 16 < 130


def test_thinned_particles_keep_place_and_mass():
    full, thin = (PARTICLES.make(np.random.default_rng(1), (0, 0), (0.0, 0.0), n) for n in (1, 4))
    assert thin.weights.size * 4 == full.weights.size
    assert thin.weights.sum() == pytest.approx(full.weights.sum(), rel=1e-4)
    assert np.array_equal(thin.points_um, full.points_um[::4])


def test_cells_are_remade_alike_and_differ_among_each_other():
    stores = [FeatureStore(SHEET, [PARTICLES], seed) for seed in (1, 1, 2)]
    clouds = [join(store.within((0, 0), (0.0, 0.0, 0.5, 0.5), 0.5)) for store in stores]
    assert np.array_equal(clouds[0].points_um, clouds[1].points_um)
    assert not np.array_equal(clouds[0].points_um[:50], clouds[2].points_um[:50])
    other = join(stores[0].within((1, 0), (0.0, 0.0, 0.5, 0.5), 0.5))
    assert not np.array_equal(clouds[0].points_um[:50], other.points_um[:50])


def test_a_cell_does_not_depend_on_the_way_to_it():
    direct, roundabout = (FeatureStore(SHEET, [PARTICLES], 1) for _ in range(2))
    roundabout.within((0, 0), (-3.0, -3.0, 3.0, 3.0), 0.5)
    box = (1.0, 1.0, 1.1, 1.1)
    first, second = (join(store.within((0, 0), box, 0.5)) for store in (direct, roundabout))
    assert np.array_equal(first.points_um, second.points_um)


def test_points_are_turned_with_the_sheet():
    class OnePoint:
        number, cell_um, reach_um, coarsest_nm = 9, 1.0, 0.0, 10.0

        def make(self, rng, site, corner_um, thinning):
            return Cloud(np.array([[0.5, 0.5, 0.1]], np.float32), np.ones(1, np.float32))

    store = FeatureStore(SHEET, [OnePoint()], 0)
    (cloud,) = store.within((0, 0), (0.2, 0.2, 0.3, 0.3), 0.5)
    cos, sin = np.cos(np.radians(10.0)), np.sin(np.radians(10.0))
    assert cloud.points_um[0] == pytest.approx(
        np.array([0.5, 0.5 * cos - 0.1 * sin, 0.5 * sin + 0.1 * cos]), abs=1e-6
    )


def test_fine_structure_vanishes_at_coarse_pixels():
    store = FeatureStore(SHEET, [PARTICLES], 0)
    assert store.within((0, 0), (0.0, 0.0, 5.0, 5.0), 12.0) == []


def test_old_cells_make_room(monkeypatch):
    monkeypatch.setattr("mock_serialem.sim.features.CACHED_POINTS", 5000)
    store = FeatureStore(SHEET, [PARTICLES], 0)
    first = join(store.within((0, 0), (0.0, 0.0, 0.1, 0.1), 0.5))
    store.within((0, 0), (-5.0, -5.0, 5.0, 5.0), 0.5)
    assert store.cached_points < 10_000
    assert np.array_equal(join(store.within((0, 0), (0.0, 0.0, 0.1, 0.1), 0.5)).points_um, first.points_um)
