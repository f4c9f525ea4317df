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
from pacetomo.errors import MetadataError, ScopeError
from pacetomo.files.exchange import mdoc_of
from pacetomo.files.mdoc import MdocSection, read_mdoc
from pacetomo.finding import VIEW_LIMIT_UM, hole_limit_um
from pacetomo.focusing import Focusing
from pacetomo.frames import XY
from pacetomo.job import Job
from pacetomo.metadata_keys import RESIDUAL
from pacetomo.pattern import read_lattice
from pacetomo.plan import Exposure
from pacetomo.schemes import Branch
from pacetomo.scope.protocol import Area, Imaging, Microscope, Missing
from pacetomo.taking import Taking
from pacetomo.tracking import Sight, TrackingModel

REACH_SHARE = 0.5
"""Share of the image's shorter side by which a target may be off and its alignment is still sure."""

SURPRISE = 3.0
"""Standard deviations beyond which a place found in View is looked at twice."""

VIEW_SIGMA_UM = 0.03
VIEW_SCALE_ERROR = 0.03
"""Standard deviation of a place found in View, and what the calibrations of View and Record add to it per µm."""

AREAS_APART_UM = 0.3
"""How far the centres of View and Record usually are apart."""

STAYED_SIGMA_UM = 0.05
MOVED_SIGMA_UM = 0.5
SURE_SIGMA_UM = 0.05
"""Standard deviation of where the targets are after a break: of a stage that stayed, of one that was sent back, and how
well they should be known before their images are taken."""

