"""Shift between two images by filtered cross-correlation, as an alignment routine of the program finds it.

Only what a program knows is used: pixels, calibrated pixel size and rotation, nominal tilt. Both images are
brought to one raster, the reference is stretched across the tilt axis by the ratio of the cosines of the
tilts, extremes are clipped, edges tapered, a band passed. The highest peak within the limit is refined by a
parabola. Images of different magnification are compared as a picture and a small template, normalised place
by place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.fft
import scipy.ndimage
from numpy.typing import NDArray

from mock_serialem.sim.pose import plane_rotation
from mock_serialem.sim.shot import ShiftMeasurement, Shot

Floats32 = NDArray[np.float32]

WORKERS = 2
LONGEST_SIDE = 512
"""Images are reduced until their longer side is no more than this."""

CLIP_SD = 3.5
TAPER_SHARE = 0.08
HIGH_PASS_PX = 30.0
"""Wavelengths longer than about this many reduced pixels are taken out."""

LOW_PASS_PX = 3.0
SLOW_PX = 8.0
"""Width (Gaussian sigma) of what counts as slow change between images of different magnification."""

NOTHING = ShiftMeasurement(None, None, 0.0)


@dataclass(frozen=True, eq=False)
class Picture:
    """Reduced image: top row first, with its pixel (um), rotation and nominal tilt (degrees).

    `aside_px` is where the middle of these pixels lies in the whole image: right and up from its middle, in pixels of
    the picture. Blocks and cuts of odd sizes leave it up to a pixel away.
    """

    pixels: Floats32
    pixel_um: float
    rotation_deg: float
    tilt_deg: float
    aside_px: tuple[float, float] = (0.0, 0.0)


def reduced(shot: Shot, factor: int) -> Picture:
    """Mean of blocks of `factor` x `factor` pixels; ValueError without pixels."""
    if shot.pixels is None:
        raise ValueError(f"exposure {shot.number} has no pixels to correlate")
    rows, columns = (size // factor for size in shot.pixels.shape)
    top, left = ((size - factor * kept) // 2 for size, kept in zip(shot.pixels.shape, (rows, columns)))
    if factor == 1:
        pixels = shot.pixels.astype(np.float32)
    else:
        kept = shot.pixels[top : top + factor * rows, left : left + factor * columns]
        # Sums of counts as integers: fast, and int32 cannot overflow.
        kind = np.int32 if kept.dtype.kind in "iu" else np.float32
        summed = np.add.reduceat(kept, np.arange(0, factor * rows, factor), axis=0, dtype=kind)
        pixels = summed.reshape(rows, columns, factor).sum(axis=2).astype(np.float32)
    right = (left + 0.5 * (factor * columns - shot.pixels.shape[1])) / factor
    down = (top + 0.5 * (factor * rows - shot.pixels.shape[0])) / factor
    return Picture(pixels, shot.pixel_um * factor, shot.rotation_deg, shot.tilt_deg, (right, -down))


def _size(shot: Shot) -> tuple[int, ...]:
    """Rows and columns of the pixels there are."""
    return (1,) if shot.pixels is None else shot.pixels.shape


def measure(image: Shot, reference: Shot, limit_um: float | None) -> ShiftMeasurement:
    """Shift (um, specimen plane) by which `image`'s content must move to match `reference`.

    Parameters
    ----------
    image, reference : Shot
        With pixels; sizes, binnings and magnifications may differ.
    limit_um : float or None
        Largest shift looked for; None looks as far as three quarters of the image.

    Returns
    -------
    ShiftMeasurement
        Without a shift if one image is blank or no peak lies within the limit.
    """
    ratio = image.pixel_um / reference.pixel_um
    if 0.7 < ratio < 1.4 or image.setup.mag_index == reference.setup.mag_index:
        return _same_scale(image, reference, limit_um)
    if ratio < 1.0:
        return _template(image, reference, limit_um, image_is_template=True)
    return _template(reference, image, limit_um, image_is_template=False)


def _same_scale(image: Shot, reference: Shot, limit_um: float | None) -> ShiftMeasurement:
    pixel_um = max(image.pixel_um, reference.pixel_um)
    shots = (image, reference)
    factors = [max(1, round(pixel_um / shot.pixel_um)) for shot in shots]
    longest = max(min(max(_size(shot)) // factor for shot, factor in zip(shots, factors)), 1)
    further = max(1, math.ceil(longest / LONGEST_SIDE))
    first, second = (reduced(shot, factor * further) for shot, factor in zip(shots, factors))
    shape = tuple(min(a, b) for a, b in zip(first.pixels.shape, second.pixels.shape))
    moved = _cropped(first, (shape[0], shape[1]))
    still = _cropped(_matched(second, first), (shape[0], shape[1]))
    reach = None if limit_um is None else limit_um / first.pixel_um
    found = _peak_of(_conditioned(moved.pixels), _conditioned(still.pixels), reach)
    return _as_shift(found, moved, still.aside_px)


def _matched(reference: Picture, image: Picture) -> Picture:
    """Reference as it should look at the image's tilt, pixel size and rotation."""
    cosines = math.cos(math.radians(image.tilt_deg)) / math.cos(math.radians(reference.tilt_deg))
    stretch = np.diag([1.0, cosines if 0.5 < cosines < 2.0 else 1.0])
    to_specimen = plane_rotation(-reference.rotation_deg) * reference.pixel_um
    to_camera = plane_rotation(image.rotation_deg) / image.pixel_um
    forward = to_camera @ stretch @ to_specimen
    if np.abs(forward - np.eye(2)).max() < 2e-3:
        return reference
    pixels = _warped(reference.pixels, np.linalg.inv(forward), reference.pixels.shape)
    right, up = forward @ np.asarray(reference.aside_px)
    return Picture(pixels, image.pixel_um, image.rotation_deg, image.tilt_deg, (float(right), float(up)))


