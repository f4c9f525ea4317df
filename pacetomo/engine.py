"""The acquisition itself: the plan, exposure by exposure, on a microscope.

One step is one exposure of one target at one tilt, and the only thing that costs dose. Its order is fixed: a mark in
the journal, Record, the section saved, metadata, run file, so that whatever dies, what was taken can be told from
what is on disk.
"""

from __future__ import annotations

import itertools

from pacetomo.books import Books
from pacetomo.errors import ImageNotSavedError, ScopeError
from pacetomo.focusing import Focusing
from pacetomo.frames import XY
from pacetomo.job import Job
from pacetomo.plan import Exposure
from pacetomo.prepare import TILT_TOLERANCE_DEG, Prepared
from pacetomo.schemes import Branch
from pacetomo.scope.protocol import Microscope, Missing, Shot
from pacetomo.taking import Taken, Taking
from pacetomo.tracking import Aim, Observation, TrackingModel
from pacetomo.upkeep import Upkeep
from pacetomo.watch import Watch

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
    """

    def __init__(
        self, scope: Microscope, job: Job, prepared: Prepared, model: TrackingModel, books: Books
    ) -> None:
        self._scope = scope
        self._job = job
        self._prepared = prepared
        self._model = model
        self._books = books
        self._plan = tuple(exposure for exposure in job.plan if exposure.target in prepared.starts)
        self._focusing = Focusing(scope, job, prepared, model, books)
        self._taking = Taking(scope, job, books)
        self._upkeep = Upkeep(scope, job.settings, books)
        self._watch = Watch(job.settings.minCounts)
        self._tracker = job.targets.tracking.number

    def run(self) -> None:
        """Take every exposure of the plan; what fails ends a target's branch or a tilt, not the run."""
        began_s = self._scope.clock_s()
        previous = Branch.START
        tilts = len(self._job.stops)
        for stop, group in itertools.groupby(self._plan, key=lambda exposure: exposure.stop):
            exposures = self._in_order(
                [exposure for exposure in group if not self._books.branch(exposure).skip]
            )
            if not exposures:
                continue
            branch = exposures[0].branch
            self._upkeep.before_tilt()
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
            self._focusing.at_tilt(reached_deg, branch, branch is not previous and stop > 0)
            previous = branch
            for exposure in exposures:
                self._step(exposure, reached_deg)
            self._show_progress(stop + 1, tilts, began_s)

    def _in_order(self, exposures: list[Exposure]) -> list[Exposure]:
        """Exposures of one tilt, the tracking target first; another one tracks where it has ended."""
        own = self._job.targets.tracking.number
        numbers = [exposure.target for exposure in exposures]
        if own in numbers:
            self._follow(own)
        elif numbers and self._tracker not in numbers:
            self._follow(numbers[0])
        return sorted(exposures, key=lambda exposure: exposure.target != self._tracker)

    def _follow(self, target: int) -> None:
        """Have a target track for all others from here on."""
        if target != self._tracker:
            self._tracker = target
            self._model.follow(target)
            text = f"Target {target} tracks for the others from here on"
            self._scope.tell(text)
            self._books.note("step", name="tracking", text=text, target=target)

    def _tilt(self, exposures: list[Exposure]) -> float | None:
        """Tilt the stage for these exposures; None when it cannot get there, which ends the branch for all."""
        if (
            exposures[0].branch is Branch.START
        ):  # the stage is there; tilting anew would only move the targets
            return self._prepared.start_tilt_deg
        tilt_deg = exposures[0].tilt_deg
        try:
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
            self._expose(exposure, tilt_deg)
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
            reference = self._books.reference(exposure)
            self._books.book(exposure, taken.section, before_e_per_a2 + taken.shot.dose_e_per_a2)
            found = self._measure(exposure, reference, taken.shot)
            self._model.observe(
                Observation(
                    exposure.target,
                    tilt_deg,
                    exposure.branch,
                    aim.shift_um,
                    found,
                    None,
                    self._scope.clock_s(),
                )
            )
            self._books.learn(exposure, self._model, focus_um, found)
            self._annotate(exposure, found)
        finally:
            self._taking.close()
        self._note_exposed(exposure, focus_um, taken, found, before_e_per_a2)
        verdict = self._watch.judge(exposure.target, exposure.branch, tilt_deg, taken.shot, found)
        if verdict is not None:
            self._books.end_branch(exposure, verdict)

    def _measure(self, exposure: Exposure, reference: tuple[int, XY] | None, shot: Shot) -> XY | None:
        """Where the target is seen, relative to the image centre; None if that cannot be told.

        The alignment tells where the reference's centre lies in this image. The target was off that centre by what
        was found then, so the two add up; otherwise each error would come back with the opposite sign.
        """
        if reference is None:
            return None
        section, off_centre_um = reference
        limit_um = self._job.settings.alignLimit
        if exposure.target == self._tracker:
            # It must be followed wherever the stage went, as far as two images have enough in common to tell.
            limit_um = max(limit_um, TRACKING_REACH * min(shot.field_um))
        offset = self._taking.offset(exposure, section, limit_um)
        if isinstance(offset, Missing):
            self._books.warn(f"alignment not used ({offset.reason})", exposure)
            return None
        return offset.plus(off_centre_um)

    # telling

    def _annotate(self, exposure: Exposure, residual_um: XY | None) -> None:
        """Write what is known of the image beside it; failing to do so loses no image."""
        known = self._books.branch(exposure)
        entries = {
            "SpecimenShift": f"{known.shift_um.x:.6g} {known.shift_um.y:.6g}",
            "EucentricOffset": f"{known.z0_um:.6g}",
        }
        if residual_um is not None:
            entries["TargetResidual"] = f"{residual_um.x:.6g} {residual_um.y:.6g}"
        try:
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
            mean_counts=taken.shot.mean_counts,
            dose_e_per_a2=taken.shot.dose_e_per_a2,
            prior_dose_e_per_a2=before_e_per_a2,
        )

    def _show_progress(self, done: int, of: int, began_s: float) -> None:
        left_min = (self._scope.clock_s() - began_s) / done * (of - done) / 60
        self._scope.show_progress(f"{self._job.files.root}: tilt {done} of {of}, {left_min:.0f} min left")


def _where(exposure: Exposure) -> dict[str, object]:
    return {
        "number": exposure.number,
        "target": exposure.target,
        "tilt_deg": exposure.tilt_deg,
        "branch": exposure.branch.value,
    }
