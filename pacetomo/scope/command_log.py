"""A file of every command sent to SerialEM and what it answered, for finding out afterwards what happened."""

from __future__ import annotations

import time
import weakref
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

_LONGEST = 400
"""Characters of an answer that are kept: arrays and texts may be of any length."""


class CommandLog:
    """Appends a line for each command: time of day, command with arguments, answer, duration.

    The part before the answer is on disk before the command is sent, so that the last line names a command that
    never came back. A file that cannot be written ends the log and nothing else.

    Attributes
    ----------
    trouble : str or None
        Why nothing is written any more.
    """

    def __init__(self, path: Path) -> None:
        self.trouble: str | None = None
        self._name = path.name
        self._sent_s = 0.0
        try:
            self._file = path.open("a", encoding="utf-8", newline="\n")
        except OSError as err:
            self._give_up(err)
        else:
            # A script that STOP ends leaves no open file behind.
            self._finalizer = weakref.finalize(self, self._file.close)

    def sent(self, command: str, arguments: Sequence[object]) -> None:
        """Note a command that is about to be sent."""
        self._sent_s = time.perf_counter()
        listed = ", ".join(repr(argument) for argument in arguments)
        self._write(f"{datetime.now():%Y-%m-%d %H:%M:%S.%f} {command}({listed})")

    def answered(self, answer: object) -> None:
        """Note what came back."""
        took_s = time.perf_counter() - self._sent_s
        text = " ".join(repr(answer).split())
        shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}... ({len(text)} characters)"
        self._write(f" -> {shown} [{took_s:.3f} s]\n")

    def _write(self, text: str) -> None:
        if self.trouble is not None:
            return
        try:
            self._file.write(text)
            self._file.flush()
        except (OSError, ValueError) as err:  # ValueError: the file has been closed
            self._give_up(err)

    def _give_up(self, err: Exception) -> None:
        self.trouble = f"{self._name} cannot be written ({err}): commands are no longer logged"

    def close(self) -> None:
        """End the log."""
        if self.trouble is None:
            self.trouble = "closed"
            try:
                self._file.close()
            except OSError as err:  # a full disk shows only now
                self._give_up(err)
