"""Screen, voltage, energy filter, apertures and dose modulator."""

from __future__ import annotations

from mock_serialem.commands import command
from mock_serialem.errors import CommandError
from mock_serialem.session import Session


@command("ScreenUp")
def screen_up(session: Session) -> None:
    """Raise the screen."""
    session.column.screen_down = False
    session.spend(2.0, "optics")


@command("ScreenDown")
def screen_down(session: Session) -> None:
    """Lower the screen."""
    session.column.screen_down = True
    session.spend(2.0, "optics")


@command("ReportScreen")
def report_screen(session: Session) -> float:
    """1 down."""
    return float(session.column.screen_down)


@command("ReportScreenCurrent")
def report_screen_current(session: Session) -> float:
    """Current (nA) on the lowered screen."""
    return 0.12 if session.column.screen_down and session.column.valves_open else 0.0


@command("ReportHighVoltage")
def report_high_voltage(session: Session) -> float:
    """Voltage (kV)."""
    return session.scope.voltage_kv


@command("ReportEnergyFilter")
def report_filter(session: Session) -> tuple[float, float, float]:
    """Slit width (eV), loss (eV), slit in."""
    column = session.column
    return column.slit_width_ev, column.energy_loss_ev, float(column.slit_in)


@command("SetSlitIn")
def set_slit_in(session: Session, on: int = 1) -> None:
    """Insert or retract the slit."""
    session.column.slit_in = bool(on)
    session.low_dose.follow(slit_in=bool(on))
    session.spend(1.0, "optics")


@command("SetSlitWidth")
def set_slit_width(session: Session, width: float) -> None:
    """Slit width (eV)."""
    if not 1.0 <= width <= 100.0:
        raise CommandError(f"A slit width of {width:g} is out of range")
    session.column.slit_width_ev = width
    session.low_dose.follow(slit_width_ev=width)


@command("SetEnergyLoss")
def set_energy_loss(session: Session, loss: float) -> None:
    """Energy loss (eV)."""
    if abs(loss) > 3000.0:
        raise CommandError(f"An energy loss of {loss:g} is out of range")
    session.column.energy_loss_ev = loss
    session.low_dose.follow(energy_loss_ev=loss)


@command("ChangeEnergyLoss")
def change_energy_loss(session: Session, change: float) -> None:
    """Add to the energy loss (eV)."""
    set_energy_loss(session, session.column.energy_loss_ev + change)


def _aperture(session: Session, number: int) -> int:
    if number not in session.column.aperture_um:
        raise CommandError(f"There is no aperture with number {number}")
    return number


@command("ReportApertureSize")
def report_aperture(session: Session, number: int) -> float:
    """Size (µm), 0 retracted."""
    return float(session.column.aperture_um[_aperture(session, number)])


@command("SetApertureSize")
def set_aperture(session: Session, number: int, size: int) -> None:
    """Size (µm); 0 retracts, 1 inserts again what was retracted."""
    if size < 0:
        raise CommandError(f"{size} is not an aperture size")
    column = session.column
    before = column.aperture_um[_aperture(session, number)]
    if size == 1:
        size = before or column.aperture_removed_um.get(number, 0)
        if not size:
            raise CommandError(f"Aperture {number} was not removed")
    if size == 0 and before:
        column.aperture_removed_um[number] = before
    column.aperture_um[number] = size
    session.spend(5.0, "optics")


@command("RemoveAperture")
def remove_aperture(session: Session, number: int) -> None:
    """Retract."""
    set_aperture(session, number, 0)


@command("ReInsertAperture")
def reinsert_aperture(session: Session, number: int) -> None:
    """Insert again what was retracted."""
    column = session.column
    size = column.aperture_removed_um.get(_aperture(session, number))
    if not size:
        raise CommandError(f"Aperture {number} was not removed")
    set_aperture(session, number, size)


@command("ReportEDMDutyPercent")
def report_duty(session: Session) -> float:
    """Duty (%) of the dose modulator."""
    return session.column.duty_percent


@command("SetEDMDutyPercent")
def set_duty(session: Session, percent: float) -> None:
    """Set the duty (%)."""
    if not 0.0 < percent <= 100.0:
        raise CommandError(f"A duty of {percent:g} percent is not legal")
    session.column.duty_percent = percent
    session.low_dose.follow(duty_percent=percent)
