"""Finding holes, and going to them."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import ModuleType

import pytest

from mock_serialem.module import make_module
from mock_serialem.session import Session
from mock_serialem.sim.landmarks import holes_within, nearest_landmark

MakeSession = Callable[..., Session]


def off_hole_um(session: Session) -> float:
    """Distance of the nearest hole with ice from the centre of a Record."""
    sheet, seed, pose = session.world.sheet, session.world.config.seed, session.world.pose()
    point = nearest_landmark(sheet, seed, pose, 3.0)
    assert point is not None
    return math.hypot(*pose.where(point)[:2])


def true_pixels(session: Session) -> list[tuple[float, float]]:
    """Where the holes truly are in the image in A, Y down."""
    image = session.buffers.get("A")
    assert image.shot is not None
    pose, (columns, rows) = image.shot.pose, image.size_px
    c, s = math.cos(math.radians(pose.rotation_deg)), math.sin(math.radians(pose.rotation_deg))
    sheet, seed = session.world.sheet, session.world.config.seed
    seen = [pose.where(point)[:2] for point in holes_within(sheet, seed, pose, 15.0)]
    pixels = [
        (0.5 * columns + (c * x - s * y) / pose.pixel_um, 0.5 * rows - (s * x + c * y) / pose.pixel_um)
        for x, y in seen
    ]
    return [(x, y) for x, y in pixels if 5.0 < x < columns - 5.0 and 5.0 < y < rows - 5.0]


def points_of(sem: ModuleType) -> list[tuple[float, float]]:
    count = int(sem.ReportNumTableItems())
    items = [sem.ReportOtherItem(index) for index in range(1, count + 1)]
    return [item[1:3] for item in items if item[4] == 0.0]


@pytest.mark.parametrize("tilt", [0.0, 20.0])
def test_points_are_at_holes(make_session: MakeSession, tilt: float) -> None:
    session = make_session(stage="ideal", sample="holey")
    sem = make_module(session)
    sem.OpenNavigator()
    sem.OpenNewFile("view.mrc")
    sem.TiltTo(tilt)
    sem.ImageShiftByMicrons(1.0, 0.7)
    sem.V()
    number = int(sem.NewMap())
    sem.FindHoles()
    expected = true_pixels(session)
    sem.MakeNavPointsAtHoles()
    points = points_of(sem)
    assert len(points) > 5 and sem.ReportNumNavAcquire()[0] == len(points)
    assert all(sem.NavIndexItemDrawnOn(index) == number for index in range(2, len(points) + 2))
    group = session.navigator.items[1].integer("GroupID")
    assert sem.GetNavGroupImageCoords(group, "A", "x", "y") == len(points)
    pixels = list(zip(*(map(float, sem.GetVariable(name).split()) for name in ("x", "y"))))
    for x, y in expected:
        assert min(math.hypot(x - px, y - py) for px, py in pixels) < 1.0
    sem.SetImageShift(0.0, 0.0)
    sem.GoToLowDoseArea("R")
    for index in (2, len(points) // 2, len(points) + 1):
        sem.MoveToNavItem(index)
        # As near as the calibrations are good: inside the hole.
        assert off_hole_um(session) < 0.6
    sem.ClearHoleFinder()
    with pytest.raises(sem.SEMerror):
        sem.MakeNavPointsAtHoles()


def test_holes_in_the_overview_of_a_montage(make_session: MakeSession) -> None:
    session = make_session(stage="ideal", sample="holey")
    sem = make_module(session)
    sem.OpenNavigator()
    sem.V()
    sem.FindHoles("A", "", "")
    sem.MakeNavPointsAtHoles()
    in_view = len(points_of(sem))
    sem.OpenNewMontage(2, 2, "montage.mrc")
    sem.M()
    sem.MoveStage(3.0, -2.0)
    sem.FindHoles("B")
    sem.MakeNavPointsAtHoles()
    found = len(points_of(sem)) - in_view
    assert found > 0
    sem.GoToLowDoseArea("R")
    for index in (in_view + 1, in_view + found):
        sem.MoveToNavItem(index)
        assert off_hole_um(session) < 0.6


def test_parameters(make_session: MakeSession) -> None:
    session = make_session(sample="holey")
    sem = make_module(session)
    sem.OpenNavigator()
    sem.V()
    assert sem.ReportHoleFinderParams() == pytest.approx((1.5, math.hypot(2.98, 0.34), 0.0, 0.1))
    sem.SetHoleFinderParams(3.0, 6.0, 0)
    with pytest.raises(sem.SEMerror):
        sem.FindHoles()
    sem.SetHoleFinderParams(1.4, 3.1, 0, 0.2, "1.5 2.0", "2.0")
    assert sem.ReportHoleFinderParams() == (1.4, 3.1, 0.0, 0.2)
    sem.FindHoles()
    for diameter, spacing in ((0.0, 2.0), (2.0, 1.0)):
        with pytest.raises(sem.SEMerror):
            sem.SetHoleFinderParams(diameter, spacing, 0)


def test_where_there_are_none(sem: ModuleType) -> None:
    with pytest.raises(sem.SEMerror):
        sem.FindHoles()
    sem.V()
    with pytest.raises(sem.SEMerror):
        sem.FindHoles()
    with pytest.raises(sem.SEMerror):
        sem.MakeNavPointsAtHoles()
