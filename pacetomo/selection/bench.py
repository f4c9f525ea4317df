"""Where targets are chosen: images taken, counted, centred, saved and made maps."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pacetomo.area_files import AreaFiles
from pacetomo.correlation import find
from pacetomo.earlier_images import Earlier, conditioned
from pacetomo.errors import PaceError, ScopeError
from pacetomo.files.atomic import move_aside
from pacetomo.files.exchange import mdoc_of
from pacetomo.frames import ORIGIN, XY
from pacetomo.scope.desk import Desk
from pacetomo.scope.protocol import Area, Level, Missing, Picture, ShiftOrMissing, Shot

FULL_PX = 100_000
"""Longer than any image: pixels as they are."""

COMPARED_PX = 1024
"""Longer side of images that are compared."""

NEAR_UM = 0.1
"""Image shift that is not worth a move of the stage, which would be off by more."""


@dataclass
class Tally:
    """Images taken for choosing targets, and their dose.

    Attributes
    ----------
    images : dict of Area to int
    dose_e_per_a2 : dict of Area to float
        Sum of all images of a kind, wherever they were taken.
    """

    images: dict[Area, int] = field(default_factory=dict)
    dose_e_per_a2: dict[Area, float] = field(default_factory=dict)

    def count(self, area: Area, shot: Shot) -> None:
        """Count an image."""
        self.images[area] = self.images.get(area, 0) + 1
        self.dose_e_per_a2[area] = self.dose_e_per_a2.get(area, 0.0) + shot.dose_e_per_a2

    def describe(self) -> str:
        """All images in words."""
        kinds = [
            f"{count} {area.value.capitalize()} ({self.dose_e_per_a2[area] / count:.2g} e/Å² each)"
            for area, count in self.images.items()
        ]
        return ", ".join(kinds) if kinds else "no images"


class Chosen:
    """A target that has been chosen.

    Attributes
    ----------
    shift_um : XY
        Specimen shift at which it is centred.
    stage_um : XY
        Its position on the stage.
    reference : str or None
        File name of its Preview image.
    place : int or None
        Of its map in the Navigator's table.
    """

    def __init__(
        self,
        shift_um: XY,
        stage_um: XY,
        reference: str | None = None,
        place: int | None = None,
    ) -> None:
        self.shift_um = shift_um
        self.stage_um = stage_um
        self.reference = reference
        self.place = place


class Bench:
    """Images at shifts, and what is made of them.

    Parameters
    ----------
    desk : Desk
        Begun, in low dose.
    files : AreaFiles
        Names of the area's files.
    limit_um : float
        Farthest image shift.
    low_mag : Area
        View or Search: in what targets are looked for.
    """

    def __init__(self, desk: Desk, files: AreaFiles, limit_um: float, low_mag: Area = Area.VIEW) -> None:
        self.desk = desk
        self.files = files
        self.limit_um = limit_um
        self.low_mag = low_mag
        self.tally = Tally()
        self.record_um = min(desk.record_field_um())
        self.tilt_deg = desk.tilt_deg()
        self.calibration = desk.calibration()
        self._focus_um = desk.focus_um()

    # going there

    def go(self, shift_um: XY) -> bool:
        """Aim at a specimen shift; False, with a warning, beyond the limit."""
        if shift_um.length <= self.limit_um and self.desk.aim(
            shift_um, self._focus_um, compensate_beam_tilt=False
        ):
            return True
        self.desk.tell(
            f"Warning: this place needs an image shift of {shift_um.length:.1f} µm and is left out; the limit is "
            f"{self.limit_um:g} µm (imageShiftLimit)",
            Level.WARNING,
        )
        return False

    def stage_step_um(self, shift_um: XY) -> XY:
        """Move of the stage that centres what an image shift centres, at the present tilt."""
        step = self.calibration.specimen_to_stage.apply(shift_um)
        return XY(step.x, step.y / math.cos(math.radians(self.tilt_deg)))

    def shift_of_stage(self, step_um: XY) -> XY:
        """Image shift that centres what a move of the stage centres, at the present tilt."""
        flat = XY(step_um.x, step_um.y * math.cos(math.radians(self.tilt_deg)))
        return self.calibration.stage_to_specimen.apply(flat)

    # images

    def look(self, area: Area) -> Shot:
        """Take an image at the present shift."""
        shot = self.desk.take(area)
        self.tally.count(area, shot)
        return shot

    def picture(self, longest_px: int = COMPARED_PX) -> Picture:
        """Pixels of the present image.

        Raises
        ------
        ScopeError
            When they cannot be had.
        """
        picture = self.desk.picture(longest_px)
        if isinstance(picture, Missing):
            raise ScopeError(f"the image cannot be read: {picture.reason}")
        return picture

    def field_um(self) -> float:
        """Shorter side of the present image on the sample."""
        return _field_um(self.picture())

    def centre_present(self, shift_um: XY) -> XY:
        """Bring what lies at a place of the present image (µm from its centre) into its centre.

        The pixels are moved by whole ones and the edges that become free filled with the mean, so that no other image
        has to be taken. What is left is less than a pixel.

        Returns
        -------
        XY
            Where the new centre lay in the image before.
        """
        picture = self.picture(FULL_PX)
        place = picture.to_specimen.inverse().apply(shift_um)
        right, up = round(place.x), round(place.y)
        if right == up == 0:
            return ORIGIN
        try:
            self.desk.put_picture(moved(picture.pixels, right, up))
        except ScopeError as err:  # the image was exposed for: it is kept as it is
            self.desk.tell(f"Warning: {err}; the target is where the image has its centre", Level.WARNING)
            return ORIGIN
        return picture.to_specimen.apply(XY(right, up))

    def displacement(self, before: Picture, after: Picture, expected_um: XY) -> ShiftOrMissing:
        """Where the centre of an earlier image lies in a later one of the same kind (µm from its centre)."""
        pixels = [conditioned(picture.pixels) for picture in (before, after)]
        for each in pixels:
            if isinstance(each, Missing):
                return each
        first, second = pixels
        assert not isinstance(first, Missing) and not isinstance(second, Missing)
        found = find(
            second,
            after.tilt_deg,
            [Earlier(first, before.tilt_deg, ORIGIN)],
            after.to_specimen,
            ORIGIN,
            expected_um,
            SEARCHED * _field_um(after),
        )
        return found if isinstance(found, Missing) else found.offset_um

    # files and maps

    def save(self, name: str, label: str, note: str) -> int:
        """Save the present image in a stack of its own, make it a map, and return its place in the table.

        An older file of that name is kept under another one.
        """
        path = self.files.folder / name
        for old in (path, mdoc_of(path)):
            move_aside(old, self.desk.wait)
        self.desk.open_series(path)
        try:
            self.desk.save_present()
            place = self.desk.add_map(note)
        finally:
            self.desk.close_series()
        self.desk.set_label(place, label)
        return place


SEARCHED = 0.25
"""Share of a View image's shorter side by which the stage may miss where it was sent."""


def _field_um(picture: Picture) -> float:
    return float(min(picture.pixels.shape)) * math.sqrt(abs(picture.to_specimen.determinant))


def moved(pixels: NDArray[Any], right: int, up: int) -> NDArray[Any]:
    """Image whose centre is what lay so many pixels to the right and up from it; what is not known is the mean.

    >>> moved(np.array([[0, 1, 2], [3, 4, 5], [6, 7, 8]]), 1, 1)[1].tolist()
    [1, 2, 4]
    """
    rows, columns = pixels.shape
    if abs(right) >= columns or abs(up) >= rows:
        raise PaceError(
            f"the image would be moved by {right}, {up} pixels, beyond its edge: take another one"
        )
    filled = np.full_like(pixels, pixels.mean())
    down = -up
    filled[max(0, -down) : rows - max(0, down), max(0, -right) : columns - max(0, right)] = pixels[
        max(0, down) : rows - max(0, -down), max(0, right) : columns - max(0, -right)
    ]
    return filled
