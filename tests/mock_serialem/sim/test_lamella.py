import math

import numpy as np
import pytest

from mock_serialem.sim.lamella import LamellaMatter, Vesicles
from mock_serialem.sim.sample import LamellaSpec

SPEC = LamellaSpec(length_um=20.0, width_um=10.0, rim_height_um=2.0, rim_slope=1.0, thickness_nm=150.0)
UPRIGHT = (0.0, 0.0, 1.0)


def path(u, v, beam=UPRIGHT):
    return LamellaMatter(SPEC).path_um((0, 0), np.array([float(u)]), np.array([float(v)]), beam)[0]


def leaning(angle_deg):
    """Beam in the sheet's frame when the sheet is tilted by an angle about u."""
    return (0.0, math.tan(math.radians(angle_deg)), 1.0 / math.cos(math.radians(angle_deg)))


def test_inside_there_is_just_the_slab():
    assert path(0.0, 0.0) == pytest.approx(0.15)
    assert path(9.5, -4.5) == pytest.approx(0.15)


def test_the_rim_rises_to_its_height_above_and_below():
    assert path(0.0, 12.0) == pytest.approx(4.15)
    assert path(-15.0, 0.0) == pytest.approx(4.15)
    assert 1.8 < path(0.0, 6.0) < 2.5


def test_a_leaning_beam_crosses_more_of_the_slab():
    assert path(0.0, 0.0, leaning(60.0)) == pytest.approx(0.30)


def test_the_rim_shadows_the_side_it_leans_over():
    near, middle = path(0.0, 4.0, leaning(65.0)), path(0.0, 0.0, leaning(65.0))
    assert middle == pytest.approx(0.15 / math.cos(math.radians(65.0)))
    assert near > middle + 0.5
    # Steps along the u axis see no shadow from a tilt about u.
    assert path(9.0, 0.0, leaning(65.0)) == pytest.approx(middle)


def test_detail_ends_at_the_edge():
    detail = LamellaMatter(SPEC).detail((0, 0), np.array([0.0, 0.0, 11.0]), np.array([0.0, 6.0, 0.0]))
    assert detail == pytest.approx([1.0, 0.1, 0.1])


def test_vesicles_are_cut_at_the_faces_and_stay_inside():
    cloud = Vesicles(SPEC).make(np.random.default_rng(0), (0, 0), (0.0, 0.0), 1)
    assert cloud.weights.size > 1000
    assert np.abs(cloud.points_um[:, 2]).max() < 0.075
    outside = Vesicles(SPEC).make(np.random.default_rng(0), (0, 0), (14.0, 0.0), 1)
    assert outside.weights.size == 0


def test_thinning_keeps_the_mass():
    full, thin = (Vesicles(SPEC).make(np.random.default_rng(4), (0, 0), (0.0, 0.0), n) for n in (1, 20))
    assert thin.weights.size < full.weights.size / 15
    assert thin.weights.sum() == pytest.approx(full.weights.sum(), rel=0.1)
    assert np.average(thin.points_um, axis=0, weights=thin.weights) == pytest.approx(
        np.average(full.points_um, axis=0, weights=full.weights), abs=0.02
    )
