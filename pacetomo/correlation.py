"""Where a target lies in an image, by correlation with earlier images of it: arrays only, no microscope.

Every earlier image is first brought into the geometry of the present one (`pacetomo.earlier_images`), and shifted so
that the target, which was off its centre by a known residual, comes to lie in the middle. The peak of the correlation
(`pacetomo.cross_spectrum`) is then the target's place in the present image, whichever image it was compared with, and
several of them can be checked against one another and averaged.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple, Union

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from pacetomo.cross_spectrum import Floats, Pair, Pixels, Spectrum, chance_height, rings_of, squared
from pacetomo.earlier_images import Earlier, Kept, brought_over, window
from pacetomo.frames import XY, Matrix2
from pacetomo.scope.protocol import Missing

FARTHEST = 0.75
"""Share of a side by which images may be apart and still be compared."""

DEPTH_UM = 0.045
"""Scatter of the heights of what a correlation goes by: that of structures all through a lamella of 150 nm.

From another tilt what lies by so much over the plane of the target is seen aside by that times the difference of the
sines of the tilts: the farther the tilt, the less an earlier image tells about Y.
"""

AGREE_UM = 0.03
AGREE_PX = 3.0
"""How far from one another the peaks of earlier images may lie for such errors, whichever is more."""

DISTINCT = 1.5
"""How many times as high as all others a peak must be.

