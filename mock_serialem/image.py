"""An image as a buffer holds it: pixels, the shot it came from, and what SerialEM knows about it."""

from __future__ import annotations

import dataclasses
import string
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mock_serialem.errors import CommandError
from mock_serialem.image_files import MontageShape
from mock_serialem.sim.shot import Shot

SET_LETTERS = "VFTRPSM"
"""Camera sets by index: View, Focus, Trial, Record, Preview, Search, Montage."""

AREA_LETTERS = "VFTRS"
"""Low-dose areas by index."""


@dataclass
class Image:
    """One image in a buffer.

    Attributes
    ----------
    pixels : (rows, columns) array
        Top row of the displayed image first. Kinematic images are small patches, see `size_px`.
    size_px : tuple of int
        Nominal columns and rows, which differ from those of `pixels` for a kinematic image.
    pixel_um : float
        Pixel size on the specimen, binning included; 0 if unknown.
    binning : float
        In physical pixels; 0 if unknown.
    camera_set : int
        Index into `SET_LETTERS`, -1 for an image read in or made.
    area : int
        Index into `AREA_LETTERS` of a low-dose image, else -1.
    mag_index : int
    exposure_s, dose_e_per_a2, tilt_deg, rotation_deg, intensity : float
    stage_um : tuple of float
        Stage X, Y, Z read back at exposure.
    image_shift : tuple of float
        Displayed image shift (IS units) at exposure.
    shot : Shot, optional
        The exposure behind the image; None for images of unknown origin.
    keys : dict of str to str
        mdoc keys, without ``MinMaxMean``.
    shift_px : tuple of float
        Alignment shift in pixels of this image, Y down: by this its content must move to match the reference.
    shift_um : tuple of float
        The same in the specimen plane, Y up.
    applied_um : tuple of float
        Part of `shift_um` that image shift has already made up for.
    marker_px : tuple of float, optional
        Marker point, Y down.
    map_id : int
        ID of the Navigator map made of this image.
    saved : tuple of path and section, optional
        Where the image was saved or read from.
    processed : bool
        Result of image processing; aligning such an image leaves image shift alone.
    tick_s : float
        Program time of the exposure.
    counts_per_electron : float
        0 if unknown.
    aside_um : tuple of float
        Image centre from the optical centre (specimen plane), of an area beside the middle of the camera.
    montage : MontageShape, optional
        Of the overview of a montage; then the number in `saved` is that of the montage.
    """

    pixels: NDArray[Any]
    size_px: tuple[int, int]
    pixel_um: float = 0.0
    binning: float = 0.0
    camera_set: int = -1
    area: int = -1
    mag_index: int = 0
    magnification: float = 0.0
    exposure_s: float = 0.0
    drift_s: float = 0.0
    dose_e_per_a2: float = 0.0
    tilt_deg: float = 0.0
    rotation_deg: float = 0.0
    intensity: float = 0.0
    stage_um: tuple[float, float, float] | None = None
    image_shift: tuple[float, float] = (0.0, 0.0)
    shot: Shot | None = None
    keys: dict[str, str] = field(default_factory=dict)
    shift_px: tuple[float, float] = (0.0, 0.0)
    shift_um: tuple[float, float] = (0.0, 0.0)
    applied_um: tuple[float, float] = (0.0, 0.0)
    marker_px: tuple[float, float] | None = None
    map_id: int = 0
    saved: tuple[Path, int] | None = None
    processed: bool = False
    tick_s: float = 0.0
    counts_per_electron: float = 0.0
    aside_um: tuple[float, float] = (0.0, 0.0)
    montage: MontageShape | None = None

    def copy(self) -> Image:
        """Independent copy sharing the pixels, which are never changed in place."""
        return dataclasses.replace(self, keys=dict(self.keys))

    def without_pixels(self) -> Image:
        """Copy for keeping: pixels are dropped, here and in the shot."""
        kept = self.copy()
        kept.pixels = np.zeros((0, 0), self.pixels.dtype)
        if kept.shot is not None:
            kept.shot = dataclasses.replace(kept.shot, pixels=None)
        return kept

    def filled(self, pixels: NDArray[Any]) -> Image:
        """Copy with pixels again, as read back from a file."""
        made = self.copy()
        made.pixels = pixels
        if made.shot is not None:
            made.shot = dataclasses.replace(made.shot, pixels=pixels)
        return made

    def with_pixels(
        self,
        pixels: NDArray[Any],
        size_px: tuple[int, int],
        shrink: float = 1.0,
        centre_px: tuple[float, float] | None = None,
    ) -> Image:
        """Make a processed image out of this one.

        Parameters
        ----------
        pixels : array
            The new pixels.
        size_px : tuple of int
            Their nominal columns and rows.
        shrink : float
            Old pixels per new pixel along each axis.
        centre_px : tuple of float, optional
            Where (old pixels, Y down) the centre of the new image lies; default the old centre.

        Returns
        -------
        Image
            With its shot moved along, so that it can still be aligned.
        """
        made = self.copy()
        made.pixels, made.size_px, made.processed, made.saved, made.map_id = pixels, size_px, True, None, 0
        made.pixel_um *= shrink
        made.binning *= shrink
        made.shift_px = made.shift_um = made.applied_um = (0.0, 0.0)
        made.marker_px = made.montage = None
        offset_um = (0.0, 0.0)
        if centre_px is not None:
            offset_um = self.specimen_um(centre_px)
        if self.shot is not None:
            made.shot = _moved_shot(self.shot, pixels, size_px, made.pixel_um, offset_um)
        return made

    def specimen_um(self, pixel: tuple[float, float]) -> tuple[float, float]:
        """Specimen-plane position (µm from the image centre, Y up) of a pixel (Y down)."""
        x = (pixel[0] - 0.5 * self.size_px[0]) * self.pixel_um
        y = -(pixel[1] - 0.5 * self.size_px[1]) * self.pixel_um
        c, s = np.cos(np.radians(self.rotation_deg)), np.sin(np.radians(self.rotation_deg))
        return float(c * x + s * y), float(-s * x + c * y)


