"""Exposure time of every image: constant, or longer at higher tilts, scaled to a total dose, within limits.

The path through a level sample grows as 1/cos t, and with it the share of electrons that are lost. An exposure
proportional to ``(cos t0 / cos t)**p`` (t0 start tilt, p `exposurePower`) evens that out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property

from pacetomo.plan import Exposure
from pacetomo.schemes import Branch, TiltStop
from pacetomo.settings_table import Settings

SHORTEST_S = 0.01
"""Shorter than any camera exposes; scaling never asks for less."""

NOTICED_SHARE = 0.02
"""Share of the total dose by which a series may miss it without being told."""


class Dosing:
    """Exposure times of a series.

    Parameters
    ----------
    settings : Settings
        The wishes.
    stops : sequence of TiltStop
        All tilts of the series, the start tilt first.
    tracking : int
        Number of the tracking target.
    record_s : float
        Exposure of Record as the operator has set it.
    dose_per_s : float, optional
        Dose rate in e/Å²/s; None as long as it is not known. `totalDose` has no effect before.
    """

    def __init__(
        self,
        settings: Settings,
        stops: Sequence[TiltStop],
        tracking: int,
        record_s: float,
        dose_per_s: float | None = None,
    ) -> None:
        self._settings = settings
        self._stops = tuple(stops)
        self._tracking = tracking
        self._record_s = record_s
        self._dose_per_s = dose_per_s

    @property
    def waits_for_dose_rate(self) -> bool:
        """Whether a total dose is wanted that cannot be worked out yet."""
        return self._settings.totalDose > 0 and self._dose_per_s is None

    def with_dose_rate(self, dose_per_s: float) -> Dosing:
        """Return the same wishes at a known dose rate (e/Å²/s)."""
        return Dosing(self._settings, self._stops, self._tracking, self._record_s, dose_per_s)

    def seconds(self, exposure: Exposure) -> float | None:
        """Exposure time of an image; None for Record's own.

        `zeroExpTime` holds for all targets at the start tilt; elsewhere `trackExpTime` holds for the tracking target.
        """
        settings = self._settings
        if exposure.branch is Branch.START and settings.zeroExpTime > 0:
            return settings.zeroExpTime
        if exposure.target == self._tracking and settings.trackExpTime > 0:
            return settings.trackExpTime
        if not self._is_scaled:
            return None
        return self._limited(self._scale_s * self._factor(exposure.tilt_deg))

    def series_dose(self, target: int) -> float | None:
        """Dose of a whole series of a target (e/Å²); None as long as the dose rate is not known."""
        if self._dose_per_s is None:
            return None
        images = [Exposure(0, n, target, stop.tilt_deg, stop.branch) for n, stop in enumerate(self._stops)]
        return self._dose_per_s * sum(self.seconds(image) or self._record_s for image in images)

    def missed_total(self) -> str | None:
        """Why a series cannot have the total dose that is wanted, for people; None if it can, or nobody knows yet."""
        dose = self.series_dose(0)
        wanted = self._settings.totalDose
        if wanted <= 0 or dose is None or abs(dose - wanted) <= NOTICED_SHARE * wanted:
            return None
        return (
            f"a series gets {dose:.0f} e/Å² and not the totalDose of {wanted:g}: "
            "zeroExpTime, minExpTime or maxExpTime do not allow it"
        )

    @property
    def _is_scaled(self) -> bool:
        to_total = self._settings.totalDose > 0 and self._dose_per_s is not None
        return self._settings.exposureScaling == "cosine" or to_total

    def _factor(self, tilt_deg: float) -> float:
        if self._settings.exposureScaling == "constant":
            return 1.0
        start, tilt = math.radians(self._stops[0].tilt_deg), math.radians(tilt_deg)
        return float((math.cos(start) / max(0.05, math.cos(tilt))) ** self._settings.exposurePower)

    def _limited(self, seconds: float) -> float:
        longest = self._settings.maxExpTime or math.inf
        return min(max(seconds, self._settings.minExpTime, SHORTEST_S), longest)

    @cached_property
    def _scale_s(self) -> float:
        """Exposure at factor 1: Record's own, or such that the series adds up to the total dose.

        With limits the sum is no longer proportional to it, but still grows with it, so it is found by halving. Where
        the first image takes up the whole dose it stays Record's own.
        """
        if self._settings.totalDose <= 0 or self._dose_per_s is None:
            return self._record_s
        fixed = self._settings.zeroExpTime
        wanted_s = self._settings.totalDose / self._dose_per_s - fixed
        tilts = [s.tilt_deg for s in self._stops if s.branch is not Branch.START or fixed <= 0]
        factors = [self._factor(tilt_deg) for tilt_deg in tilts]
        if wanted_s < SHORTEST_S * len(tilts):  # nothing is left of it for images that show something
            return self._record_s
        low, high = 0.0, max(wanted_s, 0.0) + (self._settings.minExpTime + 1.0) * 1000
        for _ in range(100):
            middle = (low + high) / 2
            if sum(self._limited(middle * factor) for factor in factors) < wanted_s:
                low = middle
            else:
                high = middle
        return high
