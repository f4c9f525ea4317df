"""Images taken without a beam: noticed before they become sections, kept beside the series, and taken again."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple, Protocol

from pacetomo.books import Books
from pacetomo.darkness import Brightness, share_of_beam
from pacetomo.errors import ImageNotSavedError, PaceError, ScopeError
from pacetomo.plan import Exposure
from pacetomo.scope.protocol import Level, Microscope, Shot
from pacetomo.upkeep import Upkeep


class Rejected(NamedTuple):
    """An image that was taken again, and whether the column valves were closed after it."""

    shot: Shot
    valves_closed: bool


class Doses(Protocol):
    """Where the dose of each target is kept."""

    def dose_e_per_a2(self, number: int) -> float:
        """Dose of a target so far."""

    def spend(self, number: int, dose_e_per_a2: float) -> None:
        """Set the dose of a target so far."""


class Retaking:
    """Records images, and once more those that came out dark for want of a beam.

    An image is dark by its target's own history. Where valves have closed, half of the light gone is enough; with open
    ones only a black image is taken again, once, and if it is black again it is what there is to see.

    Parameters
    ----------
    scope, books, upkeep
        Where, who is told, and what knows about the valves.
    doses : Doses, optional
        Where the dose of rejected images is kept, if not in the books.
    """

    def __init__(self, scope: Microscope, books: Books, upkeep: Upkeep, doses: Doses | None = None) -> None:
        self._scope = scope
        self._books = books
        self._doses: Doses = doses or books
        self._upkeep = upkeep
        self._brightness = Brightness()

    def record(self, exposure: Exposure, series: Path, frames: str = "") -> tuple[Shot, int]:
        """Record the image aimed for into `series`, the current stack; image and section.

        `frames` is the base name of its frames, by default that of the stack; an image taken again gets one of its own.
        The dose of images that were rejected is on the books afterwards.

        Raises
        ------
        ScopeError, ImageNotSavedError
            As `Microscope.record` does.
        AreaError
            When column valves stay closed.
        """
        rejected: list[Rejected] = []
        try:
            shot, section = self._record(exposure, series, frames or series.stem, rejected)
        except ImageNotSavedError as err:
            self._settle(exposure, None, rejected)
            raise ImageNotSavedError(f"{err}; {self._rescue(series)}", err.dose_e_per_a2) from err
        except PaceError:
            self._settle(exposure, None, rejected)
            raise
        self._settle(exposure, shot, rejected)
        if shot.exposure_s > 0:
            self._brightness.note(exposure.target, exposure.branch, shot.mean_counts / shot.exposure_s)
        return shot, section

    def _record(
        self, exposure: Exposure, series: Path, frames: str, rejected: list[Rejected]
    ) -> tuple[Shot, int]:
        floor_per_s = self._brightness.floor_per_s(exposure.target, exposure.branch)
        while True:
            shot, section = self._expose(frames, floor_per_s)
            if section is not None:
                return shot, section
            closed = self._upkeep.valves_are_closed()
            if not self._is_to_be_retaken(exposure, shot, closed, rejected):
                return shot, self._keep(shot)
            rejected.append(Rejected(shot, closed))
            frames = self._books.frames.again(frames)
            self._put_aside(exposure, series, rejected[-1], frames)
            self._upkeep.before_image()

    def _expose(self, frames: str, floor_per_s: float) -> tuple[Shot, int | None]:
        return self._upkeep.despite_valves(lambda: self._scope.record(frames, floor_per_s))

    def _is_to_be_retaken(
        self, exposure: Exposure, shot: Shot, closed: bool, rejected: list[Rejected]
    ) -> bool:
        if closed:
            return len(rejected) < self._upkeep.most_retakes
        per_s = shot.mean_counts / shot.exposure_s if shot.exposure_s > 0 else math.nan
        black = self._brightness.is_black(exposure.target, exposure.branch, per_s)
        return black and all(image.valves_closed for image in rejected)

    def _keep(self, shot: Shot) -> int:
        """Save an image that is black and is all there is."""
        try:
            return self._scope.save_section()
        except ScopeError as err:
            raise ImageNotSavedError(
                f"the image was exposed but not saved: {err}", shot.dose_e_per_a2
            ) from err

    def _rescue(self, series: Path) -> str:
        """Keep an exposed image that cannot be saved in its series in a stack of its own; say what became of it."""
        path = series.with_name(f"{series.stem}_unsaved.mrc")
        try:
            self._scope.set_aside(path)
        except ImageNotSavedError as err:
            return f"nor could it be kept elsewhere ({err})"
        except ScopeError:  # its series cannot be opened any more, which is the trouble told already
            return f"it should be in {path.name}"
        return f"it is kept in {path.name}"

    def _put_aside(self, exposure: Exposure, series: Path, image: Rejected, frames: str) -> None:
        """Keep a black image beside the series, and say so; `frames` is the name of those of the next one."""
        aside = series.with_name(f"{series.stem}_rejected.mrc")
        why = (
            "the column valves had closed"
            if image.valves_closed
            else "black beside the target's image before"
        )
        text = (
            f"{why}, {image.shot.mean_counts:.1f} counts; the image goes into {aside.name} and is taken again"
        )
        try:
            self._scope.set_aside(aside)
        except ImageNotSavedError as err:
            text += f" (it could not be kept: {err})"
        self._scope.tell(f"Target {exposure.target} at {exposure.tilt_deg:g}°: {text}", Level.WARNING)
        self._books.note(
            "rejected",
            target=exposure.target,
            tilt_deg=exposure.tilt_deg,
            branch=exposure.branch.value,
            mean_counts=image.shot.mean_counts,
            file=aside.name,
            reason=why,
            frames=frames,
        )

    def _settle(self, exposure: Exposure, kept: Shot | None, rejected: list[Rejected]) -> None:
        """Book the dose of rejected images, now that the one kept tells whether there was a beam."""
        for image in rejected:
            counts = None if kept is None else kept.mean_counts
            share = share_of_beam(image.shot.mean_counts, counts, image.valves_closed)
            spent = self._doses.dose_e_per_a2(exposure.target) + share * image.shot.dose_e_per_a2
            self._doses.spend(exposure.target, spent)
