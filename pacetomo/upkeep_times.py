"""When the column needs upkeep. Pure judgement on clock times (s), no microscope."""

from __future__ import annotations

FILL_MARGIN_S = 30.0
"""No image is begun when dewars will be filled within this time: it might still be under way then."""

FILL_BEGINS_S = 5.0
"""A filling is waited for by so much longer than announced."""


def is_due(last_s: float | None, now_s: float, interval_s: float) -> bool:
    """Tell whether something to be done at intervals is due.

    Parameters
    ----------
    last_s : float or None
        When it was last done; None if that is not known, and then it is due.
    now_s : float
        On the same clock. A clock before `last_s` was set back in between: nothing is known.
    interval_s : float
        0 or less is never.

    >>> is_due(100.0, 159.0, 60.0), is_due(100.0, 160.0, 60.0), is_due(None, 0.0, 60.0), is_due(None, 0.0, 0.0)
    (False, True, True, False)
    """
    if interval_s <= 0:
        return False
    return last_s is None or now_s < last_s or now_s - last_s >= interval_s


def pause_before_fill_s(remaining_s: float | None) -> float:
    """How long to wait before an image because dewars will soon be filled; 0 to go on.

    `remaining_s` is the time left to the next automatic filling, None or negative where none is scheduled.

    >>> pause_before_fill_s(12.0), pause_before_fill_s(300.0), pause_before_fill_s(None)
    (17.0, 0.0, 0.0)
    """
    if remaining_s is None or not 0 <= remaining_s < FILL_MARGIN_S:
        return 0.0
    return remaining_s + FILL_BEGINS_S


class Retries:
    """When something that is due and fails is tried again: a few times at once, then only when it is due anew.

    Parameters
    ----------
    at_most : int
        Failures in a row before it is let be.
    """

    def __init__(self, at_most: int = 3) -> None:
        self._at_most = at_most
        self._failures = 0
        self._let_be_s: float | None = None

    def is_due(self, last_s: float | None, now_s: float, interval_s: float) -> bool:
        """Tell whether it is due, and not let be; see the function of the same name."""
        if self._let_be_s is not None and not is_due(self._let_be_s, now_s, interval_s):
            return False
        return is_due(last_s, now_s, interval_s)

    def note(self, done: bool, now_s: float) -> None:
        """Take note of a try."""
        self._failures = 0 if done else self._failures + 1
        self._let_be_s = None
        if self._failures >= self._at_most:
            self._failures, self._let_be_s = 0, now_s
