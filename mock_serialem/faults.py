"""Faults on demand: what is to go wrong, and when."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, NamedTuple

from mock_serialem.commands import TABLE
from mock_serialem.tables import TableError, numbers_of, read_table, take

COMMAND, EXPOSURE, TILT, ALIGNMENT, AUTOFOCUS, CTF = (
    "command",
    "exposure",
    "tilt",
    "alignment",
    "autofocus",
    "ctf",
)
"""Sites: the places where faults have their effect."""


class Kind(NamedTuple):
    """A kind of fault.

    Attributes
    ----------
    site : str
        Where it has its effect: at a command or exposure it happens there and then; the others wait for the next tilt,
        alignment and so on.
    options : tuple of str
        Fields of `Fault` that it uses besides those that say when.
    """

    site: str
    options: tuple[str, ...] = ()


KINDS: dict[str, Kind] = {
    "error": Kind(COMMAND, ("text", "when")),
    "hang": Kind(COMMAND, ("when",)),
    "stop": Kind(COMMAND, ("when",)),
    "kill": Kind(COMMAND, ("when",)),
    "file_locked": Kind(COMMAND, ("file", "seconds")),
    "disk_full": Kind(COMMAND, ("file", "seconds")),
    "dewar_filling": Kind(COMMAND, ("seconds",)),
    "valves_close": Kind(COMMAND, ("seconds",)),
    "beam_current": Kind(COMMAND, ("factor", "seconds")),
    "stage_jump": Kind(COMMAND, ("shift_um", "when")),
    "dark_image": Kind(EXPOSURE, ()),
    "stage_tilt": Kind(TILT, ("short_deg",)),
    "missed_alignment": Kind(ALIGNMENT, ("shift_um", "lost")),
    "autofocus_nonsense": Kind(AUTOFOCUS, ("defocus_um",)),
    "ctf_failure": Kind(CTF, ()),
}

_SECONDS = {
    "file_locked": 60.0,
    "disk_full": math.inf,
    "dewar_filling": 480.0,
    "valves_close": 60.0,
    "beam_current": math.inf,
}


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    When: at the `call`-th of the named commands, the `exposure`-th exposure or the clock time `at_s`; with none of
    them, at the `call`-th occasion of its own site (for most kinds: at any command). A `probability` gives each such
    occasion only that chance.

    Attributes
    ----------
    kind : str
        A key of `KINDS`.
    commands : tuple of str
        Long command names.
    call : int
        From 1, counted from when the faults were set up.
    exposure : int
        From 1, in the order of the ``exposure`` lines in the truth log; 0 is not at an exposure.
    at_s : float or None
        Simulated clock.
    probability : float or None
    times : int
        How often in all; 0 without end. Defaults to 1, with a probability to 0.
    when : str
        ``before`` the command or exposure does anything, or ``after`` it has done all.
    text : str
        Of the error.
    seconds : float
        How long a state lasts on the simulated clock.
    file : str
        Pattern of file names, as in ``*.mrc``.
    shift_um : tuple of float
        Jump of the stage (x, y, z) or error of the alignment (x, y).
    lost : bool
        The alignment finds no peak at all.
    short_deg : float
        How far from its aim the tilt ends.
    factor : float
        Of the beam current.
    defocus_um : float or None
        What the autofocus says; None draws a number.
    """

    kind: str
    commands: tuple[str, ...] = ()
    call: int = 1
    exposure: int = 0
    at_s: float | None = None
    probability: float | None = None
    times: int = 1
    when: str = "before"
    text: str = "Simulated error"
    seconds: float = 0.0
    file: str = "*"
    shift_um: tuple[float, ...] = (0.5, 0.5, 0.0)
    lost: bool = False
    short_deg: float = 3.0
    factor: float = 0.3
    defocus_um: float | None = None

    @property
    def site(self) -> str:
        """Where it has its effect."""
        return KINDS[self.kind].site


@dataclass(frozen=True)
class FaultPlan:
    """All faults of a session, and the seed of what is drawn."""

    faults: tuple[Fault, ...] = ()
    seed: int = 0


