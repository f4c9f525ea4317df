"""Leaving out points that lie on holes, dark ice or the rim of a grid bar, by the brightness of a map.

What the beam would cover at a point is told by the mean of a disc of its size. Two rules say which means are usual:

*spread* (`usual_by_spread`): the median of such means all over the region of the points, plus or minus a number of
standard deviations, estimated robustly as 1.4826 times the median absolute deviation. It assumes that most of the
region is fit for targets, and leaves out what is either too dark (bars, ice, rims) or too bright (holes and tears).

*split* (`usual_by_split`): Otsu's threshold, which splits the means of the region into the two classes of least
variance within them; one of them is kept. It is for regions with about as much of one as of the other, like a foil with
large holes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple, Optional

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from pacetomo.errors import PlanError
from pacetomo.frames import ORIGIN, XY
from pacetomo.scope.protocol import Picture
from pacetomo.selection.thresholds import otsu

Floats = NDArray[np.float64]

_SIGMA = 1.4826
"""Standard deviation of a normal distribution in units of its median absolute deviation."""

_SMALLEST_SHARE = 0.5
"""Share of a disc that must lie in the map for its mean to be known."""

_LEAST_SPREAD = 0.005
"""Of the median: a perfectly even region still has usual values around it."""


class Usual(NamedTuple):
    """Mean brightness (counts) from the lowest to the highest that is fit for a target; infinite for no limit."""

    lowest: float
    highest: float


class Judged(NamedTuple):
    """A point with the mean brightness around it (NaN outside the map), and why it is left out; None if it is kept."""

    place_um: XY
    counts: float
    reason: Optional[str]  # noqa: UP045 - evaluated at run time on Python 3.9


class LocalMeans:
    """Means of a map over discs.

    Parameters
    ----------
    picture : Picture
        The map; its centre lies at `centre_um`.
    diameter_um : float
        Of the discs: that of the beam.
    centre_um : XY
        Place of the map's centre in the frame of the points (µm).

    Raises
    ------
    PlanError
        If a disc is larger than the map, or the diameter is no length.
    """

    def __init__(self, picture: Picture, diameter_um: float, centre_um: XY = ORIGIN) -> None:
        if not (math.isfinite(diameter_um) and diameter_um > 0):
            raise PlanError(f"the beam diameter is {diameter_um:g} µm: a length above 0 is needed")
        scale_um = math.sqrt(abs(picture.to_specimen.determinant))
        radius = diameter_um / 2 / scale_um
        self._to_px = picture.to_specimen.inverse()
        self._centre_um = centre_um
        self._shape = picture.pixels.shape
        if 2 * radius > min(self._shape):
            raise PlanError(
                f"a beam of {diameter_um:g} µm is larger than the map ({min(self._shape) * scale_um:.2f} µm)"
            )
        self._values = _disc_means(np.asarray(picture.pixels, dtype=np.float64), radius)

    def at(self, places_um: Sequence[XY]) -> Floats:
        """Means around places (µm, specimen frame); NaN where at least half of the disc is not on the map."""
        if not places_um:
            return np.zeros(0)
        rows, columns = self._pixels(places_um)
        inside = (rows >= 0) & (rows < self._shape[0]) & (columns >= 0) & (columns < self._shape[1])
        means = np.full(len(places_um), np.nan)
        means[inside] = self._values[rows[inside], columns[inside]]
        return means

    def around(self, places_um: Sequence[XY]) -> Floats:
        """All means of the region that places span: the smallest upright rectangle of the map around them."""
        rows, columns = self._pixels(places_um)
        top, bottom = np.clip([rows.min(), rows.max()], 0, self._shape[0] - 1)
        left, right = np.clip([columns.min(), columns.max()], 0, self._shape[1] - 1)
        return self._values[top : bottom + 1, left : right + 1]

    def _pixels(self, places_um: Sequence[XY]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        places = [self._to_px.apply(place.minus(self._centre_um)) for place in places_um]
        rows = [(self._shape[0] - 1) / 2 - place.y for place in places]
        columns = [(self._shape[1] - 1) / 2 + place.x for place in places]
        return np.rint(rows).astype(np.intp), np.rint(columns).astype(np.intp)


def _disc_means(pixels: Floats, radius: float) -> Floats:
    """Mean of a disc around each pixel; NaN where less than half of it lies in the image or is a number."""
    n = max(1, math.ceil(radius))
    down, right = np.mgrid[-n : n + 1, -n : n + 1]
    disc = (np.hypot(down, right) <= max(radius, 1.0)).astype(np.float64)
    shape = [scipy.fft.next_fast_len(size + 2 * n, real=True) for size in pixels.shape]
    known = np.isfinite(pixels)
    level = float(pixels[known].mean()) if known.any() else 0.0
    kernel = scipy.fft.rfft2(disc, shape)
    sums, counts = (
        scipy.fft.irfft2(scipy.fft.rfft2(image, shape) * kernel, shape)[
            n : n + pixels.shape[0], n : n + pixels.shape[1]
        ]
        for image in (np.where(known, pixels - level, 0.0), known.astype(np.float64))
    )
    enough = counts >= _SMALLEST_SHARE * disc.sum()
    means: Floats = np.where(enough, sums / np.maximum(counts, 1.0) + level, np.nan)
    return means


def usual_by_spread(means: NDArray[Any], deviations: float = 3.0) -> Usual:
    """Median of means plus or minus so many robust standard deviations; PlanError if there are none.

    >>> usual = usual_by_spread(np.array([99.0, 100.0, 101.0, 100.0, 100.0, 99.0, 101.0, 500.0, 2.0]), 2.0)
    >>> round(usual.lowest, 2), round(usual.highest, 2)
    (97.03, 102.97)
    """
    finite = means[np.isfinite(means)]
    if finite.size == 0:
        raise PlanError("the points lie outside the map: their brightness is not known")
    middle = float(np.median(finite))
    spread = max(_SIGMA * float(np.median(np.abs(finite - middle))), _LEAST_SPREAD * abs(middle))
    return Usual(middle - deviations * spread, middle + deviations * spread)


def usual_by_split(means: NDArray[Any], keep: str) -> Usual:
    """Means on one side of Otsu's threshold: the "dark" or the "bright" class; PlanError if there are none."""
    finite = means[np.isfinite(means)]
    if finite.size == 0:
        raise PlanError("the points lie outside the map: their brightness is not known")
    if keep not in ("dark", "bright"):
        raise PlanError(f"the class to keep is {keep!r}: 'dark' or 'bright' is needed")
    threshold = otsu(finite)
    return Usual(-math.inf, threshold) if keep == "dark" else Usual(threshold, math.inf)


def judged(places_um: Sequence[XY], means: LocalMeans, usual: Usual) -> tuple[Judged, ...]:
    """Each point with what stands against it, in the order given."""
    found = []
    for place, counts in zip(places_um, means.at(places_um)):
        if math.isnan(counts):
            reason: str | None = "outside the map"
        elif counts < usual.lowest:
            reason = f"too dark: {counts:.4g} counts, at least {usual.lowest:.4g} are usual"
        elif counts > usual.highest:
            reason = f"too bright: {counts:.4g} counts, at most {usual.highest:.4g} are usual"
        else:
            reason = None
        found.append(Judged(place, float(counts), reason))
    return tuple(found)


def kept(places_um: Sequence[XY], means: LocalMeans, deviations: float = 3.0) -> tuple[XY, ...]:
    """Points whose surroundings are about as bright as the region they span (`usual_by_spread`).

    Raises
    ------
    PlanError
        If no point lies on the map.
    """
    if not places_um:
        return ()
    usual = usual_by_spread(means.around(places_um), deviations)
    return tuple(one.place_um for one in judged(places_um, means, usual) if one.reason is None)
