"""Putting a rewritten stack and its metadata in the place of the old ones, so that no crash can part the two.

Two files cannot be replaced in one stroke. So the new stack is made ready beside the old one, then a note is written
that says what is about to happen, then both are exchanged and the note is removed. Whoever finds such a note later
(`recover`) can tell from the stack how far it came, and brings it to its end.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, NamedTuple, Optional

from pacetomo.errors import MetadataError, StackError
from pacetomo.files.atomic import (
    Wait,
    move_aside,
    patiently,
    read_bytes,
    write_bytes_atomically,
    write_text_atomically,
    write_with_backup,
)
from pacetomo.files.stack import read_layout

Progress = Callable[[int, int], None]
"""Told how many sections are done, of how many."""

_SAMPLE_BYTES = 4096


class _Note(NamedTuple):
    """What is about to happen: new stack, where the old one is kept, fingerprints of both, new metadata."""

    part: str
    keep: Optional[str]  # noqa: UP045 - evaluated at run time on Python 3.9
    before: str
    after: str
    mdoc: Optional[str]  # noqa: UP045


def mdoc_of(stack: Path) -> Path:
    """Return the metadata file of a stack."""
    return stack.with_name(f"{stack.name}.mdoc")


def fingerprint(stack: Path, wait: Wait | None = None) -> str:
    """Return a short text that tells a stack from one with its sections in another order or of another size.

    Made from the size, both headers and the first bytes of each section, so that it takes no time.

    Raises
    ------
    StackError
        If the stack is damaged.
    """
    layout = read_layout(stack, wait)
    start, step = layout.data_start, layout.section_bytes

    def checksum() -> int:
        total = zlib.crc32(layout.header + layout.extended)
        with stack.open("rb") as stream:
            for section in range(layout.sections):
                stream.seek(start + section * step)
                total = zlib.crc32(stream.read(min(_SAMPLE_BYTES, step)), total)
        return total

    try:
        return f"{layout.file_bytes}-{patiently(checksum, wait):08x}"
    except OSError as err:
        raise StackError(f"{stack}: the stack cannot be read ({err.strerror})") from err


def write_part(stack: Path, size: int, write: Callable[[BinaryIO], None], wait: Wait | None = None) -> Path:
    """Write the new form of a stack beside it, bring it to the disk and check its size.

    Parameters
    ----------
    stack : Path
        The stack to be replaced later.
    size : int
        Bytes that the new file is to have.
    write : callable
        Writes them.
    wait : callable, optional
        As in `pacetomo.files.atomic`.

    Returns
    -------
    Path
        The new file.

    Raises
    ------
    StackError
        If there is no room, the folder cannot be written, or the size is wrong afterwards. No new file is left.
    """
    clear_parts(stack)
    part = stack.with_name(f"{stack.name}.{os.getpid()}.part")
    free = shutil.disk_usage(stack.parent).free
    if free < size:
        raise StackError(
            f"{stack}: {size / 1e9:.2f} GB are needed beside it and {free / 1e9:.2f} GB are free; make room first"
        )
    is_whole = False
    try:
        with patiently(lambda: part.open("wb"), wait) as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        if part.stat().st_size != size:
            raise StackError(f"{part}: {part.stat().st_size} bytes were written, {size} were expected")
        is_whole = True
    except OSError as err:
        raise StackError(
            f"{stack.parent}: {stack.name} cannot be written anew there ({err.strerror}); what was there is as it was"
        ) from err
    finally:
        if not is_whole:  # also when interrupted
            with contextlib.suppress(OSError):
                part.unlink()
    with contextlib.suppress(OSError):  # who may read the stack is to stay so, where the file system can tell
        shutil.copymode(stack, part)
    return part


def exchange(
    stack: Path, part: Path, before: str, mdoc: bytes | None, keep: Path | None, wait: Wait | None = None
) -> None:
    """Put a new stack and its metadata in the place of the old ones.

    Parameters
    ----------
    stack : Path
        The old stack; its metadata is the file of its name with ``.mdoc`` appended.
    part : Path
        The new one, made by `write_part`.
    before : str
        Fingerprint of the old stack when the new one was begun.
    mdoc : bytes or None
        New metadata.
    keep : Path, optional
        Where the old stack is moved to; without it the new one takes its place.
    wait : callable, optional
        As in `pacetomo.files.atomic`.

    Raises
    ------
    StackError
        If the stack was changed in between, or is held by another program. It is whole in any case.
    """
    if fingerprint(stack, wait) != before:
        clear_parts(stack)
        raise StackError(f"{stack}: was changed by another program in between; try again")
    text = None if mdoc is None else mdoc.decode("utf-8", "surrogateescape")
    note = _Note(part.name, None if keep is None else str(keep), before, fingerprint(part, wait), text)
    write_text_atomically(_note_path(stack), json.dumps(note._asdict()) + "\n", wait, StackError)
    if not recover(stack, wait):
        raise StackError(f"{stack}: another program has taken {part.name} away; try again")


def recover(stack: Path, wait: Wait | None = None) -> bool:
    """Bring an exchange to its end that was interrupted; True if there was one and the new stack is in place.

    Raises
    ------
    StackError
        If the files are held by another program, or the stack is neither the old nor the new one.
    """
    path = _note_path(stack)
    if not path.is_file():
        return False
    note = _read_note(path, wait)
    part, keep = stack.with_name(note.part), None if note.keep is None else Path(note.keep)
    now = fingerprint(stack, wait) if stack.is_file() else None
    if now not in (None, note.before, note.after):
        raise StackError(
            f"{stack}: was changed after {path.name} had been written by an interrupted run; "
            "compare it with the metadata, then delete that file"
        )
    if now != note.after:
        if not part.is_file():  # never finished, or cleared away: nothing has happened to the stack
            _restore(stack, keep)
            _remove(path, wait)
            return False
        _put_in_place(stack, part, keep, wait)
    if note.mdoc is not None:
        data = note.mdoc.encode("utf-8", "surrogateescape")
        write_bytes_atomically(mdoc_of(stack), data, wait, MetadataError)
    _remove(path, wait)
    clear_parts(stack)
    return True


def keep_copy(path: Path, folder: Path, wait: Wait | None = None, name: str | None = None) -> None:
    """Keep the present content of a file in a folder, which is made; a different copy there gets a backup name.

    `name` is that of the copy, if it is to have another one.

    Raises
    ------
    MetadataError
        If it cannot be written.
    """
    make_folder(folder)
    write_with_backup(
        folder / (name or path.name), read_bytes(path, wait, MetadataError), wait, MetadataError
    )


def make_folder(folder: Path) -> None:
    """Make a folder unless it is there; StackError if that is impossible."""
    try:
        folder.mkdir(exist_ok=True)
    except OSError as err:
        raise StackError(f"{folder}: the folder cannot be made ({err.strerror})") from err


def clear_parts(stack: Path) -> None:
    """Remove what interrupted runs left beside a stack; what is still held by one stays."""
    pattern = re.compile(re.escape(stack.name) + r"\.\d+\.part")
    for path in stack.parent.iterdir():
        if pattern.fullmatch(path.name):
            with contextlib.suppress(OSError):
                path.unlink()


def _put_in_place(stack: Path, part: Path, keep: Path | None, wait: Wait | None) -> None:
    try:
        if keep is not None and stack.is_file():
            make_folder(keep.parent)
            move_aside(keep, wait, StackError)
            patiently(lambda: os.replace(stack, keep), wait)
        patiently(lambda: os.replace(part, stack), wait)
    except OSError as err:
        _restore(stack, keep)
        raise StackError(
            f"{stack}: cannot be replaced ({err.strerror}); close other programs that use it and try again, "
            "the new one is ready beside it"
        ) from err


def _restore(stack: Path, keep: Path | None) -> None:
    """Give a stack its place back that had been moved for one that does not come."""
    if keep is not None and not stack.is_file() and keep.is_file():
        os.replace(keep, stack)


def _note_path(stack: Path) -> Path:
    return stack.with_name(f"{stack.name}.exchange")


def _read_note(path: Path, wait: Wait | None) -> _Note:
    try:
        return _Note(**json.loads(read_bytes(path, wait, StackError)))
    except (ValueError, TypeError) as err:
        raise StackError(
            f"{path}: is no note of an interrupted run; look at the stack, then delete it"
        ) from err


def _remove(path: Path, wait: Wait | None) -> None:
    try:
        patiently(path.unlink, wait)
    except FileNotFoundError:  # another process has come to the same end
        return
    except OSError as err:
        raise StackError(f"{path}: cannot be removed ({err.strerror})") from err
