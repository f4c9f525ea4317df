"""Copies of a pattern at all Navigator points that are set to Acquire."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from pacetomo.area_files import AreaFiles
from pacetomo.errors import TargetFileError
from pacetomo.files.target_file import write_targets
from pacetomo.frames import ORIGIN, XY
from pacetomo.number_text import parse_float
from pacetomo.scope.desk import POINT, Desk, Place
from pacetomo.scope.protocol import Level
from pacetomo.selection.copying import copied, copy_files, free_number
from pacetomo.targets import TargetSet


def copy_to_acquire(
    desk: Desk, original: AreaFiles, targets: TargetSet, tell: Callable[[int, int], None] | None = None
) -> tuple[Path, ...]:
    """Copy targets of an area to every point that is set to Acquire and has no target file of its own.

    Each copy has a target file, and each of its targets a point in the Navigator; the point that was set to Acquire is
    that of its tracking target.

    Parameters
    ----------
    desk : Desk
    original : AreaFiles
        Names of the area that is copied.
    targets : TargetSet
        Its targets.
    tell : callable, optional
        Told how many of how many copies are made.

    Returns
    -------
    tuple of Path
        The target files of the copies.

    Raises
    ------
    TargetFileError
        When there is no such point, or the original cannot be copied.
    """
    points = require_free_points(desk)
    tilt_deg = _picked_at_deg(targets)
    shifts = targets.resolved_shifts(desk.calibration().stage_to_specimen, tilt_deg)
    to_stage = desk.calibration().specimen_to_stage

    def on_stage(shift: XY) -> XY:
        step = to_stage.apply(shift)
        return XY(step.x, step.y / math.cos(math.radians(tilt_deg)))

    written = []
    number = free_number(original)
    for point in points:
        copy = copy_files(original, number)
        new = copied(targets, original, copy, point.stage_um)
        write_targets(copy.target_file, new, desk.wait)
        if point.note.strip():
            desk.tell(
                f"Note {point.note.strip()!r} of item {point.label} is replaced by {copy.target_file.name}"
            )
        desk.set_note(point.place, copy.target_file.name)
        group = desk.unique_id()
        for target, resolved in zip(new.targets[1:], shifts.targets[1:]):
            stage = target.stage_um or point.stage_um.plus(on_stage(resolved.shift_um or ORIGIN))
            place = desk.add_point(stage, point.height_um, group)
            desk.set_label(place, f"p{number:02d}_{target.number:03d}")
        written.append(copy.target_file)
        number += 1
        if tell is not None:
            tell(len(written), len(points))
    desk.save_navigator()
    desk.tell(f"{original.target_file.name} is copied: {_names(written)}", Level.GOOD)
    return tuple(written)


def require_free_points(desk: Desk) -> tuple[Place, ...]:
    """The points that a pattern can be copied to.

    Raises
    ------
    TargetFileError
        When there is none.
    """
    points = free_points(desk)
    if not points:
        raise TargetFileError(
            "there is no place to copy the targets to: set the Navigator points to Acquire at which they are wanted, "
            "those without a target file in their note"
        )
    return points


def free_points(desk: Desk) -> tuple[Place, ...]:
    """Points set to Acquire whose note names no target file."""
    return tuple(place for place in desk.marked_places() if place.kind == POINT and not _is_area(place.note))


def _picked_at_deg(targets: TargetSet) -> float:
    """Stage tilt to which the specimen coordinates of a file belong."""
    texts = [override.value for override in targets.overrides if override.name == "tiltTargets"]
    return parse_float(texts[-1]) or 0.0 if texts else 0.0


def _is_area(note: str) -> bool:
    try:
        AreaFiles(Path(note.strip()))
    except TargetFileError:
        return False
    return True


def _names(paths: Sequence[Path]) -> str:
    names = [path.name for path in paths]
    return ", ".join(names) if len(names) <= 3 else f"{names[0]} to {names[-1]}"
