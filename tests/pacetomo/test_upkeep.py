"""Upkeep on a scripted column."""

import pytest
from fake_scope import FakeScope, Stop

from pacetomo.errors import AreaError, ScopeError
from pacetomo.frames import XY
from pacetomo.notes import Notes
from pacetomo.policies import Policies
from pacetomo.settings_table import Settings
from pacetomo.upkeep import DEWAR_SETTLE_S, Upkeep

PLACE = XY(3.0, -1.0)
LONGEST_FILL_S = Policies().of("dewars").patience_s
MOST_FAILURES = Policies().of("equipment").limit


class Journal:
    def __init__(self):
        self.lines = []

    def note(self, event, **details):
        self.lines.append((event, details))


@pytest.fixture
def scope(tmp_path):
    return FakeScope(tmp_path, {}, {})


def upkeep_of(scope, **settings):
    return Upkeep(scope, Settings(**settings), Notes(scope, Journal()))


def warnings_of(scope):
    return [text for text in scope.told if text.startswith("Warning")]


# --- dewars


def test_a_filling_and_its_settling_are_waited_for(scope):
    scope.time, scope.fills = 100.0, [(90.0, 200.0, 1)]
    upkeep_of(scope).before_image()
    assert 200 + DEWAR_SETTLE_S <= scope.time < 230 + DEWAR_SETTLE_S
    assert scope.verbs() == []


def test_a_filling_that_begins_while_valves_are_waited_for_is_waited_for(scope):
    scope.valves, scope.valves_stuck_until, scope.fills = False, 100.0, [(50.0, 400.0, 1)]
    upkeep_of(scope).before_image()
    assert scope.time >= 400 + DEWAR_SETTLE_S and scope.valves


@pytest.mark.parametrize(("kind", "filled"), [(1, "fill_transfer_dewar"), (2, "fill_stage_dewar"), (3, None)])
def test_the_other_dewar_of_a_cryo_arm_is_filled_too(scope, kind, filled):
    scope.fills = [(0.0, 50.0, kind)]
    upkeep_of(scope, cryoARM=True).before_image()
    assert scope.verbs() == ([] if filled is None else [filled])


def test_an_announced_filling_that_does_not_come_is_not_waited_for_again(scope):
    scope.next_fill = 10.0
    upkeep_of(scope).before_image()
    assert 15 <= scope.time < 20


def test_a_filling_without_end_is_a_fault_of_the_report(scope):
    scope.fills = [(0.0, 1e9, 1)]
    upkeep = upkeep_of(scope)
    upkeep.before_image()
    assert LONGEST_FILL_S < scope.time < LONGEST_FILL_S + 100
    upkeep.before_image()
    assert scope.time < LONGEST_FILL_S + 100 and len(warnings_of(scope)) == 1


@pytest.mark.parametrize(
    "lacks",
    [
        {"dewars_filling"},
        {"valves_open"},
        {"dewars_filling", "valves_open", "next_dewar_fill_s", "flash_advised", "has_energy_filter"},
    ],
)
def test_a_column_without_such_hardware_is_warned_of_once_each(scope, lacks):
    scope.lacks = lacks
    upkeep = upkeep_of(scope, coldFEG=True, slitInterval=10)
    for _ in range(10):
        upkeep.before_tilt(lambda radius: PLACE)
        upkeep.before_image()
    assert len(warnings_of(scope)) == len(lacks - {"next_dewar_fill_s"})
    assert ("refine_slit" in scope.verbs()) is ("has_energy_filter" not in lacks)


def test_a_question_that_fails_once_is_asked_again(scope):
    upkeep = upkeep_of(scope)
    upkeep.before_image()
    scope.lacks = {"valves_open"}
    upkeep.before_image()
    scope.lacks, scope.valves = set(), False
    upkeep.before_image()
    assert scope.verbs() == ["open_valves"]
    scope.lacks = {"valves_open"}
    for _ in range(2 * MOST_FAILURES):
        upkeep.before_image()
    assert len([text for text in warnings_of(scope) if "not tried again" in text]) == 1


# --- valves


def test_valves_are_opened_as_soon_as_they_can_be(scope):
    scope.valves, scope.valves_stuck_until = False, 90.0
    upkeep_of(scope, valveWait=5).before_image()
    assert scope.valves and 90 <= scope.time < 130


