"""Grid squares found by their brightness, and polygons around them."""

from __future__ import annotations

import math

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from mock_serialem import maps
from mock_serialem.commands import command
from mock_serialem.errors import CommandError
from mock_serialem.processing import is_patch
from mock_serialem.session import Session

Pair = tuple[float, float]

_WORK_SIZE = 512
_USUAL_SIZES_UM = (10.0, 70.0)


@command("AutoContourGridSquares")
def auto_contour(
    session: Session,
    buffer: str,
    target: float = 0.0,
    smallest: float = 0.0,
    largest: float = 0.0,
    relative: float = 0.0,
    absolute: float = 0.0,
    groups: int = 0,
    spare: float = 0.0,
) -> None:
    """Find bright patches of a size (µm) in an image; a threshold is relative between dark and bright, or absolute."""
    image = session.buffers.get(buffer)
    maps.image_centre_stage(session, image)
    if is_patch(image):
        raise CommandError(
            "In kinematic fidelity images have no content in which grid squares could be found"
        )
    step = max(1, math.ceil(max(image.pixels.shape) / (target if target > 0.0 else _WORK_SIZE)))
    small = scipy.ndimage.uniform_filter(image.pixels.astype(np.float32), step)[::step, ::step]
    low, high = np.percentile(small, (5.0, 95.0))
    threshold = absolute if absolute > 0.0 else low + (relative if relative > 0.0 else 0.5) * (high - low)
    labels, _ = scipy.ndimage.label(scipy.ndimage.binary_opening(small > threshold))
    least, most = smallest or _USUAL_SIZES_UM[0], largest or _USUAL_SIZES_UM[1]
    found: list[list[Pair]] = []
    for number, window in enumerate(scipy.ndimage.find_objects(labels), start=1):
        rows, columns = np.nonzero(labels[window] == number)
        size_um = math.sqrt(len(rows)) * step * image.pixel_um
        if least <= size_um <= most:
            edge = _outline(columns + window[1].start, rows + window[0].start)
            found.append(
                [maps.stage_of_pixel(session, image, ((x + 0.5) * step, (y + 0.5) * step)) for x, y in edge]
            )
    session.grid_squares = found
    session.log.add(f"{len(found)} grid squares found")


def _outline(columns: NDArray[np.intp], rows: NDArray[np.intp]) -> list[Pair]:
    """Eight points of a patch: its outermost ones in eight directions, counter-clockwise with Y up."""
    points = []
    for n in range(8):
        angle = math.pi * n / 4.0
        best = int(np.argmax(columns * math.cos(angle) - rows * math.sin(angle)))
        points.append((float(columns[best]), float(rows[best])))
    return points


@command("MakePolygonsAtSquares")
def make_polygons(
    session: Session,
    low_mean: float = 0.0,
    high_mean: float = 0.0,
    smallest: float = 0.0,
    largest: float = 0.0,
    irregular: float = 0.0,
    border: float = 0.0,
    as_points: int = 0,
) -> None:
    """Add a polygon to the Navigator for every square found."""
    session.navigator.require_open()
    if not session.grid_squares:
        raise CommandError("No grid squares have been found")
    z = session.world.stage_position_um()[2]
    for points in session.grid_squares:
        session.navigator.add_polygon([*points, points[0]], z)
    session.grid_squares = []
