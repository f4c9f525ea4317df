"""Acquiring an area: what `scripts/acquire.py` calls, inside SerialEM or on a simulated microscope."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pacetomo import __version__
from pacetomo.area_files import AreaFiles
from pacetomo.batch import AreaInBatch, cause
from pacetomo.books import Books
from pacetomo.engine import Acquisition
from pacetomo.errors import PaceError, PlanError, ScopeError, TargetFileError
from pacetomo.files.atomic import move_aside, write_text_atomically
from pacetomo.files.run_file import write_run
from pacetomo.files.target_file import read_targets
from pacetomo.finding import hole_problems
from pacetomo.job import Job, make_job
from pacetomo.joint.profile import StageProfile
from pacetomo.journal import Journal
from pacetomo.magnification import magnification_problems
from pacetomo.montage import tile_stacks
from pacetomo.notes import Notes
from pacetomo.preflight import find_problems
from pacetomo.prepare import Preparation, Prepared
from pacetomo.problem import Problem
from pacetomo.run_state import RunHeader, RunState, TargetState
from pacetomo.schemes import Branch
from pacetomo.scope.protocol import Item, Level, Microscope
from pacetomo.scope.serialem_scope import connect
from pacetomo.settings import (
    ResolvedSettings,
    SettingsLayer,
    SettingValue,
    format_settings,
    read_settings_toml,
    resolve_settings,
)
from pacetomo.stage_profiles import load_profile, profile_path, told_series, update_profile
from pacetomo.taking import track_series
from pacetomo.targets import TargetSet
from pacetomo.tracking import SingleTargetModel, TrackingModel
from pacetomo.upkeep import Upkeep

ERROR_MARK = "ERROR: "
"""How a line of the log begins that says why an area was not acquired."""


def acquire_here(settings_file: str | None = None, **settings: SettingValue) -> None:
    """Acquire the area of the Navigator item in progress; for scripts that SerialEM runs.

    Parameters
    ----------
    settings_file : str, optional
        A facility's settings in TOML form; relative to the session folder.
    **settings
        Settings of this script, over those of the file; the target file's go over both.

    Raises
    ------
    SystemExit
        After a problem that a user can cure; the log says what it is.
    """
    try:
        scope = connect()
    except PaceError as err:
        raise SystemExit(f"{ERROR_MARK}{err}") from None
    try:
        with _telling(scope):
            item = scope.item()
            in_batch = AreaInBatch(scope, item)
        with in_batch, _telling(scope):
            acquire_area(scope, item, settings_file, settings)
    except PaceError:
        raise SystemExit(1) from None


@contextmanager
def _telling(scope: Microscope) -> Iterator[None]:
    """Tell the operator about an error on its way out."""
    try:
        yield
    except PaceError as err:
        scope.tell(f"{ERROR_MARK}{err}", Level.ERROR)
        raise


def acquire_area(
    scope: Microscope, item: Item, settings_file: str | None, script_settings: Mapping[str, SettingValue]
) -> RunState:
    """Acquire one area and put the microscope back as it was.

    Raises
    ------
    PaceError
        When the area could not be acquired; what was taken until then is saved.
    """
    if not item.note.strip():
        raise TargetFileError(
            f"Navigator item {item.label} has no note: it must be the name of the target file"
        )
    files = AreaFiles(scope.folder() / item.note.strip())
    targets, resolved = _read(files, settings_file, script_settings)
    number = _next_run(files)
    if resolved.settings.debug:
        scope.log_commands(files.command_log(number))
    try:  # a beginning that fails half way is undone, too
        scope.begin(resolved.settings.imageShiftLimit)
        job = make_job(files, targets, resolved, scope.calibration().stage_to_specimen)
        problems = _refuse_or_warn(scope, job)
        for target in job.active:  # existing images are never overwritten
            own = files.folder / target.series
            for stack in (own, own.with_name(track_series(own.name)), *tile_stacks(own)):
                for path in (stack, stack.with_name(f"{stack.name}.mdoc")):
                    move_aside(path, scope.wait)
        text = format_settings(resolved, f"{files.root}, run {number}")
        write_text_atomically(files.settings(number), text, scope.wait)
        with Journal(files.journal(number), scope.clock_s) as journal:
            _note_start(journal, scope, job, number)
            for problem in problems:
                journal.note("warning", text=problem.describe())
            return _run(scope, item, job, number, journal)
    finally:
        _leave(scope, files)


def _leave(scope: Microscope, files: AreaFiles) -> None:
    """Put the microscope back and keep the log; if that fails it does not hide why the area ended.

    Raises
    ------
    ScopeError
        When it cannot be put back and the area itself came out well.
    """
    reason, trouble = sys.exc_info()[1], None
    try:
        scope.end()
    except ScopeError as err:
        trouble = err
        scope.tell(f"Warning: {err}", Level.WARNING)
    _keep_log(scope, files.folder / f"{files.root}.log")
    scope.log_commands(None)
    if trouble is not None and reason is None:
        raise trouble


def _keep_log(scope: Microscope, path: Path) -> None:
    """Save the operator's log beside the images; an earlier one is kept, and failing to save costs no area."""
    try:
        move_aside(path, scope.wait)
        scope.save_log(path)
    except PaceError as err:
        scope.tell(f"Warning: the log is not saved ({err})", Level.WARNING)


