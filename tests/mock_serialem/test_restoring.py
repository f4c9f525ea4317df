"""A session that is killed anywhere goes on as if nothing had happened: truth log and files tell."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from state_driver import begin, calls, play

from mock_serialem import keeping
from mock_serialem.dispatch import execute
from mock_serialem.faults import Fault, FaultPlan
from mock_serialem.image import Image
from mock_serialem.restoring import CONTINUED, began_with, go_on
from mock_serialem.session import Session
from mock_serialem.sim.world import make_world
from mock_serialem.state_file import StateError, StateFile

DRIVER = Path(__file__).with_name("state_driver.py")
ROOT = Path(__file__).resolve().parents[2]


def truth_of(folder: Path) -> list[str]:
    """Lines of the truth log without those that say that the session went on."""
    lines = (folder / "truth.jsonl").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if json.loads(line)["event"] != CONTINUED]


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "s").iterdir())}


def part_with(session: Session) -> None:
    """End this process's part in a session without a word, as a kill does."""
    assert session.keeper is not None
    session.keeper.close()
    session.keeper = None
    session.world.truth.close()


def undisturbed(folder: Path) -> list[float]:
    """Play all commands; return the clock at the beginning and after each command."""
    session = begin(folder, state=False)
    clocks = [session.world.clock_s, *play(session, list(calls()))]
    session.text_files.close_all()
    session.world.truth.close()
    return clocks


@pytest.mark.parametrize("stride", [1, 5, 12])
def test_a_session_restored_between_commands_goes_on_bit_for_bit(tmp_path: Path, stride: int) -> None:
    undisturbed(tmp_path / "whole")
    session = begin(tmp_path / "parts")
    left = list(calls())
    while left:
        play(session, left[:stride])
        del left[:stride]
        part_with(session)
        session = go_on(tmp_path / "parts" / "state")
    session.text_files.close_all()
    assert truth_of(tmp_path / "parts") == truth_of(tmp_path / "whole")
    assert files_of(tmp_path / "parts") == files_of(tmp_path / "whole")
    part_with(session)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the driver forks")
def test_killed_at_any_write_the_session_has_done_a_command_or_has_not(tmp_path: Path) -> None:
    """Nothing between: the clock is that before the command or after it, and all that follows is the same."""
    clocks = undisturbed(tmp_path / "whole")
    assert clocks == sorted(set(clocks))
    drive(tmp_path, "100000:before")
    writes = (tmp_path / "100000_before.writes").read_text(encoding="utf-8").splitlines()
    assert len(writes) > 100 and {"a.mrc", "a.mrc.mdoc", "truth.jsonl", "state"} <= {
        w.split()[-1] for w in writes
    }
    begun = writes.index("replace state.part") + 1  # until then there is nothing to go on with
    moments = ("before", "within", "after")
    # A third of them: the other moments of each write fall on other commands' like writes.
    points = [f"{n}:{moments[n // 3 % 3]}" for n in range(begun + 1, len(writes) + 1, 3)]
    drive(tmp_path, *points)
    began, finished = set(), set()
    for point in points:
        folder = tmp_path / point.replace(":", "_")
        progress = folder.with_suffix(".progress")
        answered = int(progress.read_text() or "0") if progress.exists() else 0
        session = go_on(folder / "state")
        at = clocks.index(session.world.clock_s)
        assert at in (answered, answered + 1), point
        (finished if at > answered else began).add(writes[int(point.split(":")[0]) - 1].split()[-1])
        assert session.world.exposures == sum('"exposure"' in line for line in truth_of(folder)), point
        play(session, list(calls())[at:])
        session.text_files.close_all()
        assert truth_of(folder) == truth_of(tmp_path / "whole"), point
        assert files_of(folder) == files_of(tmp_path / "whole"), point
        part_with(session)
    # Both have happened: forgotten commands, and commands that were brought to their end.
    assert "state" in began and {"truth.jsonl", "a.mrc.mdoc"} <= finished


def drive(folder: Path, *points: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, str(DRIVER), str(folder), *points], check=True, env=environment)


