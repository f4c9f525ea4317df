"""The books of a run: state of every target, run file, journal and what the operator is told.

The engine says what happened; everything that has to be written down about it is written here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from pacetomo.errors import PaceError, ScopeError
from pacetomo.files.run_file import write_run
from pacetomo.frame_names import FrameNames
from pacetomo.frames import ORIGIN, XY, Matrix2
from pacetomo.geometry import SamplePlane
from pacetomo.journal import Journal
from pacetomo.memory import MemoryFile
from pacetomo.plan import Exposure
from pacetomo.room import is_full
from pacetomo.run_state import BRANCHES, BranchState, RunState
from pacetomo.schemes import Branch
from pacetomo.scope.protocol import Level, Microscope
from pacetomo.targets import TargetSet
from pacetomo.tracking import Finding, TrackingModel

_SIDES = {Branch.START: ("up", "down"), Branch.UP: ("up",), Branch.DOWN: ("down",)}
"""Sides of the run file that an image belongs to: the start image begins both."""


FAILED = "failed"
"""Key of a branch that has ended because something failed: it may be gone on with."""

START_FOCUS = "startFocus"
"""Key of the focus that gives the target its wanted defocus at the start tilt (µm)."""

BESIDE = "neighbourDose"
"""Key of the dose by beams aimed at the target's neighbours (e/Å²)."""

OFF_CENTRE = "offCentre"
"""Key of where the target lies in its latest image, from the image's centre (x,y in µm)."""


