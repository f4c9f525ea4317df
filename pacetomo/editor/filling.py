"""Places for targets inside a polygon, and areas that reach beyond the image-shift limit parted into several. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pacetomo.area_files import AreaFiles
from pacetomo.editor import drawing
from pacetomo.editor.adding import add_at
from pacetomo.editor.edits import delete, make_track
from pacetomo.editor.model import Document, EditError
from pacetomo.frames import XY
from pacetomo.selection.polygon import filled_polygon
from pacetomo.selection.splitting import split_places


def fill_polygon(
    document: Document, corners_um: Sequence[XY], spacing_um: float, max_tilt_deg: float, packing: str
) -> Document:
    """Add a target at each place of a packing inside a polygon, but for those too near to a target that is there.

    Parameters
    ----------
    document : Document
    corners_um : sequence of XY
        Of the polygon, three or more.
    spacing_um : float
        Distance of neighbours along the tilt axis, as the beam's diameter.
    max_tilt_deg : float
        They are as much farther apart across the tilt axis as footprints are longer at this tilt, of either sign, on
        the sample as it is inclined.
    packing : str
        One of `pacetomo.selection.polygon.PACKINGS`.

    Raises
    ------
    PlanError, EditError
        When the polygon or the other values make no sense, or no target or far too many fit.
    """
    stretch = drawing.stretch(document, max_tilt_deg)
    level_tilt_deg = math.degrees(
        math.acos(1.0 / max(stretch, 1.0))
    )  # at which a level sample is stretched as much
    places = filled_polygon(corners_um, spacing_um, level_tilt_deg, packing)
    return add_at(document, places, clearance_um=0.95 * spacing_um)


def parts_within(document: Document, limit_um: float) -> list[list[int]]:
    """Numbers of targets in areas within the limit of a tracking target each, which comes first; as few as are found.

    The area that holds the present tracking target comes first.

    Raises
    ------
    PlanError
        When the limit is no length.
    """
    numbers = document.numbers
    groups = split_places([document.places_um[number] for number in numbers], limit_um, first=0)
    in_order = sorted(groups, key=lambda group: 0 not in group.members)
    return [[numbers[place] for place in group.members] for group in in_order]


def split(document: Document, limit_um: float) -> list[Document]:
    """The document with the part of its targets that its tracking target is in, and one more for each further part.

    Each part has a tracking target that reaches all of it. The further ones get free names of target files,
    `ROOTb_tgts.txt` and so on.

    Raises
    ------
    EditError
        When all targets are within reach, or stage positions that the others need are not known.
    """
    document.require_unlocked()
    groups = parts_within(document, limit_um)
    if len(groups) == 1:
        raise EditError(f"all targets are within {limit_um:g} µm of the tracking target")
    paths = _free_paths(document, len(groups) - 1)
    if len(paths) < len(groups) - 1:
        raise EditError(
            f"{len(groups)} areas would be needed: raise the limit, or move targets nearer together"
        )
    parts = []
    for path, group in zip([document.path, *paths], groups):
        first = document.target(group[0])
        if first.stage_um is None and document.stage_at(document.places_um[group[0]]) is None:
            raise EditError(
                f"target {group[0]} would be a tracking target and has no stage coordinates: open the file at the "
                "microscope, or load a map of the area"
            )
        gone = [number for number in document.numbers if number not in group]
        part = make_track(document.with_selected(group), group[0])
        names = {target.series for target in document.targets.targets if target.number in gone}
        dropped = [target.number for target in part.targets.targets if target.series in names]
        part = delete(part, dropped) if dropped else part
        parts.append(replace(part, path=path))
    return parts


def _free_paths(document: Document, count: int) -> list[Path]:
    """Names of target files that are not there."""
    files = AreaFiles(document.path)
    paths = [
        document.path.with_name(f"{files.root}{letter}_tgts.txt") for letter in "bcdefghijklmnopqrstuvwxyz"
    ]
    return [path for path in paths if path.name.casefold() not in document.known.names][:count]
