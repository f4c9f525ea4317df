"""What looks alike: the holes of a film, each of which an alignment may take for another.

Two images of different places of a film have nothing in common but the lattice of holes. Their correlation has a peak
wherever a hole lies on a hole; the highest is that of the smallest shift, because most of the images overlaps there.
"""

from __future__ import annotations

import itertools
import math

import numpy as np

from mock_serialem.sim.holey import HoleyMatter
from mock_serialem.sim.pose import Floats, Pose
from mock_serialem.sim.sample import HoleySpec, Sheet

HOLES_SEEN = 1.5
"""Fields of fewer distances between holes show no lattice."""


def nearest_alike_um(
    sheet: Sheet, seed: int, image: Pose, reference: Pose, field_um: float
) -> tuple[float, float] | None:
    """Smallest shift of an image's content (specimen plane, um) that puts holes where the reference has holes.

    Parameters
    ----------
    sheet : Sheet
    seed : int
    image, reference : Pose
    field_um : float
        Smaller side of the smaller field.

    Returns
    -------
    (x, y) or None
        None where the sample has no holes, or the images show too few of them.
    """
    spec = sheet.spec
    if not isinstance(spec, HoleySpec):
        return None
    if field_um < HOLES_SEEN * max(math.hypot(*vector) for vector in spec.lattice_um):
        return None
    matter = HoleyMatter(spec, seed)
    there = sheet.at_centre(reference.rotation, reference.offset_um)
    here = sheet.at_centre(image.rotation, image.offset_um)
    beside = np.array([there.u_um, there.v_um]) - _hole(matter, there.u_um, there.v_um, 0, 0)
    places = []
    for i, j in itertools.product((-1, 0, 1), repeat=2):
        u, v = _hole(matter, here.u_um, here.v_um, i, j) + beside
        x, y, z = sheet.points(here.site, np.array([u]), np.array([v]))[0]
        seen = image.where((float(x), float(y), float(z)))
        places.append((-seen[0], -seen[1]))
    return min(places, key=lambda place: math.hypot(*place))


def _hole(matter: HoleyMatter, u_um: float, v_um: float, i: int, j: int) -> Floats:
    """Centre of the hole nearest to a place, or so many holes beside it."""
    middle_i, middle_j, _ = matter.nearest_hole(np.array([u_um]), np.array([v_um]))
    centre: Floats = np.array(matter.centre_um(int(middle_i[0]) + i, int(middle_j[0]) + j))
    return centre
