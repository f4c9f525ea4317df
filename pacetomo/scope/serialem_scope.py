"""The microscope through SerialEM: the only module that imports `serialem`.

Commands used are those of SerialEM 4.1 and newer. Every failing command becomes a `ScopeError` that says what was
being done; `SEMexited` (the operator's STOP) passes untouched.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pacetomo.errors import ImageNotSavedError, ScopeError
from pacetomo.frames import XY, Calibration, Matrix2
from pacetomo.scope.protocol import (
    Area,
    FocusOrMissing,
    Item,
    Level,
    Limits,
    Microscope,
    Missing,
    ShiftOrMissing,
    Shot,
)

REFERENCE_BUFFER = "O"
"""Beyond the rolling buffers, so that it survives acquisitions."""

_STYLES = {Level.DETAIL: (0, 1), Level.GOOD: (0, 3), Level.WARNING: (1, 6), Level.ERROR: (1, 2)}
"""Level -> style and colour of SetNextLogOutputStyle."""

SAVE_ATTEMPTS = 3
SAVE_PAUSE_S = 2.0

_LARGEST_DOSE_ACCOUNT = 250


def connect() -> SerialEMScope:
    """SerialEM as seen from a script that it runs itself.

    Raises
    ------
    ScopeError
        When there is no `serialem` module: the script was not started by SerialEM.
    """
    try:
        import serialem
    except ImportError as err:
        raise ScopeError(
            "no module named serialem: start this script from SerialEM's script window, "
            "or rehearse it with `pacetomo rehearse`"
        ) from err
    scope = SerialEMScope(serialem)
    scope.switch_off_message_boxes()
    return scope


class SerialEMScope(Microscope):
    """`Microscope` on the functions of a `serialem` module (the real one or a simulated one)."""

    def __init__(self, sem: Any) -> None:
        self._sem = sem
        self._prior_doses: dict[int, float] = {}
        self._found: _Found | None = None
        self._record_exposure_changed = False
        self._open_series: Path | None = None
        self._sections = 0
        self._has_styles: bool | None = None
        self._shift_limit_um = math.inf

    def switch_off_message_boxes(self) -> None:
        """Let failing commands raise at once: otherwise they wait at a message box, all night."""
        self._do("switching off message boxes", "NoMessageBoxOnError", 1)

    def _do(self, doing: str, command: str, *arguments: float | int | str) -> Any:
        """Run a command; a failure says what was being done and which command refused."""
        try:
            return getattr(self._sem, command)(*arguments)
        except self._sem.SEMerror as err:
            said = " ".join(
                str(err).replace("*", " ").replace("SCRIPT ERROR WITH THIS MESSAGE:", " ").split()
            )
            raise ScopeError(f"{doing}: SerialEM's {command} failed ({said or 'no reason given'})") from err

    # talking and waiting

    def clock_s(self) -> float:
        return float(self._do("reading the clock", "ReportTickTime"))

    def wait(self, seconds: float) -> None:
        if seconds > 0:
            self._do("waiting", "Delay", float(seconds), "sec")

    def tell(self, text: str, level: Level = Level.INFO) -> None:
        if self._has_styles is None:
            self._has_styles = self._is_at_least("40200")
        if level in _STYLES and self._has_styles:
            self._do("writing to the log", "SetNextLogOutputStyle", *_STYLES[level])
        self._do("writing to the log", "Echo", _plain(text))

    def save_log(self, path: Path) -> None:
        self._do("saving the log", "SaveLog", 1, str(path))

    def show_progress(self, text: str) -> None:
        self._do("showing the progress", "SetStatusLine", 1, _plain(text))

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
        index, x_um, y_um, _z, _type = self._do("reading the Navigator item", "ReportNavItem")
        label = str(self._do("reading the item's label", "GetVariable", "navLabel"))
        note = str(self._do("reading the item's note", "GetVariable", "navNote"))
        return Item(int(index), label, note, XY(x_um, y_um))

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

    # beginning and end

    def begin(self, image_shift_limit_um: float) -> None:
        self.switch_off_message_boxes()
        if not self._is_at_least("40100"):
            raise ScopeError("this SerialEM is older than 4.1: update it")
        low_dose, area = self._do("asking for low dose", "ReportLowDose")
        if not low_dose:
            raise ScopeError("low dose mode is off: switch it on and set up View, Focus and Record")
        self._found = _Found(
            area=int(area),
            shift_limit_um=float(
                self._do("reading the image-shift limit", "ReportProperty", "ImageShiftLimit")
            ),
        )
        self._shift_limit_um = image_shift_limit_um
        self._do("keeping the log readable", "SuppressReports", 1)
        self._do("keeping the image shift on the tilt axis", "SetUserSetting", "ShiftToTiltAxis", 1)
        self._found.focus_um = self.focus_um()
        self._found.wanted_um = float(self._do("reading the target defocus", "ReportTargetDefocus"))
        self._found.tilt_deg = self.tilt_deg()
        self._do("resetting the image shift", "SetImageShift", 0.0, 0.0)
        if self._found.shift_limit_um < image_shift_limit_um:
            limit = math.ceil(image_shift_limit_um)
            self.tell(f"SerialEM's image-shift limit goes from {self._found.shift_limit_um:g} to {limit} µm")
            self._do("setting the image-shift limit", "SetProperty", "ImageShiftLimit", limit)
            self._found.limit_raised = True

    def end(self) -> None:
        if self._found is None:
            return
        found, self._found = self._found, None
        steps: list[Callable[[], object]] = [
            self.close_series,
            lambda: self.set_record_exposure(None),
            self._go_to_record,
            lambda: self._do("resetting the image shift", "SetImageShift", 0.0, 0.0),
            lambda: self._do("restoring the focus", "SetDefocus", found.focus_um),
            lambda: self._do("restoring the target defocus", "SetTargetDefocus", found.wanted_um),
            lambda: self.tilt_to(found.tilt_deg),
        ]
        if found.limit_raised:
            limit = round(found.shift_limit_um)
            steps.append(
                lambda: self._do("restoring the image-shift limit", "SetProperty", "ImageShiftLimit", limit)
            )
        if found.area >= 0:
            area = "VFTRS"[found.area]
            steps.append(lambda: self._do("returning to the low-dose area", "GoToLowDoseArea", area))
        failures = []
        for step in steps:  # one step that fails must not keep the others from being done
            try:
                step()
            except ScopeError as err:
                failures.append(str(err))
        if failures:
            raise ScopeError("the microscope could not be put back as it was: " + "; ".join(failures))

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
        if self._found is not None:
            self._found.compensating = compensate_beam_tilt
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

    # images

    def set_record_exposure(self, seconds: float | None) -> None:
        if seconds is not None:
            self._do("setting the Record exposure", "SetExposure", "R", float(seconds))
            self._record_exposure_changed = True
        elif self._record_exposure_changed:
            self._do("restoring the Record exposure", "RestoreCameraSet", "R")
            self._record_exposure_changed = False

    def take(self, area: Area) -> Shot:
        self._do(f"taking a {area.value} image", {Area.VIEW: "V", Area.PREVIEW: "L"}[area])
        return self._describe()

    def record(self, frame_name: str) -> tuple[Shot, int]:
        self._do("naming the frames", "SetFrameBaseName", 0, 1, 0, frame_name)
        compensated = self._found is not None and self._found.compensating
        if compensated:
            self._do("compensating the beam tilt", "AdjustBeamTiltforIS")
        try:
            self._do("taking a record image", "R")
            self._save_at_once()
        finally:
            if compensated:  # AdjustBeamTiltforIS adds to what is there: take it back before the next shift
                self._restore_beam_tilt()
        try:
            shot = self._describe()
        except ScopeError as err:  # the image is safe: what cannot be told of it must not end its target
            self.tell(f"Warning: {err}", Level.WARNING)
            shot = Shot(math.nan, 0.0, 0.0, XY(0.0, 0.0))
        return shot, self._sections - 1

    def _save_at_once(self) -> None:
        """Save the image just exposed, whoever holds the file for a moment."""
        for attempt in range(SAVE_ATTEMPTS):
            try:
                self.save_section()
                return
            except ScopeError as err:
                if attempt == SAVE_ATTEMPTS - 1:
                    raise ImageNotSavedError(
                        f"the image was exposed but not saved: {err}", self._dose()
                    ) from err
                self.wait(SAVE_PAUSE_S)

    def _restore_beam_tilt(self) -> None:
        try:
            self._do("restoring the beam tilt", "RestoreBeamTilt")
        except ScopeError as err:
            self.tell(f"Warning: {err}", Level.WARNING)

    def _dose(self) -> float:
        dose, _mag = self._do("reading the dose", "ImageConditions", "A")
        return float(dose)

    def _describe(self) -> Shot:
        counts = float(self._do("reading the mean counts", "ReportMeanCounts", "A"))
        properties = self._do("reading the image", "ImageProperties", "A")
        columns, rows, _binning, exposure_s, pixel_nm, _set = properties
        return Shot(counts, exposure_s, self._dose(), XY(columns * pixel_nm / 1000, rows * pixel_nm / 1000))

    def offset_from_file(self, reference: Path, section: int, limit_um: float | None) -> ShiftOrMissing:
        where = f"aligning to section {section} of {reference.name}"
        try:
            if reference == self._open_series:
                self._do(where, "ReadFile", section, REFERENCE_BUFFER)
            else:
                self._do(where, "ReadOtherFile", section, REFERENCE_BUFFER, str(reference))
            if limit_um is not None:
                self._do(where, "LimitNextAutoAlign", float(limit_um))
            if self._do(where, "AlignTo", REFERENCE_BUFFER, 1) == -1.0:
                return Missing(f"{where}: no correlation peak within {limit_um:.2f} µm")
            # The shift that AlignTo would impose centres the reference's centre: it is where that point lies now.
            imposed = self._do(where, "ReportISforBufferShift")
            to_specimen = self._matrix("ISToSpecimenMatrix")
        except ScopeError as err:
            return Missing(str(err))
        return Missing(f"{where}: no shift reported") if imposed is None else to_specimen.apply(XY(*imposed))

    # series

    def open_series(self, path: Path) -> int:
        doing = f"opening {path.name}"
        exists = path.exists()
        if exists and path.stat().st_size == 0:  # opened before, and nothing could be saved into it
            path.unlink()
            exists = False
        self._do(doing, "OpenOldFile" if exists else "OpenNewFile", str(path))
        self._open_series = path
        self._sections = int(self._do(doing, "ReportFileZsize")) if exists else 0
        return self._sections

    def save_section(self) -> int:
        self._do("saving the image", "S", "A")
        self._sections += 1
        return self._sections - 1

    def annotate(self, entries: Mapping[str, str]) -> None:
        for key, value in entries.items():
            self._do("writing metadata", "AddToAutodoc", key, value)
        self._do("writing metadata", "WriteAutodoc")

    def close_series(self) -> None:
        if self._open_series is not None:
            self._open_series = None
            self._do("closing the stack", "CloseFile")

    def set_prior_dose(self, account: int, e_per_a2: float) -> None:
        if account > _LARGEST_DOSE_ACCOUNT:
            return  # SerialEM keeps no more sums; our own metadata still carries the dose
        self._do("choosing the dose account", "AreaForCumulRecordDose", account)
        # The first call sets the sum, later ones add to it.
        step = e_per_a2 - self._prior_doses.get(account, 0.0)
        self._do("counting the dose", "AccumulateRecordDose", max(0.0, step))
        self._prior_doses[account] = e_per_a2

    def _go_to_record(self) -> None:
        self._do("going to the Record area", "GoToLowDoseArea", "R")

    def _matrix(self, command: str) -> Matrix2:
        values = self._do("reading a calibration", command, 0)
        if not any(values):
            raise ScopeError(
                f"{command} is not calibrated at this magnification: calibrate image and stage shift"
            )
        return Matrix2(*values)

    def _is_at_least(self, version: str) -> bool:
        return bool(self._do("asking for the version", "IsVersionAtLeast", version))


def _plain(text: str) -> str:
    """Text in ASCII: SerialEM's windows do not show what lies beyond it."""
    for sign, instead in (("µ", "u"), ("°", " deg"), ("Å", "A"), ("²", "^2"), ("…", "..."), ("±", "+-")):
        text = text.replace(sign, instead)
    return text.encode("ascii", "replace").decode("ascii")


class _Found:
    """The state to come back to."""

    def __init__(self, area: int, shift_limit_um: float) -> None:
        self.area = area
        self.shift_limit_um = shift_limit_um
        self.limit_raised = False
        self.focus_um = 0.0
        self.wanted_um = 0.0
        self.tilt_deg = 0.0
        self.compensating = False
