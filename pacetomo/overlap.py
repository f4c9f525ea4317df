"""Beams that reach a neighbouring target: how much of its image they expose, and the dose it costs. Pure.

Everything is seen along the beam, where the beam is a disc and the image a rectangle at every tilt. Tilting brings
targets nearer to each other across the tilt axis, so that neighbours apart at tilt 0 may overlap at high tilt.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pacetomo.frames import XY, Matrix2
from pacetomo.geometry import SamplePlane

Floats = NDArray[np.float64]

COLUMNS = 64
"""Strips of an image in which the beam's chord is taken; shares are right to about one in a thousand."""


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
    places = np.array([places_um[number] for number in numbers]).reshape(-1, 2)
    tilts = []
    for tilt_deg, dose in doses_by_tilt:
        # Tilting is linear in the place: the unit vectors, as seen, are the columns of its matrix.
        seen = places @ np.array([plane.seen(XY(1.0, 0.0), tilt_deg), plane.seen(XY(0.0, 1.0), tilt_deg)])
        near = _near_pairs(seen, reach_um)
        shares = exposed_shares(seen[near[:, 1]] - seen[near[:, 0]], beam_um, field)
        held = np.column_stack((near, shares, np.full_like(shares, tilt_deg), shares * dose))
        tilts.append(held[shares > 0])
    if not tilts:
        return []
    field_um2 = field.size_um.x * field.size_um.y
    found = [
        Overlap(numbers[int(target)], numbers[int(by)], share, share * field_um2, tilt_deg, dose)
        for target, by, share, tilt_deg, dose in _summed(np.concatenate(tilts)).tolist()
    ]
    return sorted(found, key=lambda overlap: -overlap.dose_e_per_a2)


def _near_pairs(seen: Floats, reach_um: float) -> NDArray[np.intp]:
    """Pairs of places nearer to each other than `reach_um`, both ways round; shape (pairs, 2)."""
    from scipy.spatial import cKDTree  # takes its time to load, which a run does not need before it begins

    pairs = cKDTree(seen).query_pairs(reach_um, output_type="ndarray")
    return np.concatenate((pairs, pairs[:, ::-1]))


def _summed(held: Floats) -> Floats:
    """One row for each pair from one for each pair and tilt.

    Columns are target, neighbour, share, tilt and dose: the largest share with its tilt, and the sum of doses.
    """
    if not len(held):
        return held
    rows = held[np.lexsort((held[:, 3], held[:, 2], held[:, 1], held[:, 0]))]
    begins = np.flatnonzero(np.append(True, np.any(np.diff(rows[:, :2], axis=0) != 0, axis=1)))
    summed: Floats = rows[np.append(begins[1:], len(rows)) - 1]
    summed[:, 4] = np.add.reduceat(rows[:, 4], begins)
    return summed


def exposed_share(beam_at_um: XY, beam_um: float, field: Field) -> float:
    """Share of an image's area that a beam centred at `beam_at_um` from its centre exposes.

    >>> exposed_share(XY(0.0, 0.0), 2.0, Field(XY(1.0, 1.0)))
    1.0
    >>> exposed_share(XY(9.0, 0.0), 2.0, Field(XY(1.0, 1.0)))
    0.0
    """
    return float(exposed_shares(np.array([beam_at_um]), beam_um, field)[0])


def exposed_shares(beams_at_um: Floats, beam_um: float, field: Field) -> Floats:
    """Share of an image's area that each of several beams exposes.

    Parameters
    ----------
    beams_at_um : ndarray, shape (beams, 2)
        Centres from that of the image, in the specimen frame.
    beam_um : float
        Diameter of each.
    field : Field
        What is recorded.

    Returns
    -------
    ndarray, shape (beams,)
        The image is cut into strips; of each strip the part between the ends of the beam's chord is exposed.
    """
    axes = field.axes.inverse()
    beams = beams_at_um @ np.array([[axes.xpx, axes.ypx], [axes.xpy, axes.ypy]])
    steps = (np.arange(COLUMNS) + 0.5) / COLUMNS - 0.5
    aside = steps[None, :] * field.size_um.x - beams[:, :1]
    half_chord = np.sqrt(np.maximum((beam_um / 2) ** 2 - aside**2, 0.0))
    edge = field.size_um.y / 2
    top = np.clip(beams[:, 1:] + half_chord, -edge, edge)
    bottom = np.clip(beams[:, 1:] - half_chord, -edge, edge)
    return np.asarray((top - bottom).mean(axis=1) / field.size_um.y, dtype=float)
