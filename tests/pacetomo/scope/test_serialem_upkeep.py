"""Upkeep through SerialEM: on the simulator, and what is sent where it has no such answers."""

import math

import pytest

from mock_serialem.module import make_module
from mock_serialem.session import Session
from mock_serialem.sim.world import make_world
from pacetomo.errors import ScopeError
from pacetomo.frames import XY
from pacetomo.scope.serialem_scope import SerialEMScope


@pytest.fixture
def session(tmp_path):
    session = Session(make_world("lamella", "ideal", fidelity="kinematic"), tmp_path)
    make_module(session).SetLowDoseMode(1)
    return session


@pytest.fixture
def scope(session):
    scope = SerialEMScope(make_module(session))
    scope.begin(20.0)
    return scope


def answering(session, **answers):
    """The simulator's module with other answers to some commands."""
    sem = make_module(session)
    for name, answer in answers.items():
        setattr(sem, name, lambda *arguments, answer=answer: answer)
    scope = SerialEMScope(sem)
    scope.switch_off_message_boxes()
    return scope


def upkeep(session):
    return [line for line in session.world.truth.events if line["event"] == "upkeep"]


def test_dewars(scope, session):
    column, now = session.column, session.world.clock_s
    assert scope.dewars_filling() == 0
    column.dewar_phase_s = now + 100
    assert scope.next_dewar_fill_s() == pytest.approx(100, abs=1)
    scope.wait(150)
    assert scope.dewars_filling() == 1
    scope.fill_transfer_dewar()
    scope.fill_stage_dewar()
    assert [line["operation"] for line in upkeep(session)] == ["RT", "RS"]
    column.dewar_period_s = 0.0
    assert scope.next_dewar_fill_s() is None


@pytest.mark.parametrize(("code", "said"), [(1.0, "in time"), (4.0, "transfer"), (9.0, "code 9")])
def test_a_filling_that_fails_says_why(session, code, said):
    with pytest.raises(ScopeError, match=said):
        answering(session, LongOperation=(code, 0.0)).fill_stage_dewar()


@pytest.mark.parametrize(("answer", "is_open"), [(1.0, True), (0.0, False), (-1.0, None)])
def test_the_three_answers_about_valves(session, answer, is_open):
    assert answering(session, ReportColumnOrGunValve=answer).valves_open() is is_open


@pytest.mark.parametrize("at_first", [True, False])
def test_valves_are_left_as_they_were_first_found(scope, session, at_first):
    session.column.valves_open = at_first
    assert scope.valves_open() is at_first
    session.column.valves_open = False
    scope.open_valves()
    assert session.column.valves_open
    scope.end()
    assert session.column.valves_open is at_first


def test_gun(scope, session):
    session.column.flash_advised[1] = True
    assert scope.flash_advised(True) and not scope.flash_advised(False)
    scope.flash_gun(hot=True)
    assert session.column.flash_advised == {0: False, 1: False}
    scope.wait(1800)
    assert scope.hours_since_flash() == pytest.approx(0.5, abs=0.01)
    session.column.flash_advised[1] = True
    scope.flash_gun(hot=False)
    assert session.column.flash_advised[1]


def test_never_flashed_is_long_ago(session):
    assert answering(session, LongOperation=None).hours_since_flash() == math.inf
    assert answering(session, LongOperation=(2.5,)).hours_since_flash() == 2.5


def test_the_slit_is_refined_there_and_all_comes_back(scope, session):
    world = session.world
    here, there = XY(1.0, 2.0), XY(-4.0, 3.0)
    assert scope.aim(here, -3.0, False)
    before = (world.image_shift, world.focus_um, session.low_dose.area)
    assert scope.aim(there, -3.0, False)
    centre = world.pose("R").centre_um
    assert scope.aim(here, -3.0, False)
    scope.refine_slit(there)
    (line,) = upkeep(session)
    assert (line["sample_x_um"], line["sample_y_um"]) == pytest.approx(centre[:2], abs=0.01)
    assert world.image_shift == pytest.approx(before[0], abs=1e-6)
    assert (world.focus_um, session.low_dose.area) == (pytest.approx(before[1]), before[2])


