"""Places for targets inside a polygon, and areas that reach beyond the image-shift limit parted into several. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pacetomo.area_files import AreaFiles
from pacetomo.editor.adding import MOST_TARGETS, add_at
from pacetomo.editor.edits import delete, make_track
from pacetomo.editor.model import Document, EditError
from pacetomo.editor.shapes import is_inside
from pacetomo.frames import XY

PACKINGS = ("hexagonal", "square")


def places_inside(
    corners_um: Sequence[XY], spacing_um: float, packing: str = "hexagonal", stretch: float = 1.0
) -> list[XY]:
    """Places on a regular grid inside a polygon, row by row from its middle out.

    Parameters
    ----------
    corners_um : sequence of XY
        Of the polygon, three or more.
    spacing_um : float
        Distance of neighbours along the tilt axis.
    packing : str
        "hexagonal" or "square".
    stretch : float
        How much farther apart they are across the tilt axis, so that beams do not overlap at high tilt either:
        1/cos of the highest tilt for a level sample.

    Raises
    ------
    EditError
        When the polygon or the spacing makes no sense, or far too many places would fit.
    """
    if len(corners_um) < 3:
        raise EditError("a polygon needs three corners")
    if not spacing_um > 0 or not stretch >= 1 or packing not in PACKINGS:
        raise EditError("a spacing above 0 µm is needed")
    row_um = spacing_um * stretch * (math.sqrt(3) / 2 if packing == "hexagonal" else 1.0)
    x, y = [c.x for c in corners_um], [c.y for c in corners_um]
    middle = XY((min(x) + max(x)) / 2, (min(y) + max(y)) / 2)
    columns = math.ceil((max(x) - min(x)) / spacing_um / 2) + 1
    rows = math.ceil((max(y) - min(y)) / row_um / 2)
    if columns * rows > MOST_TARGETS:
        raise EditError(f"far more than {MOST_TARGETS} targets would fit: choose a wider spacing")
    places = [
        XY(
            middle.x + (column + (0.5 if packing == "hexagonal" and row % 2 else 0.0)) * spacing_um,
            middle.y + row * row_um,
        )
        for row in range(-rows, rows + 1)
        for column in range(-columns, columns + 1)
    ]
    return [place for place in places if is_inside(place, corners_um)]


def fill_polygon(
    document: Document, corners_um: Sequence[XY], spacing_um: float, packing: str, stretch: float
) -> Document:
    """Add a target at each place of a grid inside a polygon that is no nearer than that to one that is there.

    Parameters and errors as `places_inside`.
    """
    places = places_inside(corners_um, spacing_um, packing, stretch)
    if not places:
        raise EditError("no target fits into the polygon: choose a narrower spacing or a larger polygon")
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


def stretch_at(tilt_deg: float) -> float:
    """How much farther apart across the tilt axis beams must be so as not to overlap up to a tilt.

    >>> round(stretch_at(60.0), 6)
    2.0
    """
    if not abs(tilt_deg) <= 80:
        raise EditError("beams can be kept apart up to a tilt of 80°")
    return 1.0 / math.cos(math.radians(tilt_deg))
