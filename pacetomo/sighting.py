"""Where a target is seen in its image: aligned to its images before, or to its Preview at the start."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pacetomo.books import Books
from pacetomo.correlation import find
from pacetomo.earlier_images import Earlier, Kept, conditioned
from pacetomo.frames import ORIGIN, XY, Matrix2
from pacetomo.geometry import SamplePlane
from pacetomo.job import Job
from pacetomo.montage import CENTRE
from pacetomo.plan import Exposure
from pacetomo.recent import RecentImages
from pacetomo.schemes import Branch
from pacetomo.scope.protocol import Microscope, Missing, PictureOrMissing, ShiftOrMissing, Shot
from pacetomo.taking import Taking
from pacetomo.tracking import Region

TRACKING_REACH = 0.75
"""Share of the image's shorter side by which the tracking target may be off and still be followed."""

SURE = 4.0
"""Standard deviations within which a target is looked for."""

NEAR_UM = 0.1
"""Within this distance of where it is expected a target is looked for first: fast, and right nearly always."""

LONGEST_PX = 256
"""Longer side of the reduced images that are compared: beyond that there is mostly noise, and time to be lost."""

SAME_UM = 1e-6


class _Image(NamedTuple):
    """The image of an exposure, as it is compared."""

    exposure: Exposure
    pixels: Kept
    to_specimen: Matrix2
    tilt_deg: float


