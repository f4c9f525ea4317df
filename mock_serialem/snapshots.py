"""Images in files for other programs: snapshots as a person sees them, and the image itself as TIFF."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mock_serialem.errors import CommandError
from mock_serialem.files.jpeg import jpeg_bytes
from mock_serialem.files.tiff import COMPRESSIONS, tiff_bytes
from mock_serialem.image import Image


def grey_levels(image: Image) -> NDArray[np.uint8]:
    """Bytes with the contrast stretched between the 1st and 99th percentile."""
    low, high = np.percentile(image.pixels, (1.0, 99.0))
    span = float(high - low) or 1.0
    levels: NDArray[np.uint8] = np.clip((image.pixels - low) * (255.0 / span), 0, 255).astype(np.uint8)
    return levels


def png_bytes(levels: NDArray[np.uint8]) -> bytes:
    """Encode a grey image as PNG."""
    rows, columns = levels.shape
    raw = np.zeros((rows, columns + 1), np.uint8)
    raw[:, 1:] = levels

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0)
    body = zlib.compress(raw.tobytes(), 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


SNAPSHOTS = {"PNG": "PNG", "TIF": "TIF", "TIFF": "TIF", "JPG": "JPG", "JPEG": "JPG"}
"""Names of file types, as commands and the endings of file names give them."""


def write_snapshot(path: Path, image: Image, kind: str = "", compression: str = "NONE") -> None:
    """Write a snapshot as grey levels: JPEG, PNG or TIFF, by `kind` or else by the ending of the file's name.

    Raises
    ------
    CommandError
        Another form is wanted, or the file cannot be written.
    """
    wanted = kind.strip().upper()
    form = SNAPSHOTS.get(wanted) or SNAPSHOTS.get(path.suffix[1:].upper())
    if form is None or (wanted and wanted not in (*SNAPSHOTS, "CUR", "-1")):
        raise CommandError(
            f"Snapshots of type {wanted or path.suffix or 'without extension'} are not simulated"
        )
    levels = grey_levels(image)
    if form == "PNG":
        _write(path, png_bytes(levels))
    elif form == "JPG":
        _write(path, jpeg_bytes(levels))
    else:
        _write(path, tiff_bytes(levels, _tiff_compression(compression)))


def write_tiff(path: Path, image: Image, compression: str = "NONE") -> None:
    """Write the image itself, with its own numbers, as a TIFF file.

    Raises
    ------
    CommandError
        Such a compression is not simulated, or the file cannot be written.
    """
    _write(path, tiff_bytes(image.pixels, _tiff_compression(compression)))


def write_jpeg(path: Path, image: Image) -> None:
    """Write the grey levels of an image as a JPEG file; raises CommandError if that is impossible."""
    _write(path, jpeg_bytes(grey_levels(image)))


def _tiff_compression(name: str) -> str:
    wanted = name.strip().upper()
    if wanted in ("CUR", "-1"):
        return "NONE"
    if wanted not in COMPRESSIONS:
        raise CommandError(f"TIFF compression {name} is not simulated; {', '.join(COMPRESSIONS)} are")
    return wanted


def _write(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except OSError as err:
        raise CommandError(f"Cannot write {path}: {err}") from err
