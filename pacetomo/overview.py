"""Looking for the targets in View during a run, where an image of their own may have missed them.

A View image shows many times the field of Record at a small part of its dose, and all targets move together. So it
tells where the stage went when it has jumped, or may have: at the first tilt of the second branch, or when the
alignment of the tracking target failed. View and Record are never quite on one centre; that is why a View image is
compared with another one, taken where the tracking target's place was known.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

from pacetomo.books import Books
from pacetomo.errors import ScopeError
from pacetomo.finding import VIEW_LIMIT_UM, hole_limit_um
from pacetomo.focusing import Focusing
from pacetomo.frames import XY
from pacetomo.job import Job
from pacetomo.pattern import read_lattice
from pacetomo.plan import Exposure
from pacetomo.schemes import Branch
from pacetomo.scope.protocol import Area, Imaging, Microscope, Missing
from pacetomo.taking import Taking
from pacetomo.tracking import Sight, TrackingModel

REACH_SHARE = 0.35
"""Share of the image's shorter side by which a target may be off and its alignment is still sure."""

VIEW_SIGMA_UM = 0.03
VIEW_SCALE_ERROR = 0.03
"""Standard deviation of a place found in View, and what the calibrations of View and Record add to it per µm."""

MOST_IN_VAIN = 2
"""Looks on a branch after failed alignments which showed the target in its place: it has no contrast, not the stage."""


def view_series(series: str) -> str:
    """Name of the stack that keeps the View images of a run.

    >>> view_series("area_ts_001.mrc")
    'area_ts_001_view.mrc'
    """
    path = Path(series)
    return f"{path.stem}_view{path.suffix}"


class _Kept(NamedTuple):
    """A View image: tilt, section, and where the tracking target lies in it from its centre (µm)."""

    tilt_deg: float
    section: int
    off_centre_um: XY


