"""MRC stacks as SerialEM writes them: ``SERI`` extended header, bottom row first, header rewritten per section."""

from __future__ import annotations

import math
import struct
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

HEADER_BYTES = 1024
RESERVED_SECTIONS = 360
MODES: dict[int, np.dtype[Any]] = {
    0: np.dtype("u1"),
    1: np.dtype("<i2"),
    2: np.dtype("<f4"),
    6: np.dtype("<u2"),
}
_IMOD_STAMP = 1146047817
_TILT, _PIECE, _STAGE, _MAG, _INTENSITY, _DOSE = 1, 2, 4, 8, 16, 32
_FLAG_BYTES = ((_TILT, 2), (_PIECE, 6), (_STAGE, 4), (_MAG, 2), (_INTENSITY, 2), (_DOSE, 4))


class MrcError(Exception):
    """The file is not an MRC stack, or an image does not fit into it."""


@dataclass(frozen=True)
class SectionInfo:
    """What the extended header keeps of a section.

    Attributes
    ----------
    tilt_deg : float
    stage_um : tuple of float
        Stage X, Y.
    magnification : float
    intensity : float
        Raw, 0 to 1.
    dose_e_per_a2 : float
    piece : tuple of int, optional
        Montage piece coordinates X, Y (pixels) and Z.
    """

    tilt_deg: float = 0.0
    stage_um: tuple[float, float] = (0.0, 0.0)
    magnification: float = 0.0
    intensity: float = 0.0
    dose_e_per_a2: float = 0.0
    piece: tuple[int, int, int] = (0, 0, 0)


def mode_of(pixels: NDArray[Any]) -> int:
    """MRC mode for the data type of an image.

    Raises
    ------
    MrcError
        No mode holds this type.
    """
    for mode, dtype in MODES.items():
        if pixels.dtype == dtype:
            return mode
    raise MrcError(f"images of type {pixels.dtype} cannot be saved")


def _round(value: float) -> int:
    return max(-32768, min(32767, math.floor(value + 0.5)))


def dose_words(dose: float) -> tuple[int, int]:
    """Pack a dose into the two 16-bit words of the extended header.

    The value is ``sign(s1) (|s1| 256 + |s2| mod 256) 2**(sign(s2) (|s2| // 256))``: a 23-bit mantissa and a power.

    >>> s1, s2 = dose_words(3.1)
    >>> round((s1 * 256 + abs(s2) % 256) * 2.0 ** ((1 if s2 > 0 else -1) * (abs(s2) // 256)), 5)
    3.1
    """
    if dose <= 0.0:
        return 0, 0
    power = math.frexp(dose)[1] - 23
    mantissa = math.floor(dose * 2.0**-power + 0.5)
    if mantissa >= 2**23:
        mantissa, power = mantissa // 2, power + 1
    second = abs(power) * 256 + mantissa % 256
    return mantissa // 256, second if power > 0 else -second


