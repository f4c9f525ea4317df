"""What is edited: an area as its target file will be written, what is known around it, and what is selected. Pure.

A `Document` is frozen; the functions of `pacetomo.editor.edits` and `pacetomo.editor.adding` return new ones, and
`pacetomo.editor.history` keeps them for undo and redo. Places are in µm of the specimen frame relative to the
tracking target, at the tilt at which the targets were picked (`tiltTargets`), as a target file has them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from pacetomo.area_files import AreaFiles
from pacetomo.editor.stage import fitted_matrix
from pacetomo.errors import PaceError, SettingsError
from pacetomo.frames import ORIGIN, XY, Matrix2
from pacetomo.geometry import SamplePlane
from pacetomo.job import NOMINAL_STAGE_TO_SPECIMEN, Job, make_job
from pacetomo.number_text import parse_float
from pacetomo.pattern import Lattice, read_lattice
from pacetomo.problem import listed
from pacetomo.scope.facts import OFFLINE, Facts
from pacetomo.scope.protocol import Missing
from pacetomo.settings import ResolvedSettings, Settings, SettingsLayer, resolve_settings
from pacetomo.settings_table import SETTING_ROWS
from pacetomo.targets import Target, TargetSet

FINEST_UM = 6
"""Decimals of coordinates (µm) that edits keep: sums of decimal numbers stay decimal numbers."""


class EditError(PaceError):
    """An edit cannot be done as asked; the document is unchanged."""


class ConfirmationNeededError(EditError):
    """An edit has a consequence that the user must agree to first; the text says which."""


@dataclass(frozen=True)
class Known:
    """What is known beside the targets themselves.

    Attributes
    ----------
    facts : Facts
        Of the microscope: limits, beam, field of Record.
    stage_to_specimen : Matrix2 or None
        µm of stage movement to µm in the specimen frame, from a microscope or a map; None if neither has told.
    layers : tuple of SettingsLayer
        Settings under those of the target file, as of a facility file.
    names : frozenset of str
        Names of the files in the session folder, in lower case: no new image may have one of them.
    has_microscope : bool
        Whether there is a microscope to ask and to move.
    """

    facts: Facts = OFFLINE
    stage_to_specimen: Matrix2 | None = None
    layers: tuple[SettingsLayer, ...] = ()
    names: frozenset[str] = frozenset()
    has_microscope: bool = False


@dataclass(frozen=True)
class Lock:
    """What a run that has begun keeps from being edited: all but which targets are skipped, and some settings.

    Attributes
    ----------
    reason : str
        Why the targets cannot be edited, for people.
    free : frozenset of str
        Settings that can still be changed.
    settings_reason : str
        Why the others cannot.
    """

    reason: str
    free: frozenset[str] = frozenset()
    settings_reason: str = ""

    def of_setting(self, name: str) -> str | None:
        """Why a setting cannot be changed, None if it can."""
        return None if name in self.free else self.settings_reason or self.reason


@dataclass(frozen=True)
class Document:
    """An area being edited.

    Attributes
    ----------
    path : Path
        The target file.
    targets : TargetSet
        The area as it will be written; the first target is the tracking target.
    known : Known
        What is known beside it.
    selected : frozenset of int
        Numbers of the targets that are selected.
    selected_points : frozenset of int
        Places (from 0) of the geometry points that are selected.
    lock : Lock or None
        What a run that has begun keeps from being edited.
    original : TargetSet or None
        The area as it was opened, for going back to it.
    """

    path: Path
    targets: TargetSet
    known: Known = field(default=Known(), repr=False)
    selected: frozenset[int] = frozenset()
    selected_points: frozenset[int] = frozenset()
    lock: Lock | None = None
    original: TargetSet | None = field(default=None, repr=False)

    # --- what it says

    @cached_property
    def numbers(self) -> tuple[int, ...]:
        """Numbers of all targets, the tracking target's first."""
        return tuple(target.number for target in self.targets.targets)

    def target(self, number: int) -> Target:
        """Return the target of a number; EditError if there is none."""
        found = self._by_number.get(number)
        if found is None:
            raise EditError(f"there is no target {number}")
        return found

    @cached_property
    def _by_number(self) -> dict[int, Target]:
        return {target.number: target for target in self.targets.targets}

    @cached_property
    def origin_um(self) -> XY:
        """What the target file gives as place of the tracking target; mostly (0, 0)."""
        return self.targets.tracking.shift_um or ORIGIN

    @cached_property
    def picked_at_deg(self) -> float:
        """Stage tilt at which the targets were picked; 0 where the setting cannot be used."""
        row = SETTING_ROWS["tiltTargets"]
        given = [layer.values.get(row.name) for layer in reversed(self.known.layers)]
        given[:0] = [parse_float(o.value) for o in self.targets.overrides if o.name == row.name]
        tilt_deg = next((value for value in given if isinstance(value, (int, float))), 0.0)
        return float(tilt_deg) if abs(tilt_deg) <= (row.high or 0.0) else 0.0

    @cached_property
    def stage_to_specimen(self) -> Matrix2 | None:
        """Stage movement to specimen: as known, or from targets that have both kinds of coordinates; else None."""
        if self.known.stage_to_specimen is not None:
            return self.known.stage_to_specimen
        return fitted_matrix(self.targets, self.picked_at_deg)

    @cached_property
    def is_nominal(self) -> bool:
        """Whether places of targets without specimen coordinates are guesses, as no matrix of the stage is known."""
        lacking = any(target.shift_um is None for target in self.targets.targets[1:])
        return lacking and self.stage_to_specimen is None

    @cached_property
    def places_um(self) -> dict[int, XY]:
        """Place of each target (µm) relative to the tracking target, by number.

        TargetFileError if a target has no coordinates that tell.
        """
        matrix = self.stage_to_specimen or NOMINAL_STAGE_TO_SPECIMEN
        resolved = self.targets.resolved_shifts(matrix, self.picked_at_deg)
        return {
            target.number: (target.shift_um or self.origin_um).minus(self.origin_um)
            for target in resolved.targets
        }

    @cached_property
    def point_places_um(self) -> tuple[XY, ...]:
        """Place of each geometry point (µm) relative to the tracking target."""
        return tuple(point.shift_um.minus(self.origin_um) for point in self.targets.geo_points)

    @cached_property
    def resolved(self) -> ResolvedSettings | Missing:
        """Settings in force and where they come from; Missing, with the reason, where one of them is wrong."""
        try:
            return resolve_settings(*self.known.layers, self.targets.settings_layer(self.path.name))
        except SettingsError as err:
            return Missing(str(err))

    @property
    def settings(self) -> Settings:
        """Settings in force; the defaults where one of them is wrong."""
        return self.resolved.settings if isinstance(self.resolved, ResolvedSettings) else Settings()

    @cached_property
    def plane(self) -> SamplePlane:
        """The sample plane that pretilt and rotation describe."""
        return SamplePlane(self.settings.pretilt, self.settings.rotation)

    @cached_property
    def job(self) -> Job | Missing:
        """What would be acquired; Missing, with the reason, where settings or targets do not allow it."""
        if isinstance(self.resolved, Missing):
            return self.resolved
        matrix = self.stage_to_specimen or NOMINAL_STAGE_TO_SPECIMEN
        try:
            job = make_job(AreaFiles(self.path), self.targets, self.resolved, matrix)
            _ = job.untilted_um, job.stops  # what makes no sense of pretilt and tilts shows here
        except PaceError as err:
            return Missing(str(err))
        return job

    @property
    def lattice(self) -> Lattice | None:
        """Lattice on which the targets lie, None for none; TargetFileError where it makes no sense."""
        return read_lattice(self.targets)

    def existing_images(self, number: int) -> tuple[str, ...]:
        """Names of the reference images of a target that are there."""
        target = self.target(number)
        return tuple(
            name for name in (target.reference, target.view) if name and name.casefold() in self.known.names
        )

    def stage_step(self, step_um: XY) -> XY | None:
        """Movement of the stage (µm) that leads as far in the specimen frame at the tilt of picking; None unknown.

        Stage Y lies in the tilted plane and is seen shortened by the cosine of the tilt.
        """
        if self.stage_to_specimen is None:
            return None
        across = math.cos(math.radians(self.picked_at_deg))
        return self.stage_to_specimen.inverse().apply(XY(step_um.x, step_um.y / across))

    def stage_at(self, place_um: XY) -> XY | None:
        """Stage coordinates (µm) of a place relative to the tracking target; None where they are not known."""
        first, step = self.targets.tracking.stage_um, self.stage_step(place_um)
        return None if first is None or step is None else tidy(first.plus(step))

    # --- other documents

    def with_targets(self, targets: TargetSet) -> Document:
        """Return the document with another target set; what is selected and still there stays selected."""
        numbers = {target.number for target in targets.targets}
        return replace(
            self,
            targets=targets,
            selected=self.selected & numbers,
            selected_points=frozenset(
                place for place in self.selected_points if place < len(targets.geo_points)
            ),
        )

    def with_selected(self, numbers: Iterable[int] = (), points: Iterable[int] = ()) -> Document:
        """Return the document with these targets (numbers) and geometry points (places from 0) selected."""
        return replace(
            self,
            selected=frozenset(numbers) & frozenset(self.numbers),
            selected_points=frozenset(p for p in points if 0 <= p < len(self.targets.geo_points)),
        )

    def with_known(self, known: Known) -> Document:
        """Return the document with something else known beside the targets."""
        return replace(self, known=known)

    def require_unlocked(self) -> None:
        """Refuse an edit of the targets where a run has begun (EditError)."""
        if self.lock is not None:
            raise EditError(self.lock.reason)

    def require_places(self) -> None:
        """Refuse an edit that needs places which are only guessed (EditError)."""
        if self.is_nominal:
            lacking = [str(target.number) for target in self.targets.targets[1:] if target.shift_um is None]
            raise EditError(
                f"target {listed(lacking)} has stage coordinates only, and how the stage moves the sample is not "
                "known: open the file at the microscope, or load a map of the area"
            )


def tidy(place_um: XY) -> XY:
    """Return coordinates to a picometre, without negative zeros.

    >>> tidy(XY(2.4103 + 1.0921, -0.0))
    XY(x=3.5024, y=0.0)
    """
    return XY(round(place_um.x, FINEST_UM) + 0.0, round(place_um.y, FINEST_UM) + 0.0)
