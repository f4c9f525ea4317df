"""Script variables."""

from __future__ import annotations

import os
import statistics

import numpy as np

from mock_serialem.commands import command
from mock_serialem.errors import CommandError
from mock_serialem.session import Session

_SCRIPT_NAME = "scriptname"


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
    place = _reported_place(name)
    if place:
        return _reported(session, place, name)
    if name.lower() == _SCRIPT_NAME:
        return session.script.name
    return session.variables.get(name)


def _reported_place(name: str) -> int:
    """Number (from 1) of the reported value that a variable stands for, 0 for an ordinary variable."""
    lowered = name.lower()
    for prefix in ("reportedvalue", "repval"):
        if lowered.startswith(prefix) and lowered[len(prefix) :] in ("1", "2", "3", "4", "5", "6"):
            return int(lowered[-1])
    return 0


def _reported(session: Session, place: int, name: str) -> float | str:
    values = session.script.reported
    if place > len(values):
        raise CommandError(f"The variable {name} is not defined")
    value = values[place - 1]
    return value if isinstance(value, str) else float(value)


@command("IsVariableDefined")
def is_defined(session: Session, name: str) -> float:
    """Whether there is such a variable."""
    place = _reported_place(name)
    if place:
        return float(place <= len(session.script.reported))
    return float(name.lower() == _SCRIPT_NAME or session.variables.is_defined(name))


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


def number_array(session: Session, name: str) -> list[float]:
    """Numbers in an array variable.

    Raises
    ------
    CommandError
        It is not defined, is empty, or has other elements.
    """
    try:
        values = [float(word) for word in str(session.variables.get(name)).split()]
    except ValueError as err:
        raise CommandError(f"Variable {name} has elements that are not numbers") from err
    if not values:
        raise CommandError(f"Variable {name} is empty")
    return values


@command("LinearFitToVars")
def linear_fit(session: Session, x: str, y: str, z: str = "") -> tuple[float, float, float, float]:
    """Number, slope, intercept and correlation; with three arrays number, two slopes and constant of the third."""
    columns = [np.asarray(number_array(session, name)) for name in (x, y, *([z] if z else []))]
    unknowns = len(columns)
    count = len(columns[0])
    if any(len(column) != count for column in columns) or count < unknowns:
        raise CommandError(f"A linear fit needs arrays of the same length with at least {unknowns} elements")
    design = np.stack([*columns[:-1], np.ones(count)], axis=1)
    found = np.linalg.lstsq(design, columns[-1], rcond=None)[0]
    if z:
        return float(count), float(found[0]), float(found[1]), float(found[2])
    spread = float(columns[0].std() * columns[1].std())
    together = float(((columns[0] - columns[0].mean()) * (columns[1] - columns[1].mean())).mean())
    return float(count), float(found[0]), float(found[1]), together / spread if spread > 0.0 else 0.0


@command("ArrayStatistics")
def array_statistics(session: Session, name: str) -> tuple[float, ...]:
    """Number, minimum, maximum, mean, sd, median of an array."""
    values = number_array(session, name)
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