def test_valves_that_nobody_opens_end_the_area(scope):
    scope.valves = False
    with pytest.raises(AreaError, match="2 min"):
        upkeep_of(scope, valveWait=2, reopenValves=False).before_image()
    assert scope.verbs() == [] and 120 <= scope.time < 130


def test_valves_are_no_matter_where_nobody_is_to_look(scope):
    scope.valves = False
    upkeep = upkeep_of(scope, checkValves=False)
    upkeep.before_image()
    assert not upkeep.valves_are_closed() and scope.verbs() == []


def test_valves_that_cannot_be_told_are_taken_for_open(scope):
    scope.valves = None
    upkeep_of(scope).before_image()
    assert scope.verbs() == [] and scope.time == 0.0


def test_stop_passes(scope, monkeypatch):
    def stop():
        raise Stop

    monkeypatch.setattr(scope, "valves_open", stop)
    with pytest.raises(Stop):
        upkeep_of(scope).before_image()


# --- gun


def test_a_hot_flash_is_done_when_advised_and_once(scope):
    scope.advised[True] = True
    upkeep = upkeep_of(scope, coldFEG=True)
    for _ in range(3):
        upkeep.before_tilt(lambda radius: None)
    assert scope.done == [(0.0, "flash_gun", True)]


def test_hours_are_counted_over_scripts(scope):
    times = []
    for tilt in range(400):
        scope.time = max(scope.time, 40.0 * tilt)
        upkeep_of(scope, coldFEG=True, flashInterval=2).before_tilt(
            lambda radius: None
        )  # each in a new script
        times = [time for time, verb, *_ in scope.done if verb == "flash_gun"]
    assert len(times) == 3 and all(b - a >= 7200 for a, b in zip(times, times[1:]))


def test_a_flash_that_fails_is_not_tried_for_ever(scope):
    scope.lacks, scope.advised[False] = {"flash_gun"}, True
    upkeep = upkeep_of(scope, coldFEG=True)
    for _ in range(5):
        upkeep.before_tilt(lambda radius: None)
    assert len(warnings_of(scope)) == 1


def test_without_a_cold_gun_nothing_is_flashed(scope):
    scope.advised = {True: True, False: True}
    upkeep_of(scope).before_tilt(lambda radius: None)
    assert scope.done == []


# --- slit


def test_minutes_are_counted_over_scripts(scope):
    for tilt in range(100):
        scope.time = 40.0 * tilt
        upkeep_of(scope, slitInterval=20).before_tilt(lambda radius: PLACE)
    times = [time for time, verb, *_ in scope.done if verb == "refine_slit"]
    assert len(times) == 4 and all(b - a >= 1200 for a, b in zip(times, times[1:]))
    assert {details for _, _, details in scope.done} == {PLACE}


def test_a_refinement_that_fails_is_let_be_after_three_tries(scope, monkeypatch):
    tries = []

    def fail(shift_um):
        tries.append(scope.time)
        raise ScopeError("no peak found")

    monkeypatch.setattr(scope, "refine_slit", fail)
    upkeep = upkeep_of(scope, slitInterval=30)
    for tilt in range(40):
        scope.time = 40.0 * tilt
        upkeep.before_tilt(lambda radius: PLACE)
    assert tries == [0.0, 40.0, 80.0]
    assert "paceLastSlit" not in scope.notes


def test_no_refinement_during_a_filling(scope):
    scope.fills = [(0.0, 100.0, 1)]
    upkeep_of(scope, slitInterval=20).before_tilt(lambda radius: PLACE)
    assert scope.done[0][0] >= 100


def test_the_place_is_looked_for_with_the_size_of_the_beam(scope):
    radii = []
    upkeep_of(scope, slitInterval=20).before_tilt(lambda radius: radii.append(radius))
    assert radii == [0.6] and scope.done == [] and len(warnings_of(scope)) == 1


def test_a_beam_of_unknown_size_is_what_is_told_and_not_a_lack_of_places(scope, monkeypatch):
    def fail():
        raise ScopeError("not calibrated")

    monkeypatch.setattr(scope, "beam_radius_um", fail)
    upkeep_of(scope, slitInterval=20).before_tilt(lambda radius: PLACE)
    assert scope.done == [] and len(warnings_of(scope)) == 1
    assert "size of the beam" in warnings_of(scope)[0] and "not calibrated" in warnings_of(scope)[0]
