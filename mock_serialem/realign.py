"""Realigning to a Navigator item: go there, take an image as the map was taken, and shift onto the map."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from mock_serialem import shifts
from mock_serialem.acquisition import acquire
from mock_serialem.alignment import apply_shift, measure
from mock_serialem.areas import go_to_area
from mock_serialem.camera_sets import AREA_OF_SET
from mock_serialem.errors import CommandError
from mock_serialem.files.nav_file import MAP, NavItem
from mock_serialem.image import SET_LETTERS, Image
from mock_serialem.maps import load_map, map_containing, pixel_of_stage
from mock_serialem.processing import crop

if TYPE_CHECKING:
    from mock_serialem.session import Session

_MAX_ROUNDS = 3
_MOST_RESETS = 20
_RESET_ABOVE_UM = 1.0


def realign(session: Session, item: NavItem, reset_above_um: float = -1.0, most_resets: int = -1) -> None:
    """Bring an item to the centre of the image by means of the map it lies on, then of itself if it is a map.

    Parameters
    ----------
    session : Session
    item : NavItem
    reset_above_um : float
        Replace image shift by a stage move above this; -1 takes the usual 1 µm.
    most_resets : int
        How often; -1 takes the usual number.

    Raises
    ------
    CommandError
        There is no map, or the alignment fails.
    """
    own = item.map_id if item.kind == MAP else 0
    place = map_containing(session, item.stage_um[:2], item.integer("Regis", 1), own)
    if place < 0 and not own:
        raise CommandError(f"Navigator item {item.label} is not inside any map")
    shifts.set_displayed(session, (0.0, 0.0))
    x, y, z = item.stage_um
    shifts.move_stage_to(session, x, y, None if session.navigator.skip_z_move else z)
    session.navigator.skip_z_move = False
    threshold = _RESET_ABOVE_UM if reset_above_um < 0.0 else reset_above_um
    rounds = _MAX_ROUNDS if most_resets < 0 else min(most_resets, _MOST_RESETS) + 1
    first = local = (0.0, 0.0)
    if place >= 0:
        first = _onto_map(session, session.navigator.items[place], item, threshold, rounds)
    if own:
        local = _onto_map(session, item, item, threshold, rounds)
    session.realign_error = (*first, *local)


def _onto_map(
    session: Session, source: NavItem, item: NavItem, threshold_um: float, rounds: int
) -> tuple[float, float]:
    """Align to the part of a map around an item; return the first error found (specimen µm)."""
    whole = load_map(session, source)
    reference = crop(whole, pixel_of_stage(session, whole, item.stage_um[:2]), whole.size_px)
    letter = set_of(session, source)
    first: tuple[float, float] | None = None
    for turn in range(max(1, rounds)):
        image = _take(session, letter, whole)
        found = measure(session, image, reference, None)
        if found is None:
            raise CommandError(f"Aligning to the map {source.label} failed: no correlation peak was found")
        first = first or (-found.shift_um[0], -found.shift_um[1])
        apply_shift(session, image, found.shift_um, no_shift=False)
        if math.hypot(*shifts.specimen_shift_um(session)) <= threshold_um or turn == rounds - 1:
            break
        shifts.reset_image_shift(session)
    return first or (0.0, 0.0)


def set_of(session: Session, source: NavItem) -> str:
    """Camera set with which a map was taken."""
    index = source.integer("MapLDConSet", -1)
    if session.low_dose.on and 0 <= index < len(SET_LETTERS):
        return "S" if index == 5 else SET_LETTERS[index]
    return "V" if session.low_dose.on else "R"


def _take(session: Session, letter: str, like: Image) -> Image:
    base = session.cameras.get(letter)
    if like.binning > 0.0 and like.exposure_s > 0.0:
        base = replace(
            base,
            binning=like.binning,
            exposure_s=like.exposure_s,
            size_px=like.size_px,
            offset_px=(0.0, 0.0),
        )
    return acquire(session, letter, base, frames=False)


def go_to_map_state(session: Session, item: NavItem) -> None:
    """Bring the column to the state in which a map was taken.

    Raises
    ------
    CommandError
        The item is no map, or low dose is off.
    """
    if item.kind != MAP:
        raise CommandError(f"Navigator item {item.label} is not a map")
    if session.low_dose.on:
        go_to_area(session, AREA_OF_SET[set_of(session, item)])
        return
    if any(mag.index == item.integer("MapMagInd") for mag in session.scope.magnifications):
        session.world.set_mag_index(item.integer("MapMagInd"))
    column = session.column
    column.spot = item.integer("MapSpotSize", column.spot)
    column.intensity = (item.floats("MapIntensity") or [column.intensity])[0]
