"""A place near the targets where the beam may be without touching any of them. Pure geometry, no microscope."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pacetomo.frames import XY
from pacetomo.geometry import SamplePlane
from pacetomo.job import Job

MARGIN_UM = 0.3
"""Between the beam here and the beam on a target: how well places and beam size are known."""

_LONGEST = 5.0
"""Foreshortening beyond which no target is imaged in earnest."""


def clear_place(
    targets_um: Sequence[XY],
    plane: SamplePlane,
    tilt_deg: float,
    tilts_deg: Iterable[float],
    origin_um: XY,
    radii_um: tuple[float, float],
    limit_um: float,
) -> XY | None:
    """Nearest place to the optical axis where the beam touches nothing that any target's images show.

    On an inclined sample a round beam is a long ellipse, across the tilt axis; at its longest at the steepest of all
    tilts. Places are kept apart by the sum of two such ellipses, so that the same place is clear at every tilt.

    Parameters
    ----------
    targets_um : sequence of XY
        Targets in the untilted specimen frame, relative to the tracking target (µm).
    plane : SamplePlane
        Through the tracking target.
    tilt_deg : float
        Present stage tilt.
    tilts_deg : iterable of float
        All tilts at which the targets are imaged.
    origin_um : XY
        Specimen shift that centres the tracking target at the present tilt (µm).
    radii_um : tuple of float
        Radius of the beam at the place looked for, and on each target (µm, seen along the beam).
    limit_um : float
        Largest specimen shift.

    Returns
    -------
    XY or None
        Specimen shift of the place (µm) at the present tilt; None when there is none within the limit.

    >>> clear_place([XY(0.0, 0.0)], SamplePlane(), 0.0, [0.0, 60.0], XY(0.0, 0.0), (0.5, 0.5), 10.0)
    XY(x=-1.5, y=0.0)
    """
    apart_um = sum(radii_um) + MARGIN_UM
    step_um = max(radii_um[0], limit_um / 60)
    ticks = step_um * np.arange(-math.ceil(limit_um / step_um), math.ceil(limit_um / step_um) + 1)
    # As seen at the present tilt, so that the grid reaches as far as the image shift does.
    x, seen_y = (axis.ravel() for axis in np.meshgrid(ticks, ticks))
    shifts = np.hypot(x + origin_um.x, seen_y + origin_um.y)
    clear = (shifts <= limit_um) & are_clear(x, seen_y, targets_um, plane, tilt_deg, tilts_deg, apart_um)
    if not clear.any():
        return None
    best = int(np.argmin(np.where(clear, shifts, np.inf)))
    return XY(float(x[best]), float(seen_y[best])).plus(origin_um)


def are_clear(
    x_um: NDArray[np.float64],
    seen_y_um: NDArray[np.float64],
    targets_um: Sequence[XY],
    plane: SamplePlane,
    tilt_deg: float,
    tilts_deg: Iterable[float],
    apart_um: float,
) -> NDArray[np.bool_]:
    """Tell of places, as seen from the tracking target at the present tilt (µm), which are far from all targets.

    `apart_um` is the least distance along the axis; see `clear_place` for the rest.
    """
    stretch = max(_stretch(plane, tilt) for tilt in (tilt_deg, *tilts_deg))
    slopes, tilt = plane.slopes(), math.radians(tilt_deg)
    y_um = (seen_y_um + slopes.x * x_um * math.sin(tilt)) * _stretch(plane, tilt_deg)
    clear = np.ones(x_um.shape, bool)
    for target in targets_um:
        away = np.hypot((x_um - target.x) / apart_um, (y_um - target.y) / (apart_um * stretch))
        clear &= away >= 1.0
    return clear


def _stretch(plane: SamplePlane, tilt_deg: float) -> float:
    """Length on the sample of what is seen as 1 across the tilt axis."""
    seen = plane.seen(XY(0.0, 1.0), tilt_deg).y
    return _LONGEST if seen < 1 / _LONGEST else 1 / seen


def place_beside_targets(
    job: Job, seen_um: Mapping[int, XY], tilt_deg: float, beam_radius_um: float
) -> XY | None:
    """Specimen shift (µm) at which the beam touches no target of a job at its present tilt; None if there is none.

    Targets are kept clear of both where the target file has them and where they have been found: `seen_um` are the
    specimen shifts that centre them now, the tracking target's among them.
    """
    origin = seen_um[job.targets.tracking.number]
    found = [job.plane.untilted(shift.minus(origin), tilt_deg) for shift in seen_um.values()]
    tiles = max(job.settings.tgtMntSize) if job.settings.tgtMontage else 1
    return clear_place(
        [*job.untilted_um.values(), *found],
        job.plane,
        tilt_deg,
        [stop.tilt_deg for stop in job.stops],
        origin,
        (beam_radius_um, beam_radius_um * tiles),
        job.settings.imageShiftLimit,
    )
