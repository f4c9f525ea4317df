"""The acquisition itself: the plan, exposure by exposure, on a microscope.

One step is one exposure of one target at one tilt, and the only thing that costs dose. Its order is fixed: a mark in
the journal, Record, the section saved, metadata, run file, so that whatever dies, what was taken can be told from
what is on disk.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from pacetomo import ctf
from pacetomo.approach import approach_deg
from pacetomo.books import Books
from pacetomo.clear_place import place_beside_targets
from pacetomo.defocus import Defocus
from pacetomo.errors import ImageNotSavedError, ScopeError
from pacetomo.focusing import Focusing
from pacetomo.frames import XY
from pacetomo.handover import TrackingRole
from pacetomo.job import Job
from pacetomo.pace import Pace, Work, describe_left
from pacetomo.plan import Exposure
from pacetomo.prepare import TILT_TOLERANCE_DEG, Prepared
from pacetomo.schemes import Branch
from pacetomo.scope.protocol import CtfFit, FitOrMissing, Microscope, Missing, Shot
from pacetomo.taking import Taken, Taking
from pacetomo.tracking import Aim, Observation, TrackingModel
from pacetomo.upkeep import Upkeep
from pacetomo.watch import Look, Watch

TRACKING_REACH = 0.75
"""Share of the image's shorter side by which the tracking target may be off and still be followed."""


