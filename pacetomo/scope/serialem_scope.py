"""The microscope through SerialEM: the only module that imports `serialem`.

Commands used are those of SerialEM 4.1 and newer. Every failing command becomes a `ScopeError` that says what was
being done; `SEMexited` (the operator's STOP) passes untouched.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import TypeVar

from pacetomo.errors import ScopeError
from pacetomo.frames import XY
from pacetomo.scope.protocol import Item, Microscope
from pacetomo.scope.serialem_base import plain_text
from pacetomo.scope.serialem_ctf import SerialEMCtf
from pacetomo.scope.serialem_facts import SerialEMFacts
from pacetomo.scope.serialem_pixels import SerialEMPixels
from pacetomo.scope.serialem_upkeep import SerialEMUpkeep

Scope = TypeVar("Scope", bound="SerialEMScope")


def connect() -> SerialEMScope:
    """SerialEM as seen from a script that it runs itself.

    Raises
    ------
    ScopeError
        When there is no `serialem` module: the script was not started by SerialEM.
    """
    return connect_as(SerialEMScope)


def connect_as(kind: type[Scope]) -> Scope:
    """SerialEM through a facade of this kind; ScopeError as in `connect`."""
    try:
        import serialem
    except ImportError as err:
        raise ScopeError(
            "no module named serialem: start this script from SerialEM's script window, "
            "or rehearse it with `pacetomo rehearse`"
        ) from err
    scope = kind(serialem)
    scope.switch_off_message_boxes()
    return scope


class SerialEMScope(SerialEMFacts, SerialEMPixels, SerialEMCtf, SerialEMUpkeep, Microscope):
    """`Microscope` on the functions of a `serialem` module (the real one or a simulated one)."""

    # facts

    def version(self) -> str:
        return "SerialEM 4.2 or newer" if self._is_at_least("40200") else "SerialEM 4.1"

    def folder(self) -> Path:
        return Path(str(self._do("asking for the session folder", "ReportDirectory")))

    def item(self) -> Item:
        if not self._do("looking for the Navigator", "ReportIfNavOpen"):
            raise ScopeError(
                "the Navigator is not open: open it and select the item of the area's first target"
            )
        try:
            index, x_um, y_um, _z, _type = self._do("reading the Navigator item", "ReportNavItem")
        except ScopeError as err:
            raise ScopeError(
                f"there is no Navigator item to acquire: it is gone, or none is selected ({err}); select the item of "
                "the area's first target"
            ) from err
        label = str(self._do("reading the item's label", "GetVariable", "navLabel"))
        note = str(self._do("reading the item's note", "GetVariable", "navNote"))
        return Item(int(index), label, note, XY(x_um, y_um))

    def items_to_come(self) -> int | None:
        acquiring, _state = self._do("asking for Acquire at Items", "ReportIfNavAcquiring")
        if not acquiring:
            return None
        marked = int(self._do("counting items", "ReportNumNavAcquire")[0])
        here = int(self._do("reading the Navigator item", "ReportNavItem")[0])
        count = 0
        for place in range(here + 1, int(self._do("counting items", "ReportNumTableItems")) + 1):
            if count == marked:
                break
            count += int(self._do("asking for an item's mark", "ReportItemAcquire", place))
        return count

    def ask(self, question: str) -> bool | None:
        if self._do("asking for Acquire at Items", "ReportIfNavAcquiring")[0]:
            return None
        # While message boxes are off every question is answered with no.
        self._do("asking the operator", "NoMessageBoxOnError", 0)
        try:
            return bool(self._do("asking the operator", "YesNoBox", plain_text(question)))
        finally:
            self.switch_off_message_boxes()

    def end_batch(self) -> None:
        if self._do("asking for Acquire at Items", "ReportIfNavAcquiring")[0]:
            self._do("ending Acquire at Items", "EndAcquireAtItems", 1)

    # beginning and end

    def begin(self, image_shift_limit_um: float) -> None:
        self.switch_off_message_boxes()
        if not self._is_at_least("40100"):
            raise ScopeError("this SerialEM is older than 4.1: update it")
        low_dose, area = self._do("asking for low dose", "ReportLowDose")
        if not low_dose:
            raise ScopeError("low dose mode is off: switch it on and set up View, Focus and Record")
        if area >= 0:
            self._put_back("returning to the low-dose area", "GoToLowDoseArea", "VFTRS"[int(area)])
        self._raise_shift_limit(image_shift_limit_um)
        self._do("keeping the log readable", "SuppressReports", 1)
        self._do("keeping the image shift on the tilt axis", "SetUserSetting", "ShiftToTiltAxis", 1)
        tilt_deg = self.tilt_deg()
        self._undo_at_end("tilt", lambda: self.tilt_to(tilt_deg))
        wanted_um = float(self._do("reading the target defocus", "ReportTargetDefocus"))
        self._put_back("restoring the target defocus", "SetTargetDefocus", wanted_um)
        self._put_back("restoring the focus", "SetDefocus", self.focus_um())
        self._record_mag = self._mag_index()
        found_is = self._do("reading the image shift", "ReportImageShift")[:2]
        self._put_back("restoring the image shift", "SetImageShift", *map(float, found_is))
        self._undo_at_end("record", self._go_to_record)  # focus and image shift were read there
        self._undo_at_end("file", self.close_series)
        self._do("resetting the image shift", "SetImageShift", 0.0, 0.0)

    def _raise_shift_limit(self, wanted_um: float) -> None:
        """Let SerialEM shift as far as the settings allow; its own limit comes back at the end."""
        found_um = float(self._do("reading the image-shift limit", "ReportProperty", "ImageShiftLimit"))
        self._shift_limit_um = wanted_um
        if found_um < wanted_um:
            limit = math.ceil(wanted_um)
            self._put_back(
                "restoring the image-shift limit", "SetProperty", "ImageShiftLimit", round(found_um)
            )
            self.tell(f"SerialEM's image-shift limit goes from {found_um:g} to {limit} µm")
            self._do("setting the image-shift limit", "SetProperty", "ImageShiftLimit", limit)

    def end(self) -> None:
        failures = []
        while self._undos:
            _, step = self._undos.popitem()
            try:
                try:
                    step()
                except ScopeError:  # a column that was busy for a moment
                    step()
            except ScopeError as err:  # one step that fails must not keep the others from being done
                failures.append(str(err))
        if failures:
            raise ScopeError("the microscope could not be put back as it was: " + "; ".join(failures))
