"""Acquisitions that are killed at a chosen moment and started again; script and microscope are different processes.

A session (`make_area`) is the microscope, in the process of the test; each `run` of its script is a Python process
of its own, killed by SIGKILL where a `Kill` says. The microscope lives on, as the real one does: files stay open, the
image stays in A. `kill_rehearsal` kills the microscope as well.

    session = make_area(tmp_path, targets=3, minTilt=-9, maxTilt=9)
    result = run(session, Kill(command=57))                  # as the script gives its 57th command
    result = run(session, Kill(command=2, name="R", moment="after"))   # the second Record is done, and not answered
    result = run(session, Kill(write=12, moment="within"))   # half of the script's 12th write reaches its file
    result = run(session)                                    # on the same Navigator item, to the end

`run` with a `Trace` tells which commands and writes there are: their numbers are those that a `Kill` takes.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dying import AFTER, BEFORE

from mock_serialem.commands import TABLE, Value
from mock_serialem.faults import Fault, FaultPlan
from mock_serialem.injector import Injector
from mock_serialem.script_window import ScriptResult, ScriptWindow
from mock_serialem.session import Session
from mock_serialem.sim.mishaps import Mishaps
from mock_serialem.sim.world import make_world
from pacetomo.area_files import AreaFiles
from pacetomo.rehearse import Rehearsal, choose_targets, open_session
from pacetomo.scripts import script_path

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Kill:
    """Where a script is killed: one of `command`, `exposure`, `write` and `after_s`.

    Attributes
    ----------
    command : int
        The so-manieth command of the run, from 1, or of those with a `name`.
    name : str
        Of a command, long or short.
    exposure : int
        Exposure as counted by the truth log, from 1 for the first one of the session.
    write : int
        The so-manieth operation on files in the session folder by the script itself, from 1.
    after_s : float
        Seconds after the script's process has started.
    moment : str
        ``before`` the command, exposure or write does anything; ``after`` it has done all; a write also ``within``.
    """

    command: int = 0
    name: str = ""
    exposure: int = 0
    write: int = 0
    after_s: float = 0.0
    moment: str = BEFORE


@dataclass
class Trace:
    """What a run has done, for choosing a `Kill`: number n is element n - 1."""

    commands: list[str] = field(default_factory=list)
    writes: list[str] = field(default_factory=list)


class _Recorder(Injector):
    """Injector that notes the names of commands."""

    def __init__(self, session: Session, plan: FaultPlan, names: list[str]) -> None:
        super().__init__(session, plan)
        self._names = names

    def before_command(self, name: str, args: Sequence[Value]) -> None:
        self._names.append(name)
        super().before_command(name, args)


def make_area(folder: Path, targets: int = 3, seed: int = 0, **settings: object) -> Session:
    """Session without images in which an area is ready to be acquired; settings as in a target file."""
    folder.mkdir(parents=True, exist_ok=True)
    # Sorting is done by a process of its own, whose start takes as long as a short series.
    given = {"minTilt": -9, "maxTilt": 9, "sortByTilt": False, **settings}
    overrides = tuple(f"{name}={value}" for name, value in given.items())
    name, chosen = choose_targets(Rehearsal(folder, targets=targets, overrides=overrides))
    world = make_world("lamella", "krios", seed, "kinematic", folder / "truth.jsonl")
    return open_session(world, AreaFiles(folder / name), chosen)


def run(
    session: Session, kill: Kill | None = None, script: Path | None = None, trace: Trace | None = None
) -> ScriptResult:
    """Run a script, that of the acquisition if none is given, in a process of its own.

    A run that is over before the moment of its `kill` comes to its end: see `ScriptResult.ok`.
    """
    kill, script = kill or Kill(), script or script_path("acquire")
    writes = session.directory.with_name(f"{session.directory.name}.writes")
    writes.unlink(missing_ok=True)
    if kill.write or trace is not None:
        script = _launcher(session.directory, script, kill, writes)
    faults = []
    if kill.command or kill.exposure:
        commands = (TABLE[kill.name].canonical,) if kill.name else ()
        faults.append(Fault("kill", commands, max(kill.command, 1), exposure=kill.exposure, when=kill.moment))
    names: list[str] = [] if trace is None else trace.commands
    session.faults = _Recorder(session, FaultPlan(tuple(faults)), names)
    timer = threading.Timer(kill.after_s, _end, [session])
    if kill.after_s:
        timer.start()
    try:
        return ScriptWindow(session).run(script)
    finally:
        timer.cancel()
        session.faults, session.world.mishaps = None, Mishaps()
        if trace is not None:
            trace.writes.extend(writes.read_text("utf-8").splitlines())


def _end(session: Session) -> None:
    end = session.end_process
    if end is not None:
        end()


def _launcher(folder: Path, script: Path, kill: Kill, record: Path) -> Path:
    """Script that counts writes and then does what another one does."""
    path = folder.with_name(f"{folder.name}.launcher.py")
    number = kill.write
    path.write_text(
        "#!Python\n"
        f"import sys; sys.path.append({HERE.as_posix()!r})\n"
        f"import dying; dying.arm({folder.as_posix()!r}, {number}, {kill.moment!r}, {record.as_posix()!r})\n"
        f"#includeFile {script.as_posix()}\n",
        encoding="utf-8",
    )
    return path


# --- everything


def kill_rehearsal(
    folder: Path, *options: str, when: Callable[[str], bool] | None = None, after_s: float = 0.0
) -> str:
    """Rehearse by the command line in a folder and kill microscope and script at once; return what was printed.

    Parameters
    ----------
    folder : Path
    options : str
        More arguments of ``pacetomo rehearse``.
    when : callable, optional
        Gets the text of the truth log; True kills.
    after_s : float
        Else kill so many seconds after the start.
    """
    command = [sys.executable, "-m", "pacetomo", "rehearse", "--out", str(folder), *options]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, encoding="utf-8"
    )
    began_s, truth = time.monotonic(), folder / "truth.jsonl"
    while process.poll() is None:
        if when is not None and truth.exists() and when(truth.read_text("utf-8")):
            break
        if when is None and time.monotonic() - began_s >= after_s:
            break
        time.sleep(0.005)
    else:
        return process.communicate()[0]
    # Stopped first, so that nobody sees another one die.
    process.send_signal(signal.SIGSTOP)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text("ascii").split()
    for child in (*map(int, children), process.pid):
        os.kill(child, signal.SIGKILL)
    return process.communicate()[0]


__all__ = ["AFTER", "BEFORE", "Kill", "Trace", "kill_rehearsal", "make_area", "run"]
