"""Taking the image of one exposure: from the shift to the saved section.

Everything that costs dose during a series goes through `Taking.record`.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from pacetomo.books import Books
from pacetomo.frames import XY
from pacetomo.job import Job
from pacetomo.plan import Exposure
from pacetomo.schemes import Branch
from pacetomo.scope.protocol import Microscope, ShiftOrMissing, Shot


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
    """

    def __init__(self, scope: Microscope, job: Job, books: Books) -> None:
        self._scope = scope
        self._job = job
        self._books = books
        self._compensate = job.settings.beamTiltComp and scope.can_compensate_beam_tilt()
        if job.settings.beamTiltComp and not self._compensate:
            books.warn("beam tilt against image shift is not calibrated: beamTiltComp has no effect")
        self._series = {target.number: job.files.folder / target.series for target in job.active}

    def series(self, target: int) -> Path:
        """Stack of a target's images."""
        return self._series[target]

    def aim(self, exposure: Exposure, shift_um: XY, focus_um: float) -> bool:
        """Go where the image shall be taken; False (nothing changed) if that is beyond the image-shift limit."""
        return self._scope.aim(shift_um, focus_um, self._compensate)

    def open(self, exposure: Exposure) -> None:
        """Make the exposure's stack the current one."""
        self._scope.open_series(self._series[exposure.target])

    def record(self, exposure: Exposure, before_e_per_a2: float, wanted_defocus_um: float) -> Taken:
        """Take and save the image; nothing may stand between the two."""
        zero_s = self._job.settings.zeroExpTime
        if zero_s > 0:
            self._scope.set_record_exposure(zero_s if exposure.branch is Branch.START else None)
        self._scope.set_prior_dose(exposure.target, before_e_per_a2)
        self._scope.set_wanted_defocus(wanted_defocus_um)
        return Taken(*self._scope.record(frame_name=self._series[exposure.target].stem))

    def offset(self, exposure: Exposure, section: int, limit_um: float) -> ShiftOrMissing:
        """Where the content of an earlier image's centre lies in the image just taken (µm)."""
        return self._scope.offset_from_file(self._series[exposure.target], section, limit_um)

    def close(self) -> None:
        """Close the stack."""
        self._scope.close_series()
