"""Which file a command would open or write, for faults that make that impossible."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from mock_serialem.commands import Value
from mock_serialem.errors import CommandError
from mock_serialem.files.mdoc import mdoc_path

if TYPE_CHECKING:
    from mock_serialem.session import Session


class Touched(NamedTuple):
    """Files that a command opens, and whether it writes to them."""

    paths: tuple[Path, ...]
    writes: bool


_NAMED = {
    "OpenNewFile": (0, True),
    "OpenNewMontage": (2, True),
    "SetupFullMontage": (1, True),
    "SetupPolygonMontage": (2, True),
    "OpenOldFile": (0, True),
    "OpenFrameMdoc": (0, True),
    "SaveToOtherFile": (3, True),
    "SnapshotToFile": (5, True),
    "SaveLog": (1, True),
    "SaveLogOpenNew": (0, True),
    "SaveNavigator": (0, True),
    "MakeDirectory": (0, True),
    "OpenNavigator": (0, False),
    "ReadNavFile": (0, False),
    "MergeNavFile": (0, False),
    "ReadOtherFile": (2, False),
    "ReadTextFile": (1, False),
    "ReadStringsFromFile": (1, False),
}
"""Place of the file name among the arguments, and whether the file is written."""

_CURRENT = ("Save", "WriteAutodoc", "Montage", "ReadFile", "MultipleRecords", "NewMap", "AddTitleToFile")
_NUMBERED = {"Save": 1, "AddTitleToFile": 0}
"""Place of the file number among the arguments."""

_FRAME_MDOC = ("WriteFrameMdoc", "CloseFrameMdoc")
_READING_MODES = ("R", "T")


def touched(session: Session, name: str, args: Sequence[Value]) -> Touched | None:
    """Files of a command, None if it has nothing to do with files."""
    if name == "OpenTextFile" and len(args) > 3:
        writes = str(args[1]).strip().upper() not in _READING_MODES
        return Touched((session.path(str(args[3])),), writes)
    if name in _NAMED:
        place, writes = _NAMED[name]
        if place < len(args) and args[place]:
            return Touched((session.path(str(args[place])),), writes)
        known = _without_name(session, name)
        return None if known is None else Touched((known,), writes)
    if name in _CURRENT:
        return _current(session, name, args)
    if name in _FRAME_MDOC and session.frame_mdoc is not None:
        return Touched((session.frame_mdoc.path,), True)
    if name in ("WriteLineToFile", "FlushTextFile"):
        return _text_file(session, str(args[0]))
    return None


def _text_file(session: Session, identifier: str) -> Touched | None:
    try:
        return Touched((session.text_files.get(identifier, reading=False).path,), True)
    except CommandError:
        # The command itself says that there is no such file.
        return None


def _without_name(session: Session, name: str) -> Path | None:
    if name == "SaveNavigator":
        return session.navigator.path
    return session.log.path if name.startswith("SaveLog") else None


def _current(session: Session, name: str, args: Sequence[Value]) -> Touched | None:
    image = session.buffers.peek("A")
    if name == "NewMap" and (image is None or image.saved is not None):
        return None
    if name == "MultipleRecords" and len(args) > 4 and args[4] == 0:
        return None
    place = _NUMBERED.get(name, len(args))
    number = args[place] if place < len(args) else 0
    try:
        file = session.files.by_number(int(number)) if number else session.files.current
    except CommandError:
        # The command itself says that there is no file.
        return None
    beside = (mdoc_path(file.path),) if file.mdoc is not None else ()
    return Touched((file.path, *beside), name != "ReadFile")
