"""What would go wrong with an area, found before the first electron, and what to do about it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

from pacetomo.job import Job
from pacetomo.montage_problems import montage_problems
from pacetomo.off_target import off_target_problems
from pacetomo.overlap import Field
from pacetomo.preflight_facts import microscope_problems
from pacetomo.problem import Problem, listed
from pacetomo.scope.facts import Facts
from pacetomo.scope.protocol import Limits
from pacetomo.stage_profiles import profile_problems

_BYTES_PER_IMAGE = 2 * 5760 * 4092
"""A full K3 image as int16, where the camera is not known."""


def find_problems(job: Job, facts: Facts, goes_on: bool = False) -> list[Problem]:
    """All problems of an area, worst first.

    `facts` are the microscope's, or `OFFLINE`. The image-shift limit in force is the setting's: it is raised to that
    for the run. `goes_on` says that a run is gone on with, whose stacks are there.
    """
    found = [
        *_tilts(job, facts.limits),
        *_shifts(job),
        *_files(job, facts, goes_on),
        *_geometry(job),
        *_defocus(job),
        *_geo_points(job),
        *_names(job),
        *profile_problems(job),
        *off_target_problems(job, facts.beam_um),
        *montage_problems(job, _fields(facts)),
        *microscope_problems(job, facts),
    ]
    return sorted(found, key=lambda problem: not problem.fatal)


def _fields(facts: Facts) -> dict[str, Field]:
    """What images show, by the letter of the low-dose area; empty where that of Record is not known."""
    if facts.field_um is None:
        return {}
    sizes = {"R": facts.field_um, **facts.coarse_fields_um}
    return {letter: Field(size_um, facts.field_rotation_deg) for letter, size_um in sizes.items()}


def _tilts(job: Job, limits: Limits) -> Iterator[Problem]:
    farthest = max((stop.tilt_deg for stop in job.stops), key=abs)
    if abs(farthest) > limits.max_tilt_deg:
        yield Problem(
            abs(job.stops[0].tilt_deg) > limits.max_tilt_deg,
            f"the plan tilts to {farthest:g}°, the stage allows ±{limits.max_tilt_deg:g}°",
            "narrow minTilt and maxTilt; the branch would end there",
        )
    wanted = job.settings
    for name, end_deg in (("maxTilt", wanted.maxTilt), ("minTilt", wanted.minTilt)):
        reached = (max if name == "maxTilt" else min)(stop.tilt_deg for stop in job.stops)
        if abs(end_deg - reached) > 1e-3:
            yield Problem(
                False,
                f"{name} {end_deg:g}° is no whole number of steps from the start tilt",
                f"the last tilt is {reached:g}°",
            )


def _shifts(job: Job) -> Iterator[Problem]:
    limit_um = job.settings.imageShiftLimit
    for target in job.active:
        farthest_um, tilt_deg = job.farthest_shift_um(target.number)
        if farthest_um > limit_um:
            yield Problem(
                False,
                f"target {target.number} needs an image shift of {farthest_um:.1f} µm at {tilt_deg:g}°, "
                f"the limit is {limit_um:g} µm",
                "skip it, move it, or select it with another tracking target; it is left out where out of reach",
            )


def _files(job: Job, facts: Facts, goes_on: bool) -> Iterator[Problem]:
    folder = job.files.folder
    if not os.access(folder, os.W_OK):
        yield Problem(True, f"{folder} cannot be written", "choose a session folder with write permission")
    yield from _references(job)
    there = [name for target in job.active for name in job.stacks(target) if (folder / name).exists()]
    if there and not goes_on:
        yield Problem(False, f"{listed(there)} already there", "renamed to a backup at the start")
    images = sum(map(job.tiles, job.plan))
    needed = images * (facts.image_bytes or _BYTES_PER_IMAGE)
    free = shutil.disk_usage(folder).free if folder.is_dir() else needed
    if free < needed:
        yield Problem(
            False,
            f"{folder} has {free / 1e9:.0f} GB free, {images} full images take up to {needed / 1e9:.0f} GB",
            "make room before the run needs it",
        )


def _references(job: Job) -> Iterator[Problem]:
    """Reference images that the settings ask for and that are not there, one problem for each kind."""
    settings, tracking = job.settings, job.targets.tracking
    if settings.tgtPattern or settings.alignToP:
        return  # a copied pattern has none, and the hole in buffer P takes their place
    wanted = {
        "Preview": [
            (t.number, t.reference) for t in job.active if settings.previewAli or t.number == tracking.number
        ],
        "View": [(t.number, t.view) for t in job.active if settings.viewAli or t.number == tracking.number],
    }
    if settings.refFromPreview:
        del wanted["Preview"]  # it is taken in the set-up
    for kind, references in wanted.items():
        lacking = [
            str(number)
            for number, name in references
            if name is None or not (job.files.folder / name).is_file()
        ]
        if lacking:
            yield Problem(
                False,
                f"there is no {kind} reference for target {listed(lacking)}",
                "take it, or the coordinates in the target file are used as they are",
            )


def _geometry(job: Job) -> Iterator[Problem]:
    pretilt, start = job.settings.pretilt, job.stops[0].tilt_deg
    if pretilt * start > 0:
        yield Problem(
            False,
            f"pretilt {pretilt:g}° and start tilt {start:g}° have the same sign, so the sample is inclined by "
            f"{pretilt + start:g}° at the start",
            "a level sample needs opposite signs; check the sign of pretilt",
        )


def _defocus(job: Job) -> Iterator[Problem]:
    over = [str(number) for number, wanted_um in job.wanted_defocus_um.items() if wanted_um > 0]
    if over:
        yield Problem(
            False,
            f"a positive defocus, overfocus, is wanted for target {listed(over)}",
            "underfocus is negative in SerialEM: give minDefocus and maxDefocus as -3 and -5, for example",
        )
    wanted = job.settings
    range_um = abs(wanted.maxDefocus - wanted.minDefocus)
    if 0 < range_um < wanted.stepDefocus:
        yield Problem(
            False,
            f"stepDefocus {wanted.stepDefocus:g} µm is larger than the range of defocus ({range_um:g} µm), so it is "
            "not spread",
            "choose a smaller stepDefocus",
        )


def _geo_points(job: Job) -> Iterator[Problem]:
    if job.targets.geo_points and not job.settings.measureGeo:
        yield Problem(
            False,
            f"there are {len(job.targets.geo_points)} points to measure the geometry at (_geo)",
            "they are used with measureGeo = True only",
        )


def _names(job: Job) -> Iterator[Problem]:
    """Names with blanks, which other programs take for two."""
    names = [target.series for target in job.active] + [job.files.target_file.name]
    blank = [name for name in names if " " in name]
    if blank:
        yield Problem(
            False,
            f"{listed(blank, most=3)} has a blank in its name",
            "PACEtomo itself and many importers take it for two names: use _ instead",
        )
    elif " " in str(job.files.folder):
        yield Problem(
            False,
            f"the session folder {job.files.folder} has a blank in its path",
            "some importers cannot read it; a folder without blanks is safer",
        )
