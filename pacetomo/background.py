"""Finishing an area in a process of its own, while the next one is acquired.

SerialEM runs each area's script in a new Python, so the work has to outlive the one that starts it. It runs at low
priority, writes to a log beside the run, and tells how far it is through the run's journal.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from pacetomo.finishing import (
    DONE,
    FAILED,
    FINISHED,
    LAUNCHED,
    Finished,
    finish_run,
    finishing_state,
    note_finishing,
    wishes_of,
)
from pacetomo.report.records import read_journal

PATIENCE_S = 60.0
"""Silence of a journal after which its finishing is taken to be dead."""

_POLL_S = 0.1
_NICENESS = 10

_processes: list[subprocess.Popen[bytes]] = []
"""Processes started here: one whose object is gone while it runs is a warning to Python."""


def finish_log(run_file: Path) -> Path:
    """Return where a finishing process writes what it does."""
    return run_file.with_name(f"{run_file.stem}_finish.log")


def is_wanted(run_file: Path) -> bool:
    """Whether a run is complete and its settings ask for anything to be done to its series.

    Raises
    ------
    MetadataError
        If the journal of the run cannot be read.
    """
    log = read_journal(run_file.with_suffix(".jsonl"))
    return log.end is not None and log.end.state == FINISHED and wishes_of(log).any


def start_finishing(run_file: Path) -> str | None:
    """Start finishing a run in a process that outlives this one; None if it runs, else why not.

    Raises
    ------
    PaceError
        If the journal of the run cannot be written.
    """
    python = _interpreter()
    if python is None:
        return "no Python program was found to do it beside the acquisition"
    note_finishing(run_file.with_suffix(".jsonl"), LAUNCHED)
    environment = dict(os.environ)
    package_root = str(Path(__file__).resolve().parent.parent)
    paths = [package_root, *(os.path.abspath(path) for path in sys.path if path)]
    environment["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))
    try:
        with finish_log(run_file).open("ab") as log:
            process = subprocess.Popen(
                [str(python), "-m", "pacetomo", "finish", "--background", str(run_file)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=run_file.parent,
                env=environment,
                creationflags=_creation_flags(),
                start_new_session=os.name != "nt",
            )
    except (OSError, ValueError) as err:
        return f"no process could be started ({err})"
    _processes.append(process)
    return None


def lower_priority() -> None:
    """Leave the processor to others; Windows is told when the process is started."""
    if sys.platform != "win32":
        os.nice(_NICENESS)


def pause(seconds: float) -> None:
    """Wait, in a process that has no microscope to wait with."""
    threading.Event().wait(seconds)


def await_finishing(run_file: Path, idle: Callable[[], None] | None = None) -> Finished | None:
    """Wait for a finishing process; one that is silent for long is dead, and its work is done here.

    Returns what was done here, None if the process did it.

    Parameters
    ----------
    run_file : Path
        Run file of the area.
    idle : callable, optional
        Called about ten times a second.

    Raises
    ------
    PaceError
        If the work has to be done here and fails altogether.
    """
    journal = run_file.with_suffix(".jsonl")
    while journal.is_file():
        state, _ = finishing_state(journal)
        if state in ("", DONE, FAILED):
            return None
        if is_silent(journal):
            return finish_run(run_file, lambda text: None, wait=pause)
        if idle is not None:
            idle()
        pause(_POLL_S)
    return None


def is_silent(journal: Path) -> bool:
    """Whether nothing has been written to a journal, nor beside its series, for longer than finishing takes."""
    return time.time() - _last_sign_s(journal) > PATIENCE_S


def _last_sign_s(journal: Path) -> float:
    """Time of the latest change: a long series shows in the growing file beside its stack."""
    signs = [journal, *journal.parent.glob("*.part")]
    times = []
    for path in signs:
        try:
            times.append(path.stat().st_mtime)
        except OSError:  # gone since it was listed, which is a sign of life, too
            times.append(time.time())
    return max(times)


def _interpreter() -> Path | None:
    """Program that runs Python; inside a program that embeds Python `sys.executable` is that program."""
    bases = [Path(sys.executable)] if sys.executable else []
    name = "python.exe" if os.name == "nt" else f"python{sys.version_info[0]}"
    for prefix in (sys.exec_prefix, sys.base_exec_prefix):
        bases += [Path(prefix) / name, Path(prefix) / "bin" / name]
    for path in bases:
        if path.stem.lower().startswith("python") and path.is_file():
            return path
    return None


def _creation_flags() -> int:
    """On Windows: no console, below the priority of the acquisition; nothing elsewhere."""
    names = ("DETACHED_PROCESS", "BELOW_NORMAL_PRIORITY_CLASS", "CREATE_NO_WINDOW")
    return sum(getattr(subprocess, name, 0) for name in names)
