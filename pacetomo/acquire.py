"""Acquiring an area: what `scripts/acquire.py` calls, inside SerialEM or on a simulated microscope."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

from pacetomo import __version__
from pacetomo.alarm import Alarm
from pacetomo.area_files import AreaFiles
from pacetomo.batch import AreaInBatch, cause
from pacetomo.beam_dose import BeamDose, BesideBooks
from pacetomo.books import Books
from pacetomo.engine import Acquisition
from pacetomo.errors import PaceError, PlanError, ScopeError, SessionError, TargetFileError
from pacetomo.files.atomic import move_aside, write_text_atomically
from pacetomo.files.run_file import write_run
from pacetomo.files.stage_profile import format_profile, parse_profile
from pacetomo.files.target_file import read_targets
from pacetomo.finding import hole_problems
from pacetomo.frame_names import FrameNames, noted_names
from pacetomo.job import Job, make_job
from pacetomo.joint.profile import StageProfile
from pacetomo.journal import Journal
from pacetomo.magnification import magnification_problems
from pacetomo.memory import MemoryFile, Origin, RememberingModel, recall
from pacetomo.montage import tile_stacks
from pacetomo.notes import Notes
from pacetomo.overview import view_series
from pacetomo.policies import PolicyTable
from pacetomo.preflight import find_problems
from pacetomo.prepare import Preparation, Prepared
from pacetomo.problem import Problem
from pacetomo.recovery import Recovery
from pacetomo.resume import (
    GOES_ON,
    Interrupted,
    job_to_go_on_with,
    prepared_again,
    put_back,
    read_interrupted,
    state_to_go_on_with,
    taken_so_far,
)
from pacetomo.run_state import RunHeader, RunState, TargetState
from pacetomo.schemes import Branch
from pacetomo.scope.facts import Facts
from pacetomo.scope.protocol import Item, Level, Microscope
from pacetomo.scope.serialem_scope import connect
from pacetomo.scope.watchdog import Watchdog
from pacetomo.settings import (
    POLICIES,
    ResolvedSettings,
    SettingsLayer,
    SettingValue,
    format_settings,
    read_settings_toml,
    resolve_settings,
    settings_hash,
)
from pacetomo.stage_profiles import load_profile, profile_path, told_series, update_profile
from pacetomo.taking import track_series
from pacetomo.targets import TargetSet
from pacetomo.tile_recovery import lacks_tiles
from pacetomo.tracking import SingleTargetModel, Start, TrackingModel
from pacetomo.upkeep import Upkeep

SHORTEST_BREAK_S = 60.0
"""Between the last image before an interruption and the first one after it."""

ERROR_MARK = "ERROR: "
"""How a line of the log begins that says why an area was not acquired."""


def acquire_here(
    settings_file: str | None = None, policies: PolicyTable | None = None, **settings: SettingValue
) -> None:
    """Acquire the area of the Navigator item in progress; for scripts that SerialEM runs.

    Parameters
    ----------
    settings_file : str, optional
        A facility's settings in TOML form; relative to the session folder.
    policies : mapping, optional
        What to do about kinds of trouble, over the file's: ``{"file_held": {"retry": 10}}``.
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
            given = settings if policies is None else {**settings, POLICIES: policies}
            acquire_area(scope, item, settings_file, given)
    except SessionError:
        _end_session(scope)
        raise SystemExit(1) from None
    except PaceError:
        raise SystemExit(1) from None


def _end_session(scope: Microscope) -> None:
    """Let no other area of the batch meet with what has ended this one."""
    try:
        scope.end_batch()
    except PaceError as err:
        scope.tell(f"Warning: {err}", Level.WARNING)


@contextmanager
def _telling(scope: Microscope) -> Iterator[None]:
    """Tell the operator about an error on its way out."""
    try:
        yield
    except PaceError as err:
        scope.tell(f"{ERROR_MARK}{err}", Level.ERROR)
        raise