PREVIEW_REACH = 0.6
"""Share of the Preview's shorter side within which the tracking target is looked for."""

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
    """A View image: stack, section, tilt, and where the tracking target lies in it from its centre (µm).

    `sigma_um` is how well that is known: View and Record are not on one centre where a reference was picked.
    """

    path: Path
    section: int
    tilt_deg: float
    off_centre_um: XY
    sigma_um: float = VIEW_SIGMA_UM


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
        wanted = job.settings.trackTwice == "auto" and job.settings.tracker == "joint"
        self._is_wanted = wanted and not taking.is_coarse(self._own)
        self._field_um = math.inf
        self._unsaved: tuple[float, XY] | None = None

    def keep_first(self, exposure: Exposure, tilt_deg: float) -> None:
        """Take the image that later ones are compared with, at the start tilt with all targets in place."""
        if self._is_wanted and not self._kept and self._view(exposure, tilt_deg) is not None:
            self._unsaved = (tilt_deg, XY(0.0, 0.0))
            self.save()

    # after a break

    def recall(self) -> None:
        """Know the View images again that an interrupted run has kept; without any, the reference of the selection."""
        for section in self._kept_before():
            tilt_deg, residual = section.get_float("TiltAngle"), section.get_floats(RESIDUAL)
            if tilt_deg is not None and residual is not None and len(residual) == 2:
                self._kept.append(_Kept(self._path, int(section.name), tilt_deg, XY(*residual)))
        name = self._job.targets.tracking.view
        if not self._kept and name is not None and (self._job.files.folder / name).is_file():
            path, tilt_deg = self._job.files.folder / name, self._job.settings.tiltTargets
            self._kept.append(_Kept(path, 0, tilt_deg, XY(0.0, 0.0), AREAS_APART_UM))

    def _kept_before(self) -> tuple[MdocSection, ...]:
        if not (self._path.is_file() and mdoc_of(self._path).is_file()):
            return ()
        try:
            return read_mdoc(mdoc_of(self._path), self._scope.wait).need_images()
        except MetadataError as err:
            self._books.warn(f"the View images kept before are not used ({err})")
            return ()

    def find_again(
        self, exposure: Exposure, tilt_deg: float, is_moved: bool, latest: tuple[int, XY] | None
    ) -> None:
        """Find the targets after a break and tell the model how far they have moved.

        In View; by a Preview of the tracking target, compared with the latest image of its series, where View did not
        tell well enough.

        Parameters
        ----------
        exposure : Exposure
            The first one ahead.
        tilt_deg : float
            Where the stage is, tilted to it and not yet known to the model.
        is_moved : bool
            Whether the stage was elsewhere in between.
        latest : tuple of int and XY, or None
            Section of the tracking target to compare with, and where the target was seen in it from its centre (µm).
        """
        off_um, sigma_um = XY(0.0, 0.0), MOVED_SIGMA_UM if is_moved else STAYED_SIGMA_UM
        seen = self._surely_off_in_view(exposure, tilt_deg) if self._kept else None
        self.save()
        if seen is not None:
            _, off_um, sigma_um = seen
        if sigma_um > SURE_SIGMA_UM and latest is not None:
            closer = self._off_in_preview(exposure, tilt_deg, off_um, latest)
            if closer is not None:
                off_um, sigma_um = closer, SURE_SIGMA_UM
        self._model.recovered(off_um, sigma_um)
        self._books.step(
            "found_again",
            f"After the break the targets are seen {1000 * off_um.x:+.0f}, {1000 * off_um.y:+.0f} nm from where they "
            f"were expected, within {1000 * sigma_um:.0f} nm",
            tilt_deg=tilt_deg,
            off_nm=[1000 * off_um.x, 1000 * off_um.y],
            sigma_nm=1000 * sigma_um,
        )

    def _off_in_preview(
        self, exposure: Exposure, tilt_deg: float, off_um: XY, latest: tuple[int, XY]
    ) -> XY | None:
        """How far off its aim the tracking target is seen in a Preview, taken where it is by now thought to be."""
        aim = self._model.aim(self._own, tilt_deg, exposure.branch)
        own = exposure._replace(target=self._own)
        focus_um = self._focusing.focus_um(own, aim, tilt_deg)
        section, off_centre_um = latest
        if not self._scope.aim(aim.shift_um.plus(off_um), focus_um, compensate_beam_tilt=False):
            return None
        shot = self._scope.take(Area.PREVIEW)
        self._books.spend(self._own, self._books.dose_e_per_a2(self._own) + shot.dose_e_per_a2)
        path = self._taking.series(self._own)
        offset = self._scope.offset_from_file(path, section, PREVIEW_REACH * min(shot.field_um))
        if isinstance(offset, Missing):
            self._books.warn(f"the tracking target was not found in Preview ({offset.reason})", exposure)
            return None
        return off_um.plus(offset).plus(off_centre_um)

    # during a run

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
        found = self._surely_off_in_view(exposure, tilt_deg)
        if found is None:
            return None
        aimed_um, off_um, sigma_um = found
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

    def _surely_off_in_view(self, exposure: Exposure, tilt_deg: float) -> tuple[XY, XY, float] | None:
        """As `_off_in_view`; what would surprise the model must be seen in two images alike.

        A View image has few electrons, and now and then the highest peak is a false one. Two of them do not agree.
        """
        first = self._off_in_view(exposure, tilt_deg)
        if first is None:
            return None
        expected = self._model.aim(self._own, tilt_deg, exposure.branch).sigma_um
        if first[1].length <= SURPRISE * (expected.length + first[2]):
            return first
        second = self._off_in_view(exposure, tilt_deg)
        if second is None:
            return None
        apart_um = second[1].minus(first[1]).length
        if apart_um <= SURPRISE * math.hypot(first[2], second[2]):
            return second
        self._unsaved = None
        self._books.warn(
            f"two View images do not agree on where the targets are ({apart_um:.2f} µm apart): neither is believed",
            exposure,
        )
        return None

    def _off_in_view(self, exposure: Exposure, tilt_deg: float) -> tuple[XY, XY, float] | None:
        """Take a View image: where it was aimed, how far off the target is seen in it, and how well that is known."""
        aimed_um = self._view(exposure, tilt_deg)
        if aimed_um is None:
            return None
        reference = min(self._kept, key=lambda kept: (kept.sigma_um, abs(kept.tilt_deg - tilt_deg)))
        offset = self._scope.offset_from_file(reference.path, reference.section, self._limit_um(tilt_deg))
        if isinstance(offset, Missing):
            self._books.warn(f"the targets were not found in View ({offset.reason})", exposure)
            return None
        off_um = offset.plus(reference.off_centre_um)
        self._unsaved = (tilt_deg, off_um)
        return aimed_um, off_um, reference.sigma_um + VIEW_SCALE_ERROR * off_um.length

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
                self._scope.annotate({RESIDUAL: f"{off_centre_um.x:.6g} {off_centre_um.y:.6g}"})
            finally:
                self._scope.close_series()
        except ScopeError as err:
            self._books.warn(f"a View image is not kept ({err})")
            return
        self._kept.append(_Kept(self._path, section, tilt_deg, off_centre_um))
