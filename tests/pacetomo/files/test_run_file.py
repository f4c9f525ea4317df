from __future__ import annotations

import os
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import runs, target_file_texts

from pacetomo.errors import RunFileError
from pacetomo.files.run_file import format_run, parse_run, read_run, write_run
from pacetomo.files.target_file import format_targets, parse_targets, read_targets
from pacetomo.frames import XY
from pacetomo.run_state import BranchState, RunHeader, RunState, TargetState

AREA = """\
_set groupSize = 3
_set pretilt = -9.50

_tgt = 001
tsfile = L3_ts_001.mrc
SSX = 0
SSY = 0
skip = False

_tgt = 002
colour = light blue
tsfile = L3_ts_002.mrc
SSX = 2.4103
SSY = -1.0921

_geo = 1
SSX = 1.2
SSY = 3.4
"""

UP = BranchState(
    shift_um=XY(0.1, -0.2),
    focus_um=-4.7,
    z0_um=0.25,
    n0_um=0.5,
    shifts_um=(0.1, -0.04),
    angles_deg=(3.0, 6.01),
    image_shift=XY(11.0, 12.0),
    aligned=XY(13.0, 14.0),
    dose_e_per_a2=9.3,
    section=2,
    skip=True,
)
STATE = RunState(
    (TargetState(1, UP, BranchState()), TargetState(2, UP)),
    (2, 1),
    RunHeader(9.0, -51.0, 69.0, 3.0, -9.5, 1.5),
)

EXPECTED = """\
_set startTilt = 9.0
_set minTilt = -51.0
_set maxTilt = 69.0
_set step = 3.0
_set pretilt = -9.50
_set rotation = 1.5
_set groupSize = 3
_spos = 2,1

_tgt = 001
tsfile = L3_ts_001.mrc
SSX = 0
SSY = 0
skip = False
_pbr
SSX = 0.1
SSY = -0.2
focus = -4.7
z0 = 0.25
n0 = 0.5
shifts = 0.1,-0.04
angles = 3.0,6.01
ISXset = 11.0
ISYset = 12.0
ISXali = 13.0
ISYali = 14.0
dose = 9.3
sec = 2
skip = True
_nbr
SSX = 0.0
"""

MADE_BY_PACETOMO = """\
_set startTilt = 0
_set minTilt = -60
_set maxTilt = 60
_set step = 3
_set pretilt = 10.0
_set rotation = 0
_spos = 1,0

_tgt = 001
tsfile = L3_ts_001.mrc
SSX = 0.0
SSY = 0.0
skip = False

_pbr
SSX = 0.01
SSY = -0.02
focus = -5.1
z0 = np.float64(0.125)
n0 = 0.0
shifts = np.float64(0.01),np.float64(-0.02)
angles = 3.0, 6.0
ISXset = 0.5
ISYset = 0.25
ISXali = 0
ISYali = 0
dose = 3.1
sec = 1
skip = False

_nbr
SSX = 0.01
SSY = -0.02
focus = -5.1
z0 = 0.0
n0 = 0.0
shifts =
angles = []
ISXset = 0.5
ISYset = 0.25
ISXali = 0
ISYali = 0

""".replace("\n", "\r\n")


def test_a_run_file_starts_with_the_scheme_and_carries_the_branches():
    text = format_run(parse_targets(AREA), STATE)
    assert text.startswith(EXPECTED)
    assert text.endswith(AREA[AREA.index("_geo") :])


def test_a_run_file_reads_back_whole():
    targets = parse_targets(AREA)
    again = parse_run(format_run(targets, STATE))
    assert again.state == STATE
    assert again.targets.targets == targets.targets
    assert again.targets.geo_points == targets.geo_points
    assert {(one.name, one.value) for one in targets.overrides} <= {
        (one.name, one.value) for one in again.targets.overrides
    }


def test_writing_what_was_read_gives_the_same_bytes(tmp_path):
    path = tmp_path / "L3 ü_tgts_run01.txt"
    for newline in ("\n", "\r\n"):
        targets = parse_targets(AREA.replace("\n", newline))
        write_run(path, targets, STATE)
        before = path.read_bytes()
        assert before.count(b"\r\n") == (before.count(b"\n") if newline == "\r\n" else 0)
        write_run(path, *read_run(path))
        assert path.read_bytes() == before
    assert os.listdir(tmp_path) == [path.name]


def test_a_finished_run_is_a_target_file_with_the_scheme():
    text = format_run(parse_targets(AREA), STATE.finished())
    assert text == EXPECTED[: EXPECTED.index("_spos")] + AREA[AREA.index("\n_tgt") :]
    again = parse_run(text)
    assert again.state == STATE.finished()
    assert again.state.is_finished


def test_finishing_a_run_that_was_read_drops_its_state():
    read = parse_run(format_run(parse_targets(AREA), STATE))
    text = format_run(read.targets, read.state.finished())
    assert "_pbr" not in text and "_nbr" not in text and "_spos" not in text
    assert format_targets(read.targets).count("_tgt") == 2
    assert "_pbr" not in format_targets(read.targets)


def test_a_target_file_is_a_run_that_has_not_begun():
    run = parse_run(AREA)
    assert run.state.is_finished
    assert run.state.header == RunHeader(pretilt_deg=-9.5)
    assert [target.number for target in run.state.targets] == [1, 2]


