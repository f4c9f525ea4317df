import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacetomo.errors import PlanError
from pacetomo.frames import XY
from pacetomo.geometry import SamplePlane, axis_distance_um, height_um, seen_y_um

angles = st.floats(-60, 60)
lengths = st.floats(-20, 20)


def rotated_about_x(point, tilt_deg):
    t = math.radians(tilt_deg)
    turn = np.array([[1, 0, 0], [0, math.cos(t), -math.sin(t)], [0, math.sin(t), math.cos(t)]])
    return turn @ np.array(point)


@given(x=lengths, n0=lengths, z0=lengths, tilt=angles)
def test_seen_position_and_height_are_a_rotation_about_the_tilt_axis(x, n0, z0, tilt):
    _, y, z = rotated_about_x((x, n0, z0), tilt)
    assert seen_y_um(n0, z0, tilt) == pytest.approx(y, abs=1e-9)
    assert height_um(n0, z0, tilt) == pytest.approx(z, abs=1e-9)


def test_a_point_above_the_axis_moves_down_in_y_when_tilted_up():
    assert seen_y_um(0.0, 1.0, 30.0) == pytest.approx(-0.5)
    assert height_um(1.0, 0.0, 30.0) == pytest.approx(0.5)


@given(n0=lengths, z0=lengths, tilt=angles)
def test_axis_distance_takes_seen_y_back(n0, z0, tilt):
    assert axis_distance_um(seen_y_um(n0, z0, tilt), z0, tilt) == pytest.approx(n0, abs=1e-9)


@pytest.mark.parametrize(
    ("pretilt", "rotation", "at", "height"),
    [
        (10.0, 0.0, XY(5.0, 2.0), 2.0 * math.tan(math.radians(10))),
        (-10.0, 0.0, XY(5.0, 2.0), -2.0 * math.tan(math.radians(10))),
        (10.0, 90.0, XY(5.0, 2.0), -5.0 * math.tan(math.radians(10))),
        (10.0, -90.0, XY(5.0, 2.0), 5.0 * math.tan(math.radians(10))),
    ],
)
def test_height_of_the_plane(pretilt, rotation, at, height):
    assert SamplePlane(pretilt, rotation).height_um(at) == pytest.approx(height)


@given(
    pretilt=st.floats(-25, 25), rotation=st.floats(-180, 180), tilt=st.floats(-50, 50), x=lengths, y=lengths
)
def test_untilting_is_the_inverse_of_seeing(pretilt, rotation, tilt, x, y):
    plane = SamplePlane(pretilt, rotation)
    back = plane.untilted(plane.seen(XY(x, y), tilt), tilt)
    assert back == pytest.approx((x, y), abs=1e-7)


@given(pretilt=st.floats(-25, 25), start=st.floats(-30, 30))
def test_without_rotation_shifts_shrink_as_the_target_file_convention_says(pretilt, start):
    seen = SamplePlane(pretilt).seen(XY(0.0, 3.0), start)
    factor = math.cos(math.radians(pretilt + start)) / math.cos(math.radians(pretilt))
    assert seen.y == pytest.approx(3.0 * factor)


def test_a_plane_seen_edge_on_is_refused():
    with pytest.raises(PlanError, match="edge-on"):
        SamplePlane(pretilt_deg=45.0).untilted(XY(0.0, 1.0), 45.0)
    with pytest.raises(PlanError, match="89"):
        axis_distance_um(1.0, 0.0, 90.0)
