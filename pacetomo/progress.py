"""A progress bar on a terminal, fed from the journal of a run."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from types import TracebackType
from typing import TextIO

_WIDTH = 30


class ProgressBar:
    """Shows how far a run has come; writes nothing where there is no terminal but the last state."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream  # None where the program was started without one
        self._began_s: float | None = None
        self._place = 0
        self._planned = 0
        self._taken = 0
        self._shown = ""

    def __enter__(self) -> ProgressBar:
        self._show()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._shown and self._stream is not None:
            self._stream.write("\n")
            self._stream.flush()

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
        if self._stream is None or not self._stream.isatty():
            return
        if not self._planned:
            self._replace("setting up the session")
            return
        done = self._taken / self._planned
        filled = round(done * _WIDTH)
        text = f"[{'#' * filled}{'.' * (_WIDTH - filled)}] {self._taken} of {self._planned} images"
        if self._began_s is not None and self._taken > 1:
            left_s = (time.monotonic() - self._began_s) / (self._taken - 1) * (self._planned - self._taken)
            text += f", {left_s // 60:.0f} min {left_s % 60:02.0f} s left"
        self._replace(text)

    def _replace(self, text: str) -> None:
        """Put a text in place of the one shown, cut to the terminal's width."""
        text = text[: shutil.get_terminal_size().columns - 1]
        if self._stream is not None and text != self._shown:
            self._stream.write("\r" + text.ljust(len(self._shown)))
            self._stream.flush()
            self._shown = text
