"""SerialEM's commands, run so that each failure says what was being done."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pacetomo.errors import ScopeError
from pacetomo.frames import Matrix2
from pacetomo.policies import Policies
from pacetomo.scope.command_log import CommandLog
from pacetomo.scope.protocol import Level
from pacetomo.scope.watchdog import Watchdog

_STYLES = {Level.DETAIL: (0, 1), Level.GOOD: (0, 3), Level.WARNING: (1, 6), Level.ERROR: (1, 2)}
"""Level -> style and colour of SetNextLogOutputStyle."""


class SerialEMCommands:
    """What all parts of the facade share: running commands, talking, and undoing at the end what was changed.

    Parameters
    ----------
    sem : module
        The functions of a `serialem` module (the real one or a simulated one).
    """

    def __init__(self, sem: Any) -> None:
        self._sem = sem
        self._has_styles: bool | None = None
        self._undos: dict[str, Callable[[], object]] = {}
        self._command_log: CommandLog | None = None
        self._watchdog: Watchdog | None = None
        self._clock_read: tuple[float, float] | None = None
        self._policies = Policies()
        self._note: Callable[[str, str], None] = lambda _name, text: self.tell(text)

    def heed(self, policies: Policies, note: Callable[[str, str], None]) -> None:
        self._policies, self._note = policies, note

    def switch_off_message_boxes(self) -> None:
        """Let failing commands raise at once: otherwise they wait at a message box, all night."""
        self._do("switching off message boxes", "NoMessageBoxOnError", 1)

    def _do(self, doing: str, command: str, *arguments: float | int | str) -> Any:
        """Run a command; a failure says what was being done and which command refused."""
        try:
            return self._call(command, arguments)
        except self._sem.SEMerror as err:
            said = " ".join(
                str(err).replace("*", " ").replace("SCRIPT ERROR WITH THIS MESSAGE:", " ").split()
            )
            raise ScopeError(f"{doing}: SerialEM's {command} failed ({said or 'no reason given'})") from err

    def _call(self, command: str, arguments: tuple[float | int | str, ...]) -> Any:
        """Run a command under the eyes of the watchdog, if there is one; what it raises passes."""
        watchdog = self._watchdog
        if watchdog is None:
            return self._call_and_log(command, arguments)
        watchdog.sent(command, arguments)
        try:
            return self._call_and_log(command, arguments)
        finally:
            watchdog.answered()

    def _call_and_log(self, command: str, arguments: tuple[float | int | str, ...]) -> Any:
        """Run a command and, if wanted, log it."""
        function = getattr(self._sem, command)
        log = self._command_log
        if log is None:
            return function(*arguments)
        if log.trouble is not None:
            self._command_log = None
            self.tell(f"Warning: {log.trouble}", Level.WARNING)
            return function(*arguments)
        log.sent(command, arguments)
        answer: object = "no answer"
        try:
            answer = function(*arguments)
        except self._sem.SEMerror as err:
            answer = err
            raise
        finally:
            log.answered(answer)
        return answer

    def _undo_at_end(self, name: str, step: Callable[[], object]) -> None:
        """Have a step done when the run ends, however it does.

        Of several steps of one name the first stays: it knows the state to come back to. Steps run in reverse order
        of their registration, each even if another failed.
        """
        self._undos.setdefault(name, step)

    def _put_back(self, doing: str, command: str, *arguments: float | int | str) -> None:
        """Have a command run at the end."""
        self._undo_at_end(doing, lambda: self._do(doing, command, *arguments))

    def _undo_now(self, name: str) -> None:
        """Do a step before the end, if it was registered."""
        step = self._undos.pop(name, None)
        if step is not None:
            step()

    # talking and waiting

    def clock_s(self) -> float:
        try:
            read_s = float(self._do("reading the clock", "ReportTickTime"))
        except ScopeError:
            if self._clock_read is None:
                raise
            # Times in a journal are worth no image: this computer's own clock bridges the gap.
            read_s, read_at_s = self._clock_read
            return read_s + time.monotonic() - read_at_s
        self._clock_read = (read_s, time.monotonic())
        return read_s

    def wait(self, seconds: float) -> None:
        if seconds > 0:
            self._do("waiting", "Delay", float(seconds), "sec")

    def tell(self, text: str, level: Level = Level.INFO) -> None:
        try:
            if self._has_styles is None:
                self._has_styles = self._is_at_least("40200")
            if level in _STYLES and self._has_styles:
                self._do("writing to the log", "SetNextLogOutputStyle", *_STYLES[level])
        except ScopeError:
            self._has_styles = False  # the text counts, not its colour
        self._show("writing to the log", "Echo", text)

    def log_commands(self, path: Path | None) -> None:
        if self._command_log is not None:
            self._command_log.close()
        self._command_log = None if path is None else CommandLog(path)

    def watch_commands(self, watchdog: Watchdog | None) -> None:
        if self._watchdog is not None:
            self._watchdog.stop()
        self._watchdog = watchdog
        if watchdog is not None:
            watchdog.start()

    def _note_exposure(self, seconds: float) -> None:
        """Let the watchdog know how long exposures are."""
        if self._watchdog is not None:
            self._watchdog.exposure_s = max(self._watchdog.exposure_s, seconds)

    def save_log(self, path: Path) -> None:
        self._do("saving the log", "SaveLog", 1, str(path))

    def show_progress(self, text: str) -> None:
        self._show("showing the progress", "SetStatusLine", 1, text)

    def _show(self, doing: str, command: str, *arguments: int | str) -> None:
        """Run a command that only shows something: whatever is not seen must not end what is being told about."""
        plain = [plain_text(value) if isinstance(value, str) else value for value in arguments]
        try:
            self._do(doing, command, *plain)
        except ScopeError:
            return

    def _go_to_record(self) -> None:
        self._do("going to the Record area", "GoToLowDoseArea", "R")

    def _matrix(self, command: str) -> Matrix2:
        values = self._do("reading a calibration", command, 0)
        if not any(values):
            raise ScopeError(
                f"{command} is not calibrated at this magnification: calibrate image and stage shift"
            )
        return Matrix2(*values)

    def _is_at_least(self, version: str) -> bool:
        return bool(self._do("asking for the version", "IsVersionAtLeast", version))


def plain_text(text: str) -> str:
    """Text in ASCII: SerialEM's windows do not show what lies beyond it."""
    for sign, instead in (("µ", "u"), ("°", " deg"), ("Å", "A"), ("²", "^2"), ("…", "..."), ("±", "+-")):
        text = text.replace(sign, instead)
    return text.encode("ascii", "replace").decode("ascii")
