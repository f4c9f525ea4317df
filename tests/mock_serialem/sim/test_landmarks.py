from __future__ import annotations

import numpy as np
import pytest

from mock_serialem.sim.landmarks import nearest_landmark, surface_point
from mock_serialem.sim.pose import Pose, rotation_about_x
from mock_serialem.sim.sample import HoleySpec, LamellaSpec, SampleSpec, Sheet


def pose_over(sheet: Sheet, x_um: float, y_um: float, tilt_deg: float = 0.0) -> Pose:
    rotation = rotation_about_x(tilt_deg)
    offset = -rotation @ np.asarray(surface_point(sheet, x_um, y_um))
    place = sheet.at_centre(rotation, offset)
    return Pose(rotation, offset, place.point_um, tilt_deg, tilt_deg, -3.0, 1e-3, 0.0)


@pytest.mark.parametrize("tilt", [0.0, 40.0])
def test_a_hole_is_found_where_it_is(tilt: float) -> None:
    sheet = Sheet(HoleySpec(pretilt_deg=0.0, curvature_um=(0.0, 0.0)), 1)
    found = nearest_landmark(sheet, 1, pose_over(sheet, 2.7, 0.5, tilt), 1.0)
    assert found == pytest.approx((2.98, 0.34, 0.0), abs=1e-6)


def test_what_is_too_far_away_is_not_seen() -> None:
    sheet = Sheet(HoleySpec(), 1)
    assert nearest_landmark(sheet, 1, pose_over(sheet, 1.5, 1.5), 0.5) is None
    # A hole that was never made.
    u, v = 2 * 2.98 + 0.34, 2 * 0.34 - 2.98
    assert nearest_landmark(sheet, 1, pose_over(sheet, u, v), 1.0) is None


def test_a_body_in_the_lamella() -> None:
    sheet = Sheet(LamellaSpec(), 1)
    pose = pose_over(sheet, 1.0, 1.0)
    found = nearest_landmark(sheet, 1, pose, 2.0)
    assert found is not None
    assert nearest_landmark(sheet, 1, pose, 2.0) == found
    assert nearest_landmark(sheet, 2, pose, 2.0) != found
    height = surface_point(sheet, found[0], found[1])[2]
    assert abs(found[2] - height) < 0.08
    # From there it is the nearest one.
    again = nearest_landmark(sheet, 1, pose_over(sheet, found[0], found[1]), 0.1)
    assert again == pytest.approx(found)


def test_a_bare_sheet_has_none() -> None:
    sheet = Sheet(SampleSpec(), 1)
    assert nearest_landmark(sheet, 1, pose_over(sheet, 0.0, 0.0), 5.0) is None


def test_the_surface() -> None:
    sheet = Sheet(LamellaSpec(pretilt_deg=-10.0, rotation_deg=0.0, curvature_um=(0.0, 0.0)), 1)
    assert surface_point(sheet, 2.0, 3.0) == pytest.approx((2.0, 3.0, -3.0 * np.tan(np.radians(10.0))))
