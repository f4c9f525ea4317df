"""Settings from several sources, checked, each with the place it came from.

Sources are layers: the defaults of `Settings`, then a facility's TOML file, then the script, then the target
file. Later layers win. Everything that is wrong is reported at once.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import math
import os
import reprlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from numbers import Real
from pathlib import Path
from typing import TypeVar

from pacetomo.errors import SettingsError
from pacetomo.files.text_lines import is_one_line
from pacetomo.number_text import format_float, parse_bool, parse_float, parse_int
from pacetomo.policies import Policies
from pacetomo.script_tables import OTHER_NAMES
from pacetomo.settings_table import (
    SELECTION_NAMES,
    SETTING_ROWS,
    SettingRow,
    Settings,
    SettingValue,
    describe_settings,
    rows_of,
)

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

__all__ = [
    "DEFAULT_ORIGIN",
    "SCRIPT_ORIGIN",
    "ResolvedSettings",
    "SettingRow",
    "SettingValue",
    "Settings",
    "SettingsLayer",
    "describe_settings",
    "format_settings",
    "parse_assignment",
    "parse_setting_text",
    "read_settings_toml",
    "resolve_settings",
    "resolve_table",
    "settings_hash",
    "settings_table",
]

DEFAULT_ORIGIN = "default"
SCRIPT_ORIGIN = "script"

NOT_OF_A_TARGET = frozenset({"watchdogCommand"})
"""Settings that a target file cannot change: other programs write those, and a shell is not theirs."""

POLICIES = "policies"
"""Name under which a layer has changed policies, a table by kind of trouble."""

FACILITY_NAMES = frozenset({*SETTING_ROWS, *OTHER_NAMES, POLICIES})
"""All that a facility's file may hold."""

Table = TypeVar("Table")


@dataclass(frozen=True)
class SettingsLayer:
    """Settings from one source.

    Attributes
    ----------
    origin : str
        The source in words: "facility FILE", "script", "target file FILE", "command line".
    values : mapping of str to object
        Name to value, unchecked.
    lenient : bool
        Whether a name that is not known is a warning and not an error, as in target files, which other
        programs write.
    lines : mapping of str to int
        Line of the source in which a name stands, from 1, where there are lines.
    also_known : frozenset of str
        Names that stand here for other scripts.
    """

    origin: str
    values: Mapping[str, object]
    lenient: bool = False
    lines: Mapping[str, int] = field(default_factory=dict)
    also_known: frozenset[str] = frozenset()

    def place(self, name: str) -> str:
        """Return where this layer says `name`, for people."""
        line = self.lines.get(name)
        return self.origin if line is None else f"{self.origin}, line {line}"


@dataclass(frozen=True)
class ResolvedSettings:
    """The settings in force.

    Attributes
    ----------
    settings : Settings
        The values.
    origins : dict of str to str
        For every name where its value came from: "default", "facility FILE", "script", "target file FILE,
        line N".
    warnings : tuple of str
        Names in lenient layers that have no effect, one sentence each.
    policies : Policies
        What is done about each kind of trouble.
    """

    settings: Settings
    origins: dict[str, str]
    warnings: tuple[str, ...] = ()
    policies: Policies = field(default_factory=Policies)

    def values(self) -> dict[str, SettingValue]:
        """Return name and value of every setting, in the order of the table."""
        return asdict(self.settings)


