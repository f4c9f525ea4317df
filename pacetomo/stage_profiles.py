"""Stage profiles in use: where a run finds its own, what is wrong with it, and how it grows with each run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from pacetomo.errors import ProfileError
from pacetomo.files.atomic import Wait
from pacetomo.files.stage_profile import read_profile, write_profile
from pacetomo.job import Job
from pacetomo.joint.profile import StageProfile
from pacetomo.joint.profile_learning import learn_profile, updated
from pacetomo.past_sessions import courses_of
from pacetomo.problem import Problem

NO_BETTER = 0.97
"""A profile that leaves more than this share of the errors predicts no better than none."""


def profile_path(job: Job) -> Path | None:
    """File of the stage profile that the settings name; None for none."""
    name = job.settings.stageProfile
    return job.files.folder / name if name else None


def load_profile(job: Job, wait: Wait | None = None) -> StageProfile | None:
    """Stage profile that the settings name; None for none.

    Raises
    ------
    ProfileError
        When it is not there or cannot be used.
    """
    path = profile_path(job)
    return None if path is None else read_profile(path, wait)


def profile_problems(job: Job) -> Iterator[Problem]:
    """What is wrong with the stage profile of a job."""
    try:
        profile = load_profile(job)
    except ProfileError as err:
        yield Problem(True, str(err), "or leave stageProfile empty")
        return
    if profile is not None and job.settings.tracker != "joint" and not job.settings.updateProfile:
        yield Problem(
            False, "stageProfile is not used", 'only tracker = "joint" predicts with a stage profile'
        )


def learn_from(paths: Iterable[Path]) -> tuple[StageProfile, tuple[str, ...]]:
    """Learn a profile from mdocs; with it comes a sentence for each series that is left out or cut.

    Raises
    ------
    ProfileError
        When they are too few; what is wrong with each is part of the message.
    """
    courses, told = courses_of(paths)
    try:
        return learn_profile(courses), told
    except ProfileError as err:
        raise ProfileError("\n".join([str(err), *told])) from err


def verdict(profile: StageProfile) -> str | None:
    """Warning about a profile that does not help; None for one that does."""
    score = profile.score
    if score.median_nm < NO_BETTER * score.median_without_nm:
        return None
    return (
        "sessions left out are predicted no better with this profile than without one: "
        "were all of them acquired on the same stage?"
    )


def update_profile(path: Path, mdocs: Sequence[Path], wait: Wait | None = None) -> StageProfile:
    """Add the series of a run to a profile and learn it anew; the file as it was is kept as a backup.

    Raises
    ------
    ProfileError
        When the series tell nothing, or the file cannot be read or written; it is then as it was.
    """
    old = read_profile(path, wait)
    courses, told = courses_of(mdocs)
    if not courses:
        reasons = f" ({told[0]})" if told else ""
        raise ProfileError(f"{path}: the series of this run add nothing to the stage profile{reasons}")
    profile = learn_profile(updated(old.courses, courses))
    write_profile(path, profile, wait)
    return profile


def told_series(job: Job) -> list[Path]:
    """Metadata of the series of a job that tell how the stage moved.

    Those that travel along the axis with tilt record that travel with the stage's motion.
    """
    travels = job.settings.tgtMntXOffset != 0
    return [
        job.files.folder / f"{target.series}.mdoc"
        for target in job.active
        if not travels or job.montage(target.number).is_single
    ]
