"""What goes wrong during a run, on the simulator: judged by its truth log, the journal and the stacks."""

import errno
import json
import os
import re
import shutil
from collections import Counter

import pytest
from simulated import FLAT, acquire_on, journal_of

from mock_serialem.errors import SEMexited
from mock_serialem.faults import FaultPlan, fault_from
from mock_serialem.module import make_module
from mock_serialem.sim.sample import LamellaSpec
from pacetomo.area_files import AreaFiles
from pacetomo.errors import AreaError, SessionError
from pacetomo.files.appending import LineAppender
from pacetomo.files.mdoc import read_mdoc
from pacetomo.files.stack import section_count
from pacetomo.schemes import Branch
from pacetomo.sighting import Sighting

LAMELLA = LamellaSpec(pretilt_deg=0.0, rotation_deg=0.0, **FLAT)
TARGETS, TILTS = 4, 5
SHORT = {"minTilt": -6, "maxTilt": 6, "sortByTilt": False, "targets": TARGETS}


def acquire(folder, *faults, prepare=None, script=None, **settings):
    """Acquire a short area; the exception that ended it, and the session."""
    sessions = []

    def start(session):
        sessions.append(session)
        session.inject(FaultPlan(tuple(map(fault_from, faults))))
        if prepare is not None:
            prepare(session)

    try:
        acquire_on(folder, LAMELLA, prepare=start, script=script, **{**SHORT, **settings})
        error = None
    except (AreaError, SEMexited) as err:
        error = err
    return error, sessions[0]


def files_of(folder):
    return AreaFiles(next(folder.glob("*_tgts.txt")))


def events(folder, name):
    return [line for line in journal_of(files_of(folder)) if line["event"] == name]


def truth(folder, event):
    lines = [json.loads(line) for line in (folder / "truth.jsonl").read_text().splitlines()]
    return [line for line in lines if line["event"] == event]


def saved(folder, number=r"\d+"):
    """Images saved in the series of a target, or of all."""
    return [line for line in truth(folder, "saved") if re.search(rf"_ts_0*{number}\.mrc$", line["file"])]


def records(folder):
    return [line for line in truth(folder, "exposure") if line["set"] == "R"]


def check_complete(folder):
    """Every planned image is in its stack once, with its metadata, and cost dose once."""
    for number in range(1, TARGETS + 1):
        stack = next(folder.glob(f"*_ts_{number:03d}.mrc"))
        assert section_count(stack) == TILTS
        images = read_mdoc(stack.with_name(f"{stack.name}.mdoc")).images
        assert all(image.text("SpecimenShift") is not None for image in images) and len(images) == TILTS
    assert len(records(folder)) == TARGETS * TILTS == len(saved(folder))


def disk_steps(folder):
    return [line["text"] for line in events(folder, "step") if line["name"] == "disk_full"]


# --- a full disk


@pytest.mark.parametrize("command", ["Save", "OpenNewFile", "OpenOldFile", "WriteAutodoc"])
def test_a_run_waits_while_the_disk_is_full_and_goes_on_by_itself(tmp_path, command):
    fault = {"kind": "disk_full", "command": command, "call": 3, "seconds": 1800, "file": "*_ts_*"}
    error, _ = acquire(tmp_path, fault)
    assert error is None
    check_complete(tmp_path)
    said = disk_steps(tmp_path)
    assert len(said) == 2 and "waiting until there is room" in said[0] and "going on" in said[1]
    full = truth(tmp_path, "fault")[0]["t_s"]
    during = [line for line in records(tmp_path) if full < line["t_s"] < full + 1800]
    assert during == []


def test_a_disk_that_stays_full_ends_the_area_after_the_time_of_its_policy(tmp_path):
    fault = {"kind": "disk_full", "command": "Save", "call": 3, "file": "*_ts_*"}
    error, session = acquire(tmp_path, fault)
    assert isinstance(error, AreaError) and "full for 720 min" in str(error)
    assert session.world.clock_s > 12 * 3600


class Room:
    """Free bytes of the disk as `shutil.disk_usage` tells them: none from some question on, for a while."""

    def __init__(self, monkeypatch, first, last):
        self.asked, self.first, self.last = 0, first, last
        real = shutil.disk_usage

        def usage(path):
            self.asked += 1
            total, used, free = real(path)
            is_full = self.first <= self.asked < self.last
            return type(real(path))(total, used, 1000 if is_full else free)

        monkeypatch.setattr(shutil, "disk_usage", usage)


def test_nothing_is_exposed_for_which_there_is_no_room(tmp_path, monkeypatch):
    Room(monkeypatch, 8, 20)
    error, _ = acquire(tmp_path)
    assert error is None
    check_complete(tmp_path)
    assert "MB are free" in disk_steps(tmp_path)[0] and "4.0 min" in disk_steps(tmp_path)[1]


def test_an_exposure_that_could_not_be_noted_waits(tmp_path, monkeypatch):
    """The journal takes nothing for a while: no image is taken meanwhile, and each event is there afterwards, once."""
    real = LineAppender._write
    tries = []

    def write(self):
        if str(self._file.name).endswith("_run01.jsonl"):
            tries.append(len(records(tmp_path)))
            if 60 <= len(tries) < 70:
                self.trouble = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                return
        real(self)

    monkeypatch.setattr(LineAppender, "_write", write)
    error, _ = acquire(tmp_path)
    assert error is None
    check_complete(tmp_path)
    assert len(disk_steps(tmp_path)) == 2
    marks = Counter((line["target"], line["tilt_deg"]) for line in events(tmp_path, "expose"))
    assert len(marks) == TARGETS * TILTS and set(marks.values()) == {1}


