"""Running a tracking model over the metadata of a past parallel session.

The session recorded, image by image, the specimen shift at which a target was found and the eucentric offset that its
program then believed in. The model is asked what it would have expected at each tilt and told what was recorded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Optional

from pacetomo.errors import MetadataError
from pacetomo.files.mdoc import MdocSection, read_mdoc
from pacetomo.files.mdoc_order import acquisition_order
from pacetomo.frames import XY
from pacetomo.schemes import Branch
from pacetomo.tracking import Observation, SingleTargetModel, Start

_TARGET = 1
_NO_TRACKING_TARGET = 0
_N0_SEARCH_UM = 40.0


class Recorded(NamedTuple):
    """One image of the session: stage tilt (degrees), specimen shift and eucentric offset (µm)."""

    tilt_deg: float
    branch: Branch
    shift_um: XY
    z0_um: Optional[float]  # noqa: UP045 - evaluated at run time on Python 3.9


class ReplayRow(NamedTuple):
    """One image: what was recorded, what the model expected, and its eucentric offset afterwards (µm)."""

    recorded: Recorded
    expected_um: XY
    z0_um: float

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

    def table(self) -> str:
        """Text for the terminal, a line per tilt."""
        lines = [
            f"{self.name}: {len(self.rows)} images, n0 = {self.n0_um:.2f} µm",
            f"{'tilt':>8} {'branch':<6} {'expected x, y (µm)':>19} {'recorded x, y (µm)':>19} "
            f"{'error x, y (nm)':>16} {'z0 model':>9} {'recorded':>9}",
        ]
        for row in self.rows:
            seen = row.recorded
            recorded_z0 = "-" if seen.z0_um is None else f"{seen.z0_um:.3f}"
            lines.append(
                f"{seen.tilt_deg:>+7.2f}° {seen.branch.value:<6} "
                f"{row.expected_um.x:>9.3f} {row.expected_um.y:>9.3f} {seen.shift_um.x:>9.3f} {seen.shift_um.y:>9.3f} "
                f"{row.error_nm.x:>8.0f} {row.error_nm.y:>7.0f} {row.z0_um:>9.3f} {recorded_z0:>9}"
            )
        return "\n".join(lines)


def replay_file(path: Path, n0_um: float | None = None, data_points: int = 4) -> Replay:
    """Replay one mdoc.

    Parameters
    ----------
    path : Path
        mdoc of a parallel session, in order of acquisition or sorted by tilt.
    n0_um : float, optional
        Distance of the target from the tilt axis. If not given, the one with which the model best follows the
        recorded eucentric offsets, or the first recorded Y shift where none are recorded.
    data_points : int
        Displacements per branch that the height is fitted to.

    Raises
    ------
    MetadataError
        When the file is no mdoc of a parallel session.
    """
    recorded = read_recorded(path)
    if n0_um is None:
        n0_um = _fit_n0_um(recorded, data_points)
    return Replay(path.name, n0_um, _rows(recorded, n0_um, data_points))


def read_recorded(path: Path) -> tuple[Recorded, ...]:
    """Shifts and eucentric offsets of a series in order of acquisition.

    Raises
    ------
    MetadataError
        When there are no sections, or one lacks what is needed.
    """
    images = read_mdoc(path).need_images()
    sections = [images[place] for place in acquisition_order(images)]
    start_deg = sections[0].tilt_deg
    return tuple(_recorded(section, start_deg) for section in sections)


def _recorded(section: MdocSection, start_deg: float) -> Recorded:
    if section.text("SpecimenShift") is None:
        raise MetadataError(
            f"{section.place}: there is no SpecimenShift; replay needs the metadata of a parallel session"
        )
    tilt_deg = section.tilt_deg
    shift = XY(*section.need_floats("SpecimenShift", 2))
    z0_um = section.get_float("EucentricOffset")
    branch = Branch.START
    if abs(tilt_deg - start_deg) > 0.05:
        branch = Branch.UP if tilt_deg > start_deg else Branch.DOWN
    return Recorded(tilt_deg, branch, shift, z0_um)


def _rows(recorded: Sequence[Recorded], n0_um: float, data_points: int) -> tuple[ReplayRow, ...]:
    """Ask and tell the model, image by image."""
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


def _fit_n0_um(recorded: Sequence[Recorded], data_points: int) -> float:
    """Distance from the axis that explains the recorded eucentric offsets best.

    By the median deviation, so that a failed end of a series does not count.
    """
    import numpy as np
    from scipy.optimize import minimize_scalar

    if sum(seen.z0_um is not None for seen in recorded) < 3:
        return recorded[0].shift_um.y

    def deviation_um(n0_um: float) -> float:
        rows = _rows(recorded, n0_um, data_points)
        apart = [abs(row.z0_um - row.recorded.z0_um) for row in rows if row.recorded.z0_um is not None]
        return float(np.median(apart))

    guesses = np.arange(-_N0_SEARCH_UM, _N0_SEARCH_UM + 0.1, 0.5)
    best = min(guesses, key=deviation_um)
    fitted = minimize_scalar(deviation_um, bounds=(best - 0.5, best + 0.5), method="bounded")
    return round(float(fitted.x), 4) + 0.0