def test_images_are_what_they_were(tmp_path: Path) -> None:
    world = make_world("holey", "krios", 1, "rendered", tmp_path / "truth.jsonl")
    session = Session(world, tmp_path / "s")
    session.keep_state(tmp_path / "state")
    for name, args in (
        ("TiltTo", (5,)),
        ("View", ()),
        ("View", ()),
        ("ReduceImage", ("A", 2)),
        ("Copy", ("B", "O")),
    ):
        execute(session, name, args)
    before = {letter: session.buffers.get(letter) for letter in "ABCO"}
    part_with(session)
    session = go_on(tmp_path / "state")
    for letter, old in before.items():
        new = session.buffers.get(letter)
        assert np.array_equal(new.pixels, old.pixels)
        assert (new.keys, new.shift_um, new.stage_um) == (old.keys, old.shift_um, old.stage_um)
        assert new.shot is not None and old.shot is not None and new.shot.number == old.shot.number
    assert session.buffers.get("B").pixels is session.buffers.get("B").shot.pixels  # type: ignore[union-attr]
    part_with(session)


def test_what_the_operator_has_set_is_still_set(tmp_path: Path) -> None:
    session = begin(tmp_path / "f")
    session.navigator.add_point(1.0, 2.0, 3.0, note="area_tgts.txt", acquire=True)
    session.inject(FaultPlan((Fault("ctf_failure", call=2), Fault("dewar_filling", at_s=1e6)), seed=4))
    for name, args in (
        ("SetExposure", ("R", 0.7)),
        ("SetLowDoseMode", (1,)),
        ("GoToLowDoseArea", ("V",)),
        ("SetPersistentVar", ("p", "v")),
        ("SetTargetDefocus", (-3,)),
        ("AreaForCumulRecordDose", (1,)),
        ("AccumulateRecordDose", (12.5,)),
        ("SetFrameBaseName", (0, 1, 0, "base")),
        ("MoveStage", (1, 2)),
    ):
        execute(session, name, args)
    kept = session.world.state()
    part_with(session)
    session = go_on(tmp_path / "f" / "state")
    assert session.script.running and session.script.prior_dose == 12.5
    assert session.cameras.get("R").exposure_s == 0.7
    session.begin_script()  # the one that was running is dead: what it changed for itself is put back
    assert session.cameras.get("R").exposure_s == 1.0
    assert (
        session.low_dose.area == "V" and session.variables.get("p") == "v" and session.focus.target_um == -3
    )
    assert session.frames.base == "" and session.navigator.items[0].stage_um == (1.0, 2.0, 3.0)
    assert session.faults is session.world.mishaps is not None
    assert session.world.stage_position_um() == kept["stage"]["commanded_um"]
    assert json.loads((tmp_path / "f" / "truth.jsonl").read_text().splitlines()[-1])["event"] == CONTINUED
    part_with(session)


def test_only_one_process_has_a_session(tmp_path: Path) -> None:
    session = begin(tmp_path / "f")
    with pytest.raises(StateError, match="still running in another process"):
        go_on(tmp_path / "f" / "state")
    part_with(session)
    part_with(go_on(tmp_path / "f" / "state"))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is not the state of"),
        (b"anything else\n", "is not the state of"),
        (b"mock_serialem state 99 00000000\n", "another version of the simulator"),
    ],
)
def test_files_that_are_no_state_of_this_simulator(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "state").write_bytes(content)
    with pytest.raises(StateError, match=said):
        go_on(tmp_path / "state")
    with pytest.raises(StateError, match="cannot be read"):
        began_with(tmp_path / "nowhere")


def test_a_damaged_state_is_refused_and_a_cut_one_goes_on_or_is_refused(tmp_path: Path) -> None:
    session = begin(tmp_path / "f")
    for _ in range(3):
        execute(session, "Record", ())
    part_with(session)
    path = tmp_path / "f" / "state"
    whole = path.read_bytes()
    for place in range(0, len(whole), 997):
        damaged = bytearray(whole)
        damaged[place] ^= 0x40
        path.write_bytes(damaged)
        with pytest.raises(StateError):
            go_on(path)
    for length in range(1, len(whole), 997):
        path.write_bytes(whole[:length])
        try:
            session = go_on(path)
        except StateError:
            continue
        # Not one exposure is forgotten, even where the state is older than the truth log.
        assert session.world.exposures == 3
        part_with(session)