_PLAN = {"seed": (int,), "fault": (list,)}
_WHEN = ("kind", "command", "call", "exposure", "at_s", "probability", "times")
_TYPES: dict[str, tuple[type, ...]] = {
    "kind": (str,),
    "command": (str, list),
    "call": (int,),
    "exposure": (int,),
    "at_s": (float,),
    "probability": (float,),
    "times": (int,),
    "when": (str,),
    "text": (str,),
    "seconds": (float,),
    "file": (str,),
    "shift_um": (list,),
    "lost": (bool,),
    "short_deg": (float,),
    "factor": (float,),
    "defocus_um": (float,),
}
_LOWEST = {"call": 1, "exposure": 1, "at_s": 0, "probability": 0, "times": 0, "seconds": 0, "factor": 0}


def read_faults(path: Path) -> FaultPlan:
    """Faults of a TOML file.

    Raises
    ------
    TableError
        The file or an entry in it cannot be used.
    """
    return faults_from(read_table(path), path.name)


def faults_from(table: Mapping[str, Any], where: str = "faults") -> FaultPlan:
    """Faults of a table with the names of the file.

    Raises
    ------
    TableError
        Unknown kinds, names or commands, values of the wrong type or out of range.
    """
    given = take(table, _PLAN, where)
    faults = []
    for count, entry in enumerate(given.get("fault", ()), start=1):
        if not isinstance(entry, Mapping):
            raise TableError(f"{where}: fault is not a list of tables; write [[fault]]")
        faults.append(fault_from(entry, f"{where}, fault {count}"))
    return FaultPlan(tuple(faults), given.get("seed", 0))


def fault_from(entry: Mapping[str, Any], where: str = "fault") -> Fault:
    """One fault of a table; raises as `faults_from` does."""
    kind = entry.get("kind")
    if kind not in KINDS:
        raise TableError(f"{where}: there is no kind {kind!r}; there are {', '.join(sorted(KINDS))}")
    known = {name: _TYPES[name] for name in (*_WHEN, *KINDS[kind].options)}
    given = take(entry, known, f"{where} ({kind})")
    _check_values(given, f"{where} ({kind})")
    if "command" in given:
        given["commands"] = _long_names(given.pop("command"), where)
    if "shift_um" in given:
        counts = (3,) if kind == "stage_jump" else (2,)
        given["shift_um"] = numbers_of(given["shift_um"], counts, f"{where} ({kind}), shift_um")
    given.setdefault("times", 0 if "probability" in given else 1)
    given.setdefault("seconds", _SECONDS.get(kind, 0.0))
    return Fault(**given)


def _check_values(given: Mapping[str, Any], where: str) -> None:
    for name, lowest in _LOWEST.items():
        if name in given and not given[name] >= lowest:
            raise TableError(f"{where}: {name} = {given[name]} is below {lowest}")
    if given.get("probability", 0.0) > 1.0:
        raise TableError(f"{where}: a probability of {given['probability']} is above 1")
    if given.get("when", "before") not in ("before", "after"):
        raise TableError(f"{where}: when must be 'before' or 'after'")
    triggers = [name for name in ("command", "exposure", "at_s") if name in given]
    if len(triggers) > 1:
        raise TableError(f"{where}: {' and '.join(triggers)} exclude each other")


def _long_names(given: object, where: str) -> tuple[str, ...]:
    """Long names of one command or several; TableError for what SerialEM does not have."""
    by_lower = {name.lower(): info.canonical for name, info in TABLE.items()}
    names = []
    for name in [given] if isinstance(given, str) else given:  # type: ignore[attr-defined]
        if not isinstance(name, str) or name.lower() not in by_lower:
            raise TableError(f"{where}: SerialEM has no command {name!r}")
        names.append(by_lower[name.lower()])
    return tuple(names)


def described(fault: Fault) -> dict[str, Any]:
    """Options of a fault that differ from nothing, for the truth log: plain numbers and texts."""
    values: dict[str, Any] = {}
    for each in fields(fault):
        if each.name in KINDS[fault.kind].options:
            value = getattr(fault, each.name)
            # JSON has no infinity.
            values[each.name] = (
                None if value == math.inf else list(value) if isinstance(value, tuple) else value
            )
    return values
