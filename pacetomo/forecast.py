"""How far a run is and when it will end, told after every tilt."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from pacetomo.books import Books
from pacetomo.focusing import Focusing
from pacetomo.job import Job
from pacetomo.pace import Pace, Work, describe_left
from pacetomo.plan import Exposure
from pacetomo.schemes import Branch
from pacetomo.scope.protocol import Microscope
from pacetomo.taking import Taking


class Forecast:
    """Progress of a run.

    Parameters
    ----------
    scope, job
        Who keeps the clock and shows the progress, and of what.
    plan : sequence of Exposure
        All exposures, in order.
    books, taking, focusing
        Which targets have ended, how long their images take, and when there is autofocus between them.
    """

    def __init__(
        self,
        scope: Microscope,
        job: Job,
        plan: Sequence[Exposure],
        books: Books,
        taking: Taking,
        focusing: Focusing,
    ) -> None:
        self._scope = scope
        self._job = job
        self._plan = plan
        self._books = books
        self._taking = taking
        self._focusing = focusing
        self._pace = Pace(scope.clock_s())
        self._done = Work(0, 0)
        self._tilt_deg, self._branch = job.start_tilt_deg, Branch.START

    def tilt_done(self, exposures: Sequence[Exposure]) -> None:
        """Take note of a tilt that is over and show the progress; tilts with nothing left to image do not count."""
        last = exposures[-1]
        self._done = self._done.plus(self._work(exposures))
        self._tilt_deg, self._branch = last.tilt_deg, last.branch
        ahead = [exposure for exposure in self._plan if exposure.stop > last.stop]
        left = self._work([exposure for exposure in ahead if not self._books.branch(exposure).skip])
        left_s = self._pace.left_s(self._scope.clock_s(), self._done, left)
        counted = f"tilt {self._done.tilts} of {self._done.tilts + left.tilts}"
        self._scope.show_progress(f"{self._job.files.root}: {counted}, {describe_left(left_s)}")

    def _work(self, exposures: Sequence[Exposure]) -> Work:
        """Work of exposures in order, begun where the stage is now."""
        tilt_deg, before = self._tilt_deg, self._branch
        swing_deg, tilts, autofocuses = 0.0, 0, 0
        for _, group in itertools.groupby(exposures, key=lambda exposure: exposure.stop):
            first = next(group)
            swing_deg += abs(first.tilt_deg - tilt_deg)
            autofocuses += self._focusing.is_due(first.tilt_deg, first.branch, first.branch is not before)
            tilt_deg, before, tilts = first.tilt_deg, first.branch, tilts + 1
        longer_s = sum(self._taking.longer_s(exposure) for exposure in exposures)
        return Work(
            tilts=tilts,
            images=len(exposures),
            extra_s=sum(self._taking.extra_s(exposure) for exposure in exposures) - longer_s,
            swing_deg=swing_deg,
            autofocuses=autofocuses,
            longer_s=longer_s,
        )
