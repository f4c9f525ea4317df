"""Realigning to items by their maps: the true position decides."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from mock_serialem.module import make_module
from mock_serialem.session import Session


@pytest.mark.parametrize("stage", ["krios", "cryoarm"])
def test_a_point_on_a_view_map_is_found_again(make_session: Callable[..., Session], stage: str) -> None:
    session = make_session(stage=stage)
    sem = make_module(session)
    sem.Eucentricity(3)
    sem.OpenNavigator()
    sem.OpenNewFile("maps.mrc")
    sem.V()
    sem.NewMap()
    image = session.buffers.get("A")
    shot = image.shot
    assert shot is not None
    pixel = (800.0, 450.0)
    sem.AddImagePosAsNavPoint("A", *pixel)
    sem.MoveStage(30, -20)
    sem.RealignToOtherItem(2, 0)
    assert sem.ReportLowDose()[1] == 0.0
    # The image now taken in View shows the picked point in its centre.
    sem.V()
    now = session.buffers.get("A").shot
    assert now is not None
    seen = shot.pose.where(now.pose.centre_um)[:2]
    assert seen == pytest.approx(image.specimen_um(pixel), abs=0.08)
    errors = sem.GetRealignToItemError()
    assert len(errors) == 4 and max(map(abs, errors[:2])) < 1.5


def test_maps_of_the_colour_that_says_so_are_not_realigned_to(make_session: Callable[..., Session]) -> None:
    session = make_session()
    sem = make_module(session)
    sem.OpenNavigator()
    for name in ("V", "L"):
        sem.OpenNewFile(f"{name}.mrc")
        getattr(sem, name)()
        sem.NewMap()
        sem.CloseFile()
    sem.AddImagePosAsNavPoint("A", 500.0, 400.0)
    sem.RealignToOtherItem(3, 0)
    assert sem.ImageProperties("A")[5] == 4.0  # a Preview, whose map is the smaller one
    sem.ChangeItemColor(2, 5)
    sem.RealignToOtherItem(3, 0)
    assert sem.ImageProperties("A")[5] == 0.0
    sem.ChangeItemColor(1, 5)
    with pytest.raises(sem.SEMerror):
        sem.RealignToOtherItem(3, 0)


def test_an_item_that_is_a_map_is_aligned_to_itself_last(make_session: Callable[..., Session]) -> None:
    session = make_session()
    sem = make_module(session)
    sem.Eucentricity(3)
    sem.OpenNavigator()
    sem.OpenNewFile("maps.mrc")
    sem.V()
    sem.NewMap()
    sem.CloseFile()
    sem.OpenNewFile("preview.mrc")
    sem.L()
    sem.NewMap()
    shot = session.buffers.get("A").shot
    assert shot is not None
    sem.MoveStage(15, 10)
    sem.GoToLowDoseArea("F")
    sem.RealignToOtherItem(2, 1)
    assert sem.ReportLowDose()[1] == 1.0
    sem.GoToLowDoseArea("R")
    x, y, _ = session.world.pose("R").where(shot.pose.centre_um)
    assert (x, y) == pytest.approx((0.0, 0.0), abs=0.05)


def test_only_moving(make_session: Callable[..., Session]) -> None:
    session = make_session()
    sem = make_module(session)
    sem.OpenNavigator()
    sem.AddStagePosAsNavPoint(7, 8, 9)
    shots = len(session.world.truth.events)
    sem.RealignToOtherItem(1, 0, 0, -1, 0, 1)
    assert sem.ReportStageXYZ() == (7.0, 8.0, 9.0)
    assert len(session.world.truth.events) == shots


def test_the_state_of_a_map(make_session: Callable[..., Session]) -> None:
    session = make_session()
    sem = make_module(session)
    sem.OpenNavigator()
    sem.OpenNewFile("maps.mrc")
    sem.V()
    sem.NewMap()
    sem.GoToLowDoseArea("R")
    sem.SetMapAcquireState(1)
    assert sem.ReportLowDose()[1] == 0.0
    sem.RestoreState()
    assert sem.ReportLowDose()[1] == 3.0
    sem.RestoreState()
    with pytest.raises(sem.SEMerror):
        sem.RestoreState(1)


def test_a_dark_field_fails(make_session: Callable[..., Session]) -> None:
    session = make_session()
    sem = make_module(session)
    sem.OpenNavigator()
    sem.OpenNewFile("maps.mrc")
    sem.V()
    sem.NewMap()
    session.low_dose.change("V", dose_rate_e_per_a2_s=1e-7)
    for _ in range(4):
        try:
            sem.RealignToNavItem(0)
        except sem.SEMerror:
            break
    else:
        pytest.fail("images without electrons were aligned four times")


def test_a_refused_realign_leaves_image_shift_alone(make_session: Callable[..., Session]) -> None:
    sem = make_module(make_session())
    sem.OpenNavigator()
    sem.AddStagePosAsNavPoint(5, 5, 0)
    sem.ImageShiftByMicrons(0.5, -0.25)
    with pytest.raises(sem.SEMerror):
        sem.RealignToOtherItem(1, 0)
    assert sem.ReportSpecimenShift() == pytest.approx((0.5, -0.25))
