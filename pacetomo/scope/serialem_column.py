"""Stage and optics through SerialEM."""

from __future__ import annotations

import math
from typing import Any

from pacetomo.errors import ScopeError
from pacetomo.frames import XY, Calibration
from pacetomo.scope.protocol import FocusOrMissing, Item, Limits, Missing
from pacetomo.scope.serialem_base import SerialEMCommands

MOST_DEFOCUS_UM = 50.0
"""Beyond this defocus the shift between tilted-beam images is no measure of it any more."""

_AUTOFOCUS_CODES = {
    -1: "weak correlation",
    1: "inconsistent with the one before",
    2: "beyond the absolute focus limits",
    3: "beyond the limits of focus changes",
    4: "too near to zero",
    5: "too many iterations",
}
"""What SerialEM's codes mean for the operator."""


class SerialEMColumn(SerialEMCommands):
    """Limits and calibrations, stage, image shift and focus."""

    def __init__(self, sem: Any) -> None:
        super().__init__(sem)
        self._shift_limit_um = math.inf

    def limits(self) -> Limits:
        shift_um = self._do("reading the image-shift limit", "ReportProperty", "ImageShiftLimit")
        tilt_deg = self._do("reading the tilt limit", "ReportProperty", "MaximumTiltAngle")
        return Limits(float(shift_um), float(tilt_deg))

    def calibration(self) -> Calibration:
        self._go_to_record()
        return Calibration(
            is_to_specimen=self._matrix("ISToSpecimenMatrix"),
            stage_to_specimen=self._matrix("StageToSpecimenMatrix"),
        )

    # stage

    def move_to_item(self, item: Item) -> None:
        self._do(f"moving to Navigator item {item.label}", "MoveToNavItem", item.place)

    def stage_um(self) -> tuple[float, float, float]:
        x_um, y_um, z_um = self._do("reading the stage position", "ReportStageXYZ")[:3]
        return float(x_um), float(y_um), float(z_um)

    def move_stage_to(self, stage_um: tuple[float, float, float]) -> None:
        self._do("moving the stage", "MoveStageTo", *map(float, stage_um))

    def realign_to_item(self) -> None:
        doing = "realigning to the Navigator item"
        self._do(doing, "SkipZMoveNextNavRealign", 1)  # the height of the sample has just been found
        try:
            self._do(doing, "RealignToNavItem", 1)
        except ScopeError:
            self._do(doing, "SkipZMoveNextNavRealign", 0)
            raise

    def tilt_deg(self) -> float:
        return float(self._do("reading the tilt", "ReportTiltAngle"))

    def tilt_to(self, tilt_deg: float) -> float:
        self._do(f"tilting to {tilt_deg:g}°", "TiltTo", float(tilt_deg))
        return self.tilt_deg()

    def walk_to(self, tilt_deg: float) -> float:
        self._do(f"walking up to {tilt_deg:g}°", "WalkUpTo", float(tilt_deg))
        return self.tilt_deg()

    def find_eucentric_height(self) -> None:
        self._do("finding the eucentric height", "Eucentricity", 3)

    def recentre_stage(self) -> None:
        self._do("moving the stage by the image shift", "ResetImageShift")

    # optics

    def shift_um(self) -> XY:
        shift = self._do("reading the specimen shift", "ReportSpecimenShift")
        if shift is None:
            raise ScopeError(
                "image shift is not calibrated at the Record magnification: calibrate it in SerialEM"
            )
        return XY(*shift)

    def focus_um(self) -> float:
        self._go_to_record()  # in View and Search the readout includes the offset of that area
        return float(self._do("reading the focus", "ReportDefocus"))

    def set_wanted_defocus(self, defocus_um: float) -> None:
        self._do("setting the target defocus", "SetTargetDefocus", float(defocus_um))

    def autofocus(self, wanted_um: float) -> FocusOrMissing:
        before_um = self.focus_um()
        self.set_wanted_defocus(wanted_um)
        try:
            self._do("autofocusing", "G")
            measured_um, code = self._do("reading the autofocus result", "ReportAutoFocus")
            self._do("reading the drift seen by autofocus", "ReportFocusDrift")
        except ScopeError as err:
            fault: str | None = str(err)
        else:
            fault = _autofocus_fault(measured_um, code)
        found_um = self.focus_um()
        if fault is None:
            return found_um
        if found_um != before_um:
            self._do("undoing the autofocus", "SetDefocus", before_um)
        return Missing(fault)

    def focus_place_um(self) -> XY:
        return self._area_place_um("Focus", "F")

    def _area_place_um(self, name: str, letter: str) -> XY:
        """Where a low-dose area lies, as seen from Record's centre (specimen frame)."""
        along_um, turn_deg = self._do(f"asking where the {name} area is", "ReportAxisPosition", letter)[:2]
        turn = math.radians(turn_deg)
        return XY(along_um * math.cos(turn), along_um * math.sin(turn))

    def tilt_axis_offset_um(self) -> float:
        return float(self._do("reading the tilt axis offset", "ReportTiltAxisOffset")[0])

    def set_tilt_axis_offset(self, offset_um: float) -> None:
        self._do("setting the tilt axis offset", "SetTiltAxisOffset", float(offset_um))

    def can_compensate_beam_tilt(self) -> bool:
        try:
            return any(self._do("looking for the coma calibration", "ReportComaVsISmatrix"))
        except ScopeError:
            # SerialEM answers a missing calibration by failing: that is the answer, not a fault.
            return False


def _autofocus_fault(measured_um: float, code: float) -> str | None:
    """Why what autofocus reports is no measurement; None if it is one."""
    if code != 0:
        return f"autofocus gave no usable result ({_AUTOFOCUS_CODES.get(int(code), f'code {code:g}')})"
    if measured_um == 0.0 or not math.isfinite(measured_um):
        return f"autofocus gave no usable result (a defocus of {measured_um:g})"
    if abs(measured_um) > MOST_DEFOCUS_UM:
        return f"autofocus measured {measured_um:.0f} µm: more than {MOST_DEFOCUS_UM:g} µm is not believed"
    return None