def acquire_area(
    scope: Microscope, item: Item, settings_file: str | None, script_settings: Mapping[str, object]
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
    number, before = _choose_run(scope, files)
    if number is None:
        return RunState(())
    if resolved.settings.debug:
        scope.log_commands(files.command_log(number))
    try:  # a beginning that fails half way is undone, too
        scope.begin(resolved.settings.imageShiftLimit)
        job = make_job(files, targets, resolved, scope.calibration().stage_to_specimen)
        said: list[str] = []
        if before is not None:
            job, said = job_to_go_on_with(job, before)
        facts = scope.facts()
        problems = _refuse_or_warn(scope, job, facts, before is not None)
        for target in job.active if before is None else ():  # existing images are never overwritten
            own = files.folder / target.series
            beside = [own.with_name(name(own.name)) for name in (track_series, view_series)]
            for stack in (own, *beside, *tile_stacks(own)):
                for path in (stack, stack.with_name(f"{stack.name}.mdoc")):
                    move_aside(path, scope.wait)
        hashed = settings_hash(resolved.values())
        text = format_settings(resolved, f"{files.root}, run {number}, SettingsHash {hashed}")
        write_text_atomically(files.settings(number), text, scope.wait)
        with Journal(files.journal(number), scope.clock_s) as journal, ExitStack() as ends:
            settings = job.settings
            alarm = Alarm(journal, files.root, settings.watchdogCommand)
            scope.watch_commands(Watchdog(alarm.tell, settings.watchdogFactor, alarm.pulse))
            ends.callback(scope.watch_commands, None)
            _note_start(journal, scope, job, number, goes_on=before is not None)
            for problem in problems:
                journal.note("warning", text=problem.describe())
            for change in said:
                scope.tell(f"Going on: {change}", Level.WARNING)
                journal.note("change", text=change)
            run = _Run(scope, item, job, number, journal, facts)
            return run.begin() if before is None else run.go_on(before)
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


def _refuse_or_warn(scope: Microscope, job: Job, facts: Facts, goes_on: bool) -> list[Problem]:
    """Tell the operator what would go wrong; refuse what makes the run pointless."""
    problems = [
        *find_problems(job, facts, goes_on),
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
    files: AreaFiles, settings_file: str | None, script_settings: Mapping[str, object]
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


def _choose_run(scope: Microscope, files: AreaFiles) -> tuple[int | None, Interrupted | None]:
    """Number of the run to do, and what it has left if it is to be gone on with; no number if nothing is to be done."""
    runs = files.runs()
    if not runs:  # journals alone belong to set-ups that took no image
        return next(number for number in itertools.count(1) if not files.journal(number).exists()), None
    newest = max(runs)
    before = read_interrupted(files, newest, scope.wait)
    if not before.is_over:
        return newest, before
    text = f"{files.root} has been acquired ({runs[newest].name} is finished)"
    if (
        scope.ask(f"{text}. Leave it as it is? No acquires it once more and exposes its targets again.")
        is False
    ):
        return newest + 1, None
    scope.tell(f"{text}: nothing is exposed", Level.GOOD)
    return None, None


def _note_start(journal: Journal, scope: Microscope, job: Job, number: int, goes_on: bool) -> None:
    estimate = job.estimate()
    journal.note(
        "run_start",
        goes_on=goes_on,
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
        settings_hash=settings_hash(job.resolved.values()),
        policies=job.policies.as_table(),
        tilts_deg=[stop.tilt_deg for stop in job.stops],
        exposures=estimate.exposures,
        estimated_s=estimate.total_s,
        geometry={"pretilt_deg": job.plane.pretilt_deg, "rotation_deg": job.plane.rotation_deg},
    )
    scope.tell(f"{job.files.root}: {estimate.describe()}")
    for warning in (*job.targets.warnings, *job.resolved.warnings):
        scope.tell(f"Warning: {warning}", Level.WARNING)
        journal.note("warning", text=warning)


class _Run:
    """One run of an area, from its beginning or from where it was interrupted, to a noted end however it ends."""

    def __init__(
        self, scope: Microscope, item: Item, job: Job, number: int, journal: Journal, facts: Facts
    ) -> None:
        self._facts = facts
        self._scope = scope
        self._item = item
        self._job = job
        self._number = number
        self._journal = journal
        self._notes = Notes(scope, journal)
        self._upkeep = Upkeep(scope, job.settings, self._notes, job.policies)
        scope.heed(job.policies, self._notes.step)
        self._books: Books | None = None
        self._profile: StageProfile | None = None

    def begin(self) -> RunState:
        """Set up the area and acquire it."""
        with self._noting_the_end():
            self._use_profile(load_profile(self._job, self._scope.wait))
            preparation = Preparation(self._scope, self._job, self._notes, self._upkeep, self._facts)
            prepared = preparation.run(self._item)
            self._job = preparation.job  # with what the set-up has measured
            books = self._open_books(_fresh_state(self._job))
            for target in self._job.active:
                books.spend(target.number, prepared.dose_e_per_a2.get(target.number, 0.0))
            self._journal.note("step", name="acquire", text="Acquiring")
            with closing(MemoryFile(self._job.files.memory(self._number))) as memory:
                books.memory = memory
                memory.begin(self._origin(prepared))
                books.save()  # from the first exposure on there is something to go on with
                model = make_model(self._job, prepared.starts, prepared.start_tilt_deg, self._profile)
                remembering = RememberingModel(model, memory.append)
                Acquisition(
                    self._scope,
                    self._job,
                    prepared,
                    remembering,
                    books,
                    self._upkeep,
                    facts=self._facts,
                ).run()
            self._conclude(books)
        return books.state

    def go_on(self, before: Interrupted) -> RunState:
        """Take what is left of the plan."""
        with self._noting_the_end():
            job = self._job
            taken = taken_so_far(job, self._scope.wait)
            for text in (*taken.others, *([] if before.trouble is None else [before.trouble])):
                self._notes.warn(text)
            prepared = prepared_again(job, before)
            books = self._open_books(state_to_go_on_with(job, before))
            self._use_profile(self._profile_before(before))
            # Also of targets that are left out from here on: the model has learnt from them.
            starts = prepared.starts if before.origin is None else before.origin.starts
            model = make_model(job, starts, prepared.start_tilt_deg, self._profile)
            recall(model, before.lines)
            if before.origin is None:
                put_back(model, before, prepared.starts)
            with closing(MemoryFile(job.files.memory(self._number))) as memory:
                books.memory = memory
                if before.origin is None:
                    memory.begin(self._origin(prepared))
                remembering = RememberingModel(model, memory.append, later_s=self._later_s(before))
                beside = BesideBooks(BeamDose(self._scope, job, self._facts, prepared.starts), books)
                recovery = Recovery(self._scope, job, books, remembering, prepared, before, taken, beside)
                done = recovery.images()
                books.taken = len(done)
                books.save()
                text = f"Going on with {job.files.root}: {len(done)} of {len(job.plan)} images were taken"
                self._notes.step(GOES_ON, text, taken=len(done), planned=len(job.plan))
                acquisition = Acquisition(
                    self._scope, job, prepared, remembering, books, self._upkeep, done, self._facts
                )
                if acquisition.ahead:
                    is_moved = recovery.stage(acquisition.ahead[0])
                    acquisition.run(is_moved)
            self._conclude(books)
        return books.state

    def _use_profile(self, profile: StageProfile | None) -> None:
        self._profile = profile
        if profile is not None:
            name = self._job.settings.stageProfile
            self._notes.step("profile", f"Stage profile {name}: {profile.describe()}")

    def _profile_before(self, before: Interrupted) -> StageProfile | None:
        """Profile that the run began with; the file may have been updated since."""
        if before.origin is None:
            return load_profile(self._job, self._scope.wait)
        text = before.origin.options.get("profile")
        return None if text is None else parse_profile(text, self._job.files.memory(self._number).name)

    def _open_books(self, state: RunState) -> Books:
        to_is = self._scope.calibration().specimen_to_is
        run_file = self._job.files.run_file(self._number)
        self._books = Books(state, self._job.targets, run_file, to_is, self._journal, self._scope)
        used = noted_names(self._journal.path, self._scope.wait)
        self._books.frames = FrameNames(self._job.files.root, self._number, used)
        return self._books

    def _origin(self, prepared: Prepared) -> Origin:
        shot = prepared.preview
        preview = None
        if shot is not None:
            preview = [shot.mean_counts, shot.exposure_s, shot.dose_e_per_a2, list(shot.field_um)]
        options = {
            **model_options(self._job),
            "start_deg": self._job.start_tilt_deg,
            "stage_um": list(self._scope.stage_um()),
            "focus_um": {str(number): focus for number, focus in prepared.focus_um.items()},
            "spent_e_per_a2": {str(number): dose for number, dose in prepared.dose_e_per_a2.items()},
            "preview": preview,
            "profile": None if self._profile is None else format_profile(self._profile),
        }
        return Origin(prepared.starts, prepared.start_tilt_deg, options)

    def _later_s(self, before: Interrupted) -> float:
        """What to add to the clock so that time goes on for the model, should SerialEM have been started anew."""
        behind_s = before.last_s - self._scope.clock_s()
        return max(0.0, behind_s + SHORTEST_BREAK_S)

    def _conclude(self, books: Books) -> None:
        run_file = self._job.files.run_file(self._number)
        self._ended = _conclude(self._scope, self._job, books, run_file)
        if self._ended[0] == "finished":
            _update_profile(self._scope, self._job, self._notes)

    @contextmanager
    def _noting_the_end(self) -> Iterator[None]:
        began_s = self._scope.clock_s()
        self._ended = "stopped", ""
        try:
            yield
        except PaceError as err:
            self._ended = "failed", str(err)
            raise
        finally:
            kind = sys.exc_info()[0]
            ended, said = self._ended
            said = said or f"ended by {'the operator' if kind is None else cause(kind)}"
            minutes = (self._journal.last_s - began_s) / 60
            self._journal.note_without_clock(
                "run_end",
                state=ended,
                text=f"{said}, {minutes:.1f} min",
                exposures=0 if self._books is None else self._books.taken,
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
    if books.has_failed and (books.taken < planned or lacks_tiles(job, books)):
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


def make_model(
    job: Job, starts: Mapping[int, Start], start_tilt_deg: float, profile: StageProfile | None = None
) -> TrackingModel:
    """Tracking model that the settings ask for, at the start of a series."""
    settings = job.settings
    # As with SerialEM's own offset: where the axis lies further along Y, points are that much nearer to it.
    axis_offsets_um = {Branch.UP: -settings.taOffsetPos, Branch.DOWN: -settings.taOffsetNeg}
    tracking = job.targets.tracking.number
    if settings.tracker == "joint":
        from pacetomo.joint import JointModel

        return JointModel(
            starts,
            start_tilt_deg,
            tracking_target=tracking,
            plane=job.plane,
            data_points=settings.dataPoints,
            axis_offsets_um=axis_offsets_um,
            profile=profile,
        )
    return SingleTargetModel(
        starts,
        start_tilt_deg,
        tracking_target=tracking,
        data_points=settings.dataPoints,
        second_branch=job.second_branch,
        predict_first_of_second=settings.ignoreNegStart,
        axis_offsets_um=axis_offsets_um,
    )


def model_options(job: Job) -> dict[str, Any]:
    """What a tracking model is made with besides the starts, in words that JSON knows."""
    return {
        "tracker": job.settings.tracker,
        "tracking_target": job.targets.tracking.number,
        "pretilt_deg": job.plane.pretilt_deg,
        "rotation_deg": job.plane.rotation_deg,
        "taOffsetPos": job.settings.taOffsetPos,
        "taOffsetNeg": job.settings.taOffsetNeg,
    }


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
