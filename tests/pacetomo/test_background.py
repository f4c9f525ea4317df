import os
import subprocess
import sys
import time

import pytest
from finished_run import TILTS, make_run

from pacetomo import background
from pacetomo.background import await_finishing, finish_log, is_silent, is_wanted, start_finishing
from pacetomo.files.binning import binned_by
from pacetomo.files.mdoc import read_mdoc
from pacetomo.files.stack import read_section
from pacetomo.finishing import BEGUN, finish_run, finishing_state, note_finishing


def tilts(folder, number=1):
    return [image.tilt_deg for image in read_mdoc(folder / f"area_ts_{number:03d}.mrc.mdoc").images]


def test_a_process_of_its_own_sorts_at_low_priority_and_writes_a_log(tmp_path):
    run_file = make_run(tmp_path)
    assert start_finishing(run_file) is None
    assert finishing_state(run_file.with_suffix(".jsonl"))[0] in ("launched", "begun", "series", "done")
    assert await_finishing(run_file) is None
    assert tilts(tmp_path) == tilts(tmp_path, 2) == sorted(TILTS)
    background._processes[-1].wait()
    assert "area_ts_001.mrc: 5 images sorted" in finish_log(run_file).read_text()


def test_the_process_outlives_the_one_that_started_it(tmp_path):
    run_file = make_run(tmp_path)
    program = (
        "import sys; from pathlib import Path; from pacetomo.background import start_finishing;"
        "assert start_finishing(Path(sys.argv[1])) is None"
    )
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, str(run_file)], check=True, cwd=os.getcwd()
    )
    await_finishing(run_file)
    assert tilts(tmp_path) == sorted(TILTS)


@pytest.mark.skipif(sys.platform == "win32", reason="a session of its own is a thing of POSIX systems")
def test_the_process_is_in_a_session_of_its_own(tmp_path):
    run_file = make_run(tmp_path)
    start_finishing(run_file)
    process = background._processes[-1]
    assert os.getsid(process.pid) == process.pid != os.getsid(0)
    await_finishing(run_file)
    process.wait()


def test_windows_is_asked_for_a_process_without_window_below_the_acquisition(monkeypatch, tmp_path):
    asked = {}
    for name, flag in (("DETACHED_PROCESS", 8), ("BELOW_NORMAL_PRIORITY_CLASS", 0x4000)):
        monkeypatch.setattr(subprocess, name, flag, raising=False)
    monkeypatch.setattr(subprocess, "CREATE_NO_WINDOW", 0x8000000, raising=False)

    def popen(command, **options):
        asked.update(options, command=command)
        raise OSError("not here")

    monkeypatch.setattr(subprocess, "Popen", popen)
    assert "not here" in start_finishing(make_run(tmp_path))
    assert asked["creationflags"] == 0x8004008
    assert asked["command"][1:4] == ["-m", "pacetomo", "finish"]


def test_a_program_that_embeds_python_is_not_taken_for_python(monkeypatch, tmp_path):
    program = tmp_path / "SerialEM.exe"
    program.touch()
    monkeypatch.setattr(sys, "executable", str(program))
    assert background._interpreter().stem.startswith("python")
    for name in ("exec_prefix", "base_exec_prefix"):
        monkeypatch.setattr(sys, name, str(tmp_path))
    assert background._interpreter() is None
    assert "no Python program" in start_finishing(make_run(tmp_path / "run"))


def test_what_was_killed_is_completed(tmp_path, monkeypatch):
    run_file = make_run(tmp_path)
    journal = run_file.with_suffix(".jsonl")
    note_finishing(journal, BEGUN, series=2)  # and no more
    assert not is_silent(journal)
    past = time.time() - background.PATIENCE_S - 5
    os.utime(journal, (past, past))
    assert is_silent(journal)
    finished = await_finishing(run_file)
    assert finished is not None and finished.series == 2
    assert tilts(tmp_path) == sorted(TILTS)


def test_a_long_series_is_no_silence(tmp_path):
    run_file = make_run(tmp_path)
    journal = run_file.with_suffix(".jsonl")
    past = time.time() - background.PATIENCE_S - 5
    os.utime(journal, (past, past))
    (tmp_path / "area_ts_001.mrc.77.part").touch()
    assert not is_silent(journal)


def test_only_complete_runs_with_wishes_are_finished(tmp_path):
    assert is_wanted(make_run(tmp_path))
    assert not is_wanted(make_run(tmp_path, state="incomplete"))
    assert not is_wanted(make_run(tmp_path, sortByTilt=False))
    assert is_wanted(make_run(tmp_path, sortByTilt=False, binFinalStack=2))
    assert await_finishing(tmp_path / "other_tgts_run01.txt") is None


def test_waiting_is_idle_now_and_then(tmp_path, monkeypatch):
    run_file = make_run(tmp_path)
    note_finishing(run_file.with_suffix(".jsonl"), BEGUN, series=2)
    calls = []

    def idle():
        calls.append(1)
        if len(calls) == 3:
            note_finishing(run_file.with_suffix(".jsonl"), "done", text="")

    assert await_finishing(run_file, idle) is None
    assert len(calls) == 3


def test_killed_in_the_middle_and_run_again(tmp_path):
    run_file = make_run(tmp_path, size=2000)
    process = subprocess.Popen(
        [sys.executable, "-m", "pacetomo", "finish", str(run_file)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )
    while process.poll() is None and not list(tmp_path.glob("*.part")):
        background.pause(0.001)
    process.kill()
    process.wait()
    finish_run(run_file, lambda text: None)
    for number in (1, 2):
        assert tilts(tmp_path, number) == sorted(TILTS)
        stack = tmp_path / f"area_ts_{number:03d}.mrc"
        assert [int(read_section(stack, n)[0, 0]) for n in range(5)] == [3, 2, 0, 1, 4]
    assert not list(tmp_path.glob("*.part")) and not list(tmp_path.glob("*.exchange"))


def test_two_at_a_time_do_no_harm(tmp_path):
    run_file = make_run(tmp_path, targets=4, binFinalStack=2, size=600)
    for _ in range(2):
        start_finishing(run_file)
    for process in background._processes[-2:]:
        process.wait()
    finish_run(run_file, lambda text: None)
    for number in range(1, 5):
        stack = tmp_path / f"area_ts_{number:03d}.mrc"
        assert tilts(tmp_path, number) == sorted(TILTS)
        assert [int(read_section(stack, n)[9, 9]) for n in range(5)] == [3, 2, 0, 1, 4]
        assert read_mdoc(f"{stack}.mdoc").images[0].get_float("Binning") == 2 == binned_by(stack)
