"""Splitting targets beyond the image-shift limit into areas."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacetomo.errors import PlanError
from pacetomo.frames import XY
from pacetomo.selection.splitting import split_places

places = st.lists(st.builds(XY, st.floats(-40, 40), st.floats(-40, 40)), min_size=1, max_size=40)
limits = st.floats(1.0, 60.0)


def fewest_at_least(places_um: list[XY], limit_um: float) -> int:
    """Places more than twice the limit apart share no area: so many areas are needed at least."""
    apart: list[XY] = []
    for place in places_um:
        if all(place.minus(other).length > 2 * limit_um for other in apart):
            apart.append(place)
    return len(apart)


@given(places, limits)
def test_each_place_is_in_one_group_within_the_limit(places_um: list[XY], limit_um: float) -> None:
    groups = split_places(places_um, limit_um)
    assert sorted(n for group in groups for n in group.members) == list(range(len(places_um)))
    for group in groups:
        assert group.members[0] == group.tracking
        for n in group.members:
            assert places_um[n].minus(places_um[group.tracking]).length <= limit_um * (1 + 1e-6)
    assert groups == split_places(places_um, limit_um)


@given(places, limits)
def test_there_are_not_many_more_groups_than_needed(places_um: list[XY], limit_um: float) -> None:
    groups = split_places(places_um, limit_um)
    # A disc of the limit's radius needs at most 7 of half that radius; greedy choices do much better than that.
    assert fewest_at_least(places_um, limit_um) <= len(groups) <= 7 * fewest_at_least(places_um, limit_um)


@pytest.mark.parametrize(
    "columns, rows, limit, most", [(8, 1, 10.5, 2), (9, 9, 100.0, 1), (8, 8, 9.0, 4), (12, 3, 10.0, 3)]
)
def test_grids_are_split_into_about_as_few_areas_as_possible(
    columns: int, rows: int, limit: float, most: int
) -> None:
    grid = [XY(3.0 * i, 3.0 * j) for i, j in itertools.product(range(columns), range(rows))]
    assert len(split_places(grid, limit)) <= most


def test_the_tracking_target_lies_near_the_middle_of_its_area() -> None:
    grid = [XY(float(i), float(j)) for i, j in itertools.product(range(5), range(5))]
    far = [place.plus(XY(100.0, 0.0)) for place in grid]
    groups = split_places([*grid, *far], 20.0)
    assert [group.tracking for group in groups] == [12, 37]


def test_senseless_limits_and_places_are_refused() -> None:
    for limit in (0.0, -1.0, math.nan):
        with pytest.raises(PlanError, match="limit"):
            split_places([XY(0, 0)], limit)
    with pytest.raises(PlanError, match="finite"):
        split_places([XY(math.inf, 0)], 1.0)
    assert split_places([], 1.0) == ()
