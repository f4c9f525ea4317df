"""A grey image as an uncompressed TIFF file."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SHORT, _LONG = 3, 4
_FORMATS = {"u": 1, "i": 2, "f": 3}
"""TIFF's sample format by kind of number."""


def tiff_bytes(pixels: NDArray[Any]) -> bytes:
    """Encode (rows, columns) of bytes, 16-bit integers or 32-bit floats, top row first; little-endian, one strip."""
    rows, columns = pixels.shape
    kind, size = pixels.dtype.kind, pixels.dtype.itemsize
    data = np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder("<")).tobytes()
    header_bytes = 8
    tags = [
        (256, _LONG, columns),
        (257, _LONG, rows),
        (258, _SHORT, 8 * size),
        (259, _SHORT, 1),  # no compression
        (262, _SHORT, 1),  # black is zero
        (273, _LONG, header_bytes),
        (277, _SHORT, 1),
        (278, _LONG, rows),
        (279, _LONG, len(data)),
        (339, _SHORT, _FORMATS[kind]),
    ]
    padding = b"\0" * (len(data) % 2)
    directory = struct.pack("<H", len(tags))
    for tag, number_type, value in tags:
        directory += struct.pack("<HHI", tag, number_type, 1)
        directory += struct.pack("<HH", value, 0) if number_type == _SHORT else struct.pack("<I", value)
    directory += struct.pack("<I", 0)
    start = header_bytes + len(data) + len(padding)
    return struct.pack("<2sHI", b"II", 42, start) + data + padding + directory
