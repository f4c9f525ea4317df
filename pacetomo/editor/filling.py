"""Places for targets inside a polygon, and areas that reach beyond the image-shift limit parted into several. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pacetomo.area_files import AreaFiles
from pacetomo.editor import drawing
from pacetomo.editor.adding import add_at
from pacetomo.editor.model import Document, EditError
from pacetomo.frames import XY
from pacetomo.job import NOMINAL_STAGE_TO_SPECIMEN
from pacetomo.selection.polygon import filled_polygon
from pacetomo.selection.splitting import split_targets


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


def split(document: Document, limit_um: float) -> list[Document]:
    """The document with one of the areas that image shift reaches, and one document more for each other area.

    The others get free names of target files, `ROOTb_tgts.txt` and so on; each area has a tracking target.

    Raises
    ------
    EditError, PlanError
        When a run has begun, all targets are within reach, or stage positions that the others need are not known.
    """
    document.require_unlocked()
    document.require_places()
    to_specimen = document.stage_to_specimen
    to_stage = None if to_specimen is None else to_specimen.inverse()
    resolved = document.targets.resolved_shifts(
        to_specimen or NOMINAL_STAGE_TO_SPECIMEN, document.picked_at_deg
    )
    areas = split_targets(resolved, limit_um, to_stage, document.picked_at_deg)
    if len(areas) == 1:
        raise EditError(f"all targets are within {limit_um:g} µm of the tracking target")
    paths = [document.path, *_free_paths(document, len(areas) - 1)]
    if len(paths) < len(areas):
        raise EditError(
            f"{len(areas)} areas would be needed: raise the limit, or move targets nearer together"
        )
    for area in areas:
        if area.tracking.stage_um is None and document.targets.tracking.stage_um is not None:
            raise EditError(
                f"{area.tracking.series} would be that of a tracking target whose stage coordinates are not known: "
                "open the file at the microscope, or load a map of the area"
            )
    return [replace(document.with_targets(area), path=path) for path, area in zip(paths, areas)]


def _free_paths(document: Document, count: int) -> list[Path]:
    """Names of target files that are not there."""
    files = AreaFiles(document.path)
    paths = [
        document.path.with_name(f"{files.root}{letter}_tgts.txt") for letter in "bcdefghijklmnopqrstuvwxyz"
    ]
    return [path for path in paths if path.name.casefold() not in document.known.names][:count]
