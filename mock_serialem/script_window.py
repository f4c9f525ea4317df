"""The script window: runs script files as SerialEM does, one after the other or at all marked Navigator items."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from mock_serialem import nav_acquire, shifts, wrapper
from mock_serialem.errors import USER_STOP, CommandError
from mock_serialem.files.nav_file import NavItem
from mock_serialem.server import Server
from mock_serialem.session import Session

POLL_S = 0.1
STOP_PATIENCE_S = 10.0
"""How long a stopped script may take to end before it is killed."""

_PACKAGE_ROOT = str(Path(__file__).resolve().parent.parent)


@dataclass(frozen=True)
class ScriptResult:
    """How a script ended.

    Attributes
    ----------
    ok : bool
        It ran to its end or called ``Exit``.
    exit_code : int
        Of ``Exit``; else 0 for a script that is ok and 1 for one that failed.
    log : list of str
        Lines that the log gained.
    error : str or None
        What went wrong, in one line if possible.
    stopped : bool
        STOP was pressed.
    error_allowed : bool
        The script had given ``NoMessageBoxOnError(1)``, so a run over items goes on.
    """

    ok: bool
    exit_code: int
    log: list[str] = field(default_factory=list)
    error: str | None = None
    stopped: bool = False
    error_allowed: bool = False


class ScriptWindow:
    """Runs scripts on a session.

    Parameters
    ----------
    session : Session
    on_idle : callable, optional
        Called about ten times a second while a script runs.
    include_paths : sequence of Path
        Where ``#include`` and ``#includeFile`` look besides the current directory and the script's own.
    """

    def __init__(
        self, session: Session, on_idle: Callable[[], None] | None = None, include_paths: Sequence[Path] = ()
    ) -> None:
        self.session = session
        self.on_idle = on_idle
        self._include_paths = tuple(include_paths)

    def run(self, script: Path, *arguments: str) -> ScriptResult:
        """Run one script in a fresh Python process.

        KeyboardInterrupt in the caller presses STOP, waits for the script to end, and is raised again.

        Parameters
        ----------
        script : Path
        arguments : str
            Become ``SEMargStrings``.
        """
        try:
            text = script.read_text(encoding="utf-8", errors="surrogateescape")
            wrapper.check_python(text)
            text = wrapper.expand_includes(text, lambda name, _: self._read_include(script, name))
        except (OSError, wrapper.NotPythonError) as err:
            return ScriptResult(False, 1, error=f"{script.name}: {err}")
        result = self._run_text(text, script.stem, arguments)
        requested, self.session.acquire_params.requested = self.session.acquire_params.requested, False
        if requested and result.ok:
            self._acquire_as_asked(script)
        return result

    def _acquire_as_asked(self, script: Path) -> None:
        """Start the run over items that a script has asked for at its end."""
        try:
            nav_acquire.run(self.session, lambda number: self._run_stored(number, script))
        except CommandError as err:
            self.session.log.add(f"Acquire at Items: {err.message}", color=(7,))

    def _run_stored(self, number: int, script: Path) -> bool:
        stored = self.session.scripts.scripts.get(number)
        if stored is None or not stored.is_python:
            self.session.log.add(
                f"Script number {number} is not a Python script that could be run", color=(7,)
            )
            return False
        text = wrapper.expand_includes(stored.text, lambda name, _: self._read_include(script, name))
        result = self._run_text(text, stored.name, ())
        return result.ok or (result.error_allowed and not result.stopped)

    def _run_text(self, text: str, name: str, arguments: Sequence[str]) -> ScriptResult:
        session = self.session
        first = len(session.log.entries)
        session.begin_script()
        session.script.name = wrapper.script_name(text) or name
        try:
            with Server(session, for_script=True) as server:
                program = wrapper.wrap(text, server.port, _import_paths(), arguments)
                status, complaint = self._run_process(program)
            return self._result(status, complaint, first)
        finally:
            session.end_script()

    def acquire_at_items(self, script: Path, *arguments: str) -> list[ScriptResult]:
        """Run a script at each Navigator item marked Acquire, moving the stage there first.

        The mark is taken off after success. A failed script ends the run, unless it had suppressed message boxes.

        Raises
        ------
        CommandError
            The Navigator is closed.
        """
        navigator = self.session.navigator
        navigator.require_open()
        results: list[ScriptResult] = []
        try:
            for item in navigator.begin_acquiring():
                if not navigator.is_due(item):
                    continue
                navigator.acquiring = navigator.current = navigator.items.index(item)
                navigator.acquired += 1
                navigator.acquire_state = 7
                result = self._run_at(item, script, arguments)
                results.append(result)
                if result.ok:
                    item.acquire = False
                    self.session.keep()
                if result.stopped or navigator.end_after_item or not (result.ok or result.error_allowed):
                    break
        finally:
            navigator.end_acquiring()
        return results

    def _run_at(self, item: NavItem, script: Path, arguments: Sequence[str]) -> ScriptResult:
        if not self.session.navigator.skip_move:
            try:
                shifts.move_stage_to(self.session, *item.stage_um)
            except CommandError as err:
                return ScriptResult(False, 1, error=f"item {item.label}: {err.message}")
        return self.run(script, *arguments)

    # --- one process

    def _read_include(self, script: Path, name: str) -> str:
        folders = [self.session.directory, script.resolve().parent, *self._include_paths]
        for folder in folders:
            for candidate in (folder / name, folder / f"{name}.py", folder / f"{name}.txt"):
                if candidate.is_file():
                    return candidate.read_text(encoding="utf-8", errors="surrogateescape")
        raise FileNotFoundError(f"no file {name} in {', '.join(map(str, folders))}")

    def _run_process(self, program: str) -> tuple[int, str]:
        """Run a program; return its exit status and what it wrote to standard error."""
        process = _start(self.session.directory)

        def kill() -> str:
            process.kill()
            return f"process {process.pid} killed"

        self.session.end_process = kill
        complaint: list[str] = []
        readers = [
            threading.Thread(target=self._echo, args=(process.stdout,), daemon=True),
            threading.Thread(target=_collect, args=(process.stderr, complaint), daemon=True),
            threading.Thread(target=_feed, args=(process.stdin, program), daemon=True),
        ]
        for reader in readers:
            reader.start()
        try:
            self._wait(process)
        except BaseException:
            self._stop(process)
            raise
        finally:
            self.session.end_process = None
            for reader in readers:
                reader.join(STOP_PATIENCE_S)
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()
        return process.returncode, "".join(complaint)

    def _wait(self, process: subprocess.Popen[str]) -> None:
        waited_s = 0.0
        while True:
            try:
                process.wait(POLL_S)
                return
            except subprocess.TimeoutExpired:
                # STOP reaches a script at its next command; one that never gives another command is killed.
                waited_s = waited_s + POLL_S if self.session.stop_pressed else 0.0
                if waited_s > STOP_PATIENCE_S:
                    process.kill()
                if self.on_idle is not None:
                    self.on_idle()

    def _stop(self, process: subprocess.Popen[str]) -> None:
        """Press STOP and wait until the process has ended, killing it if it does not end by itself."""
        self.session.press_stop()
        try:
            process.wait(STOP_PATIENCE_S)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            process.kill()
            process.wait()

    def _echo(self, stream: IO[str]) -> None:
        for line in stream:
            with self.session.lock:
                self.session.log.add(line.rstrip("\r\n"))

    def _result(self, status: int, complaint: str, first: int) -> ScriptResult:
        session = self.session
        script = session.script
        stopped = session.stop_pressed
        error: str | None = None
        if stopped:
            error = USER_STOP
        elif status:
            error = self._reason(status, complaint)
            for line in complaint.splitlines():
                session.log.add(line, color=(7,))
        exit_code = int(script.exit_code) if script.exit_code is not None else int(error is not None)
        log = [entry.text for entry in session.log.entries[min(first, len(session.log.entries)) :]]
        return ScriptResult(
            ok=error is None,
            exit_code=exit_code,
            log=log,
            error=error,
            stopped=stopped,
            error_allowed=script.no_message_box,
        )

    def _reason(self, status: int, complaint: str) -> str:
        lines = [line for line in complaint.splitlines() if line.strip()]
        if status == wrapper.FAILED and self.session.script.error is not None:
            return self.session.script.error
        if lines:
            return lines[-1].strip()
        return f"the script's process ended with status {status}"


def _import_paths() -> list[str]:
    """Entries of this process's ``sys.path``, so that what can be imported here can be imported in the script."""
    here = os.getcwd()
    return [_PACKAGE_ROOT, *(os.path.abspath(os.path.join(here, path)) for path in sys.path)]


def _start(directory: Path) -> subprocess.Popen[str]:
    environment = dict(os.environ)
    inherited = environment.get("PYTHONPATH")
    environment["PYTHONPATH"] = os.pathsep.join([_PACKAGE_ROOT, *([inherited] if inherited else [])])
    environment["PYTHONUTF8"] = "1"
    # A group of its own: Ctrl-C in the caller's terminal must reach the script as STOP, not as a signal.
    flags = getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
    return subprocess.Popen(
        [sys.executable, "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=directory,
        env=environment,
        encoding="utf-8",
        errors="surrogateescape",
        creationflags=flags,
        start_new_session=os.name != "nt",
    )


def _feed(stream: IO[str], program: str) -> None:
    try:
        stream.write(program)
        stream.close()
    except OSError:
        # The process died before it had read its program; its exit status tells.
        return


def _collect(stream: IO[str], into: list[str]) -> None:
    into.extend(stream)
