"""The extended header of a stack: what belongs to which section.

Several programs keep a record per section there, each in its own form. Records move with their sections; what has
no record per section, or is of an unknown form, stays as it is.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from pacetomo.files.stack import StackLayout

_SERIALEM_ITEMS = ((1, 2), (2, 6), (4, 4), (8, 2), (16, 2), (32, 4))
"""Flag and bytes of each item of SerialEM's records, in their order."""

_TILT, _PIECE = 1, 2
_FEI_TYPES = (b"FEI1", b"FEI2")
_COUNTED_TYPES = (b"AGAR", b"MRCO", b"    ", b"\0\0\0\0")
"""Types in which the numbers of integers and reals per section stand in the header; older files name no type."""


class Records(NamedTuple):
    """Records of an extended header: bytes per section (0: none), and whether the form is known."""

    record_bytes: int
    is_known: bool


def find_records(layout: StackLayout) -> Records:
    """Return how the extended header of a stack is divided among its sections."""
    if not layout.extended or not any(layout.extended):
        return Records(0, True)
    kind = layout.header[104:108]
    size = None
    if kind in _FEI_TYPES and len(layout.extended) >= 4:
        size = struct.unpack_from(layout.byte_order + "i", layout.extended)[0]
    elif kind == b"CCP4":  # symmetry operators of the whole file
        return Records(0, True)
    elif kind == b"SERI" or kind in _COUNTED_TYPES:
        first, second = struct.unpack_from(layout.byte_order + "2h", layout.header, 128)
        if kind == b"SERI" or first == _items_bytes(second):
            size = first
        else:
            size = 4 * (first + second)
    if size is None or size <= 0 or size * layout.sections > len(layout.extended):
        return Records(0, False)
    return Records(size, True)


def reordered(layout: StackLayout, order: Sequence[int]) -> bytes:
    """Return the extended header for sections in another order; `order` names the present section of each new one."""
    size = find_records(layout).record_bytes
    old = layout.extended
    moved = b"".join(old[size * section : size * (section + 1)] for section in order)
    return moved + old[len(moved) :]


def selected(layout: StackLayout, kept: Sequence[int]) -> bytes:
    """Return the extended header for some of the sections, of the same size; what belonged to others is 0."""
    size = find_records(layout).record_bytes
    moved = reordered(layout, kept)
    first, end = size * len(kept), size * layout.sections
    return moved[:first] + bytes(end - first) + moved[end:]


def tilts_deg(layout: StackLayout) -> tuple[float, ...] | None:
    """Return the tilt of each section (degrees) from SerialEM's records; None if they do not tell."""
    size = find_records(layout).record_bytes
    if not size or not _serialem_flags(layout) & _TILT:
        return None
    return tuple(
        struct.unpack_from(layout.byte_order + "h", layout.extended, size * section)[0] / 100.0
        for section in range(layout.sections)
    )


def has_pieces(layout: StackLayout) -> bool:
    """Whether the sections are pieces of a montage, by SerialEM's records."""
    return bool(_serialem_flags(layout) & _PIECE)


def piece_coordinates(layout: StackLayout) -> tuple[tuple[int, int, int], ...] | None:
    """Return where each section lies in a montage: X and Y (pixels, Y up) and number of the montage.

    None if SerialEM's records do not tell.
    """
    size, flags = find_records(layout).record_bytes, _serialem_flags(layout)
    if not size or not flags & _PIECE:
        return None
    before = sum(width for flag, width in _SERIALEM_ITEMS if flag < _PIECE and flags & flag)
    return tuple(
        struct.unpack_from(layout.byte_order + "HHh", layout.extended, size * section + before)
        for section in range(layout.sections)
    )


def _serialem_flags(layout: StackLayout) -> int:
    """Flags of SerialEM's records; 0 for those of other programs."""
    first, flags = struct.unpack_from(layout.byte_order + "2h", layout.header, 128)
    kind = layout.header[104:108]
    is_serialem = kind == b"SERI" or (kind in _COUNTED_TYPES and first > 0)
    return int(flags) if is_serialem and first == _items_bytes(flags) else 0


def _items_bytes(flags: int) -> int:
    return sum(size for flag, size in _SERIALEM_ITEMS if flags & flag)