def _refuse_or_warn(scope: Microscope, job: Job) -> list[Problem]:
    """Tell the operator what would go wrong; refuse what makes the run pointless."""
    problems = [
        *find_problems(job, scope.facts()),
        *hole_problems(scope, job),
        *magnification_problems(scope, job),
    ]
    fatal = [problem.describe() for problem in problems if problem.fatal]
    if fatal:
        raise PlanError("; ".join(fatal))
    for problem in problems:
        scope.tell(f"Warning: {problem.describe()}", Level.WARNING)
    return problems


def _read(
    files: AreaFiles, settings_file: str | None, script_settings: Mapping[str, SettingValue]
) -> tuple[TargetSet, ResolvedSettings]:
    """Targets and settings in force of an area."""
    if not files.target_file.is_file():
        raise TargetFileError(
            f"{files.target_file} is not there: the item's note must name the target file in the session folder"
        )
    targets = read_targets(files.target_file)
    layers = []
    if settings_file is not None:
        path = Path(settings_file)
        layers.append(read_settings_toml(path if path.is_absolute() else files.folder / path))
    layers.append(SettingsLayer("script", script_settings))
    layers.append(targets.settings_layer(files.target_file.name))
    return targets, resolve_settings(*layers)


def _next_run(files: AreaFiles) -> int:
    """Number of the next run; refuses where one has been, so that nothing is exposed a second time."""
    runs = files.runs()
    if not runs:  # journals alone belong to set-ups that took no image
        return next(number for number in itertools.count(1) if not files.journal(number).exists())
    newest = max(runs)
    raise PlanError(
        f"{runs[newest].name} is there: this area has been acquired at least in part, and exposing it again would "
        "spend its dose twice. Move that run file and the tilt series elsewhere to acquire it anew"
    )


def _note_start(journal: Journal, scope: Microscope, job: Job, number: int) -> None:
    estimate = job.estimate()
    journal.note(
        "run_start",
        version=__version__,
        microscope=scope.version(),
        area=job.files.root,
        target_file=job.files.target_file.name,
        run_file=job.files.run_file(number).name,
        targets=[
            {
                "number": target.number,
                "series": target.series,
                "shift_um": list(job.untilted_um[target.number]),
                "skip": target.skip,
            }
            for target in job.targets.targets
        ],
        settings={
            name: {"value": value, "origin": job.resolved.origins[name]}
            for name, value in job.resolved.values().items()
        },
        tilts_deg=[stop.tilt_deg for stop in job.stops],
        exposures=estimate.exposures,
        estimated_s=estimate.total_s,
        geometry={"pretilt_deg": job.plane.pretilt_deg, "rotation_deg": job.plane.rotation_deg},
    )
    scope.tell(f"{job.files.root}: {estimate.describe()}")
    for warning in (*job.targets.warnings, *job.resolved.warnings):
        scope.tell(f"Warning: {warning}", Level.WARNING)
        journal.note("warning", text=warning)


