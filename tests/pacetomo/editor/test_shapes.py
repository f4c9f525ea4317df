"""Figures as rows of numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacetomo.editor import shapes
from pacetomo.editor.drawing import circle
from pacetomo.frames import ORIGIN, XY

places = st.builds(XY, st.floats(-20, 20), st.floats(-20, 20))


def area(shade: shapes.Shade) -> float:
    """What a plot fills between the two curves."""
    height = np.array(shade.high) - np.array(shade.low)
    return float(np.sum(np.diff(shade.x) * (height[1:] + height[:-1]) / 2))


@given(st.lists(places, min_size=1, max_size=6), st.floats(0.2, 3.0))
def test_shades_cover_as_much_as_their_polygons_and_nothing_between_them(
    centres: list[XY], radius: float
) -> None:
    polygons = [circle(centre, radius) for centre in sorted(centres)]
    one = 0.5 * 48 * radius**2 * math.sin(2 * math.pi / 48)
    assert area(shapes.shaded(polygons)) == pytest.approx(len(centres) * one, rel=1e-6)


@given(st.lists(places, min_size=1, max_size=6))
def test_a_stamped_shape_is_drawn_as_each_of_them_would_be(centres: list[XY]) -> None:
    shape = circle(ORIGIN, 1.0, 12)
    each = [[centre.plus(corner) for corner in shape] for centre in centres]
    stamped = shapes.stamped(shapes.outlines([shape]), centres)
    assert np.allclose(stamped.x, shapes.outlines(each).x) and np.allclose(stamped.y, shapes.outlines(each).y)
    shade = shapes.stamped_shade(shapes.shaded([shape]), sorted(centres))
    assert area(shade) == pytest.approx(area(shapes.shaded(each[:1])) * len(centres), rel=1e-6)


def test_nothing_is_stamped_nowhere() -> None:
    assert shapes.stamped(shapes.outlines([circle(ORIGIN, 1.0)]), []) == shapes.Lines([], [])


def test_dashes_leave_half_of_an_edge_open() -> None:
    drawn = shapes.dashed([[XY(0, 0), XY(1, 0), XY(1, 1), XY(0, 1)]], 0.05)
    lengths = [
        math.hypot(drawn.x[i + 1] - drawn.x[i], drawn.y[i + 1] - drawn.y[i])
        for i in range(0, len(drawn.x), 2)
    ]
    assert sum(lengths) == pytest.approx(2.0)
    assert len(lengths) == 40


@given(st.floats(-100, 100), st.floats(0.01, 200), st.integers(1, 12))
def test_ticks_are_round_evenly_spaced_and_not_too_many(low: float, span: float, most: int) -> None:
    values, decimals = shapes.ticks(low, low + span, most)
    assert len(values) <= most + 1
    assert all(low - 1e-6 * span <= value <= low + span * (1 + 1e-6) for value in values)
    assert all(value == pytest.approx(round(value, decimals), abs=1e-9) for value in values)


@given(places, st.floats(0.5, 5.0))
def test_inside_is_what_is_nearer_to_the_middle_than_the_corners(point: XY, radius: float) -> None:
    polygon = circle(ORIGIN, radius, 400)
    if abs(point.length - radius) > 0.01 * radius:
        assert shapes.is_inside(point, polygon) == (point.length < radius)
