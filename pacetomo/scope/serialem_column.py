"""Stage and optics through SerialEM."""

from __future__ import annotations

import math
from typing import Any

from pacetomo.errors import ScopeError
from pacetomo.frames import XY, Calibration
from pacetomo.scope.protocol import FocusOrMissing, Item, Limits, Missing
from pacetomo.scope.serialem_base import SerialEMCommands


class SerialEMColumn(SerialEMCommands):
    """Limits and calibrations, stage, image shift and focus."""

    def __init__(self, sem: Any) -> None:
        super().__init__(sem)
        self._shift_limit_um = math.inf
        self._compensating = False

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

    def aim(self, shift_um: XY, focus_um: float, compensate_beam_tilt: bool) -> bool:
        if shift_um.length > self._shift_limit_um:
            return False
        self._go_to_record()
        image_shift = self._matrix("SpecimenToISMatrix").apply(shift_um)
        if self._do("setting the image shift", "SetImageShift", image_shift.x, image_shift.y):
            return False
        self._do("setting the focus", "SetDefocus", float(focus_um))
        self._compensating = compensate_beam_tilt
        return True

    def set_wanted_defocus(self, defocus_um: float) -> None:
        self._do("setting the target defocus", "SetTargetDefocus", float(defocus_um))

    def autofocus(self, wanted_um: float) -> FocusOrMissing:
        self.set_wanted_defocus(wanted_um)
        try:
            self._do("autofocusing", "G")
        except ScopeError as err:
            return Missing(str(err))
        measured_um, code = self._do("reading the autofocus result", "ReportAutoFocus")
        self._go_to_record()
        if code != 0 or not math.isfinite(measured_um):
            return Missing(f"autofocus gave no usable result (code {code:g})")
        return self.focus_um()

    def can_compensate_beam_tilt(self) -> bool:
        try:
            return any(self._do("looking for the coma calibration", "ReportComaVsISmatrix"))
        except ScopeError:
            # SerialEM answers a missing calibration by failing: that is the answer, not a fault.
            return False
