"""The place beside the targets where autofocus may be done during a series, and whether it touches a target.

The place is given in the untilted specimen frame relative to the tracking target and lies in the sample plane, so it
moves with the targets when the stage tilts.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pacetomo.frames import XY
from pacetomo.geometry import SamplePlane
from pacetomo.job import Job
from pacetomo.problem import Problem, listed
from pacetomo.schemes import Branch

USUAL_BEAM_UM = 1.2
"""Diameter of the beam where there is no microscope to ask: it covers the camera at usual magnifications."""


class Overlap(NamedTuple):
    """Where a beam beside the targets comes nearest to one: target, stage tilt, distance of the centres as seen."""

    target: int
    tilt_deg: float
    distance_um: float


def off_target_place_um(job: Job) -> XY:
    """The place of off-target autofocus in the untilted specimen frame, relative to the tracking target (µm)."""
    return XY(job.settings.offTargetAFX, job.settings.offTargetAFY)


def is_off_target_due(job: Job, tilt_deg: float, begins: bool) -> bool:
    """Whether to autofocus beside the targets; `begins` at the first tilt after a change of branch."""
    wanted = job.settings
    if wanted.offTargetAF == "tilt":
        return abs(tilt_deg) >= wanted.offTargetAFAngle - 1e-6
    return wanted.offTargetAF == "branch" and begins


def off_target_tilts_deg(job: Job) -> tuple[float, ...]:
    """Planned tilts at which autofocus is done beside the targets."""
    found = []
    before = Branch.START
    for stop in job.stops[1:]:
        if is_off_target_due(job, stop.tilt_deg, stop.branch is not before):
            found.append(stop.tilt_deg)
        before = stop.branch
    return tuple(found)


def touched_targets(
    job: Job, plane: SamplePlane, tilt_deg: float, focus_radius_um: float, target_radius_um: float
) -> tuple[Overlap, ...]:
    """Targets whose beam the autofocus beam overlaps at a tilt.

    Both beams are round as seen along the beam, so they overlap where their centres are seen nearer to each other than
    the sum of their radii (µm).
    """
    place = off_target_place_um(job)
    found = []
    for target in job.active:
        apart_um = plane.seen(place.minus(job.untilted_um[target.number]), tilt_deg).length
        if apart_um < focus_radius_um + target_radius_um:
            found.append(Overlap(target.number, tilt_deg, apart_um))
    return tuple(found)


def off_target_overlaps(job: Job, focus_radius_um: float, target_radius_um: float) -> tuple[Overlap, ...]:
    """Targets whose beam the autofocus beam overlaps at any planned tilt, each where they are nearest."""
    nearest: dict[int, Overlap] = {}
    for tilt_deg in off_target_tilts_deg(job):
        for found in touched_targets(job, job.plane, tilt_deg, focus_radius_um, target_radius_um):
            before = nearest.get(found.target)
            if before is None or found.distance_um < before.distance_um:
                nearest[found.target] = found
    return tuple(nearest[number] for number in sorted(nearest))


def off_target_problems(job: Job, beam_um: float | None) -> Iterator[Problem]:
    """What to know of the place before starting; `beam_um` is the diameter of the beam, None where not known."""
    radius_um = (beam_um or USUAL_BEAM_UM) / 2
    found = off_target_overlaps(job, radius_um, radius_um)
    if found:
        worst = min(found, key=lambda overlap: overlap.distance_um)
        yield Problem(
            False,
            f"the place of autofocus beside the targets comes within {worst.distance_um:.2f} µm of target "
            f"{worst.target} at {worst.tilt_deg:g}°, so that its beam would reach target "
            f"{listed([str(overlap.target) for overlap in found])}",
            "choose another place by offTargetAFX and offTargetAFY; at such tilts the predicted focus is used",
        )
    place, limit_um = off_target_place_um(job), job.settings.imageShiftLimit
    reaches = [(job.plane.seen(place, tilt_deg).length, tilt_deg) for tilt_deg in off_target_tilts_deg(job)]
    farthest_um, tilt_deg = max(reaches, default=(0.0, 0.0))
    if farthest_um > limit_um:
        yield Problem(
            False,
            f"the place of autofocus beside the targets needs an image shift of {farthest_um:.1f} µm at "
            f"{tilt_deg:g}°, the limit is {limit_um:g} µm",
            "choose a nearer one by offTargetAFX and offTargetAFY; out of reach the predicted focus is used",
        )