def resolve_settings(*layers: SettingsLayer) -> ResolvedSettings:
    """Merge layers, the later ones over the earlier ones and all over the defaults, and check everything.

    Raises
    ------
    SettingsError
        For every unknown name, wrong type, value outside its limits and contradiction, all in one message.

    Examples
    --------
    >>> resolve_settings(SettingsLayer("script", {"step": 2})).settings.step
    2.0
    """
    values = {name: row.default for name, row in SETTING_ROWS.items()}
    origins = dict.fromkeys(values, DEFAULT_ORIGIN)
    problems: list[str] = []
    warnings: list[str] = []
    policies = Policies()
    for layer in layers:
        for name, value in layer.values.items():
            if name == POLICIES and not layer.lenient:
                try:
                    policies = policies.with_changes(value, layer.origin)
                except SettingsError as err:
                    problems.append(str(err))
                continue
            if layer.lenient and name in NOT_OF_A_TARGET:
                warnings.append(
                    f"{layer.place(name)}: {name} has no effect here, only in a script or TOML file"
                )
                continue
            if name not in SETTING_ROWS:
                elsewhere = SELECTION_NAMES if layer.lenient else layer.also_known
                if name not in elsewhere:
                    (warnings if layer.lenient else problems).append(_unknown(name, layer))
                continue
            try:
                values[name] = _checked(SETTING_ROWS[name], value)
            except SettingsError as err:
                problems.append(f"{layer.place(name)}: {err}")
            origins[name] = layer.place(name)
    if not problems:
        problems.extend(_contradictions(values, origins))
    if problems:
        raise SettingsError(_joined(problems))
    # The loop has given every value the type of its field, which the type checker cannot see.
    settings = Settings(**values)  # type: ignore[arg-type]
    return ResolvedSettings(settings, origins, tuple(warnings), policies)


def resolve_table(table: type[Table], *layers: SettingsLayer) -> Table:
    """Merge layers into another table of settings than that of an acquisition, checked in the same way.

    Parameters
    ----------
    table : dataclass
        Declares its settings by `pacetomo.settings_table.setting`.
    layers : SettingsLayer
        The later ones go over the earlier ones.

    Raises
    ------
    SettingsError
        For every unknown name, wrong type and value outside its limits, all in one message.
    """
    rows = rows_of(table)
    values: dict[str, SettingValue] = {}
    problems = []
    for layer in layers:
        for name, value in layer.values.items():
            if name in rows:
                try:
                    values[name] = _checked(rows[name], value)
                except SettingsError as err:
                    problems.append(f"{layer.place(name)}: {err}")
            elif name not in layer.also_known:
                problems.append(_unknown(name, layer, rows))
    if problems:
        raise SettingsError(_joined(problems))
    return table(**values)


def read_settings_toml(path: str | os.PathLike[str]) -> SettingsLayer:
    """Read a facility's settings from a TOML file: one `name = value` a line, and a table `[policies]`.

    Settings of all scripts may stand in one file.

    Raises
    ------
    SettingsError
        If the file cannot be read or is not TOML; names and values are checked by `resolve_settings`.
    """
    try:
        text = Path(path).read_bytes().decode("utf-8-sig")
        values = tomllib.loads(text)
    except OSError as err:
        raise SettingsError(f"{path}: the settings cannot be read ({err.strerror or err})") from err
    except UnicodeDecodeError as err:
        raise SettingsError(f"{path}: the settings are not text in UTF-8; save the file as UTF-8") from err
    except (ValueError, RecursionError) as err:
        raise SettingsError(f"{path}: the settings are not in TOML form: {err}") from err
    return SettingsLayer(f"facility {Path(path).name}", values, also_known=FACILITY_NAMES)


def parse_setting_text(name: str, text: str) -> SettingValue:
    """Return what a text means as the value of a setting; the text itself where it means nothing.

    Whether the value is right is for `resolve_settings` to say, which knows the place.

    >>> [parse_setting_text(*pair) for pair in (("groupSize", "4"), ("addAF", "yes"), ("step", "x"))]
    [4, True, 'x']
    """
    text = text.strip()
    row = SETTING_ROWS.get(name)
    if row is None:
        return text
    if row.kind is str:
        answer = parse_bool(text) if row.switch is not None and text not in (row.choices or ()) else None
        return text if answer is None else answer
    if row.kind is bool:
        if text in ("0", "1"):
            return text == "1"
        answer = parse_bool(text)
        return text if answer is None else answer
    if row.kind is tuple:
        parts = [parse_float(part) for part in text.strip("[]()").replace(",", " ").split()]
        numbers = tuple(part for part in parts if part is not None)
        if numbers and len(numbers) == len(parts) and row.length in (None, len(numbers)):
            whole_ones = row.is_whole and all(number.is_integer() for number in numbers)
            return tuple(map(int, numbers)) if whole_ones else numbers
    whole = parse_int(text)
    number = parse_float(text) if whole is None else whole
    return text if number is None else number


