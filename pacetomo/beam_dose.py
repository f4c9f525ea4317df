"""Dose that beams bring to targets they are not aimed at.

An autofocus whose beam reaches a target is an exposure of it like a Preview. What the beam on a neighbouring target, or
on another tile of a montage, adds during the series is kept apart: it falls on a part of the image only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pacetomo.books import Books
from pacetomo.errors import ScopeError
from pacetomo.frames import ORIGIN, XY
from pacetomo.geometry import seen_y_um
from pacetomo.job import Job
from pacetomo.overlap import Field, Reach
from pacetomo.scope.facts import Facts
from pacetomo.scope.protocol import Area, Microscope, Shot
from pacetomo.tracking import Start

FOCUS_IMAGES = 3
"""Images of an autofocus that measures drift, too; as many are counted for one that does not."""


class FocusBeam(NamedTuple):
    """An autofocus: where its beam fell, as seen from the tracking target (µm), and the stage tilt (degrees)."""

    seen_um: XY
    tilt_deg: float


class BeamDose:
    """Counts the dose beside the targets aimed at.

    The beam of the Focus area is taken to be that of Record; View and Search light all targets. Where the size of beam
    or image is not known nothing is counted.

    Parameters
    ----------
    scope, job
        Where, and whose targets.
    facts : Facts
        Sizes of beam and image.
    starts : mapping of int to Start
        Where the targets were found; those of the job that are not in it count where the file has them.
    """

    def __init__(self, scope: Microscope, job: Job, facts: Facts, starts: Mapping[int, Start]) -> None:
        self._scope = scope
        self._job = job
        self._starts = starts
        self._reach: Reach | None = None
        if facts.beam_um is not None and facts.field_um is not None:
            self._reach = Reach(facts.beam_um, Field(facts.field_um, facts.field_rotation_deg))
        self._rate_e_per_a2_s: float | None = None
        self._focus_s: float | None = None
        self._seen: tuple[float, dict[int, XY]] = (0.0, {})

    @property
    def is_known(self) -> bool:
        """Whether anything can be told."""
        return self._reach is not None

    def learn_rate(self, shot: Shot | None) -> None:
        """Know the dose rate of Record's beam by an image taken with it."""
        if shot is not None and shot.dose_e_per_a2 > 0 and shot.exposure_s > 0:
            self._rate_e_per_a2_s = shot.dose_e_per_a2 / shot.exposure_s

    def by_focus(self, beam: FocusBeam) -> dict[int, float]:
        """Dose (e/Å²) that an autofocus brings to the targets, by number; those it does not reach are missing.

        Raises
        ------
        ScopeError
            When the exposure of the Focus area cannot be read.
        """
        shares = self._shares(beam.seen_um, beam.tilt_deg)
        if not shares or self._rate_e_per_a2_s is None:
            return {}
        if self._focus_s is None:
            self._focus_s = self._scope.focus_exposure_s()
        dose = FOCUS_IMAGES * self._focus_s * self._rate_e_per_a2_s
        return {number: share * dose for number, share in shares.items()}

    def by_record(
        self, target: int, tilt_deg: float, dose_e_per_a2: float, area: Area, offset_um: XY = ORIGIN
    ) -> dict[int, float]:
        """Dose (e/Å²) that an image of a target brings to the images of others, by number.

        Parameters
        ----------
        target : int
            What it is of.
        tilt_deg : float
            Stage tilt.
        dose_e_per_a2 : float
            Its own dose.
        area : Area
            Low-dose area it was taken in.
        offset_um : XY
            Where its centre lies as seen from the target: a tile of a montage counts for the target itself, too.
        """
        seen = self._places(tilt_deg)
        if not self.is_known or target not in seen:
            return {}
        if area in (Area.VIEW, Area.SEARCH):
            shares = dict.fromkeys(seen, 1.0)
        else:
            shares = self._shares(seen[target].plus(offset_um), tilt_deg)
        if offset_um == ORIGIN:
            shares.pop(target, None)
        return {number: share * dose_e_per_a2 for number, share in shares.items()}

    def _shares(self, seen_um: XY, tilt_deg: float) -> dict[int, float]:
        return {} if self._reach is None else self._reach.shares(seen_um, self._places(tilt_deg))

    def _places(self, tilt_deg: float) -> dict[int, XY]:
        """Where the targets are seen at a tilt from the tracking target (µm)."""
        if not self._seen[1] or self._seen[0] != tilt_deg:
            self._seen = (
                tilt_deg,
                {target.number: self._place(target.number, tilt_deg) for target in self._job.active},
            )
        return self._seen[1]

    def _place(self, number: int, tilt_deg: float) -> XY:
        own = self._starts.get(self._job.targets.tracking.number)
        start = self._starts.get(number)
        if own is None or start is None:
            return self._job.plane.seen(self._job.untilted_um[number], tilt_deg)
        return XY(
            start.shift_um.x - own.shift_um.x,
            seen_y_um(start.n0_um, start.z0_um, tilt_deg) - seen_y_um(own.n0_um, own.z0_um, tilt_deg),
        )


class BesideBooks:
    """Puts the dose that `BeamDose` works out on the books of a run.

    Parameters
    ----------
    beams : BeamDose
        Works it out.
    books : Books
        Of the run.
    """

    def __init__(self, beams: BeamDose, books: Books) -> None:
        self._beams = beams
        self._books = books
        self._trouble_told = False

    def learn_rate(self, shot: Shot | None) -> None:
        """See `BeamDose.learn_rate`."""
        self._beams.learn_rate(shot)

    def before(self, number: int) -> float | None:
        """Dose that a target's image has had so far by beams on others; None if that is not known."""
        return self._books.beside_e_per_a2(number) if self._beams.is_known else None

    def focused(self, beam: FocusBeam) -> None:
        """Count an autofocus as an exposure of the targets that its beam reaches."""
        try:
            doses = self._beams.by_focus(beam)
        except ScopeError as err:
            doses = {}
            if not self._trouble_told:
                self._trouble_told = True
                self._books.warn(f"the dose of autofocus is not counted ({err})")
        for number, dose in doses.items():
            self._books.spend(number, self._books.dose_e_per_a2(number) + dose)

    def recorded(
        self, target: int, tilt_deg: float, dose_e_per_a2: float, area: Area, offset_um: XY = ORIGIN
    ) -> None:
        """Count what an image adds to the images of others; parameters as `BeamDose.by_record`."""
        for number, dose in self._beams.by_record(target, tilt_deg, dose_e_per_a2, area, offset_um).items():
            self._books.add_beside(number, dose)
