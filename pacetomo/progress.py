"""Progress bars on a terminal: of a run, fed from its journal, and of work on files."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from types import TracebackType
from typing import TextIO

_WIDTH = 30


_PATIENCE_S = 2.0


class _Line:
    """One line of a terminal that is written anew again and again; nothing where there is no terminal."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream if stream is not None and stream.isatty() else None
        self._shown = ""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown and self._stream is not None:
            self._stream.write("\n")
            self._stream.flush()

    def _replace(self, text: str) -> None:
        """Put a text in place of the one shown, cut to the terminal's width."""
        text = text[: shutil.get_terminal_size().columns - 1]
        if self._stream is not None and text != self._shown:
            self._stream.write("\r" + text.ljust(len(self._shown)))
            self._stream.flush()
            self._shown = text


class WorkBar(_Line):
    """Shows how far work on a file has come, once it has taken two seconds."""

    def __init__(self, stream: TextIO | None) -> None:
        super().__init__(stream)
        self._name = ""
        self._began_s = time.monotonic()

    def __enter__(self) -> WorkBar:
        return self

    def begin(self, name: str) -> None:
        """Go on with another file."""
        self._name = name

    def update(self, done: int, of: int) -> None:
        """Show how many parts of the file are done."""
        if time.monotonic() - self._began_s >= _PATIENCE_S:
            self._replace(f"{_bar(done / of)} {self._name}: {done} of {of} images")

    def clear(self) -> None:
        """Make room for a line of text."""
        if self._shown and self._stream is not None:
            self._stream.write("\r" + " " * len(self._shown) + "\r")
            self._stream.flush()
            self._shown = ""


class ProgressBar(_Line):
    """Shows how far a run has come."""

    def __init__(self, stream: TextIO | None) -> None:
        super().__init__(stream)
        self._began_s: float | None = None
        self._place = 0
        self._planned = 0
        self._taken = 0

    def __enter__(self) -> ProgressBar:
        self._show()
        return self

    def update_from(self, journal: Path) -> None:
        """Read what the journal has gained since the last call, and show it."""
        if not journal.exists():
            return
        with journal.open("rb") as file:
            file.seek(self._place)
            new = file.read()
        complete = new[: new.rfind(b"\n") + 1]  # the last line may still be in the writing
        self._place += len(complete)
        for line in complete.splitlines():
            self._take(json.loads(line))
        self._show()

    def _take(self, event: dict[str, object]) -> None:
        if event["event"] == "run_start":
            self._planned = int(str(event["exposures"]))
        elif event["event"] == "exposed":
            self._taken += 1
            if self._began_s is None:
                self._began_s = time.monotonic()

    def _show(self) -> None:
        if self._stream is None:
            return
        if not self._planned:
            self._replace("setting up the session")
            return
        done = self._taken / self._planned
        text = f"{_bar(done)} {self._taken} of {self._planned} images"
        if self._began_s is not None and self._taken > 1:
            left_s = (time.monotonic() - self._began_s) / (self._taken - 1) * (self._planned - self._taken)
            text += f", {left_s // 60:.0f} min {left_s % 60:02.0f} s left"
        self._replace(text)


def _bar(part: float) -> str:
    filled = round(part * _WIDTH)
    return f"[{'#' * filled}{'.' * (_WIDTH - filled)}]"
