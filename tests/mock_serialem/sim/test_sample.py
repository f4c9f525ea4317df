import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_serialem.sim.pose import rotation_about_x
from mock_serialem.sim.sample import HoleySpec, LamellaSpec, Sheet

angles = st.floats(-30.0, 30.0)
places = st.floats(-9.0, 9.0)


def height_at(sheet: Sheet, x_um: float, y_um: float) -> float:
    """Height where a vertical line of the untilted frame pierces the sheet."""
    return sheet.at_centre(np.eye(3), np.array([-x_um, -y_um, 0.0])).point_um[2]


@given(angles, st.floats(-180.0, 180.0), places, places)
def test_an_even_sheet_is_the_plane_that_pretilt_and_rotation_mean(pretilt, rotation, x, y):
    sheet = Sheet(LamellaSpec(pretilt_deg=pretilt, rotation_deg=rotation, curvature_um=(0.0, 0.0)), seed=0)
    turn = math.radians(rotation)
    expected = math.tan(math.radians(pretilt)) * (math.cos(turn) * y - math.sin(turn) * x)
    assert height_at(sheet, x, y) == pytest.approx(expected, abs=1e-9)


def test_pretilt_raises_plus_y():
    sheet = Sheet(LamellaSpec(pretilt_deg=10.0, rotation_deg=0.0, curvature_um=(0.0, 0.0)), seed=0)
    assert height_at(sheet, 0.0, 5.0) == pytest.approx(0.8816349)
    assert height_at(sheet, 5.0, 0.0) == pytest.approx(0.0)


def test_rotation_by_90_degrees_raises_minus_x():
    sheet = Sheet(LamellaSpec(pretilt_deg=10.0, rotation_deg=90.0, curvature_um=(0.0, 0.0)), seed=0)
    assert height_at(sheet, 5.0, 0.0) == pytest.approx(-0.8816349)


def test_curvature_is_the_height_at_8_um_along_each_axis():
    spec = LamellaSpec(pretilt_deg=0.0, rotation_deg=0.0, curvature_um=(0.2, -0.1))
    sheet = Sheet(spec, seed=0)
    assert height_at(sheet, 8.0, 0.0) == pytest.approx(0.2)
    assert height_at(sheet, -8.0, 0.0) == pytest.approx(0.2)
    assert height_at(sheet, 0.0, 8.0) == pytest.approx(-0.1)


@given(places, places, st.floats(-68.0, 68.0))
def test_the_beam_through_a_point_of_the_sheet_finds_it_again(u, v, tilt):
    sheet = Sheet(LamellaSpec(), seed=0)
    point = sheet.points((0, 0), np.array([u]), np.array([v]))[0]
    rotation = rotation_about_x(tilt)
    offset = np.array([0.3, -0.2, 0.7])
    offset[:2] -= (rotation @ point + offset)[:2]
    found = sheet.at_centre(rotation, offset)
    assert found.point_um == pytest.approx(tuple(point), abs=1e-7)
    assert (found.u_um, found.v_um) == pytest.approx((u, v), abs=1e-7)


def test_slopes_are_the_derivative_of_the_bend():
    sheet = Sheet(LamellaSpec(), seed=0)
    _, slope_u, slope_v = sheet.bend(5.0, -3.0)
    assert slope_u == pytest.approx(
        (sheet.bend(5.001, -3.0)[0] - sheet.bend(4.999, -3.0)[0]) / 0.002, rel=1e-5
    )
    assert slope_v == pytest.approx(
        (sheet.bend(5.0, -2.999)[0] - sheet.bend(5.0, -3.001)[0]) / 0.002, rel=1e-5
    )


def test_depth_is_measured_along_the_normal_of_the_sheet():
    sheet = Sheet(LamellaSpec(pretilt_deg=30.0, rotation_deg=0.0, curvature_um=(0.0, 0.0)), seed=0)
    point = sheet.points((0, 0), np.array([0.0]), np.array([0.0]), 0.1)[0]
    assert point == pytest.approx(np.array([0.0, -0.05, 0.0866025]), abs=1e-6)


def test_beam_direction_follows_tilt_plus_pretilt():
    sheet = Sheet(LamellaSpec(pretilt_deg=-9.0, rotation_deg=0.0), seed=0)
    along_u, along_v, stretch = sheet.beam(rotation_about_x(60.0))
    assert along_u == pytest.approx(0.0)
    assert along_v == pytest.approx(math.tan(math.radians(51.0)))
    assert stretch == pytest.approx(1.0 / math.cos(math.radians(51.0)))


def test_sites_repeat_with_heights_of_their_own():
    sheet = Sheet(HoleySpec(), seed=4)
    assert sheet.site_at(80.0, -90.0) == (1, -1)
    assert sheet.origin_um((0, 0)) == pytest.approx(np.zeros(3))
    assert sheet.origin_um((1, -1))[:2] == pytest.approx(np.array([83.0, -83.0]))
    assert sheet.origin_um((1, -1))[2] == Sheet(HoleySpec(), seed=4).origin_um((1, -1))[2] != 0.0


def test_a_spec_can_be_changed_field_by_field():
    assert dataclasses.replace(LamellaSpec(), pretilt_deg=9.0).pretilt_deg == 9.0
