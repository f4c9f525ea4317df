"""Files that only ever grow by whole lines, also on a disk that is full for a while."""

from __future__ import annotations

import os
import threading
from pathlib import Path


class LineAppender:
    """Appends lines to a file; what cannot be written now is kept and written with the next one, whole and once.

    Nothing is buffered beside that, so what has been written reaches the file at once. May be used by several threads.

    Parameters
    ----------
    path : Path
        Created if needed.
    sync : bool
        Bring each line to the disk itself, for a power cut.
    cut : bool
        Whether a last line cut in half when its writer died is cut off; else it stays, alone on its line.

    Attributes
    ----------
    trouble : OSError or None
        Why lines are waiting.

    Raises
    ------
    OSError
        When the file cannot be opened.
    """

    def __init__(self, path: Path, sync: bool = False, cut: bool = False) -> None:
        self.trouble: OSError | None = None
        self._sync = sync
        self._lock = threading.Lock()
        self._waiting = bytearray()
        whole = path.read_bytes() if path.is_file() else b""
        if whole and not whole.endswith(b"\n"):
            if cut:
                with path.open("r+b") as file:
                    file.truncate(whole.rfind(b"\n") + 1)
            else:
                self._waiting += b"\n"
        self._file = path.open("ab", buffering=0)

    def append(self, line: str) -> None:
        """Write a line, given without its end, after those that wait; see `trouble`."""
        with self._lock:
            self._waiting += (line + "\n").encode("utf-8", "replace")
            self._write()

    def catch_up(self) -> bool:
        """Try to write what waits; whether nothing waits any more."""
        with self._lock:
            if self._waiting:
                self._write()
            return not self._waiting

    def _write(self) -> None:
        try:
            while self._waiting:
                # A disk that is nearly full takes a part; only the rest is written later.
                written = self._file.write(self._waiting)
                del self._waiting[: written or 0]
            if self._sync:
                os.fsync(self._file.fileno())
        except OSError as err:
            self.trouble = err
        else:
            self.trouble = None

    def close(self) -> None:
        """Close the file."""
        self.catch_up()
        with self._lock:
            self._file.close()
