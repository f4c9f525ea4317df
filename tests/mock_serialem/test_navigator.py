from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from mock_serialem.session import Session


def test_opening_and_closing(sem: ModuleType, session: Session) -> None:
    assert sem.ReportIfNavOpen() == 0.0
    assert sem.ReportNumNavAcquire() == (-1.0, -1.0)
    for call in (sem.ReportNumTableItems, sem.ReportNavItem, sem.GetUniqueNavID, sem.SaveNavigator):
        with pytest.raises(sem.SEMerror):
            call()
    sem.OpenNavigator()
    assert sem.ReportIfNavOpen() == 1.0 and sem.ReportNumTableItems() == 0.0
    sem.OpenNavigator()
    with pytest.raises(sem.SEMerror):
        sem.OpenNavigator("x.nav")
    with pytest.raises(sem.SEMerror):
        sem.ReportNavFile()
    with pytest.raises(sem.SEMerror):
        sem.SaveNavigator()
    sem.SaveNavigator("x.nav")
    assert sem.ReportIfNavOpen() == 2.0
    assert sem.ReportNavFile(1) == (str(session.directory / "x"), ".nav", str(session.directory), "x")
    sem.CloseNavigator()
    assert sem.ReportIfNavOpen() == 0.0


def test_saved_items_come_back(sem: ModuleType, session: Session) -> None:
    sem.OpenNavigator()
    assert sem.AddStagePosAsNavPoint(1.25, -2.5, 3) == 1.0
    sem.ChangeItemNote(1, "a = b_tgts.txt")
    sem.SetItemAcquire(1)
    sem.SaveNavigator("x.nav")
    sem.CloseNavigator()
    sem.ReadNavFile("x.nav")
    assert sem.ReportOtherItem(-1) == (1.0, 1.25, -2.5, 3.0, 0.0)
    assert sem.NavIndexWithNote("a = b_tgts.txt") == 1.0
    assert sem.ReportItemAcquire(1) == 1.0
    first_id = session.navigator.items[0].map_id
    assert first_id >= 100000
    assert sem.GetUniqueNavID() > first_id
    sem.MergeNavFile("x.nav")
    assert sem.ReportNumTableItems() == 1.0


def test_real_files_can_be_read(samples: Path, session: Session) -> None:
    for name in ("pyem_nav1.nav", "pyserialem_nav.nav", "semmatch_nav.nav"):
        session.navigator.load(samples / "nav" / name)
        assert session.navigator.items, name


def test_files_that_cannot_be_read(sem: ModuleType, session: Session) -> None:
    (session.directory / "bad.nav").write_bytes(b"\x00\xff\n")
    for name in ("bad.nav", "missing.nav"):
        with pytest.raises(sem.SEMerror):
            sem.ReadNavFile(name)


def test_the_rule_of_indices(sem: ModuleType) -> None:
    sem.OpenNavigator()
    for number in range(3):
        sem.AddStagePosAsNavPoint(number, 0, 0)
    assert sem.ReportNavItem()[0] == 3.0
    assert sem.ReportOtherItem(1)[0] == 1.0 and sem.ReportOtherItem(-3)[0] == 1.0
    for bad in (0, 4, -4):
        with pytest.raises(sem.SEMerror):
            sem.ReportOtherItem(bad)
    sem.SetSelectedNavItem(2)
    assert sem.ReportNavItem()[0] == 2.0
    sem.DeleteNavigatorItem(-1)
    sem.DeleteNavigatorItem(1)
    assert sem.ReportNavItem()[:2] == (1.0, 1.0)
    sem.DeleteNavigatorItem(0)
    with pytest.raises(sem.SEMerror):
        sem.ReportNavItem()


def test_changing_items(sem: ModuleType, session: Session) -> None:
    sem.OpenNavigator()
    sem.AddStagePosAsNavPoint(0, 0, 5)
    item = session.navigator.items[0]
    sem.ChangeItemColor(1, 3)
    sem.ChangeItemLabel(1, "sixteen letters!")
    sem.ChangeItemGroupID(1, 77)
    sem.ChangeItemRegistration(1, 2)
    sem.ChangeItemDraw(1)
    sem.SetItemTargetDefocus(1, -4.5)
    sem.SetItemSeriesAngles(1, -60, 60, 9)
    sem.SetNavItemUserValue(1, 3, "three")
    wanted = {"Color": "3", "GroupID": "77", "Regis": "2", "Draw": "0", "TargetDefocus": "-4.5",
              "TSstartEndAngles": "-60 60", "TSbidirAngle": "9", "UserValue3": "three"}  # fmt: skip
    assert {key: item.entries[key] for key in wanted} == wanted
    assert item.label == "sixteen letters!"
    assert sem.ReportItemUserValue(1, 3) == "three" and sem.ReportItemUserValue(1, 4) == "none"
    sem.ChangeItemDraw(1)
    assert "Draw" not in item.entries
    bad = [
        lambda: sem.ChangeItemColor(1, 6),
        lambda: sem.ChangeItemLabel(1, "x" * 17),
        lambda: sem.ChangeItemGroupID(1, -1),
        lambda: sem.ChangeItemRegistration(-1, 2),
        lambda: sem.SetItemTargetDefocus(1, 1),
        lambda: sem.SetNavItemUserValue(1, 9, "x"),
        lambda: sem.ShiftItemsByMicrons(101, 0),
    ]
    for call in bad:
        with pytest.raises(sem.SEMerror):
            call()
    sem.ShiftItemsByMicrons(1, -1, 1)
    assert item.stage_um == (0.0, 0.0, 5.0)
    sem.ShiftItemsByMicrons(1, -1)
    assert item.stage_um == (1.0, -1.0, 5.0) and item.points_um == [(1.0, -1.0)]
    sem.MoveStage(0, 0, 2)
    sem.UpdateItemZ()
    assert item.stage_um[2] == 2.0


