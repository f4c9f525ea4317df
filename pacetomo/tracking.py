"""The tracking model: where each target will be at the next tilt, and what was learnt from the last image.

The engine asks a `TrackingModel` for an `Aim` before each exposure and tells it afterwards what was measured. A model
sees all targets, never touches the microscope, keeps no clock and logs nothing. Its state is a function of what it was
told, in that order, so that a record of this (`pacetomo.memory`) brings another one to the same state exactly.

Displacements are specimen shifts in µm (X along the tilt axis, Y across it), heights in µm towards the source,
tilts in degrees.

`SingleTargetModel` is the known one-parameter method (Eisenstein et al., Nature Methods 2023): each target and branch
for itself, its height z0 from its own latest Y displacements.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Optional, Protocol

from pacetomo.errors import PlanError
from pacetomo.frames import XY
from pacetomo.geometry import height_um, seen_y_um
from pacetomo.schemes import Branch

CORRELATION_SIGMA_UM = 0.011
"""Scatter of one image-to-image alignment at normal incidence (µm), from sessions on good stages."""


class Start(NamedTuple):
    """A target when acquisition begins.

    `shift_um` is the specimen shift that centres it at the start tilt, `n0_um` its distance from the tilt axis and
    `z0_um` its height over it, both in the untilted frame. `is_found` tells that an image of its own has centred it;
    otherwise it follows from the tracking target, and so does every error of that one.
    """

    shift_um: XY
    n0_um: float
    z0_um: float
    is_found: bool = False


class Aim(NamedTuple):
    """What a model expects of a target at a tilt.

    `shift_um`: specimen shift that should centre it. `rise_um`: its height along the beam less that at the start tilt;
    the focus has to go down by as much. `sigma_um`: standard deviation of each shift coordinate, `sigma_rise_um` that
    of the height.
    """

    shift_um: XY
    rise_um: float
    sigma_um: XY
    sigma_rise_um: float


class Region(NamedTuple):
    """Where an alignment should find a target: residual (specimen plane, µm) and its standard deviation.

    It is off the centre where a model believes that the chain of alignments is off by something. `sigma_defocus_um` is
    the standard deviation that a measured defocus should have about the wanted one, None if the model has no idea of
    the error of such measurements.
    """

    centre_um: XY
    sigma_um: XY
    sigma_defocus_um: Optional[float] = None  # noqa: UP045 - evaluated at run time on Python 3.9


class Observation(NamedTuple):
    """What one exposure showed.

    `applied_um` is the specimen shift set for the image, `residual_um` where the target was then seen relative to the
    image centre in the specimen plane: by alignment to the previous image of the same target and branch, or None when
    there was none or it is not to be trusted. `rise_um` is the target's height along the beam less that at the start
    tilt, as the measured defocus of the image shows it, or None.
    """

    target: int
    tilt_deg: float
    branch: Branch
    applied_um: XY
    residual_um: Optional[XY]  # noqa: UP045 - evaluated at run time on Python 3.9
    rise_um: Optional[float] = None  # noqa: UP045
    time_s: float = 0.0


class Sight(NamedTuple):
    """Where a target is at a tilt, by an image of a larger field outside its series.

    `place_um` is the specimen shift that centres it, `sigma_um` the standard deviation of each coordinate.
    """

    target: int
    tilt_deg: float
    branch: Branch
    place_um: XY
    sigma_um: float
    time_s: float


class Rise(NamedTuple):
    """A height measured outside a series: of the sample at a target, along the beam, less that at the start tilt."""

    target: int
    tilt_deg: float
    branch: Branch
    rise_um: float
    time_s: float


class Finding(NamedTuple):
    """Something that a model has found out about a session and whoever runs it should know.

    Attributes
    ----------
    name : str
        What it is about: "axis", "axis by branch", "pretilt", "rotation", "height", "slip", "scatter",
        "contrast" or "noise".
    value, sigma : float
        What has been found and its standard error.
    unit : str
        Of both: "µm", "degrees" or "" for a share or factor.
    cause, cure : str
        What is the matter with how much certainty, and what to do about it; parts of a sentence.
    target : int or None
        The target concerned; None when all are.
    tilt_deg : float or None
        Where it happened; None for what holds everywhere.
    branch : Branch or None
    worth_telling : float
        A change of the value by more than this is news.
    """

    name: str
    value: float
    sigma: float
    unit: str
    cause: str
    cure: str
    target: Optional[int] = None  # noqa: UP045 - evaluated at run time on Python 3.9
    tilt_deg: Optional[float] = None  # noqa: UP045
    branch: Optional[Branch] = None  # noqa: UP045
    worth_telling: float = math.inf


class Move(NamedTuple):
    """A target's Y displacement (µm) between two tilts (degrees) of one branch."""

    from_deg: float
    to_deg: float
    dy_um: float


