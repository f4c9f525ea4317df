"""What `pacetomo status` makes of what runs leave on disk."""

import json
import os
import re
import shutil
import time

import pytest
from finished_run import make_run
from killing import Kill, make_area, run

from pacetomo.cli import main
from pacetomo.errors import PaceError
from pacetomo.finishing import BEGUN, DONE, note_finishing
from pacetomo.status import QUIET_S, closing_line, session_status, status_lines

SETTINGS = {"minTilt": -6, "maxTilt": 6, "startTilt": 0, "pretilt": 0}
LATER_S = 2 * QUIET_S


def later():
    return time.time() + LATER_S


def one(folder, now_s=None):
    [area] = session_status(folder, later() if now_s is None else now_s)
    return area


@pytest.fixture
def killed(tmp_path):
    """A run killed between two images."""
    session = make_area(tmp_path / "s", targets=3, **SETTINGS)
    run(session, Kill(command=5, name="R", moment="before"))
    return session


@pytest.fixture(scope="module")
def left_behind(tmp_path_factory):
    """Folder of such a run."""
    session = make_area(tmp_path_factory.mktemp("killed") / "s", targets=3, **SETTINGS)
    run(session, Kill(command=5, name="R", moment="before"))
    return session.directory


def images_of(session):
    lines = [line for line in session.world.truth.events if line["event"] == "saved"]
    return sum(bool(re.search(r"_ts_\d+\.mrc$", line["file"])) for line in lines)


def test_a_folder_without_areas_is_refused_in_a_sentence(tmp_path):
    with pytest.raises(PaceError, match="no area here"):
        session_status(tmp_path)
    with pytest.raises(PaceError, match="no such folder"):
        session_status(tmp_path / "none")


def test_an_area_that_was_not_begun_needs_nobody(tmp_path):
    make_area(tmp_path / "s", targets=2, **SETTINGS)
    area = one(tmp_path / "s")
    assert (area.state, area.needs_person) == ("to do", False)


def test_a_killed_run_is_under_way_until_it_has_been_silent_for_long(killed):
    now = one(killed.directory, time.time())
    assert (now.state, now.needs_person) == ("under way", False)
    assert "15 min" in closing_line([now])
    assert one(killed.directory).state == "interrupted"


def test_an_interrupted_area_says_where_it_stopped_and_what_a_restart_does(killed):
    area = one(killed.directory)
    taken = images_of(killed)
    assert (area.images, area.planned, area.needs_person) == (taken, 15, True)
    journal = next(killed.directory.glob("*_run01.jsonl"))
    marks = [json.loads(line) for line in journal.read_text("utf-8").splitlines() if '"expose"' in line]
    target, tilt = marks[-1]["target"], marks[-1]["tilt_deg"]
    assert f"at target {target}, {tilt:g}°: its script died" in area.text
    assert f"{taken} of 15 images are taken, next is target {target} at {tilt:g}°" in area.text
    assert (
        "may have been exposed and is not saved" in area.text
        and "if somebody says so (retakeLost)" in area.text
    )


def test_what_status_promises_is_what_the_restart_does(killed):
    area = one(killed.directory)
    promised = re.search(r"next is target (\d+) at (\S+)°", area.text)
    journal = next(killed.directory.glob("*_run01.jsonl"))
    before = len(journal.read_text("utf-8").splitlines())
    assert run(killed).ok
    lines = [json.loads(line) for line in journal.read_text("utf-8").splitlines()[before:]]
    first = next(line for line in lines if line["event"] == "expose")
    assert (str(first["target"]), f"{first['tilt_deg']:g}") == promised.groups()
    done = one(killed.directory)
    assert (done.state, done.images, done.needs_person) == ("finished", 15, False)


def test_a_run_that_died_in_the_set_up_is_set_up_anew(tmp_path):
    session = make_area(tmp_path / "s", targets=2, **SETTINGS)
    run(session, Kill(command=1, name="V", moment="before"))
    area = one(session.directory)
    assert area.state == "interrupted" and "set-up" in area.text and area.needs_person


def test_an_operators_stop_is_told_apart_from_a_death(tmp_path):
    session = make_area(tmp_path / "s", targets=2, **SETTINGS)
    run(session, Kill(command=4, name="R", moment="before"))
    journal = next(session.directory.glob("*_run01.jsonl"))
    with journal.open("a") as file:
        file.write('{"event": "run_end", "t_s": 1.0, "state": "stopped", "text": "ended by STOP, 3.0 min"}\n')
    area = one(session.directory, time.time())  # however young its files are
    assert area.state == "stopped" and "ended by STOP" in area.text and area.needs_person


FINISHING = {
    "nothing wanted": ({"sortByTilt": False}, (), False, ""),
    "not begun": ({}, (), True, "pacetomo finish area_tgts_run01.txt"),
    "killed in the middle": ({}, (BEGUN,), True, "interrupted): pacetomo finish"),
    "failed": ({}, (BEGUN, "failed"), True, "see area_tgts_run01_finish.log"),
    "done": ({}, (BEGUN, DONE), False, ""),
}


@pytest.mark.parametrize(("settings", "events", "needs", "said"), FINISHING.values(), ids=FINISHING)
def test_series_that_are_not_finished_are_told_of(tmp_path, settings, events, needs, said):
    run_file = make_run(tmp_path, **settings)
    journal = run_file.with_suffix(".jsonl")
    for event in events:
        note_finishing(journal, event)
    os.utime(journal, (1e9, 1e9))
    area = one(tmp_path)
    assert (area.state, area.images, area.planned) == ("finished", 10, 10)
    assert area.needs_person is needs and said in area.text


def empty(path):
    path.write_bytes(b"")


def halve(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def noise(path):
    path.write_bytes(bytes(range(256)) * 4)


def other_json(path):
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    kept = [{"event": line["event"]} if "event" in line else [] for line in lines]
    path.write_text("".join(json.dumps(line) + "\n" for line in kept))


@pytest.mark.parametrize(
    "pattern",
    ["*_tgts.txt", "*_run01.txt", "*_run01.jsonl", "*_model.txt", "*_ts_002.mrc", "*_ts_002.mrc.mdoc"],
)
@pytest.mark.parametrize("damage", [empty, halve, noise, other_json])
def test_damaged_files_are_a_sentence_and_never_a_traceback(left_behind, tmp_path, pattern, damage, capsys):
    folder = shutil.copytree(left_behind, tmp_path / "s")
    [path] = folder.glob(pattern)
    if damage is other_json and path.suffix != ".jsonl":
        pytest.skip("no file of that form")
    damage(path)
    area = one(folder)
    assert area.needs_person and area.text and "\n" not in area.text
    os.utime(path, (1e9, 1e9))
    assert main(["status", str(folder)]) in (0, 1)
    assert capsys.readouterr().err == ""


def test_the_command_line_tells_by_its_exit_status_whether_somebody_is_needed(tmp_path, capsys):
    make_run(tmp_path, sortByTilt=False)
    assert main(["status", str(tmp_path)]) == 0
    assert "No area needs anybody" in capsys.readouterr().out
    make_run(tmp_path, root="other")
    assert main(["status", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "1 of 2 areas need somebody" in out and "other" in out and "Traceback" not in out


def test_lines_show_who_needs_somebody(tmp_path):
    make_run(tmp_path)
    line = status_lines(session_status(tmp_path, later()))[0]
    assert line.startswith("area  ! finished  10 of 10  ")
