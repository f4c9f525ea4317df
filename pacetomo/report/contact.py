"""Small pictures of the first, middle and last image of each series, read without loading a stack."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pacetomo.errors import MetadataError
from pacetomo.files.mdoc import read_mdoc
from pacetomo.files.mdoc_order import acquisition_order, date_time
from pacetomo.montage import aligned_stack

THUMB_PX = 180
_SMALLEST_PX = 64
_STRIP_PX = 2_000_000


@dataclass(frozen=True)
class Thumb:
    """A small picture: place in order of acquisition from 0, and its PNG."""

    section: int
    png: bytes


@dataclass(frozen=True)
class Strip:
    """The pictures of one series, or a note why there are none.

    Attributes
    ----------
    width_um
        Width of the field of view, 0 if the stack does not tell.
    sections
        Number of sections of the stack.
    """

    thumbs: tuple[Thumb, ...] = ()
    note: str = ""
    width_um: float = 0.0
    sections: int = 0


def contact_strip(stacks_dir: Path, series: str) -> Strip:
    """Return small pictures of the first, middle and last section (in order of acquisition) of a series.

    Only these sections are read, a strip of rows at a time.
    """
    path = aligned_stack(stacks_dir / PureWindowsPath(series).name)
    if not series or not path.is_file():
        return Strip(note="no stack")
    try:
        with _sections(path) as (stack, voxel_a):
            count, rows, columns = stack.shape
            width_um = columns * voxel_a / 1e4
            if min(rows, columns) < _SMALLEST_PX:
                note = f"{count} frames of {columns} × {rows} px: positions only, no images (kinematic run)"
                return Strip(note=note, sections=count, width_um=width_um)
            sections = _sections_as_taken(path, count)
            thumbs = tuple(
                Thumb(place, _gray_png(thumbnail(stack[sections[place]])))
                for place in sorted({0, count // 2, count - 1})
            )
            return Strip(thumbs, width_um=width_um, sections=count)
    except (OSError, ValueError) as err:
        return Strip(note=f"stack cannot be read: {err}")


def thumbnail(image: NDArray[Any], width_px: int = THUMB_PX) -> NDArray[np.uint8]:
    """Return an image binned to about `width_px` columns and spread over grey values, to look at.

    Parameters
    ----------
    image
        (rows, columns), bottom row first as stored in MRC files.
    width_px
        Columns wanted; the binning is a whole number.

    Returns
    -------
    array of uint8
        Top row first; black and white are the 1st and 99th percentile.
    """
    rows, columns = image.shape
    factor = min(max(round(columns / width_px), 1), rows, columns)
    high, wide = rows // factor, columns // factor
    small = np.empty((high, wide), dtype=np.float32)
    step = max(_STRIP_PX // (factor * columns), 1)
    for top in range(0, high, step):
        strip = image[top * factor : min(top + step, high) * factor, : wide * factor]
        blocks = strip.reshape(-1, factor, wide, factor)
        small[top : top + step] = blocks.mean(axis=(1, 3), dtype=np.float32)
    finite = small[np.isfinite(small)]
    low, top_grey = np.percentile(finite, [1, 99]) if finite.size else (0.0, 1.0)
    scaled = (np.nan_to_num(small, nan=low, posinf=top_grey, neginf=low) - low) / max(top_grey - low, 1e-6)
    return (np.clip(scaled, 0, 1) * 255).astype(np.uint8)[::-1]


def acquired_on(stacks_dir: Path, series: str) -> str:
    """Return date and time of the first image taken from the stack's mdoc, empty if it does not tell."""
    stack = aligned_stack(stacks_dir / PureWindowsPath(series).name)
    path = stack.with_name(f"{stack.name}.mdoc")
    try:
        images = read_mdoc(path).images
    except MetadataError:
        return ""
    dated = [(date, image) for image in images if (date := date_time(image)) is not None]
    if not dated:
        return ""
    _, first = min(dated, key=lambda pair: pair[0])
    return " ".join((first.text("DateTime") or "").split())


def _sections_as_taken(path: Path, count: int) -> list[int]:
    """Return sections of a stack in order of acquisition, by its metadata: it may have been sorted by tilt."""
    try:
        images = read_mdoc(f"{path}.mdoc").images
        order = acquisition_order(images)
    except MetadataError:
        order = []
    return order if len(order) == count else list(range(count))


@contextmanager
def _sections(path: Path) -> Iterator[tuple[NDArray[Any], float]]:
    """Open a stack as (sections, rows, columns) on disk, with its pixel size in Å."""
    import mrcfile

    with warnings.catch_warnings():
        # Half-written or foreign headers are worth a look here, not a warning for each of their flaws.
        warnings.simplefilter("ignore")
        with mrcfile.mmap(path, mode="r", permissive=True) as mrc:
            data = mrc.data
            if data is None or data.ndim not in (2, 3) or data.size == 0 or np.iscomplexobj(data):
                raise ValueError("no sections of plain numbers in it")
            yield (data if data.ndim == 3 else data[np.newaxis]), float(mrc.voxel_size.x)


def _gray_png(image: NDArray[np.uint8]) -> bytes:
    """Return an 8-bit grey image, (rows, columns) with the top row first, as PNG."""
    rows, columns = image.shape
    raw = b"".join(b"\0" + image[row].tobytes() for row in range(rows))
    header = struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(raw, 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in chunks
    )