def _moved_shot(
    shot: Shot,
    pixels: NDArray[Any],
    size_px: tuple[int, int],
    pixel_um: float,
    offset_um: tuple[float, float],
) -> Shot:
    """The shot of an image cut out of another, centred `offset_um` (specimen plane) from the old centre."""
    pose = shot.pose
    shift = np.array([offset_um[0], offset_um[1], 0.0])
    if shift.any():
        inverse = np.linalg.inv(pose.rotation)
        # The new centre keeps the lab height of the old one: exact on a level sample, close on a tilted one.
        centre = np.asarray(pose.centre_um) + inverse @ shift
        pose = dataclasses.replace(
            pose,
            offset_um=pose.offset_um - shift,
            centre_um=(float(centre[0]), float(centre[1]), float(centre[2])),
        )
    scale = pixel_um / shot.pixel_um if shot.pixel_um else 1.0
    pose = dataclasses.replace(pose, pixel_um=pose.pixel_um * scale)
    setup = dataclasses.replace(shot.setup, size_px=size_px)
    return dataclasses.replace(shot, pose=pose, setup=setup, pixel_um=pixel_um, pixels=pixels)


class Buffers:
    """The image buffers A to V and the FFT buffers AF to HF.

    Attributes
    ----------
    roll : int
        User setting: how many buffers beyond A take part in rolling.
    current : str
        Buffer shown in the window.
    """

    def __init__(self) -> None:
        self._images: dict[str, Image] = {}
        self.roll = 3
        self.current = "A"
        self.low_dose = False

    @property
    def align_letter(self) -> str:
        """Default alignment buffer: the first one that does not roll."""
        return string.ascii_uppercase[min(self.roll + 1, 19)]

    @property
    def read_letter(self) -> str:
        """Default buffer for images read in; low dose keeps two reference buffers before it."""
        return string.ascii_uppercase[min(self.roll + (3 if self.low_dose else 2), 21)]

    def letter(self, given: str, fft: bool = False) -> str:
        """Turn a command's buffer argument into a buffer name.

        Raises
        ------
        CommandError
            It names no buffer.
        """
        name = given.strip().upper()
        if name.isdecimal() and 1 <= int(name) <= 22:
            return string.ascii_uppercase[int(name) - 1]
        if len(name) == 1 and "A" <= name <= "V":
            return name
        if fft and len(name) == 2 and name[1] == "F" and "A" <= name[0] <= "H":
            return name
        raise CommandError(f"{given!r} is not the letter of an image buffer")

    def get(self, given: str = "A", fft: bool = False) -> Image:
        """Image in a buffer.

        Raises
        ------
        CommandError
            No such buffer, or it is empty.
        """
        name = self.letter(given, fft)
        image = self._images.get(name)
        if image is None:
            raise CommandError(f"There is no image in buffer {name}")
        return image

    def peek(self, name: str) -> Image | None:
        """Image in the buffer of this exact name, None if empty."""
        return self._images.get(name)

    def put(self, name: str, image: Image) -> None:
        """Replace the content of a buffer, nothing rolls."""
        self._images[name] = image

    def push(self, image: Image) -> None:
        """Put a new image into A after rolling the others."""
        letters = string.ascii_uppercase[: max(0, min(self.roll, 18)) + 1]
        for later, earlier in zip(letters[:0:-1], letters[-2::-1]):
            if earlier in self._images:
                self._images[later] = self._images[earlier]
            else:
                self._images.pop(later, None)
        self._images["A"] = image
        self.current = "A"
