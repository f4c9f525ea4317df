import json
import os
from pathlib import Path

import pytest
from fake_scope import FakeScope, Stop
from finished_run import TILTS, make_run

from mock_serialem.faults import FaultPlan, fault_from
from mock_serialem.module import make_module
from mock_serialem.script_window import ScriptWindow
from mock_serialem.sim.world import make_world
from pacetomo import background, batch
from pacetomo.area_files import AreaFiles
from pacetomo.background import await_finishing
from pacetomo.batch import (
    RECORDS,
    SUMMARY,
    AreaInBatch,
    AreaRecord,
    read_records,
    summary_rows,
    write_summary,
)
from pacetomo.errors import PlanError
from pacetomo.files.mdoc import read_mdoc
from pacetomo.finishing import BEGUN, note_finishing
from pacetomo.frames import XY
from pacetomo.rehearse import Rehearsal, choose_targets, open_session
from pacetomo.scope.protocol import Item
from pacetomo.scripts import script_path


@pytest.fixture
def scope(tmp_path):
    return FakeScope(tmp_path, {}, {})


def area(scope, note="area_tgts.txt", label="7"):
    return AreaInBatch(scope, Item(1, label, note, XY(0.0, 0.0)))


def row(folder, name="area"):
    return next(row for row in summary_rows(folder) if row[0] == name)


def test_a_finished_area_is_summed_up_and_its_series_are_sorted(scope, tmp_path):
    with area(scope):
        assert read_records(tmp_path)[0].state == "running"
        run_file = make_run(tmp_path)
    await_finishing(run_file)
    assert row(tmp_path) == ("area", "finished", "10 of 10", "2 of 2", "2", "0", "finished", "-")
    assert [image.tilt_deg for image in read_mdoc(tmp_path / "area_ts_001.mrc.mdoc").images] == sorted(TILTS)
    assert any(line.startswith("area  finished") for line in scope.told)
    background._processes[-1].wait()
    assert "finished  -" in (tmp_path / SUMMARY).read_text()


def test_where_no_process_can_be_started_the_work_is_done_in_place(scope, tmp_path, monkeypatch):
    monkeypatch.setattr(background, "_interpreter", lambda: None)
    with area(scope):
        make_run(tmp_path)
    assert [image.tilt_deg for image in read_mdoc(tmp_path / "area_ts_001.mrc.mdoc").images] == sorted(TILTS)
    assert any("no Python program" in line for line in scope.told)
    assert row(tmp_path)[6] == "finished"


@pytest.mark.parametrize("state", ["incomplete", "stopped", "failed"])
def test_an_area_that_lacks_images_is_left_as_taken_with_advice(scope, tmp_path, state):
    with area(scope):
        make_run(tmp_path, state=state)
    assert [image.tilt_deg for image in read_mdoc(tmp_path / "area_ts_001.mrc.mdoc").images] == TILTS
    cells = row(tmp_path)
    assert (
        cells[1] == state and cells[6] == "as taken" and "pacetomo report area_tgts_run01.jsonl" in cells[7]
    )


def test_a_refused_area_says_why_and_the_error_goes_on(scope, tmp_path):
    with pytest.raises(PlanError), area(scope, "x_tgts_p02.txt"):
        raise PlanError("no good:\nfor two reasons")
    assert row(tmp_path, "x_p02") == ("x_p02", "refused", "-", "-", "-", "0", "-", "no good: for two reasons")


def test_after_stop_nothing_is_asked_of_the_microscope(scope, tmp_path):
    before = len(scope.told)
    with pytest.raises(Stop), area(scope):
        scope.stopped = True
        scope.tell = scope.items_to_come = None  # calling either would be an error of another kind
        raise Stop
    assert row(tmp_path)[1] == "stopped" and len(scope.told) == before


def test_stop_is_called_by_its_name(scope, tmp_path):
    exited = type("SEMexited", (Exception,), {"__module__": "serialem"})
    with pytest.raises(exited), area(scope):
        raise exited
    assert row(tmp_path)[1] == "stopped" and row(tmp_path)[7] == "ended by STOP"


def test_a_defect_is_a_failure(scope, tmp_path):
    with pytest.raises(ZeroDivisionError), area(scope):
        raise ZeroDivisionError("a defect")
    assert row(tmp_path)[1] == "failed" and "ZeroDivisionError" in row(tmp_path)[7]


def test_a_script_that_died_is_seen_by_the_next(scope, tmp_path):
    area(scope).__enter__()
    assert row(tmp_path)[1] == "running"
    other = area(scope, "other_tgts.txt")
    other._record = other._record._replace(began="2999-01-01 00:00:00")
    with other:
        assert row(tmp_path)[1] == "died" and "item 7" in row(tmp_path)[7]


