"""What the editor asks of a microscope, where there is one; who opens it from SerialEM provides that."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Optional, Protocol

from pacetomo.editor.model import Document, Known

Tell = Callable[[int, int], None]
"""Told how many of how many are done; raises when the user has cancelled."""


class MeasuredGeometry(NamedTuple):
    """What a measurement at geometry points has found.

    `pretilt_deg` and `rotation_deg` are None where the points tell no plane; `text` says how it went, `figure` is a
    picture of it, and `points_um` has (SSX, SSY, height) of each measured point.
    """

    text: str
    pretilt_deg: Optional[float] = None  # noqa: UP045 - evaluated at run time on Python 3.9
    rotation_deg: Optional[float] = None  # noqa: UP045
    figure: Optional[Path] = None  # noqa: UP045
    points_um: tuple[tuple[float, float, float], ...] = ()


class MicroscopeSide(Protocol):
    """The microscope as the editor sees it. All methods may take long and are called in one thread of their own.

    What goes wrong is raised as a `PaceError` that says so in a sentence.
    """

    def known(self) -> Known:
        """What the microscope knows: limits, beam, field of Record, how the stage moves the sample."""

    def save_views(self, document: Document, numbers: Sequence[int], tell: Tell) -> Mapping[int, str]:
        """Take a View image of each of these targets and save it in the session folder; its name by target."""

    def copy_to_acquire(self, document: Document, tell: Tell) -> Sequence[Path]:
        """Write the area's targets for each Navigator point marked with Acquire; the target files written."""

    def measure_geometry(self, document: Document, tell: Tell) -> MeasuredGeometry:
        """Measure defocus at the geometry points, and the sample's inclination from it."""
