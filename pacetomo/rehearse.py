"""A whole session on the simulated microscope: references, acquisition by the untouched script, report."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any

from pacetomo.acquire import ERROR_MARK
from pacetomo.area_files import AreaFiles
from pacetomo.errors import PaceError, PlanError
from pacetomo.files.target_file import format_targets, read_targets, write_targets
from pacetomo.job import NOMINAL_STAGE_TO_SPECIMEN, make_job
from pacetomo.rehearsal_record import ACQUIRING, FINISHED, STATE, Record
from pacetomo.report.records import read_journal
from pacetomo.scope.protocol import Area, Microscope
from pacetomo.scope.serialem_scope import SerialEMScope
from pacetomo.scripts import script_path
from pacetomo.settings import SettingsLayer, parse_assignment, resolve_settings
from pacetomo.targets import Target, TargetSet

if TYPE_CHECKING:
    from mock_serialem.session import Session
    from mock_serialem.sim.world import World

EXAMPLES = Path(__file__).resolve().parent / "examples"
SAMPLES = ("lamella", "holey")
STAGES = ("krios", "cryoarm", "side-entry")
FIDELITIES = ("rendered", "kinematic")
DEFAULT_TARGETS = 10

Watch = Callable[[Path], None]


@dataclass(frozen=True)
class Rehearsal:
    """What to rehearse.

    Attributes
    ----------
    out : Path
        Session folder; created, and never one with files in it.
    target_file : Path, optional
        Targets to acquire; the sample's bundled example if not given.
    sample, stage, fidelity, seed
        The simulated microscope.
    targets : int, optional
        How many of the file's targets, from the first on.
    overrides : tuple of str
        Settings as NAME=VALUE, over those of the target file.
    truth : Path, optional
        Truth log; ``truth.jsonl`` in `out` if not given.
    """

    out: Path
    target_file: Path | None = None
    sample: str = "lamella"
    stage: str = "krios"
    fidelity: str = "rendered"
    seed: int = 0
    targets: int | None = None
    overrides: tuple[str, ...] = ()
    truth: Path | None = None


@dataclass(frozen=True)
class Outcome:
    """A rehearsal that has ended: its files, time by activity (s), and the error that ended it, if one did."""

    files: AreaFiles
    truth: Path
    timeline: dict[str, float]
    error: str | None
    log: tuple[str, ...]


def choose_targets(rehearsal: Rehearsal) -> tuple[str, TargetSet]:
    """Name and content of the target file to rehearse, with the overrides in it.

    Raises
    ------
    PaceError
        When the file or an override cannot be used.
    """
    path = rehearsal.target_file or EXAMPLES / f"{rehearsal.sample}_tgts.txt"
    files = AreaFiles(path)
    targets = read_targets(path)
    wanted = rehearsal.targets
    if wanted is None and rehearsal.target_file is None:
        wanted = DEFAULT_TARGETS
    if wanted is not None:
        if not 1 <= wanted <= len(targets.targets):
            raise PlanError(
                f"{path.name} has {len(targets.targets)} targets, {wanted} cannot be taken of them"
            )
        targets = replace(targets, targets=targets.targets[:wanted])
    targets = replace(targets, targets=tuple(_beside(target) for target in targets.targets))
    given = dict(map(parse_assignment, rehearsal.overrides))
    resolved = resolve_settings(targets.settings_layer(path.name), SettingsLayer("command line", given))
    # Whatever contradicts itself is refused here, before anything is written.
    _ = make_job(files, targets, resolved, NOMINAL_STAGE_TO_SPECIMEN).plan
    for name, value in given.items():
        targets = targets.with_override(name, str(value), "bset" if isinstance(value, bool) else "set")
    return files.target_file.name, targets


def _beside(target: Target) -> Target:
    """Target whose files lie in the session folder, whatever folders of whatever system its file names."""

    def base(name: str | None) -> str | None:
        return None if name is None else PureWindowsPath(name).name

    return replace(
        target,
        series=PureWindowsPath(target.series).name,
        reference=base(target.reference),
        view=base(target.view),
    )


def rehearse(rehearsal: Rehearsal, watch: Watch | None = None) -> Outcome:
    """Run a rehearsal in a new folder; `pacetomo.rehearsal_continued` goes on with one that is interrupted.

    Parameters
    ----------
    rehearsal : Rehearsal
        What to rehearse.
    watch : callable, optional
        Called now and then with the path of the journal while the script runs.

    Raises
    ------
    PaceError
        When it cannot be started. An acquisition that fails is an `Outcome` with an error.
    KeyboardInterrupt
        When interrupted; the script has been stopped and its files closed by then.
    """
    from mock_serialem.sim.world import make_world

    out = rehearsal.out.resolve()
    name, targets = choose_targets(rehearsal)
    if rehearsal.truth is not None:
        _check_new_file(rehearsal.truth.resolve())
    _make_folder(out)
    truth = (rehearsal.truth or out / "truth.jsonl").resolve()
    _check_new_file(truth)
    files = AreaFiles(out / name)
    made = [name, *(ref for target in targets.targets for ref in (target.view, target.reference) if ref)]
    options = {**options_of(rehearsal), "content": content_of(rehearsal)}
    record = Record(options, name, _planned(files, targets), tuple(made), str(truth))
    record.write(out)
    world = make_world(rehearsal.sample, rehearsal.stage, rehearsal.seed, rehearsal.fidelity, truth)
    try:
        session = open_session(world, files, targets)
        session.keep_state(out / STATE)
        record = record.moved_on(out, phase=ACQUIRING, before=dict(world.activities))
        return acquire_once(session, files, record, watch)
    finally:
        world.truth.close()


def options_of(rehearsal: Rehearsal) -> dict[str, Any]:
    """Return the options as the record in a folder keeps them, without the content of the target file."""
    return {
        "target_file": None if rehearsal.target_file is None else str(rehearsal.target_file.resolve()),
        "sample": rehearsal.sample,
        "stage": rehearsal.stage,
        "fidelity": rehearsal.fidelity,
        "seed": rehearsal.seed,
        "targets": rehearsal.targets,
        "set": list(rehearsal.overrides),
        "truth": None if rehearsal.truth is None else str(rehearsal.truth.resolve()),
    }


def content_of(rehearsal: Rehearsal) -> str:
    """Return name and checksum of the target file that a rehearsal writes into its folder.

    Raises
    ------
    PaceError
        When the target file or a setting cannot be used.
    """
    name, targets = choose_targets(rehearsal)
    return f"{name} {zlib.crc32(format_targets(targets).encode('utf-8')):08x}"


def _planned(files: AreaFiles, targets: TargetSet) -> int:
    resolved = resolve_settings(targets.settings_layer(files.target_file.name))
    return len(make_job(files, targets, resolved, NOMINAL_STAGE_TO_SPECIMEN).plan)


def acquire_once(session: Session, files: AreaFiles, record: Record, watch: Watch | None) -> Outcome:
    """Run the script, note how it ended, and leave a microscope that can be gone on with unless all is done.

    Raises
    ------
    PaceError
        The record cannot be written, or finishing the run fails.
    KeyboardInterrupt
        When interrupted; the script has been stopped by then.
    """
    from mock_serialem.script_window import ScriptWindow
    from pacetomo.background import await_finishing

    look = None if watch is None else lambda: watch(files.journal(files.latest_run))
    try:
        result = ScriptWindow(session, on_idle=look).run(script_path("acquire"))
        await_finishing(files.run_file(files.latest_run), look)
        error = None if result.ok else _what_went_wrong(result.log, result.error)
        if error is None and _is_complete(files.journal(files.latest_run)):
            record.moved_on(files.folder, phase=FINISHED, script="")
            _discard(session)
        else:
            record.moved_on(files.folder, script=error or "not all images were taken")
    finally:
        session.suspend()
    spent, before = session.world.activities, record.before or {}
    timeline = {name: seconds - before.get(name, 0.0) for name, seconds in spent.items()}
    return Outcome(files, Path(record.truth), timeline, error, tuple(result.log))


def _is_complete(journal: Path) -> bool:
    end = read_journal(journal).end if journal.is_file() else None
    return end is not None and end.state == FINISHED


def _discard(session: Session) -> None:
    """Delete the state of a microscope that nobody goes on with; one that stays does no harm."""
    if session.keeper is not None:
        with contextlib.suppress(OSError):
            session.keeper.discard()
        session.keeper = None


def _what_went_wrong(log: Sequence[str], error: str | None) -> str:
    """Say it as the acquisition itself did in the log; otherwise as SerialEM did."""
    said = [line[len(ERROR_MARK) :] for line in log if line.startswith(ERROR_MARK)]
    return said[-1] if said else error or "the script ended with an error and said nothing"


def _check_new_file(path: Path) -> None:
    """See that a file can be written and is not there yet; nothing is overwritten."""
    try:
        path.open("x").close()
        path.unlink()
    except FileExistsError as err:
        raise PaceError(f"{path} is there already: choose another file with --truth") from err
    except OSError as err:
        raise PaceError(
            f"{path} cannot be written ({err.strerror}): choose another file with --truth"
        ) from err


def _make_folder(out: Path) -> None:
    """Create the session folder; one with files in it is refused, so that nothing is overwritten."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        if any(out.iterdir()):
            raise PaceError(f"{out} has files in it: choose a new folder with --out")
        probe = out / ".can_write"
        probe.touch()
        probe.unlink()
    except OSError as err:
        raise PaceError(
            f"{out} cannot be written ({err.strerror}): choose another folder with --out"
        ) from err


