"""Facts for the check before a run, through SerialEM."""

from __future__ import annotations

import math
from typing import Any

from pacetomo.errors import ScopeError
from pacetomo.frames import XY
from pacetomo.scope.facts import Facts
from pacetomo.scope.serialem_camera import SerialEMCamera
from pacetomo.scope.serialem_imaging import ILLUMINATED_AREA_UM


class SerialEMFacts(SerialEMCamera):
    """State and calibrations, each for itself: what one microscope cannot tell another one can."""

    def facts(self) -> Facts:
        self._go_to_record()
        field_um, image_bytes = self._image_size("R")
        coarse_fields_um = {letter: self._image_size(letter)[0] for letter in ("V", "S")}
        options = self._known("ReportFileOptions", 0) if self._is_at_least("40200") else None
        fractions = self._known("ReportDoseFracParams", "R") if self._is_at_least("40300") else None
        folder = self._known("ReportFrameSavingPath")
        offset = self._known("ReportTiltAxisOffset")
        focus = self._known("ReportAxisPosition", "F")
        camera = self._known("CameraToSpecimenMatrix", 0)
        return Facts(
            limits=self.limits(),
            beam_um=self._beam_um(),
            field_um=field_um,
            coarse_fields_um={name: size for name, size in coarse_fields_um.items() if size is not None},
            # X of the camera points to (p cos a, -p sin a) of the specimen.
            field_rotation_deg=0.0 if not camera else math.degrees(math.atan2(camera[2], camera[0])),
            image_bytes=image_bytes,
            axis_offset_um=None if offset is None else float(offset[0]),
            is_coma_calibrated=self.can_compensate_beam_tilt(),
            focus_axis_um=None if focus is None else float(focus[0]),
            saves_frames=None if fractions is None else bool(fractions[0] and fractions[1]),
            frame_folder=None if folder is None else ("" if folder == "NONE" else str(folder)),
            writes_mdoc=None if options is None else bool(options[3]),
            is_mrc=None if options is None else int(options[0]) == 0,
        )

    def _beam_um(self) -> float | None:
        area = self._known("ReportIlluminatedArea")
        if area:
            return float(area) * ILLUMINATED_AREA_UM
        size = self._known("ReportBeamSizeFromCalib") if self._is_at_least("40300") else None
        return float(size) if size else None

    def _image_size(self, letter: str) -> tuple[XY | None, int | None]:
        """Field (µm) and bytes of the images of a low-dose area."""
        size = self._known("ReportCameraSetArea", letter)
        pixel_nm = self._known("ReportCurrentPixelSize", letter)
        if size is None:
            return None, None
        columns, rows = float(size[0]), float(size[1])
        field_um = XY(columns * pixel_nm / 1000, rows * pixel_nm / 1000) if pixel_nm else None
        return field_um, int(2 * columns * rows)

    def _known(self, command: str, *arguments: float | int | str) -> Any:
        """What a command reports; None where this microscope or program cannot tell, which is an answer here."""
        try:
            return self._do("checking the microscope", command, *arguments)
        except ScopeError:
            return None