def _warped(pixels: Floats32, backward: NDArray[Any], shape: tuple[int, ...]) -> Floats32:
    """Resample about the centre; `backward` leads from new to old camera vectors (x right, y up)."""
    flip = np.array([[0.0, -1.0], [1.0, 0.0]])
    # Array vectors are (row, column) = (-y, x).
    matrix = flip @ backward @ flip.T
    old, new = ((np.array(size) - 1.0) / 2.0 for size in (pixels.shape, shape))
    warped: Floats32 = scipy.ndimage.affine_transform(
        pixels,
        matrix,
        old - matrix @ new,
        tuple(shape),
        order=1,
        mode="constant",
        cval=float(np.median(pixels)),
    )
    return warped


def _cropped(picture: Picture, shape: tuple[int, int]) -> Picture:
    top, left = ((size - wanted) // 2 for size, wanted in zip(picture.pixels.shape, shape))
    kept = picture.pixels[top : top + shape[0], left : left + shape[1]]
    right = picture.aside_px[0] + left + 0.5 * (shape[1] - picture.pixels.shape[1])
    up = picture.aside_px[1] - top - 0.5 * (shape[0] - picture.pixels.shape[0])
    return Picture(kept, picture.pixel_um, picture.rotation_deg, picture.tilt_deg, (right, up))


def _taper(count: int) -> Floats32:
    """Cosine rise and fall over a share of the length."""
    width = max(int(count * TAPER_SHARE), 2)
    ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(width) + 0.5) / width)
    window = np.ones(count, dtype=np.float32)
    window[:width], window[-width:] = ramp, ramp[::-1]
    return window


def _conditioned(pixels: Floats32) -> Floats32:
    """Zero mean, extremes clipped, edges tapered; all zero for a blank image."""
    mean, spread = float(pixels.mean()), float(pixels.std())
    if not spread > 0.0:
        return np.zeros_like(pixels)
    clipped = np.clip(pixels, mean - CLIP_SD * spread, mean + CLIP_SD * spread)
    clipped -= clipped.mean()
    clipped *= _taper(pixels.shape[0])[:, None] * _taper(pixels.shape[1])[None, :]
    return clipped


