"""Journal and truth log joined: what is known of each image, and the dose each target has taken."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pacetomo.frames import XY
from pacetomo.report.reading import NO_XY
from pacetomo.report.records import Exposed, Found, PlannedTarget, RunLog, Start
from pacetomo.report.truth import TruthExposure, TruthLog, TruthSaved

START, UP, DOWN = "start", "up", "down"
KINDS = ("neighbours", "preview", "view, search", "focus, trial", "other")
"""Kinds of exposures that dose a target outside its series."""

_KIND_OF_SET = {"R": "neighbours", "P": "preview", "V": "view, search", "S": "view, search"}
_KIND_OF_SET.update({"F": "focus, trial", "T": "focus, trial"})


@dataclass(frozen=True)
class SeriesImage:
    """One image of a series; numbers nobody knows are nan.

    Attributes
    ----------
    measured_nm, true_nm
        Residual: where the target lies minus the image centre, in the specimen plane, as the run measured it
        and as it was (against the first image of the series).
    defocus_um
        True defocus at the image centre.
    believed, expected_nm, sigma_nm, fitted_um, wanted_um, sigma_defocus_um
        What the run measured, and what its tracking model expected, as in `Exposed`.
    """

    section: int
    tilt_deg: float
    branch: str
    measured_nm: XY
    true_nm: XY
    z0_um: float
    defocus_um: float
    dose_e_per_a2: float
    believed: bool = True
    expected_nm: XY = NO_XY
    sigma_nm: XY = NO_XY
    fitted_um: float = math.nan
    wanted_um: float = math.nan
    sigma_defocus_um: float = math.nan


@dataclass(frozen=True)
class Series:
    """A target with all its images in order of acquisition, and what else is known of it.

    Attributes
    ----------
    defocus_um
        Wanted defocus.
    sample_um
        The sample point at the centre of the first image, None without a truth log or image.
    dose_outside
        e/Å² of exposures that are no image of this series, by kind (see `KINDS`); None if not known.
    """

    target: PlannedTarget
    tracking: bool
    images: tuple[SeriesImage, ...]
    wanted: int
    defocus_um: float
    correction_nm: XY
    sample_um: tuple[float, float, float] | None
    dose_outside: Mapping[str, float] | None

    @property
    def number(self) -> int:
        """Number of the target."""
        return self.target.number

    @property
    def dose_inside(self) -> float:
        """Sum of the dose of its images, e/Å²."""
        return sum(image.dose_e_per_a2 for image in self.images if not math.isnan(image.dose_e_per_a2))

    def branches(self) -> list[list[SeriesImage]]:
        """Return the images of each branch, from the start tilt outwards, start image included."""
        start = [image for image in self.images if image.branch == START]
        branches = []
        for branch in (UP, DOWN):
            images = [image for image in self.images if image.branch == branch]
            if images:
                branches.append(
                    start[:1] + sorted(images, key=lambda image: image.tilt_deg, reverse=branch == DOWN)
                )
        return branches or ([start] if start else [])


def join(runlog: RunLog, truth: TruthLog | None) -> tuple[Series, ...]:
    """Join what the run noted with what really happened, target by target in order of their numbers."""
    targets = {target.number: target for target in runlog.targets}
    for number in sorted({image.target for image in runlog.images} - set(targets)):
        targets[number] = PlannedTarget(number, "", NO_XY, skip=False)
    first = runlog.targets[0].number if runlog.targets else min(targets, default=0)
    starts = {start.target: start for start in runlog.starts}
    found = {entry.target: entry for entry in runlog.found}
    images: dict[int, dict[int, Exposed]] = {number: {} for number in targets}
    for image in runlog.images:
        images[image.target][image.section] = image
    return tuple(
        _series(
            targets[number],
            number == first,
            images[number],
            runlog,
            starts.get(number),
            found.get(number),
            truth,
        )
        for number in sorted(targets)
    )


def dose_outside(
    position_um: tuple[float, float, float], own: set[int], exposures: Sequence[TruthExposure]
) -> dict[str, float]:
    """Return the dose at a point of the sample from all exposures but its own, by kind.

    A point (dx, dy, dz) from the one at the image centre lies at (dx, dy cos t - dz sin t) in the image
    plane; it takes the dose if that is inside the beam.

    Parameters
    ----------
    position_um
        The point, in the sample's untilted frame.
    own
        Places in `exposures` that are left out.
    exposures
        All exposures of the session.

    Returns
    -------
    dict
        e/Å² for each of `KINDS`.

    Examples
    --------
    >>> shot = TruthExposure("R", 1.0, 3.0, 60.0, 60.0, (0.0, 1.5, 0.0), -4.0, 0.8)
    >>> dose_outside((0.0, 0.0, 0.0), set(), [shot])["neighbours"]
    3.0
    """
    doses = dict.fromkeys(KINDS, 0.0)
    if not exposures:
        return doses
    centres = np.array([shot.sample_um for shot in exposures])
    tilts = np.radians([shot.tilt_true_deg for shot in exposures])
    radii = np.array([shot.beam_radius_um for shot in exposures])
    dx, dy, dz = (np.array(position_um) - centres).T
    inside = np.hypot(dx, dy * np.cos(tilts) - dz * np.sin(tilts)) <= radii
    for place in np.flatnonzero(inside).tolist():
        shot = exposures[place]
        if place not in own and not math.isnan(shot.dose_e_per_a2):
            doses[_KIND_OF_SET.get(shot.camera_set[:1].upper(), "other")] += shot.dose_e_per_a2
    return doses


def _series(
    target: PlannedTarget,
    tracking: bool,
    noted: Mapping[int, Exposed],
    runlog: RunLog,
    start: Start | None,
    found: Found | None,
    truth: TruthLog | None,
) -> Series:
    saved = truth.sections_of(target.series) if truth and target.series else {}
    start_deg = runlog.tilts_deg[0] if runlog.tilts_deg else math.nan
    images = tuple(
        _image(section, noted.get(section), saved.get(section), start_deg)
        for section in sorted({*noted, *saved})
    )
    sample_um = saved[0].shot.sample_um if 0 in saved else None
    outside = None
    if truth and sample_um and not any(math.isnan(value) for value in sample_um):
        own = {section.exposure for section in saved.values() if section.exposure is not None}
        outside = dose_outside(sample_um, own, truth.exposures)
    return Series(
        target=target,
        tracking=tracking,
        images=images,
        wanted=0 if target.skip else len(runlog.tilts_deg),
        defocus_um=start.defocus_um if start else math.nan,
        correction_nm=found.correction_nm if found else NO_XY,
        sample_um=sample_um,
        dose_outside=outside,
    )


def _image(section: int, noted: Exposed | None, saved: TruthSaved | None, start_deg: float) -> SeriesImage:
    tilt_deg = noted.tilt_deg if noted else math.nan
    if math.isnan(tilt_deg) and saved:
        tilt_deg = saved.shot.tilt_deg
    branch = noted.branch if noted else ""
    if not branch:
        branch = START if section == 0 else UP if tilt_deg > start_deg else DOWN
    dose = noted.dose_e_per_a2 if noted else math.nan
    image = SeriesImage(
        section=section,
        tilt_deg=tilt_deg,
        branch=branch,
        measured_nm=noted.residual_nm if noted else NO_XY,
        true_nm=XY(saved.residual_um.x * 1000, saved.residual_um.y * 1000) if saved else NO_XY,
        z0_um=noted.z0_um if noted else math.nan,
        defocus_um=saved.shot.defocus_um if saved else math.nan,
        dose_e_per_a2=saved.shot.dose_e_per_a2 if saved else dose,
    )
    if noted is None:
        return image
    return replace(
        image,
        believed=noted.believed,
        expected_nm=noted.expected_nm,
        sigma_nm=noted.sigma_nm,
        fitted_um=noted.fitted_um,
        wanted_um=noted.wanted_um,
        sigma_defocus_um=noted.sigma_defocus_um,
    )
