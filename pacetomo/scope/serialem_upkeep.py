"""Dewars, valves, gun and energy filter through SerialEM, and what it keeps in mind between scripts."""

from __future__ import annotations

import math
from typing import Any

from pacetomo.errors import ScopeError
from pacetomo.frames import XY
from pacetomo.scope.protocol import Level
from pacetomo.scope.serialem_imaging import ILLUMINATED_AREA_UM, SerialEMImaging

_FILL_FAILURES = {
    1: "it was not done in time",
    3: "the stage's dewar did not begin to fill",
    4: "the transfer dewar did not begin to fill",
    5: "neither dewar began to fill",
}
"""Error codes of the long operations that fill dewars."""

_PREVIEW = -1
"""For RefineZLP: images with the Preview set, whose beam is that of Record and falls where Record looks."""


class SerialEMUpkeep(SerialEMImaging):
    """What the column needs now and then."""

    def __init__(self, sem: Any) -> None:
        super().__init__(sem)
        self._valves_found_open: bool | None = None
        self._remembered_s: dict[str, float] = {}

    # dewars

    def dewars_filling(self) -> int:
        return int(self._do("asking for the dewars", "AreDewarsFilling"))

    def next_dewar_fill_s(self) -> float | None:
        seconds = float(self._do("asking for the next filling of the dewars", "DewarsRemainingTime"))
        return None if seconds < 0 else seconds

    def fill_transfer_dewar(self) -> None:
        self._check_fill(self._do("filling the transfer dewar", "LongOperation", "RT", "0"))

    def fill_stage_dewar(self) -> None:
        self._check_fill(self._do("filling the stage's dewar", "LongOperation", "RS", "0"))

    def _check_fill(self, outcome: tuple[float, ...] | None) -> None:
        code = 0 if outcome is None else int(outcome[0])
        if code:
            reason = _FILL_FAILURES.get(code, f"code {code}")
            raise ScopeError(f"filling a dewar: SerialEM's LongOperation failed ({reason})")

    # valves

    def valves_open(self) -> bool | None:
        state = self._do("asking for the column valves", "ReportColumnOrGunValve")
        # -1 on columns without such valves: filament current and beam switch contradict each other.
        is_open = None if state < 0 else bool(state)
        if self._valves_found_open is None:
            self._valves_found_open = is_open
        return is_open

    def open_valves(self) -> None:
        if self._valves_found_open is False:  # somebody had closed them before this run
            self._put_back("closing the column valves again", "SetColumnOrGunValve", 0)
        self._do("opening the column valves", "SetColumnOrGunValve", 1)

    # gun

    def flash_advised(self, hot: bool) -> bool:
        return bool(self._do("asking whether to flash the gun", "IsFEGFlashingAdvised", int(hot)))

    def hours_since_flash(self) -> float:
        answer = self._do("asking for the last flash of the gun", "LongOperation", "FF", "-2")
        return math.inf if answer is None else float(answer[0] if isinstance(answer, tuple) else answer)

    def flash_gun(self, hot: bool) -> None:
        if hot:
            self._do("choosing a hot flash", "NextFEGFlashHighTemp", 1)
        self._do("flashing the gun", "LongOperation", "FF", "0")

    # energy filter

    def has_energy_filter(self) -> bool:
        self._do("looking for the energy filter", "ReportEnergyFilter")
        return True

    def refine_slit(self, shift_um: XY) -> None:
        doing = "refining the slit"
        found_um, focus_um = self.shift_um(), self.focus_um()
        filter_before = self._do(doing, "ReportEnergyFilter")
        if not self.aim(shift_um, focus_um, compensate_beam_tilt=False):
            raise ScopeError(f"{doing}: the place needs an image shift of {shift_um.length:.1f} µm")
        try:
            self._do(doing, "RefineZLP", 0.0, _PREVIEW)
        finally:
            self._restore_filter(filter_before)
            self.aim(found_um, focus_um, compensate_beam_tilt=False)

    def _restore_filter(self, found: tuple[float, float, float]) -> None:
        """Put back slit and loss, where a refinement that failed has left them changed."""
        doing = "restoring the energy filter"
        self._go_to_record()
        width_ev, loss_ev, is_in = self._do(doing, "ReportEnergyFilter")
        if width_ev != found[0]:
            self._do(doing, "SetSlitWidth", float(found[0]))
        if loss_ev != found[1]:
            self._do(doing, "SetEnergyLoss", float(found[1]))
        if bool(is_in) is not bool(found[2]):
            self._do(doing, "SetSlitIn", int(found[2]))

    def beam_radius_um(self) -> float:
        doing = "asking for the Record beam"
        self._go_to_record()
        columns, rows = self._do(doing, "ReportCameraSetArea", "R")[:2]
        pixel_um = float(self._do(doing, "ReportCurrentPixelSize", "R")) / 1000
        # An image is lit to its corners; where the column knows the illuminated area it may be larger still.
        return max(math.hypot(columns, rows) * pixel_um / 2, self._illuminated_um() / 2)

    def _illuminated_um(self) -> float:
        try:
            area = float(self._do("asking for the illuminated area", "ReportIlluminatedArea"))
        except ScopeError:
            # Only some columns have one: then the field of the camera has to do.
            return 0.0
        return ILLUMINATED_AREA_UM * area

    # memory

    def recall_s(self, name: str) -> float | None:
        try:
            if not self._do("looking for a note", "IsVariableDefined", name):
                return self._remembered_s.get(name)
            return float(self._do("reading a note", "GetVariable", name))
        except ScopeError:
            return self._remembered_s.get(name)
        except ValueError:  # another script's variable of that name
            return None

    def remember_s(self, name: str, seconds: float) -> None:
        self._remembered_s[name] = seconds
        try:
            self._do("leaving a note", "SetPersistentVar", name, f"{seconds:.1f}")
        except ScopeError as err:  # this run knows, and the next one does it once too often
            self.tell(f"Warning: {err}", Level.WARNING)
