"""Going to a low-dose area: magnification, image shift, defocus offset and the rest of its optics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mock_serialem import shifts

if TYPE_CHECKING:
    from mock_serialem.session import Session


def go_to_area(session: Session, letter: str) -> None:
    """Bring the column to an area; the displayed image shift is kept through the specimen frame.

    Raises
    ------
    CommandError
        Low dose is off.
    """
    low_dose, world = session.low_dose, session.world
    low_dose.require_on()
    old_letter = low_dose.area
    opposite = session.script.opposite_side
    same_side = opposite == low_dose.opposite
    if old_letter == letter and world.mag_index == low_dose.areas[letter].mag_index and same_side:
        return
    area = low_dose.areas[letter]
    specimen = shifts.specimen_shift_um(session)
    old_defocus = low_dose.areas[old_letter].defocus_um if old_letter else 0.0
    old_tilt = low_dose.areas[old_letter].beam_tilt if old_letter else (0.0, 0.0)
    if area.mag_index != world.mag_index:
        world.set_mag_index(area.mag_index)
    low_dose.area, low_dose.opposite = letter, opposite
    is_shift = shifts.times(shifts.inverse(shifts.is_to_specimen(session, area.mag_index)), specimen)
    shifts.set_displayed(session, is_shift, settle=0.5)
    if area.defocus_um != old_defocus:
        world.set_focus(world.focus_um + area.defocus_um - old_defocus)
    if area.beam_tilt != old_tilt:
        x, y = world.beam_tilt
        world.set_beam_tilt((x + area.beam_tilt[0] - old_tilt[0], y + area.beam_tilt[1] - old_tilt[1]))
    column = session.column
    column.spot, column.intensity, column.probe_mode = area.spot, area.intensity, area.probe_mode
    column.slit_in, column.slit_width_ev = area.slit_in, area.slit_width_ev
    column.energy_loss_ev, column.duty_percent = area.energy_loss_ev, area.duty_percent
    if old_letter != letter:
        session.spend(session.scope.lda_change_s, "optics")


def move_area(session: Session, letter: str, **place: object) -> None:
    """Change where an area lies (``axis_um`` or ``shift_um``); in that area the raw image shift follows at once."""
    low_dose = session.low_dose
    shift, old = shifts.displayed(session), low_dose.areas[letter].shift_um
    low_dose.change(letter, **place)
    new = low_dose.areas[letter].shift_um
    if "shift_um" in place:
        low_dose.last_shift_change_um = (new[0] - old[0], new[1] - old[1])
    if low_dose.on and low_dose.area == letter:
        shifts.set_displayed(session, shift)


def set_low_dose(session: Session, on: bool) -> bool:
    """Turn low dose on or off and return the previous state; leaving takes the area's offsets away."""
    low_dose, world = session.low_dose, session.world
    before = low_dose.on
    if before == on:
        return before
    shift = shifts.displayed(session)
    if not on and low_dose.area:
        offset = low_dose.areas[low_dose.area].defocus_um
        if offset:
            world.set_focus(world.focus_um - offset)
    low_dose.on = on
    low_dose.area, low_dose.opposite = "", False
    session.buffers.low_dose = on
    shifts.set_displayed(session, shift, settle=0.0)
    return before
