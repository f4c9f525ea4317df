"""Files that are never half written and never silently overwritten.

On a microscope PC a copy program or virus scanner may hold any file for a moment, and Windows then refuses to
open or replace it. So a `PermissionError` is retried a few times before it counts; waiting in between is left
to the caller's `wait`, because only the microscope's owner knows what waiting means.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, Union

from pacetomo.errors import PaceError

PathLike = Union[str, "os.PathLike[str]"]
Wait = Callable[[float], None]
Result = TypeVar("Result")

ATTEMPTS = 10
PAUSE_S = 0.5


def write_text_atomically(
    path: PathLike, text: str, wait: Wait | None = None, error: type[PaceError] = PaceError
) -> None:
    """Write a text as UTF-8, its line ends as they are, so that the file is always the old or the new one.

    See `write_bytes_atomically`, which does it.
    """
    write_bytes_atomically(path, as_utf8(text, path, error), wait, error)


def as_utf8(text: str, path: PathLike, error: type[PaceError] = PaceError) -> bytes:
    """Return a text as the bytes of a file; an error of the given kind where UTF-8 has no bytes for it."""
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as err:
        raise error(
            f"{path}: the text cannot be written as UTF-8 ({err.reason}); nothing was written"
        ) from err


def write_bytes_atomically(
    path: PathLike, data: bytes, wait: Wait | None = None, error: type[PaceError] = PaceError
) -> None:
    """Write beside the file, bring it to the disk, then put it in the file's place.

    Parameters
    ----------
    path : path-like
        The file; its folder must exist.
    data : bytes
        Its new content.
    wait : callable, optional
        Waits for the given number of seconds. Without it a file that is held by another program is an error
        at once.
    error : type of PaceError
        Kind of error to raise.

    Raises
    ------
    PaceError
        Of the given kind, if the file cannot be written. The old file is then unchanged.
    """
    path = Path(path)
    beside = path.with_name(path.name + ".part")

    def put_in_place() -> None:
        with beside.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(beside, path)
        _sync_folder(path.parent)

    try:
        patiently(put_in_place, wait)
    except (OSError, ValueError) as err:
        # The half-made copy is of no use; that it may be locked as well changes nothing about the error to
        # report.
        with contextlib.suppress(OSError, ValueError):
            beside.unlink()
        raise error(f"{path}: cannot be written ({reason_of(err)}){_advice(err)}") from err


def read_bytes(path: PathLike, wait: Wait | None = None, error: type[PaceError] = PaceError) -> bytes:
    """Return the content of a file; an error of the given kind if it cannot be read."""
    try:
        return patiently(Path(path).read_bytes, wait)
    except (OSError, ValueError) as err:
        raise error(f"{path}: cannot be read ({reason_of(err)}){_advice(err)}") from err


def backup_path(path: PathLike) -> Path:
    """Return the next free backup name of a file: its name with `~1`, `~2` ... appended.

    Behind the extension, so that no pattern for stacks, run files or metadata finds a backup. The highest
    number is the youngest backup.
    """
    path = Path(path)
    pattern = re.compile(re.escape(path.name) + r"~([0-9]{1,9})")
    numbers = [0]
    if path.parent.is_dir():
        for other in path.parent.iterdir():
            found = pattern.fullmatch(other.name)
            if found:
                numbers.append(int(found.group(1)))
    return path.with_name(f"{path.name}~{max(numbers) + 1}")


def move_aside(path: PathLike, wait: Wait | None = None, error: type[PaceError] = PaceError) -> Path | None:
    """Rename a file to its next backup name and return that; None if there is no such file."""
    path = Path(path)

    def rename() -> Path:
        backup = backup_path(path)
        path.rename(backup)
        return backup

    try:
        return patiently(rename, wait)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as err:
        raise error(f"{path}: cannot be renamed to a backup ({reason_of(err)}){_advice(err)}") from err


def write_with_backup(
    path: PathLike, data: bytes, wait: Wait | None = None, error: type[PaceError] = PaceError
) -> Path | None:
    """Write a file and keep what was there before under a backup name.

    At no moment is the file missing. Returns the backup, None if there was no file or it already was as
    wanted.
    """
    path = Path(path)
    try:
        old = patiently(path.read_bytes, wait)
        backup = backup_path(path)
    except FileNotFoundError:
        write_bytes_atomically(path, data, wait, error)
        return None
    except (OSError, ValueError) as err:
        raise error(f"{path}: cannot be replaced ({reason_of(err)}){_advice(err)}") from err
    if old == data:
        return None
    write_bytes_atomically(backup, old, wait, error)
    write_bytes_atomically(path, data, wait, error)
    return backup


def patiently(action: Callable[[], Result], wait: Wait | None) -> Result:
    """Do something that another program may be in the way of, several times if need be.

    Parameters
    ----------
    action : callable
        Raises PermissionError while a file is held.
    wait : callable or None
        Waits for the given seconds between two attempts; None for one attempt only.
    """
    if wait is not None:
        for _ in range(ATTEMPTS - 1):
            try:
                return action()
            except PermissionError:
                wait(PAUSE_S)
    return action()


def _sync_folder(folder: Path) -> None:
    """Bring the entry of a renamed file to the disk; Windows does so by itself."""
    if os.name != "posix":
        return
    # Some network file systems refuse this for folders; the file itself is on the disk already.
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def reason_of(err: Exception) -> str:
    """Return what the system says is the matter, without its number and the path."""
    return (err.strerror if isinstance(err, OSError) else None) or str(err)


def _advice(err: Exception) -> str:
    if isinstance(err, PermissionError):
        return "; close other programs that use it, and check that the folder is writable"
    return "; check the folder's name" if isinstance(err, FileNotFoundError) else ""
