"""Script variables."""

from __future__ import annotations

import os
import statistics

from mock_serialem.commands import command
from mock_serialem.errors import CommandError
from mock_serialem.session import Session


@command("SetVariable")
def set_variable(session: Session, name: str, value: str) -> None:
    """Set a regular variable."""
    session.variables.set(name, value)


@command("SetPersistentVar")
def set_persistent(session: Session, name: str, value: str) -> None:
    """Set a persistent variable; an existing one set to nothing is deleted."""
    session.variables.set(name, value, persistent=True)


@command("SetFloatVariable")
def set_float(session: Session, name: str, value: float, persistent: int = 0) -> None:
    """Set a numeric variable."""
    session.variables.set_number(name, value, bool(persistent))


@command("GetVariable")
def get_variable(session: Session, name: str) -> float | str:
    """Value of a variable, or of one reported by the last command."""
    lowered = name.lower()
    for prefix in ("reportedvalue", "repval"):
        if lowered.startswith(prefix) and lowered[len(prefix) :] in ("1", "2", "3", "4", "5", "6"):
            return _reported(session, int(lowered[-1]), name)
    if lowered == "scriptname":
        return session.script.name
    return session.variables.get(name)


def _reported(session: Session, place: int, name: str) -> float | str:
    values = session.script.reported
    if place > len(values):
        raise CommandError(f"The variable {name} is not defined")
    value = values[place - 1]
    return value if isinstance(value, str) else float(value)


@command("IsVariableDefined")
def is_defined(session: Session, name: str) -> float:
    """Whether there is such a variable."""
    return float(session.variables.is_defined(name))


@command("ClearPersistentVars")
def clear_persistent(session: Session) -> None:
    """Remove persistent variables."""
    session.variables.clear(persistent=True)


@command("ClearNonPersistentVars")
def clear_regular(session: Session) -> None:
    """Remove regular variables."""
    session.variables.clear(persistent=False)


@command("MakeVarPersistent")
def make_persistent(session: Session, name: str, flag: int = 1) -> None:
    """Turn a variable into the other kind."""
    session.variables.make_persistent(name, bool(flag))


@command("ListVars")
def list_variables(session: Session) -> None:
    """List all variables in the log."""
    for line in session.variables.listing():
        session.log.add(line)


@command("ListPersistentVars")
def list_persistent(session: Session) -> None:
    """List persistent variables in the log."""
    for line in session.variables.listing(persistent=True):
        session.log.add(line)


@command("ReportEnvironVar")
def report_environment(session: Session, name: str) -> tuple[float, str]:
    """Whether defined, and the value or ``none``."""
    value = os.environ.get(name)
    return float(value is not None), "none" if value is None else value


@command("ArrayStatistics")
def array_statistics(session: Session, name: str) -> tuple[float, ...]:
    """Number, minimum, maximum, mean, sd, median of an array."""
    text = str(session.variables.get(name))
    try:
        values = [float(word) for word in text.split()]
    except ValueError as err:
        raise CommandError(f"Variable {name} has elements that are not numbers") from err
    if not values:
        raise CommandError(f"Variable {name} is empty")
    spread = statistics.stdev(values) if len(values) > 1 else 0.0
    return (
        len(values),
        min(values),
        max(values),
        statistics.fmean(values),
        spread,
        statistics.median(values),
    )


@command("CompareNoCase")
def compare_no_case(session: Session, name: str, text: str) -> float:
    """Compare a variable with a text, ignoring case: -1, 0 or 1."""
    return _compare(str(session.variables.get(name)).lower(), text.lower())


@command("CompareStrings")
def compare(session: Session, name: str, text: str) -> float:
    """Compare a variable with a text: -1, 0 or 1."""
    return _compare(str(session.variables.get(name)), text)


def _compare(first: str, second: str) -> float:
    return float((first > second) - (first < second))