def parse_assignment(text: str) -> tuple[str, SettingValue]:
    """Return name and value of a `NAME=VALUE` from the command line.

    >>> parse_assignment("pretilt=-9.5")
    ('pretilt', -9.5)
    """
    name, equals, value = text.partition("=")
    name = name.strip()
    if not (equals and name and value.strip()):
        raise SettingsError(f"{text!r} is not of the form NAME=VALUE, for example step=3")
    return name, parse_setting_text(name, value)


def format_settings(resolved: ResolvedSettings, heading: str = "") -> str:
    """Return the settings in force as `name = value` lines, after a comment line if there is a heading."""
    lines = [f"# {heading}"] if heading else []
    for name, value in resolved.values().items():
        lines.append(f"{name} = {format_float(value) if isinstance(value, float) else value}")
    return "\n".join(lines) + "\n"


def settings_hash(values: Mapping[str, object]) -> str:
    """Return 12 hexadecimal digits that tell settings from others: the beginning of a SHA-256.

    It is that of the JSON object of all names and values (``json.dumps`` with sorted keys, no blanks and ASCII only),
    so that it can be worked out again from the settings in a journal.

    >>> settings_hash({"step": 3.0, "scheme": "bidirectional"})
    '6782a3fd74e4'
    """
    text = json.dumps(values, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:12]


