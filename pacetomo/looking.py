"""Images of a set-up: taken, compared with what they should show, kept as references, and their dose counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pacetomo.area_files import AreaFiles
from pacetomo.errors import PaceError
from pacetomo.files.atomic import move_aside
from pacetomo.files.new_stack import is_virtual
from pacetomo.notes import Notes
from pacetomo.scope.protocol import Area, Microscope, Missing, ShiftOrMissing, Shot
from pacetomo.targets import Target
from pacetomo.upkeep import Upkeep


class Looking:
    """Looks at targets and tells how far they are from where they should be.

    Parameters
    ----------
    scope, files, notes
        Where, whose references, and who is told.
    expects_references : bool
        Whether a target without a reference is worth a warning.
    upkeep : Upkeep, optional
        Asked whether closed valves were what made the camera fail.
    everyone : sequence of int
        Numbers of the targets that a View image lights: all of an area.

    Attributes
    ----------
    dose_e_per_a2 : dict of int to float
        What the images have cost each target: its own Previews, and every View.
    preview : Shot or None
        The latest of them.
    """

    def __init__(
        self,
        scope: Microscope,
        files: AreaFiles,
        notes: Notes,
        expects_references: bool = True,
        upkeep: Upkeep | None = None,
        everyone: Sequence[int] = (),
    ) -> None:
        self._scope = scope
        self._files = files
        self._notes = notes
        self._expects_references = expects_references
        self._upkeep = upkeep
        self._everyone = everyone
        self._uncounted = 0
        self.dose_e_per_a2: dict[int, float] = {}
        self.preview: Shot | None = None

    def count_views(self, images: int) -> None:
        """Count View images that SerialEM has taken by itself, at the dose of the next one that is taken here."""
        self._uncounted += images

    def spend(self, doses: Mapping[int, float]) -> None:
        """Count what else the targets have had (e/Å², by number)."""
        for number, dose in doses.items():
            self.dose_e_per_a2[number] = self.dose_e_per_a2.get(number, 0.0) + dose

    def has(self, reference: str | None) -> bool:
        """Whether there is a reference file of that name."""
        return self._path(reference) is not None

    def has_virtual(self, reference: str | None) -> bool:
        """Whether there is such a reference, and it was cut out of a map."""
        path = self._path(reference)
        return path is not None and is_virtual(path)

    def compare(
        self, area: Area, target: Target, reference: str | None, limit_um: float
    ) -> ShiftOrMissing | None:
        """Offset of a fresh image from a reference file; None when there is no such file to compare with.

        The image shift has to grow by the offset (specimen plane, µm) to centre the target.
        """
        path = self._path(reference)
        if path is None:
            if self._expects_references:
                missing = "none is named" if reference is None else f"{reference} is not there"
                self._notes.warn(f"target {target.number} has no {area.value} reference ({missing})", target)
            return None
        self._take(area, target)
        offset = self._scope.offset_from_file(path, 0, limit_um)
        if isinstance(offset, Missing):
            self._notes.warn(
                f"target {target.number} was not found in {area.value} ({offset.reason})", target
            )
        return offset

    def look(self, area: Area) -> Shot:
        """Take an image that is on no target."""
        return self._shoot(area)

    def compare_with_hole(self, target: Target | None, limit_um: float) -> ShiftOrMissing:
        """Offset of the nearest hole in a fresh View image from the operator's hole; `target` as the warning names it.

        `limit_um` must be less than half the distance between holes if a certain one is meant: they all look alike.
        """
        self._shoot(Area.VIEW)
        offset = self._scope.offset_from_hole(limit_um)
        if isinstance(offset, Missing):
            what = "the hole" if target is None else f"the hole of target {target.number}"
            self._notes.warn(f"{what} was not found in view ({offset.reason})", target)
        return offset

    def keep_preview(self, target: Target) -> str | None:
        """Take a Preview where the target is and keep it as its reference; the file's name, None if that failed."""
        path = self._files.reference(target.number)
        try:
            move_aside(path, self._scope.wait)
            self._take(Area.PREVIEW, target)
            self._scope.open_series(path)
            try:
                self._scope.save_section()
            finally:
                self._scope.close_series()
        except PaceError as err:
            self._notes.warn(f"target {target.number} has no Preview reference ({err})", target)
            return None
        self._notes.note("reference", target=target.number, file=path.name)
        return path.name

    def _take(self, area: Area, target: Target) -> None:
        shot = self._shoot(area)
        if area is Area.PREVIEW:  # taken with the beam of Record, on the very place of the series
            self.spend({target.number: shot.dose_e_per_a2})
            self.preview = shot

    def _shoot(self, area: Area) -> Shot:
        if self._upkeep is None:
            shot = self._scope.take(area)
        else:
            shot = self._upkeep.despite_valves(lambda: self._scope.take(area))
        if area is Area.VIEW:
            self.spend(dict.fromkeys(self._everyone, (1 + self._uncounted) * shot.dose_e_per_a2))
            self._uncounted = 0
        return shot

    def _path(self, reference: str | None) -> Path | None:
        path = None if reference is None else self._files.folder / reference
        return path if path is not None and path.is_file() else None
