"""Leaving views out of a finished series, by number or by rule: stack, extended header and metadata together.

The stack as it was is kept beside, with its metadata and a record of what was left out; `restore_views` brings it back.
Sections are read and copied one after the other, so memory does not depend on their number.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from pacetomo.errors import MetadataError, StackError
from pacetomo.files.atomic import Wait, read_bytes, write_bytes_atomically, write_with_backup
from pacetomo.files.exchange import (
    Progress,
    exchange,
    fingerprint,
    keep_copy,
    make_folder,
    mdoc_of,
    recover,
    write_part,
)
from pacetomo.files.extended_header import find_records, selected
from pacetomo.files.mdoc import Mdoc, format_mdoc
from pacetomo.files.sorting import Done, copy_sections, read_metadata, refuse_montage
from pacetomo.files.stack import StackLayout, pixel_type, read_layout
from pacetomo.files.view_lists import format_views, parse_views
from pacetomo.files.view_rules import LeftOut, Rules, choose_views
from pacetomo.metadata_keys import ORDER

ALL_VIEWS = "all_views"
"""Subfolder for stacks as they were before views were left out, with their metadata and the records."""

_MARK = "pacetomo: views "
_TITLE = re.compile(r"pacetomo: views ([\d,-]+) of (\d+) left out")


def left_out_of(mdoc: Mdoc) -> int:
    """How many views have been left out of a series, by its titles."""
    found = [_TITLE.match(title) for title in mdoc.titles]
    return sum(len(parse_views(match[1])) for match in found if match is not None)


def exclude_views(
    stack: Path,
    rules: Rules,
    progress: Progress | None = None,
    wait: Wait | None = None,
    dry_run: bool = False,
) -> Done:
    """Leave views out of a stack and its metadata; the others stay in their order and are counted anew.

    Each image keeps its metadata: doses and times tell of the views between, too. The stack as it was goes to the
    folder ``all_views`` beside it, where a record names every view left out. A stack that lacks views already is not
    kept there again: it is the whole one that counts.

    Parameters
    ----------
    stack : Path
        The stack, of any mode; rules that look at pixels need one with a number a pixel.
    rules : Rules
        What to leave out; a view is by any of them.
    progress, wait
        As for `pacetomo.files.sorting.sort_series`.
    dry_run : bool
        Only tell what would be left out.

    Raises
    ------
    PaceError
        If the stack is damaged or cannot be written, a view is not there, or none would remain. It is then as it was.
    """
    if recover(
        stack, wait
    ):  # the numbers are those of the views before: left out once more they would be others
        views = read_layout(stack, wait).sections
        return Done(
            True, f"what an earlier run had begun is complete now, with {views} views; nothing else is done"
        )
    before = fingerprint(stack, wait)
    layout, mdoc = read_layout(stack, wait), read_metadata(stack, wait)
    refuse_montage(stack, layout, mdoc)
    if mdoc is not None and len(mdoc.need_images()) != layout.sections:
        raise StackError(
            f"{stack}: the stack has {layout.sections} sections and its metadata {len(mdoc.images)}; "
            "which belongs to which cannot be told"
        )
    left_out, warnings = choose_views(stack, layout, mdoc, rules, wait)
    if not left_out:
        return Done(False, "no view to be left out", tuple(warnings))
    gone = {one.section for one in left_out}
    kept = [section for section in range(layout.sections) if section not in gone]
    if not kept:
        raise StackError(f"{stack}: all {layout.sections} views would be left out; nothing is done")
    names = format_views(sorted(gone))
    said = "; ".join(f"{one.section + 1} {one.reason}" for one in left_out)
    if dry_run:
        return Done(
            False, f"{len(gone)} of {layout.sections} views would be left out: {said}", tuple(warnings)
        )
    if not find_records(layout).is_known:
        warnings.append("the extended header is of an unknown form and stays as it was")
    title = f"pacetomo: views {names} of {layout.sections} left out"

    def write(stream: BinaryIO) -> None:
        values = _Values(layout)
        stream.write(layout.header + selected(layout, kept))
        with stack.open("rb") as source:
            copy_sections(source, stream, layout, kept, progress, values.add)
        stream.seek(0)
        stream.write(_new_header(layout, len(kept), title, values))

    size = layout.file_bytes - len(gone) * layout.section_bytes
    part = write_part(stack, size, write, wait)
    folder = stack.parent / ALL_VIEWS
    make_folder(folder)
    is_first = not any(label.startswith(_MARK) for label in _labels(layout))
    if mdoc is not None and is_first:
        keep_copy(mdoc_of(stack), folder, wait)
    _record(folder / f"{stack.name}.left_out.txt", layout, mdoc, left_out, is_first, wait)
    data = None
    if mdoc is not None:
        new = mdoc.with_images(mdoc.images[section] for section in kept).with_title(title)
        data = format_mdoc(new).encode("utf-8", "surrogateescape")
    exchange(stack, part, before, data, folder / stack.name if is_first else None, wait)
    text = f"{len(gone)} of {layout.sections} views left out ({said}); all are in {ALL_VIEWS}"
    return Done(True, text, tuple(warnings))


def restore_views(stack: Path, progress: Progress | None = None, wait: Wait | None = None) -> Done:
    """Bring back a stack as it was before `exclude_views`, with its metadata; the kept files take its place.

    Raises
    ------
    PaceError
        If there is none to be brought back, or the files cannot be written. Nothing is lost then.
    """
    recover(stack, wait)
    kept = stack.parent / ALL_VIEWS / stack.name
    if not kept.is_file():
        raise StackError(
            f"{stack}: there is no {ALL_VIEWS}/{stack.name} from which views could be brought back"
        )
    layout = read_layout(kept, wait)
    before = fingerprint(stack, wait)

    def write(stream: BinaryIO) -> None:
        stream.write(layout.header + layout.extended)
        with kept.open("rb") as source:
            copy_sections(source, stream, layout, range(layout.sections), progress)

    part = write_part(stack, layout.file_bytes, write, wait)
    data = read_bytes(mdoc_of(kept), wait, MetadataError) if mdoc_of(kept).is_file() else None
    exchange(stack, part, before, data, None, wait)
    for path in (kept, mdoc_of(kept), kept.with_name(f"{kept.name}.left_out.txt")):
        try:
            path.unlink(missing_ok=True)
        except OSError as err:
            return Done(True, f"{layout.sections} views again", (f"{path} is still there ({err.strerror})",))
    return Done(True, f"{layout.sections} views again")


# what is written


class _Values:
    """Smallest, largest and mean value of the sections that are kept, as far as they have plain numbers."""

    def __init__(self, layout: StackLayout) -> None:
        self._dtype = pixel_type(layout.header, layout.mode, layout.byte_order)
        self._low, self._high, self._total, self._count = math.inf, -math.inf, 0.0, 0

    def add(self, data: memoryview) -> None:
        """Take in more bytes of sections, whole pixels."""
        if self._dtype is not None:
            pixels = np.frombuffer(data, self._dtype)
            self._low, self._high = min(self._low, float(pixels.min())), max(self._high, float(pixels.max()))
            self._total, self._count = (
                self._total + float(pixels.sum(dtype=np.float64)),
                self._count + pixels.size,
            )

    def pack_into(self, header: bytearray, order: str) -> None:
        """Write them into a header; where they are not known what stands there stays."""
        if self._count and math.isfinite(self._total):
            struct.pack_into(order + "3f", header, 76, self._low, self._high, self._total / self._count)
            struct.pack_into(
                order + "f", header, 216, -1.0
            )  # the deviation from the mean is not known any more


def _new_header(layout: StackLayout, sections: int, title: str, values: _Values) -> bytes:
    """Header for fewer sections, with their range of values and a title added."""
    header, order = bytearray(layout.header), layout.byte_order
    struct.pack_into(order + "i", header, 8, sections)
    grid = struct.unpack_from(order + "i", header, 36)[0]
    length = struct.unpack_from(order + "f", header, 48)[0]
    if grid == layout.sections:
        struct.pack_into(order + "i", header, 36, sections)
        struct.pack_into(order + "f", header, 48, length * sections / grid)
    values.pack_into(header, order)
    count = min(max(struct.unpack_from(order + "i", header, 220)[0], 0), 10)
    place = min(count, 9)
    header[224 + 80 * place : 304 + 80 * place] = title[:80].encode("ascii").ljust(80)
    struct.pack_into(order + "i", header, 220, place + 1)
    return bytes(header)


def _labels(layout: StackLayout) -> list[str]:
    count = min(max(struct.unpack_from(layout.byte_order + "i", layout.header, 220)[0], 0), 10)
    return [layout.header[224 + 80 * n : 304 + 80 * n].decode("latin-1") for n in range(count)]


def _record(
    path: Path,
    layout: StackLayout,
    mdoc: Mdoc | None,
    left_out: Sequence[LeftOut],
    afresh: bool,
    wait: Wait | None,
) -> None:
    """Write what is left out into a record, or add it; the same again, as after an interruption, is not added twice."""
    lines = [
        f"# left out of {layout.sections} views: view, tilt (deg), {ORDER}, DateTime, SubFramePath, reason"
    ]
    for one in left_out:
        image = None if mdoc is None else mdoc.images[one.section]
        known = [
            "" if image is None else image.text(key) or ""
            for key in ("TiltAngle", ORDER, "DateTime", "SubFramePath")
        ]
        lines.append("\t".join([str(one.section + 1), *known, one.reason]))
    block = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
    if afresh:
        write_with_backup(path, block, wait, MetadataError)
        return
    old = read_bytes(path, wait, MetadataError) if path.is_file() else b""
    if not old.endswith(block):
        write_bytes_atomically(path, old + block, wait, MetadataError)
