"""Patterns in spiral order, and their vectors measured hole by hole."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacetomo.errors import PlanError
from pacetomo.frames import XY
from pacetomo.pattern import Lattice, hole_reach_um, read_lattice
from pacetomo.selection.pattern_order import VectorRefinement, pattern_targets, spiral
from pacetomo.targets import Target

LATTICE = Lattice(XY(2.0, 0.3), XY(-0.3, 2.1))
FIRST = Target(1, "grid_ts_001.mrc", reference="grid_tgt_001.mrc", stage_um=XY(10.0, 20.0))


@given(st.integers(0, 6))
def test_a_spiral_visits_each_hole_once_in_steps_to_a_neighbour(size: int) -> None:
    order = spiral(size)
    side = range(-size, size + 1)
    assert sorted(order) == sorted(itertools.product(side, side))
    assert order[0] == (0, 0)
    assert all(abs(a[0] - b[0]) + abs(a[1] - b[1]) == 1 for a, b in zip(order, order[1:]))
    rings = [max(abs(i), abs(j)) for i, j in order]
    assert rings == sorted(rings)


def test_targets_lie_on_their_holes_in_order_without_those_left_out() -> None:
    targets = pattern_targets(FIRST, LATTICE, 1, {(1, 1), (-1, 0), (5, 5)})
    assert targets.tracking.reference == "grid_tgt_001.mrc"
    assert [target.number for target in targets.targets] == [1, 2, 3, 4, 5, 6, 7]
    assert [target.series for target in targets.targets[:3]] == [
        "grid_ts_001.mrc",
        "grid_ts_002.mrc",
        "grid_ts_003.mrc",
    ]
    indices = [(0, 0), (1, 0), (0, 1), (-1, 1), (-1, -1), (0, -1), (1, -1)]
    for target, (i, j) in zip(targets.targets, indices):
        assert target.shift_um == pytest.approx((2.0 * i - 0.3 * j, 0.3 * i + 2.1 * j))
    assert read_lattice(targets) == LATTICE
    assert [override.value for override in targets.overrides if override.name == "size"] == ["1"]


@pytest.mark.parametrize("size", [-1, 21])
def test_impossible_sizes_are_refused(size: int) -> None:
    with pytest.raises(PlanError, match="0 to 20"):
        pattern_targets(FIRST, LATTICE, size)


def test_the_tracking_target_cannot_be_left_out() -> None:
    with pytest.raises(PlanError, match="tracking target"):
        pattern_targets(FIRST, LATTICE, 1, [(0, 0)])


@given(st.floats(-12, 12), st.floats(0.88, 1.12), st.integers(1, 8))
def test_measuring_from_near_to_far_never_meets_a_neighbour_and_ends_at_the_truth(
    turned_deg: float, scale: float, size: int
) -> None:
    turn = math.radians(turned_deg)

    def moved(vector: XY) -> XY:
        return XY(
            scale * (vector.x * math.cos(turn) - vector.y * math.sin(turn)),
            scale * (vector.x * math.sin(turn) + vector.y * math.cos(turn)),
        )

    true = LATTICE.mapped(moved)
    course = VectorRefinement.of_pattern(LATTICE, size)
    while course.next is not None:
        offset = true.at(course.next).minus(course.expected_um)
        assert offset.length < hole_reach_um(LATTICE, ())
        course = course.measured(offset)
    assert course.lattice.a_um == pytest.approx(true.a_um, abs=1e-6)
    assert course.lattice.b_um == pytest.approx(true.b_um, abs=1e-6)
    assert max(abs(i) + abs(j) for (i, j), _ in course.seen) == size


def test_a_vector_whose_holes_are_not_found_stays_as_it_was() -> None:
    course = VectorRefinement.of_pattern(LATTICE, 4, [(2, 0)])
    assert course.to_do[:2] == ((1, 0), (4, 0))
    course = course.missed()
    assert course.next == (0, 1)
    course = course.measured(XY(0.1, -0.2))
    assert course.lattice.a_um == LATTICE.a_um
    assert course.lattice.b_um == pytest.approx((-0.2, 1.9))
    course = course.missed()
    assert course.next is None
    assert course.missed() == course == course.measured(XY(1.0, 1.0))