class TrackRecord(NamedTuple):
    """A model's knowledge of one target on one branch, in the terms of the run file."""

    shift_um: XY
    tilt_deg: float
    n0_um: float
    z0_um: float
    moves: tuple[Move, ...]


class TrackingModel(Protocol):
    """What the engine needs of a tracking model."""

    @property
    def dropped_profile(self) -> str | None:
        """Why a stage profile that the model began with is not used any more, a sentence; None while it is."""

    def begin_tilt(self, tilt_deg: float, branch: Branch) -> None:
        """The stage has been tilted; measurements of the tracking target at earlier tilts no longer hold for all."""

    def aim(self, target: int, tilt_deg: float, branch: Branch) -> Aim:
        """Where the target is expected."""

    def search_region(self, target: int, tilt_deg: float, branch: Branch) -> Region | None:
        """Where an alignment at the present aim should find the target; None if the model expects it in the centre."""

    def wants_look(self, target: int, tilt_deg: float, branch: Branch, reach_um: float) -> bool:
        """Whether the target may be off its aim by more than `reach_um`, so that it is to be looked for beforehand."""

    def doubts(self, target: int, tilt_deg: float, branch: Branch, residual_um: XY | None) -> bool:
        """Whether a residual found at the present aim (None: nothing found) asks for another look."""

    def sight(self, seen: Sight) -> None:
        """Learn from a look."""

    def measure_rise(self, seen: Rise) -> bool:
        """Learn from an autofocus at a target's place; False where the model has no use for it."""

    def recovered(self, shift_um: XY, sigma_um: float) -> None:
        """All targets have moved by so much (µm) since the last image, known to `sigma_um`."""

    def follow(self, target: int | None) -> None:
        """From here on another target tracks: its measured shift at a tilt goes to all others at that tilt.

        What the one before has shown at this tilt no longer counts. None: nobody tracks, predictions stand alone.
        """

    def reshape(self, target: int, n0_um: float, z0_um: float) -> None:
        """Take a target to be at another distance from the axis and height; before it is seen away from the start."""

    def observe(self, seen: Observation) -> bool:
        """Learn from one exposure; a second one of a target at the same tilt adds to what the first has shown.

        Whether its alignment, if there was one, is believed so far.
        """

    def believed(self) -> Mapping[int, bool]:
        """Whether the latest alignment of each target at the present tilt is believed, by all seen there so far."""

    def findings(self) -> tuple[Finding, ...]:
        """What has been found out about the session beyond doubt, and should be told."""

    def export(self, target: int, branch: Branch) -> TrackRecord:
        """State of a target on a branch, exact, for the run file."""

    def restore(self, target: int, branch: Branch, record: TrackRecord) -> None:
        """Put back what `export` gave."""


def predicted_dy_um(n0_um: float, z0_um: float, from_deg: float, to_deg: float) -> float:
    """Y displacement (µm) of a point at distance n0 and height z0 between two tilts.

    >>> round(predicted_dy_um(2.0, 0.5, 0.0, 30.0), 4)
    -0.5179
    """
    return seen_y_um(n0_um, z0_um, to_deg) - seen_y_um(n0_um, z0_um, from_deg)


def fit_z0_um(n0_um: float, moves: Sequence[Move]) -> float | None:
    """Height z0 (µm) of a target over the tilt axis from its Y displacements, by linear least squares.

    Each displacement obeys ``dy = n0 (cos b - cos a) - z0 (sin b - sin a)`` for a move from tilt a to tilt b, which
    is linear in z0: ``z0 = sum(s (n0 c - dy)) / sum(s s)`` with c and s the differences of cosine and sine.

    Returns
    -------
    float or None
        None when no move tilts the stage.

    >>> round(fit_z0_um(2.0, [Move(0.0, 30.0, predicted_dy_um(2.0, 0.5, 0.0, 30.0))]), 6)
    0.5
    """
    above = below = 0.0
    for move in moves:
        a, b = math.radians(move.from_deg), math.radians(move.to_deg)
        c, s = math.cos(b) - math.cos(a), math.sin(b) - math.sin(a)
        above += s * (n0_um * c - move.dy_um)
        below += s * s
    return above / below if below > 1e-12 else None


@dataclass(frozen=True)
class _Track:
    """One target on one branch: where it was last seen, and its latest moves."""

    shift_um: XY
    tilt_deg: float
    z0_um: float
    moves: tuple[Move, ...] = ()