def open_session(world: World, files: AreaFiles, targets: TargetSet) -> Session:
    """Session in which a microscopist has picked the targets, kept View and Preview of each, and marked the item.

    A pattern (`tgtPattern`) has no references; View of target 1 is put into buffer P where the settings compare with
    it. The references come from the simulated sample at the coordinates of the target file, so that any target file can
    be rehearsed.
    """
    from mock_serialem.module import make_module
    from mock_serialem.session import Session

    write_targets(files.target_file, targets)
    session = Session(world, files.folder)
    sem = make_module(session)
    scope = SerialEMScope(sem)
    resolved = resolve_settings(targets.settings_layer(files.target_file.name))
    job = make_job(files, targets, resolved, scope.calibration().stage_to_specimen)
    scope.begin(job.settings.imageShiftLimit)
    scope.find_eucentric_height()
    if job.settings.tiltTargets != 0:
        scope.tilt_to(job.settings.tiltTargets)
    scope.autofocus(-5.0)
    focus_um = scope.focus_um()
    for target in job.targets.targets:
        shift = job.plane.seen(job.untilted_um[target.number], job.settings.tiltTargets)
        if not scope.aim(shift, focus_um, compensate_beam_tilt=False):
            continue
        if not job.settings.tgtPattern:
            _keep_references(scope, files, target)
        if target is job.targets.tracking and (job.settings.alignToP or job.settings.refineVec):
            scope.take(Area.VIEW)
            sem.Copy("A", "P")
    scope.end()
    x_um, y_um, z_um = world.stage_position_um()
    session.navigator.add_point(x_um, y_um, z_um, note=files.target_file.name, acquire=True)
    world.move_stage_to(x_um + 40.0, y_um - 25.0, z_um + 2.0)  # as after selecting other areas
    return session


def _keep_references(scope: Microscope, files: AreaFiles, target: Target) -> None:
    for area, name in ((Area.VIEW, target.view), (Area.PREVIEW, target.reference)):
        if name is not None:
            scope.take(area)
            scope.open_series(files.folder / name)
            scope.save_section()
            scope.close_series()


def nearest_free_folder(name: str) -> Path:
    """`name`, or the first of name_2, name_3 … that is not there or empty."""
    for number in range(1, 10_000):
        path = Path(name if number == 1 else f"{name}_{number}")
        if not path.exists() or (path.is_dir() and not any(path.iterdir())):
            return path
    raise PaceError(f"there are too many folders named {name}_…: choose one with --out")
