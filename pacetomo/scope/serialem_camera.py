"""Images and the stacks they are saved in, through SerialEM."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pacetomo.errors import ImageNotSavedError, ScopeError
from pacetomo.frames import XY
from pacetomo.scope.protocol import Area, Level, Missing, ShiftOrMissing, Shot
from pacetomo.scope.serialem_imaging import LETTERS, SerialEMImaging

REFERENCE_BUFFER = "O"
"""Beyond the rolling buffers, so that it survives acquisitions."""

HOLE_BUFFER = "P"
"""Where the operator keeps the View image of a hole; nothing here ever writes into it."""

SAME_SCALE = 1.1
"""Images are of the same magnification when their unbinned pixels differ by no more than this factor."""

SAVE_ATTEMPTS = 3
SAVE_PAUSE_S = 2.0

_LARGEST_DOSE_ACCOUNT = 250


class SerialEMCamera(SerialEMImaging):
    """Exposing, aligning, saving and describing images."""

    def __init__(self, sem: Any) -> None:
        super().__init__(sem)
        self._prior_doses: dict[int, float] = {}
        self._open_series: Path | None = None
        self._sections = 0

    # images

    def record_exposure_s(self) -> float:
        return float(self._do("reading the Record exposure", "ReportExposure", "R")[0])

    def set_exposure(self, area: Area, seconds: float | None) -> None:
        back = f"restoring the {area.value} exposure"
        if seconds is not None:
            self._put_back(back, "RestoreCameraSet", LETTERS[area])
            self._do(f"setting the {area.value} exposure", "SetExposure", LETTERS[area], float(seconds))
        else:
            self._undo_now(back)

    def take(self, area: Area) -> Shot:
        self._do(f"taking a {area.value} image", {Area.VIEW: "V", Area.PREVIEW: "L"}[area])
        return self._describe()

    def record(self, frame_name: str, floor_per_s: float = 0.0) -> tuple[Shot, int | None]:
        self._do("naming the frames", "SetFrameBaseName", 0, 1, 0, frame_name)
        compensated = self._compensating
        if compensated:
            self._do("compensating the beam tilt", "AdjustBeamTiltforIS")
        try:
            self._expose()
            is_kept = not self._is_darker(floor_per_s)
            if is_kept:
                self._save_at_once()
        finally:
            if compensated:  # AdjustBeamTiltforIS adds to what is there: take it back before the next shift
                self._restore_beam_tilt()
        try:
            shot = self._describe()
        except ScopeError as err:  # the image is safe: what cannot be told of it must not end its target
            self.tell(f"Warning: {err}", Level.WARNING)
            shot = Shot(math.nan, 0.0, 0.0, XY(0.0, 0.0))
        return shot, self._sections - 1 if is_kept else None

    def _is_darker(self, floor_per_s: float) -> bool:
        """Whether the image just exposed has fewer counts; one that cannot be measured has not."""
        if floor_per_s <= 0:
            return False
        try:
            counts = float(self._do("reading the mean counts", "ReportMeanCounts", "A"))
            exposure_s = float(self._do("reading the exposure", "ImageProperties", "A")[3])
        except ScopeError as err:
            self.tell(f"Warning: {err}", Level.WARNING)
            return False
        return counts < floor_per_s * exposure_s

    def set_aside(self, path: Path) -> None:
        current = self._open_series
        self.close_series()
        try:
            self.open_series(path)
            self._save_at_once()
        finally:
            self.close_series()
            if current is not None:
                self.open_series(current)

    def _expose(self) -> None:
        """Take an image in the area aimed at."""
        area = self._imaging.area
        if area is Area.VIEW:
            self._do("taking a view image", "V")
        elif area is Area.SEARCH:
            self._do("taking a search image", "Search")
        elif area is Area.TRIAL:
            self._do("taking a trial image", "T")
        else:
            self._do("taking a record image", "R")

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
        except ScopeError as err:
            return Missing(str(err))
        return self._offset(where, REFERENCE_BUFFER, limit_um)

    def hole_field_um(self) -> ShiftOrMissing:
        doing = f"looking for the image of a hole in buffer {HOLE_BUFFER}"
        try:
            properties = self._do(doing, "ImageProperties", HOLE_BUFFER)
        except ScopeError:
            # An empty buffer makes the command fail: that is the answer, not a fault.
            return Missing(f"buffer {HOLE_BUFFER} is empty")
        columns, rows, binning, _exposure_s, pixel_nm, _set = properties
        view_nm = float(self._do(doing, "ReportCurrentPixelSize", "V"))
        view_binning = float(self._do(doing, "ReportBinning", "V"))
        if pixel_nm > 0 and binning > 0 and view_nm > 0:  # 0 is what SerialEM says of what it does not know
            ratio = (pixel_nm / binning) / (view_nm / view_binning)
            if not 1 / SAME_SCALE < ratio < SAME_SCALE:
                return Missing(
                    f"the image in buffer {HOLE_BUFFER} was not taken in View: "
                    f"its pixels are {ratio:.2g} times as large"
                )
        return XY(columns * pixel_nm / 1000, rows * pixel_nm / 1000)

    def offset_from_hole(self, limit_um: float) -> ShiftOrMissing:
        return self._offset(f"aligning to the hole in buffer {HOLE_BUFFER}", HOLE_BUFFER, limit_um)

    def _offset(self, where: str, buffer: str, limit_um: float | None) -> ShiftOrMissing:
        """Offset of the present image from the one in a buffer."""
        try:
            if limit_um is not None:
                self._do(where, "LimitNextAutoAlign", float(limit_um))
            if self._do(where, "AlignTo", buffer, 1) == -1.0:
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
