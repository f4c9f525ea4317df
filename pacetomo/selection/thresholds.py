"""Thresholds that brightness itself suggests."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_BINS = 256


def otsu(values: NDArray[Any]) -> float:
    """Threshold that splits values into two classes of the least variance within them (Otsu 1979).

    Parameters
    ----------
    values : array
        At least one finite number, of any shape.

    Raises
    ------
    ValueError
        When there is no finite number.

    >>> 2.0 < otsu(np.array([1.0, 1.1, 1.2, 4.0, 4.1])) < 4.0
    True
    """
    finite = values[np.isfinite(values)].astype(np.float64)
    if finite.size == 0:
        raise ValueError("there is no number to find a threshold in")
    counts, edges = np.histogram(finite, bins=_BINS)
    middles = 0.5 * (edges[:-1] + edges[1:])
    below = np.cumsum(counts)
    above = finite.size - below
    sums = np.cumsum(counts * middles)
    split = (below > 0) & (above > 0)
    if not split.any():
        return float(finite.mean())
    means = np.divide(sums, below, out=np.zeros(_BINS), where=split)
    rest = np.divide(sums[-1] - sums, above, out=np.zeros(_BINS), where=split)
    between = np.where(split, below * above * (means - rest) ** 2.0, -1.0)
    # All thresholds in a gap without values are equally good: the middle one is taken.
    best = np.nonzero(between >= between.max() * (1 - 1e-12))[0]
    return float(0.5 * (edges[best[0] + 1] + edges[best[-1] + 1]))
