"""SerialEM's log window: lines kept in memory, written to a file on request."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

STYLE_BITS = {1: "bold", 2: "italic", 4: "underline"}


class LogLine(NamedTuple):
    """One line of the log.

    Attributes
    ----------
    text : str
    style : int
        Sum of 1 bold, 2 italic, 4 underline.
    color : tuple of int
        One number (0 black ... 11 verbose) or R, G, B; empty for the default.
    """

    text: str
    style: int = 0
    color: tuple[int, ...] = ()


class Log:
    """The log window.

    Attributes
    ----------
    entries : list of LogLine
        Everything since the last new log.
    path : Path or None
        Where the log was last saved.
    listener : callable, optional
        Called with each line as it is added.
    """

    def __init__(self) -> None:
        self.entries: list[LogLine] = []
        self.path: Path | None = None
        self.listener: Callable[[LogLine], None] | None = None
        self.next_style: tuple[int, tuple[int, ...]] | None = None
        self._open_line = False  # the last line still takes text

    @property
    def has_open_line(self) -> bool:
        """The last line still takes text."""
        return self._open_line

    def restore(
        self,
        entries: list[LogLine],
        path: Path | None,
        next_style: tuple[int, tuple[int, ...]] | None,
        has_open_line: bool,
    ) -> None:
        """Show what another log window has shown."""
        self.entries, self.path, self.next_style = entries, path, next_style
        self._open_line = has_open_line

    @property
    def lines(self) -> list[str]:
        """The texts alone."""
        return [entry.text for entry in self.entries]

    def add(self, text: str, style: int = 0, color: tuple[int, ...] = ()) -> None:
        """Append one or more lines; a style set for the next output is used up here."""
        if self.next_style is not None:
            style, color = self.next_style
            self.next_style = None
        for part in text.split("\n"):
            entry = LogLine(part.rstrip("\r"), style, color)
            if self._open_line and self.entries:
                entry = LogLine(self.entries.pop().text + entry.text, style, color)
            self._open_line = False
            self.entries.append(entry)
            if self.listener is not None:
                self.listener(entry)

    def add_without_end(self, text: str) -> None:
        """Append text after which the next output continues on the same line."""
        self.add(text)
        self._open_line = True

    def replace_last(self, text: str) -> None:
        """Put `text` in place of the last line."""
        if self.entries:
            self.entries.pop()
        self._open_line = False
        self.add(text)

    def save(self, path: Path, line_end: str) -> None:
        """Write the log to a file and keep that name.

        Raises
        ------
        OSError
            The file cannot be written.
        """
        with path.open("w", encoding="utf-8", errors="surrogateescape", newline="") as stream:
            stream.writelines(entry.text + line_end for entry in self.entries)
        self.path = path

    def start_new(self) -> None:
        """Empty the window and forget the file name."""
        self.entries = []
        self.path = None
        self._open_line = False
