"""How long a run still takes, from how long its work has taken so far. Pure, no clock of its own."""

from __future__ import annotations

from typing import NamedTuple

from pacetomo.plan import Prices

SWING_S_PER_DEG = 0.15
"""Usual time for a degree of tilt. A dose-symmetric series swings ever farther from one side to the other."""

AUTOFOCUS_S = 8.0
"""Usual time for an autofocus."""


class Work(NamedTuple):
    """Work done or to be done.

    `extra_s` is what the images cost on a usual microscope beyond one exposure each, `swing_deg` how far the stage
    tilts in all, `longer_s` the seconds of their exposures beyond Record's own, which are the same on every microscope.
    """

    tilts: int
    images: int
    extra_s: float = 0.0
    swing_deg: float = 0.0
    autofocuses: int = 0
    longer_s: float = 0.0

    def plus(self, other: Work) -> Work:
        """Return both together."""
        return Work(
            self.tilts + other.tilts,
            self.images + other.images,
            self.extra_s + other.extra_s,
            self.swing_deg + other.swing_deg,
            self.autofocuses + other.autofocuses,
            self.longer_s + other.longer_s,
        )

    def priced_s(self, prices: Prices) -> float:
        """Time that it takes on a usual microscope, all images exposed as Record is."""
        stage_s = self.tilts * prices.tilt_s + self.swing_deg * SWING_S_PER_DEG
        images_s = self.images * prices.exposure_s + self.extra_s
        return max(0.0, stage_s + images_s + self.autofocuses * AUTOFOCUS_S)


class Pace:
    """Time left of a run.

    Images and tilts cost different times, and how much depends on the microscope. The proportion is taken from
    usual prices, the scale from the run itself.

    Parameters
    ----------
    began_s : float
        Clock when the first tilt began.
    prices : Prices
        Usual times.
    """

    def __init__(self, began_s: float, prices: Prices | None = None) -> None:
        self._began_s = began_s
        self._prices = prices or Prices()

    def left_s(self, now_s: float, done: Work, left: Work) -> float:
        """Seconds that the work left takes at the pace of the work done.

        >>> Pace(0.0).left_s(600.0, Work(tilts=10, images=40), Work(tilts=30, images=120))
        1800.0
        """
        worth_s = done.priced_s(self._prices)
        took_s = max(0.0, now_s - self._began_s - done.longer_s)
        scale = took_s / worth_s if worth_s > 0 else 1.0
        return round(max(0.0, left.priced_s(self._prices) * scale + left.longer_s), 3)


def describe_left(seconds: float) -> str:
    """Time left for people.

    >>> [describe_left(seconds) for seconds in (20, 90, 4000)]
    ['less than a minute left', '2 min left', '1 h 07 min left']
    """
    minutes = round(seconds / 60)
    if minutes < 1:
        return "less than a minute left"
    if minutes < 60:
        return f"{minutes} min left"
    return f"{minutes // 60} h {minutes % 60:02d} min left"