Images of different targets gave up to 1.43 in 400 pairs each of simulated lamellae and holes, those of one target at
neighbouring tilts 5 in the median and less than 1.5 in one of a hundred.
"""


class Found(NamedTuple):
    """Where the target is seen (specimen plane, µm from the image's centre), and how well that is known.

    `sigma_um` is the standard deviation along X and along Y; `used` are the earlier images that agree, by their place
    in the sequence given; `height` is the mean height of their peaks over the noise of the correlation.
    """

    offset_um: XY
    sigma_um: XY
    used: tuple[int, ...]
    height: float


FoundOrMissing = Union[Found, Missing]


@functools.lru_cache(maxsize=8)
def _evenness(shape: tuple[int, int], size: tuple[int, int]) -> Pixels:
    """Reciprocal of how strong noise is in the correlation of two images, for each shift; see `Pair`.

    The variance at a shift is the sum of the products of both windows' squares there. An earlier image fades out twice,
    as it was taken and when it was brought over.
    """
    window2 = window(size) ** 2
    spectra = [scipy.fft.rfft2(part, shape) for part in (window2, window2**2)]
    variance = scipy.fft.irfft2(spectra[0] * np.conj(spectra[1]), shape)
    variance /= variance.mean()
    # Where hardly anything overlaps little noise is no reason to believe in a peak.
    evenness: Pixels = (1.0 / np.sqrt(np.maximum(variance, 0.2))).astype(np.float32)
    return evenness


def find(
    image: Kept,
    tilt_deg: float,
    earlier: Sequence[Earlier],
    px_to_um: Matrix2,
    slopes: XY,
    expected_um: XY,
    radius_um: float,
) -> FoundOrMissing:
    """Where a target lies in an image.

    Parameters
    ----------
    image : array (rows, columns)
        `conditioned`.
    tilt_deg : float
        Its stage tilt.
    earlier : sequence of Earlier
        Images of the same size.
    px_to_um : Matrix2
        Pixels of the image (X right, Y up) to µm in the specimen frame.
    slopes : XY
        Rise of the sample plane along X and along Y in the untilted stage.
    expected_um, radius_um : XY, float
        Where the target should be seen, and how far from there it is looked for.

    Returns
    -------
    Found or Missing
        Missing when no peak there stands out from noise and other structure.
    """
    if not earlier:
        return Missing("there is no earlier image")
    if any(one.pixels.shape != image.shape for one in earlier):
        return Missing("the earlier images are of another size")
    scale_um = math.sqrt(abs(px_to_um.determinant))
    expected = px_to_um.inverse().apply(expected_um)
    search = _Search(image, XY(-expected.y, expected.x), radius_um / scale_um)
    if not search.is_possible:
        return Missing("the images would have too little in common")
    pairs = [search.pair(brought_over(one, tilt_deg, px_to_um, slopes)) for one in earlier]
    agreeing, height = search.consensus(pairs, max(AGREE_PX, AGREE_UM / scale_um))
    if not agreeing:
        return Missing("no correlation peak stands out from the noise")
    # From rows down and columns right to X and Y of the specimen.
    turn = np.array([[-px_to_um.xpy, px_to_um.xpx], [-px_to_um.ypy, px_to_um.ypx]])
    peaks = [pairs[n].refined(at) for n, at in agreeing.items()]
    levers_um = [DEPTH_UM * (_sine(tilt_deg) - _sine(earlier[n].tilt_deg)) for n in agreeing]
    offset, sigma = _mean(
        [turn @ peak.place for peak in peaks],
        [np.diag(turn @ peak.covariance @ turn.T) for peak in peaks],
        np.array([np.zeros(len(peaks)), levers_um]),
    )
    return Found(offset, sigma, tuple(agreeing), height)


def _sine(tilt_deg: float) -> float:
    return math.sin(math.radians(tilt_deg))


def _mean(places_um: Sequence[Floats], variances_um2: Sequence[Floats], levers_um: Floats) -> tuple[XY, XY]:
    """Mean of the places that earlier images give, and its standard deviation; each axis for itself.

    The errors of places are independent but for structures off the target's plane, which set all of them off by a
    common factor of `levers_um`. The mean of least variance under that has weights ``C^-1 1``, with C the covariance;
    none is let count against the others. Half of a peak's variance is the noise of the present image, the same for all.
    """
    means, sigmas = [], []
    for places, variances, levers in zip(np.transpose(places_um), np.transpose(variances_um2), levers_um):
        own = np.diag(0.5 * variances) + np.outer(levers, levers)
        weights = np.maximum(np.linalg.solve(own, np.ones(len(places))), 0.0)
        weights /= weights.sum()
        means.append(float(weights @ places))
        sigmas.append(math.sqrt(float(0.5 * weights @ variances + weights @ own @ weights)))
    return XY(*means), XY(*sigmas)


class _Search:
    """An image and the places to look at: (row, column) from its centre, and how far around."""

    def __init__(self, image: Kept, centre: XY, radius: float) -> None:
        rows, columns = image.shape
        self._size = (rows, columns)
        self._centre = (centre.x, centre.y)
        self._radius = max(radius, 2.0)
        self.is_possible = all(abs(c) < FARTHEST * n for c, n in zip(self._centre, self._size))
        reach = [min(abs(c) + self._radius, FARTHEST * n) + 2.0 for c, n in zip(self._centre, self._size)]
        # Zeros around, as wide as the shift, keep one edge from being compared with the other.
        self._shape = (
            scipy.fft.next_fast_len(math.ceil(rows + reach[0]), real=True),
            scipy.fft.next_fast_len(math.ceil(columns + reach[1]), real=True),
        )
        self._rings = rings_of(self._shape, self._size)
        self._spectrum, self._power = self._transformed(image.astype(np.float32))
        self._window = self._places(self._centre, self._radius)

    def _transformed(self, pixels: Pixels) -> tuple[Spectrum, Floats]:
        spectrum: Spectrum = scipy.fft.rfft2(pixels, self._shape)
        return spectrum, self._rings.mean(squared(spectrum))

    def pair(self, earlier: Pixels) -> Pair:
        """Correlation with an earlier image that was brought over."""
        spectrum, power = self._transformed(earlier)
        evenness = _evenness(self._shape, self._size)
        return Pair(self._spectrum, spectrum, (self._power, power), self._rings, evenness)

    def _places(
        self, centre: tuple[float, float], radius: float
    ) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_]]:
        """Rows and columns of shifts within a radius and within reach, and which of their pairs those are."""
        lines = []
        for middle, size in zip(centre, self._size):
            far = int(FARTHEST * size)
            low, high = max(math.ceil(middle - radius), -far), min(math.floor(middle + radius), far)
            lines.append(np.arange(low, max(high, low) + 1))
        down, across = lines[0] - centre[0], lines[1] - centre[1]
        return lines[0], lines[1], down[:, None] ** 2 + across[None, :] ** 2 <= radius**2

    @staticmethod
    def _highest(
        pair: Pair, places: tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_]]
    ) -> tuple[tuple[int, int], float]:
        """Highest place of a correlation, and its height; a slope that ends at the border is none."""
        rows, columns, within = places
        heights = np.where(within, pair.heights[np.ix_(rows, columns)], -np.inf)
        row, column = np.unravel_index(int(np.argmax(heights)), heights.shape)
        at = (int(rows[row]), int(columns[column]))
        around = pair.heights[np.ix_([at[0] - 1, at[0], at[0] + 1], [at[1] - 1, at[1], at[1] + 1])]
        height = float(heights[row, column])
        return at, height if height >= float(around.max()) else 0.0

    def _stands_out(self, pair: Pair, at: tuple[int, int], height: float, tolerance: float) -> bool:
        """Whether a peak is more than chance, and more than the structure of two unrelated images.

        A few strong structures make a correlation whose maxima are higher than those of noise, but alike.
        """
        if height < chance_height(pair.independent * float(self._window[2].sum())):
            return False
        elsewhere = np.roll(pair.heights, (-at[0], -at[1]), axis=(0, 1))
        beside = math.ceil(tolerance)
        for rows in (slice(None, beside + 1), slice(-beside, None)):
            for columns in (slice(None, beside + 1), slice(-beside, None)):
                elsewhere[rows, columns] = 0.0
        return height >= DISTINCT * float(elsewhere.max())

    def consensus(self, pairs: Sequence[Pair], tolerance: float) -> tuple[dict[int, tuple[int, int]], float]:
        """Peaks that agree, by number of the pair, and their mean height; none if none stands out.

        The highest place of each pair is a proposal if it stands out. It is seconded by every pair with a peak of its
        own within the tolerance, one that noise would hardly show there. The proposal with most heights for it counts.
        """
        best: dict[int, tuple[int, int]] = {}
        total = 0.0
        for proposer in pairs:
            at, height = self._highest(proposer, self._window)
            if not self._stands_out(proposer, at, height, tolerance):
                continue
            near = self._places(at, tolerance)
            seconding = {n: self._highest(pair, near) for n, pair in enumerate(pairs)}
            agreeing = {
                n: (place, seen)
                for n, (place, seen) in seconding.items()
                if seen > chance_height(pairs[n].independent * float(near[2].sum()))
            }
            together = sum(seen for _, seen in agreeing.values())
            if together > total:
                best, total = {n: place for n, (place, _) in agreeing.items()}, together
        return best, total / max(len(best), 1)
