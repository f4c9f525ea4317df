"""What an interrupted run has left on disk, and what is still to be done. Reads files, touches no microscope.

Four records tell, each made for its own purpose: the run file (state after each exposure), the model's memory, the
journal (a mark before each exposure), and the stacks. Where they differ the stacks are right about what was taken.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Optional

from pacetomo.area_files import AreaFiles
from pacetomo.books import FAILED, START_FOCUS
from pacetomo.errors import PlanError, RunFileError
from pacetomo.files.atomic import Wait, read_bytes
from pacetomo.files.run_file import parse_run
from pacetomo.files.text_lines import decode_utf8
from pacetomo.frames import XY
from pacetomo.geometry import SamplePlane, height_um, seen_y_um
from pacetomo.job import Job
from pacetomo.memory import Origin, read_memory
from pacetomo.plan import Exposure
from pacetomo.prepare import Prepared
from pacetomo.run_state import BRANCHES, BranchState, RunHeader, RunState, TargetState
from pacetomo.schemes import Branch
from pacetomo.scope.protocol import Shot
from pacetomo.targets import Target
from pacetomo.tracking import Move, Start, TrackingModel, TrackRecord
from pacetomo.witness import Section, matched, sections_of

BEGUN_WITH = ("startTilt", "tiltTargets", "pretilt", "rotation")
"""Settings that a run in progress no longer takes from anywhere: its targets' places follow from them."""

GOES_ON = "go_on"
"""Name of the journal's step with which a run goes on, all images of the time before being accounted for."""

TOLERANCE_DEG = 0.05


class Mark(NamedTuple):
    """The journal's mark of an exposure about to be made.

    `present` is the identity of the image before it, `tile` the name of the tile if it is none of a series itself.
    """

    target: int
    tilt_deg: float
    shift_um: XY
    focus_um: float
    present: Optional[str]  # noqa: UP045 - evaluated at run time on Python 3.9
    tile: Optional[str] = None  # noqa: UP045


class Seen(NamedTuple):
    """What an image has told the model: the shift it was taken at, and where the target was seen from there (µm)."""

    applied_um: XY
    residual_um: Optional[XY]  # noqa: UP045


@dataclass(frozen=True)
class Interrupted:
    """A run that did not come to its end.

    Attributes
    ----------
    number : int
        Of the run.
    state : RunState
        As its run file has it.
    origin : Origin or None
        What its tracking model was made of; None where no memory of it was kept, as by PACEtomo.
    lines : tuple of str
        The model's memory.
    mark : Mark or None
        The latest exposure that the journal says was about to be made.
    settings : dict
        Settings in force then, empty if not known.
    targets : dict of int to XY
        Places of its targets (µm), empty if not known.
    is_over : bool
        Whether nothing is left to do.
    trouble : str or None
        What is the matter with the run file; the state is then an empty one, and the stacks and the memory tell all.
    """

    number: int
    state: RunState
    origin: Origin | None
    lines: tuple[str, ...]
    mark: Mark | None
    settings: Mapping[str, Any]
    targets: Mapping[int, XY]
    is_over: bool = False
    trouble: str | None = None

    @property
    def last_s(self) -> float:
        """Clock time of the latest image that the model has learnt from; 0 without one."""
        times = [json.loads(line)[-1] for line in self.lines if line.startswith('["seen"')]
        return float(max(times, default=0.0))

    @cached_property
    def seen(self) -> Mapping[tuple[int, float], Seen]:
        """What the model has learnt from, by target and tilt (rounded)."""
        found = {}
        for line in self.lines:
            kind, *values = json.loads(line)
            if kind == "seen":
                target, tilt_deg, _, applied, residual = values[:5]
                place = Seen(XY(*applied), None if residual is None else XY(*residual))
                found[target, rounded_deg(tilt_deg)] = place
        return found


def rounded_deg(tilt_deg: float) -> float:
    """Tilt as it is the same wherever it is written."""
    return round(tilt_deg, 1)


