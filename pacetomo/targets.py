"""The targets of an acquisition area: what they are, edits that return new sets, and checks.

A `TargetSet` knows how its file was laid out, so that writing it again changes only the lines that an edit
concerns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

from pacetomo.errors import TargetFileError
from pacetomo.frames import ORIGIN, XY, Matrix2
from pacetomo.settings import SettingsLayer, parse_setting_text

AREAS = ("R", "V", "S")
SERIES_ENDINGS = (".mrc", ".st")
_NOT_IN_NAMES = set('<>:"/\\|?*')
_LONGEST_NAME = 200  # with ".mrc.mdoc~12" it still fits into a file system's 255


@dataclass(frozen=True)
class Target:
    """One target of an area.

    Attributes
    ----------
    number : int
        From 1.
    series : str
        File name of its tilt series.
    reference, view : str or None
        File names of its Preview and View reference images.
    shift_um : XY or None
        Specimen coordinates relative to target 1 at the tilt it was picked at; None if they follow from
        `stage_um`.
    stage_um : XY or None
        Navigator stage coordinates.
    skip : bool
        Whether to leave the target out.
    area : str
        Low-dose area to record in: "R", "V" or "S".
    score : float or None
        From an automatic picker.
    defocus_um : float or None
        Its own defocus (underfocus negative); None for its share of the settings' range.
    extra : tuple of (str, str)
        Keys that this version does not know, with their values, in order.
    source : tuple of str
        The lines it was read from; not compared.
    """

    number: int
    series: str
    reference: str | None = None
    view: str | None = None
    shift_um: XY | None = None
    stage_um: XY | None = None
    skip: bool = False
    area: str = "R"
    score: float | None = None
    defocus_um: float | None = None
    extra: tuple[tuple[str, str], ...] = ()
    source: tuple[str, ...] = field(default=(), repr=False, compare=False)


@dataclass(frozen=True)
class GeoPoint:
    """A point at which to measure defocus for the geometry of the sample.

    Attributes
    ----------
    shift_um : XY
        Specimen coordinates relative to target 1.
    extra : tuple of (str, str)
        Keys that this version does not know, with their values, in order.
    source : tuple of str
        The lines it was read from; not compared.
    """

    shift_um: XY
    extra: tuple[tuple[str, str], ...] = ()
    source: tuple[str, ...] = field(default=(), repr=False, compare=False)


@dataclass(frozen=True)
class Override:
    """A setting that the target file gives for its area.

    Attributes
    ----------
    name : str
        Public name of the setting; may be unknown.
    value : str
        As it stands in the file.
    kind : str
        "set" for numbers and words, "bset" for yes or no.
    line : int or None
        Line in the file, from 1; not compared.
    """

    name: str
    value: str
    kind: str = "set"
    line: int | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Layout:
    """How a target file was laid out.

    Attributes
    ----------
    slots : tuple of (str, tuple of str)
        Blocks in order: ("text", lines) for lines before the first target and blocks of unknown kind,
        ("target", ()) and ("geo", ()) where the next target or geometry point stands.
    newline : str
        Line end for new lines.
    byte_order_mark : bool
        Whether the file started with one.
    """

    slots: tuple[tuple[str, tuple[str, ...]], ...] = ()
    newline: str = "\n"
    byte_order_mark: bool = False


@dataclass(frozen=True)
class TargetSet:
    """All targets of an area and what else a target file says.

    Attributes
    ----------
    targets : tuple of Target
        In the order of acquisition; the first is the tracking target.
    overrides : tuple of Override
        Settings for this area.
    geo_points : tuple of GeoPoint
        Where to measure the geometry of the sample.
    warnings : tuple of str
        What looked odd on reading, one sentence each; not compared.
    layout : Layout
        How the file was laid out; not compared.
    """

    targets: tuple[Target, ...]
    overrides: tuple[Override, ...] = ()
    geo_points: tuple[GeoPoint, ...] = ()
    warnings: tuple[str, ...] = field(default=(), compare=False)
    layout: Layout = field(default=Layout(), repr=False, compare=False)

    @property
    def tracking(self) -> Target:
        """The tracking target; TargetFileError if there is no target at all."""
        if not self.targets:
            raise TargetFileError("there is no target in this area; at least one is needed")
        return self.targets[0]

    def numbered(self, number: int) -> Target:
        """Return the target of that number; TargetFileError if there is none."""
        for target in self.targets:
            if target.number == number:
                return target
        raise TargetFileError(f"there is no target {number}")

    def with_target(self, target: Target) -> TargetSet:
        """Return the set with a target in place of the one of its number, or added at the end."""
        if all(old.number != target.number for old in self.targets):
            return replace(self, targets=(*self.targets, target))
        return replace(
            self, targets=tuple(target if old.number == target.number else old for old in self.targets)
        )

    def without_target(self, number: int) -> TargetSet:
        """Return the set without a target; the others keep their numbers."""
        gone = self.numbered(number)
        return replace(self, targets=tuple(target for target in self.targets if target is not gone))

    def with_skip(self, number: int, skip: bool = True) -> TargetSet:
        """Return the set with a target to be left out, or not."""
        return self.with_target(replace(self.numbered(number), skip=skip))

    def with_shift(self, number: int, shift_um: XY) -> TargetSet:
        """Return the set with other specimen coordinates for a target (µm, relative to target 1)."""
        return self.with_target(replace(self.numbered(number), shift_um=shift_um))

    def with_stage(self, number: int, stage_um: XY) -> TargetSet:
        """Return the set with other stage coordinates for a target (µm)."""
        return self.with_target(replace(self.numbered(number), stage_um=stage_um))

    def with_override(self, name: str, value: str, kind: str = "set") -> TargetSet:
        """Return the set with a setting given for this area; `value` as it will stand in the file."""
        new = Override(name, value, kind)
        if all(old.name != name for old in self.overrides):
            return replace(self, overrides=(*self.overrides, new))
        return replace(self, overrides=tuple(new if old.name == name else old for old in self.overrides))

    def without_override(self, name: str) -> TargetSet:
        """Return the set without a setting for this area."""
        return replace(self, overrides=tuple(old for old in self.overrides if old.name != name))

    def with_geo_points(self, points: tuple[GeoPoint, ...]) -> TargetSet:
        """Return the set with other points for the geometry of the sample."""
        return replace(self, geo_points=points)

    def settings_layer(self, file: str) -> SettingsLayer:
        """Return the settings of this area as a layer; `file` is the name of the target file for people."""
        values: dict[str, object] = {}
        lines: dict[str, int] = {}
        for override in self.overrides:
            values[override.name] = parse_setting_text(override.name, override.value)
            if override.line is not None:
                lines[override.name] = override.line
        return SettingsLayer(f"target file {file}", values, lenient=True, lines=lines)

    def resolved_shifts(self, stage_to_specimen: Matrix2, picked_at_deg: float = 0.0) -> TargetSet:
        """Return the set with specimen coordinates for every target.

        Where they are missing they follow from the stage coordinates relative to target 1.

        Parameters
        ----------
        stage_to_specimen : Matrix2
            µm of stage movement to µm in the specimen frame.
        picked_at_deg : float
            Stage tilt to which the specimen coordinates of this file belong (`tiltTargets`). Stage
            coordinates lie in the plane of the stage, so their Y is seen shortened by the cosine of it.

        Raises
        ------
        TargetFileError
            If a target has neither kind of coordinates, or target 1 lacks the stage coordinates to refer to.
        """
        first = self.tracking
        origin_um = first.shift_um or ORIGIN
        targets = [replace(first, shift_um=origin_um)]
        for target in self.targets[1:]:
            if target.shift_um is None:
                if target.stage_um is None or first.stage_um is None:
                    lacking = target if target.stage_um is None else first
                    raise TargetFileError(
                        f"target {target.number} has no SSX and SSY, and they cannot be found from stage "
                        f"coordinates because target {lacking.number} has no stageX and stageY"
                    )
                moved_um = stage_to_specimen.apply(target.stage_um.minus(first.stage_um))
                seen_um = XY(moved_um.x, moved_um.y * math.cos(math.radians(picked_at_deg)))
                target = replace(target, shift_um=origin_um.plus(seen_um))
            targets.append(target)
        return replace(self, targets=tuple(targets))

    def problems(
        self, shift_limit_um: float | None = None, min_spacing_um: float | None = None
    ) -> tuple[str, ...]:
        """Return what stands against acquiring this set, one sentence each; skipped targets do not count.

        Parameters
        ----------
        shift_limit_um : float, optional
            Largest image shift, as a distance in the specimen frame.
        min_spacing_um : float, optional
            Smallest distance between two targets; the beam diameter is a good one.
        """
        active = [target for target in self.targets if not target.skip]
        if not active:
            return ("every target is marked to be skipped; at least one is needed",)
        found = []
        if self.tracking.skip:
            found.append(f"target {self.tracking.number} is the tracking target and marked to be skipped")
        found.extend(_shared_names(self.targets))
        found.extend(_unusable_names(self.targets))
        for index, target in enumerate(active):
            if target.shift_um is None:
                continue
            distance_um = target.shift_um.length
            if shift_limit_um is not None and distance_um > shift_limit_um:
                found.append(
                    f"target {target.number} is {distance_um:.2f} µm from target 1, "
                    f"beyond the image-shift limit of {shift_limit_um:g} µm; move or skip it"
                )
            for other in active[index + 1 :]:
                if min_spacing_um is None or other.shift_um is None:
                    continue
                spacing_um = other.shift_um.minus(target.shift_um).length
                if spacing_um < min_spacing_um:
                    found.append(
                        f"targets {target.number} and {other.number} are {spacing_um:.2f} µm apart, "
                        f"less than {min_spacing_um:g} µm; move or skip one of them"
                    )
        return tuple(found)


def _shared_names(targets: tuple[Target, ...]) -> list[str]:
    """Return a sentence for each tilt series that two targets would write."""
    seen: dict[str, int] = {}
    found = []
    for target in targets:
        # Windows does not tell upper from lower case in file names.
        name = target.series.casefold()
        if name in seen:
            found.append(
                f"targets {seen[name]} and {target.number} would both write {target.series}; "
                "give one of them another tsfile"
            )
        seen.setdefault(name, target.number)
    return found


def _unusable_names(targets: tuple[Target, ...]) -> list[str]:
    """Return a sentence for each name under which a tilt series cannot be kept in the session folder."""
    references = {name.casefold() for target in targets for name in (target.reference, target.view) if name}
    found = []
    for target in targets:
        name = target.series
        if not name.lower().endswith(SERIES_ENDINGS):
            reason = f"a name that ends in {' or '.join(SERIES_ENDINGS)} is needed"
        elif set(name) & _NOT_IN_NAMES:
            reason = "a plain file name is needed, without folders and signs that Windows forbids"
        elif len(name) > _LONGEST_NAME:
            reason = f"a name of at most {_LONGEST_NAME} characters is needed"
        elif name.casefold() in references:
            reason = "a reference image has that name already"
        else:
            continue
        found.append(f"target {target.number} would write {name[:80]!r}: {reason}")
    return found
