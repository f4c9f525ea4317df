"""Places for targets inside a polygon, and areas that reach beyond the image-shift limit parted into several. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pacetomo.area_files import AreaFiles
from pacetomo.editor.adding import add_at
from pacetomo.editor.edits import delete, make_track
from pacetomo.editor.model import Document, EditError
from pacetomo.frames import XY
from pacetomo.selection.polygon import filled_polygon


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
        They are as much farther apart across the tilt axis as footprints are longer at this tilt.
    packing : str
        One of `pacetomo.selection.polygon.PACKINGS`.

    Raises
    ------
    PlanError, EditError
        When the polygon or the other values make no sense, or no target or far too many fit.
    """
    places = filled_polygon(corners_um, spacing_um, max_tilt_deg, packing)
    return add_at(document, places, clearance_um=0.95 * spacing_um)


def parts_within(document: Document, limit_um: float) -> list[list[int]]:
    """Numbers of targets in groups that image shift reaches from their first one each.

    The first group is that of the tracking target. Each further one is begun by the target nearest to the middle of
    those left that reaches most of them.
    """
    places = document.places_um
    left = list(document.numbers)
    groups = []
    centre: int | None = document.targets.tracking.number
    while left:
        if centre is None:
            centre = max(left, key=lambda n: sum(_reaches(places[n], places[o], limit_um) for o in left))
        within = [centre, *(n for n in left if n != centre and _reaches(places[centre], places[n], limit_um))]
        groups.append(within)
        left = [n for n in left if n not in within]
        centre = None
    return groups


def _reaches(one: XY, other: XY, limit_um: float) -> bool:
    return other.minus(one).length <= limit_um


def split(document: Document, limit_um: float) -> list[Document]:
    """The document with the targets within reach of its tracking target, and one more for each further group.

    The others get free names of target files, `ROOTb_tgts.txt` and so on, and a tracking target each.

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
        if (
            path != document.path
            and first.stage_um is None
            and document.stage_at(document.places_um[group[0]]) is None
        ):
            raise EditError(
                f"target {group[0]} would be a tracking target and has no stage coordinates: open the file at the "
                "microscope, or load a map of the area"
            )
        gone = [number for number in document.numbers if number not in group]
        part = make_track(document.with_selected(group), group[0]) if path != document.path else document
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
