"""Images brought to the scale and rotation of another magnification or image."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import scipy.ndimage

from mock_serialem.commands import command
from mock_serialem.errors import CommandError
from mock_serialem.image import Image
from mock_serialem.processing import is_patch
from mock_serialem.session import Session


def transformed(
    image: Image,
    pixel_um: float,
    rotation_deg: float,
    size_px: tuple[int, int],
    centre_px: tuple[float, float],
) -> Image:
    """Resample an image.

    Parameters
    ----------
    image : Image
    pixel_um : float
        Of the result.
    rotation_deg : float
        Of the tilt axis in the result, from its X axis counter-clockwise.
    size_px : tuple of int
        Columns and rows of the result.
    centre_px : tuple of float
        Pixel (Y down) of the image that comes into the centre.
    """
    if image.pixel_um <= 0.0 or pixel_um <= 0.0:
        raise CommandError("The pixel sizes of the images are not known")
    scale = pixel_um / image.pixel_um
    made = image.with_pixels(image.pixels, size_px, shrink=scale, centre_px=centre_px)
    turn = math.radians(rotation_deg - image.rotation_deg)
    if not is_patch(image):
        c, s = math.cos(turn), math.sin(turn)
        # From (row, column) of the result to those of the image; with Y down a counter-clockwise turn has this sign.
        matrix = scale * np.array([[c, s], [-s, c]])
        middle = np.array([0.5 * size_px[1], 0.5 * size_px[0]])
        offset = np.array([centre_px[1], centre_px[0]]) - matrix @ middle
        filled = scipy.ndimage.affine_transform(
            image.pixels.astype(np.float32),
            matrix,
            offset,
            output_shape=(size_px[1], size_px[0]),
            order=1,
            cval=float(image.pixels.mean()),
        )
        made.pixels = filled if image.pixels.dtype.kind == "f" else np.rint(filled).astype(image.pixels.dtype)
    made.rotation_deg = rotation_deg
    if made.shot is not None:
        pose = dataclasses.replace(
            made.shot.pose, rotation_deg=made.shot.pose.rotation_deg + math.degrees(turn)
        )
        made.shot = dataclasses.replace(
            made.shot, pose=pose, pixels=made.pixels, rotation_deg=made.shot.rotation_deg + math.degrees(turn)
        )
    return made


def _deliver(session: Session, image: Image, out: str) -> None:
    buffers = session.buffers
    if out and buffers.letter(out) != "A":
        buffers.put(buffers.letter(out), image)
    else:
        buffers.push(image)


def _centre(image: Image, x: float, y: float) -> tuple[float, float]:
    if x < 0.0 or y < 0.0:
        return 0.5 * image.size_px[0], 0.5 * image.size_px[1]
    return x, y


@command("TransformToMatchBuffer")
def transform_to_match(
    session: Session,
    first: str,
    second: str,
    out: str = "",
    x: float = -1.0,
    y: float = -1.0,
    nx: int = 0,
    ny: int = 0,
) -> None:
    """Bring one image to scale, rotation and size of another, or to a size of one's own."""
    image, other = session.buffers.get(first), session.buffers.get(second)
    size = (nx if nx > 0 else other.size_px[0], ny if ny > 0 else other.size_px[1])
    made = transformed(image, other.pixel_um, other.rotation_deg, _legal(size), _centre(image, x, y))
    made.mag_index, made.magnification = other.mag_index, other.magnification
    _deliver(session, made, out)


@command("TransformToOtherMag")
def transform_to_mag(
    session: Session,
    buffer: str,
    mag_index: int,
    out: str = "",
    x: float = -1.0,
    y: float = -1.0,
    nx: int = 0,
    ny: int = 0,
    binning: int = 0,
    camera: int = 0,
) -> None:
    """Bring an image to scale and rotation of another magnification, at its own binning or a given one."""
    image = session.buffers.get(buffer)
    mag = next((each for each in session.scope.magnifications if each.index == mag_index), None)
    if mag is None:
        raise CommandError(f"There is no magnification with index {mag_index}")
    world = session.world
    pixel = world.pixel_um(mag_index) * (binning if binning > 0 else max(1.0, image.binning))
    size = (nx if nx > 0 else image.size_px[0], ny if ny > 0 else image.size_px[1])
    made = transformed(image, pixel, world.rotation_deg(mag_index), _legal(size), _centre(image, x, y))
    made.mag_index, made.magnification = mag_index, mag.magnification
    made.binning = float(binning) if binning > 0 else image.binning
    _deliver(session, made, out)


def _legal(size: tuple[int, int]) -> tuple[int, int]:
    if max(size) > 32768:
        raise CommandError(f"An image of {size[0]} x {size[1]} is too large")
    return size
