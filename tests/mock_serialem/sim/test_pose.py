import numpy as np
import pytest

from mock_serialem.sim.pose import Pose, plane_rotation, rotation_about_x, rotation_about_z


def make_pose(tilt_deg: float, offset: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Pose:
    return Pose(
        rotation_about_x(tilt_deg), np.array(offset), (0.0, 0.0, 0.0), tilt_deg, tilt_deg, -3.0, 5e-4, 0.0
    )


def test_positive_tilt_turns_y_towards_the_source():
    x, y, z = make_pose(30.0).where((1.0, 2.0, 0.5))
    assert (x, y, z) == pytest.approx((1.0, 2.0 * 0.8660254 - 0.5 * 0.5, 2.0 * 0.5 + 0.5 * 0.8660254))


def test_raising_the_sample_at_positive_tilt_moves_it_towards_minus_y():
    pose = make_pose(40.0)
    assert pose.where((0.0, 0.0, 1.0))[1] == pytest.approx(-0.6427876)


def test_offset_is_added_after_turning():
    assert make_pose(90.0, (0.1, 0.2, 0.3)).where((0.0, 1.0, 0.0)) == pytest.approx((0.1, 0.2, 1.3))


def test_many_points_go_the_way_of_one():
    pose = make_pose(-25.0, (0.3, -0.2, 0.1))
    points = np.array([[1.0, 2.0, 3.0], [-4.0, 5.0, -6.0]])
    assert pose.where_all(points) == pytest.approx(np.array([pose.where(tuple(point)) for point in points]))


def test_defocus_grows_towards_the_source():
    assert make_pose(0.0).defocus_at(0.4) == pytest.approx(-2.6)


def test_rotations_are_counter_clockwise():
    assert rotation_about_z(90.0) @ [1.0, 0.0, 0.0] == pytest.approx(np.array([0.0, 1.0, 0.0]))
    assert plane_rotation(90.0) @ [0.0, 1.0] == pytest.approx(np.array([-1.0, 0.0]))
    assert rotation_about_x(90.0) @ [0.0, 1.0, 0.0] == pytest.approx(np.array([0.0, 0.0, 1.0]))
