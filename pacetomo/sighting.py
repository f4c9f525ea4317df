"""Where a target is seen in its image: aligned to its image before, or to its Preview at the start."""

from __future__ import annotations

from pathlib import Path

from pacetomo.books import Books
from pacetomo.frames import XY
from pacetomo.job import Job
from pacetomo.plan import Exposure
from pacetomo.schemes import Branch
from pacetomo.scope.protocol import Microscope, Missing, Shot
from pacetomo.taking import Taking
from pacetomo.tracking import Region

TRACKING_REACH = 0.75
"""Share of the image's shorter side by which the tracking target may be off and still be followed."""

SURE = 4.0
"""Standard deviations within which a target is looked for."""


class Sighting:
    """Tells where targets are seen (specimen plane, µm).

    Parameters
    ----------
    scope, job, taking
        Where, what, and how images are taken.
    books : Books
        Told of every alignment that is not used.
    """

    def __init__(self, scope: Microscope, job: Job, taking: Taking, books: Books) -> None:
        self._scope = scope
        self._job = job
        self._taking = taking
        self._books = books

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
            Where it is expected; the search goes as far as that if need be.
        """
        travelled_um = self._taking.travelled_um(exposure)
        if reference is None:
            return self._measure_first(exposure, travelled_um)
        section, off_centre_um = reference
        limit_um = self._taking.limit_um(exposure, shot)
        if tracks:
            # It must be followed wherever the stage went, as far as two images have enough in common to tell.
            limit_um = max(limit_um, TRACKING_REACH * min(shot.field_um))
        if region is not None:
            centre_um = region.centre_um.minus(off_centre_um).minus(travelled_um)
            reach_um = centre_um.length + SURE * region.sigma_um.length
            limit_um = max(limit_um, min(reach_um, TRACKING_REACH * min(shot.field_um)))
        offset = self._taking.offset(exposure, section, limit_um)
        if isinstance(offset, Missing):
            self._books.warn(f"alignment not used ({offset.reason})", exposure)
            return None
        return offset.plus(off_centre_um).plus(travelled_um)

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
