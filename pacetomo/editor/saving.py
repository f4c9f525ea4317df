"""Files of the editor: opening, saving, noticing that somebody else has changed the file, and unsaved work.

Unsaved work is kept beside the target file under its name with `.unsaved` appended, and offered when the file is
opened again. Saving, and closing without saving, remove it; work of an earlier time that nobody has decided about
stays, under a backup name once there is newer unsaved work.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from pacetomo.area_files import AreaFiles
from pacetomo.editor.begun import AREA_OF_RUN, area_of, lock_of
from pacetomo.editor.coordinates import check_coordinates
from pacetomo.editor.history import History
from pacetomo.editor.model import Document, Known
from pacetomo.errors import PaceError, RunFileError, TargetFileError
from pacetomo.files.atomic import (
    as_utf8,
    move_aside,
    read_bytes,
    write_text_atomically,
    write_with_backup,
)
from pacetomo.files.run_file import parse_run
from pacetomo.files.target_file import format_targets, parse_targets
from pacetomo.files.text_lines import decode_utf8
from pacetomo.targets import TargetSet

UNSAVED_ENDING = ".unsaved"


class ChangedOnDiskError(TargetFileError):
    """The file is not as it was read: another program, or another person, has written it."""


class Unsaved(NamedTuple):
    """Work that was not saved when the editor ended.

    `targets` is what it came to, `fits` whether the target file is still the one it began with, `text` says so.
    """

    targets: TargetSet
    fits: bool
    text: str


@dataclass(frozen=True)
class Opened:
    """A target file that is open.

    Attributes
    ----------
    history : History
        The document, nothing to undo.
    stamp : str or None
        What tells the file as it was read from another content; None for a file that is not there.
    unsaved : Unsaved or None
        Work to offer to go on with.
    warnings : tuple of str
        One sentence each.
    """

    history: History
    stamp: str | None
    unsaved: Unsaved | None = None
    warnings: tuple[str, ...] = ()


class Saved(NamedTuple):
    """After saving: the history, the new stamp, and the backup of what was there before (None for none)."""

    history: History
    stamp: str
    backup: Path | None


def open_document(path: Path, known: Known | None = None) -> Opened:
    """Open a target file for editing; for a run file that of its area.

    Where a run of the area has begun, the document is locked but for what can still be changed when it is gone on
    with. Without a target file a run file stands in for it.

    Parameters
    ----------
    path : Path
    known : Known, optional
        What is known beside it; the names in its folder are added.

    Raises
    ------
    TargetFileError
        With file, line and what is needed, when the file cannot be read or understood.
    """
    files, run = area_of(path)
    said: tuple[str, ...] = ()
    source = files.target_file
    if run is not None and not source.exists():
        source = files.run_file(run)
        said = (f"{files.target_file.name} is not there; these are the targets of {source.name}",)
    data = read_bytes(source, error=TargetFileError)
    stamp = _digest(data) if source == files.target_file else None
    targets = _parsed(data, source)
    known = replace(known or Known(), names=names_in(files.folder))
    document = Document(files.target_file, targets, known, lock=lock_of(files), original=targets)
    try:
        check_coordinates(document)
    except TargetFileError as err:
        raise TargetFileError(f"{source}: {err}") from err
    unsaved, trouble = _read_unsaved(files.target_file, stamp, targets)
    found = None if unsaved is None else _digest_of(unsaved_path(files.target_file))
    history = History(document, saved=None if stamp is None else targets, found=found)
    return Opened(history, stamp, unsaved, (*targets.warnings, *said, *trouble))


def _parsed(data: bytes, source: Path) -> TargetSet:
    text = decode_utf8(data, str(source), TargetFileError)
    if AREA_OF_RUN.fullmatch(source.name) is None:
        return parse_targets(text, str(source))
    try:
        return parse_run(text, str(source)).targets
    except RunFileError as err:
        raise TargetFileError(str(err)) from err


def recovered(opened: Opened) -> Opened:
    """The open file with its unsaved work taken up, as a step that can be undone."""
    if opened.unsaved is None:
        return opened
    document = opened.history.present.with_targets(opened.unsaved.targets)
    history = replace(opened.history.done("Recover unsaved work", document), found=None)
    return replace(opened, history=history, unsaved=None)


def names_in(folder: Path) -> frozenset[str]:
    """Names of all files in a folder, in lower case; empty where it cannot be listed."""
    try:
        return frozenset(path.name.casefold() for path in folder.iterdir())
    except OSError:  # a folder without permission to list; single files may still be read
        return frozenset()


def is_changed_on_disk(path: Path, stamp: str | None) -> bool:
    """Whether the file is another one than that of the stamp; a file that is gone is."""
    if stamp is None:
        return path.exists()
    try:
        return _digest(read_bytes(path, error=TargetFileError)) != stamp
    except TargetFileError:
        return True


def save(history: History, stamp: str | None, overwrite: bool = False) -> Saved:
    """Write the present document to its file; what was there is kept as a numbered backup.

    Parameters
    ----------
    history : History
    stamp : str or None
        Of the file as it was read or written last.
    overwrite : bool
        Whether to write over what somebody else has written meanwhile (which is kept as the backup).

    Raises
    ------
    ChangedOnDiskError
        When the file has changed since, and not `overwrite`.
    TargetFileError
        When it cannot be written; the old file is then unchanged.
    """
    document = history.present
    path = document.path
    if not overwrite and path.exists() and is_changed_on_disk(path, stamp):
        raise ChangedOnDiskError(
            f"{path.name} has been changed by another program since it was read here: reload it (what you have done "
            "stays in the list of steps), or overwrite it (a backup of it is kept)"
        )
    data = as_utf8(format_targets(document.targets), path, TargetFileError)
    backup = write_with_backup(path, data, error=TargetFileError)
    forget_own_work(history)
    return Saved(history.after_saving(document), _digest(data), backup)


def save_as(history: History, path: Path, overwrite: bool = False) -> Saved:
    """Write the present document to another target file, which is edited from then on.

    Raises
    ------
    TargetFileError
        When the name is none of a target file, or a file of that name is there and not `overwrite`.
    """
    AreaFiles(path)
    if path.exists() and not overwrite:
        raise ChangedOnDiskError(f"{path.name} is there already: choose another name, or overwrite it")
    known = replace(history.present.known, names=names_in(path.parent))
    moved = replace(history, present=replace(history.present, path=path, known=known))
    forget_own_work(history)
    return save(replace(moved, found=None), None, overwrite=True)


def reloaded(history: History) -> tuple[History, str]:
    """The file as it is now, as a step that can be undone, and its stamp; a run may have locked it meanwhile.

    Raises
    ------
    TargetFileError
        As `open_document`.
    """
    opened = open_document(history.present.path, history.present.known)
    fresh = opened.history.present
    document = replace(history.present.with_targets(fresh.targets), known=fresh.known, lock=fresh.lock)
    changed = history.done("Reload the file", document)
    return replace(changed, saved=fresh.targets), opened.stamp or ""


# --- unsaved work


def unsaved_path(path: Path) -> Path:
    """Where unsaved work on a target file is kept."""
    return path.with_name(path.name + UNSAVED_ENDING)


def keep_unsaved(history: History, stamp: str | None) -> None:
    """Keep work that is not saved, so that it survives the death of the program; nothing if all is saved.

    Raises
    ------
    TargetFileError
        When it cannot be written.
    """
    path = history.present.path
    if not history.is_changed:
        forget_own_work(history)
        return
    if _is_undecided(history):
        move_aside(unsaved_path(path), error=TargetFileError)
    text = json.dumps({"format": 1, "began_with": stamp, "text": format_targets(history.present.targets)})
    write_text_atomically(unsaved_path(path), text, error=TargetFileError)


def forget_own_work(history: History) -> None:
    """Remove what was kept of this work, as after saving it; what was found on opening and not decided about stays.

    Raises
    ------
    TargetFileError
        As `forget_unsaved`.
    """
    if not _is_undecided(history):
        forget_unsaved(history.present.path)


def _is_undecided(history: History) -> bool:
    """Whether the unsaved work on disk is that of an earlier time, which nobody has decided about."""
    kept = unsaved_path(history.present.path)
    return history.found is not None and _digest_of(kept) == history.found


def forget_unsaved(path: Path) -> None:
    """Remove unsaved work on a target file, whoever's it is.

    Raises
    ------
    TargetFileError
        When it cannot be removed.
    """
    try:
        unsaved_path(path).unlink()
    except FileNotFoundError:
        return
    except OSError as err:
        raise TargetFileError(
            f"{unsaved_path(path)}: cannot be removed ({err.strerror}); remove it by hand, or it is offered again"
        ) from err


def _read_unsaved(path: Path, stamp: str | None, saved: TargetSet) -> tuple[Unsaved | None, Iterable[str]]:
    """Unsaved work on a target file, if it differs from what is saved, and what is the matter with it."""
    kept = unsaved_path(path)
    if not kept.exists():
        return None, ()
    try:
        values = json.loads(read_bytes(kept, error=TargetFileError))
        began_with, text = values["began_with"], str(values["text"])
        targets = parse_targets(text, kept.name)
    except (PaceError, ValueError, KeyError, TypeError) as err:
        return None, (f"{kept.name}: the unsaved work in it cannot be read ({err}); it is left as it is",)
    if targets == saved:
        return None, ()
    fits = began_with == stamp
    said = f"there is unsaved work on {path.name} from the last time"
    return Unsaved(targets, fits, said if fits else f"{said}, but the file has been changed since"), ()


def _digest_of(path: Path) -> str | None:
    """Digest of a file; None for one that is not there or cannot be read."""
    try:
        return _digest(read_bytes(path, error=TargetFileError))
    except TargetFileError:
        return None


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
