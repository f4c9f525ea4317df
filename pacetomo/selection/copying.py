"""Copying the targets of an area to other stage positions: ``_p01``, ``_p02`` and so on.

A copy has a target file, tilt series and stage coordinates of its own. What belongs to the place it was copied from
stays there: reference images, a picker's scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from pacetomo.area_files import AreaFiles
from pacetomo.errors import TargetFileError
from pacetomo.frames import XY
from pacetomo.pattern import without_foreign_references
from pacetomo.targets import Layout, TargetSet


class Copy(NamedTuple):
    """A copied area: its files, and its targets."""

    files: AreaFiles
    targets: TargetSet


def copied(
    targets: TargetSet, files: AreaFiles, stages_um: Sequence[XY], first_number: int = 1
) -> tuple[Copy, ...]:
    """The targets of an area at other stage positions.

    Parameters
    ----------
    targets : TargetSet
        What is copied.
    files : AreaFiles
        Of the area it is copied from.
    stages_um : sequence of XY
        Stage coordinates of the tracking target of each copy (µm).
    first_number : int
        Number of the first copy in file names, from 1.

    Returns
    -------
    tuple of Copy
        In the order of the positions.

    Raises
    ------
    TargetFileError
        If the area is a copy itself, targets other than the first have stage coordinates alone and the first has none,
        or the numbers do not start from 1 or higher.
    """
    if files.is_copy:
        raise TargetFileError(
            f"{files.target_file.name} is a copy itself: copy the target file that it was copied from"
        )
    if first_number < 1:
        raise TargetFileError(f"copies are numbered from 1, not from {first_number}")
    lost = [target.number for target in targets.targets[1:] if target.shift_um is None]
    if lost and targets.tracking.stage_um is None:
        raise TargetFileError(
            f"target {lost[0]} has stage coordinates only and target {targets.tracking.number} has none: "
            "where it lies in a copy is not known; give SSX and SSY"
        )
    return tuple(
        _copy(targets, files, stage_um, number) for number, stage_um in enumerate(stages_um, first_number)
    )


def _copy(targets: TargetSet, files: AreaFiles, stage_um: XY, number: int) -> Copy:
    own = AreaFiles(files.target_file.with_name(f"{files.target_file.stem}_p{number:02d}.txt"))
    start = targets.tracking.stage_um
    moved = tuple(
        replace(
            target,
            series=_series(target.series, files.root, own.root),
            stage_um=stage_um if target is targets.tracking else _moved(target.stage_um, start, stage_um),
            score=None,
            source=(),
        )
        for target in targets.targets
    )
    points = tuple(replace(point, source=()) for point in targets.geo_points)
    fresh = replace(targets, targets=moved, geo_points=points, layout=Layout(), warnings=())
    return Copy(own, without_foreign_references(fresh, own.root))


def _moved(place_um: XY | None, start_um: XY | None, stage_um: XY) -> XY | None:
    """Stage coordinates of a target as far from the copy's tracking target as before; None where they are not known."""
    return None if place_um is None or start_um is None else stage_um.plus(place_um.minus(start_um))


def _series(series: str, root: str, own_root: str) -> str:
    """Name of a copy's tilt series: with its own root in place of the old one, or before a name without it.

    >>> _series("grid1_ts_004.mrc", "grid1", "grid1_p02"), _series("thin.mrc", "grid1", "grid1_p02")
    ('grid1_p02_ts_004.mrc', 'grid1_p02_thin.mrc')
    """
    return f"{own_root}_{series[len(root) + 1 :] if series.startswith(f'{root}_') else series}"
