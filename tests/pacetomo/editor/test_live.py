import json
import math

import pytest

from pacetomo.editor.live import Follower
from pacetomo.editor.looks import State
from pacetomo.errors import MetadataError
from pacetomo.frames import XY

TILTS = [0.0, 3.0, -3.0]


def start(t_s=0.0, skipped=()):
    targets = [
        {"number": n, "series": f"a_ts_{n:03d}.mrc", "shift_um": [n, 0], "skip": n in skipped}
        for n in (1, 2, 3)
    ]
    return {"event": "run_start", "t_s": t_s, "targets": targets, "tilts_deg": TILTS, "exposures": 9}


def tilt(t_s, tilt_deg, branch="up"):
    return {
        "event": "tilt",
        "t_s": t_s,
        "tilt_deg": tilt_deg,
        "reached_deg": tilt_deg,
        "branch": branch,
        "stop": 1,
    }


def expose(t_s, target, tilt_deg, branch="up"):
    number = 3 * TILTS.index(tilt_deg) + target - 1
    return {
        "event": "expose",
        "t_s": t_s,
        "number": number,
        "target": target,
        "tilt_deg": tilt_deg,
        "branch": branch,
    }


def exposed(t_s, target, tilt_deg, branch="up"):
    return {
        **expose(t_s, target, tilt_deg, branch),
        "event": "exposed",
        "section": 0,
        "residual_nm": [10.0 * target, -5.0],
        "accepted": True,
        "ctf_defocus_um": -4.5,
        "wanted_um": -4.0,
        "mean_counts": 200.0 - tilt_deg,
        "dose_e_per_a2": 3.0,
    }


def skip(t_s, target, branch, reason="too dark"):
    return {
        "event": "skip",
        "t_s": t_s,
        "target": target,
        "branch": branch,
        "tilt_deg": 3.0,
        "reason": reason,
    }


def text(*events):
    return "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in events).encode()


@pytest.fixture
def journal(tmp_path):
    return tmp_path / "a_tgts_run01.jsonl"


def follow(journal, *events):
    journal.write_bytes(text(*events))
    follower = Follower(journal)
    while follower.poll():
        pass
    return follower.progress()


def test_before_there_is_a_journal_there_is_no_run(journal):
    follower = Follower(journal)
    assert not follower.poll()
    assert follower.progress().step == "no run yet"


def test_what_each_image_has_shown(journal):
    progress = follow(
        journal,
        start(),
        tilt(1, 0.0),
        exposed(2, 1, 0.0),
        exposed(3, 2, 0.0),
        tilt(4, 3.0),
        exposed(5, 2, 3.0),
    )
    second = progress.targets[2]
    assert (second.series, second.taken, second.planned) == ("a_ts_002.mrc", 2, 3)
    assert second.tilts_deg == (0.0, 3.0)
    assert second.residuals_nm == (XY(20.0, -5.0), XY(20.0, -5.0))
    assert (second.fitted_um, second.wanted_um) == ((-4.5, -4.5), (-4.0, -4.0))
    assert second.counts == (200.0, 197.0)
    assert second.dose_e_per_a2 == 6.0
    assert (progress.taken, progress.planned, progress.tilts_done, progress.tilts) == (3, 9, 2, 3)
    assert (progress.tilt_deg, progress.step) == (3.0, "acquiring at 3°")


def test_states_of_targets_while_a_run_goes_on(journal):
    events = [start(skipped=[3]), tilt(1, 0.0), exposed(2, 1, 0.0), expose(3, 2, 0.0)]
    assert follow(journal, *events).states == {1: State.WAITING, 2: State.RUNNING, 3: State.SKIPPED}
    events.append(exposed(4, 2, 0.0))
    assert follow(journal, *events).states[2] is State.WAITING
    for t_s, tilt_deg, branch in ((5, 3.0, "up"), (7, -3.0, "down")):
        events += [tilt(t_s, tilt_deg, branch), exposed(t_s + 1, 1, tilt_deg, branch)]
    assert follow(journal, *events).states[1] is State.FINISHED


def test_a_target_has_ended_when_both_branches_have(journal):
    events = [start(), tilt(1, 0.0), exposed(2, 1, 0.0), exposed(2, 2, 0.0), skip(3, 2, "up")]
    progress = follow(journal, *events)
    assert (progress.states[2], progress.targets[2].remark) == (State.WAITING, "up branch: too dark")
    progress = follow(journal, *events, skip(4, 2, "down", "out of reach"))
    assert progress.states[2] is State.ENDED
    assert progress.targets[2].remark == "up branch: too dark; down branch: out of reach"
    assert follow(journal, *events, skip(4, 1, None)).states[1] is State.ENDED


def test_a_branch_that_is_taken_up_again_has_not_ended(journal):
    events = [start(), tilt(1, 0.0), exposed(2, 2, 0.0), skip(3, 2, "up"), skip(3, 2, "down"), start(0.0)]
    progress = follow(journal, *events, tilt(4, 3.0), exposed(5, 2, 3.0, "up"))
    assert (progress.states[2], progress.targets[2].remark) == (State.WAITING, "down branch: too dark")


