"""What the metadata of an image say of it beside what SerialEM writes. Pure; see `pacetomo.metadata_keys`."""

from __future__ import annotations

from pathlib import PureWindowsPath
from typing import NamedTuple, Optional

from pacetomo import metadata_keys as keys
from pacetomo.frames import XY
from pacetomo.job import Job
from pacetomo.montage import CENTRE, Tile
from pacetomo.settings import settings_hash

AUTOFOCUS = "Autofocus"
"""How a defocus was measured if not by the image."""


class MeasuredDefocus(NamedTuple):
    """Defocus of an image (µm, underfocus negative), and by what it was measured."""

    defocus_um: float
    method: str


class Seen(NamedTuple):
    """What is known of an image once it is saved.

    `section` is its place in its stack, from 0; `place_um` the specimen shift that would have centred the target,
    `z0_um` its eucentric offset, `residual_um` where it was seen from its aim with `sigma_um` as standard deviation;
    `beside_e_per_a2` the dose by beams aimed at others before. What is None is not known.
    """

    section: int
    place_um: XY
    z0_um: float
    residual_um: Optional[XY] = None  # noqa: UP045 - evaluated at run time on Python 3.9
    sigma_um: Optional[XY] = None  # noqa: UP045
    defocus: Optional[MeasuredDefocus] = None  # noqa: UP045
    beside_e_per_a2: Optional[float] = None  # noqa: UP045
    tile: Tile = CENTRE


class Annotations:
    """Makes the entries of images of a job.

    Parameters
    ----------
    job : Job
        With `extendedMdoc` off there are none.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._hash = settings_hash(job.resolved.values())

    def of(self, target: int, seen: Seen) -> dict[str, str]:
        """Keys and values for an image of a target, in a lasting order."""
        job = self._job
        if not job.settings.extendedMdoc:
            return {}
        series = job.targets.numbered(target).series
        entries = {keys.SPECIMEN_SHIFT: _pair(seen.place_um), keys.EUCENTRIC_OFFSET: f"{seen.z0_um:.6g}"}
        if not job.montage(target).is_single:
            entries[keys.TILE] = f"{seen.tile.x} {seen.tile.y}"
        if seen.residual_um is not None:
            entries[keys.RESIDUAL] = _pair(seen.residual_um)
            if seen.sigma_um is not None:
                entries[keys.RESIDUAL_SIGMA] = _pair(seen.sigma_um)
        if seen.defocus is not None:
            entries[keys.MEASURED_DEFOCUS] = f"{seen.defocus.defocus_um:.4f}"
            entries[keys.DEFOCUS_METHOD] = seen.defocus.method
        if seen.beside_e_per_a2 is not None:
            entries[keys.NEIGHBOUR_DOSE] = f"{seen.beside_e_per_a2:.6g}"
        entries[keys.TARGET_NUMBER] = str(target)
        entries[keys.TARGET_NAME] = PureWindowsPath(series).stem
        entries[keys.AREA] = job.files.root
        entries[keys.ORDER] = str(seen.section + 1)
        entries[keys.SETTINGS_HASH] = self._hash
        return entries


def _pair(value: XY) -> str:
    """Two numbers of a key.

    >>> _pair(XY(0.1, -2.0))
    '0.1 -2'
    """
    return f"{value.x:.6g} {value.y:.6g}"
