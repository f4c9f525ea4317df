"""What can go wrong with stage, optics and measurements: here, nothing."""

from __future__ import annotations

from mock_serialem.sim.shot import AutofocusResult, CtfFit, ShiftMeasurement


class Mishaps:
    """Asked by the world at each turn; the base class lets everything go well."""

    def before_exposure(self, number: int) -> float:
        """Tell how much of the beam reaches the sample during an exposure (counted from 1); 1 is all of it."""
        return 1.0

    def after_exposure(self, number: int) -> None:
        """Take note of an exposure that is over, whose image is not delivered yet."""

    def tilt_reached(self, from_deg: float, to_deg: float) -> float:
        """Tilt at which a move ends."""
        return to_deg

    def shift(self, found: ShiftMeasurement) -> ShiftMeasurement:
        """Result of a correlation."""
        return found

    def autofocus(self, found: AutofocusResult) -> AutofocusResult:
        """Result of an autofocus."""
        return found

    def ctf(self, found: CtfFit | None) -> CtfFit | None:
        """Result of a CTF fit."""
        return found
