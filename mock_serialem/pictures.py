"""Pixels in and out of buffers, as the module's own image functions move them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mock_serialem.errors import CommandError
from mock_serialem.image import Image
from mock_serialem.processing import is_patch

if TYPE_CHECKING:
    from mock_serialem.session import Session

FORMATS = ("B", "h", "H", "f")
"""Item formats that images may have: unsigned byte, signed and unsigned 16 bit, 32-bit float."""


def buffer_pixels(session: Session, name: str) -> NDArray[Any]:
    """Copy of a buffer's pixels, top row first; a kinematic patch is repeated over the whole image.

    Raises
    ------
    CommandError
        The name is not a capital letter A to T or AF to HF, or the buffer is empty.
    """
    good = (len(name) == 1 and "A" <= name <= "T") or (
        len(name) == 2 and name[1] == "F" and "A" <= name[0] <= "H"
    )
    if not good:
        raise CommandError(f"{name!r} is not the letter of an image buffer")
    with session.lock:
        image = session.buffers.peek(name)
        if image is None:
            raise CommandError(f"There is no image in buffer {name}")
        return _whole(image)


def _whole(image: Image) -> NDArray[Any]:
    """Copy with as many pixels as the program says the image has, which scripts rely on."""
    if not is_patch(image):
        return image.pixels.copy()
    columns, rows = image.size_px
    patch = image.pixels
    times = (-(-rows // patch.shape[0]), -(-columns // patch.shape[1]))
    return np.ascontiguousarray(np.tile(patch, times)[:rows, :columns])


def put_pixels(
    session: Session,
    pixels: NDArray[Any],
    name: str,
    columns: int = 0,
    rows: int = 0,
    base: str = "",
    more_binning: int = 0,
    capture_flag: int = -1,
) -> None:
    """Put an array into a buffer; A rolls first.

    Parameters
    ----------
    session : Session
    pixels : array
        Two-dimensional, or flat with `columns` and `rows` given.
    name : str
        Target buffer.
    columns, rows : int
        Size; 0 takes the array's shape.
    base : str
        Buffer whose metadata are copied; default the target's own.
    more_binning : int
        Pixels of the base per pixel of the array, 0 or 1 for the same.
    capture_flag : int
        Camera set index of the new image, -1 for a processed one.

    Raises
    ------
    CommandError
        Wrong type, size or buffer.
    """
    if pixels.dtype.char not in FORMATS:
        raise CommandError(f"An image cannot have elements of type {pixels.dtype}")
    shape = (rows or pixels.shape[0], columns or pixels.shape[-1])
    if pixels.size != shape[0] * shape[1] or pixels.size == 0:
        raise CommandError(f"An array of {pixels.size} elements is not an image of {shape[1]} x {shape[0]}")
    with session.lock:
        buffers = session.buffers
        target = buffers.letter(name)
        source = buffers.get(base) if base else buffers.peek(target)
        image = _image_like(source, np.array(pixels.reshape(shape)), max(1, more_binning))
        image.camera_set = capture_flag
        if target == "A":
            buffers.push(image)
        else:
            buffers.put(target, image)
        session.keep()


def _image_like(source: Image | None, pixels: NDArray[Any], binning: int) -> Image:
    """An image with the metadata of `source`, or none."""
    rows, columns = pixels.shape
    if source is None:
        return Image(pixels, (columns, rows), processed=True)
    return source.with_pixels(pixels, (columns, rows), shrink=float(binning))
