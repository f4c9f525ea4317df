"""Lists of views as people write them: numbers from 1, as 3dmod counts."""

from __future__ import annotations

from collections.abc import Sequence

DARK_SHARE = 0.3
"""Counts per second, as a share of the series' median, below which a view is dark if nobody says otherwise."""


def parse_views(text: str) -> frozenset[int]:
    """Return the numbers of a list such as ``3,7-9``.

    Raises
    ------
    ValueError
        If it is none.

    Examples
    --------
    >>> sorted(parse_views("3,7-9"))
    [3, 7, 8, 9]
    """
    views: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise ValueError(f"{part.strip()!r} is no number and no range such as 7-9")
        low, high = int(first), int(last) if dash else int(first)
        if not 1 <= low <= high <= 1 << 16:
            raise ValueError(f"{part.strip()!r} is no range of views, which are counted from 1")
        views.update(range(low, high + 1))
    return frozenset(views)


def format_views(sections: Sequence[int]) -> str:
    """Return sections (from 0) as a list of views (from 1).

    >>> format_views([2, 6, 7, 8])
    '3,7-9'
    """
    runs: list[list[int]] = []
    for section in sorted(sections):
        if runs and section == runs[-1][1] + 1:
            runs[-1][1] = section
        else:
            runs.append([section, section])
    return ",".join(f"{low + 1}" if low == high else f"{low + 1}-{high + 1}" for low, high in runs)
