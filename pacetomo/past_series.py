"""What the metadata of past parallel sessions tell: where each target was found, when, how bright, how high.

Read from mdocs of this package and of PACEtomo: `SpecimenShift` is where the target was found after alignment, from the
tracking target's start; the measured defocus and the focus that was set give its height.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Optional

from pacetomo.errors import MetadataError
from pacetomo.files.mdoc import MdocSection, read_mdoc
from pacetomo.files.mdoc_order import acquisition_order, date_time
from pacetomo.frames import XY
from pacetomo.schemes import Branch
from pacetomo.scope.protocol import Shot
from pacetomo.tracking import Start

DEFOCUS_KEYS = ("CtfDefocus", "CtfFind", "CtfPlotter")
"""Keys under which this package and PACEtomo write a measured defocus (µm)."""

_UNKNOWN_PACE_MIN = 1.0
"""Minutes per image where the metadata do not tell."""


class Recorded(NamedTuple):
    """One image of the session: stage tilt (degrees), specimen shift and eucentric offset (µm).

    `minutes` are since the first image, `shot` is how bright it was, `rise_um` how much higher the target was than at
    the start by its measured defocus.
    """

    tilt_deg: float
    branch: Branch
    shift_um: XY
    z0_um: Optional[float] = None  # noqa: UP045 - evaluated at run time on Python 3.9
    minutes: float = 0.0
    shot: Optional[Shot] = None  # noqa: UP045
    rise_um: Optional[float] = None  # noqa: UP045

    def as_start(self, n0_um: float | None = None) -> Start:
        """The first image as a start; if n0 is not given, the one at which the target is seen at its shift."""
        z0_um = self.z0_um or 0.0
        tilt = math.radians(self.tilt_deg)
        seen_n0_um = (self.shift_um.y + z0_um * math.sin(tilt)) / math.cos(tilt)
        return Start(self.shift_um, seen_n0_um if n0_um is None else n0_um, z0_um, is_found=True)


class PastSeries(NamedTuple):
    """One series.

    Attributes
    ----------
    path : Path
        Its mdoc.
    began : datetime or None
        When its first image was taken; None if the metadata do not tell.
    images : tuple of Recorded
        In order of acquisition.
    """

    path: Path
    began: Optional[datetime]  # noqa: UP045
    images: tuple[Recorded, ...]


def read_recorded(path: Path) -> tuple[Recorded, ...]:
    """Images of a series in order of acquisition; see `read_series`."""
    return read_series(path).images


def read_series(path: Path) -> PastSeries:
    """Read a series.

    Raises
    ------
    MetadataError
        When there are no sections, or one lacks what is needed.
    """
    images = read_mdoc(path).need_images()
    sections = [images[place] for place in acquisition_order(images)]
    start_deg = sections[0].tilt_deg
    times = [date_time(section) for section in sections]
    minutes = _minutes(times)
    rises = _rises_um(sections)
    recorded = tuple(
        _recorded(section, start_deg)._replace(minutes=minute, rise_um=rise, shot=_shot(section))
        for section, minute, rise in zip(sections, minutes, rises)
    )
    return PastSeries(path, times[0], recorded)


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


def _minutes(times: Sequence[datetime | None]) -> list[float]:
    """Minutes since the first image; at a usual pace where times are missing or run backwards."""
    known = [time for time in times if time is not None]
    if len(known) < len(times) or known != sorted(known):
        return [_UNKNOWN_PACE_MIN * n for n in range(len(times))]
    return [(time - known[0]).total_seconds() / 60 for time in known]


def _shot(section: MdocSection) -> Shot | None:
    """How bright an image was; None where the metadata do not tell."""
    counts, exposure_s = section.get_floats("MinMaxMean"), section.get_float("ExposureTime")
    if counts is None or len(counts) != 3 or exposure_s is None:
        return None
    return Shot(counts[2], exposure_s, 0.0, XY(0.0, 0.0))


def _rises_um(sections: Sequence[MdocSection]) -> list[float | None]:
    """How much higher the target was in each image than in the first.

    A target that rises by dz at a fixed focus is imaged at a defocus larger by dz; lowering the focus by as much brings
    it back. So the rise is the change of the measured defocus less that of the focus set.
    """
    heights: list[float | None] = []
    for section in sections:
        focus_um = section.get_float("Defocus")
        fits = [section.get_floats(key) for key in DEFOCUS_KEYS]
        measured = next((fit[0] for fit in fits if fit), None)
        heights.append(None if focus_um is None or measured is None else measured - focus_um)
    first = heights[0]
    return [None if first is None or height is None else height - first for height in heights]
