"""Whether the column has the magnification that the tracking target is to be imaged at."""

from __future__ import annotations

from collections.abc import Iterator

from pacetomo.errors import ScopeError
from pacetomo.job import Job
from pacetomo.problem import Problem
from pacetomo.scope.protocol import Area, Imaging, Microscope
from pacetomo.taking import AREAS


def magnification_problems(scope: Microscope, job: Job) -> Iterator[Problem]:
    """What stands against `trackMag`, found without an electron: the column goes there and back."""
    magnification = job.settings.trackMag
    if not magnification:
        return
    area = Area.TRIAL if job.settings.trackUseTrial else AREAS[job.targets.tracking.area]
    try:
        scope.aim(
            scope.shift_um(),
            scope.focus_um(),
            compensate_beam_tilt=False,
            imaging=Imaging(area, magnification),
        )
    except ScopeError as err:
        yield Problem(
            True,
            f"trackMag {magnification:g} cannot be used ({err})",
            "give a magnification as SerialEM shows it, or 0 for that of Record",
        )
    finally:
        scope.release()
