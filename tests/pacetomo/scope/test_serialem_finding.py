"""Realigning to items and comparing with the operator's hole, through SerialEM's commands."""

import pytest

from mock_serialem.module import make_module
from mock_serialem.session import Session
from mock_serialem.sim.world import make_world
from pacetomo.errors import ScopeError
from pacetomo.frames import XY
from pacetomo.scope.protocol import Area, Missing
from pacetomo.scope.serialem_scope import SerialEMScope


@pytest.fixture
def session(tmp_path):
    return Session(make_world("holey", "krios", 3, "kinematic"), tmp_path)


@pytest.fixture
def sem(session):
    sem = make_module(session)
    sem.SetLowDoseMode(1)
    sem.GoToLowDoseArea("R")
    return sem


@pytest.fixture
def scope(sem):
    scope = SerialEMScope(sem)
    scope.begin(20.0)
    return scope


def test_an_empty_buffer_is_no_hole(scope):
    found = scope.hole_field_um()
    assert isinstance(found, Missing) and found.reason == "buffer P is empty"


def test_the_field_of_the_hole_s_image(scope, sem):
    shot = scope.take(Area.VIEW)
    sem.Copy("A", "P")
    assert scope.hole_field_um() == pytest.approx(shot.field_um)


@pytest.mark.parametrize("command", ["R", "Search"])
def test_an_image_of_another_magnification_is_no_hole(scope, sem, command):
    getattr(sem, command)()
    sem.Copy("A", "P")
    found = scope.hole_field_um()
    assert isinstance(found, Missing) and "not taken in View" in found.reason


def test_a_hole_of_another_binning_is_one(scope, sem):
    scope.take(Area.VIEW)
    sem.Copy("A", "P")
    sem.SetBinning("V", 8)
    assert isinstance(scope.hole_field_um(), XY)


def test_the_offset_leads_to_the_hole_and_nothing_is_moved(scope, sem):
    scope.take(Area.VIEW)
    sem.Copy("A", "P")
    scope.aim(XY(0.6, -0.4), -5.0, compensate_beam_tilt=False)
    scope.take(Area.VIEW)
    assert scope.offset_from_hole(1.3) == pytest.approx((-0.6, 0.4), abs=0.1)
    sem.GoToLowDoseArea("R")
    assert scope.shift_um() == pytest.approx((0.6, -0.4), abs=1e-6)


def test_no_peak_within_the_limit_is_no_offset(scope, sem):
    scope.take(Area.VIEW)
    sem.Copy("A", "P")
    scope.aim(XY(0.8, 0.0), -5.0, compensate_beam_tilt=False)
    scope.take(Area.VIEW)
    found = scope.offset_from_hole(0.5)
    assert isinstance(found, Missing) and "buffer P: no correlation peak within 0.50 µm" in found.reason


def test_references_are_read_beside_the_hole(scope, sem, session, tmp_path):
    scope.take(Area.VIEW)
    sem.Copy("A", "P")
    kept = session.buffers.get("P").shot.number
    scope.open_series(tmp_path / "r.mrc")
    scope.save_section()
    scope.close_series()
    scope.take(Area.VIEW)
    assert isinstance(scope.offset_from_file(tmp_path / "r.mrc", 0, 1.0), XY)
    assert session.buffers.get("P").shot.number == kept


def map_with_item(sem, session):
    """A View map, an item in its middle, and the stage far away."""
    sem.Eucentricity(3)
    sem.OpenNavigator()
    sem.OpenNewFile("map.mrc")
    sem.V()
    sem.NewMap()
    sem.CloseFile()
    columns, rows = session.buffers.get("A").size_px
    sem.AddImagePosAsNavPoint("A", columns / 2, rows / 2)
    sem.GoToLowDoseArea("R")
    place = session.world.pose("R").centre_um
    sem.MoveStage(20, -15, 3)
    return place


def test_an_item_on_a_map_is_found_at_the_height_of_now(scope, sem, session):
    place = map_with_item(sem, session)
    z_um = sem.ReportStageXYZ()[2]
    scope.realign_to_item()
    assert sem.ReportLowDose()[1] == 3.0  # Record, as before
    found = session.world.pose("R").where(place)
    assert found[:2] == pytest.approx((0.0, 0.0), abs=0.15)
    assert sem.ReportStageXYZ()[2] == z_um


def test_an_item_on_no_map_is_said_to_be_none(scope, sem, session):
    sem.OpenNavigator()
    sem.AddStagePosAsNavPoint(5, 5, 0)
    with pytest.raises(ScopeError, match=r"realigning to the Navigator item.*not inside any map"):
        scope.realign_to_item()
    z_um = sem.ReportStageXYZ()[2]
    sem.MoveStage(0, 0, 2)
    assert not session.navigator.skip_z_move
    assert sem.ReportStageXYZ()[2] == z_um + 2
