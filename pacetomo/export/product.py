"""What an export is made of, and what can be asked of one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from pacetomo.errors import MetadataError
from pacetomo.export.series import Series


@dataclass(frozen=True)
class Options:
    """What the metadata do not hold; defaults are those of the programs' own import.

    Attributes
    ----------
    frames : str or None
        Folder of the frame files as the program sees it; None for where the metadata say they are, which for RELION is
        the folder ``frames`` of its project.
    voltage_kv : float
        Acceleration voltage where the metadata do not tell.
    spherical_aberration_mm : float
        Of the objective lens.
    amplitude_contrast : float
        Share of the amplitude contrast.
    hand : int
        -1 or 1: RELION's `rlnTomoHand`, the sign with which underfocus changes with height. -1 in all data of which
        RELION's authors know, to be checked once for a microscope.
    frame_pixel_angstrom : float or None
        Å per pixel of the frames; None for a physical pixel of the camera.
    """

    frames: str | None = None
    voltage_kv: float = 300.0
    spherical_aberration_mm: float = 2.7
    amplitude_contrast: float = 0.1
    hand: int = -1
    frame_pixel_angstrom: float | None = None


class File(NamedTuple):
    """A file of an export: its name, with "/" for folders in it, and its text."""

    name: str
    text: str


class Remark(NamedTuple):
    """What to know about the export of a series: its name, and a sentence."""

    series: str
    text: str


class Product(NamedTuple):
    """Files of an export, and what to know about them."""

    files: tuple[File, ...]
    remarks: tuple[Remark, ...] = ()


def safe_name(name: str) -> str:
    """Return a name of letters, digits and underscores only.

    Some programs cut names at the first dot, or keep nothing of a minus sign, by which tiles of a montage would get the
    name of their neighbour.

    >>> safe_name("grid 1.2_ts_001_-1_0")
    'grid_1_2_ts_001_m1_0'
    """
    return re.sub(r"[^A-Za-z0-9_]", "_", re.sub(r"-(?=[0-9])", "m", name))


def stack_name(series: Series) -> str:
    """Return what the stack of a series is called beside exported metadata."""
    return safe_name(series.name) + series.stack.suffix


def refuse_same_names(series: Iterable[Series]) -> None:
    """MetadataError if two series would get the same name."""
    seen: dict[str, Series] = {}
    for each in series:
        key = safe_name(each.name).lower()
        if key in seen:
            raise MetadataError(
                f"{seen[key].stack} and {each.stack}: both would be called {safe_name(each.name)}; "
                "export them into folders of their own (--out)"
            )
        seen[key] = each


def lacking_frames_warning(series: Series, program: str) -> list[str]:
    """Return the sentence about images without frames, if there are any."""
    lacking = sum(view.frames is None for view in series.views)
    if not lacking:
        return []
    return [
        f"{lacking} of {len(series.views)} images name no frame file, without which {program} cannot use them"
    ]