def read_interrupted(files: AreaFiles, number: int, wait: Wait | None = None) -> Interrupted:
    """What a run has left.

    Raises
    ------
    RunFileError
        When its run file cannot be used.
    """
    origin: Origin | None = None
    lines: tuple[str, ...] = ()
    if files.memory(number).is_file():
        origin, lines = read_memory(files.memory(number), wait)
    trouble = None
    try:
        state = parse_run(_whole_lines(files.run_file(number), wait), str(files.run_file(number))).state
    except RunFileError as err:
        if origin is None:
            raise
        state, trouble = RunState((), None, _header_of(origin)), str(err)
    mark, begun, ended = _read_journal(files.journal(number))
    settings = {name: entry["value"] for name, entry in begun.get("settings", {}).items()}
    targets = {entry["number"]: XY(*entry["shift_um"]) for entry in begun.get("targets", ())}
    # A run file that was cut off says as little of what is left to do as one of a finished run.
    is_over = trouble is None and state.is_finished and (ended == "finished" or origin is None)
    if origin is not None and state.is_finished and not is_over:
        state = replace(state, header=_header_of(origin))
    return Interrupted(number, state, origin, lines, mark, settings, targets, is_over, trouble)


def _whole_lines(path: Path, wait: Wait | None) -> str:
    """Text of a run file without a last line that was cut in half: half a number is another number."""
    text = decode_utf8(read_bytes(path, wait, RunFileError), str(path), RunFileError)
    return text[: text.rfind("\n") + 1]


def _header_of(origin: Origin) -> RunHeader:
    """What the memory knows of the scheme: where it started."""
    return RunHeader(start_tilt_deg=float(origin.options.get("start_deg", origin.start_tilt_deg)))


def _read_journal(path: Path) -> tuple[Mark | None, dict[str, Any], str | None]:
    """Latest mark that is not settled, the latest beginning of the run, and how it ended after that, if it did."""
    mark: Mark | None = None
    begun: dict[str, Any] = {}
    ended: str | None = None
    if path.is_file():
        for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                line = json.loads(text)
                event = line["event"]
            except (ValueError, TypeError, KeyError):  # cut in half when the program died
                continue
            if event in ("expose", "expose_tile"):
                place, tile = XY(*line["shift_um"]), line.get("tile")
                mark = Mark(
                    line["target"], line["tilt_deg"], place, line["focus_um"], line.get("present"), tile
                )
            elif event == "step" and line.get("name") == GOES_ON:
                mark = None  # what had become of it was settled then
            elif event == "run_start":
                begun, ended = line, None
            elif event == "run_end":
                ended = line.get("state")
    return mark, begun, ended


# --- what the settings and the target file of today change


def job_to_go_on_with(job: Job, before: Interrupted) -> tuple[Job, list[str]]:
    """The job with what a run in progress still takes from it, and what to tell of the changes.

    Raises
    ------
    PlanError
        When the start tilt is another one.
    """
    start_deg = before.state.header.start_tilt_deg
    if abs(job.start_tilt_deg - start_deg) > TOLERANCE_DEG:
        raise PlanError(
            f"{job.files.run_file(before.number).name} was begun at {start_deg:g}°, now the start tilt is "
            f"{job.start_tilt_deg:g}°: set startTilt back to go on with it, or move its run file and tilt series "
            "elsewhere to acquire the area anew"
        )
    known = {target.number for target in before.state.targets if target.sections or before.origin is None}
    if before.origin is not None:
        known |= set(before.origin.starts)
    said, targets = [], []
    for target in job.targets.targets:
        if not target.skip and target.number not in known:
            said.append(f"target {target.number} was not found when the area was set up: it is left out")
            targets.append(replace(target, skip=True))
        else:
            targets.append(target)
        said += _moved(target, before)
    gone = sorted(known - {target.number for target in job.targets.targets})
    if gone:
        said.append(f"targets no longer in the file are left as they are: {', '.join(map(str, gone))}")
    said += _changed(job, before)
    if before.origin is not None:
        options = before.origin.options
        job = job.with_plane(SamplePlane(options["pretilt_deg"], options["rotation_deg"]))
    return replace(job, targets=replace(job.targets, targets=tuple(targets))), said


