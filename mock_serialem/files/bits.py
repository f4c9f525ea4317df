"""Codes of various lengths packed into bytes, first bit highest, as compressed image files have them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def bits_of(codes: NDArray[Any], lengths: NDArray[Any]) -> NDArray[np.uint8]:
    """One element for each bit of the codes, one code after the other.

    Parameters
    ----------
    codes : (n,) integers
    lengths : (n,) integers
        Bits of each code, up to 32.

    Examples
    --------
    >>> bits_of(np.array([2, 1]), np.array([2, 3])).tolist()
    [1, 0, 0, 0, 1]
    """
    ends = np.cumsum(lengths)
    places = np.repeat(ends, lengths) - 1 - np.arange(int(ends[-1]) if ends.size else 0)
    made: NDArray[np.uint8] = ((np.repeat(codes, lengths) >> places) & 1).astype(np.uint8)
    return made