def test_exposures_that_nothing_but_the_truth_log_knows_are_counted(tmp_path: Path) -> None:
    session = begin(tmp_path / "f")
    execute(session, "Record", ())
    old = (tmp_path / "f" / "state").read_bytes()
    noise = session.world.state()["streams"]
    for _ in range(2):
        execute(session, "Record", ())
    later_s = session.world.clock_s
    part_with(session)
    (tmp_path / "f" / "state").write_bytes(old)
    session = go_on(tmp_path / "f" / "state")
    assert session.world.exposures == 3
    assert later_s - 5.0 < session.world.clock_s <= later_s + 1.0
    assert session.world.state()["streams"][4] != noise[4]
    execute(session, "Record", ())
    assert session.buffers.get("A").shot.number == 4  # type: ignore[union-attr]
    part_with(session)


def test_a_truth_log_that_has_lost_exposures_is_refused(tmp_path: Path) -> None:
    session = begin(tmp_path / "f")
    execute(session, "Record", ())
    part_with(session)
    (tmp_path / "f" / "truth.jsonl").write_text("", encoding="utf-8")
    with pytest.raises(StateError, match="has 0 events, of 1"):
        go_on(tmp_path / "f" / "state")


def test_a_state_makes_nothing_that_is_no_part_of_a_session(tmp_path: Path) -> None:
    session = begin(tmp_path / "f")
    session.custom_times = {"x": os.getcwd}  # type: ignore[dict-item]
    session.keep()
    part_with(session)
    with pytest.raises(StateError, match="getcwd is no part of a state"):
        go_on(tmp_path / "f" / "state")


def test_a_full_disk_is_said_once_and_the_state_is_whole_again_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = begin(tmp_path / "f")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(StateFile, "append", full)
        patch.setattr(StateFile, "begin", full)
        for _ in range(3):
            execute(session, "Record", ())
    assert sum("No space left" in line for line in session.log_lines) == 1
    execute(session, "Record", ())
    part_with(session)
    session = go_on(tmp_path / "f" / "state")
    assert session.world.exposures == 4 and session.buffers.get("A").shot is not None
    part_with(session)


def test_the_file_does_not_grow_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "LEAST_APPENDED", 30_000)
    monkeypatch.setattr(keeping, "TIMES_WHOLE", 1)
    session = begin(tmp_path / "f")
    sizes = []
    for turn in range(60):
        execute(session, "SetImageShift", (0.01 * turn, 0.0))
        execute(session, "Record", ())
        sizes.append((tmp_path / "f" / "state").stat().st_size)
    assert any(later < earlier for earlier, later in zip(sizes, sizes[1:]))
    assert max(sizes[30:]) < 1.3 * max(sizes[:30])
    clock_s = session.world.clock_s
    part_with(session)
    session = go_on(tmp_path / "f" / "state")
    assert session.world.clock_s == clock_s and session.world.exposures == 60
    part_with(session)


def test_files_that_have_gone_meanwhile_are_open_no_more(tmp_path: Path) -> None:
    session = begin(tmp_path / "f")
    for name in ("a.mrc", "b.mrc"):
        execute(session, "OpenNewFile", (name,))
        execute(session, "Record", ())
        execute(session, "Save", ("A", 0))
    part_with(session)
    (tmp_path / "f" / "s" / "b.mrc").unlink()
    session = go_on(tmp_path / "f" / "state")
    assert [file.path.name for file in session.files.files] == ["a.mrc"]
    assert any("b.mrc is open no more" in line for line in session.log_lines)
    execute(session, "Save", ("A", 0))
    assert session.files.current.count == 2
    part_with(session)


def test_saved_images_are_known_again(tmp_path: Path) -> None:
    """What was saved before aligns to what is taken now, and counts residuals from the same point."""
    session = begin(tmp_path / "f")
    for name, args in (("OpenNewFile", ("a.mrc",)), ("Record", ()), ("Save", ("A", 0)), ("Save", ("A", 0))):
        execute(session, name, args)
    part_with(session)
    session = go_on(tmp_path / "f" / "state")
    for name, args in (("Record", ()), ("Save", ("A", 0)), ("ReadFile", (0, "B"))):
        execute(session, name, args)
    image: Image = session.buffers.get("B")
    assert image.shot is not None and image.shot.number == 1
    assert json.loads(truth_of(tmp_path / "f")[-1])["residual_x_um"] is not None
    part_with(session)
