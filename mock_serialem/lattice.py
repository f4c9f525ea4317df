"""The lattice of a regular specimen, from the peaks of an image's autocorrelation."""

from __future__ import annotations

import math

import numpy as np
import scipy.fft
import scipy.ndimage

from mock_serialem.image import Image
from mock_serialem.processing import is_patch

_TOLERANCE = 0.3
_LEAST_PEAK = 0.1
"""Height of a lattice peak against the central one: noise and structure without order stay below."""

_LEAST_ANGLE_DEG = 30.0

Pair = tuple[float, float]


def lattice_vectors(image: Image, spacing_px: float) -> tuple[Pair, Pair] | None:
    """Two lattice vectors (pixels, Y down), None if there is no lattice of about this spacing.

    Parameters
    ----------
    image : Image
    spacing_px : float
        Distance expected between lattice points; peaks within 30 % of it count.
    """
    if is_patch(image) or not 4.0 <= spacing_px <= 0.4 * min(image.pixels.shape):
        return None
    data = image.pixels.astype(np.float32)
    data -= scipy.ndimage.gaussian_filter(data, 1.5 * spacing_px)
    power = np.abs(scipy.fft.rfft2(data)) ** 2
    correlation = scipy.fft.irfft2(power, s=data.shape)
    correlation = scipy.fft.fftshift(correlation) / max(float(correlation[0, 0]), 1e-12)
    # Without noise in the centre: a peak is judged against the smooth part of the correlation.
    correlation = scipy.ndimage.gaussian_filter(correlation, max(1.0, 0.03 * spacing_px))
    rows, columns = correlation.shape
    y, x = np.mgrid[:rows, :columns]
    x0, y0 = x - columns // 2, y - rows // 2
    radius = np.hypot(x0, y0)
    ring = (radius > (1 - _TOLERANCE) * spacing_px) & (radius < (1 + _TOLERANCE) * spacing_px)
    highest = scipy.ndimage.maximum_filter(correlation, size=max(3, int(0.3 * spacing_px)))
    peaks = ring & (correlation == highest) & (correlation > _LEAST_PEAK * correlation.max())
    # The correlation is symmetric; one half holds everything.
    places = [(float(correlation[r, c]), float(x0[r, c]), float(y0[r, c])) for r, c in np.argwhere(peaks)]
    half = sorted((p for p in places if (p[1], -p[2]) > (0.0, 0.0)), reverse=True)
    for _, x1, y1 in half[:1]:
        for _, x2, y2 in half[1:]:
            angle = math.degrees(abs(math.atan2(x1 * y2 - y1 * x2, x1 * x2 + y1 * y2)))
            if _LEAST_ANGLE_DEG < angle < 180.0 - _LEAST_ANGLE_DEG:
                return (x1, y1), (x2, y2)
    return None
