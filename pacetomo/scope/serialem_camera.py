"""Images and the stacks they are saved in, through SerialEM."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pacetomo.errors import ImageNotSavedError, ScopeError
from pacetomo.frames import XY
from pacetomo.scope.protocol import Area, Level, Missing, ShiftOrMissing, Shot
from pacetomo.scope.serialem_column import SerialEMColumn

REFERENCE_BUFFER = "O"
"""Beyond the rolling buffers, so that it survives acquisitions."""

SAVE_ATTEMPTS = 3
SAVE_PAUSE_S = 2.0

_LARGEST_DOSE_ACCOUNT = 250


class SerialEMCamera(SerialEMColumn):
    """Exposing, aligning, saving and describing images."""

    def __init__(self, sem: Any) -> None:
        super().__init__(sem)
        self._prior_doses: dict[int, float] = {}
        self._open_series: Path | None = None
        self._sections = 0

    # images

    def set_record_exposure(self, seconds: float | None) -> None:
        if seconds is not None:
            self._put_back("restoring the Record exposure", "RestoreCameraSet", "R")
            self._do("setting the Record exposure", "SetExposure", "R", float(seconds))
        else:
            self._undo_now("restoring the Record exposure")

    def take(self, area: Area) -> Shot:
        self._do(f"taking a {area.value} image", {Area.VIEW: "V", Area.PREVIEW: "L"}[area])
        return self._describe()

    def record(self, frame_name: str) -> tuple[Shot, int]:
        self._do("naming the frames", "SetFrameBaseName", 0, 1, 0, frame_name)
        compensated = self._compensating
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
