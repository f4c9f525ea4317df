"""The acquisition itself: the plan, exposure by exposure, on a microscope.

One step is one exposure of one target at one tilt, and the only thing that costs dose. Its order is fixed: a mark in
the journal, Record, the section saved, metadata, run file, so that whatever dies, what was taken can be told from
what is on disk.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pacetomo.errors import PaceError, ScopeError
from pacetomo.files.run_file import write_run
from pacetomo.frames import XY, Calibration
from pacetomo.job import Job
from pacetomo.journal import Journal
from pacetomo.plan import Exposure
from pacetomo.prepare import Prepared
from pacetomo.run_state import BranchState, RunState
from pacetomo.schemes import Branch
from pacetomo.scope.protocol import Area, Level, Microscope, Missing, ShiftOrMissing, Shot
from pacetomo.tracking import Aim, Observation, TrackingModel

TILT_TOLERANCE_DEG = 0.5
"""A stage that stops farther from the planned tilt than this has not reached it."""

_SIDES = {Branch.START: ("up", "down"), Branch.UP: ("up",), Branch.DOWN: ("down",)}


class Acquisition:
    """A run over the exposures of a job that are left to take.

    `state` is always what the run file says; it changes after each exposure.
    """

    def __init__(
        self,
        scope: Microscope,
        job: Job,
        prepared: Prepared,
        model: TrackingModel,
        state: RunState,
        run_file: Path,
        journal: Journal,
    ) -> None:
        self._scope = scope
        self._job = job
        self._prepared = prepared
        self._model = model
        self._run_file = run_file
        self._journal = journal
        self._calibration: Calibration = scope.calibration()
        self._compensate = job.settings.beamTiltComp and scope.can_compensate_beam_tilt()
        self._plan = tuple(exposure for exposure in job.plan if exposure.target in prepared.starts)
        self._places = {target.number: place for place, target in enumerate(job.active)}
        self._series = {target.number: job.files.folder / target.series for target in job.active}
        self._refocus_um = 0.0
        self._field_um = XY(0.0, 0.0)
        self._off_centre_um: dict[tuple[int, str], XY] = {}  # in the latest image of each target and branch
        self.state = state
        self.taken = 0
        if job.settings.beamTiltComp and not self._compensate:
            self._warn("beam tilt against image shift is not calibrated: beamTiltComp has no effect")

    def run(self) -> None:
        """Take every exposure of the plan; what fails ends a target's branch or a tilt, not the run."""
        began_s = self._scope.clock_s()
        previous = Branch.START
        tilts = len(self._job.stops)
        for stop, group in itertools.groupby(self._plan, key=lambda exposure: exposure.stop):
            exposures = [exposure for exposure in group if not self._has_ended(exposure)]
            if not exposures:
                continue
            branch, tilt_deg = exposures[0].branch, exposures[0].tilt_deg
            reached_deg = self._tilt(tilt_deg, branch)
            if reached_deg is None:
                continue
            self._journal.note(
                "tilt",
                tilt_deg=tilt_deg,
                reached_deg=reached_deg,
                branch=branch.value,
                stop=stop + 1,
                of=tilts,
            )
            self._model.begin_tilt(reached_deg, branch)
            if self._job.settings.addAF and branch is not previous and stop > 0:
                self._focus_again(reached_deg, branch)
            previous = branch
            for exposure in exposures:
                self._step(exposure, reached_deg)
            self._progress(stop + 1, tilts, began_s)

    def _tilt(self, tilt_deg: float, branch: Branch) -> float | None:
        """Tilt the stage; None when it cannot get there, which ends the branch for all targets."""
        try:
            reached_deg = self._scope.tilt_to(tilt_deg)
        except ScopeError as err:
            self._end_branch_of_all(branch, tilt_deg, str(err))
            return None
        if abs(reached_deg - tilt_deg) > TILT_TOLERANCE_DEG:
            self._end_branch_of_all(branch, tilt_deg, f"the stage stopped at {reached_deg:.2f}°")
            return None
        self._scope.wait(self._job.settings.delayTilt)
        return reached_deg

    def _step(self, exposure: Exposure, tilt_deg: float) -> None:
        """Take one exposure; a failure ends this target on this branch."""
        try:
            self._expose(exposure, tilt_deg)
        except ScopeError as err:
            self._journal.note("error", text=str(err), target=exposure.target, tilt_deg=exposure.tilt_deg)
            self._end_branch(exposure, str(err))
        self._save()

    def _expose(self, exposure: Exposure, tilt_deg: float) -> None:
        """Aim, expose, save, align, learn."""
        number, settings = exposure.target, self._job.settings
        aim = self._model.aim(number, tilt_deg, exposure.branch)
        focus_um = self._focus_um(exposure, aim, tilt_deg)
        if not self._scope.aim(aim.shift_um, focus_um, self._compensate):
            reason = f"needs an image shift of {aim.shift_um.length:.1f} µm, beyond the limit"
            self._end_branch(exposure, reason)
            return
        self._scope.wait(settings.delayIS)
        self._journal.note(
            "expose",
            **_where(exposure),
            shift_um=list(aim.shift_um),
            focus_um=focus_um,
            rise_um=aim.rise_um,
            sigma_nm=[aim.sigma_um.x * 1000, aim.sigma_um.y * 1000],
        )
        before = self._dose_e_per_a2(number)
        self._scope.open_series(self._series[number])
        try:
            shot, section = self._record(exposure, before)
            residual = self._measure(exposure)
            observed = residual if isinstance(residual, XY) else None
            self._model.observe(
                Observation(
                    number, tilt_deg, exposure.branch, aim.shift_um, observed, None, self._scope.clock_s()
                )
            )
            self._update(exposure, focus_um, observed, before + shot.dose_e_per_a2, section)
            self._annotate(exposure, residual)
        finally:
            self._scope.close_series()
        self._note_exposed(exposure, aim, focus_um, shot, section, residual, before)
        if settings.minCounts > 0 and shot.mean_counts < settings.minCounts * shot.exposure_s:
            self._end_branch(
                exposure, f"is dark: {shot.mean_counts:.0f} counts, {settings.minCounts:g} per second wanted"
            )

    def _record(self, exposure: Exposure, dose_e_per_a2: float) -> tuple[Shot, int]:
        """Take and save the image; nothing may stand between the two."""
        zero_s = self._job.settings.zeroExpTime
        if zero_s > 0:
            self._scope.set_record_exposure(zero_s if exposure.branch is Branch.START else None)
        self._scope.set_prior_dose(exposure.target, dose_e_per_a2)
        self._scope.set_wanted_defocus(self._wanted_defocus_um(exposure))
        shot = self._scope.take(Area.RECORD, frame_name=self._series[exposure.target].stem)
        section = self._scope.save_section()
        self.taken += 1
        self._field_um = shot.field_um
        return shot, section

    def _measure(self, exposure: Exposure) -> ShiftOrMissing:
        """Where the target is seen, relative to the image centre; Missing for its first image.

        The alignment tells where the previous image's centre lies in this one. The target was off that centre by what
        was found then, so the two add up; otherwise each error would come back with the opposite sign.
        """
        side = self._side(exposure)
        known = self.state.numbered(exposure.target).branch(side)
        if known is None or known.section < 0:
            return Missing("first image")
        limit_um = self._job.settings.alignLimit
        if exposure.target == self._job.targets.tracking.number:
            # It must be followed wherever the stage went, but less than half an image in common is no evidence.
            limit_um = max(limit_um, min(self._field_um) / 2)
        offset = self._scope.offset_from_file(self._series[exposure.target], known.section, limit_um)
        if isinstance(offset, Missing):
            self._warn(f"alignment not used ({offset.reason})", exposure)
            return offset
        return offset.plus(self._off_centre_um.get((exposure.target, side), XY(0.0, 0.0)))

    def _wanted_defocus_um(self, exposure: Exposure) -> float:
        zero_um = self._job.settings.zeroDefocus
        if exposure.branch is Branch.START and zero_um != 0:
            return zero_um
        return self._job.wanted_defocus_um[exposure.target]

    def _focus_um(self, exposure: Exposure, aim: Aim, tilt_deg: float) -> float:
        """Focus to set: lower by as much as the target has risen since the start tilt."""
        number = exposure.target
        focus_um = self._prepared.focus_um[number] - aim.rise_um + self._refocus_um
        focus_um += self._job.settings.focusSlope * (tilt_deg - self._prepared.start_tilt_deg)
        return focus_um + self._wanted_defocus_um(exposure) - self._job.wanted_defocus_um[number]

    def _focus_again(self, tilt_deg: float, branch: Branch) -> None:
        """Autofocus on the tracking target; what it finds holds for all targets from here on."""
        number = self._job.targets.tracking.number
        aim = self._model.aim(number, tilt_deg, branch)
        expected_um = self._prepared.focus_um[number] - aim.rise_um + self._refocus_um
        self._scope.aim(aim.shift_um, expected_um, compensate_beam_tilt=False)
        focus_um = self._scope.autofocus(self._job.wanted_defocus_um[number])
        if isinstance(focus_um, Missing):
            self._warn(
                f"autofocus at {tilt_deg:.1f}° failed ({focus_um.reason}); the predicted focus is used"
            )
            return
        self._refocus_um += focus_um - expected_um
        text = f"Autofocus at {tilt_deg:.1f}°: focus corrected by {focus_um - expected_um:+.2f} µm"
        self._scope.tell(text)
        self._journal.note("step", name="autofocus", text=text)

    # State

    def _update(
        self, exposure: Exposure, focus_um: float, residual: XY | None, dose_e_per_a2: float, section: int
    ) -> None:
        """Bring the state of the target's branches up to date with the model and the image just saved."""
        for side in _SIDES[exposure.branch]:
            self._off_centre_um[exposure.target, side] = residual or XY(0.0, 0.0)
            record = self._model.export(exposure.target, Branch(side))
            old = self.state.numbered(exposure.target).branch(side) or BranchState()
            aligned = self._calibration.specimen_to_is.apply(residual or XY(0.0, 0.0))
            new = replace(
                old,
                shift_um=record.shift_um,
                focus_um=focus_um,
                z0_um=record.z0_um,
                n0_um=record.n0_um,
                shifts_um=tuple(move.dy_um for move in record.moves),
                angles_deg=tuple(move.to_deg for move in record.moves),
                image_shift=self._calibration.specimen_to_is.apply(record.shift_um),
                aligned=old.aligned.plus(aligned),
                section=section,
                extra=_exact_extra(record.tilt_deg, [move.from_deg for move in record.moves]),
            )
            self.state = self.state.with_branch(exposure.target, side, new)
        self._set_dose(exposure.target, dose_e_per_a2)
        images = self.state.numbered(exposure.target).sections
        self.state = self.state.with_position(images - 1, self._places[exposure.target])

    def _set_dose(self, number: int, dose_e_per_a2: float) -> None:
        for side in ("up", "down"):
            old = self.state.numbered(number).branch(side)
            if old is not None:
                self.state = self.state.with_branch(number, side, replace(old, dose_e_per_a2=dose_e_per_a2))

    def _dose_e_per_a2(self, number: int) -> float:
        target = self.state.numbered(number)
        return max((b.dose_e_per_a2 for b in (target.up, target.down) if b is not None), default=0.0)

    def _has_ended(self, exposure: Exposure) -> bool:
        known = self.state.numbered(exposure.target).branch(self._side(exposure))
        return known is not None and known.skip

    def _end_branch(self, exposure: Exposure, reason: str) -> None:
        """Leave a target out for the rest of a branch; at the start tilt for the rest of the run."""
        for side in _SIDES[exposure.branch]:
            old = self.state.numbered(exposure.target).branch(side) or BranchState()
            self.state = self.state.with_branch(exposure.target, side, replace(old, skip=True))
        branch = None if exposure.branch is Branch.START else exposure.branch.value
        self._journal.note(
            "skip", target=exposure.target, branch=branch, tilt_deg=exposure.tilt_deg, reason=reason
        )
        ended = "ends" if branch is None else f"ends on the {branch} branch"
        self._scope.tell(
            f"Target {exposure.target} {ended} at {exposure.tilt_deg:g}°: {reason}", Level.WARNING
        )

    def _end_branch_of_all(self, branch: Branch, tilt_deg: float, reason: str) -> None:
        self._journal.note("error", text=reason, tilt_deg=tilt_deg)
        for exposure in self._plan:
            if exposure.tilt_deg == tilt_deg and exposure.branch is branch and not self._has_ended(exposure):
                self._end_branch(exposure, f"the stage could not be tilted ({reason})")
        self._save()

    @staticmethod
    def _side(exposure: Exposure) -> str:
        return _SIDES[exposure.branch][0]

    def _save(self) -> None:
        """Write the run file; if that fails now, the next exposure writes it again."""
        try:
            write_run(self._run_file, self._job.targets, self.state, self._scope.wait)
        except PaceError as err:
            self._warn(str(err))

    # Telling

    def _annotate(self, exposure: Exposure, residual: ShiftOrMissing) -> None:
        """Write what is known of the image beside it; failing to do so loses no image."""
        for entry in self._metadata(exposure, residual):
            try:
                self._scope.annotate(entry)
            except ScopeError as err:
                self._warn(f"metadata of the image could not be completed ({err})", exposure)

    def _metadata(self, exposure: Exposure, residual: ShiftOrMissing) -> Iterator[dict[str, str]]:
        known = self.state.numbered(exposure.target).branch(self._side(exposure))
        if known is None:
            return
        entries = {
            "SpecimenShift": f"{known.shift_um.x:.6g} {known.shift_um.y:.6g}",
            "EucentricOffset": f"{known.z0_um:.6g}",
        }
        if isinstance(residual, XY):
            entries["TargetResidual"] = f"{residual.x:.6g} {residual.y:.6g}"
        yield entries

    def _note_exposed(
        self,
        exposure: Exposure,
        aim: Aim,
        focus_um: float,
        shot: Shot,
        section: int,
        residual: ShiftOrMissing,
        before_e_per_a2: float,
    ) -> None:
        known = self.state.numbered(exposure.target).branch(self._side(exposure)) or BranchState()
        self._journal.note(
            "exposed",
            **_where(exposure),
            section=section,
            residual_nm=[residual.x * 1000, residual.y * 1000] if isinstance(residual, XY) else None,
            accepted=isinstance(residual, XY),
            shift_um=list(known.shift_um),
            z0_um=known.z0_um,
            focus_um=focus_um,
            mean_counts=shot.mean_counts,
            dose_e_per_a2=shot.dose_e_per_a2,
            prior_dose_e_per_a2=before_e_per_a2,
        )

    def _progress(self, done: int, of: int, began_s: float) -> None:
        elapsed_s = self._scope.clock_s() - began_s
        left_min = elapsed_s / done * (of - done) / 60
        self._scope.show_progress(f"{self._job.files.root}: tilt {done} of {of}, {left_min:.0f} min left")

    def _warn(self, text: str, exposure: Exposure | None = None) -> None:
        details: dict[str, float] = {}
        if exposure is not None:
            details = {"target": exposure.target, "tilt_deg": exposure.tilt_deg}
            text = f"target {exposure.target} at {exposure.tilt_deg:g}°: {text}"
        self._scope.tell(f"Warning: {text}", Level.WARNING)
        self._journal.note("warning", text=text, **details)


def _where(exposure: Exposure) -> dict[str, object]:
    return {
        "number": exposure.number,
        "target": exposure.target,
        "tilt_deg": exposure.tilt_deg,
        "branch": exposure.branch.value,
    }


def _exact_extra(tilt_deg: float, from_deg: list[float]) -> tuple[tuple[str, str], ...]:
    """Keys beside the known ones that let a resumed run go on with exactly the same state."""
    return (("tilt", repr(tilt_deg)), ("fromAngles", ",".join(repr(angle) for angle in from_deg)))
