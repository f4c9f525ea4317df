"""Taking the image of one exposure: from the shift to the saved section.

Everything that costs dose during a series goes through `Taking.record`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from pacetomo.books import Books
from pacetomo.dosing import Dosing
from pacetomo.errors import ImageNotSavedError
from pacetomo.frames import XY
from pacetomo.job import Job
from pacetomo.montage import CENTRE, Montage, Tile
from pacetomo.plan import Exposure, Prices
from pacetomo.retaking import Retaking
from pacetomo.room import FullDisk, ending, lacking_room
from pacetomo.scope.protocol import Area, Imaging, Microscope, ShiftOrMissing, Shot
from pacetomo.targets import Target
from pacetomo.tile_books import TileBooks, read_tiles
from pacetomo.upkeep import Upkeep

AREAS = {"R": Area.RECORD, "V": Area.VIEW, "S": Area.SEARCH}
"""Low-dose areas by their letters in target files."""

COARSE = (Area.VIEW, Area.SEARCH)

COARSE_REACH = 0.1
"""Share of a View or Search image's shorter side within which the next one is looked for.

Their pixels are tens of times those of Record, so `alignLimit` can be a few pixels only; half a lattice of holes is
still beyond this.
"""


def track_series(series: str) -> str:
    """Name of the stack that keeps the first images of a target that is taken twice.

    >>> track_series("area_ts_001.mrc")
    'area_ts_001_track.mrc'
    """
    path = Path(series)
    return f"{path.stem}_track{path.suffix}"


class Taken(NamedTuple):
    """An image in its series: what it is like, and its section from 0."""

    shot: Shot
    section: int


class Taking:
    """Images of the exposures of a job.

    Parameters
    ----------
    scope, job, books
        Where, what, and what has been spent so far.
    upkeep : Upkeep
        Asked what made an image dark.
    """

    def __init__(self, scope: Microscope, job: Job, books: Books, upkeep: Upkeep) -> None:
        self._scope = scope
        self._job = job
        self._books = books
        self._upkeep = upkeep
        # A tile of a montage is compared with its own images before, and has a dose of its own.
        self._retaking = {CENTRE: Retaking(scope, books, upkeep)}
        self._compensate = job.settings.beamTiltComp and scope.can_compensate_beam_tilt()
        if job.settings.beamTiltComp and not self._compensate:
            books.warn("beam tilt against image shift is not calibrated: beamTiltComp has no effect")
        self._record_s = scope.record_exposure_s()
        self._dosing = job.dosing(self._record_s)
        # Areas beside Record have a beam of their own: what is scaled for Record would be wrong there.
        as_set = replace(job.settings, exposureScaling="constant", totalDose=0.0)
        self._dosing_beside = Dosing(as_set, job.stops, job.targets.tracking.number, self._record_s)
        self._told_of_dose = False
        self._unsaved = 0
        self._frames = ""
        self._open: Path | None = None
        self._image_bytes = 0
        self._seconds_now: float | None = None
        self._tilts_deg = [stop.tilt_deg for stop in job.stops]
        self._series = {target.number: job.files.folder / target.series for target in job.active}
        self._imaging = {target.number: self._imaging_of(target) for target in job.active}

    def series(self, target: int, tile: Tile = CENTRE) -> Path:
        """Stack of a target's images, or of those of one tile."""
        path = self._series[target]
        return path.with_name(self.montage(target).series(path.name, tile))

    def montage(self, target: int) -> Montage:
        """Tiles of a target."""
        return self._job.montage(target)

    def imaging(self, target: int) -> Imaging:
        """Area and magnification of a target's images."""
        return self._imaging[target]

    def travelled_um(self, exposure: Exposure) -> XY:
        """Where the centre tile lies from its target."""
        return self.montage(exposure.target).travelled_um(exposure.tilt_deg, self._tilts_deg)

    def is_coarse(self, target: int) -> bool:
        """Whether a target is imaged in View or Search."""
        return self._imaging[target].area in COARSE

    def is_plain(self, target: int) -> bool:
        """Whether a target is imaged in Record as it is, so that its images compare with Previews."""
        return self._imaging[target] == Imaging()

    def is_taken_twice(self, exposure: Exposure) -> bool:
        """Whether a first image is to centre the target for the one in its series, at every tilt."""
        return (
            self._job.settings.trackTwice == "always" and exposure.target == self._job.targets.tracking.number
        )

    def limit_um(self, exposure: Exposure, shot: Shot) -> float:
        """How far off the target may be found."""
        limit_um = self._job.settings.alignLimit
        if self.is_coarse(exposure.target):
            limit_um = max(limit_um, COARSE_REACH * min(shot.field_um))
        return limit_um

    def _imaging_of(self, target: Target) -> Imaging:
        """Area and magnification of a target's images; those of the tracking target may be its own."""
        settings, area = self._job.settings, AREAS[target.area]
        if target.number != self._job.targets.tracking.number:
            return Imaging(area)
        return Imaging(Area.TRIAL if settings.trackUseTrial else area, settings.trackMag or None)

    def _seconds(self, exposure: Exposure) -> float | None:
        """Exposure of an image; None for that of its camera set."""
        in_record = self._imaging[exposure.target].area is Area.RECORD
        return (self._dosing if in_record else self._dosing_beside).seconds(exposure)

    def longer_s(self, exposure: Exposure) -> float:
        """How much longer than Record's own its exposures are, those of its further tiles and a first one included."""
        seconds = self._seconds(exposure)
        if seconds is None:
            return 0.0
        tiles = len(self.montage(exposure.target).tiles)
        return (tiles + self.is_taken_twice(exposure)) * (seconds - self._record_s)

    def extra_s(self, exposure: Exposure) -> float:
        """How much longer than an image at Record's own exposure it takes, its further tiles included."""
        prices = Prices()
        tiles_s = (len(self.montage(exposure.target).tiles) - 1) * prices.tile_s
        first_s = prices.exposure_s if self.is_taken_twice(exposure) else 0.0
        return self.longer_s(exposure) + tiles_s + first_s

    def aim(self, exposure: Exposure, shift_um: XY, focus_um: float) -> bool:
        """Go where the image shall be taken; False (nothing changed) if that is beyond the image-shift limit.

        Raises
        ------
        AreaError
            When the images before could not be saved: no more dose is spent on lost images.
        """
        policy = self._job.policies.of("images_unsaved")
        if self._unsaved >= policy.limit:
            raise ending(
                policy.then,
                f"{self._unsaved} images in a row could not be saved: see to the disk, then start this area again",
            )
        imaging = self._imaging[exposure.target]
        # Coma does not show in View and Search, whose beam is tilted by offsets of its own.
        compensate = self._compensate and imaging.area not in COARSE
        return self._scope.aim(shift_um, focus_um, compensate, imaging)

    def open(self, exposure: Exposure, first_of_two: bool = False, tile: Tile = CENTRE) -> None:
        """Make the stack of the exposure, or of a tile, the current one, or the one of first images.

        Waits while there is no room for another image, or for what has to be noted of it.

        Raises
        ------
        AreaError
            When there is none for too long.
        """
        path = self._series[exposure.target]
        if self._wait_for_room(path.parent):
            self._upkeep.before_image()
        first = path.with_name(track_series(path.name))
        self._open = first if first_of_two else self.series(exposure.target, tile)
        self._scope.open_series(self._open)

    def name_frames(self, exposure: Exposure, first_of_two: bool = False, tile: Tile = CENTRE) -> str:
        """Base name of the frames of the next image, to be noted before it is exposed."""
        if tile == CENTRE:
            order = self._books.state.numbered(exposure.target).sections + 1
        else:
            order = read_tiles(self._books.state, exposure.target).of(tile).section + 2
        path = self.series(exposure.target, tile)
        stem = Path(track_series(self._series[exposure.target].name)).stem if first_of_two else path.stem
        self._frames = self._books.frames.new(stem, order, exposure.tilt_deg)
        return self._frames

    def _wait_for_room(self, folder: Path) -> bool:
        """Wait until there is room on the disk; whether that took any time."""
        disk = FullDisk(self._scope.wait, self._books.step, self._job.policies.of("disk_full"))
        while True:
            reason = self._books.want_of_room() or lacking_room(folder, self._image_bytes)
            if reason is None:
                disk.over()
                return disk.waited_s > 0
            disk.wait_once(reason)

    def _learn_size(self, sections: int) -> None:
        """Know how much room an image needs, by the stack that has just got one."""
        if self._open is None:
            return
        try:
            self._image_bytes = max(self._image_bytes, self._open.stat().st_size // sections)
        except OSError:  # held by another program: the next image tells
            return

    def record(
        self, exposure: Exposure, before_e_per_a2: float, wanted_defocus_um: float, tile: Tile = CENTRE
    ) -> Taken:
        """Take and save the image; nothing may stand between the two. What came out dark first is on the books."""
        imaging = self._imaging[exposure.target]
        if tile not in self._retaking:
            own = TileBooks(self._books, tile)
            self._retaking[tile] = Retaking(self._scope, self._books, self._upkeep, own)
        if tile == CENTRE:  # what it teaches of the dose rate does not change the tiles that follow it
            self._seconds_now = self._seconds(exposure)
        self._scope.set_exposure(imaging.area, self._seconds_now)
        self._scope.set_prior_dose(self._dose_account(exposure.target, tile), before_e_per_a2)
        self._scope.set_wanted_defocus(wanted_defocus_um)
        try:
            series = self.series(exposure.target, tile)
            taken = Taken(*self._retaking[tile].record(exposure, series, self._frames))
        except ImageNotSavedError:
            self._unsaved += 1
            raise
        self._unsaved = 0
        self._learn_size(taken.section + 1)
        if imaging == Imaging() and tile == CENTRE:
            self.learn_dose_rate(taken.shot)
        return taken

    def _dose_account(self, target: int, tile: Tile) -> int:
        """Account of a tile's dose; that of the centre tile is the target's number."""
        return target + max(self._series) * self.montage(target).tiles.index(tile)

    def learn_dose_rate(self, shot: Shot) -> None:
        """Scale to the total dose from here on, if this image with Record's beam tells the dose rate."""
        if not self._dosing.waits_for_dose_rate:
            return
        if shot.dose_e_per_a2 > 0 and shot.exposure_s > 0:
            self._dosing = self._dosing.with_dose_rate(shot.dose_e_per_a2 / shot.exposure_s)
            missed = self._dosing.missed_total()
            if missed is not None:
                self._books.warn(missed)
        elif not self._told_of_dose:
            self._told_of_dose = True
            self._books.warn("the dose is not calibrated in SerialEM: totalDose has no effect")

    def offset(self, exposure: Exposure, section: int, limit_um: float, centre_um: XY) -> ShiftOrMissing:
        """Where the content of an earlier image's centre lies in the image just taken (µm), expected at a place."""
        return self._scope.offset_from_file(self.series(exposure.target), section, limit_um, centre_um)

    def close(self) -> None:
        """Close the stack."""
        self._scope.close_series()

    def release(self) -> None:
        """Put back what only this image needed."""
        self._scope.release()
