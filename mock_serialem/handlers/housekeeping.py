"""Dewars, valves, gun, filter alignment, loader and other long operations."""

from __future__ import annotations

from mock_serialem.areas import go_to_area
from mock_serialem.commands import command
from mock_serialem.errors import CommandError
from mock_serialem.session import Session

_OPERATION_S = {
    "BU": 300.0,
    "RE": 480.0,
    "IN": 600.0,
    "LO": 300.0,
    "UN": 120.0,
    "DA": 60.0,
    "RS": 480.0,
    "RT": 480.0,
    "RB": 600.0,
    "FF": 60.0,
    "PA": 60.0,
    "AV": 1.0,
    "SM": 60.0,
}
_WITHOUT_HOURS = ("IN", "UN", "AV")


@command("AreDewarsFilling")
def are_dewars_filling(session: Session) -> float:
    """Whether the dewars are being filled."""
    return float(session.column.dewars_filling(session.world.clock_s))


@command("DewarsRemainingTime")
def dewars_remaining(session: Session) -> float:
    """Seconds to the next automatic filling, -1 if none is scheduled."""
    return session.column.dewars_remaining_s(session.world.clock_s)


@command("RefrigerantLevel")
def refrigerant_level(session: Session, dewar: int) -> float:
    """Level: falls from 90 to 20 between fillings."""
    if dewar not in (1, 2, 3):
        raise CommandError(f"There is no dewar {dewar}")
    column = session.column
    if column.dewar_period_s <= 0.0:
        return 90.0
    return 20.0 + 70.0 * min(1.0, column.dewars_remaining_s(session.world.clock_s) / column.dewar_period_s)


@command("ManageDewarsAndPumps")
def manage_dewars(session: Session, mode: int = 1) -> None:
    """Wait until a filling that is under way is over."""
    wait_for_dewars(session)


def wait_for_dewars(session: Session) -> None:
    """Let time pass while the dewars are being filled."""
    column = session.column
    while column.dewars_filling(session.world.clock_s):
        session.wait(10.0)


@command("IsPVPRunning")
def is_pvp_running(session: Session) -> float:
    """The prevacuum pump is always off."""
    return 0.0


@command("ReportColumnOrGunValve")
def report_valve(session: Session) -> float:
    """1 open."""
    return float(session.column.valves_open)


@command("SetColumnOrGunValve")
def set_valve(session: Session, on: int) -> None:
    """Open or close."""
    session.column.valves_open = bool(on)
    session.spend(5.0, "wait")


@command("ReportVacuumStatus")
def report_vacuum(session: Session) -> float:
    """Status as with all valves ready."""
    return 1.0


@command("IsFEGFlashingAdvised")
def is_flashing_advised(session: Session, kind: int) -> float:
    """Whether low (0) or high (1) temperature flashing is advised."""
    return float(session.column.flash_advised.get(kind, False))


@command("NextFEGFlashHighTemp")
def next_flash_high(session: Session, on: int = 1) -> None:
    """Make the next flash one of high temperature."""
    session.column.flash_high_next = bool(on)


@command("ReportFEGEmissionState")
def report_emission(session: Session) -> float:
    """1 on."""
    return float(session.column.emission_on)


@command("SetFEGEmissionState")
def set_emission(session: Session, on: int) -> None:
    """Switch emission."""
    session.column.emission_on = bool(on)


@command("ReportFEGBeamCurrent")
def report_beam_current(session: Session) -> float:
    """Beam current (nA)."""
    return session.column.beam_current if session.column.emission_on else 0.0


@command("LongOperation")
def long_operation(session: Session, *words: str) -> tuple[float, ...] | None:
    """Do those operations whose time has come; None if nothing was due."""
    return _do_what_is_due(session, words)


def _do_what_is_due(session: Session, words: tuple[str, ...]) -> tuple[float, ...] | None:
    ran = False
    elapsed: list[float] = []
    for code, hours in _operations(words):
        last = session.column.last_operation_s.get(code)
        since_h = (session.world.clock_s - last) / 3600.0 if last is not None else 1e4
        if hours < -1.5:
            elapsed.append(since_h)
            continue
        if hours > 0.0 and since_h < hours:
            continue
        if hours >= 0.0:
            _carry_out(session, code)
            ran = True
        session.column.last_operation_s[code] = session.world.clock_s
    if elapsed:
        return tuple(elapsed)
    return (0.0, 0.0) if ran else None


@command("UpdateHWDarkRef")
def update_dark_reference(session: Session, hours: float) -> tuple[float, ...] | None:
    """Take hardware dark references if the last ones are so many hours old; None if they are not due."""
    return _do_what_is_due(session, ("DA", str(hours)))