def test_a_run_file_is_also_a_target_file(tmp_path):
    path = tmp_path / "L3_tgts_run01.txt"
    write_run(path, parse_targets(AREA), STATE)
    assert read_targets(path).targets == parse_targets(AREA).targets


def test_a_run_file_made_by_pacetomo():
    run = parse_run(MADE_BY_PACETOMO)
    assert run.state.position == (1, 0)
    assert run.state.header == RunHeader(pretilt_deg=10.0)
    up, down = run.state.targets[0].up, run.state.targets[0].down
    assert (up.z0_um, up.shifts_um, up.angles_deg) == (0.125, (0.01, -0.02), (3.0, 6.0))
    assert (up.image_shift, up.aligned, up.section, up.dose_e_per_a2) == (XY(0.5, 0.25), XY(0.0, 0.0), 1, 3.1)
    assert (down.shifts_um, down.angles_deg, down.section, down.dose_e_per_a2) == ((), (), -1, 0.0)
    assert parse_run(format_run(*run)) == run


def test_states_change_from_one_write_to_the_next():
    targets = parse_targets(AREA)
    later = STATE.with_branch(1, "up", replace(UP, z0_um=0.75, section=3)).with_position(3, 0)
    assert parse_run(format_run(targets, STATE)).state == STATE
    assert parse_run(format_run(targets, later)).state == later
    read = parse_run(format_run(targets, STATE)).targets
    assert format_run(read, later) == format_run(targets, later)


def test_unknown_keys_of_a_branch_survive():
    state = STATE.with_branch(2, "down", replace(UP, extra=(("model", " joint 1.5"), ("x", ""))))
    assert parse_run(format_run(parse_targets(AREA), state)).state == state


@given(runs())
def test_any_run_reads_back_exactly(run):
    targets, state = run
    text = format_run(targets, state)
    again = parse_run(text)
    assert again.state == state
    assert again.targets.targets == targets.targets
    assert again.targets.geo_points == targets.geo_points
    assert format_run(*again) == text


BROKEN = {
    "z0 = 0.25": ("z0 = nan", "z0 is 'nan', a number is needed"),
    "focus = -4.7\n": ("", "has no focus"),
    "shifts = 0.1,-0.04": ("shifts = 0.1", "1 shifts and 2 angles"),
    "angles = 3.0,6.01": ("angles = 3.0,x", "angles is '3.0,x', numbers with commas"),
    "sec = 2": ("sec = 2.5", "sec is 2.5"),
    "skip = True": ("skip = maybe", "skip is 'maybe', True or False"),
    "_spos = 2,1": ("_spos = 2,2", "there are 2 targets"),
    "_spos = 2": ("_spos = -1", "sections count from 0"),
    "_spos = 2,": ("_spos = 2", "section and position"),
    "_set step = 3.0": ("_set step = three", "step is 'three', a number is needed"),
    "tsfile = L3_ts_001.mrc": ("", "target 1 has no tsfile"),
    "_nbr": ("_pbr", "_pbr stands twice"),
}


@pytest.mark.parametrize("old", BROKEN)
def test_a_broken_run_file_is_refused_with_its_place(tmp_path, old):
    new, words = BROKEN[old]
    path = tmp_path / "L3_tgts_run01.txt"
    text = format_run(parse_targets(AREA), STATE)
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(RunFileError) as caught:
        read_run(path)
    assert str(caught.value).startswith(str(path))
    assert words in str(caught.value)
    assert "line" in str(caught.value) or "target" in str(caught.value)


@pytest.mark.parametrize(
    "state, word",
    [
        (RunState((TargetState(3, UP),)), "target 3 belongs to no target"),
        (RunState((TargetState(1, replace(UP, z0_um=float("nan"))),)), "z0 is nan"),
        (RunState((TargetState(1, replace(UP, shifts_um=(1.0, float("inf")))),)), "shifts is inf"),
        (RunState((TargetState(1, replace(UP, extra=(("sec", "3"),))),)), "extra keys"),
        (RunState((TargetState(1, replace(UP, extra=(("a b", "3"),))),)), "cannot be written"),
    ],
)
def test_states_that_no_file_can_hold_are_refused_and_the_old_file_stays(tmp_path, state, word):
    path = tmp_path / "L3_tgts_run01.txt"
    write_run(path, parse_targets(AREA), STATE)
    before = path.read_bytes()
    with pytest.raises(RunFileError, match=word):
        write_run(path, parse_targets(AREA), state)
    assert path.read_bytes() == before


@given(target_file_texts)
def test_any_lines_are_a_run_or_an_error_with_a_place(text):
    try:
        run = parse_run(text, "L3_tgts_run01.txt")
    except RunFileError as err:
        assert str(err).startswith("L3_tgts_run01.txt")
    else:
        assert parse_run(format_run(*run)).state == run.state


@given(st.binary(max_size=100))
def test_any_bytes_are_an_error(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any_run01.txt"
    path.write_bytes(data)
    with pytest.raises(RunFileError, match="any_run01"):
        read_run(path)


def test_a_held_run_file_is_written_in_the_end(tmp_path, monkeypatch):
    path = tmp_path / "L3_tgts_run01.txt"
    swap, refusals, waits = os.replace, [1, 2], []

    def held(*paths):
        if refusals:
            refusals.pop()
            raise PermissionError(13, "held")
        swap(*paths)

    monkeypatch.setattr("pacetomo.files.atomic.os.replace", held)
    write_run(path, parse_targets(AREA), STATE, waits.append)
    assert read_run(path).state == STATE
    assert len(waits) == 2
