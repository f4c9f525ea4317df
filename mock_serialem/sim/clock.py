"""Simulated time, booked by activity."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

ACTIVITIES = (
    "tilt",
    "stage",
    "image_shift",
    "optics",
    "expose",
    "readout",
    "autofocus",
    "eucentricity",
    "align",
    "save",
    "wait",
    "script",
)

LONGEST_S = 366 * 86400.0
"""Longest time that one step may take; beyond a few thousand years there is no date to give an image."""


class TooLongError(ValueError):
    """A single step of more than `LONGEST_S`."""


class Clock:
    """Seconds since the start, and what they were spent on.

    Attributes
    ----------
    seconds : float
    activities : dict
        Seconds by activity; they add up to `seconds`.
    pacer : callable, optional
        Called with `seconds` after each advance; it may wait until as much real time has passed.
    """

    def __init__(self) -> None:
        self.seconds = 0.0
        self.activities = dict.fromkeys(ACTIVITIES, 0.0)
        self.pacer: Callable[[float], None] | None = None
        self._booked_as: str | None = None

    def advance(self, seconds: float, activity: str) -> None:
        """Let time pass.

        Raises
        ------
        KeyError
            For an activity not in `ACTIVITIES`.
        ValueError
            For negative time.
        TooLongError
            For more than `LONGEST_S`; the clock stays as it was.
        """
        if not seconds >= 0.0:
            raise ValueError(f"time does not go back: {seconds} s of {activity}")
        if seconds > LONGEST_S:
            raise TooLongError(f"{seconds:g} s of {activity} is more than a year")
        self.activities[self._booked_as or activity] += seconds
        self.seconds += seconds
        if self.pacer is not None:
            self.pacer(self.seconds)

    def state(self) -> dict[str, float]:
        """Seconds by activity and, by the name ``seconds``, in all."""
        return {**self.activities, "seconds": self.seconds}

    def restore(self, state: dict[str, float]) -> None:
        """Go on from what `state` returned."""
        self.activities.update({name: state[name] for name in ACTIVITIES})
        self.seconds = state["seconds"]

    @contextmanager
    def booking(self, activity: str) -> Iterator[None]:
        """Book everything inside under one activity: a routine's images belong to the routine."""
        outer, self._booked_as = self._booked_as, self._booked_as or activity
        try:
            yield
        finally:
            self._booked_as = outer
