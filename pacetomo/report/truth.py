"""The truth log of the simulated microscope: where the sample really was at every exposure.

Sample positions are µm in the sample's own untilted frame (x along the tilt axis, y across it, z up), tilts
degrees, defocus µm (negative: underfocus) at the point of the sample that lies at the image centre.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PureWindowsPath

from pacetomo.frames import XY
from pacetomo.montage import CENTRE
from pacetomo.report.reading import Line, lines_of

_STACK_SUFFIXES = frozenset({".mrc", ".st", ".mrcs"})


@dataclass(frozen=True)
class TruthExposure:
    """One exposure: camera set letter (V F T R S P M), dose, and the sample point at the image centre."""

    camera_set: str
    exposure_s: float
    dose_e_per_a2: float
    tilt_deg: float
    tilt_true_deg: float
    sample_um: tuple[float, float, float]
    defocus_um: float
    beam_radius_um: float


@dataclass(frozen=True)
class TruthSaved:
    """One saved section of a file.

    Attributes
    ----------
    exposure
        Place of its exposure in `TruthLog.exposures`, None if unknown.
    residual_um
        Where, from the image centre, the point lies that was at the centre of the file's first section.
    """

    exposure: int | None
    file: str
    section: int
    residual_um: XY
    shot: TruthExposure


@dataclass(frozen=True)
class TruthLog:
    """All exposures and saved sections in order of time."""

    exposures: tuple[TruthExposure, ...] = ()
    saved: tuple[TruthSaved, ...] = ()

    def sections_of(self, series: str) -> dict[int, TruthSaved]:
        """Return the saved sections of a series by section number, those of the last file of that name."""
        key = series_key(series)
        sections: dict[int, TruthSaved] = {}
        for saved in self.saved:
            if series_key(saved.file) == key:
                if saved.section == 0:
                    sections = {}
                sections[saved.section] = saved
        return sections


def series_key(name: str) -> str:
    r"""Return what two names of one series have in common: no folder, no stack suffix, no case.

    The centre tile of a montage stands for its target.

    >>> series_key("X:\\data\\Lam_ts_001.mrc") == series_key("lam_ts_001") == series_key("lam_ts_001_0_0.mrc")
    True
    """
    path = PureWindowsPath(name)
    stem = path.stem if path.suffix.lower() in _STACK_SUFFIXES else path.name
    centre = f"_{CENTRE.name}"
    return (stem[: -len(centre)] if stem.endswith(centre) else stem).lower()


def read_truth(path: Path) -> TruthLog:
    """Read a truth log; a last line cut in half is dropped, and so are events of other kinds.

    Raises
    ------
    MetadataError
        If the file cannot be read, an earlier line is damaged, or a value has the wrong type; with file and
        line.
    """
    exposures: list[TruthExposure] = []
    saved: list[TruthSaved] = []
    latest: dict[tuple[object, ...], int] = {}
    for line in lines_of(path):
        event = line.values.get("event")
        if event == "exposure":
            shot = _shot(line)
            latest[_identity(line, shot)] = len(exposures)
            exposures.append(shot)
        elif event == "saved":
            shot = _shot(line)
            residual_um = XY(line.real("residual_x_um"), line.real("residual_y_um"))
            saved.append(
                TruthSaved(
                    latest.get(_identity(line, shot)),
                    line.text("file"),
                    line.integer("section"),
                    residual_um,
                    shot,
                )
            )
    return TruthLog(tuple(exposures), tuple(saved))


def _identity(line: Line, shot: TruthExposure) -> tuple[object, ...]:
    """Return what a saved section shares with its own exposure and no other: its number, else its pose."""
    number = line.integer("exposure", -1)
    if number >= 0:
        return (number,)
    return (shot.camera_set, *(round(value, 6) for value in (shot.tilt_true_deg, *shot.sample_um)))


def _shot(line: Line) -> TruthExposure:
    tilt_deg = line.real("tilt_nominal_deg")
    return TruthExposure(
        camera_set=line.text("set") or line.text("lda", "?"),
        exposure_s=line.real("exposure_s"),
        dose_e_per_a2=line.real("dose_e_per_a2"),
        tilt_deg=tilt_deg,
        tilt_true_deg=line.real("tilt_true_deg", tilt_deg),
        sample_um=(line.real("sample_x_um"), line.real("sample_y_um"), line.real("sample_z_um")),
        defocus_um=line.real("defocus_um"),
        beam_radius_um=line.real("beam_radius_um"),
    )
