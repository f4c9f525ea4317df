"""Dragging the image with the mouse, which moves the image shift, as a person at the microscope does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mock_serialem import alignment
from mock_serialem.answers import Drag
from mock_serialem.errors import CommandError
from mock_serialem.image import Image
from mock_serialem.sim.landmarks import nearest_landmark, surface_point

if TYPE_CHECKING:
    from mock_serialem.session import Session

SEEN = 0.6
"""Part of the field's longer side that a feature may be away from the centre."""


def perform(session: Session, drag: Drag) -> None:
    """Drag the image in A; the image shift follows, as with SerialEM's right mouse button.

    Raises
    ------
    CommandError
        There is no image in A, nothing to drag it onto, or the image shift would exceed its limit.
    """
    image = session.buffers.get("A")
    if drag.by_um is not None:
        shift = (image.shift_um[0] + drag.by_um[0], image.shift_um[1] + drag.by_um[1])
    else:
        x, y = _seen_at_um(session, image, drag)
        shift = (-x, -y)
    alignment.apply_shift(session, image, shift, no_shift=False)
    session.log.add(f"The operator dragged the image by {shift[0]:.3f}, {shift[1]:.3f} microns")


def _seen_at_um(session: Session, image: Image, drag: Drag) -> tuple[float, float]:
    """Where the thing to be centred lies in the image, as the program measures it."""
    shot = alignment.shot_of(image, "A")
    sheet, seed = session.world.sheet, session.world.config.seed
    point = drag.point_um or nearest_landmark(sheet, seed, shot.pose, SEEN * max(shot.field_um))
    if point is None:
        raise CommandError("The operator sees no feature to drag into the centre")
    if len(point) == 2:
        point = surface_point(sheet, point[0], point[1])
    true = shot.pose.where((point[0], point[1], point[2]))[:2]
    x, y = session.world.optics.measured_from_true(shot.setup.mag_index) @ np.asarray(true)
    return float(x), float(y)
