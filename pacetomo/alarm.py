"""What is done when a command of SerialEM hangs: a line in the journal, and a shell command of the facility's.

Runs in the watchdog's thread, beside a command that does not return: it writes to files and starts a process, and does
nothing else. Nothing that goes wrong here reaches the run.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable

from pacetomo.journal import Journal
from pacetomo.scope.watchdog import Overdue

PULSE_S = 60.0
"""How often a run marks its journal as alive."""

MESSAGE, AREA = "PACETOMO_MESSAGE", "PACETOMO_AREA"
"""Environment variables in which the shell command finds what has happened, and to which area."""

_processes: list[subprocess.Popen[bytes]] = []
"""Processes started here: one whose object is gone while it runs is a warning to Python."""


class Alarm:
    """Tells of commands that hang.

    Parameters
    ----------
    journal : Journal
        Of the run.
    area : str
    shell_command : str
        Run once for each command that hangs; "" for none.
    clock_s : callable
        Real time.
    """

    def __init__(
        self, journal: Journal, area: str, shell_command: str, clock_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._journal = journal
        self._area = area
        self._shell_command = shell_command
        self._clock_s = clock_s
        self._pulsed_s = clock_s()
        self._running: list[subprocess.Popen[bytes]] = []

    def tell(self, overdue: Overdue) -> None:
        """Write down that a command hangs, or has come back, and start the shell command in the first case."""
        minutes = overdue.seconds / 60
        details = {"command": overdue.command, "seconds": round(overdue.seconds, 1)}
        if overdue.is_back:
            self._journal.note_without_clock("answered", **details)
            return
        text = f"SerialEM's {overdue.command} has not returned for {minutes:.1f} min"
        self._journal.note_without_clock("warning", text=text, **details)
        if self._shell_command:
            self._start(text)

    def pulse(self) -> None:
        """Mark the journal as that of a run that is alive, once a minute; note shell commands that failed."""
        for process in [one for one in self._running if one.poll() is not None]:
            self._running.remove(process)
            if process.returncode:
                self._warn(f"exit status {process.returncode}")
        if self._clock_s() - self._pulsed_s >= PULSE_S:
            self._pulsed_s = self._clock_s()
            with contextlib.suppress(OSError):  # held by another program: the next minute will do
                os.utime(self._journal.path)

    def _start(self, text: str) -> None:
        environment = {**os.environ, MESSAGE: text, AREA: self._area}
        try:
            # The facility's own line for its own shell; what happened is passed beside it and never parsed.
            process = subprocess.Popen(
                self._shell_command,
                shell=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=self._journal.path.parent,
                env=environment,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except (OSError, ValueError) as err:
            self._warn(str(err))
            return
        _processes.append(process)
        self._running.append(process)

    def _warn(self, reason: str) -> None:
        self._journal.note_without_clock("warning", text=f"watchdogCommand failed ({reason})")
