"""Binning a finished series: stack, header and metadata together.

By Fourier cropping, which keeps all detail up to the new Nyquist frequency and lets none beyond it through, or by
averaging blocks of pixels. Both keep the mean of the image and its centre in place. Images pass through in strips of
rows and columns, so that one large image needs less memory than two of itself.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import scipy.fft
from numpy.typing import DTypeLike, NDArray

from pacetomo.errors import StackError
from pacetomo.files.atomic import Wait
from pacetomo.files.exchange import (
    Progress,
    exchange,
    fingerprint,
    keep_copy,
    mdoc_of,
    recover,
    write_part,
)
from pacetomo.files.mdoc import Mdoc, MdocSection, format_mdoc
from pacetomo.files.sorting import Done, read_metadata, refuse_montage
from pacetomo.files.stack import StackHeader, StackLayout, read_header, read_layout

UNBINNED = "unbinned"
"""Subfolder for the stack as it was recorded, with its metadata."""

METHODS = {"fourier": "Fourier cropping", "average": "averaging"}

_STRIP_PX = 1 << 20
_TITLE = re.compile(r"pacetomo: binned by (\d+)")
_BINNING = re.compile(r"(?<=binning = )\d+(\.\d+)?")
_SCALED_KEYS = ("PixelSpacing", "RefinedPixelSpacing", "Binning")

Rows = Callable[[int, int], NDArray[Any]]
"""Gives the rows of an image from one number to below another."""


class _Range(NamedTuple):
    """Smallest, largest and mean value of an image."""

    low: float
    high: float
    mean: float


def binned_by(stack: Path, wait: Wait | None = None) -> int | None:
    """Return the factor by which a stack has been binned by `bin_series`, from its titles; None if it has not.

    Raises
    ------
    StackError
        If the stack cannot be read.
    """
    for label in read_header(stack, wait).labels:
        found = _TITLE.match(label)
        if found is not None:
            return int(found[1])
    return None


def bin_series(
    stack: Path,
    factor: int,
    method: str = "fourier",
    keep: bool = True,
    progress: Progress | None = None,
    wait: Wait | None = None,
) -> Done:
    """Bin a stack and write the pixel size into its metadata; type and order of the images stay.

    Columns and rows that do not make up a whole new pixel are left out evenly at both sides.

    Parameters
    ----------
    stack : Path
        The stack.
    factor : int
        Pixels along each side of a new one, from 2.
    method : str
        "fourier" or "average".
    keep : bool
        Whether the stack as it was is kept in the folder ``unbinned`` beside it.
    progress, wait
        As for `pacetomo.files.sorting.sort_series`.

    Raises
    ------
    PaceError
        If the stack has been binned before or cannot be. It is then as it was.
    """
    recover(stack, wait)
    earlier = binned_by(stack, wait)
    if earlier is not None:
        raise StackError(f"{stack}: has been binned by {earlier} before; bin the stack it was made from")
    before = fingerprint(stack, wait)
    layout, header, mdoc = read_layout(stack, wait), read_header(stack, wait), read_metadata(stack, wait)
    refuse_montage(stack, layout, mdoc)
    columns, rows = layout.columns // factor, layout.rows // factor
    if factor < 2 or not columns or not rows:
        raise StackError(f"{stack}: {layout.columns} x {layout.rows} pixels cannot be binned by {factor}")
    if mdoc is not None and len(mdoc.images) != layout.sections:
        raise StackError(
            f"{stack}: the stack has {layout.sections} sections and its metadata {len(mdoc.images)}"
        )
    title = f"pacetomo: binned by {factor} ({METHODS[method]})"
    ranges: list[_Range] = []

    def write(stream: BinaryIO) -> None:
        stream.write(layout.header + layout.extended)
        with stack.open("rb") as source:
            for section in range(layout.sections):
                strips = _binned(source, header, section, factor, method, stack)
                ranges.append(_write_strips(stream, strips))
                if progress is not None:
                    progress(section + 1, layout.sections)
        stream.seek(0)
        stream.write(_new_header(layout, factor, ranges, title))

    size = layout.data_start + layout.sections * columns * rows * np.dtype(header.dtype).itemsize
    part = write_part(stack, size, write, wait)
    folder = stack.parent / UNBINNED
    if mdoc is not None and keep:
        keep_copy(mdoc_of(stack), folder, wait)
    data = None if mdoc is None else _new_mdoc(mdoc, factor, (columns, rows), ranges, title)
    exchange(stack, part, before, data, folder / stack.name if keep else None, wait)
    kept = f", the recorded ones are in {UNBINNED}" if keep else ""
    warnings = ("the extended header is kept as it was",) if layout.header[104:107] == b"FEI" else ()
    return Done(True, f"{layout.sections} images binned by {factor} ({METHODS[method]}){kept}", warnings)


def bin_image(image: NDArray[Any], factor: int, method: str = "fourier") -> NDArray[np.float32]:
    """Return an image, shape (rows, columns), binned by a factor; without rounding.

    Examples
    --------
    >>> bin_image(np.array([[1, 3, 9], [5, 7, 9]]), 2, "average")
    array([[4.]], dtype=float32)
    """
    strips = _STRIPS[method](lambda first, end: image[first:end], image.shape, factor)
    return np.concatenate(list(strips))


def _binned(
    source: BufferedReader, header: StackHeader, section: int, factor: int, method: str, stack: Path
) -> Iterator[NDArray[Any]]:
    """Strips of rows of a binned section, in the type of the stack."""
    dtype = np.dtype(header.dtype)

    def rows(first: int, end: int) -> NDArray[Any]:
        source.seek(
            header.data_start + section * header.section_bytes + first * header.columns * dtype.itemsize
        )
        data = np.frombuffer(source.read((end - first) * header.columns * dtype.itemsize), dtype)
        if dtype.kind == "f" and not np.isfinite(data).all():
            raise StackError(f"{stack}: section {section} holds values that are no numbers; it is not binned")
        return data.reshape(end - first, header.columns)

    for strip in _STRIPS[method](rows, (header.rows, header.columns), factor):
        yield _rounded(strip, dtype)


def _rounded(strip: NDArray[np.float32], dtype: DTypeLike) -> NDArray[Any]:
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return strip.astype(kind)
    limits = np.iinfo(kind)
    return np.clip(np.rint(strip), limits.min, limits.max).astype(kind)


def _write_strips(stream: BinaryIO, strips: Iterator[NDArray[Any]]) -> _Range:
    low, high, total, count = math.inf, -math.inf, 0.0, 0
    for strip in strips:
        stream.write(strip.tobytes())
        low, high = min(low, float(strip.min())), max(high, float(strip.max()))
        total += float(strip.sum(dtype=np.float64))
        count += strip.size
    return _Range(low, high, total / count)


# the two methods: rows of the image in, strips of rows of the binned one out


def _averaged(rows: Rows, shape: tuple[int, ...], factor: int) -> Iterator[NDArray[np.float32]]:
    high, wide = shape[0] // factor, shape[1] // factor
    top, left = (shape[0] - high * factor) // 2, (shape[1] - wide * factor) // 2
    step = max(1, _STRIP_PX // (factor * shape[1]))
    for first in range(0, high, step):
        end = min(first + step, high)
        strip = rows(top + first * factor, top + end * factor)[:, left : left + wide * factor]
        rows_summed = strip.reshape(end - first, factor, wide * factor).sum(axis=1, dtype=np.float32)
        yield rows_summed.reshape(end - first, wide, factor).sum(axis=2) / np.float32(factor * factor)


def _cropped(rows: Rows, shape: tuple[int, ...], factor: int) -> Iterator[NDArray[np.float32]]:
    high, wide = shape[0] // factor, shape[1] // factor
    top, left = (shape[0] - high * factor) // 2, (shape[1] - wide * factor) // 2
    full = high * factor
    spectra = np.empty((full, wide // 2 + 1), np.complex64)
    along_x = _shift(wide, factor)[: wide // 2 + 1]
    step = max(1, _STRIP_PX // shape[1])
    for first in range(0, full, step):
        end = min(first + step, full)
        strip = rows(top + first, top + end)[:, left : left + wide * factor].astype(np.float32)
        spectra[first:end] = scipy.fft.rfft(strip, axis=1)[:, : wide // 2 + 1] * along_x
    small = np.empty((high, wide // 2 + 1), np.complex64)
    along_y = _shift(high, factor)[:, np.newaxis]
    up = (high + 1) // 2  # frequencies 0, 1, … and as many negative ones, less one for an odd number
    step = max(1, _STRIP_PX // full)
    for first in range(0, wide // 2 + 1, step):
        columns = scipy.fft.fft(spectra[:, first : first + step], axis=0)
        kept = np.concatenate([columns[:up], columns[full - (high - up) :]]) * along_y
        small[:, first : first + step] = scipy.fft.ifft(kept, axis=0)
    step = max(1, _STRIP_PX // wide)
    for first in range(0, high, step):
        strip = scipy.fft.irfft(small[first : first + step], n=wide, axis=1)
        yield (strip / np.float32(factor * factor)).astype(np.float32, copy=False)


def _shift(count: int, factor: int) -> NDArray[np.complex64]:
    """Phases that bring the centre of the first block of pixels to the first new pixel.

    The Nyquist frequency of an even count is left out: it has no phase.
    """
    cycles = scipy.fft.fftfreq(count)
    phases = np.exp(2j * np.pi * cycles * (factor - 1) / (2 * factor))
    if count % 2 == 0:
        phases[count // 2] = 0.0
    rounded: NDArray[np.complex64] = phases.astype(np.complex64)
    return rounded


_STRIPS: dict[str, Callable[[Rows, tuple[int, ...], int], Iterator[NDArray[np.float32]]]] = {
    "fourier": _cropped,
    "average": _averaged,
}


# header and metadata


def _new_header(layout: StackLayout, factor: int, ranges: list[_Range], title: str) -> bytes:
    header, order = bytearray(layout.header), layout.byte_order
    sizes = layout.columns, layout.rows
    for axis, size in enumerate(sizes):
        grid = struct.unpack_from(order + "i", header, 28 + 4 * axis)[0]
        length = struct.unpack_from(order + "f", header, 40 + 4 * axis)[0]
        new = size // factor
        pixel = length / grid if grid > 0 else 0.0
        struct.pack_into(order + "i", header, 4 * axis, new)
        struct.pack_into(order + "i", header, 28 + 4 * axis, new)
        struct.pack_into(order + "f", header, 40 + 4 * axis, pixel * factor * new)
    if ranges:
        struct.pack_into(order + "3f", header, 76, *_total(ranges))
    struct.pack_into(order + "f", header, 216, -1.0)  # the deviation from the mean is not known any more
    count = min(max(struct.unpack_from(order + "i", header, 220)[0], 0), 10)
    for place in range(count):
        start = 224 + 80 * place
        text = header[start : start + 80].decode("latin-1")
        header[start : start + 80] = _with_binning(text, factor)[:80].ljust(80).encode("latin-1")
    place = min(count, 9)
    header[224 + 80 * place : 304 + 80 * place] = title.encode("ascii").ljust(80)
    struct.pack_into(order + "i", header, 220, place + 1)
    return bytes(header)


def _total(ranges: list[_Range]) -> _Range:
    return _Range(
        min(each.low for each in ranges),
        max(each.high for each in ranges),
        sum(each.mean for each in ranges) / len(ranges),
    )


def _new_mdoc(mdoc: Mdoc, factor: int, size: tuple[int, int], ranges: list[_Range], title: str) -> bytes:
    head = _scaled(mdoc.head, factor)
    if head.text("ImageSize") is not None:
        head = head.with_value("ImageSize", f"{size[0]} {size[1]}")
    images = []
    for image, found in zip(mdoc.images, ranges):
        new = _scaled(image, factor)
        if new.text("MinMaxMean") is not None:
            new = new.with_value("MinMaxMean", " ".join(f"{value:g}" for value in found))
        images.append(new)
    sections = tuple(_with_title(section, factor) for section in mdoc.sections)
    new_mdoc = replace(mdoc, head=head, sections=sections).with_images(images).with_title(title)
    return format_mdoc(new_mdoc).encode("utf-8", "surrogateescape")


def _scaled(section: MdocSection, factor: int) -> MdocSection:
    for key in _SCALED_KEYS:
        value = section.get_float(key)
        if value is not None:
            section = section.with_value(key, f"{value * factor:.6g}")
    return section


def _with_title(section: MdocSection, factor: int) -> MdocSection:
    """Return a title with the new binning in it; other sections as they are."""
    if section.kind != "T":
        return section
    name = _with_binning(section.name, factor)
    return replace(
        section, name=name, lines=(section.lines[0].replace(section.name, name), *section.lines[1:])
    )


def _with_binning(title: str, factor: int) -> str:
    """Return SerialEM's second title with the binning that a user would see.

    >>> _with_binning("    Tilt axis angle = 85.3, binning = 0.5  spot = 8  camera = 0", 4)
    '    Tilt axis angle = 85.3, binning = 2  spot = 8  camera = 0'
    """
    return _BINNING.sub(lambda found: f"{float(found[0]) * factor:g}", title)
