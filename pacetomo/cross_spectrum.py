"""Correlation of two images in frequency space: weights from signal and noise, peaks and how sure they are.

Weights follow the maximum-likelihood (Hannan-Thomson) processor for a shift between two noisy signals (Knapp and
Carter, IEEE Trans. ASSP 24, 320, 1976): each Fourier coefficient of the cross-spectrum G counts by

    psi = gamma2 / (1 - gamma2) / |G|,    gamma2 the squared coherence of the images at that frequency.

To search, gamma2 comes from the power in rings above the plateau of shot noise, which is white in pixels that are means
of blocks. Once a peak is found gamma2 is measured there, ring by ring, and the peak is refined with it. The same theory
gives the covariance of the shift, the inverse of

    J = (2 pi)**2 sum of f f' gamma2 / (1 - gamma2)    over all independent frequencies f (cycles per pixel).

Without a common signal the phases of G are random. The weighted correlation is then a Gaussian field with its own rms
for standard deviation, greater where the images overlap more; a height is given in units of that, and `chance_height`
tells which one noise hardly reaches.

Shifts are in rows and columns; the content of the second image is found that much farther down and right in the first.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import numpy as np
import scipy.fft
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Pixels = NDArray[np.float32]
Spectrum = NDArray[np.complex64]

COARSEST = 2.0
"""Waves in the shorter side below which nothing counts: uneven light does not move with the sample."""

MOST_COHERENT = 0.8
"""Upper limit of the squared coherence in weights: no model of two images is better than that."""

PLATEAU_FROM = 0.45
"""Frequency (cycles per pixel) from which on only noise is left."""

FALSE_ALARM = 1e-4
"""Share of searches in which noise may look like a peak."""

NEWTON_STEPS = 2

SURE_TO_PX = 0.05
"""Standard deviation that no peak is below: pixels between which values are interpolated."""


class Peak(NamedTuple):
    """A peak to fractions of a pixel: (row, column), and the covariance of that (pixels squared)."""

    place: Floats
    covariance: Floats


class Rings:
    """Rings of equal frequency over the coefficients that `rfft2` gives for a shape.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns of what is transformed, zeros around the image included.
    size : (int, int)
        Rows and columns of the image in it.
    """

    def __init__(self, shape: tuple[int, int], size: tuple[int, int]) -> None:
        self.row = np.fft.fftfreq(shape[0]).astype(np.float32)
        self.column = np.fft.rfftfreq(shape[1]).astype(np.float32)
        # The other half of the spectrum is the mirror image of this one, but for the columns that mirror themselves.
        self.times = np.full(self.column.size, 2.0, np.float32)
        self.times[0] = 1.0
        if shape[1] % 2 == 0:
            self.times[-1] = 1.0
        waves = min(size)
        last = math.ceil(0.5 * waves)
        radius = np.hypot(self.row[:, None], self.column[None, :])
        self._number = np.minimum((radius * waves + 0.5).astype(np.intp), last)
        self._flat, self._rings = self._number.ravel(), last + 1
        self._count = np.maximum(self._sum(np.ones_like(radius, dtype=np.float32)), 1.0)
        ring = np.arange(last + 1)
        self.is_plateau = ring >= min(PLATEAU_FROM * waves, last)
        self.high_pass = 1.0 - np.exp(-0.5 * (ring / COARSEST) ** 4)
        self.independent = math.prod(size) / math.prod(shape)
        self.by_chance = 2.0 / np.maximum(self._count * self.independent, 2.0)
        squares = (
            self.row[:, None] ** 2,
            self.row[:, None] * self.column[None, :],
            self.column[None, :] ** 2,
        )
        # Products of row and column cancel with those of the other half.
        self._moments = [self._sum(np.broadcast_to(each, radius.shape)) for each in squares]

    def _sum(self, values: Pixels) -> Floats:
        weights = (values * self.times).ravel()
        sums = np.bincount(self._flat, weights, minlength=self._rings)
        return sums.astype(np.float64)

    def mean(self, values: Pixels) -> Floats:
        """Mean over each ring."""
        return self._sum(values) / self._count

    def spread(self, values: Floats) -> Pixels:
        """Value of its ring for every coefficient."""
        return values.astype(np.float32)[self._number]

    def moments(self, values: Pixels) -> Floats:
        """Sum of ``f f'`` times the values over the whole spectrum, f as (row, column) frequency."""
        mirrored = values * self.times
        down, across = mirrored.sum(axis=1) @ self.row**2, mirrored.sum(axis=0) @ self.column**2
        mixed = self.row @ (mirrored @ self.column)
        return np.array([[down, mixed], [mixed, across]], dtype=float)

    def ring_moments(self, values: Floats) -> Floats:
        """The same for values of the rings."""
        down, mixed, across = (float(values @ moments) for moments in self._moments)
        return np.array([[down, mixed], [mixed, across]])

    def slope(self, values: Pixels) -> Floats:
        """Sum of f times the values over one half of the spectrum and minus those over the other."""
        mirrored = values * self.times
        return np.array([mirrored.sum(axis=1) @ self.row, mirrored.sum(axis=0) @ self.column], dtype=float)

    def signal_share(self, power: Floats) -> Floats:
        """Share of each ring's power that is above the plateau of the noise."""
        noise = float(power[self.is_plateau].mean())
        return np.maximum(1.0 - noise / np.maximum(power, 1e-30), 0.0)


