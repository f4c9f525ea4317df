"""Small series for tests: stacks and metadata as SerialEM writes them."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

MODES = {"u1": 0, "i1": 0, "i2": 1, "f4": 2, "u2": 6, "f2": 12, "c8": 4}
TITLES = (
    "SerialEM: Example microscope                            15-Aug-26  12:30:01    ",
    "    Tilt axis angle = 85.3, binning = 1  spot = 8  camera = 0",
)


def serialem_records(tilts, order: str = "<") -> bytes:
    """SerialEM's usual extended header: tilt and intensity of each section, which tells its place."""
    records = b"".join(struct.pack(order + "2h", round(100 * tilt), 7 + n) for n, tilt in enumerate(tilts))
    return records.ljust(2048, b"\0")


def stack_bytes(
    data: Any,
    extended: bytes = b"",
    kind: bytes = b"SERI",
    numbers: tuple[int, int] = (4, 17),
    order: str = "<",
    pixel: float = 2.0,
    mode: int | None = None,
    size: tuple[int, int, int] | None = None,
) -> bytes:
    """A whole stack; `size` (columns, rows, sections) for data that are bytes."""
    if size is None:
        sections, rows, columns = data.shape
    else:
        columns, rows, sections = size
    mode = MODES[data.dtype.str[1:]] if mode is None else mode
    header = bytearray(1024)
    struct.pack_into(order + "4i", header, 0, columns, rows, sections, mode)
    struct.pack_into(order + "3i", header, 28, columns, rows, sections)
    struct.pack_into(order + "3f", header, 40, pixel * columns, pixel * rows, pixel * sections)
    struct.pack_into(order + "3f", header, 52, 90.0, 90.0, 90.0)
    struct.pack_into(order + "3i", header, 64, 1, 2, 3)
    if size is None:
        values = data.astype(float) if data.dtype.kind != "c" else np.zeros(1)
        struct.pack_into(order + "3f", header, 76, values.min(), values.max(), values.mean())
    struct.pack_into(order + "i", header, 92, len(extended))
    header[104:108] = kind
    struct.pack_into(order + "i", header, 108, 0 if mode in (0, 16) else 20140)
    struct.pack_into(order + "2h", header, 128, *numbers)
    struct.pack_into(order + "2i", header, 152, 1146047817, 0)
    header[208:214] = b"MAP " + (b"DD" if order == "<" else b"\x11\x11")
    struct.pack_into(order + "f", header, 216, -1.0)
    struct.pack_into(order + "i", header, 220, len(TITLES))
    for place, title in enumerate(TITLES):
        header[224 + 80 * place : 304 + 80 * place] = title.encode().ljust(80)
    return bytes(header) + extended + (data if isinstance(data, bytes) else data.tobytes())


def mdoc_text(tilts, size: tuple[int, int] = (8, 8), newline: str = "\n", pixel: float = 2.0) -> str:
    """Metadata of a series in order of acquisition; dose and frames tell the order."""
    lines = [f"PixelSpacing = {pixel:g}", "Voltage = 300", "ImageFile = a_ts_001.mrc"]
    lines += [f"ImageSize = {size[0]} {size[1]}", "DataMode = 1"]
    for title in TITLES:
        lines += ["", f"[T = {title}]"]
    for number, tilt in enumerate(tilts):
        lines += ["", f"[ZValue = {number}]", "MinMaxMean = 0 1 0.5", f"TiltAngle = {tilt:g}"]
        lines += [f"PixelSpacing = {pixel:g}", "Binning = 1", f"PriorRecordDose = {3 * number}"]
        lines += [f"SubFramePath = X:\\frames\\a_{number:03d}_{tilt:.1f}.tif", "NumSubFrames = 10"]
        lines += [
            f"DateTime = 15-Aug-2026  12:{30 + number // 60:02d}:{number % 60:02d}",
            f"Own Key {number} = x = y",
        ]
    return newline.join(lines) + newline


def write_series(
    folder: Path,
    data: Any,
    tilts,
    order: str = "<",
    pixel: float = 2.0,
    newline: str = "\r\n",
    name: str = "a_ts_001.mrc",
) -> Path:
    """A stack with SerialEM's extended header, and its metadata."""
    stack = folder / name
    stack.write_bytes(stack_bytes(data, serialem_records(tilts, order), order=order, pixel=pixel))
    text = mdoc_text(tilts, (data.shape[2], data.shape[1]), newline, pixel)
    (folder / f"{name}.mdoc").write_bytes(text.encode())
    return stack


def tiff(frames: int, order: str = "<", big: bool = False) -> bytes:
    """A TIFF file of so many image directories, with nothing in them but their links."""
    mark = b"II" if order == "<" else b"MM"
    count, offset, entry = ("Q", "Q", 20) if big else ("H", "I", 12)
    head = mark + (struct.pack(order + "HHHQ", 43, 8, 0, 16) if big else struct.pack(order + "HI", 42, 8))
    size = struct.calcsize(order + count) + 2 * entry + struct.calcsize(order + offset)
    out = head
    for number in range(frames):
        following = 0 if number == frames - 1 else len(head) + (number + 1) * size
        out += struct.pack(order + count, 2) + bytes(2 * entry) + struct.pack(order + offset, following)
    return out
