"""Rehearsals that are interrupted and gone on with: the simulated microscope forgets nothing, and says where it is."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest
from killing import kill_rehearsal

from mock_serialem.session import Session
from pacetomo import cli
from pacetomo.errors import PaceError
from pacetomo.files.stack import section_count
from pacetomo.rehearsal_continued import continue_rehearsal, find_record
from pacetomo.rehearsal_record import ACQUIRING, FILE, FINISHED, SETTING_UP, STATE, read_record
from pacetomo.rehearse import Rehearsal, rehearse

SMALL = ("minTilt=6", "maxTilt=12")

OWN_SCRIPT = """\
#!Python
import json, os
import serialem as sem

def note(**values):
    with open("lamella_tgts_run01.jsonl", "a") as journal:
        journal.write(json.dumps({"t_s": sem.ReportTickTime(), **values}) + "\\n")

going_on = os.path.exists("own_ts.mrc")
if not going_on:
    note(event="run_start", exposures=5)
    sem.OpenNewFile("own_ts.mrc")
for number in range(int(sem.ReportFileZsize()), 5):  # the file has stayed open, whoever has died
    sem.R()
    if number == 3 and not going_on:
        os._exit(9)
    sem.Save()
    note(event="exposed", number=number, target=1, section=number)
sem.CloseFile()
note(event="run_end", state="finished")
"""


@pytest.fixture
def own_script(tmp_path, monkeypatch):
    """Acquisition that dies with an image in A and can go on: what the microscope has to remember for any script."""
    path = tmp_path / "own.py"
    path.write_text(OWN_SCRIPT)
    monkeypatch.setattr("pacetomo.rehearse.script_path", lambda name: path)


def small(folder, **changes):
    return Rehearsal(folder, fidelity="kinematic", targets=2, overrides=SMALL, **changes)


def truth_of(folder, *events):
    lines = map(json.loads, (folder / "truth.jsonl").read_text().splitlines())
    return [line for line in lines if line["event"] in events or not events]


def test_a_killed_script_and_the_rehearsal_that_goes_on(tmp_path, own_script):
    folder, said = tmp_path / "r", []
    outcome = rehearse(small(folder))
    assert "ended with status 9" in outcome.error
    record = find_record(Rehearsal(folder), ())
    assert record.phase == ACQUIRING and "status 9" in record.script
    references = {path: path.read_bytes() for path in folder.glob("*_tgt_*")}
    before = truth_of(folder)
    assert references and section_count(folder / "own_ts.mrc") == 3
    outcome = continue_rehearsal(folder, record, said.append)
    assert outcome.error is None
    assert said == [f"Going on with the rehearsal in {folder}: 3 of {record.planned} images were taken"]
    assert section_count(folder / "own_ts.mrc") == 5
    # The log goes on where it was, and so does the series: residuals still count from its first image.
    after = truth_of(folder)
    assert after[: len(before)] == before
    taken = sum(line["event"] == "exposure" for line in before)
    assert (after[len(before)]["event"], after[len(before)]["exposures"]) == ("continued", taken)
    saved = [line for line in after if line.get("file") == "own_ts.mrc" and line["event"] == "saved"]
    assert [line["section"] for line in saved] == [0, 1, 2, 3, 4]
    assert all(line["residual_x_um"] is not None for line in saved)
    times = [line["t_s"] for line in after]
    assert times == sorted(times)
    assert {path: path.read_bytes() for path in folder.glob("*_tgt_*")} == references
    assert not list(folder.glob("*~*"))
    assert outcome.timeline["expose"] == pytest.approx(6.0)  # of both runs, without setting up
    assert read_record(folder).phase == FINISHED
    assert not (folder / STATE).exists()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="kills a process and its children by /proc")
def test_everything_killed_in_the_midst_of_an_acquisition(tmp_path, capsys):
    """Whatever the acquisition makes of it, the microscope knows every exposure and where it stands."""
    folder = tmp_path / "r"

    def third_image(truth):
        return sum('"saved"' in line and "_ts_" in line for line in truth.splitlines()) >= 3

    options = ("--fidelity", "kinematic", "--targets", "2", "--set", "minTilt=-15")
    kill_rehearsal(folder, *options, when=third_image)
    before = truth_of(folder)
    assert read_record(folder).phase == ACQUIRING
    (folder / "leave_me").write_text("a file of somebody else does no harm")
    cli.main(["rehearse", "--out", str(folder)])
    first = capsys.readouterr().out.splitlines()[0]
    journal = (folder / "lamella_tgts_run01.jsonl").read_text().splitlines()
    taken = sum('"exposed"' in line for line in journal)
    assert taken >= 2
    planned = read_record(folder).planned
    assert first.startswith(f"Going on with the rehearsal in {folder}: ")
    assert first.endswith(f" of {planned} images were taken")
    after = truth_of(folder)
    assert after[: len(before)] == before
    place = next(n for n, line in enumerate(after) if line["event"] == "continued")
    assert after[place]["exposures"] == sum(line["event"] == "exposure" for line in after[:place])
    # Nothing but the end of the command that was under way comes before it.
    assert place - len(before) <= 3


def test_a_finished_one_says_so(tmp_path, capsys):
    arguments = ["--fidelity", "kinematic", "--targets", "1", "--set", "minTilt=6", "--set", "maxTilt=9"]
    assert cli.main(["rehearse", "--out", str(tmp_path / "r"), *arguments]) == 0
    assert "goes on" not in capsys.readouterr().out
    size = (tmp_path / "r" / "truth.jsonl").stat().st_size
    for again in (arguments, []):
        assert cli.main(["rehearse", "--out", str(tmp_path / "r"), *again]) == 0
        assert "is finished" in capsys.readouterr().out
    assert (tmp_path / "r" / "truth.jsonl").stat().st_size == size
    assert not list((tmp_path / "r").glob(f"{STATE}*"))


OTHERS = [
    (["--seed", "4"], "--seed 0, not with --seed 4"),
    (["--sample", "holey"], "--sample lamella, not with --sample holey"),
    (["--stage", "cryoarm"], "--stage krios, not with --stage cryoarm"),
    (["--fidelity", "rendered"], "--fidelity kinematic, not with --fidelity rendered"),
    (["--targets", "3"], "--targets 2, not with --targets 3"),
    (["--set", "minTilt=0"], "--set minTilt=6 maxTilt=12, not with --set minTilt=0"),
    (["other_tgts.txt"], "another target file"),
]


def test_other_options_than_the_first_time_are_refused(tmp_path, own_script, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rehearse(small(tmp_path / "r"))
    (tmp_path / "other_tgts.txt").write_text(
        "_set startTilt = 9\n\n"
        "_tgt = 001\ntsfile = x_ts_001.mrc\nSSX = 0\nSSY = 0\n\n"
        "_tgt = 002\ntsfile = x_ts_002.mrc\nSSX = 1\nSSY = 0\n"
    )
    files = {path: path.read_bytes() for path in (tmp_path / "r").iterdir()}
    for arguments, said in OTHERS:
        assert cli.main(["rehearse", "--out", "r", *arguments]) == 1
        text = capsys.readouterr().err
        assert said in text and text.count("\n") == 1, text
    assert {path: path.read_bytes() for path in (tmp_path / "r").iterdir()} == files
    # The same options once more, or some of them, are those of the folder.
    for given in (("seed",), ("sample", "targets", "set", "fidelity"), ()):
        assert find_record(small(tmp_path / "r"), given) is not None


def test_the_same_target_file_by_another_path(tmp_path, own_script):
    text = "_set startTilt = 9\n\n_tgt = 001\ntsfile = x_ts_001.mrc\nSSX = 0\nSSY = 0\n"
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / "lamella_tgts.txt").write_text(text)
    first = Rehearsal(
        tmp_path / "r", tmp_path / "a" / "lamella_tgts.txt", fidelity="kinematic", overrides=SMALL
    )
    rehearse(first)
    moved = Rehearsal(tmp_path / "r", tmp_path / "b" / "lamella_tgts.txt")
    assert find_record(moved, ("target_file",)) is not None
    (tmp_path / "b" / "lamella_tgts.txt").write_text(text.replace("SSX = 0", "SSX = 0.1"))
    with pytest.raises(PaceError, match="one that has been changed"):
        find_record(moved, ("target_file",))


def test_one_interrupted_while_it_was_set_up_begins_anew(tmp_path, monkeypatch, capsys):
    undisturbed = rehearse(small(tmp_path / "a"))

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Session, "keep_state", interrupted)
        rehearse(small(tmp_path / "b"))
    record = read_record(tmp_path / "b")
    assert record.phase == SETTING_UP and list((tmp_path / "b").glob("*_tgt_*"))
    said = []
    outcome = continue_rehearsal(tmp_path / "b", record, said.append)
    assert outcome.error is None and "while it was being set up" in said[0]
    assert outcome.truth.read_bytes() == undisturbed.truth.read_bytes()
    assert sorted(path.name for path in (tmp_path / "b").iterdir()) == sorted(
        path.name for path in (tmp_path / "a").iterdir()
    )


@pytest.mark.parametrize("content", ["", "{}", '{"format": 99}', '{"format": 1, "options": 3}', "[1]"])
def test_a_record_that_cannot_be_understood(tmp_path, content, capsys):
    (tmp_path / FILE).write_text(content)
    assert cli.main(["rehearse", "--out", str(tmp_path)]) == 1
    text = capsys.readouterr().err
    assert "choose a new folder with --out" in text and text.count("\n") == 1


def test_a_lost_damaged_or_moved_microscope_is_said(tmp_path, own_script, capsys):
    rehearse(small(tmp_path / "r"))
    state = (tmp_path / "r" / STATE).read_bytes()
    for content, said in ((None, "cannot be read"), (state[:100] + b"x" + state[101:], "is damaged")):
        (tmp_path / "r" / STATE).unlink()
        if content is not None:
            (tmp_path / "r" / STATE).write_bytes(content)
        else:
            assert cli.main(["rehearse", "--out", str(tmp_path / "r")]) == 1
            assert said in capsys.readouterr().err
            (tmp_path / "r" / STATE).write_bytes(state)
            continue
        assert cli.main(["rehearse", "--out", str(tmp_path / "r")]) == 1
        assert said in capsys.readouterr().err
    (tmp_path / "r" / STATE).write_bytes(state)
    (tmp_path / "r").rename(tmp_path / "elsewhere")
    assert cli.main(["rehearse", "--out", str(tmp_path / "elsewhere")]) == 1
    assert "move the folder back" in capsys.readouterr().err


def test_two_rehearsals_in_one_folder_at_a_time(tmp_path, own_script):
    rehearse(small(tmp_path / "r"))
    record = find_record(Rehearsal(tmp_path / "r"), ())
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom mock_serialem.restoring import go_on\n"
        "session = go_on(Path(sys.argv[1]))\nprint('on', flush=True)\ntime.sleep(60)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "r" / STATE)], stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout.readline().strip() == "on"
        with pytest.raises(PaceError, match="still running in another process"):
            continue_rehearsal(tmp_path / "r", record, print)
        holder.send_signal(signal.SIGTERM if os.name == "nt" else signal.SIGKILL)
    assert continue_rehearsal(tmp_path / "r", record, print).error is None


@pytest.mark.slow
def test_everything_killed_and_the_acquisition_finished_all_the_same(tmp_path, capsys):
    folder = tmp_path / "r"

    def tenth_image(truth):
        return sum('"saved"' in line and "_ts_" in line for line in truth.splitlines()) >= 10

    options = ("--fidelity", "kinematic", "--targets", "2", "--set", "minTilt=-6", "--set", "maxTilt=24")
    kill_rehearsal(folder, *options, when=tenth_image)
    assert cli.main(["rehearse", "--out", str(folder)]) == 0
    assert "Going on with the rehearsal" in capsys.readouterr().out
    saved = [line for line in truth_of(folder) if line["event"] == "saved"]
    for number in (1, 2):
        mine = [line for line in saved if line["file"].endswith(f"_ts_{number:03d}.mrc")]
        assert [line["section"] for line in mine] == list(range(11))
        assert sorted(round(line["tilt_nominal_deg"]) for line in mine) == list(range(-6, 25, 3))
        assert section_count(next(folder.glob(f"*_ts_{number:03d}.mrc"))) == 11
    assert cli.main(["status", str(folder)]) == 0
