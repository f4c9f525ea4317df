"""The acquisition itself: the plan, exposure by exposure, on a microscope.

One step is one exposure of one target at one tilt, and the only thing that costs dose. Its order is fixed: a mark in
the journal, Record, the section saved, metadata, run file, so that whatever dies, what was taken can be told from
what is on disk.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection
from functools import partial
from typing import Any

from pacetomo.annotation import Annotations, Seen
from pacetomo.approach import approach_deg
from pacetomo.beam_dose import BeamDose, BesideBooks
from pacetomo.books import Books
from pacetomo.chronicle import Chronicle, Comparison
from pacetomo.clear_place import place_beside_targets
from pacetomo.defocus import Defocus
from pacetomo.errors import OWN_FAULTS, AreaError, PaceError, ScopeError
from pacetomo.focusing import Focusing
from pacetomo.forecast import Forecast
from pacetomo.frames import XY
from pacetomo.handover import TrackingRole
from pacetomo.job import Job
from pacetomo.overview import Overview
from pacetomo.plan import Exposure
from pacetomo.prepare import TILT_TOLERANCE_DEG, Prepared
from pacetomo.schemes import Branch
from pacetomo.scope.facts import OFFLINE, Facts
from pacetomo.scope.protocol import CtfFit, FitOrMissing, Microscope, Shot
from pacetomo.sighting import Sighting
from pacetomo.taking import Taking
from pacetomo.telling import Findings
from pacetomo.tile_books import half_taken, read_tiles
from pacetomo.tiling import Centre, Tiling
from pacetomo.tracking import Aim, Observation, TrackingModel
from pacetomo.troubles import Troubles
from pacetomo.upkeep import Upkeep
from pacetomo.watch import Look, Watch


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
    done : collection of int
        Places in the plan of what has been taken before an interruption.
    facts : Facts
        Sizes of beam and image.
    """

    def __init__(
        self,
        scope: Microscope,
        job: Job,
        prepared: Prepared,
        model: TrackingModel,
        books: Books,
        upkeep: Upkeep,
        done: Collection[int] = (),
        facts: Facts = OFFLINE,
    ) -> None:
        self._scope = scope
        self._job = job
        self._prepared = prepared
        self._model = model
        self._books = books
        self._half_done = half_taken(job, books.state, done)
        self._plan = tuple(
            exposure
            for exposure in job.plan
            if exposure.target in prepared.starts
            and (exposure.number not in done or exposure.number in self._half_done)
        )
        self._goes_on = bool(done)
        self._beside = BesideBooks(BeamDose(scope, job, facts, prepared.starts), books)
        self._beside.learn_rate(prepared.preview)
        self._focusing = Focusing(scope, job, prepared, model, books, self._beside)
        self._defocus = Defocus(scope, job, prepared, model, books)
        self._taking = Taking(scope, job, books, upkeep)
        if prepared.preview is not None:
            self._taking.learn_dose_rate(prepared.preview)
        self._sighting = Sighting(scope, job, self._taking, books)
        annotations = Annotations(job)
        self._chronicle = Chronicle(scope, books, self._taking, annotations)
        self._tiling = Tiling(
            scope, job, books, self._taking, self._focusing, upkeep, annotations, self._beside
        )
        self._overview = Overview(scope, job, books, self._taking, self._focusing, model)
        self._upkeep = upkeep
        self._findings = Findings(books)
        self._watch = Watch(job.settings.minCounts, job.plane.slopes().y, job.policies)
        self._troubles = Troubles(scope, books, job.policies)
        own = job.targets.tracking.number
        self._stood_deg = prepared.start_tilt_deg
        self._profile_trouble_told = False
        self._max_tilt_deg = scope.limits().max_tilt_deg
        self._role = TrackingRole(own, prepared.starts, model, books, self._can_track)

    @property
    def ahead(self) -> tuple[Exposure, ...]:
        """Exposures to be made, in order."""
        return tuple(exposure for exposure in self._plan if not self._books.branch(exposure).skip)

    def run(self, is_moved: bool = False) -> None:
        """Take every exposure of the plan; what fails ends a target's branch or a tilt, not the run.

        `is_moved` tells that the stage has been elsewhere since the last image.
        """
        forecast = Forecast(self._scope, self._job, self._plan, self._books, self._taking, self._focusing)
        previous = Branch.START
        if self._goes_on:
            self._overview.recall()
        tilts = len(self._job.stops)
        for stop, group in itertools.groupby(self._plan, key=lambda exposure: exposure.stop):
            exposures = self._role.in_order(
                [exposure for exposure in group if not self._books.branch(exposure).skip]
            )
            if not exposures:
                continue
            branch = exposures[0].branch
            self._try(partial(self._upkeep.before_tilt, partial(self._place_beside, previous)))
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
            if self._goes_on:
                self._goes_on = False
                self._find_again(exposures[0], reached_deg, is_moved)
            self._model.begin_tilt(reached_deg, branch)
            self._watch.begin_tilt()
            self._try(self._upkeep.before_image)
            self._troubles.check_low_dose()
            begins = branch is not previous
            self._try(partial(self._focusing.at_tilt, reached_deg, branch, begins, self._role.holder))
            previous = branch
            waiting = exposures
            while waiting:
                exposure, *waiting = waiting
                self._step(exposure, reached_deg)
                if exposure.target == self._role.holder and self._books.branch(exposure).skip:
                    waiting = self._role.in_order(waiting)
            if branch is Branch.START:
                self._refine_geometry()
                self._try(partial(self._overview.keep_first, exposures[0], reached_deg))
            self._try(lambda: self._chronicle.tilt_done(self._model.believed()))
            self._try(lambda: self._findings.tell(self._model.findings()))
            self._tell_of_profile()
            self._try(partial(forecast.tilt_done, exposures))

    def _tell_of_profile(self) -> None:
        """Warn, once, that the model does not believe the stage profile any more."""
        reason = self._model.dropped_profile
        if reason is not None and not self._profile_trouble_told:
            self._profile_trouble_told = True
            self._books.warn(reason)

    def _try(self, step: Callable[[], object]) -> None:
        """Do what serves a whole tilt; should it fail, the images are taken all the same."""
        try:
            step()
        except ScopeError as err:
            self._books.warn(str(err))
        except OWN_FAULTS as err:
            self._troubles.note_defect(err)

    def _find_again(self, exposure: Exposure, tilt_deg: float, is_moved: bool) -> None:
        """Find the targets after a break, before the first image."""
        own = exposure._replace(target=self._job.targets.tracking.number)
        latest = None if self._taking.is_coarse(own.target) else self._books.reference(own)
        self._try(self._upkeep.before_image)
        self._try(partial(self._overview.find_again, exposure, tilt_deg, is_moved, latest))

    def _place_beside(self, branch: Branch, beam_radius_um: float) -> XY | None:
        """Specimen shift at the present tilt, reached on a branch, at which the beam touches no target."""
        tilt_deg = self._scope.tilt_deg()
        seen_um = {n: self._model.aim(n, tilt_deg, branch).shift_um for n in self._prepared.starts}
        return place_beside_targets(self._job, seen_um, tilt_deg, beam_radius_um)

    def _refine_geometry(self) -> None:
        plane = self._defocus.refine()
        if plane is not None:
            self._focusing.use_plane(plane)
            self._sighting.use_plane(plane)

    def _can_track(self, target: int, branch: Branch) -> bool:
        """Whether a target is seen well enough on a branch for the others to follow it."""
        return not self._taking.is_coarse(target) and self._watch.rejected_in_a_row(target, branch) == 0

    def _tilt(self, exposures: list[Exposure]) -> float | None:
        """Tilt the stage for these exposures; None when it cannot get there, which ends the branch for all."""
        if (
            exposures[0].branch is Branch.START
        ):  # the stage is there; tilting anew would only move the targets
            return self._prepared.start_tilt_deg
        tilt_deg, policy = exposures[0].tilt_deg, self._job.policies.of("stage_tilt")
        for pause_s in (*policy.pauses_s(), None):
            reached_deg, reason = self._tilt_once(tilt_deg)
            if reached_deg is not None and abs(reached_deg - tilt_deg) <= TILT_TOLERANCE_DEG:
                self._try(partial(self._scope.wait, self._job.settings.delayTilt))
                self._stood_deg = reached_deg
                return reached_deg
            self._books.note("error", text=reason, tilt_deg=tilt_deg)
            # A stage that stops short will do so again; one that did not move at all may have been busy.
            stuck = reached_deg is None or abs(reached_deg - self._stood_deg) <= TILT_TOLERANCE_DEG
            curable = stuck and abs(tilt_deg) <= self._max_tilt_deg
            if pause_s is None or not curable:
                break
            self._try(partial(self._scope.wait, pause_s))
        for exposure in exposures:
            self._troubles.end(
                "stage_tilt", exposure, f"the tilt was not reached ({reason})", by_failure=curable
            )
        self._books.save()
        return None

    def _tilt_once(self, tilt_deg: float) -> tuple[float | None, str]:
        """Tilt reached, None if that is not known, and what to say of it."""
        try:
            if self._job.settings.slowTilt:
                self._scope.tilt_to(approach_deg(tilt_deg, self._job.first_direction, self._max_tilt_deg))
            reached_deg = self._scope.tilt_to(tilt_deg)
        except ScopeError as err:
            return None, str(err)
        return reached_deg, f"the stage stopped at {reached_deg:.2f}°"

    def _step(self, exposure: Exposure, tilt_deg: float) -> None:
        """Take one exposure; a failure ends this target on this branch, or what its policy says."""
        try:
            try:
                self._expose(exposure, tilt_deg)
            finally:
                self._taking.release()
        except AreaError:
            raise
        except PaceError as err:
            self._troubles.failed(exposure, err)
        except OWN_FAULTS as err:
            self._troubles.met_with_defect(exposure, err)
        else:
            self._troubles.went_well()
        self._books.save()

    def _expose(self, exposure: Exposure, tilt_deg: float) -> None:
        """Aim, expose, save, align, learn."""
        if exposure.number in self._half_done:
            self._complete_montage(exposure, tilt_deg)
            return
        reference = self._books.reference(exposure)
        tracks = exposure.target == self._role.holder
        if self._is_to_be_taken_twice(exposure, tilt_deg, tracks) and (
            reference or self._sighting.start_reference(exposure)
        ):
            self._look(exposure, tilt_deg, reference)
        aim = self._model.aim(exposure.target, tilt_deg, exposure.branch)
        travelled_um = self._taking.travelled_um(exposure)
        focus_um = self._focusing.focus_um(exposure, aim, tilt_deg, travelled_um)
        shift_um = aim.shift_um.plus(travelled_um)
        if not self._taking.aim(exposure, shift_um, focus_um):
            reason = f"needs an image shift of {shift_um.length:.1f} µm, beyond the limit"
            self._troubles.end("image_shift", exposure, reason)
            return
        self._scope.wait(self._job.settings.delayIS)
        self._upkeep.before_image()
        self._chronicle.expose(exposure, aim, focus_um, self._taking.name_frames(exposure))
        before_e_per_a2 = self._books.dose_e_per_a2(exposure.target)
        self._taking.open(exposure)
        try:
            taken = self._taking.record(exposure, before_e_per_a2, self._focusing.wanted_um(exposure))
            before_e_per_a2 = self._books.dose_e_per_a2(exposure.target)
            beside_e_per_a2 = self._beside.before(exposure.target)
            self._count_beside(exposure, tilt_deg, taken.shot)
            self._tiling.expect_rest(exposure)
            self._books.book(exposure, taken.section, before_e_per_a2 + taken.shot.dose_e_per_a2)
            region = self._model.search_region(exposure.target, tilt_deg, exposure.branch)
            found = self._sighting.offset_um(exposure, reference, taken.shot, tracks, region)
            wanted_um = self._focusing.wanted_um(exposure)
            fit = self._fit_ctf(exposure, focus_um)
            if tracks:
                self._overview.after(
                    exposure, tilt_deg, found, min(taken.shot.field_um), reference is not None
                )
            rise_um = self._risen_um(exposure, aim, tilt_deg, fit)
            believed = self._model.observe(
                Observation(
                    exposure.target,
                    tilt_deg,
                    exposure.branch,
                    aim.shift_um,
                    found,
                    rise_um,
                    self._scope.clock_s(),
                )
            )
            start_focus_um = self._prepared.focus_um[exposure.target]
            self._books.learn(exposure, self._model, focus_um, found, travelled_um, start_focus_um)
            known = self._books.branch(exposure)
            self._sighting.remember(exposure, aim.shift_um, found, known.shift_um)
            seen = Seen(
                taken.section,
                known.shift_um,
                known.z0_um,
                found,
                self._sighting.sigma_um,
                self._focusing.measured(exposure, tilt_deg, focus_um),
                beside_e_per_a2,
            )
            self._chronicle.annotate(exposure, seen, fit)
        finally:
            self._taking.close()
        self._overview.save()
        compared = reference is not None
        # What counts against a target is how far it is from where it was expected to be found; a peak that all other
        # measurements contradict says nothing of it.
        away_um = found if believed or exposure.branch is Branch.START else None
        if away_um is not None and region is not None:
            away_um = away_um.minus(region.centre_um)
        look = Look(exposure.target, exposure.branch, tilt_deg, taken.shot, away_um, compared, tracks)
        verdict = self._watch.judge(look)
        tiles: list[dict[str, Any]] = []
        try:
            if verdict is None:
                found_um = self._books.branch(exposure).shift_um
                centre = Centre(aim.shift_um, found_um, focus_um, tilt_deg, taken.shot)
                self._tiling.take_rest(exposure, centre, tiles)
        finally:
            comparison = Comparison(aim, region, wanted_um, found, believed, fit)
            self._chronicle.exposed(
                exposure, focus_um, taken, comparison, before_e_per_a2, beside_e_per_a2, tiles
            )
        if verdict is not None:
            self._tiling.leave_out_rest(exposure)
            self._troubles.end(verdict.kind, exposure, verdict.text)

    def _complete_montage(self, exposure: Exposure, tilt_deg: float) -> None:
        """Take the tiles that a montage lacks whose centre was taken before an interruption."""
        aim = self._model.aim(exposure.target, tilt_deg, exposure.branch)
        focus_um = self._focusing.focus_um(exposure, aim, tilt_deg, self._taking.travelled_um(exposure))
        shot = self._prepared.preview or Shot(math.nan, 0.0, 0.0, XY(0.0, 0.0))
        centre = Centre(aim.shift_um, aim.shift_um, focus_um, tilt_deg, shot)
        left = read_tiles(self._books.state, exposure.target).left
        tiles: list[dict[str, Any]] = []
        self._tiling.take_rest(exposure, centre, tiles, left)
        self._books.note("completed", target=exposure.target, tilt_deg=exposure.tilt_deg, tiles=tiles)

    def _is_to_be_taken_twice(self, exposure: Exposure, tilt_deg: float, tracks: bool) -> bool:
        """Whether a first image is to centre the target, because that is wanted or nothing else tells where it is."""
        if self._taking.is_taken_twice(exposure):
            return True
        return tracks and not self._overview.before(exposure, tilt_deg)

    def _look(self, exposure: Exposure, tilt_deg: float, reference: tuple[int, XY] | None) -> None:
        """Take a first image, kept in a stack of its own, to centre the target for the one in its series.

        The model learns from it, so the aim that follows is the corrected one and all others get the same shift.
        """
        aim = self._model.aim(exposure.target, tilt_deg, exposure.branch)
        travelled_um = self._taking.travelled_um(exposure)
        focus_um = self._focusing.focus_um(exposure, aim, tilt_deg, travelled_um)
        if not self._taking.aim(exposure, aim.shift_um.plus(travelled_um), focus_um):
            return
        self._scope.wait(self._job.settings.delayIS)
        self._upkeep.before_image()
        before_e_per_a2 = self._books.dose_e_per_a2(exposure.target)
        text = f"First image of target {exposure.target} at {exposure.tilt_deg:g}°"
        frames = self._taking.name_frames(exposure, first_of_two=True)
        self._books.note("step", name="track_first", text=text, frames=frames)
        self._taking.open(exposure, first_of_two=True)
        try:
            taken = self._taking.record(exposure, before_e_per_a2, self._focusing.wanted_um(exposure))
            before_e_per_a2 = self._books.dose_e_per_a2(exposure.target)
            spent_e_per_a2 = self._books.dose_e_per_a2(exposure.target) + taken.shot.dose_e_per_a2
            self._books.spend(exposure.target, spent_e_per_a2)
            beside_e_per_a2 = self._beside.before(exposure.target)
            self._count_beside(exposure, tilt_deg, taken.shot)
            self._books.save()
            found = self._sighting.offset_um(exposure, reference, taken.shot, tracks=True)
            seen = Seen(
                taken.section,
                aim.shift_um.plus(found or XY(0.0, 0.0)),
                self._books.branch(exposure).z0_um,
                found,
                self._sighting.sigma_um,
                beside_e_per_a2=beside_e_per_a2,
            )
            self._chronicle.annotate(exposure, seen)
        finally:
            self._taking.close()
        if found is not None:
            shown = (exposure.target, tilt_deg, exposure.branch, aim.shift_um, found, None)
            self._model.observe(Observation(*shown, self._scope.clock_s()))

    def _count_beside(self, exposure: Exposure, tilt_deg: float, shot: Shot) -> None:
        """Count what the beam of an image has done to the neighbours of its target."""
        imaging = self._taking.imaging(exposure.target)
        if self._taking.is_plain(exposure.target):
            self._beside.learn_rate(shot)
        self._beside.recorded(exposure.target, tilt_deg, shot.dose_e_per_a2, imaging.area)

    def _risen_um(
        self, exposure: Exposure, aim: Aim, tilt_deg: float, fit: FitOrMissing | None
    ) -> float | None:
        """How much the target has risen since the start, as the fit shows it; None without one."""
        if not isinstance(fit, CtfFit):
            return None
        error_um = fit.defocus_um - self._focusing.wanted_um(exposure)
        return self._focusing.risen_um(exposure.target, aim, tilt_deg, exposure.branch, error_um)

    def _fit_ctf(self, exposure: Exposure, focus_um: float) -> FitOrMissing | None:
        """CTF of the image just taken, once it is saved and aligned; None where none is to be fitted."""
        if self._taking.is_coarse(exposure.target):
            return None  # the pixels of View and Search resolve no Thon rings
        wanted_um = self._focusing.wanted_um(exposure)
        return self._defocus.measure(exposure, wanted_um, focus_um, self._taking.is_plain(exposure.target))
