"""Going where an image is to be taken: shift, focus, low-dose area and magnification, through SerialEM."""

from __future__ import annotations

from typing import Any

from pacetomo.errors import ScopeError
from pacetomo.frames import XY
from pacetomo.scope.protocol import Area, Imaging
from pacetomo.scope.serialem_column import SerialEMColumn

LETTERS = {Area.RECORD: "R", Area.PREVIEW: "R", Area.VIEW: "V", Area.SEARCH: "S", Area.TRIAL: "T"}
"""Low-dose area of each kind of image."""

ILLUMINATED_AREA_UM = 100.0
"""µm in a unit of SerialEM's illuminated area."""

MAGNIFICATION_TOLERANCE = 0.02
MAGNIFICATION_ATTEMPTS = 3


class SerialEMImaging(SerialEMColumn):
    """Low-dose areas other than Record, and other magnifications than theirs.

    Shifts are those of Record. SerialEM keeps the displayed shift on the specimen when the area changes, but an area
    has its own magnification and so its own matrices; the shift is therefore set once more in the area. Trial lies
    some micrometres along the tilt axis: that way is taken back, so that it is the target which is imaged and not its
    neighbour. Focus is set in Record, and View and Search add their own offset to it when they are gone to.
    """

    def __init__(self, sem: Any) -> None:
        super().__init__(sem)
        self._compensating = False
        self._imaging = Imaging()
        self._tilted_beam = False
        self._magnified: tuple[str, int] | None = None
        self._record_mag: int | None = None

    # low dose

    def low_dose_change(self) -> str | None:
        if not self._do("asking for low dose", "ReportLowDose")[0]:
            return "low dose is off"
        self._go_to_record()
        found = self._mag_index()
        if self._record_mag is None or found == self._record_mag:
            return None
        return f"the magnification of Record has changed (index {self._record_mag} at the beginning, now {found})"

    def restore_low_dose(self) -> None:
        doing = "putting low dose back"
        if not self._do(doing, "ReportLowDose")[0]:
            self._do(doing, "SetLowDoseMode", 1)
        self._go_to_record()
        if self._record_mag is not None and self._mag_index() != self._record_mag:
            # Only between these the area follows the column; the script's end brings back what was changed.
            self._do(doing, "UpdateLowDoseParams", "R")
            self._do(doing, "SetMagIndex", self._record_mag)

    def _mag_index(self) -> int:
        return int(self._do("reading the magnification", "ReportMagIndex")[0])

    # going there

    def aim(
        self, shift_um: XY, focus_um: float, compensate_beam_tilt: bool, imaging: Imaging | None = None
    ) -> bool:
        if shift_um.length > self._shift_limit_um:
            return False
        wanted = imaging or Imaging()
        self._restore_compensation()
        if wanted != self._imaging:
            self.release()
        self._imaging, self._compensating = wanted, compensate_beam_tilt
        self._go_to_record()
        if not self._set_shift(shift_um):
            return False
        self._do("setting the focus", "SetDefocus", float(focus_um))
        return wanted == Imaging() or self._go_beyond_record(wanted, shift_um)

    def _go_beyond_record(self, imaging: Imaging, shift_um: XY) -> bool:
        """Go on from Record with the shift set to another area, or another magnification."""
        letter = LETTERS[imaging.area]
        if imaging.area is not Area.RECORD and self._compensating:
            # The displayed shift of an area beside Record is not that of the beam's path: compensated while it is.
            self._tilt_beam()
            self._compensating = False
        if imaging.magnification is not None:
            self._magnify(letter, imaging.magnification)
        else:
            self._do(f"going to the {imaging.area.value} area", "GoToLowDoseArea", letter)
        is_trial = imaging.area is Area.TRIAL
        there = shift_um.minus(self._area_place_um("Trial", "T")) if is_trial else shift_um
        if self._set_shift(there):
            return True
        self.release()
        self._go_to_record()
        return False

    def release(self) -> None:
        try:
            if self._magnified is not None:
                self._put_magnification_back(*self._magnified)
        finally:
            self._restore_compensation()

    def _restore_compensation(self) -> None:
        """Take back a beam tilt set on aiming; setting it adds to what is there."""
        if self._tilted_beam:
            self._tilted_beam = False
            self._do("restoring the beam tilt", "RestoreBeamTilt")

    def _set_shift(self, shift_um: XY) -> bool:
        """Set the specimen shift with the matrix of the present magnification; False if SerialEM refuses it."""
        image_shift = self._matrix("SpecimenToISMatrix").apply(shift_um)
        return not self._do("setting the image shift", "SetImageShift", image_shift.x, image_shift.y)

    def _tilt_beam(self) -> None:
        self._undo_at_end("beam tilt", self.release)
        self._do("compensating the beam tilt", "AdjustBeamTiltforIS")
        self._tilted_beam = True

    def _magnify(self, letter: str, magnification: float) -> None:
        """Change the magnification of an area for the next images, its illumination unchanged."""
        self._do("going to the area", "GoToLowDoseArea", letter)
        index = int(self._do("reading the magnification", "ReportMagIndex")[0])
        if self._is_at(magnification):
            return
        spread = float(self._do("reading the illumination", "ReportPercentC2")[0])
        self._undo_at_end("magnification", self.release)
        self._magnified = (letter, index)
        # Only between these two does the area follow the column, so that going to it does not change it back.
        self._do("changing the magnification", "UpdateLowDoseParams", letter)
        for _ in range(MAGNIFICATION_ATTEMPTS):  # some columns ignore the first change
            self._do("changing the magnification", "SetMag", float(magnification))
            if self._is_at(magnification):
                break
        else:
            raise ScopeError(f"the magnification could not be changed to {magnification:g}")
        if abs(float(self._do("reading the illumination", "ReportPercentC2")[0]) - spread) > 1e-3 * spread:
            self._do("keeping the illumination", "SetPercentC2", spread)

    def _put_magnification_back(self, letter: str, index: int) -> None:
        """Bring column and area back to the magnification that the operator has set."""
        self._do("going to the area", "GoToLowDoseArea", letter)
        try:
            for _ in range(MAGNIFICATION_ATTEMPTS):
                self._do("restoring the magnification", "SetMagIndex", index)
                if int(self._do("reading the magnification", "ReportMagIndex")[0]) == index:
                    break
            else:
                raise ScopeError("the magnification could not be restored: check the Record area")
            self._magnified = None
        finally:
            self._do("restoring the area", "RestoreLowDoseParams", letter)
            self._do("going to the area", "GoToLowDoseArea", letter)

    def _is_at(self, magnification: float) -> bool:
        present = float(self._do("reading the magnification", "ReportMag")[0])
        return abs(present - magnification) <= MAGNIFICATION_TOLERANCE * magnification