class MrcStack:
    """One open MRC file of equally sized images.

    Pixel arrays are (rows, columns) with the top row of the displayed image first; the file has the bottom row first.

    Attributes
    ----------
    path : Path
    columns, rows, mode : int
    count : int
        Sections in the file.
    titles : list of str
        Labels, at most 10.
    """

    def __init__(self, path: Path, stream: BinaryIO) -> None:
        self.path = path
        self._stream = stream
        # A program that ends without closing its files must not leave them to the interpreter's mercy.
        weakref.finalize(self, stream.close)
        self.columns = self.rows = self.count = 0
        self.mode = 1
        self.pixel_a = 1.0
        self.flags = _TILT | _INTENSITY
        self.extended_bytes = 0
        self.titles: list[str] = []
        self._minimum, self._maximum, self._sum = math.inf, -math.inf, 0.0

    @classmethod
    def create(
        cls,
        path: Path,
        shape: tuple[int, int],
        mode: int,
        pixel_a: float,
        titles: list[str],
        pieces: int = 0,
        with_stage: bool = False,
    ) -> MrcStack:
        """Make a new stack, replacing the content of an existing file.

        Parameters
        ----------
        path : Path
        shape : tuple of int
            Rows and columns of each image.
        mode : int
            MRC mode.
        pixel_a : float
            Pixel size in Å.
        titles : list of str
            Labels; longer ones are cut at 80 characters.
        pieces : int
            Number of pieces of a montage, 0 for a plain stack.
        with_stage : bool
            Keep stage positions in the extended header (stage montages).

        Raises
        ------
        OSError
            The file cannot be created.
        """
        stack = cls(path, path.open("w+b"))
        stack.rows, stack.columns = shape
        stack.mode, stack.pixel_a, stack.titles = mode, pixel_a, list(titles[:10])
        if pieces:
            stack.flags |= _PIECE | (_STAGE if with_stage else 0)
        needed = stack.section_bytes * RESERVED_SECTIONS * max(1, pieces)
        stack.extended_bytes = -(-needed // 1024) * 1024
        stack._write_header()
        stack._stream.write(bytes(stack.extended_bytes))
        stack._stream.flush()
        return stack

    @classmethod
    def open(cls, path: Path, writable: bool = True) -> MrcStack:
        """Open an existing stack.

        Raises
        ------
        OSError
            The file cannot be opened.
        MrcError
            It is not an MRC file, or shorter than its header says.
        """
        stream: BinaryIO = path.open("r+b" if writable else "rb")
        stack = cls(path, stream)
        try:
            stack._read_header()
        except MrcError:
            stream.close()
            raise
        return stack

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the open file; see `reopen`."""
        state = dict(self.__dict__)
        del state["_stream"]
        return state

    def reopen(self, undo: bool = False) -> None:
        """Open the file again after the stack has come out of a pickle.

        Parameters
        ----------
        undo : bool
            Sections that the file has gained since are to be written once more; otherwise the file is right.

        Raises
        ------
        OSError
            The file cannot be opened.
        MrcError
            It is no MRC file any more, or has another shape or fewer sections.
        """
        disk = MrcStack.open(self.path, writable=False)
        disk.close()
        if disk.shape_and_mode != self.shape_and_mode or disk.count < self.count:
            raise MrcError(f"{self.path.name} is not the file that was open")
        if disk.count > self.count and not undo:
            self.__dict__.update(disk.__getstate__())
        self._stream = self.path.open("r+b")
        weakref.finalize(self, self._stream.close)

    @property
    def shape_and_mode(self) -> tuple[int, int, int, int]:
        """What all sections share: rows, columns, mode, bytes of the extended header."""
        return self.rows, self.columns, self.mode, self.extended_bytes

    @property
    def section_bytes(self) -> int:
        """Bytes per section in the extended header."""
        return sum(size for flag, size in _FLAG_BYTES if self.flags & flag)

    @property
    def image_bytes(self) -> int:
        """Bytes of one image."""
        return self.rows * self.columns * MODES[self.mode].itemsize

    def append(self, pixels: NDArray[Any], info: SectionInfo) -> int:
        """Write one image after the last one and update the header; return its section number.

        Raises
        ------
        MrcError
            Size or type differ from the file's, or the extended header is full.
        OSError
            The file cannot be written.
        """
        if pixels.shape != (self.rows, self.columns):
            raise MrcError(
                f"image of {pixels.shape[1]} x {pixels.shape[0]} does not fit into a file of "
                f"{self.columns} x {self.rows}"
            )
        if mode_of(pixels) != self.mode:
            raise MrcError(f"image of mode {mode_of(pixels)} does not fit into a file of mode {self.mode}")
        packed = self._pack_info(info)
        if (self.count + 1) * len(packed) > self.extended_bytes and packed:
            raise MrcError("there is no more room in the extended header")
        self._stream.seek(HEADER_BYTES + self.extended_bytes + self.count * self.image_bytes)
        self._stream.write(np.ascontiguousarray(pixels[::-1]).data)
        self._stream.seek(HEADER_BYTES + self.count * len(packed))
        self._stream.write(packed)
        self._minimum = min(self._minimum, float(pixels.min()))
        self._maximum = max(self._maximum, float(pixels.max()))
        self._sum += float(pixels.sum(dtype=np.float64)) / pixels.size
        self.count += 1
        self._write_header()
        self._stream.flush()
        return self.count - 1

    def read(self, section: int) -> NDArray[Any]:
        """Read one image, top row first.

        Raises
        ------
        MrcError
            No such section, or the file ends before its data do.
        """
        if not 0 <= section < self.count:
            raise MrcError(f"section {section} is not in {self.path.name}, which has {self.count}")
        self._stream.seek(HEADER_BYTES + self.extended_bytes + section * self.image_bytes)
        data = self._stream.read(self.image_bytes)
        if len(data) < self.image_bytes:
            raise MrcError(f"{self.path.name} ends within section {section}")
        flat = np.frombuffer(data, dtype=MODES[self.mode])
        return flat.reshape(self.rows, self.columns)[::-1].copy()

    def tilt_deg(self, section: int) -> float | None:
        """Tilt angle of a section from the extended header, None if it keeps none."""
        if not self.flags & _TILT or not self.section_bytes:
            return None
        self._stream.seek(HEADER_BYTES + section * self.section_bytes)
        data = self._stream.read(2)
        return float(struct.unpack("<h", data)[0]) / 100.0 if len(data) == 2 else None

    def add_title(self, title: str) -> None:
        """Add a label; an eleventh one replaces the last."""
        self.titles = [*self.titles[:9], title]
        self._write_header()
        self._stream.flush()

    def close(self) -> None:
        """Close the file."""
        self._stream.close()

    def _pack_info(self, info: SectionInfo) -> bytes:
        out = b""
        if self.flags & _TILT:
            out += struct.pack("<h", _round(info.tilt_deg * 100.0))
        if self.flags & _PIECE:
            x, y, z = info.piece
            out += struct.pack("<HHh", x & 0xFFFF, y & 0xFFFF, z)
        if self.flags & _STAGE:
            out += struct.pack("<hh", *(_round(25.0 * value) for value in info.stage_um))
        if self.flags & _MAG:
            out += struct.pack("<h", _round(info.magnification / 100.0))
        if self.flags & _INTENSITY:
            out += struct.pack("<h", _round(info.intensity * 25000.0))
        if self.flags & _DOSE:
            out += struct.pack("<hh", *dose_words(info.dose_e_per_a2))
        return out

    def _write_header(self) -> None:
        nx, ny, nz = self.columns, self.rows, self.count
        statistics = (self._minimum, self._maximum, self._sum / nz) if nz else (0.0, 0.0, 0.0)
        head = struct.pack("<10i", nx, ny, nz, self.mode, 0, 0, 0, nx, ny, nz)
        head += struct.pack("<6f", *(n * self.pixel_a for n in (nx, ny, nz)), 90.0, 90.0, 90.0)
        head += struct.pack("<3i3fii", 1, 2, 3, *statistics, 0, self.extended_bytes)
        version = 0 if self.mode in (0, 16) else 20140
        head += struct.pack("<8x4si16x2h20x", b"SERI", version, self.section_bytes, self.flags)
        head += struct.pack(
            "<2i12x24x12x4s4Bfi", _IMOD_STAMP, 0, b"MAP ", 68, 68, 0, 0, -1.0, len(self.titles)
        )
        labels = b"".join(title.encode("ascii", "replace")[:80].ljust(80) for title in self.titles)
        self._stream.seek(0)
        self._stream.write(head + labels.ljust(800, b"\0"))

    def _read_header(self) -> None:
        head = self._stream.read(HEADER_BYTES)
        if len(head) < HEADER_BYTES or head[208:211] != b"MAP":
            raise MrcError(f"{self.path.name} is not an MRC file")
        self.columns, self.rows, self.count, self.mode = struct.unpack_from("<4i", head, 0)
        if self.mode not in MODES or min(self.columns, self.rows) <= 0 or self.count < 0:
            raise MrcError(f"{self.path.name} has a header that cannot be used")
        mx, width_a = struct.unpack_from("<i", head, 28)[0], struct.unpack_from("<f", head, 40)[0]
        self.pixel_a = width_a / mx if mx > 0 and width_a > 0 else 1.0
        minimum, maximum, mean = struct.unpack_from("<3f", head, 76)
        self._minimum, self._maximum, self._sum = minimum, maximum, mean * self.count
        self.extended_bytes = struct.unpack_from("<i", head, 92)[0]
        seri = head[104:108] == b"SERI"
        self.flags = struct.unpack_from("<h", head, 130)[0] if seri else 0
        labels = max(0, min(10, struct.unpack_from("<i", head, 220)[0]))
        self.titles = [
            head[224 + 80 * n : 304 + 80 * n].decode("ascii", "replace").rstrip() for n in range(labels)
        ]
        self._stream.seek(0, 2)
        if self._stream.tell() < HEADER_BYTES + self.extended_bytes + self.count * self.image_bytes:
            raise MrcError(f"{self.path.name} is shorter than its header says")