# --- the camera


def test_a_camera_that_fails_before_exposing_is_asked_again(tmp_path):
    error, _ = acquire(tmp_path, {"kind": "error", "command": "R", "call": 6})
    assert error is None
    check_complete(tmp_path)
    assert any("nothing was exposed" in line["text"] for line in events(tmp_path, "step"))


def test_an_image_that_came_out_although_the_camera_failed_is_saved_and_not_taken_again(tmp_path):
    error, _ = acquire(tmp_path, {"kind": "error", "command": "R", "call": 6, "when": "after"})
    assert error is None
    check_complete(tmp_path)


def test_a_camera_that_goes_on_failing_ends_one_target(tmp_path):
    error, _ = acquire(tmp_path, *[{"kind": "error", "command": "R", "call": 6, "times": 3}])
    assert error is None
    skips = events(tmp_path, "skip")
    assert [line["target"] for line in skips] == [2] and len(records(tmp_path)) == TARGETS * TILTS - 2


# --- low dose


def changed_after(images, change):
    """For `prepare`: somebody changes something at the microscope once so many images have been saved."""

    def prepare(session):
        real, count = session.world.truth.write, []

        def write(event, **details):
            real(event, **details)
            if event == "saved":
                count.append(1)
                if len(count) == images:
                    change(session)

        session.world.truth.write = write

    return prepare


def switch_off(session):
    make_module(session).SetLowDoseMode(0)


def magnify(session):
    sem = make_module(session)
    sem.GoToLowDoseArea("R")
    sem.UpdateLowDoseParams("R", 1)
    sem.SetMagIndex(int(sem.ReportMagIndex()[0]) - 1)


@pytest.mark.parametrize("change", [switch_off, magnify])
def test_what_somebody_changes_of_low_dose_is_put_back_at_the_next_tilt(tmp_path, change):
    error, _ = acquire(tmp_path, prepare=changed_after(TARGETS, change))
    assert error is None
    check_complete(tmp_path)
    assert [line["text"] for line in events(tmp_path, "warning") if "put back" in line["text"]]
    stacks = [next(tmp_path.glob(f"*_ts_{number:03d}.mrc")) for number in range(1, TARGETS + 1)]
    images = [one for stack in stacks for one in read_mdoc(stack.with_name(f"{stack.name}.mdoc")).images]
    magnifications = {one.text("Magnification") for one in images}
    assert len(magnifications) == 1 and None not in magnifications


def test_low_dose_that_cannot_be_put_back_ends_the_area(tmp_path):
    fault = {"kind": "error", "command": "SetLowDoseMode", "times": 0}
    error, _ = acquire(
        tmp_path, fault, prepare=changed_after(TARGETS, lambda s: setattr(s.low_dose, "on", False))
    )
    assert isinstance(error, AreaError) and "low dose" in str(error)
    assert len(records(tmp_path)) == TARGETS


# --- our own code


def broken(monkeypatch, when, kind=TypeError):
    """Let the code that looks at an image fail for some of them."""
    real = Sighting.offset_um

    def offset_um(self, exposure, *rest, **more):
        if when(exposure):
            raise kind("a defect")
        return real(self, exposure, *rest, **more)

    monkeypatch.setattr(Sighting, "offset_um", offset_um)


def test_a_defect_that_concerns_one_target_ends_that_one_on_its_branch(tmp_path, monkeypatch):
    broken(monkeypatch, lambda one: one.target == 2 and one.branch is Branch.UP)
    error, _ = acquire(tmp_path)
    assert error is None
    assert {n: len(saved(tmp_path, n)) for n in range(1, TARGETS + 1)} == {1: 5, 2: 4, 3: 5, 4: 5}
    noted = events(tmp_path, "error")[0]
    assert noted["target"] == 2 and "a defect" in noted["text"] and "offset_um" in noted["traceback"]
    assert [line["state"] for line in events(tmp_path, "run_end")] == ["incomplete"]


def test_a_defect_that_all_targets_meet_with_ends_the_area(tmp_path, monkeypatch):
    broken(monkeypatch, lambda one: one.branch is Branch.UP, KeyError)
    error, _ = acquire(tmp_path)
    assert isinstance(error, AreaError) and not isinstance(error, SessionError)
    assert "3 targets in a row" in str(error)
    assert len(saved(tmp_path)) == TARGETS + 3  # each of the three was saved before it was looked at


def test_a_policy_can_end_the_area_at_the_first_defect(tmp_path, monkeypatch):
    broken(monkeypatch, lambda one: one.branch is Branch.UP)
    error, _ = acquire(tmp_path, script={"policies": {"own_fault": {"then": "end session"}}})
    assert isinstance(error, SessionError) and len(saved(tmp_path)) == TARGETS + 1


def test_stop_passes_through_all_of_it(tmp_path):
    error, _ = acquire(tmp_path, {"kind": "stop", "exposure": 12})
    assert isinstance(error, SEMexited)
    assert [line["state"] for line in events(tmp_path, "run_end")] == ["stopped"]
    assert events(tmp_path, "error") == []
