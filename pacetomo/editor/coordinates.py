"""Coordinates that can be drawn and edited. Pure."""

from __future__ import annotations

from pacetomo.editor.model import Document
from pacetomo.errors import TargetFileError

FARTHEST_UM = 100_000.0
"""No grid reaches farther than this from where the stage counts from."""


def check_coordinates(document: Document) -> None:
    """Refuse coordinates that no stage reaches: nothing could be drawn, and they are surely meant otherwise.

    Raises
    ------
    TargetFileError
        With the target or geometry point; also where it cannot be told at all where a target lies.
    """
    stage = {t.number: t.stage_um for t in document.targets.targets if t.stage_um is not None}
    shifts = {t.number: t.shift_um for t in document.targets.targets if t.shift_um is not None}
    for places in (stage, shifts, document.places_um):
        for number, place in places.items():
            if not place.length <= FARTHEST_UM:
                raise TargetFileError(
                    f"target {number} lies at ({place.x:g}, {place.y:g}) µm, farther than any stage moves: check its "
                    "coordinates"
                )
    for index, place in enumerate((point.shift_um for point in document.targets.geo_points), start=1):
        if not place.length <= FARTHEST_UM:
            raise TargetFileError(
                f"geometry point {index} lies at ({place.x:g}, {place.y:g}) µm, farther than any stage moves: check "
                "its coordinates"
            )
