"""How many frames a frame file holds: TIFF, BigTIFF or MRC, without reading a pixel."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

from pacetomo.errors import StackError
from pacetomo.files.atomic import PathLike
from pacetomo.files.stack import read_layout

FRAME_SUFFIXES = (".tif", ".tiff", ".mrc", ".mrcs", ".eer")
"""Of files that hold frames."""

_MOST_FRAMES = 100_000


def frame_count(path: PathLike) -> int | None:
    """Return the number of frames in a file; None for EER files, whose records are no frames of an exposure.

    Raises
    ------
    StackError
        If the file is damaged, empty, or of another kind.
    """
    path = Path(path)
    if path.suffix.lower() in (".mrc", ".mrcs"):
        return read_layout(path).sections
    try:
        with path.open("rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(0)
            if size == 0:
                raise StackError(f"{path}: the file is empty")
            return None if path.suffix.lower() == ".eer" else _count_directories(stream, size, path)
    except OSError as err:
        raise StackError(f"{path}: the frames cannot be read ({err.strerror})") from err
    except struct.error as err:
        raise StackError(f"{path}: the frames are cut short") from err


def _count_directories(stream: BinaryIO, size: int, path: Path) -> int:
    """Follow the chain of image directories of a TIFF file."""
    head = stream.read(8)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 8:
        raise StackError(f"{path}: this is no TIFF file, or its header is damaged")
    version = struct.unpack(order + "H", head[2:4])[0]
    if version == 42:
        count_form, entry_bytes, offset_form = "H", 12, "I"
        offset = struct.unpack(order + "I", head[4:8])[0]
    elif version == 43:
        count_form, entry_bytes, offset_form = "Q", 20, "Q"
        offset = struct.unpack(order + "Q", stream.read(8))[0]
    else:
        raise StackError(f"{path}: this is no TIFF file, or its header is damaged")
    count = 0
    while offset:
        count += 1
        if offset >= size or count > _MOST_FRAMES:
            raise StackError(f"{path}: the frames are cut short after {count - 1}")
        stream.seek(offset)
        entries = struct.unpack(order + count_form, stream.read(struct.calcsize(order + count_form)))[0]
        stream.seek(entry_bytes * entries, 1)
        offset = struct.unpack(order + offset_form, stream.read(struct.calcsize(order + offset_form)))[0]
    return count