def _band(shape: tuple[int, int]) -> Floats32:
    """Gaussian band-pass over the coefficients of `rfft2`."""
    k2 = np.fft.fftfreq(shape[0])[:, None] ** 2 + np.fft.rfftfreq(shape[1])[None, :] ** 2
    low = np.exp(-k2 * LOW_PASS_PX**2 / 2.0)
    high = 1.0 - np.exp(-k2 * HIGH_PASS_PX**2 / 2.0)
    return (low * high).astype(np.float32)


def _peak_of(
    image: Floats32, reference: Floats32, reach_px: float | None
) -> tuple[float, float, float] | None:
    """Where the reference lies in the image: right, up (pixels) and height of the normalised peak."""
    rows, columns = image.shape
    pad = [
        min(size, math.ceil(0.75 * size if reach_px is None else reach_px) + 8) for size in (rows, columns)
    ]
    shape = (
        scipy.fft.next_fast_len(rows + pad[0], real=False),
        scipy.fft.next_fast_len(columns + pad[1], real=True),
    )
    band = _band(shape)
    spectra = [scipy.fft.rfft2(part, shape, workers=WORKERS) * band for part in (image, reference)]
    # Energy in the band, by Parseval; the conjugate half of each spectrum counts too.
    energy = math.prod(float(np.sum(spectrum.real**2 + spectrum.imag**2)) for spectrum in spectra)
    if not energy > 0.0:
        return None
    surface = scipy.fft.irfft2(spectra[0] * np.conj(spectra[1]), shape, workers=WORKERS)
    surface *= np.float32(shape[0] * shape[1] / 2.0 / math.sqrt(energy))
    reach = (pad[0] - 4.0, pad[1] - 4.0) if reach_px is None else (reach_px, reach_px)
    return _highest(surface, reach)


