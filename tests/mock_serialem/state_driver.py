"""Process of `test_restoring`: plays commands on a session that keeps its state, killed at one write after the other.

Arguments: folder, and numbers of writes with a moment each, as ``12:within``. Each has a folder of its own below, which
gets ``progress``: the number of commands that have been answered.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

import dying

from mock_serialem.commands import Value
from mock_serialem.dispatch import execute
from mock_serialem.errors import SEMerror
from mock_serialem.session import Session
from mock_serialem.sim.world import make_world

Call = tuple[str, tuple[Value, ...]]


def calls() -> Iterator[Call]:
    """Commands of all kinds that touch the truth, files, or what scripts rely on."""
    yield "AllowFileOverwrite", (1,)
    yield "OpenNewFile", ("a.mrc",)
    yield "OpenTextFile", ("t", "W", 1, "notes.txt")
    for turn in range(2):
        yield "TiltTo", (3.0 * turn,)
        yield "SetImageShift", (1.0, 0.2 * turn)
        yield "Record", ()
        yield "Save", ("A", 0)
        yield "AddToAutodoc", ("Turn", str(turn))
        yield "ReportTiltAngle", ()
        yield "SetDefocus", (-3.0 + turn,)
        yield "WriteAutodoc", ()
        yield "WriteLineToFile", ("t", f"turn {turn}")
        yield "SetExposure", ("R", 0.5 + turn)
        yield "AutoFocus", ()
    yield "AlignTo", ("B",)
    yield "Ctfplotter", ("A", -1.0, -8.0)
    yield "AccumulateRecordDose", (3.0,)
    yield "Echo", ("half way",)
    yield "ReadFile", (1, "C")
    yield "Delay", (2.0, "s")
    yield "GoToLowDoseArea", ("V",)
    yield "View", ()
    yield "Copy", ("A", "P")
    yield "SetPersistentVar", ("kept", "yes")
    yield "CloseFile", ()
    yield "OpenOldFile", ("a.mrc",)
    yield "Record", ()
    yield "Save", ("A", 0)
    yield "Eucentricity", (1,)


def play(
    session: Session, calls_left: list[Call], progress: Path | None = None, done: int = 0
) -> list[float]:
    """Give commands; return the clock after each. A command that fails has failed for the script only."""
    clocks = []
    for name, args in calls_left:
        try:
            execute(session, name, args)
        except SEMerror as err:
            session.log.add(f"{name}: {err}")
        done += 1
        if progress is not None:
            progress.write_text(str(done), encoding="ascii")
        clocks.append(session.world.clock_s)
    return clocks


def begin(folder: Path, state: bool = True) -> Session:
    folder.mkdir(parents=True)
    session = Session(make_world("lamella", "krios", 3, "kinematic", folder / "truth.jsonl"), folder / "s")
    if state:
        session.keep_state(folder / "state")
    return session


def _killed(folder: Path, number: int, moment: str) -> None:
    dying.arm(str(folder), number, moment, str(folder.with_suffix(".writes")))
    session = begin(folder)
    play(session, list(calls()), folder.with_suffix(".progress"))


def main() -> None:
    root = Path(sys.argv[1])
    for point in sys.argv[2:]:
        number, _, moment = point.partition(":")
        pid = os.fork()
        if pid == 0:
            _killed(root / f"{number}_{moment}", int(number), moment)
            os._exit(0)
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
