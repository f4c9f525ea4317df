"""A finished series as programs behind the microscope want to know it: one view after the other, in their terms.

Doses, tilts, defocus and frames come from SerialEM's own keys, the rest from those of `pacetomo.metadata_keys`. What
the metadata do not hold stays None; `Series.warnings` says in sentences what an importer may miss.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PureWindowsPath
from typing import NamedTuple, Optional

from pacetomo.files.mdoc import Mdoc, MdocSection
from pacetomo.frames import XY


class Fit(NamedTuple):
    """A fitted CTF: mean defocus (µm, underfocus negative), astigmatism (µm), angle and phase shift (degrees).

    `angle_deg` is the direction of the stronger underfocus from the image's X axis, as the program gave it.
    `astigmatism_um` is None where only the defocus was noted.
    """

    defocus_um: float
    astigmatism_um: Optional[float]  # noqa: UP045 - evaluated at run time on Python 3.9
    angle_deg: float = 0.0
    phase_deg: float = 0.0

    @property
    def strongest_nm(self) -> float:
        """Underfocus where it is strongest, positive."""
        return -1000.0 * self.defocus_um + 500.0 * (self.astigmatism_um or 0.0)

    @property
    def weakest_nm(self) -> float:
        """Underfocus where it is weakest, positive."""
        return -1000.0 * self.defocus_um - 500.0 * (self.astigmatism_um or 0.0)


@dataclass(frozen=True)
class View:
    """One image of a series.

    Attributes
    ----------
    section : int
        Its place in the stack, from 0.
    order : int
        Its place by time among the images that are there, from 0.
    tilt_deg : float
        Stage tilt.
    dose_e_per_a2, prior_dose_e_per_a2 : float or None
        Dose of this image, and of the target before it.
    nominal_defocus_um : float or None
        Defocus that was wanted, underfocus negative.
    fit : Fit or None
        CTF fitted to this image.
    off_centre_px : XY or None
        Where the target is seen from the centre of the image: stored pixels, X right, Y up; None where the image was
        not aligned.
    frames : str or None
        Frame file, as the metadata name it.
    frame_count : int or None
        Frames in it.
    taken : datetime or None
        When.
    image : MdocSection
        All that the metadata say.
    """

    section: int
    order: int
    tilt_deg: float
    dose_e_per_a2: float | None
    prior_dose_e_per_a2: float | None
    nominal_defocus_um: float | None
    fit: Fit | None
    off_centre_px: XY | None
    frames: str | None
    frame_count: int | None
    taken: datetime | None
    image: MdocSection

    @property
    def frame_name(self) -> str | None:
        """Name of the frame file without folder."""
        return None if self.frames is None else PureWindowsPath(self.frames).name


@dataclass(frozen=True)
class Series:
    """A series.

    Attributes
    ----------
    stack : Path
        Its stack, which may have been deleted once its frames were saved.
    has_stack : bool
        Whether it is there.
    mdoc : Mdoc
        Its metadata.
    views : tuple of View
        In the order of the stack.
    pixel_angstrom : float
        Å per stored pixel.
    size_px : tuple of int
        Columns and rows.
    axis_deg : float
        Tilt axis in IMOD's convention, see `pacetomo.export.axis`.
    voltage_kv : float or None
        Acceleration voltage.
    warnings : tuple of str
        What importers may miss, a sentence each.
    """

    stack: Path
    has_stack: bool
    mdoc: Mdoc
    views: tuple[View, ...]
    pixel_angstrom: float
    size_px: tuple[int, int]
    axis_deg: float
    voltage_kv: float | None
    warnings: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Name of the series: that of its stack without suffix."""
        return self.stack.stem

    @property
    def by_time(self) -> tuple[View, ...]:
        """Views in order of acquisition."""
        return tuple(sorted(self.views, key=lambda view: view.order))

    @property
    def by_tilt(self) -> tuple[View, ...]:
        """Views from the lowest tilt to the highest; those of one tilt in the order of the stack."""
        return tuple(sorted(self.views, key=lambda view: view.tilt_deg))

    @property
    def is_sorted(self) -> bool:
        """Whether the stack is in order of tilt."""
        return self.views == self.by_tilt

    @property
    def has_frames(self) -> bool:
        """Whether every image names its frames."""
        return all(view.frames is not None for view in self.views)
