"""View compared with Record on the microscope, at a structure beside the targets."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pacetomo.clear_place import MARGIN_UM, are_clear
from pacetomo.errors import ScopeError
from pacetomo.frames import XY
from pacetomo.job import Job
from pacetomo.looking import Looking
from pacetomo.scope.protocol import Area, Microscope, Missing, Picture, ShiftOrMissing
from pacetomo.view_aside import IsClear, place_in_view, place_with_structure

VIEW_PX, PREVIEW_PX = 4096, 1024
"""Longer sides to which images are reduced for being compared with one another."""

FIELD_SHARE = 0.6
"""Side of the field looked for, over the radius of the circle around that of Record.

Half of that field: what it shows is still in the image when View lies beside Record.
"""

FARTHEST_UM = 5.0
"""How far from the tracking target View is compared with Record; errors of the scales grow with that."""

TRIES = 3
APART_UM = 1.0
"""Between a place that told nothing and the next one."""

MOST_ASIDE_UM = 1.0
"""Farthest that the centres of View and Record are believed to be apart; more is a wrong peak."""


def view_aside_um(
    scope: Microscope, job: Job, looking: Looking, shift: XY, focus_um: float
) -> ShiftOrMissing:
    """Where View images show what is in the centre of Record images (specimen plane, µm from their centre).

    Takes one View image at the tracking target and up to three Previews at places where the beam touches no target.

    Parameters
    ----------
    scope, job, looking
        Where, what, how.
    shift : XY
        Specimen shift that centres the tracking target in View, nearly.
    focus_um : float
        Focus for the images.

    Returns
    -------
    XY or Missing
        Missing when no place shows enough.
    """
    scope.aim(shift, focus_um, compensate_beam_tilt=False)
    looking.look(Area.VIEW)
    view = scope.picture(VIEW_PX)
    if isinstance(view, Missing):
        return view
    try:
        radius_um = scope.beam_radius_um()
    except ScopeError as err:
        return Missing(str(err))
    found: ShiftOrMissing = Missing("there is no place in View that is clear of all targets")
    tried: list[XY] = []
    for _ in range(TRIES):
        field_um = XY(FIELD_SHARE * radius_um, FIELD_SHARE * radius_um)
        clear = _clear_of_targets(job, scope.tilt_deg(), radius_um, tried)
        place = place_with_structure(view, field_um, MOST_ASIDE_UM, clear)
        if place is None or not scope.aim(shift.plus(place), focus_um, compensate_beam_tilt=False):
            break
        tried.append(place)
        looking.look(Area.PREVIEW)
        found = _seen_at(place, view, scope)
        if isinstance(found, XY):
            break
    return found


def _seen_at(place: XY, view: Picture, scope: Microscope) -> ShiftOrMissing:
    preview = scope.picture(PREVIEW_PX)
    if isinstance(preview, Missing):
        return preview
    found = place_in_view(view, preview, place, MOST_ASIDE_UM)
    return found if isinstance(found, Missing) else found.minus(place)


def _clear_of_targets(job: Job, tilt_deg: float, radius_um: float, tried: list[XY]) -> IsClear:
    apart_um = 2 * radius_um + 2 * MARGIN_UM
    targets = list(job.untilted_um.values())
    tilts = [stop.tilt_deg for stop in job.stops]

    def is_clear(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
        clear = are_clear(x, y, targets, job.plane, tilt_deg, tilts, apart_um) & (
            np.hypot(x, y) < FARTHEST_UM
        )
        for place in tried:
            clear &= np.hypot(x - place.x, y - place.y) > APART_UM
        return clear

    return is_clear
