"""Image processing on buffers; every result keeps the way back to its exposure, so that it can be aligned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from mock_serialem.errors import CommandError
from mock_serialem.image import Image

if TYPE_CHECKING:
    from mock_serialem.session import Session


def is_patch(image: Image) -> bool:
    """Tell whether the pixels are only a stand-in for an image of another size (kinematic fidelity)."""
    return image.pixels.shape != (image.size_px[1], image.size_px[0])


def crop(image: Image, centre_px: tuple[float, float], size_px: tuple[int, int]) -> Image:
    """Cut out (columns, rows) around a pixel (Y down), as much of it as lies inside the image.

    Raises
    ------
    CommandError
        The centre lies outside the image.
    """
    columns, rows = image.size_px
    # The largest piece of that size or less that is centred and lies inside.
    width = int(min(size_px[0], 2.0 * centre_px[0], 2.0 * (columns - centre_px[0])))
    height = int(min(size_px[1], 2.0 * centre_px[1], 2.0 * (rows - centre_px[1])))
    if width < 1 or height < 1:
        raise CommandError("The area to crop lies outside the image")
    x0, y0 = int(centre_px[0] - width / 2.0), int(centre_px[1] - height / 2.0)
    x1, y1 = x0 + width, y0 + height
    pixels = image.pixels if is_patch(image) else image.pixels[y0:y1, x0:x1].copy()
    return image.with_pixels(pixels, (x1 - x0, y1 - y0), centre_px=((x0 + x1) / 2.0, (y0 + y1) / 2.0))


def reduce(image: Image, factor: float) -> Image:
    """Shrink an image by averaging; a factor that is no integer averages the nearest whole number of pixels."""
    if factor < 1.0:
        raise CommandError(f"An image cannot be reduced by {factor:g}")
    size = (max(1, int(image.size_px[0] / factor)), max(1, int(image.size_px[1] / factor)))
    # What does not fill a pixel of the result is left off at right and bottom.
    centre = (0.5 * factor * size[0], 0.5 * factor * size[1])
    if is_patch(image):
        return image.with_pixels(image.pixels, size, shrink=factor, centre_px=centre)
    span = max(1, int(factor))
    if factor == span:
        total = _block_sums(image.pixels[: span * size[1], : span * size[0]], span)
    else:
        total = _spaced_sums(image, size, factor)
    pixels = _like(total / span**2, image.pixels)
    return image.with_pixels(pixels, size, shrink=factor, centre_px=centre)


def _block_sums(pixels: NDArray[Any], span: int) -> NDArray[Any]:
    """Sums of blocks of `span` x `span` pixels that fill an image."""
    # Pixels have 16 bits at most: int32 is enough for blocks of 180 x 180.
    kind = np.int32 if pixels.dtype.kind in "iu" else np.float64
    down = np.add.reduceat(pixels, np.arange(0, pixels.shape[0], span), axis=0, dtype=kind)
    sums: NDArray[Any] = down.reshape(down.shape[0], -1, span).sum(axis=2)
    return sums


def _spaced_sums(image: Image, size: tuple[int, int], factor: float) -> NDArray[Any]:
    """Sums of as many whole pixels as a factor that is no integer has."""
    rows = (np.arange(size[1]) * factor).astype(int)
    columns = (np.arange(size[0]) * factor).astype(int)
    span = int(factor)
    total = np.zeros((size[1], size[0]), np.float64)
    for row in range(span):
        lines = image.pixels[np.minimum(rows + row, image.size_px[1] - 1)]
        for column in range(span):
            total += lines[:, np.minimum(columns + column, image.size_px[0] - 1)]
    return total


def _like(values: NDArray[Any], model: NDArray[Any]) -> NDArray[Any]:
    """Round and clip to the type of another array."""
    if model.dtype.kind == "f":
        return values.astype(np.float32)
    limits = np.iinfo(model.dtype)
    clipped: NDArray[Any] = np.clip(np.rint(values), limits.min, limits.max).astype(model.dtype)
    return clipped


def rotate90(image: Image, clockwise: bool) -> Image:
    """Turn by 90 degrees as displayed."""
    pixels = np.ascontiguousarray(np.rot90(image.pixels, -1 if clockwise else 1))
    made = image.with_pixels(pixels, (image.size_px[1], image.size_px[0]))
    made.rotation_deg += -90.0 if clockwise else 90.0
    return made


def combine(first: Image, second: Image, how: str) -> Image:
    """Add, subtract, multiply or divide two images of the same size; the result is float.

    Raises
    ------
    CommandError
        The sizes differ.
    """
    if first.pixels.shape != second.pixels.shape:
        raise CommandError("The two images are not the same size")
    a, b = first.pixels.astype(np.float32), second.pixels.astype(np.float32)
    if how == "add":
        pixels = a + b
    elif how == "subtract":
        pixels = a - b
    elif how == "multiply":
        pixels = a * b
    else:
        pixels = np.divide(a, b, out=np.zeros_like(a), where=b != 0)
    return first.with_pixels(pixels, first.size_px)


def scale(image: Image, factor: float, offset: float, keep_type: bool) -> Image:
    """Multiply and add."""
    values = image.pixels.astype(np.float32) * np.float32(factor) + np.float32(offset)
    return image.with_pixels(_like(values, image.pixels) if keep_type else values, image.size_px)


def to_bytes(image: Image, low: float | None, high: float | None) -> Image:
    """Scale linearly so that `low` becomes 0 and `high` 255; defaults are minimum and maximum."""
    values = image.pixels.astype(np.float32)
    black = float(values.min()) if low is None else low
    white = float(values.max()) if high is None else high
    span = white - black or 1.0
    pixels = np.clip(np.rint((values - black) * 255.0 / span), 0, 255).astype(np.uint8)
    return image.with_pixels(pixels, image.size_px)


def power_spectrum(image: Image, binning: int) -> Image:
    """Logarithm of the power spectrum as bytes, zero frequency in the middle."""
    source = reduce(image, binning) if binning > 1 else image
    side = min(source.pixels.shape)
    data = source.pixels[:side, :side].astype(np.float32)
    power = np.abs(scipy.fft.fftshift(scipy.fft.fft2(data - data.mean(), workers=1))) ** 2
    logged = np.log1p(power)
    top = float(logged.max()) or 1.0
    nominal = min(source.size_px)
    return image.with_pixels(np.rint(logged * (255.0 / top)).astype(np.uint8), (nominal, nominal))


def band_filter(image: Image, sigma1: float, radius1: float, radius2: float, sigma2: float) -> Image:
    """Gaussian-edged band filter in reciprocal pixels."""
    data = image.pixels.astype(np.float32)
    fy = scipy.fft.fftfreq(data.shape[0])[:, None]
    fx = scipy.fft.rfftfreq(data.shape[1])[None, :]
    radius = np.hypot(fx, fy)
    gain = np.ones_like(radius)
    if sigma2:
        beyond = np.maximum(radius - radius2, 0.0)
        gain *= np.exp(-((beyond / sigma2) ** 2) / 2.0)
    if sigma1:
        below = np.maximum(radius1 - radius, 0.0)
        gain *= (
            np.exp(-((below / sigma1) ** 2) / 2.0)
            if radius1
            else 1.0 - np.exp(-((radius / sigma1) ** 2) / 2.0)
        )
    made = scipy.fft.irfft2(scipy.fft.rfft2(data) * gain, s=data.shape).astype(np.float32)
    return image.with_pixels(made, image.size_px)


def show_correlation(session: Session, image: Image, reference: Image) -> None:
    """Put the correlation of two images, zero shift in the middle, into A.

    Raises
    ------
    CommandError
        The sizes differ.
    """
    if image.pixels.shape != reference.pixels.shape:
        raise CommandError("The two images are not the same size")
    first = image.pixels.astype(np.float32) - image.pixels.mean()
    second = reference.pixels.astype(np.float32) - reference.pixels.mean()
    product = scipy.fft.rfft2(second) * np.conj(scipy.fft.rfft2(first))
    pixels = scipy.fft.fftshift(scipy.fft.irfft2(product, s=first.shape)).astype(np.float32)
    session.spend(session.scope.align_s, "align")
    session.buffers.push(image.with_pixels(pixels, image.size_px))
