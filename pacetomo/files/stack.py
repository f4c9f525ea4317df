"""Image stacks in MRC form: how many sections there are, and what is in them.

The stack is the witness of what was recorded, so the size of the file counts as much as its header. Sections
are copied into memory one at a time and the file is closed again: a file that is mapped cannot be renamed on
Windows, and SerialEM may want to append to it.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pacetomo.errors import StackError
from pacetomo.files.atomic import PathLike, Wait, patiently, reason_of

HEADER_BYTES = 1024
_IMOD_STAMP = 1146047817
_DTYPES = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}
_PIXEL_BYTES = {0: 1, 1: 2, 2: 4, 3: 4, 4: 8, 6: 2, 12: 2, 16: 3}
_HALF_BYTE_MODE = 101


@dataclass(frozen=True)
class StackHeader:
    """What the header of a stack says.

    Attributes
    ----------
    columns, rows, sections : int
        Size in pixels along x and y, and number of images.
    mode : int
        MRC mode: 0 byte, 1 signed short, 2 float, 6 unsigned short, 12 half float.
    dtype : str
        NumPy's name of the pixel type, with byte order.
    data_start : int
        Byte at which the first section starts.
    pixel_size_angstrom : float
        Å per pixel along x; 0 if not given.
    labels : tuple of str
        The titles, without padding.
    """

    columns: int
    rows: int
    sections: int
    mode: int
    dtype: str
    data_start: int
    pixel_size_angstrom: float
    labels: tuple[str, ...]

    @property
    def section_bytes(self) -> int:
        """Size of one section in the file."""
        return self.columns * self.rows * np.dtype(self.dtype).itemsize


@dataclass(frozen=True)
class StackLayout:
    """Where things are in the file of a stack of any mode.

    Attributes
    ----------
    header, extended : bytes
        The 1024 bytes at the start, and the extended header behind them.
    byte_order : str
        "<" or ">".
    columns, rows, sections, mode : int
        As in `StackHeader`; also modes 3, 4 (complex), 16 (colours) and 101 (four bits).
    section_bytes : int
        Size of one section.
    file_bytes : int
        Size of the file, which may be more than all sections need.
    """

    header: bytes
    extended: bytes
    byte_order: str
    columns: int
    rows: int
    sections: int
    mode: int
    section_bytes: int
    file_bytes: int

    @property
    def data_start(self) -> int:
        """Byte at which the first section starts."""
        return HEADER_BYTES + len(self.extended)

    @property
    def data_end(self) -> int:
        """Byte behind the last section."""
        return self.data_start + self.sections * self.section_bytes


def read_layout(path: PathLike, wait: Wait | None = None) -> StackLayout:
    """Read where things are in a stack, and check that the file holds all sections its header names.

    Raises
    ------
    StackError
        If the file cannot be read, is no MRC file, or is cut short.
    """

    def read() -> tuple[bytes, bytes, int]:
        with Path(path).open("rb") as stream:
            size = stream.seek(0, 2)
            stream.seek(0)
            raw = stream.read(HEADER_BYTES)
            _check_header_size(raw, size, path)
            return raw, stream.read(min(max(_numbers(raw, path)[4], 0), size)), size

    try:
        raw, extended, size = patiently(read, wait)
    except (OSError, ValueError) as err:
        raise _unreadable(path, err) from err
    columns, rows, sections, mode, extended_bytes = _numbers(raw, path)
    if mode not in _PIXEL_BYTES and mode != _HALF_BYTE_MODE:
        raise StackError(f"{path}: MRC mode {mode} is not known")
    if mode == _HALF_BYTE_MODE:
        section_bytes = rows * ((columns + 1) // 2)
    else:
        section_bytes = rows * columns * _PIXEL_BYTES[mode]
    _check_size(path, HEADER_BYTES + extended_bytes, sections, section_bytes, size)
    order = _byte_order(raw, path)
    return StackLayout(raw, extended, order, columns, rows, sections, mode, section_bytes, size)


def read_header(path: PathLike, wait: Wait | None = None) -> StackHeader:
    """Read the header of a stack and check that the file holds all sections it names.

    Parameters
    ----------
    path : path-like
        The stack.
    wait : callable, optional
        Waits for the given seconds when another program holds the file; without it that is an error at once.

    Raises
    ------
    StackError
        If the file cannot be read, is no MRC file, is of a mode without a plain number a pixel, or is cut
        short.
    """

    def read() -> tuple[bytes, int]:
        with Path(path).open("rb") as stream:
            return stream.read(HEADER_BYTES), stream.seek(0, 2)

    try:
        raw, size = patiently(read, wait)
    except (OSError, ValueError) as err:
        raise _unreadable(path, err) from err
    _check_header_size(raw, size, path)
    header = _parse_header(raw, path)
    _check_size(path, header.data_start, header.sections, header.section_bytes, size)
    return header


def _unreadable(path: PathLike, err: Exception) -> StackError:
    if isinstance(err, FileNotFoundError):
        return StackError(f"{path}: there is no such file")
    return StackError(f"{path}: the stack cannot be read ({reason_of(err)})")


def _check_header_size(raw: bytes, size: int, path: PathLike) -> None:
    if len(raw) < HEADER_BYTES:
        raise StackError(f"{path}: the stack is cut short: {size} bytes, a header has {HEADER_BYTES}")


def _check_size(path: PathLike, start: int, sections: int, section_bytes: int, size: int) -> None:
    """Refuse a file of `size` bytes that does not hold all sections."""
    if size < start + sections * section_bytes:
        raise StackError(
            f"{path}: the stack is cut short: its header names {sections} sections, "
            f"the file holds {max(0, size - start) // section_bytes} whole ones"
        )


def section_count(path: PathLike, wait: Wait | None = None) -> int:
    """Return the number of images in a stack; StackError if it is damaged. `wait` as in `read_header`."""
    return read_header(path, wait).sections


def read_section(path: PathLike, number: int) -> NDArray[Any]:
    """Return one image of a stack.

    Parameters
    ----------
    path : path-like
        The stack.
    number : int
        Section from 0.

    Returns
    -------
    ndarray, shape (rows, columns)
        A copy in the type of the file; row 0 is the bottom row of the image as displayed.

    Raises
    ------
    StackError
        If there is no such section, or the file is damaged.
    """
    header = read_header(path)
    return read_rows(path, header, number, range(header.rows))


def read_rows(path: PathLike, header: StackHeader, number: int, rows: range) -> NDArray[Any]:
    """Return some rows of a section, counted from the bottom; for images too large to be read as a whole.

    Raises
    ------
    StackError
        If there is no such section, or the file cannot be read.
    """
    if not 0 <= number < header.sections:
        raise StackError(
            f"{path}: there is no section {number}, the stack has {header.sections}, counted from 0"
        )
    row_bytes = header.columns * np.dtype(header.dtype).itemsize
    start = header.data_start + number * header.section_bytes + rows.start * row_bytes
    try:
        with Path(path).open("rb") as stream:
            stream.seek(start)
            data = np.fromfile(stream, dtype=header.dtype, count=header.columns * len(rows))
    except OSError as err:
        raise StackError(f"{path}: section {number} cannot be read ({reason_of(err)})") from err
    if data.size != header.columns * len(rows):
        raise StackError(f"{path}: section {number} is cut short; the file was changed while it was read")
    return data.reshape(len(rows), header.columns)


def _numbers(raw: bytes, path: PathLike) -> tuple[int, int, int, int, int]:
    """Return columns, rows, sections, mode and size of the extended header from the 1024 bytes at the start."""
    order = _byte_order(raw, path)
    columns, rows, sections, mode = struct.unpack_from(order + "4i", raw, 0)
    extended = struct.unpack_from(order + "i", raw, 92)[0]
    if columns <= 0 or rows <= 0 or sections < 0 or extended < 0:
        raise StackError(
            f"{path}: the header of the stack is damaged: size {columns} x {rows} x {sections}, "
            f"{extended} bytes of extended header"
        )
    return columns, rows, sections, mode, extended


def _parse_header(raw: bytes, path: PathLike) -> StackHeader:
    """Return the header from its 1024 bytes."""
    columns, rows, sections, mode, extended = _numbers(raw, path)
    order = _byte_order(raw, path)
    if mode not in _DTYPES:
        raise StackError(f"{path}: images of MRC mode {mode} cannot be used; 0, 1, 2, 6 or 12 is needed")
    grid, length = struct.unpack_from(order + "i", raw, 28)[0], struct.unpack_from(order + "f", raw, 40)[0]
    pixel = float(length) / grid if grid > 0 and np.isfinite(length) else 0.0
    count = min(max(struct.unpack_from(order + "i", raw, 220)[0], 0), 10)
    labels = tuple(
        raw[224 + 80 * index : 304 + 80 * index].decode("latin-1").rstrip(" \0") for index in range(count)
    )
    dtype = pixel_type(raw, mode, order) or ""
    return StackHeader(columns, rows, sections, mode, dtype, HEADER_BYTES + extended, pixel, labels)


def pixel_type(raw: bytes, mode: int, order: str) -> str | None:
    """Return NumPy's name of the pixel type of a header; None for modes without a plain number a pixel."""
    if mode not in _DTYPES:
        return None
    stamp, flags = struct.unpack_from(order + "2i", raw, 152)
    # IMOD and SerialEM mean unsigned bytes unless a flag says otherwise; the MRC standard means signed ones.
    if mode == 0 and stamp == _IMOD_STAMP and not flags & 1:
        return order + "u1"
    return order + _DTYPES[mode]


def _byte_order(raw: bytes, path: PathLike) -> str:
    """Return "<" or ">"; from the stamp, or from which order gives a known mode where the stamp is missing."""
    if raw[212] == 0x44 and raw[213] in (0x44, 0x41):
        return "<"
    if raw[212] == 0x11 and raw[213] == 0x11:
        return ">"
    for order in "<>":
        columns, rows, _, mode = struct.unpack_from(order + "4i", raw, 0)
        if mode in (*_DTYPES, 3, 4, 16, 101) and 0 < columns < 1 << 20 and 0 < rows < 1 << 20:
            return order
    raise StackError(f"{path}: this is no MRC file, or its header is damaged")