def test_what_a_script_had_taken_when_it_died_is_in_the_summary(scope, tmp_path):
    make_run(tmp_path, state="stopped")  # of an earlier day
    journal = tmp_path / "area_tgts_run01.jsonl"
    os.utime(journal, (0, 0))
    area(scope).__enter__()
    assert row(tmp_path)[1:3] == ("running", "-")
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(line for line in lines if '"run_end"' not in line))
    other = area(scope, "other_tgts.txt")
    other._record = other._record._replace(began="2999-01-01 00:00:00")
    with other:
        cells = row(tmp_path)
    assert cells[1:4] == ("died", "10 of 10", "2 of 2") and cells[6] == "as taken"
    assert "item 7" in cells[7] and "pacetomo report area_tgts_run01.jsonl" in cells[7]


def test_an_area_done_again_has_one_line_and_older_journals_do_not_count(scope, tmp_path):
    make_run(tmp_path)
    with pytest.raises(PlanError), area(scope):
        raise PlanError("has been acquired")
    with pytest.raises(PlanError), area(scope):
        raise PlanError("has been acquired")
    assert [cells[:3] for cells in summary_rows(tmp_path)] == [("area", "refused", "-")]


def test_the_whole_summary_is_told_at_the_last_area_only(scope, tmp_path):
    scope.items_to_come = lambda: 2
    with pytest.raises(PlanError), area(scope, "a_tgts.txt"):
        raise PlanError("x")
    scope.items_to_come = lambda: 1
    with pytest.raises(PlanError), area(scope, "b_tgts.txt"):
        raise PlanError("y")
    assert sum("refused" in line for line in scope.told) == 2 and "1 area to come" in scope.told
    scope.told.clear()
    scope.items_to_come = lambda: 0
    with pytest.raises(PlanError), area(scope, "c_tgts.txt"):
        raise PlanError("z")
    assert sum("refused" in line for line in scope.told) == 3


def test_finishing_that_failed_or_was_killed_shows(scope, tmp_path, monkeypatch):
    monkeypatch.setattr(background, "start_finishing", lambda run_file: None)
    with area(scope):
        run_file = make_run(tmp_path)
    assert row(tmp_path)[6:] == ("as taken", "pacetomo finish area_tgts_run01.txt")
    note_finishing(run_file.with_suffix(".jsonl"), BEGUN)
    assert row(tmp_path)[6:] == ("at work", "-")
    monkeypatch.setattr(background, "PATIENCE_S", -1.0)
    assert row(tmp_path)[6:] == ("interrupted", "pacetomo finish area_tgts_run01.txt")
    note_finishing(run_file.with_suffix(".jsonl"), "failed")
    assert row(tmp_path)[6] == "failed" and "area_tgts_run01_finish.log" in row(tmp_path)[7]


def test_a_folder_that_cannot_be_written_ends_no_area(scope, tmp_path, monkeypatch):
    (tmp_path / RECORDS).mkdir()
    with area(scope):
        pass
    assert any("cannot be written" in line for line in scope.told)


def test_a_record_cut_in_half_hides_no_other(scope, tmp_path):
    (tmp_path / RECORDS).write_text('{"area": "cut", "item": "1", "st')
    with pytest.raises(PlanError), area(scope):
        raise PlanError("x")
    assert [cells[0] for cells in summary_rows(tmp_path)] == ["area"]


def test_the_last_writer_has_seen_everything(tmp_path, monkeypatch):
    """News that arrive between reading and writing are written by the same writer."""

    def line(name):
        return json.dumps(AreaRecord(name, "1", "refused", "2026-01-01 00:00:00")._asdict()) + "\n"

    (tmp_path / RECORDS).write_text(line("a"))
    real, late = batch.write_text_atomically, [line("b")]

    def write(path, text, wait):
        real(path, text, wait)
        if late:
            with (tmp_path / RECORDS).open("a") as stream:
                stream.write(late.pop())

    monkeypatch.setattr(batch, "write_text_atomically", write)
    write_summary(tmp_path)
    assert "b     refused" in (tmp_path / SUMMARY).read_text()


# --- a night on the simulator


