"""The file that keeps a session's state: a whole state, and after it what each command has changed.

A record has a kind, a length and a checksum. The whole state is written beside the file, brought to the disk and put in
its place; from then on records are only appended, so that keeping a command costs microseconds. A record that is cut
off at the end was in the writing when the program was killed, and counts as not written; damage anywhere else is an
error.
"""

from __future__ import annotations

import os
import struct
import sys
import weakref
import zlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, NamedTuple

FORMAT = 1

_MAGIC = b"mock_serialem state"
_HEAD = struct.Struct("<cII")


class StateError(Exception):
    """A state cannot be kept or gone on with; the text says why."""


class Record(NamedTuple):
    """One record: a letter, and bytes that only their writer understands."""

    kind: bytes
    data: bytes


@lru_cache(maxsize=1)
def simulator_version() -> str:
    """Checksum of the simulator's source: a state means something only to the very program that wrote it."""
    root = Path(__file__).resolve().parent
    total = 0
    for path in sorted(root.rglob("*.py")):
        total = zlib.crc32(path.read_bytes(), total)
    return f"{total:08x}"


def _first_line() -> bytes:
    return b"%s %d %s\n" % (_MAGIC, FORMAT, simulator_version().encode("ascii"))


def _packed(records: Iterable[Record]) -> bytes:
    return b"".join(
        part for kind, data in records for part in (_HEAD.pack(kind, len(data), zlib.crc32(data)), data)
    )


def read_records(path: Path) -> list[Record]:
    """Records of a file, without one that is cut off at its end.

    Raises
    ------
    StateError
        The file cannot be read, is no state, is damaged, or was written by another version of the simulator.
    """
    try:
        data = path.read_bytes()
    except OSError as err:
        raise StateError(f"{path} cannot be read: {err.strerror or err}") from err
    line, _, rest = data.partition(b"\n")
    words = line.split()
    if line[: len(_MAGIC)] != _MAGIC or len(words) != 4:
        raise StateError(f"{path} is not the state of a simulated microscope")
    if line + b"\n" != _first_line():
        raise StateError(
            f"{path} was written by another version of the simulator, which alone can go on with it"
        )
    return _records(path, rest)


def _records(path: Path, data: bytes) -> list[Record]:
    found, place = [], 0
    while place + _HEAD.size <= len(data):
        kind, length, checksum = _HEAD.unpack_from(data, place)
        begin = place + _HEAD.size
        content = data[begin : begin + length]
        if len(content) < length:
            break
        if zlib.crc32(content) != checksum:
            raise StateError(f"{path} is damaged at byte {place}")
        found.append(Record(kind, content))
        place = begin + length
    return found


class StateFile:
    """The file while a session keeps its state in it.

    Parameters
    ----------
    path : Path

    Raises
    ------
    StateError
        Another process keeps its state in it, or its folder cannot be written.

    Attributes
    ----------
    appended : int
        Bytes since the last whole state.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.appended = 0
        self._stream: BinaryIO | None = None
        self._lock = _locked(path.with_name(path.name + ".lock"))
        # A session that is dropped lets other processes have its state.
        weakref.finalize(self, self._lock.close)

    @property
    def is_begun(self) -> bool:
        """Records can be appended."""
        return self._stream is not None

    def begin(self, records: Iterable[Record]) -> None:
        """Put a whole state in the file's place; OSError leaves the old file as it was."""
        self._end_stream()
        beside = self.path.with_name(self.path.name + ".part")
        with beside.open("wb") as stream:
            stream.write(_first_line())
            stream.write(_packed(records))
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(beside, self.path)
        self._stream = self.path.open("ab", buffering=0)
        weakref.finalize(self, self._stream.close)
        self.appended = 0

    def append(self, records: Iterable[Record]) -> None:
        """Append records; after an OSError the file takes no more of them until the next `begin`."""
        assert self._stream is not None
        data = _packed(records)
        try:
            written = self._stream.write(data)
        except OSError:
            self._end_stream()
            raise
        if written != len(data):
            self._end_stream()
            raise OSError(f"only {written} of {len(data)} bytes could be written to {self.path}")
        self.appended += len(data)

    def end_records(self) -> None:
        """Take no more records until the next `begin`."""
        self._end_stream()

    def _end_stream(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def close(self) -> None:
        """Close the file and let other processes have it."""
        self._end_stream()
        self._lock.close()

    def remove(self) -> None:
        """Close and delete the file; raises OSError."""
        self._end_stream()
        self.path.unlink(missing_ok=True)
        self._lock.close()
        self.path.with_name(self.path.name + ".lock").unlink(missing_ok=True)


def _locked(path: Path) -> BinaryIO:
    """Open a file that only one process has at a time; the system lets go of it however that process ends."""
    try:
        stream = path.open("ab")
    except OSError as err:
        raise StateError(f"{path} cannot be written: {err.strerror or err}") from err
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError) as err:
        stream.close()
        raise StateError(
            f"the session of {path.with_suffix('')} is still running in another process"
        ) from err
    except OSError:
        # Some network folders know no locks; there nobody watches over two processes in the same session.
        return stream
    return stream
