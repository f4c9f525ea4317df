"""The joint estimator as a `TrackingModel`: aims for the engine, measurements from it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Optional

from pacetomo.errors import PlanError
from pacetomo.frames import ORIGIN, XY
from pacetomo.geometry import SamplePlane
from pacetomo.joint.adaptation import DEFOCUS_NOISE_UM
from pacetomo.joint.belief import Belief, Image
from pacetomo.joint.findings import findings
from pacetomo.joint.profile import StageProfile
from pacetomo.joint.rows import Geometry
from pacetomo.schemes import Branch
from pacetomo.tracking import Aim, Finding, Move, Observation, Region, Rise, Sight, Start, TrackRecord

LONGEST_PACE_S = 60.0
"""Images farther apart than this have been interrupted."""

SURE = 3.0
"""Standard deviations within which a target is expected."""

_SAME_TILT_DEG = 1e-3


class JointModel:
    """One belief of stage, axis, sample plane and all targets; every image changes the aims of all.

    Parameters
    ----------
    starts : mapping of target number to Start
        All targets that will be imaged.
    start_tilt_deg : float
        Tilt of the first images.
    tracking_target : int
        The target that X and Y of all others are counted from.
    plane : SamplePlane
        The plane that the starts' heights were taken from; tells at which tilt images are best.
    data_points : int
        How many of the latest moves of a target are exported.
    axis_offsets_um : mapping of Branch to float, optional
        Added to the distance of every target from the tilt axis on that branch.
    profile : StageProfile, optional
        What past series have shown of the stage. It is dropped when measurements speak against it.
    """

    def __init__(
        self,
        starts: Mapping[int, Start],
        start_tilt_deg: float,
        *,
        tracking_target: int = 1,
        plane: Optional[SamplePlane] = None,  # noqa: UP045
        data_points: int = 4,
        axis_offsets_um: Optional[Mapping[Branch, float]] = None,  # noqa: UP045
        profile: Optional[StageProfile] = None,  # noqa: UP045
    ) -> None:
        self._plane = plane or SamplePlane()
        level_deg = -math.degrees(math.atan(self._plane.slopes().y))
        geometry = Geometry(starts, start_tilt_deg, tracking_target, axis_offsets_um)
        self._belief = Belief(geometry, level_deg, profile)
        self._profile = profile
        self._start_tilt_deg = start_tilt_deg
        self._data_points = data_points
        self._level_deg, self._tracking_target = level_deg, tracking_target
        self._begun: list[Image] = []
        self._is_reshaped = False
        self._began_s: float | None = None
        self._clock_s = 0.0
        self._pace_s = 0.0
        self._records: dict[tuple[int, Branch], TrackRecord] = {}
        for target, start in starts.items():
            for side in (Branch.UP, Branch.DOWN):
                self._records[target, side] = TrackRecord(
                    start.shift_um, start_tilt_deg, start.n0_um, start.z0_um, ()
                )

    @property
    def dropped_profile(self) -> str | None:
        """Why the stage profile is not used any more, a sentence; None while it is, and where there was none."""
        return self._belief.dropped_profile

    @property
    def contradicts_latest(self) -> bool:
        """Whether the latest image does not fit the others: a false alignment, or a stage that has slipped."""
        return self._belief.contradicts_latest

    def begin_tilt(self, tilt_deg: float, branch: Branch) -> None:
        """Begin a tilt: the stage's motion is unknown again, its statistics are known better."""
        if self._is_reshaped:
            self._begin_anew()
        self._belief.visit(tilt_deg, branch)

    def aim(self, target: int, tilt_deg: float, branch: Branch) -> Aim:
        """Where the target is expected, from all that was seen of all targets."""
        seen = self._belief.outlook(target, tilt_deg, branch, self._minutes(self._next_s()))
        sigma = XY(math.sqrt(max(0.0, seen.variance_um2.x)), math.sqrt(max(0.0, seen.variance_um2.y)))
        return Aim(seen.shift_um, seen.rise_um, sigma, math.sqrt(max(0.0, seen.rise_variance_um2)))

    def search_region(self, target: int, tilt_deg: float, branch: Branch) -> Region | None:
        """Residual (µm) that an alignment at an aim should find, with standard deviations of it and of fitted defocus.

        It is not zero where the chain of alignments is believed to be off by something.
        """
        minutes = self._minutes(self._next_s())
        true = self._belief.outlook(target, tilt_deg, branch, minutes)
        found = self._belief.outlook(target, tilt_deg, branch, minutes, as_found=True)
        x_um2, y_um2 = found.variance_um2
        fit_um = DEFOCUS_NOISE_UM * self._belief.noise.stretch(tilt_deg)
        defocus_um = math.sqrt(max(0.0, true.rise_variance_um2) + fit_um**2)
        return Region(found.shift_um.minus(true.shift_um), XY(math.sqrt(x_um2), math.sqrt(y_um2)), defocus_um)

    def wants_look(self, target: int, tilt_deg: float, branch: Branch, reach_um: float) -> bool:
        """Whether `SURE` standard deviations of the aim are more than `reach_um`."""
        sigma = self.aim(target, tilt_deg, branch).sigma_um
        return SURE * sigma.length > reach_um

    def doubts(self, target: int, tilt_deg: float, branch: Branch, residual_um: XY | None) -> bool:
        """Whether nothing was found, or something that the gate for alignments does not let pass."""
        if residual_um is None:
            return True
        return self._belief.contradicts(target, residual_um, self._minutes(self._next_s()))

    def sight(self, seen: Sight) -> None:
        """Learn from a look, which is believed whatever images of the series show."""
        self._go_to(seen.tilt_deg, seen.branch)
        self._belief.sight(seen.target, seen.place_um, seen.sigma_um, self._minutes(seen.time_s))

    def measure_rise(self, seen: Rise) -> bool:
        """Learn from an autofocus, as from the measured defocus of an image."""
        self._go_to(seen.tilt_deg, seen.branch)
        self._belief.measure_rise(seen.target, seen.rise_um, self._minutes(seen.time_s))
        return True

    def follow(self, target: int | None) -> None:
        """Nothing changes: every target's measurement counts for all others, whoever tracks."""

    def recovered(self, shift_um: XY, sigma_um: float) -> None:
        """All targets have moved by so much (µm) in a break, known to `sigma_um`."""
        self._belief.moved(shift_um, sigma_um)

    def reshape(self, target: int, n0_um: float, z0_um: float) -> None:
        """Begin with another n0 and z0; the focus at the start is taken to have been put right with them."""
        self._is_reshaped = True
        starts = self._belief.geometry.starts
        starts[target] = starts[target]._replace(n0_um=n0_um, z0_um=z0_um)
        for side in (Branch.UP, Branch.DOWN):
            self._records[target, side] = self._records[target, side]._replace(n0_um=n0_um, z0_um=z0_um)

    def observe(self, seen: Observation) -> bool:
        """Learn from one exposure; a second one of a target at the same tilt adds to what the first has shown.

        Whether its alignment is believed so far: later ones of the tilt may change that.
        """
        if self._began_s is None:
            self._began_s = seen.time_s
        is_next = self._belief.is_here(seen.tilt_deg, seen.branch)
        if is_next and 0.0 < seen.time_s - self._clock_s < LONGEST_PACE_S:
            self._pace_s = seen.time_s - self._clock_s
        self._clock_s = seen.time_s
        self._go_to(seen.tilt_deg, seen.branch)
        image = Image(
            seen.target, seen.applied_um, seen.residual_um, seen.rise_um, self._minutes(seen.time_s)
        )
        if seen.branch is Branch.START:
            self._begun.append(image)
        believed = self._belief.take(image)
        found = seen.applied_um.plus(seen.residual_um or ORIGIN)
        if not believed and seen.residual_um is not None:  # where it really was is best known by the others
            found = self._belief.outlook(seen.target, seen.tilt_deg, seen.branch, image.minutes).shift_um
        self._write_down(seen, found)
        return believed and seen.residual_um is not None

    def believed(self) -> Mapping[int, bool]:
        """Whether the latest alignment of each target at the present tilt is believed, by all seen there so far."""
        return self._belief.verdicts()

    def findings(self) -> tuple[Finding, ...]:
        """What the belief holds beyond doubt of axis, sample plane, stage and targets."""
        return findings(self._belief, self._plane)

    def export(self, target: int, branch: Branch) -> TrackRecord:
        """Where the target was last found on a branch (UP or DOWN), and its height as believed then."""
        return self._records[target, Branch.UP if branch is Branch.START else branch]

    def restore(self, target: int, branch: Branch, record: TrackRecord) -> None:
        """Put back what `export` gave. Only this position is known of the past then.

        Raises
        ------
        PlanError
            When the record belongs to a target that was elsewhere at the start.
        """
        known = self._records[target, branch]
        if record == known:
            return
        start = self._belief.geometry.starts[target]
        if abs(record.n0_um - start.n0_um) > 1e-6:
            raise PlanError(
                f"target {target}: the saved state has n0 = {record.n0_um:g} µm, the model {start.n0_um:g} µm"
            )
        self._records[target, branch] = record
        if abs(record.tilt_deg - self._start_tilt_deg) > _SAME_TILT_DEG:
            self._put_back(target, branch, record)

    def _begin_anew(self) -> None:
        """Forget what the first images have shown of heights, which the targets' new places have taken up."""
        self._is_reshaped = False
        old = self._belief.geometry
        geometry = Geometry(old.starts, self._start_tilt_deg, self._tracking_target, old.axis_offsets_um)
        self._belief = Belief(geometry, self._level_deg, self._profile)
        for image in self._begun:
            self._belief.take(image._replace(rise_um=None))

    def _put_back(self, target: int, branch: Branch, record: TrackRecord) -> None:
        """Take a record for a measurement at its tilt."""
        self._go_to(record.tilt_deg, branch)
        self._belief.take(Image(target, record.shift_um, XY(0.0, 0.0), None, 0.0))

    def _write_down(self, seen: Observation, found: XY) -> None:
        start = self._belief.geometry.starts[seen.target]
        at_start = seen.branch is Branch.START
        for side in (Branch.UP, Branch.DOWN) if at_start else (seen.branch,):
            old = self._records[seen.target, side]
            moves = old.moves
            if not at_start:
                if moves and abs(moves[-1].to_deg - seen.tilt_deg) < _SAME_TILT_DEG:
                    move = moves[-1]._replace(dy_um=moves[-1].dy_um + found.y - old.shift_um.y)
                    moves = (*moves[:-1], move)
                else:
                    moves = (*moves, Move(old.tilt_deg, seen.tilt_deg, found.y - old.shift_um.y))
            z0_um = start.z0_um + self._belief.height_error_um(seen.target)
            self._records[seen.target, side] = TrackRecord(
                found, seen.tilt_deg, start.n0_um, z0_um, moves[-self._data_points :]
            )

    def _go_to(self, tilt_deg: float, branch: Branch) -> None:
        """Begin a tilt that nobody has announced."""
        here = self._belief
        at_start = branch is Branch.START and here.branch is branch
        if not at_start and not (here.branch is branch and abs(here.tilt_deg - tilt_deg) < _SAME_TILT_DEG):
            here.visit(tilt_deg, branch)

    def _next_s(self) -> float:
        """When the next image will be taken, if it takes as long as the latest at a tilt."""
        return self._clock_s + self._pace_s

    def _minutes(self, time_s: float) -> float:
        return 0.0 if self._began_s is None else (time_s - self._began_s) / 60.0
