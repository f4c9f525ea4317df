"""The pixels of images, reduced, through SerialEM."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pacetomo.errors import ScopeError
from pacetomo.frames import Matrix2
from pacetomo.scope.protocol import Missing, Picture, PictureOrMissing
from pacetomo.scope.serialem_camera import REFERENCE_BUFFER, SerialEMCamera

KEEPING_BUFFER = "Q"
"""Where the present image waits while its buffer holds a reduced one; beyond all buffers that roll."""


class SerialEMPixels(SerialEMCamera):
    """Arrays of images. SerialEM reduces them first: only what will be used has to be copied out of it."""

    def picture(self, longest_px: int) -> PictureOrMissing:
        return self._reduced("reading the image", "A", longest_px)

    def saved_picture(self, path: Path, section: int, longest_px: int) -> PictureOrMissing:
        doing = f"reading section {section} of {path.name}"
        try:
            self._read_reference(doing, path, section)
        except ScopeError as err:
            return Missing(str(err))
        return self._reduced(doing, REFERENCE_BUFFER, longest_px)

    def _reduced(self, doing: str, buffer: str, longest_px: int) -> PictureOrMissing:
        """A buffer's image, reduced; buffer A holds afterwards what it held before."""
        if not hasattr(self._sem, "bufferImage"):
            return Missing("this SerialEM gives no pixels to scripts")
        try:
            columns, rows, _binning, _exposure_s, pixel_nm, _set = self._do(doing, "ImageProperties", buffer)
            if not pixel_nm > 0:
                return Missing(f"{doing}: SerialEM does not know its pixel size")
            tilt_deg = float(self._do(doing, "ReportMetadataString", buffer, "TiltAngle"))
            axes = self.camera_axes()
            factor = max(1, math.ceil(max(columns, rows) / longest_px))
            pixels = self._pixels(doing, buffer, factor)
        except (ScopeError, ValueError) as err:
            return Missing(str(err))
        if isinstance(pixels, Missing):
            return pixels
        size_um = factor * pixel_nm / 1000
        to_specimen = Matrix2(axes.xpx * size_um, axes.xpy * size_um, axes.ypx * size_um, axes.ypy * size_um)
        return Picture(pixels, to_specimen, tilt_deg)

    def _pixels(self, doing: str, buffer: str, factor: int) -> NDArray[Any] | Missing:
        """Pixels of a buffer's image, means of `factor` x `factor`."""
        if factor == 1:
            return self._copied_out(doing, buffer)
        # The reduced image always goes to A. Other buffers roll only as far as the operator lets them.
        self._do(doing, "Copy", "A", KEEPING_BUFFER)
        try:
            self._do(doing, "ReduceImage", buffer, float(factor))
            return self._copied_out(doing, "A")
        finally:
            try:
                self._do(doing, "Copy", KEEPING_BUFFER, "A")
            except (
                ScopeError
            ):  # what is done next with the present image must not be done with the reduced one
                self._do(doing, "Copy", KEEPING_BUFFER, "A")

    def _copied_out(self, doing: str, buffer: str) -> NDArray[Any] | Missing:
        try:
            pixels = np.array(self._call("bufferImage", (buffer,)))
        except (self._sem.SEMmoduleError, SystemError) as err:  # in some Pythons the one comes as the other
            return Missing(f"{doing}: its pixels cannot be read ({err})")
        return pixels if pixels.ndim == 2 else Missing(f"{doing}: it is not one image of grey values")
