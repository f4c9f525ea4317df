"""Setting up an area: from the Navigator item to every target's own shift and focus at the start tilt."""

from __future__ import annotations

from dataclasses import dataclass, field

from pacetomo.errors import ScopeError
from pacetomo.frames import XY
from pacetomo.geometry import axis_distance_um, height_um
from pacetomo.job import Job
from pacetomo.journal import Journal
from pacetomo.scope.protocol import Area, Item, Level, Microscope, Missing, ShiftOrMissing
from pacetomo.targets import Target
from pacetomo.tracking import Start

LOOK_DEFOCUS_UM = -5.0
"""References are compared at this underfocus or more: near focus a frozen sample shows no contrast."""

VIEW_LIMIT_UM = 4.0
"""Largest correction believed in View; a wrong peak is usually farther off."""

TILT_TOLERANCE_DEG = 0.5
"""A stage that stops farther from the wanted tilt than this has not reached it."""

STAGE_PRECISION_UM = 1.0
"""A point nearer than this to the centre is centred by image shift: the stage would not do better."""

WELL_CENTRED_UM = 0.05

BACKLASH_DEG = 8.0
"""Play of a goniometer is some degrees; what is not taken up here is taken for the height of the targets later."""

LONG_WALK_DEG = 15.0
"""A start tilt farther away than this is approached in steps, the point kept centred."""


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
    """

    start_tilt_deg: float
    starts: dict[int, Start] = field(default_factory=dict)
    focus_um: dict[int, float] = field(default_factory=dict)


class Preparation:
    """One set-up of an area on a microscope; `run` is the whole of it."""

    def __init__(self, scope: Microscope, job: Job, journal: Journal) -> None:
        self._scope = scope
        self._job = job
        self._journal = journal

    def run(self, item: Item) -> Prepared:
        """Set up the area of a Navigator item.

        Raises
        ------
        ScopeError
            When the microscope fails in a way that leaves nothing to acquire.
        """
        self._find_area(item)
        tilt_deg = self._go_to_start_tilt()
        track_shift = self._centre_tracking_target()
        in_focus_um = self._focus(track_shift)
        prepared = Prepared(tilt_deg)
        job_tracking = self._job.targets.tracking.number
        self._step("find_targets", f"Finding {len(self._job.active)} targets at {tilt_deg:.1f}°")
        for target in self._job.active:
            self._find_target(target, track_shift, in_focus_um, prepared)
        if job_tracking not in prepared.starts:
            raise ScopeError(f"target {job_tracking}, the tracking target, is out of reach of image shift")
        return prepared

    def _find_area(self, item: Item) -> None:
        job = self._job
        self._step("move", f"Moving to item {item.label}, {job.files.root}")
        if abs(self._scope.tilt_deg() - job.settings.tiltTargets) > 0.1:
            self._scope.tilt_to(job.settings.tiltTargets)
        self._scope.move_to_item(item)
        self._step("eucentricity", "Finding the eucentric height")
        try:
            self._scope.find_eucentric_height()
        except ScopeError as err:
            self._warn(f"the stage stays at its height ({err})")
        self._step("realign", "Realigning to the tracking target")
        tracking = job.targets.tracking
        shift = XY(0.0, 0.0)
        for _ in range(2):  # a stage that is moved does not come to rest exactly where it was sent
            self._scope.aim(shift, self._scope.focus_um(), compensate_beam_tilt=False)
            offset = self._compare(Area.VIEW, tracking, tracking.view, VIEW_LIMIT_UM)
            if not isinstance(offset, XY):
                return
            shift = shift.plus(offset)
            self._scope.aim(shift, self._scope.focus_um(), compensate_beam_tilt=False)
            if shift.length < STAGE_PRECISION_UM:
                return
            self._scope.recentre_stage()
            shift = XY(0.0, 0.0)

    def _go_to_start_tilt(self) -> float:
        start_deg = self._job.stops[0].tilt_deg
        self._step("walk_up", f"Going to the start tilt {start_deg:g}°")
        # Approached from the side that the first branch leaves to, so that its first tilt has no backlash.
        approach_deg = start_deg - self._job.first_direction * BACKLASH_DEG
        max_tilt_deg = self._scope.limits().max_tilt_deg
        approach_deg = max(-max_tilt_deg, min(max_tilt_deg, approach_deg))
        if abs(approach_deg - self._scope.tilt_deg()) > LONG_WALK_DEG:
            self._scope.walk_to(approach_deg)
        else:
            self._scope.tilt_to(approach_deg)
        reached_deg = self._scope.tilt_to(start_deg)
        if abs(reached_deg - start_deg) > TILT_TOLERANCE_DEG:
            raise ScopeError(
                f"the start tilt {start_deg:g}° was not reached: the stage stands at {reached_deg:.2f}°"
            )
        return reached_deg

    def _centre_tracking_target(self) -> XY:
        """Specimen shift that centres the tracking target, by its Preview reference."""
        shift = self._scope.shift_um()
        tracking = self._job.targets.tracking
        focus_um = self._scope.focus_um()
        limit_um = max(1.0, self._job.settings.alignLimit)
        looks = [Area.PREVIEW, Area.PREVIEW]  # the second look corrects what the first shift got wrong
        while looks:
            area = looks.pop(0)
            self._scope.aim(shift, focus_um, compensate_beam_tilt=False)
            if area is Area.PREVIEW:
                offset = self._compare(area, tracking, tracking.reference, limit_um)
                if isinstance(offset, Missing) and len(looks) == 1:
                    looks = [Area.VIEW, *looks, Area.PREVIEW]  # it may lie outside the small field
            else:
                offset = self._compare(area, tracking, tracking.view, VIEW_LIMIT_UM)
            if isinstance(offset, XY):
                shift = shift.plus(offset)
                if area is Area.PREVIEW and offset.length < WELL_CENTRED_UM:
                    break
        return shift

    def _focus(self, track_shift: XY) -> float:
        """Focus at which the tracking target would be in focus."""
        wanted_um = self._job.wanted_defocus_um[self._job.targets.tracking.number]
        self._step("autofocus", f"Autofocus at the tracking target, {wanted_um:g} µm")
        for _ in range(2):
            self._scope.aim(track_shift, self._scope.focus_um(), compensate_beam_tilt=False)
            focus = self._scope.autofocus(wanted_um)
            if isinstance(focus, float):
                return focus - wanted_um
            self._warn(f"autofocus at the tracking target failed ({focus.reason})")
        self._warn("the focus is left as it was: check the defocus of the first images")
        return self._scope.focus_um() - wanted_um

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
            self._skip(target, f"needs an image shift of {shift.length:.1f} µm, beyond the limit")
            return
        try:
            shift = self._align(target, shift, look_um)
        except ScopeError as err:
            self._warn(
                f"target {target.number} could not be aligned ({err}); its coordinates are used", target
            )
        n0_um = axis_distance_um(shift.y, z0_um, tilt_deg)
        prepared.starts[target.number] = Start(shift, n0_um, z0_um)
        prepared.focus_um[target.number] = in_focus_here_um + wanted_um
        self._journal.note(
            "start",
            target=target.number,
            shift_um=list(shift),
            n0_um=n0_um,
            z0_um=z0_um,
            focus_um=in_focus_here_um + wanted_um,
            defocus_um=wanted_um,
        )

    def _align(self, target: Target, shift: XY, look_um: float) -> XY:
        """Shift corrected by the target's references, as far as the settings ask for it."""
        settings = self._job.settings
        looks = []
        if settings.viewAli:
            looks.append((Area.VIEW, target.view, VIEW_LIMIT_UM))
        if settings.previewAli and target.number != self._job.targets.tracking.number:
            looks.append((Area.PREVIEW, target.reference, settings.alignLimit))
        for area, reference, limit_um in looks:
            offset = self._compare(area, target, reference, limit_um)
            if not isinstance(offset, XY):
                continue
            shift = shift.plus(offset)
            self._journal.note(
                "found",
                target=target.number,
                shift_um=list(shift),
                correction_nm=[offset.x * 1000, offset.y * 1000],
                reference=area.value,
            )
            self._scope.aim(shift, look_um, compensate_beam_tilt=False)
        return shift

    def _compare(
        self, area: Area, target: Target, reference: str | None, limit_um: float
    ) -> ShiftOrMissing | None:
        """Offset of a fresh image from a reference file; None when there is no such file to compare with."""
        path = None if reference is None else self._job.files.folder / reference
        if path is None or not path.is_file():
            missing = "none is named" if path is None else f"{path.name} is not there"
            self._warn(f"target {target.number} has no {area.value} reference ({missing})", target)
            return None
        self._scope.take(area)
        offset = self._scope.offset_from_file(path, 0, limit_um)
        if isinstance(offset, Missing):
            self._warn(f"target {target.number} was not found in {area.value} ({offset.reason})", target)
        return offset

    def _skip(self, target: Target, reason: str) -> None:
        self._scope.tell(f"Target {target.number} is skipped: it {reason}", Level.WARNING)
        self._journal.note("skip", target=target.number, branch=None, tilt_deg=None, reason=reason)

    def _step(self, name: str, text: str) -> None:
        self._scope.tell(text)
        self._journal.note("step", name=name, text=text)

    def _warn(self, text: str, target: Target | None = None) -> None:
        self._scope.tell(f"Warning: {text}", Level.WARNING)
        details = {} if target is None else {"target": target.number}
        self._journal.note("warning", text=text, **details)
