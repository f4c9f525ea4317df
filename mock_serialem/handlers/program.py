"""Scripts, errors, clocks, properties, settings, dose."""

from __future__ import annotations

import subprocess
from datetime import datetime

from mock_serialem import shifts
from mock_serialem.commands import TABLE, command
from mock_serialem.errors import CommandError, ScriptExit
from mock_serialem.handlers.dialogs import take_arguments
from mock_serialem.session import Session


@command("Exit")
def exit_script(session: Session, code: float = 0.0, text: str = "") -> None:
    """End the script."""
    if text:
        session.log.add(text)
    raise ScriptExit(code)


@command("Return")
def return_values(
    session: Session, a: str = "", b: str = "", c: str = "", d: str = "", e: str = "", f: str = ""
) -> None:
    """End the script, leaving values for a caller."""
    session.returned = tuple(text for text in (a, b, c, d, e, f) if text)
    raise ScriptExit(0.0)


@command("NoMessageBoxOnError")
def no_message_box(session: Session, on: int = 1) -> None:
    """Suppress message boxes on errors."""
    session.script.no_message_box = bool(on)


@command("StartTry")
def start_try(session: Session, silent: int = 0) -> None:
    """Begin a part in which errors make no box."""
    session.script.try_level += 1
    session.script.silent_levels.append(bool(silent))


@command("EndTry")
def end_try(session: Session) -> None:
    """End such a part."""
    script = session.script
    script.try_level = max(0, script.try_level - 1)
    if script.silent_levels:
        script.silent_levels.pop()


@command("IsVersionAtLeast")
def is_version_at_least(session: Session, version: str, date: str = "") -> float:
    """Whether version and build date are at least these."""
    try:
        good = session.options.version >= int(version)
        if date:
            good = good and session.options.build_date >= int(date)
    except ValueError as err:
        raise CommandError("Version and date must be numbers") from err
    return float(good)


@command("SkipIfVersionLessThan")
def skip_if_version(session: Session, version: str, date: str = "") -> None:
    """Skipping lines has no meaning in Python."""


@command("ProgramTimeStamps")
def program_time_stamps(session: Session, first: int = 0, second: int = 0) -> None:
    """Version in the log."""
    session.log.add(session.options.version_text)


@command("ReportNumExeFuncs")
def report_functions(session: Session) -> float:
    """Number of commands."""
    return float(len(TABLE))


@command("ReportProperty")
def report_property(session: Session, name: str) -> float:
    """Numeric property."""
    return session.properties.get(name)


@command("SetProperty")
def set_property(session: Session, name: str, value: int) -> None:
    """Change a property until the program ends."""
    if name.lower() == "tiltaxisoffset":
        shifts.set_axis_offset(session, float(value))
    else:
        session.properties.set(name, value)


@command("ReportUserSetting")
def report_setting(session: Session, name: str) -> float:
    """User setting."""
    return session.settings.get(name)


@command("SetUserSetting")
def set_setting(session: Session, name: str, value: float, keep: int = 0) -> None:
    """Change a user setting, until the script ends unless kept."""
    session.change_setting(name, value, bool(keep))


@command("SaveSettings")
def save_settings(session: Session) -> None:
    """Settings are not kept in a file."""
    session.log.add("Settings saved")


@command("ReportSettingsFile")
def report_settings_file(session: Session) -> tuple[str, str]:
    """Settings and scripts file."""
    return str(session.directory / "SerialEMsettings.txt"), "None"


@command("ReportSystemPath")
def report_system_path(session: Session) -> str:
    """Folder of the program's system files."""
    return str(session.directory)


# --- time


@command("ReportClock")
def report_clock(session: Session) -> float:
    """Seconds since the script's start or the last reset."""
    return session.world.clock_s - session.script.clock_start_s


@command("ResetClock")
def reset_clock(session: Session) -> None:
    """Start that clock anew."""
    session.script.clock_start_s = session.world.clock_s


@command("ReportTickTime")
def report_tick_time(session: Session) -> float:
    """Seconds since the program's start."""
    return session.world.clock_s


@command("ElapsedTickTime")
def elapsed_tick_time(session: Session, start: float) -> float:
    """Seconds since a tick time."""
    return session.world.clock_s - start


@command("ReportMinuteTime")
def report_minute_time(session: Session) -> float:
    """Absolute time in minutes."""
    # Counted without a time zone, so that it is the same wherever the session runs.
    return (session.world.now() - datetime(1970, 1, 1)).total_seconds() // 60.0


@command("SetCustomTime")
def set_custom_time(session: Session, name: str, minutes: float = 0.0) -> None:
    """Keep the time under a name, or a time so many minutes ago."""
    session.custom_times[name.lower()] = session.world.clock_s - 60.0 * minutes


@command("ReportCustomInterval")
def report_custom_interval(session: Session, name: str, minutes: float = 0.0) -> float:
    """Minutes since the time kept under a name, a very large number if there is none."""
    kept = session.custom_times.get(name.lower())
    return 144000.0 if kept is None else (session.world.clock_s - kept) / 60.0


@command("ReportDateTime")
def report_date_time(session: Session) -> tuple[float, float]:
    """YYYYMMDD and HHMM."""
    now = session.world.now()
    return float(f"{now:%Y%m%d}"), float(f"{now:%H%M}")


@command("Delay")
def delay(session: Session, value: float, unit: str = "") -> None:
    """Wait."""
    factors = {"msec": 0.001, "ms": 0.001, "sec": 1.0, "s": 1.0, "min": 60.0, "m": 60.0}
    word = unit.strip().lower()
    # Without a unit, values below 60 are taken as seconds and others as milliseconds.
    factor = factors.get(word) if word else (1.0 if value < 60.0 else 0.001)
    if factor is None:
        raise CommandError(f"{unit!r} is not a unit of time")
    session.wait(max(0.0, value) * factor)


# --- dose


@command("AccumulateRecordDose")
def accumulate_dose(session: Session, dose: float) -> None:
    """Add to the accumulator in use; a negative value turns it off, the first one sets it."""
    sums, index = session.script.dose_sums, session.script.dose_index
    if dose < 0.0:
        sums.pop(index, None)
    else:
        sums[index] = sums[index] + dose if index in sums else dose


@command("AreaForCumulRecordDose")
def area_for_dose(session: Session, index: int) -> None:
    """Choose an accumulator."""
    if not -1 <= index <= 254:
        raise CommandError(f"{index} is out of range for a dose accumulator")
    session.script.dose_index = index


@command("SetDoseAdjustmentFactor")
def dose_adjustment(session: Session, factor: float) -> None:
    """The dose of simulated images is exact."""


# --- other programs


def _run(session: Session, text: str) -> int:
    try:
        done = subprocess.run(
            text,
            shell=True,
            cwd=session.directory,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
        )
    except OSError as err:
        raise CommandError(f"Cannot run {text}: {err}") from err
    return done.returncode


@command("RunInShell")
def run_in_shell(session: Session, text: str) -> tuple[float, float]:
    """Run a command line and wait: exit status and error number."""
    return float(_run(session, text + take_arguments(session))), 0.0


@command("RunProcess")
def run_process(session: Session, text: str) -> float:
    """Run a program and wait: exit status."""
    return float(_run(session, text + take_arguments(session)))


@command("MailSubject", "SendEmail", "ErrorBoxSendEmail")
def send_mail(session: Session, text: str) -> None:
    """Mail is not sent, its text goes to the log."""
    session.log.add(f"Mail: {text}")