def _moved(target: Target, before: Interrupted) -> Iterator[str]:
    old = before.targets.get(target.number)
    if old is not None and target.shift_um is not None and target.shift_um.minus(old).length > 0.2:
        yield f"target {target.number} has other coordinates in the file: where it was found counts"


def _changed(job: Job, before: Interrupted) -> Iterator[str]:
    for name, new in job.resolved.values().items():
        old = before.settings.get(name)
        old = tuple(old) if isinstance(old, list) else old
        if old is None or old == new:
            continue
        if name in BEGUN_WITH:
            yield f"{name} was {old}: the area was set up with that, {new} has no effect on it"
        else:
            yield f"{name} is {new} from here on, it was {old}"


# --- where it stands


def state_to_go_on_with(job: Job, before: Interrupted) -> RunState:
    """State for the targets of today; branches that had ended by a failure are taken up again."""
    old = {target.number: target for target in before.state.targets}
    targets = []
    for target in job.targets.targets:
        known = old.get(target.number)
        is_lost = known is None or (known.up is None and known.down is None)
        targets.append(_fresh(target.number, before) if known is None or is_lost else _taken_up(known))
    settings, plane = job.settings, job.plane
    header = RunHeader(
        start_tilt_deg=before.state.header.start_tilt_deg,
        min_tilt_deg=settings.minTilt,
        max_tilt_deg=settings.maxTilt,
        step_deg=settings.step,
        pretilt_deg=plane.pretilt_deg,
        rotation_deg=plane.rotation_deg,
    )
    state = RunState(tuple(targets), before.state.position, header)
    if state.position is not None and state.position[1] >= len(targets):
        state = replace(state, position=(state.position[0], len(targets) - 1))
    return state


def _fresh(number: int, before: Interrupted) -> TargetState:
    """State of a target before its first image: the dose of its set-up is all there is to know."""
    options = {} if before.origin is None else before.origin.options
    spent = options.get("spent_e_per_a2", {}).get(str(number), 0.0)
    begun = BranchState(dose_e_per_a2=float(spent))
    return TargetState(number, begun, begun)


def _taken_up(target: TargetState) -> TargetState:
    for side in BRANCHES:
        branch = target.branch(side)
        if branch is not None and dict(branch.extra).get(FAILED):
            extra = tuple(entry for entry in branch.extra if entry[0] != FAILED)
            target = target.with_branch(side, replace(branch, skip=False, extra=extra))
    return target


class Taken(NamedTuple):
    """What the stacks hold.

    Attributes
    ----------
    exposures : dict of int to dict of int to Exposure
        By target and section.
    sections : dict of int to tuple of Section
        All images of each target.
    others : list of str
        What to tell of sections that are no planned image.
    """

    exposures: dict[int, dict[int, Exposure]]
    sections: dict[int, tuple[Section, ...]]
    others: list[str]

    @property
    def numbers(self) -> frozenset[int]:
        """Places in the plan of what has been taken."""
        return frozenset(one.number for each in self.exposures.values() for one in each.values())


def taken_so_far(job: Job, wait: Wait | None = None) -> Taken:
    """What has been taken of the plan, by the stacks."""
    exposures, sections, others = {}, {}, []
    for target in job.active:
        found = sections_of(job.files.folder / job.stacks(target)[0], wait)
        mine, foreign = matched(found, [one for one in job.plan if one.target == target.number])
        exposures[target.number], sections[target.number] = mine, found
        if foreign:
            tilts = ", ".join("?" if one.tilt_deg is None else f"{one.tilt_deg:.1f}°" for one in foreign)
            others.append(f"{target.series} has images at tilts that are not planned ({tilts}): they stay")
    return Taken(exposures, sections, others)