class Night(ScriptWindow):
    """Acquire at Items with faults at areas; remembers how it found the microscope after each."""

    faults: dict[str, list[dict]]
    states: dict[str, tuple]

    def _run_at(self, item, script, arguments):
        name = AreaFiles(Path(item.entries["Note"])).root
        plan = tuple(fault_from(entry) for entry in self.faults.get(name, ()))
        self.session.inject(FaultPlan(plan))
        before = self._state()
        result = super()._run_at(item, script, arguments)
        self.states[name] = (before, self._state())
        return result

    def _state(self):
        sem = make_module(self.session)
        is_x, is_y = sem.ReportImageShift()[:2]
        numbers = (sem.ReportTargetDefocus(), sem.ReportDefocus(), is_x, is_y, sem.ReportExposure("R")[0])
        return self.session.low_dose.area, (self.session.world.stage.tilt_nominal_deg, *numbers)


def open_night(folder, count):
    """Targets of the example under `count` names, each with overrides of its own."""
    _, chosen = choose_targets(Rehearsal(folder, targets=2, overrides=("startTilt=0", "minTilt=-3")))
    world = make_world("lamella", "krios", 0, "kinematic", folder / "truth.jsonl")
    first = chosen.with_override("maxTilt", "3", "set")
    session = open_session(world, AreaFiles(folder / "lamella_tgts.txt"), first)
    text = (folder / "lamella_tgts.txt").read_text()
    stage = session.navigator.items[-1].stage_um
    session.navigator.items[-1].acquire = False
    for number in range(1, count + 1):
        name = f"area{number:02d}"
        changed = text.replace("_set maxTilt = 3", f"_set maxTilt = {3 * (1 + number % 3)}")
        changed = changed.replace("tsfile = lamella", f"tsfile = {name}")
        if number == 2:
            changed = "_set binFinalStack = 2\n" + changed
        (folder / f"{name}_tgts.txt").write_text(changed)
        session.navigator.add_point(*stage, note=f"{name}_tgts.txt", acquire=True)
    return session


def test_ten_areas_of_which_one_fails_one_is_refused_and_one_is_stopped(tmp_path):
    session = open_night(tmp_path, 10)
    (tmp_path / "area05_tgts.txt").write_text("_tgt = 001\nSSX = 0\nSSY = 0\n")
    window = Night(session)
    window.states = {}
    window.faults = {
        "area03": [{"kind": "error", "command": "Record", "times": 0}],
        "area08": [{"kind": "stop", "command": "Record", "call": 3}],
    }
    results = window.acquire_at_items(script_path("acquire"))
    assert [result.ok for result in results] == [True, True, False, True, False, True, True, False]
    assert results[-1].stopped
    window.faults = {}
    for item in session.navigator.items:  # the operator goes on with what is left
        item.acquire = item.acquire and item.entries["Note"] in ("area09_tgts.txt", "area10_tgts.txt")
    results = window.acquire_at_items(script_path("acquire"))
    assert [result.ok for result in results] == [True, True]
    for name, (before, after) in window.states.items():
        if name != "area08":  # STOP lets a script do nothing more
            assert after[0] == before[0] and after[1] == pytest.approx(before[1], abs=0.05), name
    check_night(tmp_path, results[-1].log, results[0].log)
    session.world.truth.close()


def check_night(folder, last_log, last_but_one_log):
    good = [f"area{number:02d}" for number in (1, 2, 4, 6, 7, 9, 10)]
    for name in good:
        await_finishing(folder / f"{name}_tgts_run01.txt")
    rows = {cells[0]: cells for cells in summary_rows(folder)}
    assert list(rows) == [f"area{number:02d}" for number in range(1, 11)]
    for name in good:
        images = 2 * (3 + int(name[-2:]) % 3)  # its own maxTilt
        assert rows[name][1:4] == ("finished", f"{images} of {images}", "2 of 2"), rows[name]
        assert rows[name][6] == "finished"
        for number in (1, 2):
            mdoc = read_mdoc(folder / f"{name}_ts_{number:03d}.mrc.mdoc")
            tilts = [image.tilt_deg for image in mdoc.images]
            assert tilts == sorted(tilts) and len(tilts) == images // 2
            assert mdoc.images[0].get_float("Binning") == (8 if name == "area02" else 4)
    assert rows["area03"][1] == "failed" and "not one image" in rows["area03"][7]
    assert rows["area05"][1] == "refused" and "tsfile" in rows["area05"][7]
    assert rows["area08"][1] == "stopped" and rows["area08"][2] == "2 of 10"
    write_summary(folder)
    lines = (folder / SUMMARY).read_text().splitlines()
    assert len(lines) == 2 + 1 + 10
    told = [line for line in last_log if line.startswith("area")]
    assert {line.split()[0] for line in told} >= set(rows)
    assert "1 area to come" in last_but_one_log
    assert not any(line.startswith("area01 ") for line in last_but_one_log)