class SingleTargetModel:
    """Each target and branch for itself; the tracking target's latest shift is passed on to the others.

    Parameters
    ----------
    starts : mapping of target number to Start
        All targets that will be imaged.
    start_tilt_deg : float
        Tilt of the first images.
    tracking_target : int
        Number of the target whose measured shift at a tilt is added to the aims of all others at that tilt.
    data_points : int
        How many of the latest displacements of a branch the height is fitted to.
    second_branch : Branch
        The branch that begins after the stage has come back past the start tilt.
    predict_first_of_second : bool
        Replace the first displacement of that branch by its prediction in the fit: the stage's jump at the change of
        direction is no sign of height.
    axis_offsets_um : mapping of Branch to float
        Added to every n0 on that branch: the distance of the tilt axis left uncorrected there.
    """

    def __init__(
        self,
        starts: Mapping[int, Start],
        start_tilt_deg: float,
        *,
        tracking_target: int = 1,
        data_points: int = 4,
        second_branch: Branch = Branch.DOWN,
        predict_first_of_second: bool = True,
        axis_offsets_um: Mapping[Branch, float] | None = None,
    ) -> None:
        self._starts = dict(starts)
        self._start_tilt_deg = start_tilt_deg
        self._tracking_target: int | None = tracking_target
        self._data_points = data_points
        self._second_branch = second_branch
        self._predict_first_of_second = predict_first_of_second
        self._axis_offsets_um = dict(axis_offsets_um or {})
        self._tracks: dict[tuple[int, Branch], _Track] = {}
        for target, start in self._starts.items():
            for branch in (Branch.UP, Branch.DOWN):
                self._tracks[target, branch] = _Track(start.shift_um, start_tilt_deg, start.z0_um)
        self._common_um = XY(0.0, 0.0)
        self._seen: set[int] = set()

    def begin_tilt(self, tilt_deg: float, branch: Branch) -> None:
        """Forget the shift that the tracking target showed at the previous tilt: every target has taken it up.

        At the start tilt the tracking target's error is not that of targets which were found by themselves.
        """
        self._common_um = XY(0.0, 0.0)
        alone = {number for number, start in self._starts.items() if start.is_found}
        self._seen = alone if branch is Branch.START else set()

    def aim(self, target: int, tilt_deg: float, branch: Branch) -> Aim:
        """Last position, plus what tilting does to a point at (n0, z0), plus the tracking target's shift."""
        track = self._track(target, branch)
        n0_um = self._n0_um(target, branch)
        dy_um = predicted_dy_um(n0_um, track.z0_um, track.tilt_deg, tilt_deg)
        shift = track.shift_um.plus(XY(0.0, dy_um))
        if target not in self._seen:
            shift = shift.plus(self._common_um)
        # The start focus was measured at the true height: only the change by tilting counts, at today's z0.
        rise = height_um(n0_um, track.z0_um, tilt_deg) - height_um(n0_um, track.z0_um, self._start_tilt_deg)
        sigma = self._sigma_um(track, tilt_deg)
        return Aim(shift, rise, sigma, 0.1 + 0.1 * abs(rise))

    def search_region(self, target: int, tilt_deg: float, branch: Branch) -> Region | None:
        """No expectation of its own."""
        return None

    def wants_look(self, target: int, tilt_deg: float, branch: Branch, reach_um: float) -> bool:
        """Never: this model does not know how wrong it may be."""
        return False

    def doubts(self, target: int, tilt_deg: float, branch: Branch, residual_um: XY | None) -> bool:
        """Never."""
        return False

    def sight(self, seen: Sight) -> None:
        """Pass on what a look has shown: the targets not yet seen at this tilt are off by as much."""
        aim = self.aim(seen.target, seen.tilt_deg, seen.branch)
        self._common_um = self._common_um.plus(seen.place_um.minus(aim.shift_um))

    def measure_rise(self, seen: Rise) -> bool:
        """Heights come from displacements only."""
        return False

    def recovered(self, shift_um: XY, sigma_um: float) -> None:
        """Take all targets to be where they were last seen, and so much farther."""
        for key, track in self._tracks.items():
            self._tracks[key] = replace(track, shift_um=track.shift_um.plus(shift_um))

    def follow(self, target: int | None) -> None:
        """Take the shift of another target for the common one; at this tilt there is none before it is seen."""
        self._tracking_target = target
        self._common_um = XY(0.0, 0.0)

    def reshape(self, target: int, n0_um: float, z0_um: float) -> None:
        """Begin with another n0 and z0."""
        self._starts[target] = self._starts[target]._replace(n0_um=n0_um, z0_um=z0_um)
        for branch in (Branch.UP, Branch.DOWN):
            self._tracks[target, branch] = replace(self._tracks[target, branch], z0_um=z0_um)

    def observe(self, seen: Observation) -> bool:
        """Take up the position found, fit the height anew; an untrusted residual counts as zero.

        Every alignment is believed.
        """
        residual = seen.residual_um if seen.residual_um is not None else XY(0.0, 0.0)
        found = seen.applied_um.plus(residual)
        if seen.target == self._tracking_target:
            again = seen.target in self._seen
            self._common_um = self._common_um.plus(residual) if again else residual
        self._seen.add(seen.target)
        for branch in self._branches(seen.branch):
            if (
                seen.branch is Branch.START
            ):  # where both branches begin; no move, whatever the stage reads back
                track = replace(self._track(seen.target, branch), shift_um=found, tilt_deg=seen.tilt_deg)
            else:
                track = self._moved(seen.target, branch, found, seen.tilt_deg)
            self._tracks[seen.target, branch] = track
        return seen.residual_um is not None

    def believed(self) -> Mapping[int, bool]:
        """No second thoughts."""
        return {}

    def findings(self) -> tuple[Finding, ...]:
        """Nothing: a target by itself tells no cause from another."""
        return ()

    def export(self, target: int, branch: Branch) -> TrackRecord:
        """State of a target on a branch (UP or DOWN)."""
        track = self._track(target, branch)
        return TrackRecord(
            track.shift_um, track.tilt_deg, self._starts[target].n0_um, track.z0_um, track.moves
        )

    def restore(self, target: int, branch: Branch, record: TrackRecord) -> None:
        """Put back what `export` gave; the target's n0 must be the one this model was made with.

        Raises
        ------
        PlanError
            When it is not: the run file belongs to another selection of targets.
        """
        if abs(record.n0_um - self._starts[target].n0_um) > 1e-6:
            raise PlanError(
                f"target {target}: the saved state has n0 {record.n0_um:g} µm, "
                f"the model {self._starts[target].n0_um:g} µm"
            )
        self._tracks[target, branch] = _Track(record.shift_um, record.tilt_deg, record.z0_um, record.moves)

    def _moved(self, target: int, branch: Branch, found: XY, tilt_deg: float) -> _Track:
        track = self._track(target, branch)
        if abs(tilt_deg - track.tilt_deg) < 1e-3:  # a second image at the same tilt
            return self._seen_again(track, target, branch, found)
        n0_um = self._n0_um(target, branch)
        dy_um = found.y - track.shift_um.y
        known = track.moves
        if not known and branch is not self._second_branch:
            # The start image counts as a step that went as the geometry says, so that the first displacement
            # alone, which is mostly the stage's, does not decide on the height.
            before_deg = 2 * track.tilt_deg - tilt_deg
            as_expected_um = predicted_dy_um(n0_um, track.z0_um, before_deg, track.tilt_deg)
            known = (Move(before_deg, track.tilt_deg, as_expected_um),)
        elif not known and self._predict_first_of_second:
            dy_um = predicted_dy_um(n0_um, track.z0_um, track.tilt_deg, tilt_deg)
        moves = (*known, Move(track.tilt_deg, tilt_deg, dy_um))[-self._data_points :]
        z0_um = fit_z0_um(n0_um, moves)
        return _Track(found, tilt_deg, track.z0_um if z0_um is None else z0_um, moves)

    def _seen_again(self, track: _Track, target: int, branch: Branch, found: XY) -> _Track:
        """A track after a second image at its tilt, which corrects the latest move."""
        moves = track.moves
        if moves and abs(moves[-1].to_deg - track.tilt_deg) < 1e-3:
            latest = moves[-1]
            moves = (*moves[:-1], latest._replace(dy_um=latest.dy_um + found.y - track.shift_um.y))
        z0_um = fit_z0_um(self._n0_um(target, branch), moves)
        return replace(track, shift_um=found, z0_um=track.z0_um if z0_um is None else z0_um, moves=moves)

    def _sigma_um(self, track: _Track, tilt_deg: float) -> XY:
        """Alignment scatter, growing where the image is foreshortened, and an uncertain height's share in Y."""
        x_um = CORRELATION_SIGMA_UM / max(0.2, math.cos(math.radians(tilt_deg))) ** 1.3
        arm = abs(math.sin(math.radians(tilt_deg)) - math.sin(math.radians(track.tilt_deg)))
        return XY(x_um, math.hypot(x_um, 0.3 * arm))

    def _n0_um(self, target: int, branch: Branch) -> float:
        return self._starts[target].n0_um + self._axis_offsets_um.get(branch, 0.0)

    def _track(self, target: int, branch: Branch) -> _Track:
        return self._tracks[target, Branch.UP if branch is Branch.START else branch]

    @staticmethod
    def _branches(branch: Branch) -> Iterable[Branch]:
        return (Branch.UP, Branch.DOWN) if branch is Branch.START else (branch,)

    @property
    def dropped_profile(self) -> str | None:
        """None: it uses no profile."""
        return None
