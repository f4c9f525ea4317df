"""Sorting a finished series by tilt: stack, extended header and metadata together.

Sections are copied one after the other through a small buffer, so memory does not depend on their size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, NamedTuple

from pacetomo.errors import MetadataError, StackError
from pacetomo.files.atomic import Wait, read_bytes, write_bytes_atomically
from pacetomo.files.exchange import (
    Progress,
    exchange,
    fingerprint,
    keep_copy,
    mdoc_of,
    recover,
    write_part,
)
from pacetomo.files.extended_header import find_records, has_pieces, reordered, tilts_deg
from pacetomo.files.mdoc import Mdoc, format_mdoc, parse_mdoc
from pacetomo.files.stack import StackLayout, read_layout

UNSORTED = "unsorted"
"""Subfolder for the metadata in order of acquisition: two mdocs of a series side by side mislead importers."""

BESIDE = "_unsorted"
"""What its name gets before the suffix where it is kept beside the stack all the same."""

_BUFFER_BYTES = 4 << 20


class Done(NamedTuple):
    """What became of a series: whether it was changed, in words, and what to know about it."""

    changed: bool
    text: str
    warnings: tuple[str, ...] = ()


def sort_series(
    stack: Path, progress: Progress | None = None, wait: Wait | None = None, beside: bool = False
) -> Done:
    """Sort a stack and its metadata by tilt, lowest first; images of one tilt stay in their order.

    Everything in the metadata stays with its image; only the numbers of the sections are given anew. The metadata
    as it was is kept in the folder ``unsorted`` beside the stack. A series that is in order is not touched.

    Parameters
    ----------
    stack : Path
        The stack, of any mode; with an ``.mdoc`` or with tilts in SerialEM's extended header.
    progress : callable, optional
        Told how many sections are done, of how many.
    wait : callable, optional
        Waits for the given seconds when another program holds a file; without it that is an error at once.
    beside : bool
        Keep the metadata as it was beside the stack, ``NAME_unsorted.mrc.mdoc``, as PACEtomo does.

    Raises
    ------
    PaceError
        If the series cannot be sorted. Stack and metadata are then as they were.
    """
    recover(stack, wait)
    before = fingerprint(stack, wait)
    layout = read_layout(stack, wait)
    mdoc = read_metadata(stack, wait)
    refuse_montage(stack, layout, mdoc)
    order = _order(_tilts(stack, layout, mdoc))
    if order == list(range(layout.sections)):
        return Done(False, "in order of tilt already")
    warnings = []
    if not find_records(layout).is_known:
        warnings.append("the extended header is of an unknown form and stays as it was")

    def write(stream: BinaryIO) -> None:
        stream.write(layout.header)
        stream.write(reordered(layout, order))
        with stack.open("rb") as source:
            copy_sections(source, stream, layout, order, progress)

    part = write_part(stack, layout.file_bytes, write, wait)
    if mdoc is not None:
        _keep_unsorted(mdoc_of(stack), beside, wait)
    exchange(stack, part, before, None if mdoc is None else _sorted_bytes(mdoc, order), None, wait)
    return Done(True, f"{layout.sections} images sorted by tilt", tuple(warnings))


def sort_metadata(mdoc_path: Path, wait: Wait | None = None, beside: bool = False) -> Done:
    """Sort metadata whose stack is not kept; as `sort_series` does.

    Raises
    ------
    MetadataError
        If the file cannot be read or written.
    """
    mdoc = parse_mdoc(_text(mdoc_path, wait), str(mdoc_path))
    order = _order([image.tilt_deg for image in mdoc.need_images()])
    if order == list(range(len(order))):
        return Done(False, "in order of tilt already, the metadata alone: there is no stack")
    _keep_unsorted(mdoc_path, beside, wait)
    write_bytes_atomically(mdoc_path, _sorted_bytes(mdoc, order), wait, MetadataError)
    return Done(True, f"metadata of {len(order)} images sorted by tilt; there is no stack")


def _keep_unsorted(mdoc_path: Path, beside: bool, wait: Wait | None) -> None:
    if beside:
        stack = Path(mdoc_path.stem)
        keep_copy(mdoc_path, mdoc_path.parent, wait, f"{stack.stem}{BESIDE}{stack.suffix}{mdoc_path.suffix}")
    else:
        keep_copy(mdoc_path, mdoc_path.parent / UNSORTED, wait)


def is_unsorted(stack: Path) -> bool:
    """Whether metadata called after this stack are only what a sorted series had before, kept beside it.

    >>> is_unsorted(Path("area_ts_001_unsorted.mrc")), is_unsorted(Path("area_ts_001.mrc"))
    (True, False)
    """
    return stack.stem.lower().endswith(BESIDE)


def read_metadata(stack: Path, wait: Wait | None = None) -> Mdoc | None:
    """Return the metadata of a stack; None if there is none. MetadataError if it cannot be read."""
    path = mdoc_of(stack)
    return parse_mdoc(_text(path, wait), str(path)) if path.is_file() else None


def refuse_montage(stack: Path, layout: StackLayout, mdoc: Mdoc | None) -> None:
    """StackError if the sections of a stack are pieces of a montage."""
    named = mdoc is not None and (
        mdoc.head.text("Montage") or any(s.kind == "MontSection" for s in mdoc.sections)
    )
    if has_pieces(layout) or named:
        raise StackError(f"{stack}: its sections are pieces of a montage, not images of a tilt series")


def copy_sections(
    source: BufferedReader,
    stream: BinaryIO,
    layout: StackLayout,
    order: Sequence[int],
    progress: Progress | None,
    seen: Callable[[memoryview], None] | None = None,
) -> None:
    """Copy sections in another order, then whatever follows the last one in the file; `seen` is shown their bytes."""
    buffer = memoryview(bytearray(min(_BUFFER_BYTES, max(1, layout.section_bytes))))
    for done, section in enumerate(order, 1):
        source.seek(layout.data_start + section * layout.section_bytes)
        _copy(source, stream, layout.section_bytes, buffer, seen)
        if progress is not None:
            progress(done, len(order))
    source.seek(layout.data_end)
    _copy(source, stream, layout.file_bytes - layout.data_end, buffer)


def _copy(
    source: BufferedReader,
    stream: BinaryIO,
    count: int,
    buffer: memoryview,
    seen: Callable[[memoryview], None] | None = None,
) -> None:
    while count:
        got = source.readinto(buffer[: min(count, len(buffer))])
        if not got:
            raise StackError("the stack became shorter while it was read")
        stream.write(buffer[:got])
        if seen is not None:
            seen(buffer[:got])
        count -= got


def _tilts(stack: Path, layout: StackLayout, mdoc: Mdoc | None) -> list[float]:
    """Tilt of each section (degrees)."""
    if mdoc is None:
        tilts = tilts_deg(layout)
        if tilts is None:
            raise StackError(
                f"{stack}: neither metadata ({mdoc_of(stack).name}) nor the extended header gives the tilts"
            )
        return list(tilts)
    images = mdoc.need_images()
    if len(images) != layout.sections:
        raise StackError(
            f"{stack}: the stack has {layout.sections} sections and its metadata {len(images)}; "
            "which belongs to which cannot be told"
        )
    return [image.tilt_deg for image in images]


def _order(tilts: Sequence[float]) -> list[int]:
    return sorted(range(len(tilts)), key=tilts.__getitem__)


def _sorted_bytes(mdoc: Mdoc, order: Sequence[int]) -> bytes:
    new = mdoc.with_images(mdoc.images[section] for section in order)
    return format_mdoc(new).encode("utf-8", "surrogateescape")


def _text(path: Path, wait: Wait | None) -> str:
    return read_bytes(path, wait, MetadataError).decode("utf-8", "surrogateescape")