def _highest(surface: Floats32, reach: tuple[float, float]) -> tuple[float, float, float] | None:
    """Highest local maximum within an ellipse (rows, columns) about zero shift of a wrapped correlation."""
    half = [min(math.ceil(far) + 1, size // 2 - 1) for far, size in zip(reach, surface.shape)]
    window = np.roll(surface, (half[0], half[1]), axis=(0, 1))[: 2 * half[0] + 1, : 2 * half[1] + 1]
    down = np.arange(-half[0], half[0] + 1)[:, None]
    right = np.arange(-half[1], half[1] + 1)[None, :]
    within = (down / max(reach[0], 1.0)) ** 2 + (right / max(reach[1], 1.0)) ** 2 <= 1.0
    peaks = within & (window == scipy.ndimage.maximum_filter(window, 3))
    # A slope that ends at the border of the window is no peak.
    peaks[[0, -1], :] = False
    peaks[:, [0, -1]] = False
    if not peaks.any():
        return None
    row, column = np.unravel_index(int(np.argmax(np.where(peaks, window, -np.inf))), window.shape)
    near = window[row - 1 : row + 2, column - 1 : column + 2]
    return (
        float(right[0, column]) + _vertex(near[1]),
        -(float(down[row, 0]) + _vertex(near[:, 1])),
        float(window[row, column]),
    )


def _vertex(three: Floats32) -> float:
    """Position of a parabola's top through three values, from the middle one."""
    before, middle, after = (float(value) for value in three)
    bend = before - 2.0 * middle + after
    return 0.0 if bend >= 0.0 else min(max(0.5 * (before - after) / bend, -0.5), 0.5)


def _as_shift(
    found: tuple[float, float, float] | None, picture: Picture, other_aside_px: tuple[float, float]
) -> ShiftMeasurement:
    """The content lies at `found` (pixels), from middle to middle of what was compared, and must go back."""
    if found is None:
        return NOTHING
    right = found[0] + picture.aside_px[0] - other_aside_px[0]
    up, peak = found[1] + picture.aside_px[1] - other_aside_px[1], found[2]
    x, y = plane_rotation(-picture.rotation_deg) @ np.array([right, up]) * picture.pixel_um
    return ShiftMeasurement(-float(x), -float(y), peak)


def _template(fine: Shot, coarse: Shot, limit_um: float | None, image_is_template: bool) -> ShiftMeasurement:
    """Find the centre of an image of high magnification in one of low magnification, or the reverse."""
    further = max(1, math.ceil(max(_size(coarse)) / (3 * LONGEST_SIDE)))
    wide = reduced(coarse, further)
    # Block means first, so that the warp to the coarse raster does not alias.
    small = reduced(fine, max(1, int(wide.pixel_um / fine.pixel_um / 1.5)))
    scale = small.pixel_um / wide.pixel_um
    shape = tuple(max(int(size * scale), 8) for size in small.pixels.shape)
    template, aside_px = _matched_to(small, wide, (shape[0], shape[1]))
    reach = None if limit_um is None else limit_um / wide.pixel_um
    found = _best_place(_flattened(wide.pixels), _flattened(template), reach)
    if found is None:
        return NOTHING
    # `found` is where the fine image's centre lies in the coarse one.
    where = _as_shift(found, wide, aside_px)
    if where.dx_um is None or where.dy_um is None or not image_is_template:
        return where
    return ShiftMeasurement(-where.dx_um, -where.dy_um, where.peak)


def _matched_to(
    small: Picture, wide: Picture, shape: tuple[int, int]
) -> tuple[Floats32, tuple[float, float]]:
    """The small picture on the raster of the wide one, and where the middle of it lies in its whole image."""
    to_specimen = plane_rotation(-small.rotation_deg) * small.pixel_um
    forward = plane_rotation(wide.rotation_deg) / wide.pixel_um @ to_specimen
    right, up = forward @ np.asarray(small.aside_px)
    return _warped(small.pixels, np.linalg.inv(forward), shape), (float(right), float(up))


def _flattened(pixels: Floats32) -> Floats32:
    """Without slow changes of brightness, which would outweigh the detail of a small template."""
    flat: Floats32 = pixels - scipy.ndimage.gaussian_filter(pixels, SLOW_PX)
    return flat


def _best_place(
    wide: Floats32, template: Floats32, reach_px: float | None
) -> tuple[float, float, float] | None:
    """Normalised correlation of a template with each place of a picture; see `_peak_of` for the result."""
    rows, columns = template.shape
    if not float(template.std()) > 0.0 or not float(wide.std()) > 0.0:
        return None
    pattern = (template - template.mean()) / (template.std() * math.sqrt(rows * columns))
    shape = tuple(scipy.fft.next_fast_len(a + b, real=True) for a, b in zip(wide.shape, template.shape))
    centred = wide - wide.mean()
    spectrum = scipy.fft.rfft2(centred, shape, workers=WORKERS)
    kernel = np.conj(scipy.fft.rfft2(pattern, shape, workers=WORKERS))
    score = scipy.fft.irfft2(spectrum * kernel, shape, workers=WORKERS)[: wide.shape[0], : wide.shape[1]]
    mean = scipy.ndimage.uniform_filter(
        centred.astype(np.float64), (rows, columns), origin=_corner(rows, columns)
    )
    square = scipy.ndimage.uniform_filter(
        centred.astype(np.float64) ** 2, (rows, columns), origin=_corner(rows, columns)
    )
    local = np.sqrt(np.maximum(square - mean**2, 0.0) * rows * columns)
    score = score / np.maximum(local, 0.1 * float(local.mean()) + 1e-9)
    # Correlation is indexed by the template's corner; shift so that zero means centre on centre.
    offset = ((wide.shape[0] - rows) // 2, (wide.shape[1] - columns) // 2)
    parity = [((size - part) / 2.0) - whole for size, part, whole in zip(wide.shape, template.shape, offset)]
    score[wide.shape[0] - rows + 1 :, :] = -1.0
    score[:, wide.shape[1] - columns + 1 :] = -1.0
    wrapped = np.roll(score, (-offset[0], -offset[1]), axis=(0, 1)).astype(np.float32)
    reach = (float(offset[0]), float(offset[1])) if reach_px is None else (reach_px, reach_px)
    found = _highest(wrapped, reach)
    if found is None:
        return None
    return found[0] - parity[1], found[1] + parity[0], found[2]


def _corner(rows: int, columns: int) -> tuple[int, int]:
    """Origin that makes a uniform filter give the mean of the window that begins at each pixel."""
    return -(rows // 2), -(columns // 2)
