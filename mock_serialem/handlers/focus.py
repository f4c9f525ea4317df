"""Focus, defocus and eucentricity."""

from __future__ import annotations

from mock_serialem import routines
from mock_serialem.commands import command
from mock_serialem.errors import CommandError
from mock_serialem.session import Session


def readout(session: Session) -> float:
    """Defocus as the program shows it (µm)."""
    return session.world.focus_um - session.column.defocus_zero_um


@command("ReportDefocus")
def report_defocus(session: Session) -> float:
    """Readout (µm)."""
    return readout(session)


@command("SetDefocus")
def set_defocus(session: Session, defocus: float) -> None:
    """Set the readout (µm)."""
    if abs(defocus) > 5000.0:
        raise CommandError(f"A defocus of {defocus:g} is out of range")
    session.world.set_focus(defocus + session.column.defocus_zero_um)


@command("ChangeFocus")
def change_focus(session: Session, change: float) -> None:
    """Add to the defocus (µm); no change at all is an error."""
    if change == 0.0 or abs(change) > 1000.0:
        raise CommandError(f"A focus change of {change:g} is not legal")
    session.world.set_focus(session.world.focus_um + change)


@command("ReportFocus", "ReportAbsoluteFocus")
def report_focus(session: Session) -> float:
    """Lens value; one unit is 1000 µm here."""
    return session.world.focus_um / 1000.0


@command("SetAbsoluteFocus", "SetStandardFocus")
def set_absolute_focus(session: Session, value: float) -> None:
    """Set the lens value."""
    session.world.set_focus(value * 1000.0)


@command("ResetDefocus")
def reset_defocus(session: Session) -> None:
    """Make the present focus the zero of the readout."""
    session.column.defocus_zero_um = session.world.focus_um


@command("SetEucentricFocus")
def set_eucentric_focus(session: Session, allow_none: float = 0.0) -> float:
    """Go to the standard focus, where the readout of the lens is zero."""
    offset = 0.0
    if session.low_dose.on and session.low_dose.area:
        offset = session.low_dose.areas[session.low_dose.area].defocus_um
    session.world.set_focus(offset)
    return 0.0


@command("SaveFocus")
def save_focus(session: Session) -> None:
    """Keep the focus."""
    if session.script.saved_focus_um is not None:
        raise CommandError("There is already a saved focus value")
    session.script.saved_focus_um = session.world.focus_um


@command("RestoreFocus")
def restore_focus(session: Session) -> None:
    """Put the kept focus back."""
    saved = session.script.saved_focus_um
    if saved is None:
        raise CommandError("There is no saved focus value to restore")
    session.world.set_focus(saved)
    session.script.saved_focus_um = None


@command("SetTargetDefocus")
def set_target(session: Session, target: float) -> None:
    """Target of autofocus (µm)."""
    if not -200.0 <= target <= 50.0:
        raise CommandError(f"A target defocus of {target:g} is out of range")
    session.focus.target_um = target


@command("IncTargetDefocus")
def increment_target(session: Session, change: float) -> None:
    """Add to the target (µm)."""
    set_target(session, session.focus.target_um + change)


@command("ReportTargetDefocus")
def report_target(session: Session) -> float:
    """Target (µm)."""
    return session.focus.target_um


@command("CycleTargetDefocus")
def cycle_target(session: Session, start: float, end: float, steps: int, change: int = 0) -> None:
    """Move the target by one step between two values, starting again behind the last."""
    if steps < 1:
        raise CommandError("There must be at least one step")
    step = (end - start) / steps
    old = session.focus.target_um
    place = round((old - start) / step) if step else 0
    new = start + step * (place + 1 if 0 <= place < steps else 0)
    set_target(session, new)
    if change and new != old:
        session.world.set_focus(session.world.focus_um + new - old)


@command("AutoFocus")
def auto_focus(session: Session, mode: int = 1, area: int = 0) -> None:
    """Measure defocus, and with mode 1 correct it."""
    routines.autofocus(session, mode, area)


@command("OppositeAutoFocus")
def opposite_focus(session: Session, mode: int = 1) -> None:
    """Autofocus on the other side of the target."""
    session.low_dose.require_on()
    session.script.opposite_side = True
    try:
        routines.autofocus(session, mode, 0)
    finally:
        session.script.opposite_side = False


@command("ReportAutoFocus")
def report_autofocus(session: Session) -> tuple[float, float]:
    """Measured defocus (µm) and code of the last autofocus."""
    defocus, code = session.focus.last
    return defocus, float(code)


@command("ReportFocusDrift")
def report_focus_drift(session: Session) -> tuple[float, float]:
    """Drift (nm/s) seen by the last autofocus."""
    if session.focus.drift_nm_s is None:
        raise CommandError("There is no drift from autofocus available")
    return session.focus.drift_nm_s


@command("SetAutofocusOffset")
def set_autofocus_offset(session: Session, offset: float) -> None:
    """Offset (µm) during autofocus, until the script ends."""
    session.script.autofocus_offset_um = offset


@command("ReportAutofocusOffset")
def report_autofocus_offset(session: Session) -> float:
    """Offset (µm) during autofocus."""
    return session.script.autofocus_offset_um


@command("FocusChangeLimits")
def focus_change_limits(session: Session, low: float, high: float) -> None:
    """Limits (µm) of the change by autofocus; 0, 0 is off."""
    session.script.focus_change_limits_um = (low, high)


@command("AbsoluteFocusLimits")
def absolute_focus_limits(session: Session, low: float, high: float) -> None:
    """Limits (µm) of the focus after autofocus; 0, 0 is off."""
    session.script.focus_absolute_limits_um = (low, high)


@command("BeamTiltDirection")
def beam_tilt_direction(session: Session, direction: int) -> None:
    """Direction of the tilt in autofocus; the simulated column has no preference."""


@command("Eucentricity")
def eucentricity(session: Session, mode: int = 2, use_view: int = 0) -> None:
    """Go to eucentric height; low dose uses View in any case."""
    routines.eucentricity(session, mode)


@command("ReportRoughEucenFailed")
def report_rough_failed(session: Session) -> float:
    """Whether the last rough eucentricity failed."""
    return float(session.focus.rough_failed)


@command("LimitNextRoughEucen")
def limit_rough(session: Session, limit: float) -> None:
    """Limit of the next rough eucentricity; the simulated one moves little anyway."""


@command("DriftWaitTask")
def drift_wait(
    session: Session,
    rate: float = 0.0,
    unit: str = "nm",
    longest: float = 0.0,
    interval: float = 0.0,
    action: int = 0,
    kind: str = "T",
    change: int = 0,
    exposure: int = 0,
    binning: int = 0,
) -> None:
    """Wait until drift is below a rate."""
    routines.drift_wait(
        session, rate * (0.1 if unit.upper().startswith("A") else 1.0), longest, interval, action
    )


@command("GetWaitTaskDrift")
def wait_task_drift(session: Session) -> tuple[float, float]:
    """Drift (nm/s) at the end of the last wait and whether it failed."""
    return session.focus.wait_drift
