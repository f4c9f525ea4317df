"""Holes of a film found in an image, and what the finder is told to look for."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from mock_serialem import maps, shifts
from mock_serialem.errors import CommandError
from mock_serialem.image import Image
from mock_serialem.shifts import Pair
from mock_serialem.sim.landmarks import holes_within
from mock_serialem.sim.sample import HoleySpec, SampleSpec

if TYPE_CHECKING:
    from mock_serialem.session import Session

TOLERANCE = 0.4
"""Share by which size and spacing may be wrong for holes to be found."""


@dataclass
class HoleFinder:
    """Parameters of the finder and what it found last.

    Attributes
    ----------
    diameter_um, spacing_um : float
    hexagonal : bool
    max_error_um : float
        Farthest from the lattice that a hole may lie.
    stage_um : list of (x, y)
        Stage positions of the holes found last.
    map_id : int
        ID of the map in which they were found, 0 if it is none.
    stage_z_um : float
        Stage Z of that image.
    """

    diameter_um: float = 1.2
    spacing_um: float = 2.5
    hexagonal: bool = False
    max_error_um: float = 0.1
    stage_um: list[Pair] = field(default_factory=list)
    map_id: int = 0
    stage_z_um: float = 0.0

    @classmethod
    def for_sample(cls, spec: SampleSpec) -> HoleFinder:
        """Set as an operator who knows the grid has set it."""
        if not isinstance(spec, HoleySpec):
            return cls()
        return cls(2.0 * spec.hole_radius_um, math.hypot(*spec.lattice_um[0]))

    def fits(self, spec: SampleSpec) -> bool:
        """Tell whether holes of a sample would be found."""
        if not isinstance(spec, HoleySpec) or self.hexagonal:
            return False
        true = (2.0 * spec.hole_radius_um, math.hypot(*spec.lattice_um[0]))
        asked = (self.diameter_um, self.spacing_um)
        return all(abs(a - t) <= TOLERANCE * t for a, t in zip(asked, true))

    def find(self, session: Session, image: Image) -> int:
        """Find the holes in an image and keep their stage positions; return their number.

        Raises
        ------
        CommandError
            The image does not say where it was taken, or no holes are found.
        """
        self.stage_um = []
        # An image without coordinates is refused before anything is looked for.
        maps.stage_to_image(session, image)
        if self.fits(session.world.sheet.spec):
            self.stage_um = [
                maps.stage_of_pixel(session, image, pixel) for pixel in _holes_px(session, image)
            ]
        if not self.stage_um:
            raise CommandError("No holes were found in the image")
        self.map_id = image.map_id
        self.stage_z_um = image.stage_um[2] if image.stage_um is not None else 0.0
        return len(self.stage_um)


def _holes_px(session: Session, image: Image) -> list[Pair]:
    """Pixels (Y down) of the hole centres that lie in an image."""
    world = session.world
    columns, rows = image.size_px
    reach_um = 0.5 * math.hypot(columns, rows) * image.pixel_um
    if image.shot is not None:
        pose, mag_index, centre = image.shot.pose, image.shot.setup.mag_index, (0.5 * columns, 0.5 * rows)
    else:
        # The overview of a montage: where the holes are seen from the present place of the stage.
        pose, mag_index = world.pose(), world.mag_index
        centre = maps.pixel_of_stage(session, image, _seen_centre_um(session))
        reach_um += math.hypot(centre[0] - 0.5 * columns, centre[1] - 0.5 * rows) * image.pixel_um
    to_measured = world.optics.measured_from_true(mag_index)
    to_pixels = shifts.specimen_to_camera(session, image.mag_index, image.pixel_um)
    found: list[Pair] = []
    for point in holes_within(world.sheet, world.config.seed, pose, reach_um):
        x, y = to_pixels @ to_measured @ np.asarray(pose.where(point)[:2])
        pixel = (centre[0] + float(x), centre[1] - float(y))
        if 0.0 <= pixel[0] <= columns and 0.0 <= pixel[1] <= rows:
            found.append(pixel)
    return found


def _seen_centre_um(session: Session) -> Pair:
    """Stage position that would centre what is seen in the centre now, at zero image shift."""
    x, y, _ = session.world.stage_position_um()
    dx, dy = maps.stage_of_image_shift(
        session, shifts.displayed(session), session.world.mag_index, session.world.tilt_readback_deg()
    )
    return x + dx, y + dy