def _run(scope: Microscope, item: Item, job: Job, number: int, journal: Journal) -> RunState:
    """Set up and acquire; however it ends, the end is noted."""
    began_s = scope.clock_s()
    run_file = job.files.run_file(number)
    books: Books | None = None
    ended, said = "stopped", ""
    try:
        notes = Notes(scope, journal)
        profile = load_profile(job, scope.wait)
        if profile is not None:
            notes.step("profile", f"Stage profile {job.settings.stageProfile}: {profile.describe()}")
        upkeep = Upkeep(scope, job.settings, notes)
        preparation = Preparation(scope, job, notes, upkeep)
        prepared = preparation.run(item)
        job = preparation.job  # with what the set-up has measured
        to_is = scope.calibration().specimen_to_is
        books = Books(_fresh_state(job), job.targets, run_file, to_is, journal, scope)
        for target, dose_e_per_a2 in prepared.dose_e_per_a2.items():
            books.spend(target, dose_e_per_a2)
        journal.note("step", name="acquire", text="Acquiring")
        Acquisition(scope, job, prepared, make_model(job, prepared, profile), books, upkeep).run()
        ended, said = _conclude(scope, job, books, run_file)
        if ended == "finished":
            _update_profile(scope, job, notes)
        return books.state
    except PaceError as err:
        ended, said = "failed", str(err)
        raise
    finally:
        kind = sys.exc_info()[0]
        said = said or f"ended by {'the operator' if kind is None else cause(kind)}"
        minutes = (journal.last_s - began_s) / 60
        journal.note_without_clock(
            "run_end",
            state=ended,
            text=f"{said}, {minutes:.1f} min",
            exposures=0 if books is None else books.taken,
        )


def _conclude(scope: Microscope, job: Job, books: Books, run_file: Path) -> tuple[str, str]:
    """How a run came out. One that lacks images because something failed keeps its state: it may be gone on with.

    Targets that have ended early for good, as dark ones do, leave nothing to go on with.

    Raises
    ------
    ScopeError
        When not one image could be taken.
    """
    planned = len(job.plan)
    if books.taken == 0:
        raise ScopeError("not one image could be taken: the warnings above say why")
    if books.taken < planned and books.has_failed:
        text = f"{books.taken} of {planned} images"
        scope.tell(f"{job.files.root}: incomplete, {text}; the warnings above say why", Level.WARNING)
        return "incomplete", text
    write_run(run_file, job.targets, books.state.finished(), scope.wait)
    text = f"{books.taken} images" if books.taken == planned else f"{books.taken} of {planned} images"
    scope.tell(f"{job.files.root}: finished, {text}", Level.GOOD)
    return "finished", text


def _update_profile(scope: Microscope, job: Job, notes: Notes) -> None:
    """Let the stage profile learn from a finished run, if that is wanted; failing to do so costs no area."""
    path = profile_path(job)
    if path is None or not job.settings.updateProfile:
        return
    try:
        profile = update_profile(path, told_series(job), scope.wait)
    except PaceError as err:
        notes.warn(f"the stage profile is not updated ({err})")
        return
    notes.step("profile", f"Stage profile {path.name}: {profile.describe()}")


def make_model(job: Job, prepared: Prepared, profile: StageProfile | None = None) -> TrackingModel:
    """Tracking model that the settings ask for, at the start of a series."""
    settings = job.settings
    if settings.tracker == "joint":
        from pacetomo.joint import JointModel

        return JointModel(
            prepared.starts,
            prepared.start_tilt_deg,
            tracking_target=job.targets.tracking.number,
            plane=job.plane,
            data_points=settings.dataPoints,
            profile=profile,
        )
    return SingleTargetModel(
        prepared.starts,
        prepared.start_tilt_deg,
        tracking_target=job.targets.tracking.number,
        data_points=settings.dataPoints,
        second_branch=job.second_branch,
        predict_first_of_second=settings.ignoreNegStart,
        # As with SerialEM's own offset: where the axis lies further along Y, points are that much nearer to it.
        axis_offsets_um={Branch.UP: -settings.taOffsetPos, Branch.DOWN: -settings.taOffsetNeg},
    )


def _fresh_state(job: Job) -> RunState:
    settings = job.settings
    header = RunHeader(
        start_tilt_deg=job.start_tilt_deg,
        min_tilt_deg=settings.minTilt,
        max_tilt_deg=settings.maxTilt,
        step_deg=settings.step,
        pretilt_deg=job.plane.pretilt_deg,
        rotation_deg=job.plane.rotation_deg,
    )
    return RunState(tuple(TargetState(target.number) for target in job.targets.targets), None, header)
