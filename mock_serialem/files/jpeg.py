"""A grey image as a baseline JPEG file."""

from __future__ import annotations

import struct

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from mock_serialem.files.bits import bits_of

Integers = NDArray[np.int64]

_SIDE = 8
_ROWS, _COLUMNS = np.indices((_SIDE, _SIDE)).reshape(2, -1)
_ZIGZAG = np.lexsort((np.where((_ROWS + _COLUMNS) % 2, _ROWS, _COLUMNS), _ROWS + _COLUMNS))
"""Places in a block (row by row) in the order of the file: along the diagonals, to and fro."""

_STEPS = (3 + _ROWS + _COLUMNS)[_ZIGZAG]
"""Quantisation: fine, and coarser for high frequencies."""

_DC_SYMBOLS = list(range(12))
_AC_SYMBOLS = [0x00, 0xF0, *(run << 4 | size for run in range(16) for size in range(1, 11))]
_DC_BITS, _AC_BITS = 4, 8
"""All codes of a table are equally long, so that the n-th symbol has the code n."""

_AC_CODES = np.zeros(256, np.int64)
_AC_CODES[_AC_SYMBOLS] = np.arange(len(_AC_SYMBOLS))

_BLOCKS_AT_ONCE = 4096


def jpeg_bytes(levels: NDArray[np.uint8]) -> bytes:
    """Encode (rows, columns) of bytes, top row first."""
    rows, columns = levels.shape
    padded = (
        np.pad(levels, ((0, -rows % _SIDE), (0, -columns % _SIDE)), mode="edge").astype(np.float32) - 128.0
    )
    blocks = (
        padded.reshape(padded.shape[0] // _SIDE, _SIDE, -1, _SIDE).swapaxes(1, 2).reshape(-1, _SIDE, _SIDE)
    )
    waves = scipy.fft.dctn(blocks, axes=(1, 2), norm="ortho").reshape(-1, _SIDE * _SIDE)[:, _ZIGZAG]
    numbers = np.rint(waves / _STEPS).astype(np.int64)
    numbers[:, 1:] = np.clip(numbers[:, 1:], -1023, 1023)
    steps = np.diff(numbers[:, 0], prepend=0)
    parts = [
        _bits(numbers[first : first + _BLOCKS_AT_ONCE], steps[first : first + _BLOCKS_AT_ONCE])
        for first in range(0, len(numbers), _BLOCKS_AT_ONCE)
    ]
    # The last byte is filled up with ones.
    bits = np.concatenate([*parts, np.ones(-sum(map(len, parts)) % 8, np.uint8)])
    body = np.packbits(bits).tobytes().replace(b"\xff", b"\xff\x00")
    return b"\xff\xd8" + _head(rows, columns) + body + b"\xff\xd9"


def _head(rows: int, columns: int) -> bytes:
    tables = bytes([0]) + bytes(_STEPS.tolist())
    frame = struct.pack(">BHHBBBB", 8, rows, columns, 1, 1, 0x11, 0)
    return (
        _segment(0xE0, b"JFIF\0" + struct.pack(">BBBHHBB", 1, 1, 0, 1, 1, 0, 0))
        + _segment(0xDB, tables)
        + _segment(0xC0, frame)
        + _segment(0xC4, bytes([0x00]) + _code_table(_DC_SYMBOLS, _DC_BITS))
        + _segment(0xC4, bytes([0x10]) + _code_table(_AC_SYMBOLS, _AC_BITS))
        + _segment(0xDA, bytes([1, 1, 0x00, 0, 63, 0]))
    )


def _segment(marker: int, data: bytes) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">H", len(data) + 2) + data


def _code_table(symbols: list[int], bits: int) -> bytes:
    return bytes(len(symbols) if length == bits else 0 for length in range(1, 17)) + bytes(symbols)


def _size_and_extra(values: Integers) -> tuple[Integers, Integers]:
    """Bits that a value needs, and those bits: a negative one is written as one less, in so many bits."""
    sizes = np.frexp(np.abs(values).astype(np.float64))[1].astype(np.int64)
    return sizes, np.where(values < 0, values + (1 << sizes) - 1, values)


def _bits(numbers: Integers, steps: Integers) -> NDArray[np.uint8]:
    """Bits of some blocks: the step of the mean, then each number that is not zero with the zeros before it."""
    count = len(numbers)
    block, place = np.nonzero(numbers[:, 1:])
    place = place + 1
    fresh = np.diff(block, prepend=-1) > 0
    before = np.where(fresh, 0, np.roll(place, 1))
    zeros = place - before - 1
    dc_size, dc_extra = _size_and_extra(steps)
    size, extra = _size_and_extra(numbers[block, place])
    symbols = _AC_CODES[(zeros % 16) << 4 | size]
    last = np.zeros(count, np.int64)
    np.maximum.at(last, block, place)
    open_ended = np.flatnonzero(last < 63)
    skips = zeros // 16
    skipped = np.repeat(np.arange(len(zeros)), skips)
    # Sorted by block, place, and sixteen zeros before the number that they belong to.
    keys = [np.arange(count) * 256, block * 256 + place * 2 + 1, block[skipped] * 256 + place[skipped] * 2]
    codes = [dc_size << dc_size | dc_extra, symbols << size | extra, np.full(len(skipped), _AC_CODES[0xF0])]
    lengths = [_DC_BITS + dc_size, _AC_BITS + size, np.full(len(skipped), _AC_BITS)]
    keys.append(open_ended * 256 + 255)
    codes.append(np.full(len(open_ended), _AC_CODES[0x00]))
    lengths.append(np.full(len(open_ended), _AC_BITS))
    order = np.argsort(np.concatenate(keys), kind="stable")
    return bits_of(np.concatenate(codes)[order], np.concatenate(lengths)[order])