def settings_table(resolved: ResolvedSettings) -> str:
    """Return the settings in force for people: value, where it came from, what it is and what is allowed."""
    lines = format_settings(resolved).splitlines()
    rows = [
        (line, resolved.origins[row.name], row.help if row.kind is bool else f"{row.help} ({row.allowed})")
        for line, row in zip(lines, describe_settings())
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    return "\n".join(
        f"{line:<{widths[0]}}  {origin:<{widths[1]}}  {help_text}" for line, origin, help_text in rows
    )


def _checked(row: SettingRow, value: object) -> SettingValue:
    """Return a value in the type of its setting; SettingsError without a place if it cannot be."""
    if row.kind is bool:
        if isinstance(value, bool):
            return value
        raise SettingsError(f"{row.name} is {_shown(value)}, True or False is needed")
    if row.kind is str:
        if row.switch is not None and isinstance(value, bool):
            return row.switch[value]
        if isinstance(value, str) and (is_one_line(value) if row.choices is None else value in row.choices):
            return value.strip()
        raise SettingsError(f"{row.name} is {_shown(value)}, {row.allowed} is needed")
    if row.kind is tuple:
        return _checked_numbers(row, value)
    number = _number(value)
    unit = f" in {row.unit}" if row.unit else ""
    if number is None:
        raise SettingsError(f"{row.name} is {_shown(value)}, a number{unit} is needed")
    if row.kind is int and not float(number).is_integer():
        raise SettingsError(f"{row.name} is {_shown(value)}, a whole number is needed")
    if (row.low is not None and number < row.low) or (row.high is not None and number > row.high):
        raise SettingsError(f"{row.name} is {_shown(value)}, {row.allowed} is allowed")
    return int(number) if row.kind is int else number


def _checked_numbers(row: SettingRow, value: object) -> tuple[int, int] | tuple[float, ...]:
    """Return several numbers; one number stands for as many as are needed."""
    parts = value if isinstance(value, (list, tuple)) else (value,) * (row.length or 1)
    given = [_number(part) for part in parts]
    numbers = [
        number for number in given if number is not None and not (row.is_whole and not number.is_integer())
    ]
    if len(numbers) != len(given) or not given or (row.length is not None and len(numbers) != row.length):
        if row.length is None:
            raise SettingsError(f"{row.name} is {_shown(value)}, one or more numbers are needed")
        what = "whole numbers" if row.is_whole else "numbers"
        raise SettingsError(f"{row.name} is {_shown(value)}, one or two {what} are needed")
    for number in numbers:
        low = number if row.low is None else row.low
        if not low <= number <= (number if row.high is None else row.high):
            raise SettingsError(f"{row.name} is {_shown(value)}, {row.allowed} is allowed")
    return tuple(map(int, numbers)) if row.is_whole else tuple(numbers)


def _shown(value: object) -> str:
    """Return a value for a message, shortened."""
    if isinstance(value, int) and value.bit_length() > 128:
        return "a number of too many digits"
    return reprlib.repr(value)


def _number(value: object) -> float | None:
    """Return a finite number as float, or None for anything else; True and False are no numbers here."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _unknown(name: object, layer: SettingsLayer, rows: Mapping[str, SettingRow] = SETTING_ROWS) -> str:
    """Return a sentence about a name that is no setting."""
    place = layer.place(name) if isinstance(name, str) else layer.origin
    effect = "; it has no effect" if layer.lenient else ""
    by_lower_case = {known.lower(): known for known in rows}
    close = difflib.get_close_matches(str(name).lower(), by_lower_case, n=1)
    hint = f"; did you mean {by_lower_case[close[0]]}?" if close else ""
    return f"{place}: there is no setting {name!r}{effect}{hint}"


def _contradictions(values: Mapping[str, SettingValue], origins: Mapping[str, str]) -> Iterator[str]:
    """Yield a sentence for each pair of valid values that exclude each other."""

    def number(name: str) -> float:
        return float(values[name])  # type: ignore[arg-type]  # only asked for numbers

    def said(*names: str) -> str:
        return ", ".join(f"{name} {number(name):g} ({origins[name]})" for name in names)

    # autoStartTilt finds the start tilt later, and within the range.
    start, lowest, highest = number("startTilt"), number("minTilt"), number("maxTilt")
    if not lowest < highest:
        yield f"minTilt must be below maxTilt: {said('minTilt', 'maxTilt')}"
    elif not lowest <= start <= highest and not values["autoStartTilt"]:
        yield f"startTilt must lie between minTilt and maxTilt: {said('startTilt', 'minTilt', 'maxTilt')}"
    elif number("step") > max(highest - start, start - lowest) * (1 + 1e-9):
        yield f"step is so large that no second tilt fits: {said('step', 'startTilt', 'minTilt', 'maxTilt')}"
    if not all(side % 2 for side in values["tgtMntSize"]):  # type: ignore[union-attr]
        yield f"both sides of tgtMntSize must be odd: {values['tgtMntSize']} ({origins['tgtMntSize']})"
    if number("minExpTime") > number("maxExpTime") > 0:
        yield f"minExpTime must not be above maxExpTime: {said('minExpTime', 'maxExpTime')}"
    if values["addAF"] and values["offTargetAF"] != "never":
        yield (
            "autofocus is wanted at the tracking target and beside it, choose one: "
            f"addAF ({origins['addAF']}), offTargetAF ({origins['offTargetAF']})"
        )
    if values["updateProfile"] and not values["stageProfile"]:
        yield f"updateProfile ({origins['updateProfile']}) needs the name of a file: stageProfile is empty"
    if number("minDefocus") != number("maxDefocus") and number("stepDefocus") == 0:
        yield (
            "stepDefocus must be above 0 to spread the defocus: "
            f"{said('stepDefocus', 'minDefocus', 'maxDefocus')}"
        )


def _joined(problems: list[str]) -> str:
    """Return one problem as it is, several as a list."""
    if len(problems) == 1:
        return problems[0]
    return f"{len(problems)} settings cannot be used:\n" + "\n".join(f"- {problem}" for problem in problems)
