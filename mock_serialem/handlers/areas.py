"""Low dose."""

from __future__ import annotations

from mock_serialem import areas, shifts
from mock_serialem.acquisition import acquire
from mock_serialem.commands import command
from mock_serialem.errors import CommandError
from mock_serialem.image import AREA_LETTERS
from mock_serialem.session import Session
from mock_serialem.shifts import BIN_DIVISOR

_OFFSET_AREAS = {0: "V", 1: "S"}


@command("SetLowDoseMode")
def set_low_dose_mode(session: Session, on: int) -> float:
    """Turn low dose on or off; return the previous state."""
    return float(areas.set_low_dose(session, bool(on)))


@command("ReportLowDose")
def report_low_dose(session: Session) -> tuple[float, float]:
    """On or off, and the area's index, -1 before any was visited."""
    low_dose = session.low_dose
    return float(low_dose.on), float(AREA_LETTERS.index(low_dose.area)) if low_dose.area else -1.0


@command("GoToLowDoseArea")
def go_to_low_dose_area(session: Session, area: str) -> None:
    """Bring the column to an area."""
    session.low_dose.require_on()
    areas.go_to_area(session, session.low_dose.letter(area))


@command("AlreadyInLowDoseArea")
def already_in_area(session: Session, area: str) -> None:
    """Take the column to be in an area without changing anything."""
    session.low_dose.require_on()
    session.low_dose.area = session.low_dose.letter(area)


@command("SetLDContinuousUpdate")
def set_continuous_update(session: Session, on: int) -> None:
    """Let the area follow changes of the optics."""
    session.low_dose.continuous_update = bool(on)


@command("CopyLowDoseArea")
def copy_area(session: Session, source: str, target: str) -> None:
    """Copy the optics of one area to another; its place along the axis stays."""
    low_dose = session.low_dose
    source, target = low_dose.letter(source), low_dose.letter(target)
    old, new = low_dose.areas[target], low_dose.areas[source]
    low_dose.areas[target] = new
    low_dose.calibrated[target] = low_dose.calibrated[source]
    low_dose.change(target, axis_um=old.axis_um, defocus_um=old.defocus_um, shift_um=old.shift_um)


@command("UpdateLowDoseParams")
def update_params(session: Session, area: str, keep: int = 0) -> None:
    """Let the following optics commands change an area's parameters, until the script's end unless kept."""
    session.low_dose.require_on()
    letter = session.low_dose.letter(area)
    areas.go_to_area(session, letter)
    session.low_dose.begin_update(letter, bool(keep))


@command("RestoreLowDoseParams")
def restore_params(session: Session, area: str = "") -> None:
    """Put back changed areas."""
    session.low_dose.restore(session.low_dose.letter(area) if area else None)


@command("CurrentSettingsToLDArea")
def current_to_area(session: Session, area: str) -> None:
    """Store the present optics in an area."""
    column = session.column
    session.low_dose.change(
        session.low_dose.letter(area),
        mag_index=session.world.mag_index,
        spot=column.spot,
        intensity=column.intensity,
        probe_mode=column.probe_mode,
        slit_in=column.slit_in,
        slit_width_ev=column.slit_width_ev,
        energy_loss_ev=column.energy_loss_ev,
    )


@command("ReportAxisPosition")
def report_axis_position(session: Session, area: str) -> tuple[float, float, float, float]:
    """Place along the axis (µm), rotation of that axis, and its camera offset (unbinned pixels)."""
    letter = _side_area(session, area)
    position = session.low_dose.areas[letter].axis_um
    index = session.low_dose.areas[letter].mag_index
    x, y = shifts.times(shifts.specimen_to_camera(session, index), (position, 0.0))
    return position, 0.0, round(x / BIN_DIVISOR), round(y / BIN_DIVISOR)


@command("SetAxisPosition")
def set_axis_position(
    session: Session, area: str, position: float, angle: float = 0.0, from_is: int = 0
) -> None:
    """Set the place of Focus or Trial along the axis (µm), or give it as image shift."""
    letter = _side_area(session, area)
    if from_is:
        index = session.low_dose.areas[letter].mag_index
        position = shifts.times(shifts.is_to_specimen(session, index), (position, angle))[0]
    if abs(position) > 19.0:
        raise CommandError(f"A position of {position:.1f} on the tilt axis is too far away")
    areas.move_area(session, letter, axis_um=position)


