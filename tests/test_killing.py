"""The killing of scripts: it happens where it is asked for, and the microscope lives on."""

from __future__ import annotations

import json

import pytest
from killing import Kill, Trace, make_area, run

SCRIPT = """\
#!Python
import os
import serialem as sem
sem.SetLowDoseMode(1)
sem.OpenNewFile("a.mrc")
for number in range(3):
    sem.R()
    sem.Save()
    with open("note.txt.part", "w") as note:
        note.write("image %d" % number)
        note.flush()
        os.fsync(note.fileno())
    os.replace("note.txt.part", "note.txt")
"""

WRITES = ["open note.txt.part", "write note.txt.part", "fsync", "replace note.txt.part"]


@pytest.fixture
def area(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    return make_area(tmp_path / "s", targets=1), script


def events(session):
    return [line["event"] for line in session.world.truth.events]


def test_a_trace_tells_what_can_be_killed_at(area):
    session, script = area
    trace = Trace()
    assert run(session, script=script, trace=trace).ok
    assert trace.commands == ["SetLowDoseMode", "OpenNewFile", *["Record", "Save"] * 3]
    assert [line.strip() for line in trace.writes] == WRITES * 3


@pytest.mark.parametrize(
    ("kill", "images", "saved", "note"),
    [
        (Kill(command=5), 1, 1, "image 0"),
        (Kill(command=5, moment="after"), 2, 1, "image 0"),
        (Kill(command=2, name="Save"), 2, 1, "image 0"),
        (Kill(command=2, name="S", moment="after"), 2, 2, "image 0"),
        (Kill(write=8), 2, 2, "image 0"),
        (Kill(write=8, moment="after"), 2, 2, "image 1"),
        (Kill(write=4), 1, 1, None),
    ],
)
def test_a_script_dies_where_it_is_killed(area, kill, images, saved, note):
    session, script = area
    before = events(session)
    result = run(session, kill, script)
    assert not result.ok and not result.stopped and "status" in result.error
    happened = events(session)[len(before) :]
    assert (happened.count("exposure"), happened.count("saved")) == (images, saved)
    path = session.directory / "note.txt"
    assert (path.read_text().strip() if path.exists() else None) == note
    # The microscope lives on: the file is open, the image is in A.
    assert session.files.current.count == saved
    assert session.buffers.get("A").shot.number == session.world.exposures


def test_a_write_that_is_cut_in_half(area):
    session, script = area
    assert not run(session, Kill(write=6, moment="within"), script).ok
    assert (session.directory / "note.txt").read_text() == "image 0"
    assert (session.directory / "note.txt.part").read_text() == "ima"


def test_a_kill_at_an_exposure_leaves_its_image_in_a(area):
    session, script = area
    first = session.world.exposures + 1
    assert not run(session, Kill(exposure=first + 1, moment="after"), script).ok
    assert session.world.exposures == first + 1 == session.buffers.get("A").shot.number
    assert session.files.current.count == 1


def test_a_kill_by_the_clock_and_one_that_comes_too_late(area):
    session, script = area
    script.write_text(SCRIPT + "import time\ntime.sleep(60)\n")
    assert not run(session, Kill(after_s=1.0), script).ok
    session.files.close_all()
    (session.directory / "a.mrc").unlink(missing_ok=True)
    script.write_text(SCRIPT)
    assert run(session, Kill(command=500), script).ok


def test_the_acquisition_itself_in_a_counted_process(tmp_path):
    session = make_area(tmp_path / "s", targets=1, minTilt=6, maxTilt=9)
    trace = Trace()
    assert run(session, trace=trace).ok
    assert trace.commands.count("Record") == 2
    replaced = [line for line in trace.writes if line.startswith("replace lamella_tgts_run01.txt")]
    assert len(replaced) >= 2  # the run file is complete after each exposure
    journal = (tmp_path / "s" / "lamella_tgts_run01.jsonl").read_text().splitlines()
    written = [line for line in trace.writes if line == "write lamella_tgts_run01.jsonl"]
    assert len(written) >= len(journal) - 2 and json.loads(journal[-1])
