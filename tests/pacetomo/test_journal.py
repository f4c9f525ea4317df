import json

import pytest

from pacetomo.errors import PaceError
from pacetomo.journal import Journal


def test_each_event_is_on_disk_as_it_happens(tmp_path):
    clock = iter([1.0, 2.5])
    journal = Journal(tmp_path / "j.jsonl", lambda: next(clock))
    journal.note("tilt", tilt_deg=3.0, text="Å")
    lines = (tmp_path / "j.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[0]) == {"event": "tilt", "t_s": 1.0, "tilt_deg": 3.0, "text": "Å"}
    journal.note("tilt")
    journal.note_without_clock("run_end", state="stopped")
    journal.close()
    lines = (tmp_path / "j.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(lines[2]) == {"event": "run_end", "t_s": 2.5, "state": "stopped"}


def test_a_journal_is_continued(tmp_path):
    for _ in range(2):
        with Journal(tmp_path / "j.jsonl", lambda: 0.0) as journal:
            journal.note("step")
    assert len((tmp_path / "j.jsonl").read_text().splitlines()) == 2


def test_a_line_cut_in_half_stays_alone(tmp_path):
    (tmp_path / "j.jsonl").write_text('{"event": "step"}\n{"event": "ex')
    with Journal(tmp_path / "j.jsonl", lambda: 0.0) as journal:
        journal.note("run_start")
    lines = (tmp_path / "j.jsonl").read_text().splitlines()
    assert lines[1] == '{"event": "ex' and json.loads(lines[2])["event"] == "run_start"


def test_a_folder_that_is_not_there_is_said(tmp_path):
    with pytest.raises(PaceError, match="journal cannot be written"):
        Journal(tmp_path / "gone" / "j.jsonl", lambda: 0.0)
