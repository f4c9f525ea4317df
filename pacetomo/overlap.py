"""Beams that reach a neighbouring target: how much of its image they expose, and the dose it costs. Pure.

Everything is seen along the beam, where the beam is a disc and the image a rectangle at every tilt. Tilting brings
targets nearer to each other across the tilt axis, so that neighbours apart at tilt 0 may overlap at high tilt.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pacetomo.frames import XY, Matrix2
from pacetomo.geometry import SamplePlane

GRID = 33
"""Points of an image along each side; the area is right to about one in GRID."""


class Field(NamedTuple):
    """What is recorded: `size_um` along the camera's axes, and its X axis against the specimen's (degrees)."""

    size_um: XY
    rotation_deg: float = 0.0

    @property
    def axes(self) -> Matrix2:
        """Camera's axes to the specimen's."""
        angle = math.radians(self.rotation_deg)
        return Matrix2(math.cos(angle), -math.sin(angle), math.sin(angle), math.cos(angle))


class Overlap(NamedTuple):
    """A target that a neighbour's beam reaches.

    `share` of the target's image (0 to 1) and `area_um2` are those at `tilt_deg`, where they are largest;
    `dose_e_per_a2` is the mean over the image, summed over all tilts.
    """

    target: int
    by: int
    share: float
    area_um2: float
    tilt_deg: float
    dose_e_per_a2: float


class Reach:
    """What a beam exposes of images around it.

    Parameters
    ----------
    beam_um : float
        Diameter of the beam.
    field : Field
        What is recorded of each target.
    """

    def __init__(self, beam_um: float, field: Field) -> None:
        self._beam_um = beam_um
        self._field = field
        self._reach_um = beam_um / 2 + math.hypot(*field.size_um) / 2

    def shares(self, beam_at_um: XY, places_um: Mapping[int, XY]) -> dict[int, float]:
        """Share of each image (by its number) that a beam at a place exposes; those it does not reach are missing.

        All places are as seen along the beam, from one origin (µm).

        >>> Reach(2.0, Field(XY(1.0, 1.0))).shares(XY(0.0, 0.0), {1: XY(0.0, 0.0), 2: XY(9.0, 0.0)})
        {1: 1.0}
        """
        found = {}
        for number, place in places_um.items():
            apart = beam_at_um.minus(place)
            share = exposed_share(apart, self._beam_um, self._field) if apart.length < self._reach_um else 0.0
            if share > 0:
                found[number] = share
        return found


def find_overlaps(
    places_um: Mapping[int, XY],
    plane: SamplePlane,
    doses_by_tilt: Sequence[tuple[float, float]],
    beam_um: float,
    field: Field,
) -> list[Overlap]:
    """Every pair of targets of which one's beam reaches the other's image at any tilt.

    Parameters
    ----------
    places_um : mapping of target number to XY
        Places in the untilted specimen frame.
    plane : SamplePlane
        The sample.
    doses_by_tilt : sequence of (float, float)
        Tilt (degrees) and dose of one image at it (e/Å²), for every tilt of the series.
    beam_um : float
        Diameter of the beam.
    field : Field
        What is recorded.

    Returns
    -------
    list of Overlap
        The one with the largest dose first.
    """
    reach_um = beam_um / 2 + math.hypot(*field.size_um) / 2
    numbers = list(places_um)
    shares: dict[tuple[int, int], list[tuple[float, float, float]]] = {}
    for tilt_deg, dose in doses_by_tilt:
        seen = np.array([plane.seen(places_um[number], tilt_deg) for number in numbers])
        apart = seen[None, :, :] - seen[:, None, :]  # from the target in a row to the neighbour in a column
        near = np.hypot(apart[..., 0], apart[..., 1]) < reach_um
        np.fill_diagonal(near, False)
        for row, column in zip(*np.nonzero(near)):
            share = exposed_share(XY(*apart[row, column]), beam_um, field)
            if share > 0:
                pair = (numbers[int(row)], numbers[int(column)])
                shares.setdefault(pair, []).append((share, tilt_deg, share * dose))
    field_um2 = field.size_um.x * field.size_um.y
    found = []
    for (target, by), seen_shares in shares.items():
        share, tilt_deg, _ = max(seen_shares)
        dose = sum(added for _, _, added in seen_shares)
        found.append(Overlap(target, by, share, share * field_um2, tilt_deg, dose))
    return sorted(found, key=lambda overlap: -overlap.dose_e_per_a2)


def exposed_share(beam_at_um: XY, beam_um: float, field: Field) -> float:
    """Share of an image's area that a beam centred at `beam_at_um` from its centre exposes.

    >>> exposed_share(XY(0.0, 0.0), 2.0, Field(XY(1.0, 1.0)))
    1.0
    >>> exposed_share(XY(9.0, 0.0), 2.0, Field(XY(1.0, 1.0)))
    0.0
    """
    points = _grid_um(field)
    inside = np.hypot(points[:, 0] - beam_at_um.x, points[:, 1] - beam_at_um.y) <= beam_um / 2
    return float(np.mean(inside))


@functools.lru_cache(maxsize=8)
def _grid_um(field: Field) -> NDArray[np.float64]:
    """Points evenly over an image, in the specimen frame from its centre; shape (points, 2)."""
    steps = (np.arange(GRID) + 0.5) / GRID - 0.5
    x, y = np.meshgrid(steps * field.size_um.x, steps * field.size_um.y)
    angle = math.radians(field.rotation_deg)
    return np.column_stack(
        (
            (x * math.cos(angle) - y * math.sin(angle)).ravel(),
            (x * math.sin(angle) + y * math.cos(angle)).ravel(),
        )
    )
