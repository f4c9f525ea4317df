import numpy as np
import pytest

from mock_serialem.sim.pose import Pose
from mock_serialem.sim.raster import raster, spread


def make_pose(rotation_deg: float, pixel_um: float = 0.01) -> Pose:
    return Pose(np.eye(3), np.zeros(3), (0.0, 0.0, 0.0), 0.0, 0.0, -5.0, pixel_um, rotation_deg)


def test_the_top_left_pixel_lies_at_minus_x_plus_y():
    net = raster(make_pose(0.0), (41, 61), 0.02)
    assert (net.x_um[0, 0], net.y_um[0, 0]) == pytest.approx((-0.30, 0.20))
    assert net.step == 2.0


def test_rotation_turns_the_tilt_axis_counter_clockwise_in_the_image():
    net = raster(make_pose(90.0), (41, 61), 0.02)
    # With 90 degrees the specimen's x axis points up in the image: the top row has the largest x.
    assert (net.x_um[0, 0], net.y_um[0, 0]) == pytest.approx((0.20, 0.30))


def test_values_are_interpolated_between_places():
    net = raster(make_pose(0.0), (50, 70), 0.05)
    flat = spread(2.0 * net.x_um - 3.0 * net.y_um, net, np.arange(50.0), np.arange(70.0))
    assert flat.shape == (50, 70)
    assert flat[10, 20] == pytest.approx(2.0 * 0.01 * (20 - 34.5) - 3.0 * 0.01 * (24.5 - 10), abs=1e-5)
    assert flat[49, 69] == pytest.approx(2.0 * 0.01 * 34.5 + 3.0 * 0.01 * 24.5, abs=1e-5)
