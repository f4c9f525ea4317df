from pathlib import Path

import pytest
from editing import FILE
from finished_run import make_run

from pacetomo.editor import edits, saving
from pacetomo.editor.begun import area_of, lock_of
from pacetomo.editor.model import EditError
from pacetomo.editor.settings_panel import set_setting
from pacetomo.errors import TargetFileError
from pacetomo.frames import XY


@pytest.mark.parametrize(
    ("name", "target_file", "run"),
    [
        ("L3_tgts.txt", "L3_tgts.txt", None),
        ("L3_tgts_run01.txt", "L3_tgts.txt", 1),
        ("L3_tgts_p02_run12.jsonl", "L3_tgts_p02.txt", 12),
    ],
)
def test_files_of_an_area_by_the_name_of_one(name, target_file, run):
    files, number = area_of(Path("a") / name)
    assert (files.target_file, number) == (Path("a") / target_file, run)


def test_a_name_that_is_none_of_an_area_is_refused():
    with pytest.raises(TargetFileError):
        area_of(Path("notes.txt"))


def test_a_run_that_has_begun_locks_all_but_skips_and_tilt_range(tmp_path):
    run_file = make_run(tmp_path, root="area", state="interrupted")
    (tmp_path / "area_tgts.txt").write_text(FILE)
    opened = saving.open_document(run_file)
    document = opened.history.present
    assert document.path == tmp_path / "area_tgts.txt"
    assert "a run of the area has begun (area_tgts_run01.txt)" in document.lock.reason
    assert edits.toggle_skip(document, [3]).target(3).skip
    assert set_setting(document, "minTilt", "-30").settings.minTilt == -30.0
    with pytest.raises(EditError, match="a run of the area has begun"):
        edits.make_track(document, 2)
    with pytest.raises(EditError, match="has begun"):
        set_setting(document, "pretilt", "3")


def test_a_run_that_is_over_locks_nothing(tmp_path):
    run_file = make_run(tmp_path, root="area")
    (tmp_path / "area_tgts.txt").write_text(FILE)
    assert saving.open_document(run_file).history.present.lock is None
    assert saving.open_document(tmp_path / "area_tgts.txt").history.present.lock is None


def test_a_run_that_cannot_be_read_locks_the_area_and_says_why(tmp_path):
    (tmp_path / "area_tgts_run01.txt").write_text("_tgt = 001\n")
    (tmp_path / "area_tgts.txt").write_text(FILE)
    lock = saving.open_document(tmp_path / "area_tgts.txt").history.present.lock
    assert "cannot be read" in lock.reason and "area_tgts_run01.txt" in lock.reason


def test_without_a_target_file_the_run_file_stands_in_and_is_saved_as_one(tmp_path):
    run_file = make_run(tmp_path, root="area", state="interrupted")
    text = run_file.read_text()
    opened = saving.open_document(run_file)
    assert opened.warnings == ("area_tgts.txt is not there; these are the targets of area_tgts_run01.txt",)
    assert opened.history.is_changed
    saved = saving.save(opened.history, opened.stamp)
    assert run_file.read_text() == text
    assert "_spos" not in (tmp_path / "area_tgts.txt").read_text()
    assert [t.series for t in saved.history.present.targets.targets] == ["area_ts_001.mrc", "area_ts_002.mrc"]


def test_a_run_that_is_being_set_up_locks_the_area_until_it_ends_or_falls_silent(tmp_path):
    (tmp_path / "area_tgts.txt").write_text(FILE)
    files = area_of(tmp_path / "area_tgts.txt")[0]
    journal = files.journal(1)
    journal.write_text('{"event": "run_start", "t_s": 1}\n{"event": "step", "t_s": 2, "name": "mo')
    now_s = journal.stat().st_mtime
    assert "being set up" in lock_of(files, now_s + 60).reason
    assert lock_of(files, now_s + 3600) is None
    with pytest.raises(EditError, match="being set up"):
        edits.move(saving.open_document(files.target_file).history.present, {3: XY(0.0, 0.0)})
    journal.write_text(
        '{"event": "run_start", "t_s": 1}\n{"event": "run_end", "t_s": 2, "state": "failed"}\n'
    )
    assert lock_of(files, now_s + 60) is None


def test_a_new_run_counts_and_not_the_one_that_is_over(tmp_path):
    make_run(tmp_path, root="area")
    (tmp_path / "area_tgts.txt").write_text(FILE)
    files = area_of(tmp_path / "area_tgts.txt")[0]
    assert lock_of(files) is None
    files.journal(2).write_text('{"event": "run_start", "t_s": 1}\n')
    assert "area_tgts_run02.jsonl" in lock_of(files).reason