def _side_area(session: Session, area: str) -> str:
    letter = session.low_dose.letter(area)
    if letter not in "FT":
        raise CommandError("Only the Focus and Trial areas have a position on the tilt axis")
    return letter


def _offset_area(session: Session, area: str) -> str:
    letter = session.low_dose.letter(area)
    if letter not in "VS":
        raise CommandError("Only the View and Search areas have a defocus offset")
    return letter


@command("ReportLDDefocusOffset")
def report_defocus_offset(session: Session, area: str) -> float:
    """Defocus offset (µm) of View or Search."""
    return session.low_dose.areas[_offset_area(session, area)].defocus_um


@command("SetLDDefocusOffset")
def set_defocus_offset(session: Session, area: str, offset: float) -> None:
    """Set the defocus offset (µm) of View or Search; in that area the focus follows."""
    session.low_dose.require_on()
    letter = _offset_area(session, area)
    low, high = {"V": (-400.0, 200.0), "S": (-2000.0, 200.0)}[letter]
    if not low <= offset <= high:
        raise CommandError(f"A defocus offset of {offset:.1f} is out of range")
    old = session.low_dose.areas[letter].defocus_um
    session.low_dose.change(letter, defocus_um=offset)
    if session.low_dose.area == letter:
        session.world.set_focus(session.world.focus_um + offset - old)


@command("ReportLDShiftOffset")
def report_shift_offset(session: Session, which: int) -> tuple[float, float]:
    """Shift offset (µm) of View (0) or Search (1), or its last change (-1)."""
    if which == -1:
        return session.low_dose.last_shift_change_um
    if which not in _OFFSET_AREAS:
        raise CommandError("The area must be 0 for View or 1 for Search, or -1 for the last change")
    return session.low_dose.areas[_OFFSET_AREAS[which]].shift_um


@command("SetLowDoseShiftOffset")
def set_shift_offset(session: Session, which: int, x: float, y: float) -> None:
    """Set the shift offset (µm) of View (0) or Search (1)."""
    if which not in _OFFSET_AREAS:
        raise CommandError("The area must be 0 for View or 1 for Search")
    areas.move_area(session, _OFFSET_AREAS[which], shift_um=(x, y))


@command("OppositeTrial")
def opposite_trial(session: Session) -> None:
    """Take a Trial on the other side of the target."""
    _opposite(session, "T")


@command("OppositeFocus")
def opposite_focus(session: Session) -> None:
    """Take a Focus image on the other side of the target."""
    _opposite(session, "F")


def _opposite(session: Session, letter: str) -> None:
    session.low_dose.require_on()
    session.script.opposite_side = True
    acquire(session, letter)


@command("GetLowDoseAreaParams")
def get_area_params(session: Session, area: str, variable: str) -> None:
    """Put an area's parameters as one line of numbers into a variable; low dose must be off."""
    if session.low_dose.on:
        raise CommandError("Low dose mode must be off to get area parameters")
    session.variables.set(variable, _parameter_line(session, session.low_dose.letter(area)))


def _parameter_line(session: Session, letter: str) -> str:
    """The 21 numbers of an area, as in the settings file."""
    p = session.low_dose.areas[letter]
    beam = f"{p.beam_shift[0]:f} {p.beam_shift[1]:f}"
    return (
        f"{AREA_LETTERS.index(letter)} {p.mag_index} {p.spot} {p.intensity:f} {p.axis_um:f} 1 {int(p.slit_in)} "
        f"{p.slit_width_ev:f} {p.energy_loss_ev:f} {int(p.energy_loss_ev == 0.0)} {beam} -999.000000 -999.000000 "
        f"{p.beam_tilt[0]:f} {p.beam_tilt[1]:f} {p.probe_mode} 0 0.000000 0.000000 {p.duty_percent:f}"
    )


@command("GetAllLowDoseValues")
def get_all_values(session: Session, camera: int, area: str, variable: str, *more: str) -> None:
    """Put an area's numbers, one per line, into a variable; further names get one number each, in that order."""
    if camera not in (0, 1):
        raise CommandError(f"Camera number {camera} is out of range")
    values = _parameter_line(session, session.low_dose.letter(area)).split()
    session.variables.set(variable, "\n".join(values))
    for name, value in zip((name for name in more if name), values):
        session.variables.set(name, value)
