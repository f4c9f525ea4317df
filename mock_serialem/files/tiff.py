"""A grey image as a TIFF file."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mock_serialem.files.bits import bits_of

_SHORT, _LONG = 3, 4
_FORMATS = {"u": 1, "i": 2, "f": 3}
"""TIFF's sample format by kind of number."""


COMPRESSIONS = {"NONE": 1, "LZW": 5, "ZIP": 8}
"""TIFF's numbers of the ways in which the pixels can be packed."""

_LZW_CLEAR, _LZW_END, _LZW_BITS = 256, 257, 9
_LZW_CLEAR_AFTER = 250
"""Codes after which the table is cleared, before longer codes would be due."""


def tiff_bytes(pixels: NDArray[Any], compression: str = "NONE") -> bytes:
    """Encode (rows, columns) of bytes, 16-bit integers or 32-bit floats, top row first; little-endian, one strip.

    Parameters
    ----------
    pixels : array
    compression : str
        One of `COMPRESSIONS`. An LZW file is as long as one without compression, or longer: only codes of single
        bytes are used.
    """
    rows, columns = pixels.shape
    kind, size = pixels.dtype.kind, pixels.dtype.itemsize
    data = np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder("<")).tobytes()
    if compression == "ZIP":
        data = zlib.compress(data, 1)
    elif compression == "LZW":
        data = _lzw(data)
    header_bytes = 8
    tags = [
        (256, _LONG, columns),
        (257, _LONG, rows),
        (258, _SHORT, 8 * size),
        (259, _SHORT, COMPRESSIONS[compression]),
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


def _lzw(data: bytes) -> bytes:
    codes = np.frombuffer(data, np.uint8).astype(np.int32)
    codes = np.insert(codes, np.arange(0, len(codes), _LZW_CLEAR_AFTER), _LZW_CLEAR)
    codes = np.append(codes, _LZW_END)
    return np.packbits(bits_of(codes, np.full(len(codes), _LZW_BITS))).tobytes()