class Overview:
    """View images of the tracking target's surroundings, and what they tell the model.

    Parameters
    ----------
    scope, job, books
        Where, what, and who is told.
    taking, focusing, model
        How images are taken, at which focus, and who predicts.
    """

    def __init__(
        self,
        scope: Microscope,
        job: Job,
        books: Books,
        taking: Taking,
        focusing: Focusing,
        model: TrackingModel,
    ) -> None:
        self._scope = scope
        self._job = job
        self._books = books
        self._taking = taking
        self._focusing = focusing
        self._model = model
        self._own = job.targets.tracking.number
        series = taking.series(self._own)
        self._path = series.with_name(view_series(series.name))
        self._kept: list[_Kept] = []
        self._in_vain: dict[Branch, int] = {}
        self._is_wanted = job.settings.trackTwice == "auto" and not taking.is_coarse(self._own)
        self._field_um = math.inf
        self._unsaved: tuple[float, XY] | None = None

    def keep_first(self, exposure: Exposure, tilt_deg: float) -> None:
        """Take the image that later ones are compared with, at the start tilt with all targets in place."""
        if self._is_wanted and self._view(exposure, tilt_deg) is not None:
            self._unsaved = (tilt_deg, XY(0.0, 0.0))
            self.save()

    def before(self, exposure: Exposure, tilt_deg: float) -> bool:
        """Look where the model does not know the target well enough for an image of it.

        False where it would have been better to look but nothing came of it.

        Parameters
        ----------
        exposure : Exposure
            Of the target that the others follow.
        tilt_deg : float
        """
        branch, reach_um = exposure.branch, REACH_SHARE * self._field_um
        if not self._is_wanted or branch is Branch.START:
            return True
        if not self._model.wants_look(exposure.target, tilt_deg, branch, reach_um):
            return True
        found_um = self._look(exposure, tilt_deg, "it may lie outside its image")
        self.save()
        return found_um is not None

    def after(
        self, exposure: Exposure, tilt_deg: float, found_um: XY | None, field_um: float, compared: bool
    ) -> None:
        """Look where an alignment of the target that the others follow failed, or contradicts all that is known.

        The target's own image must have been dealt with but for its metadata: `save` keeps the View image, once the
        target's stack is closed.

        Parameters
        ----------
        exposure, tilt_deg
            The target's image.
        found_um : XY or None
            Its residual.
        field_um : float
            Shorter side of the image.
        compared : bool
            Whether there was anything to align it to.
        """
        branch = exposure.branch
        self._field_um = field_um if field_um > 0 else self._field_um
        if not (self._is_wanted and compared) or branch is Branch.START:
            return
        if not self._model.doubts(exposure.target, tilt_deg, branch, found_um):
            return
        if found_um is None and self._in_vain.get(branch, 0) >= MOST_IN_VAIN:
            return
        why = "its alignment failed" if found_um is None else "its alignment is not as expected"
        place_um = self._look(exposure, tilt_deg, why)
        if place_um is not None and place_um.length < 2 * VIEW_SIGMA_UM:
            self._in_vain[branch] = self._in_vain.get(branch, 0) + 1
        elif place_um is not None:
            self._in_vain[branch] = 0

    def _look(self, exposure: Exposure, tilt_deg: float, why: str) -> XY | None:
        """Find the tracking target in View and tell the model; how far off its aim it is."""
        if not self._kept:
            return None
        aimed_um = self._view(exposure, tilt_deg)
        if aimed_um is None:
            return None
        reference = min(self._kept, key=lambda kept: abs(kept.tilt_deg - tilt_deg))
        offset = self._scope.offset_from_file(self._path, reference.section, self._limit_um(tilt_deg))
        if isinstance(offset, Missing):
            self._books.warn(f"the targets were not found in View ({offset.reason})", exposure)
            return None
        off_um = offset.plus(reference.off_centre_um)
        self._unsaved = (tilt_deg, off_um)
        sigma_um = VIEW_SIGMA_UM + VIEW_SCALE_ERROR * off_um.length
        self._model.sight(
            Sight(
                self._own,
                tilt_deg,
                exposure.branch,
                aimed_um.plus(off_um),
                sigma_um,
                self._scope.clock_s(),
            )
        )
        self._books.step(
            "look",
            f"Target {exposure.target} at {exposure.tilt_deg:g}°: {why}; View shows the targets "
            f"{1000 * off_um.x:+.0f}, {1000 * off_um.y:+.0f} nm from where they were expected",
            tilt_deg=tilt_deg,
            off_nm=[1000 * off_um.x, 1000 * off_um.y],
        )
        return off_um

    def _limit_um(self, tilt_deg: float) -> float:
        """How far off the targets are looked for; on a lattice of holes not as far as the next one."""
        if read_lattice(self._job.targets) is None:
            return VIEW_LIMIT_UM
        return min(VIEW_LIMIT_UM, hole_limit_um(self._job, tilt_deg))

    def _view(self, exposure: Exposure, tilt_deg: float) -> XY | None:
        """Take a View image at the tracking target; the specimen shift it was aimed with, None if there is none."""
        aim = self._model.aim(self._own, tilt_deg, exposure.branch)
        own = exposure._replace(target=self._own)
        focus_um = self._focusing.focus_um(own, aim, tilt_deg)
        try:
            if not self._scope.aim(
                aim.shift_um, focus_um, compensate_beam_tilt=False, imaging=Imaging(Area.VIEW)
            ):
                return None
            shot = self._scope.take(Area.VIEW)
        except ScopeError as err:
            self._is_wanted = False
            self._books.warn(f"View is not used to find the targets again ({err})")
            return None
        for target in self._job.active:  # all of them lie in its beam
            self._books.spend(target.number, self._books.dose_e_per_a2(target.number) + shot.dose_e_per_a2)
        return aim.shift_um

    def save(self) -> None:
        """Keep the View image just taken, if one was, for later comparisons; without it they use older ones."""
        if self._unsaved is None:
            return
        tilt_deg, off_centre_um = self._unsaved
        self._unsaved = None
        try:
            self._scope.open_series(self._path)
            try:
                section = self._scope.save_section()
            finally:
                self._scope.close_series()
        except ScopeError as err:
            self._books.warn(f"a View image is not kept ({err})")
            return
        self._kept.append(_Kept(tilt_deg, section, off_centre_um))