def test_after_a_refinement_that_fails_slit_and_shift_come_back(session):
    sem = make_module(session)
    failure = sem.SEMerror("no peak")

    def fail(*arguments):
        sem.SetSlitIn(0)
        sem.SetEnergyLoss(15.0)
        sem.SetSlitWidth(5.0)
        raise failure

    sem.RefineZLP = fail
    scope = SerialEMScope(sem)
    scope.begin(20.0)
    column = session.column
    before = (column.slit_in, column.slit_width_ev, column.energy_loss_ev)
    scope.aim(XY(1.0, 2.0), -3.0, False)
    shift = session.world.image_shift
    with pytest.raises(ScopeError, match="no peak"):
        scope.refine_slit(XY(-4.0, 3.0))
    assert (column.slit_in, column.slit_width_ev, column.energy_loss_ev) == before
    assert session.world.image_shift == pytest.approx(shift)


def test_beyond_the_limit_the_slit_is_not_refined(scope, session):
    with pytest.raises(ScopeError, match=r"30\.0 µm"):
        scope.refine_slit(XY(30.0, 0.0))
    assert not upkeep(session)


def test_the_beam_covers_the_image_and_what_the_column_says(scope, session):
    shot_field = 0.5 * math.hypot(*_field_um(scope, session))
    assert scope.beam_radius_um() >= shot_field - 1e-6
    session.column.intensity = 4.0  # 10 µm across
    assert scope.beam_radius_um() == pytest.approx(5.0)


def _field_um(scope, session):
    sem = make_module(session)
    sem.R()
    columns, rows, _, _, pixel_nm, _ = sem.ImageProperties("A")
    return columns * pixel_nm / 1000, rows * pixel_nm / 1000


def test_notes_outlive_the_script(scope, session):
    assert scope.recall_s("paceTest") is None
    scope.remember_s("paceTest", 1234.56)
    scope.remember_s("paceTest", 2345.67)
    session.end_script()
    assert SerialEMScope(make_module(session)).recall_s("PACETEST") == pytest.approx(2345.7)
    make_module(session).SetPersistentVar("paceOther", "yesterday")
    assert scope.recall_s("paceOther") is None


@pytest.mark.parametrize("floor", [0.0, 1e9])
def test_a_dark_image_is_not_saved_until_it_is_asked_for(scope, session, tmp_path, floor):
    scope.open_series(tmp_path / "a.mrc")
    scope.aim(XY(0.0, 0.0), -3.0, False)
    shot, section = scope.record("a", floor)
    assert shot.mean_counts > 0 and section == (None if floor else 0)
    if floor:
        scope.set_aside(tmp_path / "a_rejected.mrc")
        _, section = scope.record("a")
        assert section == 0
    saved = [line["file"] for line in session.world.truth.events if line["event"] == "saved"]
    assert saved == (["a_rejected.mrc", "a.mrc"] if floor else ["a.mrc"])
    assert scope.open_series(tmp_path / "b.mrc") == 0


def test_set_aside_keeps_the_stack_that_is_open(scope, session, tmp_path):
    scope.open_series(tmp_path / "a.mrc")
    for _ in range(2):
        scope.record("a")
    scope.set_aside(tmp_path / "r.mrc")
    scope.set_aside(tmp_path / "r.mrc")
    assert scope.record("a")[1] == 2
    files = [
        (line["file"], line["section"]) for line in session.world.truth.events if line["event"] == "saved"
    ]
    assert files == [("a.mrc", 0), ("a.mrc", 1), ("r.mrc", 0), ("r.mrc", 1), ("a.mrc", 2)]


@pytest.mark.parametrize("command", ["SetPersistentVar", "IsVariableDefined", "GetVariable"])
def test_what_cannot_be_kept_between_scripts_is_known_in_this_one(session, command):
    sem = make_module(session)
    scope = SerialEMScope(sem)
    scope.switch_off_message_boxes()

    def fail(*arguments):
        raise sem.SEMerror("busy")

    setattr(sem, command, fail)
    assert scope.recall_s("paceLastSlit") is None
    scope.remember_s("paceLastSlit", 120.0)
    assert scope.recall_s("paceLastSlit") == 120.0
