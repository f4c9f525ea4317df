"""New MRC files with one image of 16-bit counts, as SerialEM and IMOD read them."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pacetomo.errors import StackError
from pacetomo.files.atomic import PathLike
from pacetomo.files.stack import HEADER_BYTES, read_header

VIRTUAL = "pacetomo: virtual map"
"""How the first title of an image begins that was cut out of a map and not taken."""

_LABEL_BYTES, _MOST_LABELS = 80, 10
_LITTLE_ENDIAN = b"DA\0\0"
_MRC_2014 = 20140


def image_bytes(pixels: NDArray[np.int16], pixel_size_angstrom: float, labels: Sequence[str] = ()) -> bytes:
    """Return an MRC file with one image.

    Parameters
    ----------
    pixels : array (rows, columns) of int16
        Row 0 is the bottom row of the image as displayed.
    pixel_size_angstrom : float
        Å per pixel.
    labels : sequence of str
        Titles; at most 10, of 80 characters each.
    """
    rows, columns = pixels.shape
    header = bytearray(HEADER_BYTES)
    cell = (columns * pixel_size_angstrom, rows * pixel_size_angstrom, pixel_size_angstrom)
    struct.pack_into("<10i", header, 0, columns, rows, 1, 1, 0, 0, 0, columns, rows, 1)
    struct.pack_into("<6f3i", header, 40, *cell, 90.0, 90.0, 90.0, 1, 2, 3)
    statistics = (float(pixels.min()), float(pixels.max()), float(pixels.mean()))
    struct.pack_into("<3f", header, 76, *statistics)
    struct.pack_into("<i", header, 108, _MRC_2014)
    header[208:216] = b"MAP " + _LITTLE_ENDIAN
    struct.pack_into("<fi", header, 216, float(pixels.std()), min(len(labels), _MOST_LABELS))
    for number, label in enumerate(labels[:_MOST_LABELS]):
        text = label.encode("ascii", "replace")[:_LABEL_BYTES].ljust(_LABEL_BYTES)
        start = 224 + number * _LABEL_BYTES
        header[start : start + _LABEL_BYTES] = text
    return bytes(header) + np.ascontiguousarray(pixels, dtype="<i2").tobytes()


def is_virtual(path: PathLike) -> bool:
    """Whether an image was cut out of a map; False for what cannot be read, which its user will be told of."""
    try:
        labels = read_header(path).labels
    except StackError:
        return False
    return any(label.startswith(VIRTUAL) for label in labels)