class Acquisition:
    """A run over the exposures of a job, from targets found at the start tilt to the last image.

    Parameters
    ----------
    scope, job, prepared, model
        Where, what, from which starts, and by which predictions.
    books : Books
        Told of everything that happens.
    upkeep : Upkeep
        Sees to it that images can be taken.
    """

    def __init__(
        self,
        scope: Microscope,
        job: Job,
        prepared: Prepared,
        model: TrackingModel,
        books: Books,
        upkeep: Upkeep,
    ) -> None:
        self._scope = scope
        self._job = job
        self._prepared = prepared
        self._model = model
        self._books = books
        self._plan = tuple(exposure for exposure in job.plan if exposure.target in prepared.starts)
        self._focusing = Focusing(scope, job, prepared, model, books)
        self._defocus = Defocus(scope, job, prepared, model, books)
        self._taking = Taking(scope, job, books, upkeep)
        self._upkeep = upkeep
        self._watch = Watch(job.settings.minCounts, job.plane.slopes().y)
        own = job.targets.tracking.number
        self._role = TrackingRole(own, prepared.starts, model, books, self._can_track)

    def run(self) -> None:
        """Take every exposure of the plan; what fails ends a target's branch or a tilt, not the run."""
        pace = Pace(self._scope.clock_s())
        previous = Branch.START
        tilts = len(self._job.stops)
        done = Work(0, 0)
        for stop, group in itertools.groupby(self._plan, key=lambda exposure: exposure.stop):
            exposures = self._role.in_order(
                [exposure for exposure in group if not self._books.branch(exposure).skip]
            )
            if not exposures:
                continue
            branch = exposures[0].branch
            self._upkeep.before_tilt(partial(self._place_beside, previous))
            reached_deg = self._tilt(exposures)
            if reached_deg is None:
                continue
            self._books.note(
                "tilt",
                tilt_deg=exposures[0].tilt_deg,
                reached_deg=reached_deg,
                branch=branch.value,
                stop=stop + 1,
                of=tilts,
            )
            self._model.begin_tilt(reached_deg, branch)
            self._watch.begin_tilt()
            self._upkeep.before_image()
            self._focusing.at_tilt(reached_deg, branch, branch is not previous, self._role.holder)
            previous = branch
            waiting = exposures
            while waiting:
                exposure, *waiting = waiting
                self._step(exposure, reached_deg)
                if exposure.target == self._role.holder and self._books.branch(exposure).skip:
                    waiting = self._role.in_order(waiting)
            if branch is Branch.START:
                self._refine_geometry()
            done = done.plus(self._work(exposures))
            self._show_progress(stop, pace, done)

    def _place_beside(self, branch: Branch, beam_radius_um: float) -> XY | None:
        """Specimen shift at the present tilt, reached on a branch, at which the beam touches no target."""
        tilt_deg = self._scope.tilt_deg()
        seen_um = {n: self._model.aim(n, tilt_deg, branch).shift_um for n in self._prepared.starts}
        return place_beside_targets(self._job, seen_um, tilt_deg, beam_radius_um)

    def _refine_geometry(self) -> None:
        plane = self._defocus.refine()
        if plane is not None:
            self._focusing.use_plane(plane)

    def _can_track(self, target: int, branch: Branch) -> bool:
        """Whether a target is seen well enough on a branch for the others to follow it."""
        return not self._taking.is_coarse(target) and self._watch.rejected_in_a_row(target, branch) == 0

    def _tilt(self, exposures: list[Exposure]) -> float | None:
        """Tilt the stage for these exposures; None when it cannot get there, which ends the branch for all."""
        if (
            exposures[0].branch is Branch.START
        ):  # the stage is there; tilting anew would only move the targets
            return self._prepared.start_tilt_deg
        tilt_deg = exposures[0].tilt_deg
        try:
            if self._job.settings.slowTilt:
                max_tilt_deg = self._scope.limits().max_tilt_deg
                self._scope.tilt_to(approach_deg(tilt_deg, self._job.first_direction, max_tilt_deg))
            reached_deg = self._scope.tilt_to(tilt_deg)
            reason = f"the stage stopped at {reached_deg:.2f}°"
        except ScopeError as err:
            reached_deg, reason = None, str(err)
        if reached_deg is not None and abs(reached_deg - tilt_deg) <= TILT_TOLERANCE_DEG:
            self._scope.wait(self._job.settings.delayTilt)
            return reached_deg
        self._books.note("error", text=reason, tilt_deg=tilt_deg)
        for exposure in exposures:
            self._books.end_branch(exposure, f"the tilt was not reached ({reason})")
        self._books.save()
        return None

    def _step(self, exposure: Exposure, tilt_deg: float) -> None:
        """Take one exposure; a failure ends this target on this branch."""
        try:
            try:
                self._expose(exposure, tilt_deg)
            finally:
                self._taking.release()
        except (ScopeError, ImageNotSavedError) as err:
            if isinstance(err, ImageNotSavedError):
                self._books.spend(
                    exposure.target, self._books.dose_e_per_a2(exposure.target) + err.dose_e_per_a2
                )
            self._books.note("error", text=str(err), target=exposure.target, tilt_deg=exposure.tilt_deg)
            self._books.end_branch(exposure, str(err))
        self._books.save()

    def _expose(self, exposure: Exposure, tilt_deg: float) -> None:
        """Aim, expose, save, align, learn."""
        reference = self._books.reference(exposure)
        if self._taking.is_taken_twice(exposure) and (reference or self._start_reference(exposure)):
            self._look(exposure, tilt_deg, reference)
        aim = self._model.aim(exposure.target, tilt_deg, exposure.branch)
        focus_um = self._focusing.focus_um(exposure, aim, tilt_deg)
        if not self._taking.aim(exposure, aim.shift_um, focus_um):
            reason = f"needs an image shift of {aim.shift_um.length:.1f} µm, beyond the limit"
            self._books.end_branch(exposure, reason)
            return
        self._scope.wait(self._job.settings.delayIS)
        self._upkeep.before_image()
        self._note_expose(exposure, aim, focus_um)
        before_e_per_a2 = self._books.dose_e_per_a2(exposure.target)
        self._taking.open(exposure)
        try:
            taken = self._taking.record(exposure, before_e_per_a2, self._focusing.wanted_um(exposure))
            before_e_per_a2 = self._books.dose_e_per_a2(exposure.target)
            self._books.book(exposure, taken.section, before_e_per_a2 + taken.shot.dose_e_per_a2)
            found = self._measure(exposure, reference, taken.shot)
            fit = self._fit_ctf(exposure, focus_um)
            self._model.observe(
                Observation(
                    exposure.target,
                    tilt_deg,
                    exposure.branch,
                    aim.shift_um,
                    found,
                    fit.defocus_um - self._focusing.wanted_um(exposure) if isinstance(fit, CtfFit) else None,
                    self._scope.clock_s(),
                )
            )
            self._books.learn(exposure, self._model, focus_um, found)
            self._annotate(exposure, found, fit=fit)
        finally:
            self._taking.close()
        self._note_exposed(exposure, focus_um, taken, found, fit, before_e_per_a2)
        compared, tracks = reference is not None, exposure.target == self._role.holder
        look = Look(exposure.target, exposure.branch, tilt_deg, taken.shot, found, compared, tracks)
        verdict = self._watch.judge(look)
        if verdict is not None:
            self._books.end_branch(exposure, verdict)

    def _look(self, exposure: Exposure, tilt_deg: float, reference: tuple[int, XY] | None) -> None:
        """Take a first image, kept in a stack of its own, to centre the target for the one in its series.

        The model learns from it, so the aim that follows is the corrected one and all others get the same shift.
        """
        aim = self._model.aim(exposure.target, tilt_deg, exposure.branch)
        focus_um = self._focusing.focus_um(exposure, aim, tilt_deg)
        if not self._taking.aim(exposure, aim.shift_um, focus_um):
            return
        self._scope.wait(self._job.settings.delayIS)
        self._upkeep.before_image()
        before_e_per_a2 = self._books.dose_e_per_a2(exposure.target)
        text = f"First image of target {exposure.target} at {exposure.tilt_deg:g}°"
        self._books.note("step", name="track_first", text=text)
        self._taking.open(exposure, first_of_two=True)
        try:
            taken = self._taking.record(exposure, before_e_per_a2, self._focusing.wanted_um(exposure))
            before_e_per_a2 = self._books.dose_e_per_a2(exposure.target)
            spent_e_per_a2 = self._books.dose_e_per_a2(exposure.target) + taken.shot.dose_e_per_a2
            self._books.spend(exposure.target, spent_e_per_a2)
            self._books.save()
            found = self._measure(exposure, reference, taken.shot)
            self._annotate(exposure, found, aim.shift_um.plus(found or XY(0.0, 0.0)))
        finally:
            self._taking.close()
        if found is not None:
            seen = (exposure.target, tilt_deg, exposure.branch, aim.shift_um, found, None)
            self._model.observe(Observation(*seen, self._scope.clock_s()))

    def _measure(self, exposure: Exposure, reference: tuple[int, XY] | None, shot: Shot) -> XY | None:
        """Where the target is seen, relative to the image centre; None if that cannot be told.

        The alignment tells where the reference's centre lies in this image. The target was off that centre by what
        was found then, so the two add up; otherwise each error would come back with the opposite sign.
        """
        if reference is None:
            return self._measure_first(exposure)
        section, off_centre_um = reference
        limit_um = self._taking.limit_um(exposure, shot)
        if exposure.target == self._role.holder:
            # It must be followed wherever the stage went, as far as two images have enough in common to tell.
            limit_um = max(limit_um, TRACKING_REACH * min(shot.field_um))
        offset = self._taking.offset(exposure, section, limit_um)
        if isinstance(offset, Missing):
            self._books.warn(f"alignment not used ({offset.reason})", exposure)
            return None
        return offset.plus(off_centre_um)

    def _measure_first(self, exposure: Exposure) -> XY | None:
        """Where the target is seen in its first image, by its Preview reference; None if that cannot be told."""
        path = self._start_reference(exposure)
        if path is None:
            return None
        offset = self._scope.offset_from_file(path, 0, self._job.settings.alignLimit)
        if isinstance(offset, Missing):
            self._books.warn(f"not aligned to its Preview reference ({offset.reason})", exposure)
            return None
        return offset

    def _start_reference(self, exposure: Exposure) -> Path | None:
        """Preview that a first image is compared with; None where it was taken in another way."""
        if exposure.branch is not Branch.START or not self._taking.is_plain(exposure.target):
            return None
        return self._job.start_reference(exposure.target)

    def _fit_ctf(self, exposure: Exposure, focus_um: float) -> FitOrMissing | None:
        """CTF of the image just taken, once it is saved and aligned; None where none is to be fitted."""
        if self._taking.is_coarse(exposure.target):
            return None  # the pixels of View and Search resolve no Thon rings
        wanted_um = self._focusing.wanted_um(exposure)
        return self._defocus.measure(exposure, wanted_um, focus_um, self._taking.is_plain(exposure.target))

    # telling

    def _annotate(
        self,
        exposure: Exposure,
        residual_um: XY | None,
        shift_um: XY | None = None,
        fit: FitOrMissing | None = None,
    ) -> None:
        """Write what is known of the image beside it; failing to do so loses no image."""
        known = self._books.branch(exposure)
        shift = shift_um or known.shift_um
        entries: dict[str, str] = {}
        if self._job.settings.extendedMdoc:
            entries["SpecimenShift"] = f"{shift.x:.6g} {shift.y:.6g}"
            entries["EucentricOffset"] = f"{known.z0_um:.6g}"
            if residual_um is not None:
                entries["TargetResidual"] = f"{residual_um.x:.6g} {residual_um.y:.6g}"
        if isinstance(fit, CtfFit):
            entries.update(ctf.metadata(fit))
        try:
            if entries:
                self._scope.annotate(entries)
        except ScopeError as err:
            self._books.warn(f"metadata of the image could not be completed ({err})", exposure)

    def _note_expose(self, exposure: Exposure, aim: Aim, focus_um: float) -> None:
        self._books.note(
            "expose",
            **_where(exposure),
            shift_um=list(aim.shift_um),
            focus_um=focus_um,
            rise_um=aim.rise_um,
            sigma_nm=[aim.sigma_um.x * 1000, aim.sigma_um.y * 1000],
        )

    def _note_exposed(
        self,
        exposure: Exposure,
        focus_um: float,
        taken: Taken,
        residual_um: XY | None,
        fit: FitOrMissing | None,
        before_e_per_a2: float,
    ) -> None:
        known = self._books.branch(exposure)
        self._books.note(
            "exposed",
            **_where(exposure),
            section=taken.section,
            residual_nm=None if residual_um is None else [residual_um.x * 1000, residual_um.y * 1000],
            accepted=residual_um is not None,
            shift_um=list(known.shift_um),
            z0_um=known.z0_um,
            focus_um=focus_um,
            **ctf.journal_entries(fit),
            mean_counts=taken.shot.mean_counts,
            dose_e_per_a2=taken.shot.dose_e_per_a2,
            prior_dose_e_per_a2=before_e_per_a2,
        )

    def _show_progress(self, stop: int, pace: Pace, done: Work) -> None:
        """Tell how far the run is; tilts at which nothing is left to image do not count."""
        ahead = [exposure for exposure in self._plan if exposure.stop > stop]
        left = self._work([exposure for exposure in ahead if not self._books.branch(exposure).skip])
        left_s = pace.left_s(self._scope.clock_s(), done, left)
        counted = f"tilt {done.tilts} of {done.tilts + left.tilts}"
        self._scope.show_progress(f"{self._job.files.root}: {counted}, {describe_left(left_s)}")

    def _work(self, exposures: Sequence[Exposure]) -> Work:
        return Work(
            tilts=len({exposure.stop for exposure in exposures}),
            images=len(exposures),
            extra_s=sum(self._taking.extra_s(exposure) for exposure in exposures),
        )


def _where(exposure: Exposure) -> dict[str, object]:
    return {
        "number": exposure.number,
        "target": exposure.target,
        "tilt_deg": exposure.tilt_deg,
        "branch": exposure.branch.value,
    }
