"""Setting up an area: from the Navigator item to every target's own shift and focus at the start tilt."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from pacetomo.approach import approach_deg
from pacetomo.beam_dose import BeamDose, FocusBeam
from pacetomo.errors import ScopeError
from pacetomo.finding import Finding, Found
from pacetomo.frames import ORIGIN, XY
from pacetomo.geometry import axis_distance_um, height_um
from pacetomo.job import Job
from pacetomo.looking import Looking
from pacetomo.measuring import measured_job
from pacetomo.notes import Notes
from pacetomo.refining import Refining
from pacetomo.scope.facts import OFFLINE, Facts
from pacetomo.scope.protocol import Item, Microscope, Missing, Shot
from pacetomo.selection_dose import selection_doses
from pacetomo.targets import Target
from pacetomo.tracking import Start
from pacetomo.upkeep import Upkeep

LOOK_DEFOCUS_UM = -5.0
"""References are compared at this underfocus or more: near focus a frozen sample shows no contrast."""

TILT_TOLERANCE_DEG = 0.5
"""A stage that stops farther from the wanted tilt than this has not reached it."""

LONG_WALK_DEG = 15.0
"""A start tilt farther away than this is approached in steps, the point kept centred."""

SURE_CHANGE_UM = 2.0
"""An autofocus that changes the focus by more is believed when the next one agrees. All images of the run depend on it,
and one wrong correlation looks like any other."""

MOST_AUTOFOCUSES = 4
MOST_FAILURES = 2


@dataclass
class Prepared:
    """Targets as found at the start tilt.

    Attributes
    ----------
    starts : dict of int to Start
        Shift, n0 and z0 of each target.
    focus_um : dict of int to float
        Focus that gives each target its wanted defocus at the start tilt.
    start_tilt_deg : float
        Start tilt as reached.
    dose_e_per_a2 : dict of int to float
        What the images of the set-up have cost each target, in numbers that are not 0.
    preview : Shot or None
        The latest Preview, taken with Record's beam.
    is_focused : bool
        Whether the focus of the tracking target was measured by autofocus.
    """

    start_tilt_deg: float
    starts: dict[int, Start] = field(default_factory=dict)
    focus_um: dict[int, float] = field(default_factory=dict)
    dose_e_per_a2: dict[int, float] = field(default_factory=dict)
    preview: Shot | None = None
    is_focused: bool = False


class Preparation:
    """One set-up of an area on a microscope; `run` is the whole of it."""

    def __init__(
        self, scope: Microscope, job: Job, notes: Notes, upkeep: Upkeep, facts: Facts = OFFLINE
    ) -> None:
        self._scope = scope
        self._job = job
        self._notes = notes
        self._upkeep = upkeep
        self._facts = facts
        self._focus_beams: list[FocusBeam] = []
        self._focus_at_um: XY | None = None
        everyone = [target.number for target in job.active]
        self._looking = Looking(scope, job.files, self._notes, not job.settings.tgtPattern, upkeep, everyone)
        self._view_aside_um = ORIGIN

    @property
    def job(self) -> Job:
        """The job, with what has been measured for it during the set-up."""
        return self._job

    def run(self, item: Item) -> Prepared:
        """Set up the area of a Navigator item.

        Raises
        ------
        ScopeError
            When the microscope fails in a way that leaves nothing to acquire.
        """
        spent, troubles = selection_doses(self._job, self._scope.wait)
        self._looking.spend(spent)
        for text in troubles:
            self._notes.warn(f"the dose of a reference is not counted ({text})")
        self._upkeep.before_image()
        Finding(self._scope, self._job, self._looking, self._notes).area(item)
        self._upkeep.before_image()
        if self._job.settings.measureGeo:
            self._job = measured_job(self._scope, self._job, self._notes, self._focus_beams.append)
        finding = Finding(self._scope, self._job, self._looking, self._notes)
        tilt_deg = self._go_to_start_tilt()
        self._upkeep.before_image()
        # The focus comes first: near focus or beyond it a Preview is compared with nothing, or with its negative.
        focused_at = self._scope.shift_um()
        in_focus_um, is_sure = self._focus(focused_at)
        self._upkeep.before_image()
        wanted_um = self._job.wanted_defocus_um[self._job.targets.tracking.number]
        track_shift = finding.tracking_target(in_focus_um + min(wanted_um, LOOK_DEFOCUS_UM))
        self._view_aside_um = finding.view_aside_um
        in_focus_um -= self._job.plane.rise_um(track_shift.minus(focused_at), tilt_deg)
        self._refine_vectors(track_shift, in_focus_um)
        prepared = Prepared(tilt_deg, dose_e_per_a2=self._looking.dose_e_per_a2, is_focused=is_sure)
        job_tracking = self._job.targets.tracking.number
        self._notes.step("find_targets", f"Finding {len(self._job.active)} targets at {tilt_deg:.1f}°")
        for target in self._job.active:
            self._upkeep.before_image()
            self._find_target(target, track_shift, in_focus_um, prepared)
        prepared.preview = self._looking.preview
        if job_tracking not in prepared.starts:
            raise ScopeError(f"target {job_tracking}, the tracking target, is out of reach of image shift")
        self._count_focus_beams(prepared)
        return prepared

    def _count_focus_beams(self, prepared: Prepared) -> None:
        """Add what autofocus has cost the targets that its beam reached."""
        beams = BeamDose(self._scope, self._job, self._facts, prepared.starts)
        beams.learn_rate(prepared.preview)
        try:
            for beam in self._focus_beams:
                for number, dose in beams.by_focus(beam).items():
                    prepared.dose_e_per_a2[number] = prepared.dose_e_per_a2.get(number, 0.0) + dose
        except ScopeError as err:
            self._notes.warn(f"the dose of autofocus is not counted ({err})")

    def _go_to_start_tilt(self) -> float:
        start_deg = self._job.stops[0].tilt_deg
        self._notes.step("walk_up", f"Going to the start tilt {start_deg:g}°")
        # Approached from the side that the first branch leaves to, so that its first tilt has no backlash.
        max_tilt_deg = self._scope.limits().max_tilt_deg
        before_deg = approach_deg(start_deg, self._job.first_direction, max_tilt_deg)
        if abs(before_deg - self._scope.tilt_deg()) > LONG_WALK_DEG:
            self._walk_to(before_deg)
        else:
            self._scope.tilt_to(before_deg)
        reached_deg = self._scope.tilt_to(start_deg)
        if abs(reached_deg - start_deg) > TILT_TOLERANCE_DEG:
            raise ScopeError(
                f"the start tilt {start_deg:g}° was not reached: the stage stands at {reached_deg:.2f}°"
            )
        return reached_deg

    def _walk_to(self, tilt_deg: float) -> None:
        """Tilt far, the tracking target kept centred; where it is lost on the way, its references find it again."""
        try:
            self._scope.walk_to(tilt_deg)
        except ScopeError as err:
            self._notes.warn(f"{err}; the stage tilts without tracking")
            self._scope.tilt_to(tilt_deg)

    def _focus(self, shift: XY) -> tuple[float, bool]:
        """Focus at which the sample would be in focus at a shift near the tracking target, and whether that is sure."""
        wanted_um = self._job.wanted_defocus_um[self._job.targets.tracking.number]
        self._notes.step("autofocus", f"Autofocus at the tracking target, {wanted_um:g} µm")
        found_um = focus_um = self._scope.focus_um()
        failures = 0
        for _ in range(MOST_AUTOFOCUSES):
            self._scope.aim(shift, focus_um, compensate_beam_tilt=False)
            focus = self._scope.autofocus(wanted_um)
            self._focus_beams.append(FocusBeam(self._focus_place_um(), self._scope.tilt_deg()))
            if isinstance(focus, Missing):
                self._notes.warn(f"autofocus at the tracking target failed ({focus.reason})")
                focus_um = found_um  # what nobody has confirmed may be what lets it fail
                failures += 1
                if failures >= MOST_FAILURES:
                    break
            elif abs(focus - focus_um) <= SURE_CHANGE_UM:
                return focus + self._focus_place_rise_um() - wanted_um, True
            else:
                focus_um = focus
        self._notes.warn("the focus is not sure: check the defocus of the first images")
        return focus_um + self._focus_place_rise_um() - wanted_um, False

    def _focus_place_rise_um(self) -> float:
        """How much higher the sample is where the Focus area lies than in the centre of Record."""
        return self._job.plane.rise_um(self._focus_place_um(), self._scope.tilt_deg())

    def _focus_place_um(self) -> XY:
        """Where the Focus area lies, as seen from Record's centre."""
        if self._focus_at_um is None:
            try:
                self._focus_at_um = self._scope.focus_place_um()
            except ScopeError as err:
                self._notes.warn(f"the place of autofocus is not known, Record's own is assumed ({err})")
                self._focus_at_um = ORIGIN
        return self._focus_at_um

    def _refine_vectors(self, track_shift: XY, in_focus_um: float) -> None:
        if self._job.settings.refineVec:
            refining = Refining(self._scope, self._job, self._looking, self._notes)
            self._job = refining.refined(track_shift, in_focus_um + LOOK_DEFOCUS_UM)

    def _find_target(self, target: Target, track_shift: XY, in_focus_um: float, prepared: Prepared) -> None:
        """Find one target near where geometry expects it and write down where it was."""
        job = self._job
        place = job.untilted_um[target.number]
        z0_um = job.plane.height_um(place)
        tilt_deg = prepared.start_tilt_deg
        in_focus_here_um = in_focus_um - height_um(place.y, z0_um, tilt_deg)
        wanted_um = job.wanted_defocus_um[target.number]
        shift = track_shift.plus(job.plane.seen(place, tilt_deg))
        look_um = in_focus_here_um + min(wanted_um, LOOK_DEFOCUS_UM)
        if not self._scope.aim(shift, look_um, compensate_beam_tilt=False):
            self._notes.skip(target, f"needs an image shift of {shift.length:.1f} µm, beyond the limit")
            return
        found = self._align(target, shift, look_um)
        if found is None:
            return
        self._keep_reference(target)
        n0_um = axis_distance_um(found.shift_um.y, z0_um, tilt_deg)
        prepared.starts[target.number] = Start(found.shift_um, n0_um, z0_um, found.by_image)
        prepared.focus_um[target.number] = in_focus_here_um + wanted_um
        self._notes.note(
            "start",
            target=target.number,
            shift_um=list(found.shift_um),
            n0_um=n0_um,
            z0_um=z0_um,
            focus_um=in_focus_here_um + wanted_um,
            defocus_um=wanted_um,
            spent_e_per_a2=self._looking.dose_e_per_a2.get(target.number, 0.0),
        )

    def _align(self, target: Target, shift: XY, look_um: float) -> Found | None:
        """Place corrected by images of the target, as far as the settings ask for it; None if out of reach."""
        try:
            finding = Finding(self._scope, self._job, self._looking, self._notes, self._view_aside_um)
            return finding.target(target, shift, look_um)
        except ScopeError as err:
            self._notes.warn(
                f"target {target.number} could not be aligned ({err}); its coordinates are used", target
            )
            return Found(shift, by_image=False)

    def _keep_reference(self, target: Target) -> None:
        """Take a Preview as the target's reference where the settings ask for one and it has none."""
        if not self._job.settings.refFromPreview or self._looking.has(target.reference):
            return
        name = self._looking.keep_preview(target)
        if name is not None:
            targets = self._job.targets.with_target(replace(target, reference=name))
            self._job = replace(self._job, targets=targets)
