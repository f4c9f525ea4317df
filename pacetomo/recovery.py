"""Taking up an interrupted run on the microscope: images not yet noted, the stage, and finding the targets again."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

from pacetomo import annotation
from pacetomo.approach import approach_deg
from pacetomo.beam_dose import BesideBooks
from pacetomo.books import Books
from pacetomo.errors import PaceError, ScopeError
from pacetomo.files.exchange import mdoc_of
from pacetomo.files.mdoc import read_mdoc, write_mdoc
from pacetomo.frames import ORIGIN, XY
from pacetomo.job import Job
from pacetomo.metadata_keys import SPECIMEN_SHIFT
from pacetomo.montage import Tile
from pacetomo.overview import view_series
from pacetomo.plan import Exposure
from pacetomo.prepare import Prepared
from pacetomo.resume import Interrupted, Mark, Seen, Taken, rounded_deg, side_of
from pacetomo.schemes import Branch
from pacetomo.scope.protocol import Area, Microscope, Missing
from pacetomo.taking import AREAS, track_series
from pacetomo.tile_books import TileBooks, read_tiles
from pacetomo.tile_recovery import adopt_tiles, named_tile, tile_stack
from pacetomo.tracking import Observation, TrackingModel

MOVED_UM = 1.0
"""A stage farther than this from where the area was set up has been moved."""

SAME_TILT_DEG = 0.5


class Unsaved(NamedTuple):
    """An exposure that was marked and is in no stack; `present` tells that its image is the present one."""

    exposure: Exposure
    mark: Mark
    present: bool


class Recovery:
    """Brings books, model and microscope to where an interrupted run can go on.

    Parameters
    ----------
    scope, job, books, model, prepared
        Where, what, who keeps the books and who predicts, and how the targets were found.
    before, taken
        What the run has left.
    beside : BesideBooks
        Told of the beam of every image that is taken up.
    """

    def __init__(
        self,
        scope: Microscope,
        job: Job,
        books: Books,
        model: TrackingModel,
        prepared: Prepared,
        before: Interrupted,
        taken: Taken,
        beside: BesideBooks,
    ) -> None:
        self._scope = scope
        self._job = job
        self._books = books
        self._model = model
        self._prepared = prepared
        self._before = before
        self._taken = taken
        self._beside = beside
        self._beside_e_per_a2: dict[tuple[int, int], float | None] = {}

    def images(self) -> frozenset[int]:
        """Note what was taken and not noted; the places in the plan of all that need not be taken any more."""
        done = set(self._taken.numbers)
        self._scope.close_left_open(self._stacks())
        for target, exposures in self._taken.exposures.items():
            for section, exposure in sorted(exposures.items()):
                self._adopt(target, section, exposure)
        adopt_tiles(self._job, self._books, self._scope.wait)
        unsaved = self._unsaved()
        if unsaved is not None and self._rescue(unsaved):
            done.add(unsaved.exposure.number)
        return frozenset(done)

    def _stacks(self) -> list[Path]:
        """All stacks of the run that may have been left open."""
        found = []
        for target in self._job.active:
            path = self._job.files.folder / target.series
            beside = [path.with_name(name(path.name)) for name in (track_series, view_series)]
            own = [self._job.files.folder / name for name in self._job.stacks(target)]
            found += [*own, *beside]
        return found

    # images

    def _adopt(self, target: int, section: int, exposure: Exposure) -> None:
        """Take up one section as far as the run file or the model do not know it."""
        state = self._books.state.numbered(target)
        is_noted = section < state.sections
        seen = self._before.seen.get((target, rounded_deg(self._tilt_deg(target, section))))
        if seen is not None:
            self._annotate(target, section, exposure, seen)
        if is_noted and (seen is not None or self._before.origin is None):
            return
        if not is_noted:
            dose = self._taken.sections[target][section].dose_e_per_a2
            self._count_beside(exposure, section, dose)
            self._books.book(exposure, section, self._books.dose_e_per_a2(target) + dose)
            text = f"Target {target} at {exposure.tilt_deg:g}°: its image was saved and not noted, it is taken up"
            self._books.step("adopted", text, target=target, tilt_deg=exposure.tilt_deg, section=section)
        if self._before.origin is None:
            return
        if seen is None:
            self._learn(target, section, exposure)
        else:  # the model knows it already: only the run file does not
            self._note_what_was_seen(target, section, exposure, seen)

    def _count_beside(self, exposure: Exposure, section: int, dose_e_per_a2: float) -> None:
        """Note what an image's neighbours had brought to it, and count what it has brought to them."""
        target = exposure.target
        self._beside_e_per_a2[target, section] = self._beside.before(target)
        self._beside.recorded(target, exposure.tilt_deg, dose_e_per_a2, self._area_of(target))

    def _learn(self, target: int, section: int, exposure: Exposure) -> None:
        """Align a saved image as it would have been after its exposure, and tell the model."""
        tilt_deg = self._tilt_deg(target, section)
        mark = self._mark_of(exposure)
        if mark is None:
            return
        found = self._residual_um(target, section, exposure)
        self._model.begin_tilt(tilt_deg, exposure.branch)
        now_s = self._scope.clock_s()
        self._model.observe(Observation(target, tilt_deg, exposure.branch, mark.shift_um, found, None, now_s))
        start_focus_um = self._prepared.focus_um.get(target)
        self._books.learn(exposure, self._model, mark.focus_um, found, start_focus_um=start_focus_um)
        self._books.save()
        self._annotate(target, section, exposure, Seen(mark.shift_um, found))

    def _note_what_was_seen(self, target: int, section: int, exposure: Exposure, seen: Seen) -> None:
        tilt_deg = self._tilt_deg(target, section)
        start_focus_um = self._prepared.focus_um[target]
        focus_um = start_focus_um - self._model.aim(target, tilt_deg, exposure.branch).rise_um
        self._books.learn(exposure, self._model, focus_um, seen.residual_um, start_focus_um=start_focus_um)

    def _mark_of(self, exposure: Exposure) -> Mark | None:
        mark = self._before.mark
        if mark is None or mark.target != exposure.target:
            return None
        return mark if abs(mark.tilt_deg - exposure.tilt_deg) < 1e-6 else None

    def _residual_um(self, target: int, section: int, exposure: Exposure) -> XY | None:
        """Where a target is seen in a saved image, by the latest image before it on its branch."""
        earlier = [
            (number, one)
            for number, one in self._taken.exposures[target].items()
            if number < section and one.branch in (exposure.branch, Branch.START)
        ]
        if not earlier:
            return XY(0.0, 0.0)
        reference = max(number for number, _ in earlier)
        off_centre = self._books.off_centre_um(target, side_of(exposure), reference)
        path = self._series(target)
        try:
            self._scope.load_section(path, section)
            offset = self._scope.offset_from_file(path, reference, self._job.settings.alignLimit)
        except ScopeError as err:
            offset = Missing(str(err))
        if isinstance(offset, Missing):
            self._books.warn(f"alignment not used ({offset.reason})", exposure)
            return None
        return offset.plus(off_centre)

    def _annotate(self, target: int, section: int, exposure: Exposure, seen: Seen) -> None:
        """Complete the metadata of a section that nobody has completed."""
        if not self._job.settings.extendedMdoc:
            return
        path = mdoc_of(self._series(target))
        known = self._books.branch(exposure)
        try:
            mdoc = read_mdoc(path, self._scope.wait)
            image = next(one for one in mdoc.images if one.kind == "ZValue" and one.name == str(section))
            if image.text(SPECIMEN_SHIFT) is not None:
                return
            place_um = seen.applied_um.plus(seen.residual_um or ORIGIN)
            beside_e_per_a2 = self._beside_e_per_a2.get((target, section))
            said = annotation.Seen(
                section, place_um, known.z0_um, seen.residual_um, beside_e_per_a2=beside_e_per_a2
            )
            for key, value in annotation.Annotations(self._job).of(target, said).items():
                image = image.with_value(key, value)
            write_mdoc(path, mdoc.with_image(section, image), self._scope.wait)
        except StopIteration:
            self._books.warn(f"{path.name} has no section {section}", exposure)
        except PaceError as err:
            self._books.warn(f"metadata of the image could not be completed ({err})", exposure)

    def _unsaved(self) -> Unsaved | None:
        """The exposure that was marked and is in no stack, if it may have been made."""
        mark = self._before.mark
        if mark is None:
            return None
        planned = [
            one
            for one in self._job.plan
            if one.target == mark.target and abs(one.tilt_deg - mark.tilt_deg) < 1e-6
        ]
        if not planned or not self._is_missing(mark, planned[0]):
            return None
        try:
            image = self._scope.present_image()
        except ScopeError as err:
            self._books.warn(f"the present image is not known ({err})")
            image = None
        if image is not None and mark.present is not None and image.identity == mark.present:
            return None  # the image before it is still the latest: the exposure was not made
        # An image that somebody has taken since, to look around, is another one though at the same tilt.
        is_it = (
            image is not None
            and abs(image.tilt_deg - mark.tilt_deg) <= SAME_TILT_DEG
            and image.area in (None, self._area_of(mark.target))
        )
        return Unsaved(planned[0], mark, is_it and mark.present is not None)

    def _area_of(self, target: int) -> Area:
        """Low-dose area that images of a target are taken in."""
        if target == self._job.targets.tracking.number and self._job.settings.trackUseTrial:
            return Area.TRIAL
        return AREAS[self._job.targets.numbered(target).area]

    def _is_missing(self, mark: Mark, exposure: Exposure) -> bool:
        """Whether what was marked is in no stack."""
        if mark.tile is None:
            return exposure.number not in self._taken.numbers
        return named_tile(mark.tile) in read_tiles(self._books.state, mark.target).left

    def _rescue(self, unsaved: Unsaved) -> bool:
        """Save an image that was exposed and not saved, if it is still there; whether it needs no exposure any more."""
        exposure = unsaved.exposure
        where = f"target {exposure.target} at {exposure.tilt_deg:g}°"
        tile = None if unsaved.mark.tile is None else named_tile(unsaved.mark.tile)
        if unsaved.present:
            path = self._series(exposure.target)
            if tile is not None:
                path = tile_stack(self._job, exposure.target, tile)
            try:
                self._scope.open_series(path)
                try:
                    section = self._scope.save_section()
                finally:
                    self._scope.close_series()
            except ScopeError as err:
                self._books.warn(f"the image of {where} is still there and cannot be saved ({err})")
            else:
                self._book_rescued(exposure, section, tile)
                return True
        if tile is not None:
            return self._leave_tile(exposure, tile)
        dose = self._usual_dose(exposure.target)
        self._books.spend(exposure.target, self._books.dose_e_per_a2(exposure.target) + dose)
        question = (
            f"The image of {where} was about to be taken when the run was interrupted, and it is not known whether it "
            "was. Leave it out? No takes it, perhaps a second time."
        )
        again = self._job.settings.retakeLost == "always"
        if self._job.settings.retakeLost == "ask":
            again = self._scope.ask(question) is False
        text = f"{where}: its image may have been exposed and was not saved; its dose is counted, it is "
        text += "taken again" if again else "not taken again (retakeLost)"
        self._books.warn(text)
        self._books.note("lost", target=exposure.target, tilt_deg=exposure.tilt_deg, taken_again=again)
        return not again

    def _leave_tile(self, exposure: Exposure, tile: Tile) -> bool:
        """Deal with a tile that may have been exposed and is lost: it is taken, at worst a second time.

        A montage with a hole is of no use, and a tile's dose is its own place's alone.
        """
        own = TileBooks(self._books, tile)
        own.spend(exposure.target, own.dose_e_per_a2(exposure.target) + self._usual_dose(exposure.target))
        text = f"tile {tile.name} may have been exposed and was not saved: its dose is counted, it is taken again"
        self._books.warn(text, exposure)
        return True

    def _book_rescued(self, exposure: Exposure, section: int, tile: Tile | None) -> None:
        target = exposure.target
        dose = self._usual_dose(target)
        if tile is not None:
            own = TileBooks(self._books, tile)
            own.book(target, section, own.dose_e_per_a2(target) + dose)
            text = f"Tile {tile.name} of target {target} was exposed and not saved, it is saved now"
            self._books.step("rescued", text, target=target, tilt_deg=exposure.tilt_deg, tile=tile.name)
            return
        self._count_beside(exposure, section, dose)
        self._books.book(exposure, section, self._books.dose_e_per_a2(target) + dose)
        text = (
            f"Target {target} at {exposure.tilt_deg:g}°: its image was exposed and not saved, it is saved now"
        )
        self._books.step("rescued", text, target=target, tilt_deg=exposure.tilt_deg, section=section)
        self._taken.exposures[target][section] = exposure
        if self._before.origin is not None:
            self._learn(target, section, exposure)

    def _usual_dose(self, target: int) -> float:
        """Dose of the latest image of a target, or of any."""
        for sections in (self._taken.sections.get(target, ()), *self._taken.sections.values()):
            for section in reversed(sections):
                if section.dose_e_per_a2 > 0:
                    return section.dose_e_per_a2
        return 0.0 if self._prepared.preview is None else self._prepared.preview.dose_e_per_a2

    def _tilt_deg(self, target: int, section: int) -> float:
        """Tilt of a section as read back."""
        found = [one for one in self._taken.sections[target] if one.number == section]
        tilt_deg = found[0].tilt_deg if found else None
        return self._taken.exposures[target][section].tilt_deg if tilt_deg is None else tilt_deg

    def _series(self, target: int) -> Path:
        return self._job.files.folder / self._job.stacks(self._job.targets.numbered(target))[0]

    # stage

    def stage(self, first: Exposure) -> bool:
        """Bring the stage to where the first exposure ahead can be reached; whether it had been elsewhere.

        Raises
        ------
        ScopeError
            When the stage cannot be brought there.
        """
        is_moved = self._send_back()
        up = first.branch is Branch.UP or (first.branch is Branch.START and self._job.first_direction > 0)
        limit_deg = self._scope.limits().max_tilt_deg
        self._scope.tilt_to(approach_deg(first.tilt_deg, 1.0 if up else -1.0, limit_deg))
        if first.branch is Branch.START:
            self._scope.tilt_to(self._prepared.start_tilt_deg)
        return is_moved

    def _send_back(self) -> bool:
        """Move the stage back to the area if it is elsewhere; whether it was, or may have been."""
        origin = self._before.origin
        wanted = None if origin is None else origin.options.get("stage_um")
        if wanted is None:
            return True
        away_um = math.dist(self._scope.stage_um(), wanted)
        if away_um <= MOVED_UM:
            return False
        self._books.warn(f"the stage has moved by {away_um:.1f} µm: it goes back to the area")
        self._scope.move_stage_to((wanted[0], wanted[1], wanted[2]))
        return True