@functools.lru_cache(maxsize=8)
def rings_of(shape: tuple[int, int], size: tuple[int, int]) -> Rings:
    """Rings for a shape; they are the same for all images of a session."""
    return Rings(shape, size)


def squared(spectrum: Spectrum) -> Pixels:
    """Power of each coefficient."""
    power: Pixels = spectrum.real**2 + spectrum.imag**2
    return power


def chance_height(places: float) -> float:
    """Height that the highest of so many independent places of a Gaussian field reaches once in 1 / FALSE_ALARM.

    From ``P = places * exp(-h**2 / 2)``, which is above the tail of the normal distribution for every h.
    """
    return math.sqrt(2.0 * math.log(max(places, 1.0) / FALSE_ALARM))


class Pair:
    """Two images of which the second may be found in the first.

    Parameters
    ----------
    first, second : complex array
        Spectra by `rfft2`.
    powers : tuple of array
        Mean power of their rings.
    rings : Rings
    evenness : array
        For each shift the reciprocal of how strong noise is there, compared with its rms over all shifts; the array's
        shape is that of what was transformed.
    """

    def __init__(
        self,
        first: Spectrum,
        second: Spectrum,
        powers: tuple[Floats, Floats],
        rings: Rings,
        evenness: Pixels,
    ) -> None:
        self._rings = rings
        shape = evenness.shape
        self._cross = first * np.conj(second)
        self._scale = np.sqrt(np.maximum(powers[0] * powers[1], 1e-30))
        self._expected2 = rings.signal_share(powers[0]) * rings.signal_share(powers[1])
        weighted = self._cross * rings.spread(self._weights(self._expected2))
        energy = squared(weighted)
        total = float((energy * rings.times).sum())
        self.independent = 0.0
        self.heights: Pixels = np.zeros(shape, np.float32)
        if total > 0.0:
            # As many independent coefficients as there would be of equal energy; the zeros around add none.
            spread_over = total**2 / float((energy * energy * rings.times).sum())
            self.independent = spread_over / math.prod(shape)
            self.heights = scipy.fft.irfft2(weighted, shape)
            self.heights *= evenness * np.float32(math.prod(shape) / math.sqrt(total))

    def _weights(self, gamma2: Floats) -> Floats:
        """Psi of the rings, to be multiplied with the cross-spectrum."""
        return self._odds(gamma2) / self._scale

    def _odds(self, gamma2: Floats) -> Floats:
        bounded = np.minimum(gamma2, MOST_COHERENT)
        return bounded / (1.0 - bounded) * self._rings.high_pass

    def refined(self, at: tuple[int, int]) -> Peak:
        """The top of a peak whose highest pixel is known, by Newton's method with the coherence measured at it.

        The derivatives of the correlation are sums over the spectrum.
        """
        place = np.array(at, dtype=float)
        turned = self._turned(place)
        coherence = np.maximum(self._rings.mean(turned.real) / self._scale, 0.0)
        gamma2 = np.maximum(coherence**2 - self._rings.by_chance, 0.0)
        if not (gamma2 * self._rings.high_pass).any():
            gamma2 = self._expected2
        odds = self._odds(gamma2)
        weights = self._rings.spread(odds / self._scale)
        for step in range(NEWTON_STEPS):
            if step:
                turned = self._turned(place)
            weighted = turned * weights
            gradient = -2.0 * math.pi * self._rings.slope(weighted.imag)
            bend = -((2.0 * math.pi) ** 2) * self._rings.moments(weighted.real)
            if not (bend[0, 0] < 0.0 < np.linalg.det(bend)):
                break
            move = -np.linalg.solve(bend, gradient)
            if np.abs(place + move - at).max() > 1.5:  # off to another peak: the pixel is the better guess
                place = np.array(at, dtype=float)
                break
            place = place + move
        fisher = (2.0 * math.pi) ** 2 * self._rings.ring_moments(odds * self._rings.independent)
        # A peak tells at least that the place is not many pixels off.
        return Peak(place, np.linalg.inv(fisher + 1e-3 * np.eye(2)) + SURE_TO_PX**2 * np.eye(2))

    def _turned(self, place: Floats) -> Spectrum:
        """Cross-spectrum as it would be if the second image lay at a place already."""
        down = np.exp(2j * math.pi * place[0] * self._rings.row).astype(np.complex64)
        across = np.exp(2j * math.pi * place[1] * self._rings.column).astype(np.complex64)
        turned: Spectrum = self._cross * down[:, None]
        turned *= across[None, :]
        return turned
