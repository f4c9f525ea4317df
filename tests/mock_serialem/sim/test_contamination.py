import numpy as np
import pytest

from mock_serialem.sim.contamination import Crystals, add_path_nm, path_through_um
from mock_serialem.sim.pose import Pose, rotation_about_x
from mock_serialem.sim.raster import raster
from mock_serialem.sim.sample import LamellaSpec, Sheet

BALL = np.array([[0.10, 0.05, 0.2, 0.15]])


def make_pose(tilt_deg: float = 0.0, rotation_deg: float = 0.0) -> Pose:
    return Pose(
        rotation_about_x(tilt_deg), np.zeros(3), (0.0,) * 3, tilt_deg, tilt_deg, 0.0, 0.002, rotation_deg
    )


def test_path_is_longest_through_the_middle():
    path = path_through_um(BALL, make_pose(), np.array([0.10, 0.10, 0.30]), np.array([0.05, 0.14, 0.05]))
    assert path == pytest.approx([0.30, 2.0 * np.sqrt(0.15**2 - 0.09**2), 0.0])


def test_a_ball_over_the_sheet_leans_when_tilted():
    y = 0.05 * np.cos(np.radians(40.0)) - 0.2 * np.sin(np.radians(40.0))
    path = path_through_um(BALL, make_pose(40.0), np.array([0.10]), np.array([y]))
    assert path == pytest.approx([0.30])


@pytest.mark.parametrize("rotation_deg", [0.0, 175.0, -60.0])
def test_the_map_agrees_with_single_places(rotation_deg):
    pose = make_pose(20.0, rotation_deg)
    net = raster(pose, (300, 400), 0.004)
    path_nm = np.zeros(net.x_um.shape, np.float32)
    add_path_nm(path_nm, BALL, pose, net)
    exact = path_through_um(BALL, pose, net.x_um.ravel(), net.y_um.ravel()).reshape(net.x_um.shape)
    assert np.abs(path_nm - 1e3 * exact).max() < 0.2
    assert path_nm.max() > 290.0


def test_crystals_lie_on_both_faces_and_are_always_the_same():
    sheet = Sheet(LamellaSpec(contamination_per_um2=0.5, pretilt_deg=0.0, curvature_um=(0.0, 0.0)), 0)
    box = (-5.0, -5.0, 5.0, 5.0)
    crystals = Crystals(sheet, 3).near((0, 0), box)
    assert np.array_equal(crystals, Crystals(sheet, 3).near((0, 0), box))
    assert (crystals[:, 2] > 0.075).any()
    assert (crystals[:, 2] < -0.075).any()
    assert (np.abs(crystals[:, 2]) + crystals[:, 3] > 0.075).all()
    assert Crystals(sheet, 4).near((0, 0), box).shape != crystals.shape
