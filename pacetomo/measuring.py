"""Measuring how the sample is inclined, before the series: autofocus at places between the targets.

The focus that gives the same defocus everywhere falls by as much as the sample rises along the beam, so the heights
of the places relative to one another are the focus found, with the opposite sign.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from pacetomo.beam_dose import FocusBeam
from pacetomo.errors import ScopeError
from pacetomo.frames import ORIGIN, XY
from pacetomo.geo_points import FEWEST_PLACES, places_between
from pacetomo.job import Job
from pacetomo.notes import Notes
from pacetomo.sample_geometry import HeightPoint, SurfaceOrMissing, fit_surface
from pacetomo.scope.protocol import FocusOrMissing, Microscope, Missing

FOCUS_UM = -5.0
"""Defocus at which is measured: the shift between tilted-beam images is largest well away from focus."""


def geo_places(job: Job, tilt_deg: float, origin_um: XY = ORIGIN) -> tuple[XY, ...]:
    """Where to measure, as seen at a stage tilt relative to the tracking target (µm).

    The geometry points of the target file as far as image shift reaches; without any, places between the targets.

    Parameters
    ----------
    job : Job
        Targets, points and the image-shift limit.
    tilt_deg : float
        Stage tilt.
    origin_um : XY
        Specimen shift that centres the tracking target.
    """
    plane, settings = job.plane, job.settings
    if job.targets.geo_points:
        first = job.targets.tracking.shift_um or ORIGIN
        untilted = [
            plane.untilted(point.shift_um.minus(first), settings.tiltTargets)
            for point in job.targets.geo_points
        ]
        places = tuple(plane.seen(place, tilt_deg) for place in untilted)
    else:
        places = places_between(
            [plane.seen(job.untilted_um[target.number], tilt_deg) for target in job.targets.targets],
            settings.imageShiftLimit - origin_um.length,
        )
    return tuple(place for place in places if place.plus(origin_um).length <= settings.imageShiftLimit)


def measured_job(
    scope: Microscope, job: Job, notes: Notes, exposed: Callable[[FocusBeam], None] = lambda beam: None
) -> Job:
    """The job with the sample plane as measured; as it was, with a warning, where it cannot be measured.

    Image shift is that of the tracking target before and after; the focus is left near what was found. `exposed` is
    told of the beam of each autofocus.
    """
    origin_um = scope.shift_um()
    tilt_deg = scope.tilt_deg()
    found = _measure(scope, geo_places(job, tilt_deg, origin_um), origin_um, tilt_deg, notes, exposed)
    scope.aim(origin_um, scope.focus_um(), compensate_beam_tilt=False)
    if isinstance(found, Missing):
        settings = job.settings
        notes.warn(
            f"the geometry was not measured ({found.reason}); pretilt {settings.pretilt:g}° and "
            f"rotation {settings.rotation:g}° of the settings are used"
        )
        return job
    plane = found.plane
    notes.step(
        "measure_geo",
        f"Measured {found.describe()}",
        pretilt_deg=plane.pretilt_deg,
        rotation_deg=plane.rotation_deg,
        pretilt_error_deg=found.pretilt_error_deg,
        rotation_error_deg=found.rotation_error_deg,
        scatter_um=found.scatter_um,
        points=len(found.used),
    )
    return job.with_plane(plane)


def _measure(
    scope: Microscope,
    places: tuple[XY, ...],
    origin_um: XY,
    tilt_deg: float,
    notes: Notes,
    exposed: Callable[[FocusBeam], None],
) -> SurfaceOrMissing:
    if len(places) < FEWEST_PLACES:
        return Missing(
            f"{len(places)} places within reach of image shift, at least {FEWEST_PLACES} are needed: "
            "add geometry points to the target file"
        )
    notes.step("measure_geo", f"Measuring the geometry of the sample at {len(places)} places")
    try:
        focus_place_um = scope.focus_place_um()
    except ScopeError as err:
        return Missing(str(err))
    points = []
    for place in places:
        beam = FocusBeam(place, tilt_deg)
        shift = origin_um.plus(place)
        focus = focus_at(scope, shift, scope.focus_um(), focus_place_um, exposed=partial(exposed, beam))
        if isinstance(focus, Missing):
            notes.warn(f"autofocus at ({place.x:.1f}, {place.y:.1f}) µm failed ({focus.reason})")
            continue
        points.append(HeightPoint(place, -focus))
    return fit_surface(points, tilt_deg)


def focus_at(
    scope: Microscope,
    shift_um: XY,
    expected_um: float,
    focus_place_um: XY,
    pause_s: float = 0.0,
    exposed: Callable[[], None] | None = None,
) -> FocusOrMissing:
    """Focus that gives `FOCUS_UM` at a place.

    Parameters
    ----------
    scope : Microscope
        Left where it has measured.
    shift_um : XY
        Specimen shift that would centre the place in Record. It is the beam of the Focus area that falls on the place.
    expected_um : float
        Focus to begin with.
    focus_place_um : XY
        Where the Focus area lies, see `Microscope.focus_place_um`.
    pause_s : float
        Between image shift and measurement.
    exposed : callable, optional
        Called when the place has been exposed, whatever that told.
    """
    if not scope.aim(shift_um.minus(focus_place_um), expected_um, compensate_beam_tilt=False):
        return Missing("out of reach of image shift")
    scope.wait(pause_s)
    focus = scope.autofocus(FOCUS_UM)
    if exposed is not None:
        exposed()
    return focus