def test_time_left_follows_the_pace_of_this_part_of_the_run(journal):
    # Nobody was in a hurry before the interruption; since then an image takes 10 s on average, and 4 are left.
    before = [start(0.0), tilt(1000, 0.0), exposed(2000, 1, 0.0), exposed(3000, 2, 0.0)]
    now = [
        start(0.0),
        tilt(10, 0.0),
        exposed(20, 3, 0.0),
        tilt(20, 3.0),
        exposed(40, 1, 3.0),
        exposed(60, 2, 3.0),
    ]
    left = follow(journal, *before, *now).left_s
    assert 25.0 < left < 110.0
    twice = [{**event, "t_s": 2 * event["t_s"]} for event in now]
    assert follow(journal, *before, *twice).left_s == pytest.approx(2 * left)
    assert follow(journal, *before).left_s > 10 * left


def test_no_time_is_left_for_targets_that_are_skipped_or_have_ended(journal):
    events = [start(), tilt(10, 0.0), exposed(20, 1, 0.0), exposed(30, 2, 0.0), exposed(40, 3, 0.0)]
    all_of_them = follow(journal, *events).left_s
    without_one = follow(journal, *events, skip(40, 3, None)).left_s
    # of three targets at two tilts one falls away, the tilts stay
    assert 0.6 * all_of_them < without_one < 0.8 * all_of_them


def test_the_end_of_a_run(journal):
    end = {"event": "run_end", "t_s": 9.0, "state": "stopped", "text": "by the operator"}
    progress = follow(journal, start(), tilt(1, 0.0), exposed(2, 1, 0.0), expose(3, 2, 0.0), end)
    assert (progress.is_over, progress.step, progress.left_s) == (True, "stopped: by the operator", None)
    assert progress.states[2] is State.WAITING
    again = follow(journal, start(), end, start())
    assert not again.is_over


def test_notes_say_where(journal):
    note = {"event": "warning", "t_s": 2.0, "text": "no µ", "target": 2, "tilt_deg": 3.0}
    assert follow(journal, start(), note, {**note, "target": None, "tilt_deg": None}).notes == (
        "target 2 at 3°: no µ",
        "no µ",
    )


@pytest.mark.parametrize("piece", [1, 7, 100, 100_000])
def test_a_journal_is_read_as_it_grows_by_any_pieces(journal, piece):
    warning = {"event": "warning", "t_s": 2.0, "text": "µ and Å", "target": 1, "tilt_deg": 0.0}
    data = text(
        start(),
        tilt(1, 0.0),
        exposed(2, 1, 0.0),
        warning,
        exposed(3, 2, 0.0),
        tilt(4, 3.0),
        exposed(5, 1, 3.0),
    )
    whole = follow(journal, *map(json.loads, data.decode().splitlines()))
    journal.write_bytes(b"")
    follower = Follower(journal)
    taken = 0
    for place in range(0, len(data), piece):
        with journal.open("ab") as stream:
            stream.write(data[place : place + piece])
        follower.poll()
        now = follower.progress().taken
        assert now >= taken
        taken = now
    assert follower.progress() == whole
    assert follower.damaged == 0


def test_a_long_journal_is_read_in_parts(journal):
    journal.write_bytes(text(start(), *(exposed(n, 1 + n % 3, TILTS[n % 3]) for n in range(50))))
    follower = Follower(journal)
    polls = 0
    while follower.poll(most_bytes=1000) or follower.is_behind:
        polls += 1
    assert polls > 10
    assert not follower.is_behind
    assert follower.progress().taken == 3


def test_lines_that_are_damaged_are_passed_over(journal):
    damaged = b'{"event": "exposed", "t_s": 3, "numb\n\xff\xfe\n[1]\n{"event": "exposed", "t_s": "x"}\n'
    journal.write_bytes(text(start()) + damaged + text(tilt(1, 0.0), exposed(2, 1, 0.0)) + b'{"event": "expo')
    follower = Follower(journal)
    follower.poll()
    assert follower.progress().taken == 1
    assert follower.damaged == 4


def test_a_journal_that_has_become_shorter_is_another_one(journal):
    journal.write_bytes(text(start(), tilt(1, 0.0), exposed(2, 1, 0.0), exposed(2, 2, 0.0)))
    follower = Follower(journal)
    follower.poll()
    journal.write_bytes(text(start(), tilt(1, 0.0)))
    follower.poll()
    assert follower.progress().taken == 0


def test_a_journal_that_cannot_be_read_is_an_error(journal):
    journal.mkdir()
    follower = Follower(journal)
    with pytest.raises(MetadataError, match="cannot be read now"):
        while not follower.poll():
            pass


def test_nothing_is_known_of_what_the_journal_does_not_tell(journal):
    bare = {
        key: exposed(2, 1, 0.0)[key] for key in ("event", "t_s", "number", "target", "tilt_deg", "section")
    }
    first = follow(journal, start(), bare).targets[1]
    assert math.isnan(first.residuals_nm[0].x) and math.isnan(first.counts[0])
    assert first.dose_e_per_a2 == 0.0
