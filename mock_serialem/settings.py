"""Program properties and user settings: numbers by case-insensitive name."""

from __future__ import annotations

from collections.abc import Mapping

from mock_serialem.errors import CommandError

PROPERTIES: dict[str, float] = {
    "ImageShiftLimit": 15.0,
    "MaximumTiltAngle": 70.0,
    "StageLimits": 1000.0,
    "DummyInstance": 0.0,
    "SimulationMode": 0.0,
    "TiltAxisOffset": 0.0,
    "UseIlluminatedAreaForC2": 1.0,
    "DeltaZtoDefocusFactor": 1.0,
    "EnableExternalPython": 1.0,
    "InvertStageXAxis": 0.0,
    "NoScope": 0.0,
    "LowMagImageShiftLimit": 150.0,
    "BacklashCorrectionX": 0.0,
    "StageRelaxation": 0.025,
    "DelayOverlapsNextShot": 0.0,
}

USER_SETTINGS: dict[str, float] = {
    "ShiftToTiltAxis": 1.0,
    "DriftProtection": 0.0,
    "MoveStageOnBigMouseShift": 1.0,
    "BuffersToRollOnAcquire": 3.0,
    "ShowStateNumbers": 0.0,
    "TrimAlignBordersInLD": 0.0,
    "AutofocusTargetDefocus": -5.0,
    "CosineTiltIncrement": 0.0,
    "TiltIncrement": 3.0,
    "LDContinuousUpdate": 0.0,
    "AlignByIntervals": 0.0,
    "UseSmallestBeamCal": 0.0,
    "LensNormalizeDelay": 0.0,
}

CAMERA_PROPERTIES: dict[str, float] = {
    "K2Type": 3.0,
    "CountsPerElectron": 4.0,
    "PixelSizeInMicrons": 5.0,
    "MinimumExposure": 0.01,
    "ExtraRotation": 0.0,
    "Retractable": 1.0,
    "RotationAndFlip": 0.0,
    "GIF": 1.0,
    "STEMCamera": 0.0,
    "DEType": 0.0,
}


class Numbers:
    """A table of numbers whose names ignore case.

    Parameters
    ----------
    kind : str
        What a name is called in messages.
    values : mapping
        Names and initial values; other names are refused.
    """

    def __init__(self, kind: str, values: Mapping[str, float]) -> None:
        self._kind = kind
        self._values = {name.lower(): float(value) for name, value in values.items()}

    def get(self, name: str) -> float:
        """Value of a name.

        Raises
        ------
        CommandError
            The name is not known.
        """
        value = self._values.get(name.lower())
        if value is None:
            raise CommandError(f"{name} is not a recognized {self._kind} with a numeric value")
        return value

    def knows(self, name: str) -> bool:
        """Tell whether there is a value of this name."""
        return name.lower() in self._values

    def set(self, name: str, value: float) -> float:
        """Change a value and return the old one.

        Raises
        ------
        CommandError
            The name is not known.
        """
        old = self.get(name)
        self._values[name.lower()] = float(value)
        return old
