from __future__ import annotations

from pathlib import Path

import pytest

from mock_serialem.module import make_module
from mock_serialem.session import Session
from mock_serialem.sim.world import make_world


def run(folder: Path, fidelity: str, seed: int) -> dict[str, bytes]:
    session = Session(make_world(seed=seed, fidelity=fidelity), folder)
    sem = make_module(session)
    sem.OpenNavigator()
    sem.SetBinning("R", 8)
    sem.OpenNewFile("a.mrc")
    for tilt in (0, 6, -6):
        sem.TiltTo(tilt)
        sem.R()
        sem.S()
        if tilt:
            sem.AlignTo("B")
        else:
            sem.NewMap()
    session.close()
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("fidelity", ["kinematic", "rendered"])
def test_same_seed_same_bytes_wherever_it_runs(tmp_path: Path, fidelity: str) -> None:
    first = run(tmp_path / "one", fidelity, 5)
    assert list(first) == ["a.mrc", "a.mrc.mdoc"]
    assert run(tmp_path / "two", fidelity, 5) == first
    assert run(tmp_path / "three", fidelity, 6) != first


def test_closing_ends_script_and_files(session: Session) -> None:
    sem = make_module(session)
    sem.SetExposure("R", 4)
    sem.OpenNewFile("a.mrc")
    sem.OpenTextFile("t", "W", 1, "t.txt")
    session.close()
    assert not session.script.running and not session.files.files
    assert session.cameras.get("R").exposure_s == 1.0
    assert not session.text_files.is_open("t", None)


def test_a_new_script_ends_the_one_before(session: Session) -> None:
    sem = make_module(session)
    sem.SetExposure("R", 4)
    session.press_stop()
    session.begin_script()
    assert not session.stop_pressed
    assert session.cameras.get("R").exposure_s == 1.0


def test_a_command_after_exit_starts_a_new_script(session: Session) -> None:
    sem = make_module(session)
    sem.Exit(1)
    assert not session.script.running
    assert sem.ReportClock() == 0.0
    assert session.script.running


def test_the_directory_is_made(tmp_path: Path) -> None:
    session = Session(make_world(fidelity="kinematic"), tmp_path / "deep" / "er")
    assert session.directory.is_dir() and session.directory.is_absolute()
    assert session.path(" a b.mrc ") == session.directory / "a b.mrc"
    (tmp_path / "file").write_text("x")
    with pytest.raises(OSError):
        Session(make_world(fidelity="kinematic"), tmp_path / "file" / "x")


def test_a_wait_of_years_is_refused(session: Session) -> None:
    sem = make_module(session)
    sem.NoMessageBoxOnError()
    with pytest.raises(sem.SEMerror, match="not legal"):
        sem.Delay(1e20, "s")
    assert session.world.clock_s < 100.0
