"""What would go wrong with an area, found before the first electron, and what to do about it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pacetomo.job import Job
from pacetomo.scope.protocol import Limits

_BYTES_PER_IMAGE = 2 * 5760 * 4092
"""A full K3 image as int16; smaller cameras need less."""


USUAL_LIMITS = Limits(image_shift_um=15.0, max_tilt_deg=70.0)
"""What most columns allow; used where there is no microscope to ask."""


class Problem(NamedTuple):
    """Something to know before starting.

    `fatal` problems make the run pointless; the others cost at most what the text says. `cure` says what to do.
    """

    fatal: bool
    text: str
    cure: str

    def describe(self) -> str:
        """One sentence."""
        return f"{self.text}: {self.cure}"


def find_problems(job: Job, limits: Limits) -> list[Problem]:
    """All problems of an area, worst first.

    `limits` are the column's; the image-shift limit in force is the smaller of that and the setting only where no
    microscope can be asked to change it, so the setting counts here.
    """
    found = [*_tilts(job, limits), *_shifts(job), *_files(job), *_geometry(job), *_not_yet(job)]
    return sorted(found, key=lambda problem: not problem.fatal)


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


def _files(job: Job) -> Iterator[Problem]:
    folder = job.files.folder
    if not os.access(folder, os.W_OK):
        yield Problem(True, f"{folder} cannot be written", "choose a session folder with write permission")
    yield from _references(job)
    there = [target.series for target in job.active if (folder / target.series).exists()]
    if there:
        yield Problem(False, f"{_listed(there)} already there", "renamed to a backup at the start")
    needed = len(job.plan) * _BYTES_PER_IMAGE
    free = shutil.disk_usage(folder).free if folder.is_dir() else needed
    if free < needed:
        yield Problem(
            False,
            f"{folder} has {free / 1e9:.0f} GB free, {len(job.plan)} full images take up to {needed / 1e9:.0f} GB",
            "make room before the run needs it",
        )


def _not_yet(job: Job) -> Iterator[Problem]:
    """What a target file may ask for and this version does not do."""
    elsewhere = [str(target.number) for target in job.active if target.area != "R"]
    if elsewhere:
        yield Problem(
            True,
            f"target {_listed(elsewhere)} is to be recorded in another area than Record (LDArea)",
            "this version records in Record only; set LDArea = R or skip it",
        )
    if job.targets.geo_points:
        yield Problem(False, "there are points to measure the geometry at (_geo)", "they are not used")


def _references(job: Job) -> Iterator[Problem]:
    """Reference images that the settings ask for and that are not there, one problem for each kind."""
    settings, tracking = job.settings, job.targets.tracking
    wanted = {
        "Preview": [
            (t.number, t.reference) for t in job.active if settings.previewAli or t.number == tracking.number
        ],
        "View": [(t.number, t.view) for t in job.active if settings.viewAli or t.number == tracking.number],
    }
    for kind, references in wanted.items():
        lacking = [
            str(number)
            for number, name in references
            if name is None or not (job.files.folder / name).is_file()
        ]
        if lacking:
            yield Problem(
                False,
                f"there is no {kind} reference for target {_listed(lacking)}",
                "take it, or the coordinates in the target file are used as they are",
            )


def _listed(names: Sequence[str], most: int = 12) -> str:
    """Names in a row, the end of a long row counted only."""
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"


def _geometry(job: Job) -> Iterator[Problem]:
    pretilt, start = job.settings.pretilt, job.stops[0].tilt_deg
    if pretilt * start > 0:
        yield Problem(
            False,
            f"pretilt {pretilt:g}° and start tilt {start:g}° have the same sign, so the sample is inclined by "
            f"{pretilt + start:g}° at the start",
            "a level sample needs opposite signs; check the sign of pretilt",
        )