def test_groups(sem: ModuleType, session: Session) -> None:
    sem.OpenNavigator()
    group = int(sem.GetUniqueNavID())
    for number in range(3):
        sem.AddStagePosAsNavPoint(number, 10 * number, 0, group if number else 0)
    assert sem.GetNavGroupStageCoords(group, "x", "y", "z") == 2.0
    assert sem.GetVariable("x") == "1\n2" and sem.GetVariable("y") == "10\n20"
    assert sem.GetNavGroupStageCoords(group + 1, "none", "none") == 0.0
    assert sem.IsVariableDefined("none") == 0.0
    with pytest.raises(sem.SEMerror):
        sem.GetNavGroupStageCoords(0, "x", "y")
    assert sem.ReportGroupStatus() == (-1.0, 0.0, 0.0, 0.0)
    for item in session.navigator.items:
        item.acquire = True
    session.navigator.acquiring = 0
    assert sem.ReportGroupStatus() == (0.0, 0.0, 0.0, 0.0)
    session.navigator.acquiring = 2
    assert sem.ReportGroupStatus() == (2.0, group, 2.0, 2.0)
    sem.UpdateGroupZ()
    session.navigator.acquiring = 1
    assert sem.ReportGroupStatus()[0] == 1.0
    assert sem.ReportNextNavAcqItem()[0] == 3.0
    session.navigator.acquiring = 2
    assert sem.ReportNextNavAcqItem() == (-1.0, 0.0)
    assert sem.ReportNumNavAcquire() == (3.0, 0.0)


def test_polygons(sem: ModuleType, session: Session) -> None:
    sem.OpenNavigator()
    sem.SetVariable("x", "0\n4\n4")
    sem.SetVariable("y", "0\n0\n2")
    assert sem.AddStagePointsAsPolygon("x", "y", 7) == 1.0
    assert sem.ReportOtherItem(1) == (1.0, 2.0, 1.0, 7.0, 1.0)
    sem.GetItemPointArray(1, "px", "py")
    assert (sem.GetVariable("px"), sem.GetVariable("py")) == ("0\n4\n4", "0\n0\n2")
    sem.AddCirclePolygon(5, 1, 2)
    assert len(session.navigator.items[1].points_um) == 121
    sem.SetVariable("short", "1\n2")
    with pytest.raises(sem.SEMerror):
        sem.AddStagePointsAsPolygon("short", "short", 0)


def test_finding_items(sem: ModuleType) -> None:
    sem.OpenNavigator()
    for x in (0, 10):
        sem.ChangeItemNote(int(sem.AddStagePosAsNavPoint(x, 1, 0)), "same")
    assert sem.FindItemWithLabelOrNote(1, "SAME") == (1.0, 0.0, 1.0)
    assert sem.FindItemWithLabelOrNote(1, "same", 9, 0) == (2.0, 10.0, 1.0)
    assert sem.FindItemWithLabelOrNote(0, "same") == (0.0, 0.0, 0.0)


def test_moving_to_an_item_leaves_image_shift_alone(sem: ModuleType) -> None:
    sem.OpenNavigator()
    sem.AddStagePosAsNavPoint(12, -7, 3)
    sem.ImageShiftByMicrons(1, 1)
    before = sem.ReportImageShift()[:2]
    sem.MoveToNavItem(1)
    assert sem.ReportStageXYZ() == (12.0, -7.0, 3.0)
    assert sem.ReportImageShift()[:2] == before


def test_a_polygon_of_image_points_is_drawn_on_the_map(sem: ModuleType) -> None:
    sem.OpenNavigator()
    sem.OpenNewFile("view.mrc")
    sem.V()
    sem.SetVariable("x", "10\n200\n100")
    sem.SetVariable("y", "10\n20\n300")
    free = int(sem.AddImagePointsAsPolygon("A", "x", "y"))
    number = int(sem.NewMap())
    drawn = int(sem.AddImagePointsAsPolygon("A", "x", "y"))
    assert sem.NavIndexItemDrawnOn(free) == 0.0
    assert sem.NavIndexItemDrawnOn(drawn) == number


def test_a_place_for_the_note_needs_a_note(sem: ModuleType) -> None:
    sem.OpenNavigator()
    sem.OpenNewFile("map.mrc")
    sem.V()
    with pytest.raises(sem.SEMerror):
        sem.NewMap(0)
    assert sem.ReportNumTableItems() == 0.0 == sem.ReportFileZsize()
    assert sem.NewMap() == 1.0


def test_items_are_changed_by_their_index_from_one(sem: ModuleType, session: Session) -> None:
    sem.OpenNavigator()
    sem.AddStagePosAsNavPoint(1, 2, 3)
    before = dict(session.navigator.items[0].entries)
    for index in (0, -1, 2):
        for change in (
            lambda i: sem.ChangeItemColor(i, 3),
            lambda i: sem.ChangeItemLabel(i, "x"),
            lambda i: sem.ChangeItemNote(i, "x"),
            lambda i: sem.ChangeItemDraw(i, 0),
            lambda i: sem.ChangeItemGroupID(i, 7),
            lambda i: sem.ChangeItemRegistration(i, 2),
        ):
            with pytest.raises(sem.SEMerror):
                change(index)
    assert session.navigator.items[0].entries == before and session.navigator.items[0].label == "1"