def _merged(old: tuple[tuple[str, str], ...], *new: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    """Keys and values with some of them changed or added, in a lasting order."""
    return tuple({**dict(old), **dict(new)}.items())


class Books:
    """State of a run and its records on disk.

    Parameters
    ----------
    state : RunState
        Where the run begins.
    targets : TargetSet
        Written with the state into the run file.
    run_file : Path
        Rewritten by `save`.
    specimen_to_is : Matrix2
        For the image shifts in the run file.

    Attributes
    ----------
    state : RunState
    taken : int
        Images so far.
    has_failed : bool
        Whether something has failed that may be cured.
    memory : MemoryFile or None
        The tracking model's, written to beside these books.
    frames : FrameNames
        Names of frame files that the run has used.
    """

    def __init__(
        self,
        state: RunState,
        targets: TargetSet,
        run_file: Path,
        specimen_to_is: Matrix2,
        journal: Journal,
        scope: Microscope,
    ) -> None:
        self.state = state
        self.taken = 0
        self.has_failed = False
        self.memory: MemoryFile | None = None
        self.frames = FrameNames()
        self._unwritten: PaceError | None = None
        self._targets = targets
        self._run_file = run_file
        self._specimen_to_is = specimen_to_is
        self._journal = journal
        self._scope = scope
        active = [target for target in targets.targets if not target.skip]
        self._places = {target.number: place for place, target in enumerate(active)}
        self._references: dict[tuple[int, str], tuple[int, XY]] = {}
        self._journal_trouble_told = False

        self._recall_references()

    def _recall_references(self) -> None:
        """Know the latest images again that a state read from a run file tells of."""
        for target in self.state.targets:
            for side in BRANCHES:
                branch = target.branch(side)
                if branch is not None and branch.section >= 0:
                    x, _, y = dict(branch.extra).get(OFF_CENTRE, "0,0").partition(",")
                    self._references[target.number, side] = (branch.section, XY(float(x), float(y)))

    # what is known

    def branch(self, exposure: Exposure) -> BranchState:
        """State of the exposure's target on its branch; an empty one before its first image."""
        return self.state.numbered(exposure.target).branch(_SIDES[exposure.branch][0]) or BranchState()

    def reference(self, exposure: Exposure) -> tuple[int, XY] | None:
        """Section to align this image to, and where in it the target was seen relative to its centre (µm).

        The latest image on this branch; None before the target's first. Where its own alignment could not be used the
        target counts as centred in it: holding on to the last good image instead loses more targets on a stage that
        jumps, because ever more tilted images are compared.
        """
        return self._references.get((exposure.target, _SIDES[exposure.branch][0]))

    def off_centre_um(self, number: int, side: str, section: int) -> XY:
        """Where the target was seen in a section, if that is the latest known one of a side; else its centre."""
        known = self._references.get((number, side))
        return known[1] if known is not None and known[0] == section else ORIGIN

    def dose_e_per_a2(self, number: int) -> float:
        """Dose of all Record images of a target so far."""
        target = self.state.numbered(number)
        return max((side.dose_e_per_a2 for side in (target.up, target.down) if side is not None), default=0.0)

    def beside_e_per_a2(self, number: int) -> float:
        """Dose so far by beams aimed at neighbours of a target."""
        target = self.state.numbered(number)
        branch = target.up or target.down or BranchState()
        return float(dict(branch.extra).get(BESIDE, 0.0))

    def add_beside(self, number: int, dose_e_per_a2: float) -> None:
        """Add to the dose by beams aimed at neighbours of a target; both sides of the run file carry it."""
        entry = BESIDE, repr(self.beside_e_per_a2(number) + dose_e_per_a2)
        for side in BRANCHES:
            old = self.state.numbered(number).branch(side) or BranchState()
            self.state = self.state.with_branch(number, side, replace(old, extra=_merged(old.extra, entry)))

    def present(self) -> str | None:
        """What the present image is, so that one exposed after this can be told from it; None if that is not known."""
        try:
            image = self._scope.present_image()
        except ScopeError as err:
            self.warn(f"the image before this one cannot be told from it ({err})")
            return None
        return "" if image is None else image.identity

    # what happened

    def book(self, exposure: Exposure, section: int, dose_e_per_a2: float) -> None:
        """Write down that an image has been saved, before anything else is done with it.

        `dose_e_per_a2` is the target's sum, this image included.
        """
        for side in _SIDES[exposure.branch]:
            old = self.state.numbered(exposure.target).branch(side) or BranchState()
            self.state = self.state.with_branch(exposure.target, side, replace(old, section=section))
            self._references.setdefault((exposure.target, side), (section, XY(0.0, 0.0)))
        self.spend(exposure.target, dose_e_per_a2)
        images = self.state.numbered(exposure.target).sections
        self.state = self.state.with_position(images - 1, self._places[exposure.target])
        self.taken += 1
        self.save()

    def learn(
        self,
        exposure: Exposure,
        model: TrackingModel,
        focus_um: float,
        residual_um: XY | None,
        travelled_um: XY = ORIGIN,
        start_focus_um: float | None = None,
    ) -> None:
        """Bring the state up to date after the model has learnt from an image.

        `residual_um` is where the target was seen from where it was aimed at, None when nothing was measured;
        `travelled_um` is where the image was meant to have its centre, as seen from the target; `start_focus_um` its
        focus at the start tilt.
        """
        residual = residual_um or XY(0.0, 0.0)
        off_centre = residual.minus(travelled_um)
        for side in _SIDES[exposure.branch]:
            record = model.export(exposure.target, Branch(side))
            old = self.state.numbered(exposure.target).branch(side) or BranchState()
            self._references[exposure.target, side] = (old.section, off_centre)
            new = replace(
                old,
                shift_um=record.shift_um,
                focus_um=focus_um,
                z0_um=record.z0_um,
                n0_um=record.n0_um,
                shifts_um=tuple(move.dy_um for move in record.moves),
                angles_deg=tuple(move.to_deg for move in record.moves),
                image_shift=self._specimen_to_is.apply(record.shift_um),
                aligned=old.aligned.plus(self._specimen_to_is.apply(residual)),
                # Beside the keys that older programs know: what makes the state exact.
                extra=_merged(
                    old.extra,
                    ("tilt", repr(record.tilt_deg)),
                    ("fromAngles", ",".join(repr(move.from_deg) for move in record.moves)),
                    (OFF_CENTRE, f"{off_centre.x!r},{off_centre.y!r}"),
                    *(() if start_focus_um is None else ((START_FOCUS, repr(start_focus_um)),)),
                ),
            )
            self.state = self.state.with_branch(exposure.target, side, new)

    def reshape(self, model: TrackingModel, plane: SamplePlane, start_focus_um: Mapping[int, float]) -> None:
        """Bring the state up to date after all targets have been put onto another surface, with other focus."""
        header = replace(self.state.header, pretilt_deg=plane.pretilt_deg, rotation_deg=plane.rotation_deg)
        self.state = replace(self.state, header=header)
        for target in self.state.targets:
            for side in BRANCHES:
                old = target.branch(side)
                if old is not None:
                    record = model.export(target.number, Branch(side))
                    new = replace(old, n0_um=record.n0_um, z0_um=record.z0_um)
                    if target.number in start_focus_um:
                        focus = (START_FOCUS, repr(start_focus_um[target.number]))
                        new = replace(new, extra=_merged(new.extra, focus))
                    self.state = self.state.with_branch(target.number, side, new)
        self.save()

    def spend(self, number: int, dose_e_per_a2: float) -> None:
        """Set the dose of a target so far; both sides of the run file carry it."""
        for side in ("up", "down"):
            old = self.state.numbered(number).branch(side) or BranchState()
            self.state = self.state.with_branch(number, side, replace(old, dose_e_per_a2=dose_e_per_a2))

    def end_branch(self, exposure: Exposure, reason: str, by_failure: bool = False) -> None:
        """Leave a target out for the rest of a branch; at the start tilt for the rest of the run.

        `by_failure` tells that something went wrong which may be cured, so that the run is worth going on with.
        """
        self.has_failed = self.has_failed or by_failure
        for side in _SIDES[exposure.branch]:
            old = self.state.numbered(exposure.target).branch(side) or BranchState()
            extra = _merged(old.extra, (FAILED, "True")) if by_failure else old.extra
            new = replace(old, skip=True, extra=extra)
            self.state = self.state.with_branch(exposure.target, side, new)
        branch = None if exposure.branch is Branch.START else exposure.branch.value
        self.note("skip", target=exposure.target, branch=branch, tilt_deg=exposure.tilt_deg, reason=reason)
        ended = "ends" if branch is None else f"ends on the {branch} branch"
        self._scope.tell(
            f"Target {exposure.target} {ended} at {exposure.tilt_deg:g}°: {reason}", Level.WARNING
        )

    def end_target(self, exposure: Exposure, reason: str, by_failure: bool = False) -> None:
        """Leave a target out for the rest of the run; see `end_branch`."""
        for branch in (Branch.UP, Branch.DOWN):
            if not (self.state.numbered(exposure.target).branch(branch.value) or BranchState()).skip:
                self.end_branch(exposure._replace(branch=branch), reason, by_failure)

    def save(self) -> None:
        """Write the run file; if that fails now, the next exposure writes it again."""
        try:
            write_run(self._run_file, self._targets, self.state, self._scope.wait)
        except PaceError as err:
            if self._unwritten is None:
                self.warn(str(err))
            self._unwritten = err
        else:
            self._unwritten = None

    def want_of_room(self) -> str | None:
        """Why something noted is not on disk because that is full, after another try; None if all of it is."""
        if self._unwritten is not None and is_full(self._unwritten):
            self.save()
        held_up = (self._unwritten, self._journal.held_up, self.memory and self.memory.held_up)
        full = [str(err) for err in held_up if isinstance(err, Exception) and is_full(err)]
        return full[0] if full else None

    def note(self, event: str, **details: object) -> None:
        """Write an event to the journal."""
        self._journal.note(event, **details)
        if self._journal.trouble is not None and not self._journal_trouble_told:
            self._journal_trouble_told = True
            self._scope.tell(f"Warning: {self._journal.trouble}", Level.WARNING)

    def step(self, name: str, text: str, **details: object) -> None:
        """Tell the operator what has come out, and write it down."""
        self._scope.tell(text)
        self.note("step", name=name, text=text, **details)

    def warn(self, text: str, exposure: Exposure | None = None) -> None:
        """Warn the operator and write it down."""
        details: Mapping[str, float] = {}
        if exposure is not None:
            details = {"target": exposure.target, "tilt_deg": exposure.tilt_deg}
            text = f"target {exposure.target} at {exposure.tilt_deg:g}°: {text}"
        self._scope.tell(f"Warning: {text}", Level.WARNING)
        self.note("warning", text=text, **details)

    def find(self, finding: Finding, is_news: bool) -> None:
        """Write down what the tracking model has found out, and warn the operator of it if it is news."""
        if is_news:
            cure = finding.cure[0].upper() + finding.cure[1:]
            self._scope.tell(f"Warning: {finding.cause}. {cure}.", Level.WARNING)
        self.note(
            "finding",
            name=finding.name,
            value=finding.value,
            sigma=finding.sigma,
            unit=finding.unit,
            cause=finding.cause,
            cure=finding.cure,
            target=finding.target,
            tilt_deg=finding.tilt_deg,
            branch=None if finding.branch is None else finding.branch.value,
        )