def _operations(words: tuple[str, ...]) -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    rest = [word for word in words if word]
    while rest:
        word = rest.pop(0)
        code = word.strip().upper()[:2]
        if code not in _OPERATION_S:
            raise CommandError(f"{word!r} is not a long operation")
        if code in _WITHOUT_HOURS:
            found.append((code, 0.0))
            continue
        if not rest:
            raise CommandError(f"The number of hours is missing for long operation {code}")
        try:
            found.append((code, float(rest.pop(0))))
        except ValueError as err:
            raise CommandError(f"The number of hours is missing for long operation {code}") from err
    return found


def _carry_out(session: Session, code: str) -> None:
    column = session.column
    began_s = session.world.clock_s
    session.wait(_OPERATION_S[code])
    _note_upkeep(session, code, began_s)
    if code == "FF":
        column.flash_advised[1 if column.flash_high_next else 0] = False
        column.flash_high_next = False
    elif code in ("RE", "RS", "RT", "RB") and column.dewar_period_s > 0.0:
        column.dewar_phase_s = session.world.clock_s + column.dewar_period_s
    elif code == "UN":
        column.loaded_slot = 0


@command("ReportLongOperations")
def report_long_operations(session: Session) -> tuple[float, float, float]:
    """None is ever under way when a script can ask."""
    return 0.0, 0.0, 0.0


@command("RefineZLP")
def refine_zlp(
    session: Session, interval: float = 0.0, which: int = 0, redo: int = 0, allow: int = 0
) -> float | None:
    """Refine the zero-loss peak with the beam of Record or Trial; with an interval (min) only if that long ago."""
    last, clock = session.column.zlp_refined_s, session.world.clock_s
    if interval > 0.0 and last is not None and clock - last < 60.0 * interval:
        return None
    if not session.column.valves_open:
        if allow:
            return 1.0
        raise CommandError("The column valves are closed, the zero-loss peak cannot be refined")
    letter = "T" if which > 0 else "R"
    if session.low_dose.on:
        go_to_area(session, letter)
    x, y, _ = session.world.pose(letter).centre_um
    session.spend(12.0, "optics")
    radius_um = session.low_dose.areas[letter].beam_radius_um
    place = {"sample_x_um": round(x, 6), "sample_y_um": round(y, 6), "beam_radius_um": radius_um}
    _note_upkeep(session, "RefineZLP", clock, **place)
    session.column.zlp_refined_s = session.world.clock_s
    return 0.0


def _note_upkeep(session: Session, operation: str, began_s: float, **details: float) -> None:
    """Write an operation that is over into the truth log."""
    world = session.world
    world.truth.write(
        "upkeep",
        t_s=round(began_s, 3),
        operation=operation,
        until_s=round(world.clock_s, 3),
        tilt_nominal_deg=world.stage.tilt_nominal_deg,
        **details,
    )


# --- loader


@command("ReportSlotStatus")
def report_slot(session: Session, slot: int) -> tuple[float, str] | float | None:
    """Occupied or not, with the cartridge's name; slot 0 lists all in a variable."""
    column = session.column
    if slot == 0:
        lines = [f"{number} {name}" for number, name in sorted(column.slots.items())]
        session.variables.set("autoloaderInfo", "\n".join(lines))
        return None
    if not 1 <= slot <= 12:
        raise CommandError(f"There is no slot {slot}")
    return (1.0, column.slots[slot]) if slot in column.slots else 0.0


@command("LoadCartridge")
def load_cartridge(session: Session, slot: int) -> tuple[float, float]:
    """Load a cartridge."""
    if slot not in session.column.slots:
        raise CommandError(f"There is no cartridge in slot {slot}")
    session.wait(180.0)
    session.column.loaded_slot = slot
    return 0.0, 0.0


@command("UnloadCartridge")
def unload_cartridge(session: Session) -> tuple[float, float]:
    """Unload the cartridge."""
    session.wait(120.0)
    session.column.loaded_slot = 0
    return 0.0, 0.0


@command("ReportLoadedSlot")
def report_loaded_slot(session: Session) -> tuple[float, float]:
    """Slot of the loaded cartridge, 0 if there is none."""
    return float(session.column.loaded_slot), 0.0


@command("FindCartridgeWithID")
def find_cartridge(session: Session, number: int) -> float:
    """Cartridges have no ID here."""
    return 0.0


@command("ReportCurrentMulGridID")
def report_grid_id(session: Session) -> tuple[float, float]:
    """ID of the grid in a session with several grids, which there never is: -1, and its start time 0."""
    return -1.0, 0.0
