"""Something to know before an area is acquired, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Problem(NamedTuple):
    """Something to know before starting.

    `fatal` problems make the run pointless; the others cost at most what the text says. `cure` says what to do.
    """

    fatal: bool
    text: str
    cure: str

    def describe(self) -> str:
        """One sentence."""
        return f"{self.text}: {self.cure}"


def listed(names: Sequence[str], most: int = 12) -> str:
    """Names in a row, the end of a long row counted only.

    >>> listed(["1", "2", "3"], most=2)
    '1, 2 and 1 more'
    """
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"
