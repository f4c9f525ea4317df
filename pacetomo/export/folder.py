"""The folder of an export: its files, kept apart from the metadata they come from, and the stacks beside them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO

from pacetomo.errors import MetadataError, StackError
from pacetomo.export.product import File
from pacetomo.export.series import Series
from pacetomo.files.atomic import Wait, move_aside, patiently, write_with_backup
from pacetomo.files.exchange import Progress, make_folder, write_part
from pacetomo.files.extended_header import reordered
from pacetomo.files.mdoc import described_stacks
from pacetomo.files.sorting import copy_sections
from pacetomo.files.stack import read_layout


def write_files(
    folder: Path, files: Sequence[File], series: Iterable[Series], wait: Wait | None = None
) -> list[Path]:
    """Write the files of an export; what was there before under their names is kept under backup names.

    Parameters
    ----------
    folder : Path
        Made if it is not there; its parent must be.
    files : sequence of File
    series : iterable of Series
        What they are about.
    wait : callable, optional
        As in `pacetomo.files.atomic`.

    Returns
    -------
    list of Path
        Backups.

    Raises
    ------
    PaceError
        If a folder holds other metadata of one of the series, or a file cannot be written.
    """
    names = {each.stack.name.lower() for each in series}
    for place in sorted({(folder / file.name).parent for file in files if file.name.endswith(".mdoc")}):
        own = {(folder / file.name).name.lower() for file in files}
        _refuse_second_metadata(place, own, names, wait)
    backups = []
    for file in files:
        path = folder / file.name
        for parent in (folder, path.parent):
            make_folder(parent)
        backup = write_with_backup(path, file.text.encode("utf-8"), wait, MetadataError)
        backups += [] if backup is None else [backup]
    return backups


def _refuse_second_metadata(folder: Path, own: set[str], stacks: set[str], wait: Wait | None) -> None:
    """MetadataError if a folder holds metadata of a series under another name: importers would take both."""
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if path.suffix.lower() != ".mdoc" or path.name.lower() in own:
            continue
        if described_stacks(path, wait) & stacks:
            raise MetadataError(
                f"{path}: describes a series that is to be exported here; two metadata files of one series in a "
                "folder mislead importers, choose another one with --out"
            )


def place_stack(
    series: Series,
    path: Path,
    order: Sequence[int],
    progress: Progress | None = None,
    wait: Wait | None = None,
    as_copy: bool = False,
) -> str:
    """Put the stack of a series into the folder of an export, under a name of its own.

    A hard link where nothing has to be changed and the disk knows links, else a copy. Who writes into a linked stack
    writes into that of the series.

    Parameters
    ----------
    series : Series
    path : Path
        Where to; another file of that name gets a backup name.
    order : sequence of int
        Sections of the stack, each once, in the order they are to have.
    progress : callable, optional
        Told how many sections are copied, of how many.
    wait : callable, optional
        As in `pacetomo.files.atomic`.
    as_copy : bool
        Never link. A link of an earlier export gives way to a copy.

    Returns
    -------
    str
        What was done, for people.

    Raises
    ------
    StackError
        If there is no stack, no room, or the folder cannot be written.
    """
    if not series.has_stack:
        raise StackError("its stack is not there and cannot be put beside what is written")
    is_same = list(order) == list(range(len(series.views)))
    is_link = path.exists() and os.path.samefile(path, series.stack)
    if is_link and (_is_same_name(path, series.stack) or (is_same and not as_copy)):
        return "is there"
    move_aside(path, wait, StackError)
    if is_same and not as_copy and _is_linked(series.stack, path):
        return "linked"
    layout = read_layout(series.stack, wait)

    def write(stream: BinaryIO) -> None:
        stream.write(layout.header)
        stream.write(reordered(layout, order))
        with series.stack.open("rb") as source:
            copy_sections(source, stream, layout, order, progress)

    part = write_part(path, layout.file_bytes, write, wait)
    try:
        patiently(lambda: os.replace(part, path), wait)
    except OSError as err:
        raise StackError(f"{path}: cannot be written ({err.strerror})") from err
    return "copied" if is_same else "copied in another order"


def _is_same_name(path: Path, stack: Path) -> bool:
    """Whether the path of a file that is the stack is no link to it but its own: an export beside the series."""
    return os.path.samefile(path.parent, stack.parent) and path.name.lower() == stack.name.lower()


def _is_linked(source: Path, path: Path) -> bool:
    try:
        os.link(source, path)
    except OSError:  # another disk, or one that knows no links
        return False
    return True
