"""For a script's process of a test: counts what it writes to a folder, and kills it at one of these moments.

`arm` puts functions of its own in the place of those that write, so it comes before anything else in the process. What
is written to other folders, and what SerialEM writes, does not count.
"""

from __future__ import annotations

import builtins
import io
import os
import pathlib
import signal
from collections.abc import Callable
from typing import Any

BEFORE, WITHIN, AFTER = "before", "within", "after"
"""Moments: nothing of it is done; half of the bytes are written; it is done and nothing else."""

_open = io.open
_by_path = {
    name: getattr(os, name)
    for name in ("replace", "rename", "remove", "unlink", "mkdir", "truncate", "rmdir")
}
_fsync = os.fsync


def die() -> None:
    """End this process as a power cut does."""
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))


class Counter:
    """Counts operations, notes each in a file, and dies at one.

    Parameters
    ----------
    folder : str
        Only what is below it counts.
    number : int
        The operation to die at, from 1; 0 for none.
    moment : str
    record : str
        File that gets a line ``kind name`` for each operation.
    """

    def __init__(self, folder: str, number: int, moment: str, record: str) -> None:
        self._folder = os.path.join(os.path.realpath(folder), "")
        self._number = number
        self._moment = moment
        self._record = os.open(record, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._count = 0

    def counts(self, path: Any) -> bool:
        """Tell whether a path lies in the folder."""
        return isinstance(path, (str, os.PathLike)) and os.path.realpath(path).startswith(self._folder)

    def do(
        self, kind: str, path: Any, action: Callable[[], Any], half: Callable[[], Any] | None = None
    ) -> Any:
        """Carry out an operation, or die at it."""
        self._count += 1
        os.write(self._record, f"{kind} {os.path.basename(os.fspath(path))}\n".encode())
        mine = self._count == self._number
        if mine and self._moment == WITHIN and half is not None:
            half()
            die()
        if mine and self._moment != AFTER:
            die()
        result = action()
        if mine:
            die()
        return result


class _Raw(io.FileIO):
    """A file whose writes count, each of them one that reaches the system."""

    counter: Counter

    def write(self, data: Any) -> int:
        data = bytes(data)
        write = super().write
        return self.counter.do("write", self.name, lambda: write(data), lambda: write(data[: len(data) // 2]))

    def truncate(self, size: int | None = None) -> int:
        cut = super().truncate
        return self.counter.do("truncate", self.name, lambda: cut(size))


def arm(folder: str, number: int, moment: str, record: str) -> None:
    """Count from now on; see `Counter`."""
    counter = Counter(folder, number, moment, record)
    _Raw.counter = counter

    def open_counted(
        file: Any,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        closefd: bool = True,
        opener: Any = None,
    ) -> Any:
        if not set(mode) & set("wax+") or not counter.counts(file):
            return _open(file, mode, buffering, encoding, errors, newline, closefd, opener)
        raw_mode = mode.replace("b", "").replace("t", "")
        raw = counter.do("open", file, lambda: _Raw(file, raw_mode, closefd, opener))
        if buffering == 0:
            return raw
        buffer = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        if "b" in mode:
            return buffer
        return io.TextIOWrapper(buffer, encoding, errors, newline, line_buffering=buffering == 1)

    def counted(name: str) -> Callable[..., Any]:
        real = _by_path[name]

        def call(path: Any, *more: Any, **options: Any) -> Any:
            if not counter.counts(path):
                return real(path, *more, **options)
            return counter.do(name, path, lambda: real(path, *more, **options))

        return call

    def fsync(descriptor: int) -> None:
        counter.do("fsync", "", lambda: _fsync(descriptor))

    builtins.open = io.open = open_counted
    os.fsync = fsync
    accessor = getattr(pathlib, "_NormalAccessor", None)  # Python 3.9 keeps the functions there
    for name in _by_path:
        replaced = counted(name)
        setattr(os, name, replaced)
        if accessor is not None and hasattr(accessor, name):
            setattr(accessor, name, staticmethod(replaced))
