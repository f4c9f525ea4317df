"""Filling polygons: footprints apart, centres inside, and senseless polygons refused."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacetomo.errors import PlanError
from pacetomo.frames import XY
from pacetomo.selection.polygon import checked_polygon, filled_polygon, inside

SQUARE = [XY(0.0, 0.0), XY(10.0, 0.0), XY(10.0, 10.0), XY(0.0, 10.0)]
# A "C": its mouth, from x = 3 to 10 between y = 4 and 6, is outside.
CONCAVE = [XY(0, 0), XY(10, 0), XY(10, 4), XY(3, 4), XY(3, 6), XY(10, 6), XY(10, 10), XY(0, 10)]


@st.composite
def stars(draw: st.DrawFn) -> list[XY]:
    """Simple polygons, mostly concave: corners at increasing angles around a centre."""
    count = draw(st.integers(3, 9))
    radii = draw(st.lists(st.floats(3.0, 12.0), min_size=count, max_size=count))
    turn = draw(st.floats(0, 6.0))
    corners = [
        XY(5 + r * math.cos(turn + 2 * math.pi * n / count), r * math.sin(turn + 2 * math.pi * n / count) - 3)
        for n, r in enumerate(radii)
    ]
    return corners[::-1] if draw(st.booleans()) else corners


@given(
    stars(),
    st.floats(0.7, 2.0),
    st.floats(0, 70),
    st.sampled_from(["hexagonal", "square"]),
    st.floats(-180, 180),
    st.floats(1.0, 1.5),
)
def test_footprints_neither_overlap_nor_leave_the_polygon(
    corners: list[XY], beam: float, tilt: float, packing: str, rotation: float, wider: float
) -> None:
    points = filled_polygon(corners, beam, tilt, packing, rotation, wider * beam)
    assert inside(np.array(points), np.array(corners)).all()
    squeeze = math.cos(math.radians(tilt))
    for one, other in itertools.combinations(points, 2):
        apart = math.hypot(one.x - other.x, (one.y - other.y) * squeeze)
        assert apart >= wider * beam * (1 - 1e-6)


@given(stars(), st.sampled_from(["hexagonal", "square"]), st.floats(0, 90))
def test_the_sense_of_the_corners_does_not_matter_to_how_many_fit(
    corners: list[XY], packing: str, rotation: float
) -> None:
    counts = [len(filled_polygon(order, 1.0, 45.0, packing, rotation)) for order in (corners, corners[::-1])]
    assert counts[0] == counts[1]


@pytest.mark.parametrize("packing, per_um2", [("square", 1.0), ("hexagonal", 2 / math.sqrt(3))])
@pytest.mark.parametrize("tilt", [0.0, 60.0])
def test_a_large_polygon_is_filled_as_densely_as_the_packing_allows(
    packing: str, per_um2: float, tilt: float
) -> None:
    points = filled_polygon([corner.scaled(3.0) for corner in SQUARE], 1.0, tilt, packing, 17.0)
    assert len(points) == pytest.approx(900 * per_um2 * math.cos(math.radians(tilt)), rel=0.05)


def test_footprints_are_stretched_across_the_tilt_axis_only() -> None:
    points = filled_polygon(SQUARE, 1.0, 60.0, "square")
    assert sorted({round(b - a, 6) for a, b in _pairs(p.x for p in points)}) == [1.0]
    assert sorted({round(b - a, 6) for a, b in _pairs(p.y for p in points)}) == [2.0]
    assert len(points) == 11 * 6


def _pairs(values: Iterable[float]) -> list[tuple[float, float]]:
    different = sorted({round(value, 6) for value in values})
    return list(zip(different, different[1:]))


def test_the_packing_is_turned_counter_clockwise() -> None:
    points = filled_polygon(SQUARE, 1.0, 0.0, "square", 30.0)
    neighbours = [b.minus(a) for a, b in itertools.permutations(points, 2) if b.minus(a).length < 1.01]
    angles = {round(math.degrees(math.atan2(step.y, step.x)), 3) % 360 for step in neighbours}
    assert angles == {30.0, 120.0, 210.0, 300.0}


def test_the_mouth_of_a_concave_polygon_stays_empty() -> None:
    points = filled_polygon(CONCAVE, 1.0, 0.0)
    assert not [point for point in points if point.x > 3.001 and 4.001 < point.y < 5.999]
    assert any(point.x > 5 and point.y < 4 for point in points)
    assert any(point.x > 5 and point.y > 6 for point in points)
    assert any(point.x < 3 and 4 < point.y < 6 for point in points)


@pytest.mark.parametrize(
    "corners, says",
    [
        ([], "0 corners"),
        ([XY(1, 1)], "1 corner:"),
        ([XY(0, 0), XY(1, 1)], "2 corners"),
        ([XY(0, 0), XY(1, 1), XY(0, 0)], "2 corners"),
        ([XY(0, 0), XY(0, 0), XY(1, 1), XY(1, 1)], "2 corners"),
        ([XY(0, 0), XY(1, 1), XY(2, 2)], "no area"),
        ([XY(0, 0), XY(4, 4), XY(4, 0), XY(0, 4)], "cross"),
        ([XY(0, 0), XY(6, 0), XY(6, 5), XY(2, -1), XY(0, 5)], "cross"),
        ([XY(0, 0), XY(4, 0), XY(4, 4), XY(2, 0), XY(0, 4)], "touch"),
        ([XY(0, 0), XY(4, 0), XY(4, 4), XY(6, 6), XY(4, 4), XY(0, 4)], "cross or touch"),
        ([XY(0, 0), XY(math.nan, 0), XY(4, 4)], "no finite place"),
    ],
)
def test_a_senseless_polygon_is_refused_in_one_sentence(corners: list[XY], says: str) -> None:
    with pytest.raises(PlanError, match=says):
        filled_polygon(corners, 1.0)


def test_a_repeated_last_corner_closes_the_polygon() -> None:
    assert len(checked_polygon([*SQUARE, SQUARE[0]])) == 4
    assert filled_polygon([*SQUARE, SQUARE[0]], 1.0) == filled_polygon(SQUARE, 1.0)


@pytest.mark.parametrize(
    "values, says",
    [
        ({"beam_diameter_um": 0.0}, "beam diameter"),
        ({"beam_diameter_um": math.nan}, "beam diameter"),
        ({"max_tilt_deg": 90.0}, "at most 80"),
        ({"packing": "dense"}, "hexagonal or square"),
        ({"spacing_um": 0.5}, "overlap"),
        ({"beam_diameter_um": 0.01}, "about"),
        ({"rotation_deg": math.inf}, "no number"),
    ],
)
def test_senseless_values_are_refused(values: dict[str, float], says: str) -> None:
    with pytest.raises(PlanError, match=says):
        filled_polygon(SQUARE, **{"beam_diameter_um": 1.0, **values})  # type: ignore[arg-type]


def test_a_sliver_takes_targets_in_a_row() -> None:
    points = filled_polygon([XY(0, 0), XY(10, 0.0), XY(10, 0.2), XY(0, 0.2)], 1.0, 60.0)
    assert len(points) >= 10
