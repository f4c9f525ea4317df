"""What a map says of places in a polygon that was drawn on it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from pacetomo.editor.map_items import map_item
from pacetomo.editor.maps import read_map
from pacetomo.errors import PlanError
from pacetomo.files.navigator import NavFile, NavItem
from pacetomo.files.navigator_maps import map_below
from pacetomo.frames import XY, Matrix2
from pacetomo.scope.protocol import Picture
from pacetomo.selection.avoiding import LocalMeans, judged, usual_by_spread

BRIGHT, DARK = "bright", "dark"


def kept_places(
    navigator: NavFile,
    folder: Path,
    item: NavItem,
    places_um: Sequence[XY],
    beam_um: float,
    avoid: str,
) -> list[int]:
    """Which of some places (stage, µm) are fit for targets by the brightness of the map below an item.

    Parameters
    ----------
    navigator : NavFile
        The table with the item and its map.
    folder : Path
        Where the map's file is looked for.
    item : NavItem
        The polygon.
    places_um : sequence of XY
        Stage positions.
    beam_um : float
        Diameter of the beam: brightness is the mean of what it covers.
    avoid : str
        "bright", "dark" or "bright and dark": what is far from the usual brightness of the region is left out.

    Returns
    -------
    list of int
        Indices of the places to keep.

    Raises
    ------
    PlanError
        When the polygon was drawn on no map.
    PaceError
        When the map cannot be read.
    """
    below = map_below(navigator, item)
    if below is None:
        raise PlanError(
            f"polygon {item.label} was drawn on no map, so that nothing tells what is bright or dark (avoid = "
            f"{avoid!r}): draw it on a map, or avoid nothing"
        )
    found = read_map(map_item(navigator, folder, below))
    if found is None:
        raise PlanError(f"map {below.label} could not be read: avoid nothing")
    rows, columns = found.image.pixels.shape
    corner = found.stage_at(0, 0)
    right, down = found.stage_at(1, 0).minus(corner), found.stage_at(0, 1).minus(corner)
    # Pixels lead to the stage here, not to the specimen: both are µm, and discs are discs in either.
    picture = Picture(
        found.image.pixels, Matrix2(right.x, -down.x, right.y, -down.y), below.map_data.tilt_deg
    )
    means = LocalMeans(picture, beam_um, found.stage_at(columns / 2, rows / 2))
    usual = usual_by_spread(means.around(places_um))
    limits = usual._replace(
        lowest=usual.lowest if DARK in avoid else -math.inf,
        highest=usual.highest if BRIGHT in avoid else math.inf,
    )
    return [n for n, one in enumerate(judged(places_um, means, limits)) if one.reason is None]
