"""Running a tracking model over the metadata of a past parallel session.

The session recorded, image by image, the specimen shift at which a target was found and the eucentric offset that its
program then believed in. The model is asked what it would have expected at each tilt and told what was recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import NamedTuple, Optional

from pacetomo.frames import ORIGIN, XY
from pacetomo.joint import JointModel
from pacetomo.joint.profile import StageProfile
from pacetomo.past_series import Recorded, read_recorded
from pacetomo.schemes import Branch
from pacetomo.tracking import Observation, SingleTargetModel, Start
from pacetomo.watch import Look, Watch

__all__ = ["TRACKERS", "Replay", "ReplayRow", "replay_file", "replay_joint", "replay_single"]

TRACKERS = ("joint", "single")

_TARGET = 1
_NO_TRACKING_TARGET = 0
_N0_SEARCH_UM = 40.0


class ReplayRow(NamedTuple):
    """One image: what was recorded, what the model expected, and its eucentric offset afterwards (µm).

    `doubt` says why the image would not have been believed; "" if it would. An image of a branch that would have ended
    before it was not shown to the model.
    """

    recorded: Recorded
    expected_um: XY
    z0_um: float
    doubt: str = ""
    sigma_um: Optional[XY] = None  # noqa: UP045 - evaluated at run time on Python 3.9

    @property
    def error_nm(self) -> XY:
        """Recorded less expected shift (nm)."""
        return self.recorded.shift_um.minus(self.expected_um).scaled(1000)


@dataclass(frozen=True)
class Replay:
    """A replayed series: its rows in order of acquisition, and the distance from the axis it was replayed with."""

    name: str
    n0_um: float
    rows: tuple[ReplayRow, ...]
    tracker: str = "single"

    @property
    def doubted(self) -> tuple[ReplayRow, ...]:
        """Images that would not have been believed."""
        return tuple(row for row in self.rows if row.doubt)

    def table(self) -> str:
        """Text for the terminal, a line per tilt."""
        lines = [
            f"{self.name}: {len(self.rows)} images, n0 = {self.n0_um:.2f} µm, tracker {self.tracker}",
            f"{'tilt':>8} {'branch':<6} {'expected x, y (µm)':>19} {'recorded x, y (µm)':>19} "
            f"{'error x, y (nm)':>16} {'± (nm)':>9} {'z0 model':>9} {'recorded':>9}",
        ]
        lines += [_line(row) for row in self.rows]
        errors = [row.error_nm.length for row in self.rows if row.recorded.branch is not Branch.START]
        if errors:
            lines.append(f"median error of {len(errors)} tilts: {median(errors):.1f} nm")
        if self.doubted:
            tilts = ", ".join(f"{row.recorded.tilt_deg:+.2f}°" for row in self.doubted)
            lines.append(f"not believed: {tilts}")
        return "\n".join(lines)


def _line(row: ReplayRow) -> str:
    seen, sigma = row.recorded, row.sigma_um
    recorded_z0 = "-" if seen.z0_um is None else f"{seen.z0_um:.3f}"
    reach = "-" if sigma is None else f"{1000 * sigma.x:.0f} {1000 * sigma.y:.0f}"
    return (
        f"{seen.tilt_deg:>+7.2f}° {seen.branch.value:<6} "
        f"{row.expected_um.x:>9.3f} {row.expected_um.y:>9.3f} {seen.shift_um.x:>9.3f} {seen.shift_um.y:>9.3f} "
        f"{row.error_nm.x:>8.0f} {row.error_nm.y:>7.0f} {reach:>9} {row.z0_um:>9.3f} {recorded_z0:>9}"
        f"{'  ' + row.doubt if row.doubt else ''}"
    )


def replay_file(
    path: Path, n0_um: float | None = None, data_points: int = 4, tracker: str = "single"
) -> Replay:
    """Replay one mdoc.

    Parameters
    ----------
    path : Path
        mdoc of a parallel session, in order of acquisition or sorted by tilt.
    n0_um : float, optional
        Distance of the target from the tilt axis. If not given, the single-target model takes the one with which it
        best follows the recorded eucentric offsets, or the first recorded Y shift where none are recorded. The joint
        model is not told what only the whole series shows: it takes the first Y shift.
    data_points : int
        Displacements per branch that the single-target model fits the height to.
    tracker : str
        "joint" or "single".

    Raises
    ------
    MetadataError
        When the file is no mdoc of a parallel session.
    """
    recorded = read_recorded(path)
    if tracker == "joint":
        return replay_joint(path.name, recorded, n0_um)
    if n0_um is None:
        n0_um = _fit_n0_um(recorded, data_points)
    return Replay(path.name, n0_um, replay_single(recorded, n0_um, data_points))


def replay_single(recorded: Sequence[Recorded], n0_um: float, data_points: int = 4) -> tuple[ReplayRow, ...]:
    """Ask and tell the single-target model, image by image."""
    first = recorded[0]
    begun = [seen.branch for seen in recorded if seen.branch is not Branch.START]
    model = SingleTargetModel(
        {_TARGET: Start(first.shift_um, n0_um, first.z0_um or 0.0)},
        first.tilt_deg,
        tracking_target=_NO_TRACKING_TARGET,
        data_points=data_points,
        second_branch=list(dict.fromkeys(begun))[-1] if begun else Branch.DOWN,
    )
    rows = []
    for seen in recorded:
        model.begin_tilt(seen.tilt_deg, seen.branch)
        aim = model.aim(_TARGET, seen.tilt_deg, seen.branch)
        residual = seen.shift_um.minus(aim.shift_um)
        model.observe(Observation(_TARGET, seen.tilt_deg, seen.branch, aim.shift_um, residual))
        rows.append(ReplayRow(seen, aim.shift_um, model.export(_TARGET, seen.branch).z0_um))
    return tuple(rows)


def replay_joint(
    name: str,
    recorded: Sequence[Recorded],
    n0_um: float | None = None,
    profile: StageProfile | None = None,
) -> Replay:
    """Ask and tell the joint model, image by image; each tilt is predicted from the tilts before it only.

    Images that contradict what is expected, and those that go dark, are marked, and the branch ends as it would in a
    run: with a single target nothing tells whether the stage has slipped or the target is lost.
    """
    first = recorded[0]
    start = first.as_start(n0_um)
    model = JointModel({_TARGET: start}, first.tilt_deg, tracking_target=_TARGET, profile=profile)
    watch, ended = Watch(0.0), dict[Branch, str]()
    rows = []
    for seen in recorded:
        if seen.branch not in ended:
            model.begin_tilt(seen.tilt_deg, seen.branch)
        aim = model.aim(_TARGET, seen.tilt_deg, seen.branch)
        doubt = ended.get(seen.branch, "")
        if not doubt:
            residual = seen.shift_um.minus(aim.shift_um)
            time_s = 60.0 * seen.minutes
            model.observe(
                Observation(_TARGET, seen.tilt_deg, seen.branch, aim.shift_um, residual, None, time_s)
            )
            doubt = _doubt(watch, model, seen)
            if doubt and seen.branch is not Branch.START:
                ended[seen.branch] = f"after the end of the branch at {seen.tilt_deg:+.2f}°"
        rows.append(
            ReplayRow(seen, aim.shift_um, model.export(_TARGET, seen.branch).z0_um, doubt, aim.sigma_um)
        )
    return Replay(name, start.n0_um, tuple(rows), "joint")


def _doubt(watch: Watch, model: JointModel, seen: Recorded) -> str:
    """Why the image just told is not to be believed; "" if it is."""
    dark = None
    if seen.shot is not None:
        watch.begin_tilt()
        dark = watch.judge(Look(_TARGET, seen.branch, seen.tilt_deg, seen.shot, ORIGIN, compared=False))
    if dark is not None:
        return dark.text
    return "contradicts what was expected" if model.contradicts_latest else ""


def _fit_n0_um(recorded: Sequence[Recorded], data_points: int) -> float:
    """Distance from the axis that explains the recorded eucentric offsets best.

    By the median deviation, so that a failed end of a series does not count.
    """
    import numpy as np
    from scipy.optimize import minimize_scalar

    if sum(seen.z0_um is not None for seen in recorded) < 3:
        return recorded[0].shift_um.y

    def deviation_um(n0_um: float) -> float:
        rows = replay_single(recorded, n0_um, data_points)
        apart = [abs(row.z0_um - row.recorded.z0_um) for row in rows if row.recorded.z0_um is not None]
        return float(np.median(apart))

    guesses = np.arange(-_N0_SEARCH_UM, _N0_SEARCH_UM + 0.1, 0.5)
    best = min(guesses, key=deviation_um)
    fitted = minimize_scalar(deviation_um, bounds=(best - 0.5, best + 0.5), method="bounded")
    return round(float(fitted.x), 4) + 0.0