def prepared_again(job: Job, before: Interrupted) -> Prepared:
    """Targets as the set-up found them, from the memory or else worked out from the saved state."""
    starts = _starts(job, before)
    wanted = {target.number for target in job.active}
    origin = before.origin
    tilt_deg = before.state.header.start_tilt_deg if origin is None else origin.start_tilt_deg
    prepared = Prepared(tilt_deg, {number: start for number, start in starts.items() if number in wanted})
    for number in prepared.starts:
        prepared.focus_um[number] = _start_focus_um(before, number, tilt_deg)
    preview = None if origin is None else origin.options.get("preview")
    if preview:
        counts, exposure_s, dose, field = preview
        prepared.preview = Shot(counts, exposure_s, dose, XY(*field))
    return prepared


def _starts(job: Job, before: Interrupted) -> dict[int, Start]:
    if before.origin is not None:
        return dict(before.origin.starts)
    starts = {}
    start_deg = before.state.header.start_tilt_deg
    for target in before.state.targets:
        branch, tilt_deg = _latest(target, start_deg)
        if branch is None:
            continue
        dy_um = seen_y_um(branch.n0_um, branch.z0_um, start_deg) - seen_y_um(
            branch.n0_um, branch.z0_um, tilt_deg
        )
        shift = branch.shift_um.plus(XY(0.0, dy_um))
        starts[target.number] = Start(shift, branch.n0_um, branch.z0_um, is_found=True)
    return starts


def _latest(target: TargetState, start_deg: float) -> tuple[BranchState | None, float]:
    """State of the side that has gone less far from the start, and its tilt."""
    sides = []
    for name in BRANCHES:
        branch = target.branch(name)
        if branch is not None and branch.section >= 0:
            sides.append((branch, last_tilt_deg(branch, start_deg)))
    return min(sides, key=lambda side: abs(side[1] - start_deg), default=(None, start_deg))


def last_tilt_deg(branch: BranchState, start_deg: float) -> float:
    """Tilt of the latest image of a branch."""
    text = dict(branch.extra).get("tilt")
    if text is not None:
        return float(text)
    return branch.angles_deg[-1] if branch.angles_deg else start_deg


def _start_focus_um(before: Interrupted, number: int, start_deg: float) -> float:
    """Focus at the start tilt: as noted, or the latest one less what the target has risen since."""
    target = next((one for one in before.state.targets if one.number == number), TargetState(number))
    for name in BRANCHES:
        branch = target.branch(name)
        text = None if branch is None else dict(branch.extra).get(START_FOCUS)
        if text is not None:
            return float(text)
    branch, tilt_deg = _latest(target, start_deg)
    if branch is None:
        noted = {} if before.origin is None else before.origin.options.get("focus_um", {})
        if str(number) not in noted:
            raise PlanError(f"target {number}: its focus at the start is not known")
        return float(noted[str(number)])
    rise_um = height_um(branch.n0_um, branch.z0_um, tilt_deg) - height_um(
        branch.n0_um, branch.z0_um, start_deg
    )
    return branch.focus_um + rise_um


def side_of(exposure: Exposure) -> str:
    """Side of the run file that tells of an image; both do of one at the start tilt."""
    return "down" if exposure.branch is Branch.DOWN else "up"


def put_back(model: TrackingModel, before: Interrupted, starts: Mapping[int, Start]) -> None:
    """Tell a model where targets were seen last, as the run file has it, for want of a memory."""
    start_deg = before.state.header.start_tilt_deg
    for target in before.state.targets:
        for name in BRANCHES:
            branch = target.branch(name)
            if branch is None or branch.section < 0 or target.number not in starts:
                continue
            angles = branch.angles_deg
            froms = (start_deg, *angles[:-1])
            moves = tuple(Move(a, b, dy) for a, b, dy in zip(froms, angles, branch.shifts_um))
            tilt_deg = last_tilt_deg(branch, start_deg)
            n0_um = starts[target.number].n0_um
            record = TrackRecord(branch.shift_um, tilt_deg, n0_um, branch.z0_um, moves)
            model.restore(target.number, Branch(name), record)
