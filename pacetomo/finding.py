"""Finding an area and its targets: by Realign to Item, references of their own, or the image of a hole in buffer P.

What is looked at depends on the settings. Without `alignToP` the area and the tracking target are found by their View
and Preview references, the others by those that `viewAli` and `previewAli` ask for. With `alignToP` a View image
compared with the operator's hole takes the place of all references, for the tracking target always and for the
others when `previewAli` or `viewAli` wants them aligned at all.

View references that were cut out of a map (`pacetomo.files.new_stack.is_virtual`) show in their centre what View images
have there; how far that is from the centre of Record is measured on the tracking target, or beside the targets.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pacetomo.beside import MOST_ASIDE_UM, view_aside_um
from pacetomo.errors import ScopeError
from pacetomo.frames import ORIGIN, XY
from pacetomo.job import Job
from pacetomo.looking import Looking
from pacetomo.notes import Notes
from pacetomo.pattern import hole_reach_um, read_lattice
from pacetomo.problem import Problem
from pacetomo.scope.protocol import Area, Item, Microscope, Missing, ShiftOrMissing
from pacetomo.targets import Target

VIEW_LIMIT_UM = 4.0
"""Largest correction believed in View; a wrong peak is usually farther off."""

STAGE_PRECISION_UM = 1.0
"""A point nearer than this to the centre is centred by image shift: the stage would not do better."""

WELL_CENTRED_UM = 0.05

EUCENTRICITY_IMAGES = 7
"""View images that the eucentric height takes at least, rough and fine; SerialEM does not tell how many it took."""

ANY_HOLE = 1.6
"""How much farther than for its own hole the tracking target of a copied pattern looks: as far as the middle of four
holes. Which of them it goes to does not matter to a pattern, and between them there is only carbon."""


def hole_problems(scope: Microscope, job: Job) -> Iterator[Problem]:
    """What stands against comparing with buffer P, found without an electron."""
    settings = job.settings
    asking = [name for name in ("alignToP", "refineVec") if getattr(settings, name)]
    if not asking:
        return
    field = scope.hole_field_um()
    if isinstance(field, Missing):
        yield Problem(
            True,
            f"{' and '.join(asking)} cannot be done: {field.reason}",
            "centre a hole in View, take a View image, copy it to buffer P and start again",
        )
    if settings.refineVec and read_lattice(job.targets) is None:
        yield Problem(
            False,
            "refineVec has no effect: the target file names no lattice",
            "add vecA0, vecA1, vecB0 and vecB1 (_set lines, µm)",
        )


def hole_limit_um(job: Job, tilt_deg: float) -> float:
    """How far a hole may be from where it is expected, as seen at a stage tilt (µm)."""
    plane, picked_at_deg = job.plane, job.settings.tiltTargets
    lattice = read_lattice(job.targets)
    if lattice is not None:
        lattice = lattice.mapped(lambda vector: plane.seen(plane.untilted(vector, picked_at_deg), tilt_deg))
    places = [plane.seen(job.untilted_um[target.number], tilt_deg) for target in job.active]
    return hole_reach_um(lattice, places)


class Found(NamedTuple):
    """Specimen shift (µm) at which a target is centred, and whether an image of its own says so."""

    shift_um: XY
    by_image: bool


class Finding:
    """Finds the area and the targets of a job.

    Parameters
    ----------
    scope, job, looking, notes
        Where, what, how, and who is told.
    view_aside_um : XY
        Where View images show what is in the centre of Record images (specimen plane, µm from their centre), as far as
        their references do not make up for that.
    """

    def __init__(
        self, scope: Microscope, job: Job, looking: Looking, notes: Notes, view_aside_um: XY = ORIGIN
    ) -> None:
        self._scope = scope
        self._job = job
        self._looking = looking
        self._notes = notes
        self.view_aside_um = view_aside_um

    def area(self, item: Item) -> None:
        """Bring the area to the centre of View, at eucentric height and the tilt at which it was picked."""
        settings = self._job.settings
        self._notes.step("move", f"Moving to item {item.label}, {self._job.files.root}")
        if abs(self._scope.tilt_deg() - settings.tiltTargets) > 0.1:
            self._scope.tilt_to(settings.tiltTargets)
        self._scope.move_to_item(item)
        self._notes.step("eucentricity", "Finding the eucentric height")
        try:
            self._scope.find_eucentric_height()
        except ScopeError as err:
            self._notes.warn(f"the stage stays at its height ({err})")
        self._looking.count_views(EUCENTRICITY_IMAGES)
        # Only now: finding the height moves the stage, and with it what had been centred.
        if not (settings.realignToItem and self._realign(item)):
            self._centre_in_view()

    def _realign(self, item: Item) -> bool:
        self._notes.step("realign", f"Realigning to item {item.label} by its map")
        try:
            self._scope.realign_to_item()
        except ScopeError as err:
            self._notes.warn(f"{err}; the View reference is compared instead")
            return False
        return True

    def _centre_in_view(self) -> None:
        self._notes.step("realign", "Realigning to the tracking target")
        shift = XY(0.0, 0.0)
        for _ in range(2):  # a stage that is moved does not come to rest exactly where it was sent
            self._scope.aim(shift, self._scope.focus_um(), compensate_beam_tilt=False)
            offset = self._in_view(self._job.targets.tracking)
            if not isinstance(offset, XY):
                return
            shift = shift.plus(offset)
            self._scope.aim(shift, self._scope.focus_um(), compensate_beam_tilt=False)
            if shift.length < STAGE_PRECISION_UM:
                return
            self._scope.recentre_stage()
            shift = XY(0.0, 0.0)

    def tracking_target(self, focus_um: float) -> XY:
        """Specimen shift that centres the tracking target, as exactly as its references or the hole allow.

        `focus_um` is the focus for the images.
        """
        shift = self._scope.shift_um()
        tracking = self._job.targets.tracking
        limit_um = max(1.0, self._job.settings.alignLimit)
        looks = self._looks_at_tracking_target(tracking)
        is_widened = in_preview = False
        while looks:
            area = looks.pop(0)
            self._scope.aim(shift, focus_um, compensate_beam_tilt=False)
            if area is Area.PREVIEW:
                offset = self._looking.compare(area, tracking, tracking.reference, limit_um)
                if isinstance(offset, Missing) and not is_widened and Area.PREVIEW in looks:
                    is_widened = True  # once only: a target that no image shows would cost dose without end
                    looks = [Area.VIEW, *looks, Area.PREVIEW]  # it may lie outside the small field
            else:
                offset = self._in_view(tracking)
            if isinstance(offset, XY):
                shift = shift.plus(offset)
                in_preview = in_preview or area is Area.PREVIEW
                if offset.length < WELL_CENTRED_UM and (area is Area.PREVIEW or Area.PREVIEW not in looks):
                    break
        if not self._looking.has_virtual(tracking.view) or self._job.settings.alignToP:
            return shift
        if not in_preview:
            self._look_beside(shift, focus_um)
            return shift.minus(self.view_aside_um)
        if any(map(self._is_in_virtual_view, self._job.active)):
            self._compare_view_with_record(shift, focus_um)
        return shift

    def _is_in_virtual_view(self, target: Target) -> bool:
        """Whether a target is to be found by a View reference that was cut out of a map."""
        return Area.VIEW in self._looks(target) and self._looking.has_virtual(target.view)

    def _compare_view_with_record(self, shift: XY, focus_um: float) -> None:
        """See where the tracking target, centred in Record, lies in View.

        A View reference that was taken at a target makes up for that itself; one that was cut out of a map has in its
        centre what View images have, and that is not quite what Record has.
        """
        self._scope.aim(shift, focus_um, compensate_beam_tilt=False)
        offset = self._in_view(self._job.targets.tracking)
        if isinstance(offset, XY) and offset.length < MOST_ASIDE_UM:
            self._believe(offset)

    def _believe(self, offset: XY) -> None:
        self.view_aside_um = offset
        self._notes.note("view_aside", offset_nm=[offset.x * 1000, offset.y * 1000])

    def _look_beside(self, shift: XY, focus_um: float) -> None:
        """See at a structure beside the targets how View lies to Record, where the tracking target shows nothing."""
        self._notes.step("compare_view", "Comparing View with Record beside the targets")
        offset = view_aside_um(self._scope, self._job, self._looking, shift, focus_um)
        if isinstance(offset, XY):
            self._believe(offset)
        else:
            self._notes.warn(
                f"View could not be compared with Record beside the targets ({offset.reason}): targets are as far off "
                "as the centres of the two are apart"
            )

    def _looks_at_tracking_target(self, tracking: Target) -> list[Area]:
        """Images to compare; a second one corrects what the first shift got wrong."""
        if self._job.settings.alignToP:
            return [Area.VIEW, Area.VIEW]
        if self._looking.has(tracking.reference):
            return [Area.PREVIEW, Area.PREVIEW]
        if self._looking.has(tracking.view):
            return [Area.VIEW, Area.VIEW]
        return [Area.PREVIEW]  # nothing is taken: it is said that there is no reference

    def target(self, target: Target, shift: XY, look_um: float) -> Found | None:
        """Where another target is, aimed at; None if it is out of reach.

        Parameters
        ----------
        target : Target
            Not the tracking target, which has been centred already.
        shift : XY
            Where geometry expects it (specimen shift, µm); aimed at when this is called.
        look_um : float
            Focus for the images.
        """
        by_image = False
        for area in self._looks(target):
            if area is Area.PREVIEW:
                limit_um = self._job.settings.alignLimit
                offset = self._looking.compare(area, target, target.reference, limit_um)
            else:
                offset = self._in_view(target)
            if not isinstance(offset, XY):
                continue
            if area is Area.VIEW and self._is_in_virtual_view(target):
                offset = offset.minus(self.view_aside_um)
            shift, by_image = shift.plus(offset), True
            self._notes.note(
                "found",
                target=target.number,
                shift_um=list(shift),
                correction_nm=[offset.x * 1000, offset.y * 1000],
                reference="hole" if self._job.settings.alignToP else area.value,
            )
            if not self._scope.aim(shift, look_um, compensate_beam_tilt=False):
                self._notes.skip(target, f"needs an image shift of {shift.length:.1f} µm, beyond the limit")
                return None
        return Found(shift, by_image)

    def _looks(self, target: Target) -> list[Area]:
        settings = self._job.settings
        if target.number == self._job.targets.tracking.number:
            return []
        if settings.alignToP:
            return [Area.VIEW] if settings.viewAli or settings.previewAli else []
        wanted = ((Area.VIEW, settings.viewAli), (Area.PREVIEW, settings.previewAli))
        return [area for area, is_wanted in wanted if is_wanted]

    def _in_view(self, target: Target) -> ShiftOrMissing | None:
        if self._job.settings.alignToP:
            limit_um = hole_limit_um(self._job, self._scope.tilt_deg())
            if self._job.settings.tgtPattern and target.number == self._job.targets.tracking.number:
                limit_um *= ANY_HOLE
            return self._looking.compare_with_hole(target, limit_um)
        return self._looking.compare(Area.VIEW, target, target.view, VIEW_LIMIT_UM)
