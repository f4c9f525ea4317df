import itertools
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacetomo.frames import XY
from pacetomo.geo_points import lattice_of, places_between


def lattice(rows, columns):
    a, b = XY(2.9, 0.4), XY(-0.4, 2.9)
    middle = XY((columns - 1) / 2, (rows - 1) / 2)
    return [a.scaled(i - middle.x).plus(b.scaled(j - middle.y)) for i in range(columns) for j in range(rows)]


def clearance(place, others):
    return min(place.minus(other).length for other in others)


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (2, 2), (3, 3), (5, 5), (2, 7)])
@pytest.mark.parametrize("limit_um", [6.0, 15.0])
def test_places_lie_in_the_middle_of_cells_and_span_a_plane(shape, limit_um):
    targets = lattice(*shape)
    places = places_between(targets, limit_um)
    assert 3 <= len(places) <= 6
    spacing = 4.0 if len(targets) == 1 else np.hypot(2.9, 0.4)
    for place in places:
        assert clearance(place, targets) == pytest.approx(spacing / np.sqrt(2), abs=0.01)
        assert place.length <= limit_um
    spread = np.linalg.svd(np.array(places) - np.mean(places, axis=0), compute_uv=False)
    assert spread[1] > 0.25 * spread[0]
    for a, b, c in itertools.combinations(places, 3):
        u, v = b.minus(a), c.minus(a)
        assert abs(u.x * v.y - u.y * v.x) > 0.1


@given(st.permutations(lattice(3, 3)))
def test_the_order_of_targets_does_not_matter(targets):
    assert places_between(targets, 10.0) == places_between(lattice(3, 3), 10.0)


def test_targets_that_stand_anywhere_are_kept_clear():
    random.seed(1)
    targets = [XY(random.uniform(-8, 8), random.uniform(-8, 8)) for _ in range(10)]
    places = places_between(targets, 15.0, clearance_um=1.2)
    assert len(places) >= 3
    assert min(clearance(place, targets) for place in places) >= 1.2


def test_no_place_is_better_than_one_on_a_target_or_out_of_reach():
    assert places_between(lattice(3, 3), 10.0, clearance_um=2.5) == ()
    assert places_between(lattice(3, 3), 1.0) == ()


def test_a_row_has_its_second_vector_across():
    assert lattice_of([XY(0.0, 0.0), XY(2.0, 1.0), XY(4.0, 2.0)]) == (XY(2.0, 1.0), XY(-1.0, 2.0))
