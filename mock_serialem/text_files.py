"""Text files that scripts open by an identifier."""

from __future__ import annotations

import os
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from mock_serialem.errors import CommandError


@dataclass
class TextFile:
    """One open text file."""

    path: Path
    stream: IO[str]
    reading: bool
    persistent: bool


class TextFiles:
    """Open text files by case-insensitive identifier.

    Parameters
    ----------
    line_end : str
        Written at the end of each line.
    """

    def __init__(self, line_end: str) -> None:
        self._files: dict[str, TextFile] = {}
        self._line_end = line_end

    def open(self, identifier: str, mode: str, persistent: bool, path: Path, overwrite: bool) -> bool | None:
        """Open a file.

        Parameters
        ----------
        identifier : str
        mode : str
            ``R`` read, ``T`` try to read, ``W`` new, ``A`` append, ``O`` overwrite.
        persistent : bool
            Stays open after the script.
        path : Path
        overwrite : bool
            Mode ``W`` may replace an existing file.

        Returns
        -------
        bool or None
            Whether it was opened, only for mode ``T``.

        Raises
        ------
        CommandError
            Identifier in use, unknown mode, or the file cannot be opened.
        """
        mode = mode.strip().upper()
        if identifier.lower() in self._files:
            raise CommandError(f"There is already an open text file with identifier {identifier}")
        if mode not in ("R", "T", "W", "A", "O"):
            raise CommandError(f"{mode} is not a mode for opening a text file")
        if mode == "W" and path.exists() and not overwrite:
            raise CommandError(f"File {path} already exists and overwriting is not allowed")
        python_mode = {"R": "r", "T": "r", "W": "w", "A": "a", "O": "w"}[mode]
        try:
            # Both line ends are read; those written are the program's own.
            newline = None if python_mode == "r" else self._line_end
            stream = path.open(python_mode, encoding="utf-8", errors="surrogateescape", newline=newline)
        except OSError as err:
            if mode == "T":
                return False
            raise CommandError(f"Cannot open text file {path}: {err}") from err
        file = TextFile(path, stream, python_mode == "r", persistent)
        # A program that ends without closing its files must not leave them to the interpreter's mercy.
        weakref.finalize(file, stream.close)
        self._files[identifier.lower()] = file
        return True if mode == "T" else None

    def state(self) -> list[tuple[str, Path, bool, bool, int]]:
        """Identifier, path, reading, persistent and place of each, for `restore`; what was written is on disk then.

        Raises
        ------
        OSError
            A file cannot be written.
        """
        found = []
        for identifier, file in self._files.items():
            if not file.reading:
                file.stream.flush()
            place = file.stream.tell() if file.reading else os.fstat(file.stream.fileno()).st_size
            found.append((identifier, file.path, file.reading, file.persistent, place))
        return found

    def restore(self, state: list[tuple[str, Path, bool, bool, int]]) -> list[str]:
        """Open the files again where they were; return a line about each that cannot be."""
        lost = []
        for identifier, path, reading, persistent, place in state:
            try:
                if not reading:
                    os.truncate(path, place)
                self.open(identifier, "R" if reading else "A", persistent, path, overwrite=False)
            except (OSError, CommandError) as err:
                lost.append(f"{path} is open no more: {err}")
                continue
            if reading:
                self._files[identifier].stream.seek(place)
        return lost

    def get(self, identifier: str, reading: bool) -> TextFile:
        """An open file.

        Raises
        ------
        CommandError
            Not open, or open the other way.
        """
        file = self._files.get(identifier.lower())
        if file is None:
            raise CommandError(f"There is no open text file with identifier {identifier}")
        if file.reading != reading:
            raise CommandError(
                f"Text file {identifier} is not open for {'reading' if reading else 'writing'}"
            )
        return file

    def is_open(self, identifier: str, path: Path | None) -> bool:
        """Tell whether this identifier, and this file if given, is open."""
        file = self._files.get(identifier.lower())
        return file is not None and (path is None or file.path == path)

    def close(self, identifier: str) -> None:
        """Close one file; CommandError if it is not open."""
        file = self._files.pop(identifier.lower(), None)
        if file is None:
            raise CommandError(f"There is no open text file with identifier {identifier}")
        file.stream.close()

    def flush(self, identifier: str) -> None:
        """Write out what was buffered."""
        self.get(identifier, reading=False).stream.flush()

    def close_all(self) -> None:
        """Close all files."""
        for identifier in list(self._files):
            self.close(identifier)

    def close_temporary(self) -> None:
        """Close the files that are not persistent."""
        for identifier in [key for key, file in self._files.items() if not file.persistent]:
            self.close(identifier)
