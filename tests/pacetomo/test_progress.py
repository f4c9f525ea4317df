import io
import json

from pacetomo.progress import ProgressBar, WorkBar


class Terminal(io.StringIO):
    def isatty(self):
        return True


def write(path, *events):
    with path.open("a") as file:
        file.writelines(json.dumps(event) + "\n" for event in events)


def test_the_bar_follows_the_journal(tmp_path):
    journal, stream = tmp_path / "j.jsonl", Terminal()
    with ProgressBar(stream) as bar:
        bar.update_from(journal)  # not there yet
        assert "setting up" in stream.getvalue()
        write(journal, {"event": "run_start", "exposures": 4}, {"event": "exposed"}, {"event": "tilt"})
        bar.update_from(journal)
        assert "1 of 4 images" in stream.getvalue().split("\r")[-1]
        with journal.open("a") as file:
            file.write('{"event": "exp')  # in the writing
        bar.update_from(journal)
        with journal.open("a") as file:
            file.write('osed"}\n')
        bar.update_from(journal)
        assert "2 of 4 images" in stream.getvalue().split("\r")[-1] and "left" in stream.getvalue()
    assert stream.getvalue().endswith("\n")


def test_without_a_terminal_nothing_is_written(tmp_path):
    write(tmp_path / "j.jsonl", {"event": "run_start", "exposures": 4})
    stream = io.StringIO()
    for where in (stream, None):
        with ProgressBar(where) as bar:
            bar.update_from(tmp_path / "j.jsonl")
    assert stream.getvalue() == ""


def test_work_on_files_is_shown_once_it_takes_long(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("pacetomo.progress.time.monotonic", lambda: clock[0])
    stream = Terminal()
    with WorkBar(stream) as bar:
        bar.begin("a_ts_001.mrc")
        bar.update(1, 4)
        assert stream.getvalue() == ""
        clock[0] = 2.5
        bar.update(3, 4)
        assert "a_ts_001.mrc: 3 of 4 images" in stream.getvalue()
        bar.clear()
        assert stream.getvalue().endswith("\r")
    assert not stream.getvalue().endswith("\n")


def test_work_without_a_terminal_writes_nothing(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("pacetomo.progress.time.monotonic", lambda: clock[0])
    for stream in (io.StringIO(), None):
        with WorkBar(stream) as bar:
            clock[0] += 10
            bar.update(1, 2)
            bar.clear()
        assert stream is None or stream.getvalue() == ""
