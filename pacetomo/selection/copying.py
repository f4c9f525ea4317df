"""Copies of an area's targets at other stage positions: own target files, own names."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from pacetomo.area_files import AreaFiles
from pacetomo.errors import TargetFileError
from pacetomo.frames import XY
from pacetomo.targets import TargetSet

_ENDING = re.compile(r"(_p\d+)?\.txt$", re.IGNORECASE)


def copy_files(original: AreaFiles, number: int) -> AreaFiles:
    """Files of the copy of that number: ``lamella_tgts_p01.txt`` of ``lamella_tgts.txt``.

    Raises
    ------
    TargetFileError
        When the original is a copy itself.
    """
    if original.is_copy:
        raise TargetFileError(
            f"{original.target_file.name} is a copy itself: copy the area that it was copied from"
        )
    name = _ENDING.sub(f"_p{number:02d}.txt", original.target_file.name)
    return AreaFiles(original.folder / name)


def free_number(original: AreaFiles) -> int:
    """The first number of which no copy is there, nor any after it."""
    found = [0]
    stem = original.target_file.stem
    for path in original.folder.glob("*.txt"):
        match = re.fullmatch(re.escape(stem) + r"_p(\d+)\.txt", path.name, re.IGNORECASE)
        if match is not None:
            found.append(int(match[1]))
    return max(found) + 1


def copied(targets: TargetSet, original: AreaFiles, copy: AreaFiles, tracking_stage_um: XY) -> TargetSet:
    """The targets at another stage position.

    Specimen coordinates stay, stage coordinates move along with the tracking target. Series get the copy's name; the
    references stay behind, as they show another place.

    Parameters
    ----------
    targets : TargetSet
        Of the original, with at least one target.
    original, copy : AreaFiles
        Names of both.
    tracking_stage_um : XY
        Where the copy's tracking target lies.
    """
    here = targets.tracking.stage_um
    moved = []
    for target in targets.targets:
        stage = None if target.stage_um is None or here is None else target.stage_um.minus(here)
        if target is targets.tracking:
            stage = XY(0.0, 0.0)
        moved.append(
            replace(
                target,
                series=_renamed(target.series, original.root, copy.root),
                reference=None,
                view=None,
                stage_um=None if stage is None else tracking_stage_um.plus(stage),
                source=(),
            )
        )
    return replace(targets, targets=tuple(moved))


def _renamed(series: str, old_root: str, new_root: str) -> str:
    """Name of a series with another root; one that does not begin with the old root gets the new one before it.

    >>> _renamed("holey_ts_003.mrc", "holey", "holey_p02"), _renamed("a.mrc", "holey", "holey_p02")
    ('holey_p02_ts_003.mrc', 'holey_p02_a.mrc')
    """
    if series.lower().startswith(f"{old_root.lower()}_"):
        return new_root + series[len(old_root) :]
    return f"{new_root}_{Path(series).name}"