class Sighting:
    """Tells where targets are seen (specimen plane, µm).

    Images of Record as it is are compared here, with several before them and in the geometry of their own tilt
    (`pacetomo.correlation`). SerialEM aligns all others, and those in which no peak stands out here.

    Parameters
    ----------
    scope, job, taking
        Where, what, and how images are taken.
    books : Books
        Told of every alignment that is not used.

    Attributes
    ----------
    sigma_um : XY or None
        Standard deviation of the latest offset; None where SerialEM has aligned the image, which tells none.
    """

    def __init__(self, scope: Microscope, job: Job, taking: Taking, books: Books) -> None:
        self._scope = scope
        self._job = job
        self._taking = taking
        self._books = books
        self._slopes = job.plane.slopes()
        self._recent = RecentImages(job.settings.alignImages)
        self._latest: _Image | None = None
        self._told: set[str] = set()
        self.sigma_um: XY | None = None

    def use_plane(self, plane: SamplePlane) -> None:
        """From here on images are stretched as another sample plane is."""
        self._slopes = plane.slopes()

    def offset_um(
        self,
        exposure: Exposure,
        reference: tuple[int, XY] | None,
        shot: Shot,
        tracks: bool,
        region: Region | None = None,
    ) -> XY | None:
        """Where the target is seen in the image just taken, from where it was aimed at; None if that cannot be told.

        The alignment tells where the reference's centre lies in this image. The target was off that centre by what
        was found then, so the two add up; otherwise each error would come back with the opposite sign. A montage that
        has travelled is not centred on its target: where it was aimed at counts.

        Parameters
        ----------
        exposure : Exposure
            The image.
        reference : tuple of (int, XY), or None
            Section to align to, and where in it the target was seen from its centre (µm).
        shot : Shot
            What the image is like.
        tracks : bool
            Whether the target is followed wherever it went.
        region : Region, optional
            Where it is expected; the search goes as far around that as the region does, if need be.
        """
        self.sigma_um = None
        self._latest = self._look(exposure)
        travelled_um = self._taking.travelled_um(exposure)
        if reference is None:
            return self._measure_first(exposure, travelled_um)
        section, off_centre_um = reference
        expected_um = ORIGIN if region is None else region.centre_um
        # As far as two images have enough in common to tell.
        farthest_um = TRACKING_REACH * min(shot.field_um)
        sure_um = 0.0 if region is None else min(SURE * region.sigma_um.length, farthest_um)
        radius_um = max(self._taking.limit_um(exposure, shot), sure_um)
        if tracks:  # it must be followed wherever the stage went
            radius_um = max(radius_um, farthest_um)
        near_um = min(max(NEAR_UM, sure_um), radius_um)
        offset = self._in_arrays(reference, expected_um, sorted({near_um, radius_um}))
        if not isinstance(offset, Missing):
            return offset
        centre_um = expected_um.minus(off_centre_um).minus(travelled_um)
        offset = self._taking.offset(exposure, section, radius_um, centre_um)
        if isinstance(offset, Missing):
            self._books.warn(f"alignment not used ({offset.reason})", exposure)
            return None
        return offset.plus(off_centre_um).plus(travelled_um)

    def remember(self, exposure: Exposure, applied_um: XY, found_um: XY | None, believed_um: XY) -> None:
        """Keep the image just taken for those to come.

        Parameters
        ----------
        exposure : Exposure
        applied_um : XY
            Shift it was taken at.
        found_um : XY, or None
            What `offset_um` told of it.
        believed_um : XY
            Shift that would have centred the target, as the tracking model believes now. A model that believes
            something else than what was found lets the target's chain of alignments begin with this image.
        """
        if self._latest is None or self._latest.exposure is not exposure:
            return
        off_centre_um = found_um or ORIGIN
        image = Earlier(self._latest.pixels, self._latest.tilt_deg, off_centre_um)
        at_start = exposure.branch is Branch.START
        afresh = not at_start and believed_um.minus(applied_um).minus(off_centre_um).length > SAME_UM
        self._recent.add(exposure.target, exposure.branch, image, found_um is not None or at_start, afresh)

    def _look(self, exposure: Exposure) -> _Image | None:
        """The image just taken as an array; None where SerialEM is to align it."""
        target = exposure.target
        is_single = self._taking.montage(target).tiles == (CENTRE,)
        if not (self._job.settings.alignImages and self._taking.is_plain(target) and is_single):
            return None
        return self._compared(exposure, self._scope.picture(LONGEST_PX))

    def _compared(self, exposure: Exposure, picture: PictureOrMissing) -> _Image | None:
        """A picture as it is compared; None, and a note of why, if it cannot be."""
        pixels = picture if isinstance(picture, Missing) else conditioned(picture.pixels)
        if isinstance(picture, Missing) or isinstance(pixels, Missing):
            why = picture if isinstance(picture, Missing) else pixels
            if isinstance(why, Missing) and why.reason not in self._told:
                self._told.add(why.reason)
                self._books.note("step", name="alignment", text=f"SerialEM aligns the image: {why.reason}")
            return None
        return _Image(exposure, pixels, picture.to_specimen, picture.tilt_deg)

    def _in_arrays(
        self, reference: tuple[int, XY], expected_um: XY, radii_um: Sequence[float]
    ) -> ShiftOrMissing:
        """Where the target is seen, by the latest images of it; looked for near by, then farther."""
        image = self._latest
        if image is None:
            return Missing("the image is not compared here")
        exposure = image.exposure
        earlier = self._recent.of(exposure.target, exposure.branch) or self._reread(exposure, *reference)
        why = Missing("there is nowhere to look")
        for radius_um in radii_um:
            found = find(
                image.pixels,
                image.tilt_deg,
                earlier,
                image.to_specimen,
                self._slopes,
                expected_um,
                radius_um,
            )
            if not isinstance(found, Missing):
                self.sigma_um = found.sigma_um
                return found.offset_um
            why = found
        return why

    def _reread(self, exposure: Exposure, section: int, off_centre_um: XY) -> tuple[Earlier, ...]:
        """The latest image of a target from its stack, as after a resume."""
        picture = self._scope.saved_picture(self._taking.series(exposure.target), section, LONGEST_PX)
        image = self._compared(exposure, picture)
        return () if image is None else (Earlier(image.pixels, image.tilt_deg, off_centre_um),)

    def _measure_first(self, exposure: Exposure, travelled_um: XY) -> XY | None:
        """Where the target is seen in its first image, from its aim, by its Preview reference; None if unknown."""
        path = self.start_reference(exposure)
        if path is None:
            return None
        limit_um = self._job.settings.alignLimit + travelled_um.length
        offset = self._scope.offset_from_file(path, 0, limit_um)
        if isinstance(offset, Missing):
            self._books.warn(f"not aligned to its Preview reference ({offset.reason})", exposure)
            return None
        return offset.plus(travelled_um)

    def start_reference(self, exposure: Exposure) -> Path | None:
        """Preview that a first image is compared with; None where it was taken in another way."""
        if exposure.branch is not Branch.START or not self._taking.is_plain(exposure.target):
            return None
        return self._job.start_reference(exposure.target)
