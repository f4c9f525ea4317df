"""What is done about each kind of trouble: one table, shown by `pacetomo plan --policies`.

Whoever meets a trouble asks this table how often to try again, how long to wait, and what ends if that does not help.
A facility changes entries in its TOML file, a script in its settings::

    [policies]
    file_held = {retry = 10, pause_s = 2, then = "end area"}

What cannot be changed is in the table with the reason. Pure: nothing here touches a microscope or a file.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Union

from pacetomo.errors import SettingsError
from pacetomo.policy_table import POLICY_ROWS, TRIES, Policy, PolicyRow, Then

PolicyTable = Mapping[str, Mapping[str, Union[int, float, str]]]
"""Changed entries as a facility or a script gives them: kind -> field -> value."""

_ROWS: dict[str, PolicyRow] = {row.kind: row for row in POLICY_ROWS}

_LIMITS: dict[str, tuple[float, float]] = {
    "retry": (0, 1000),
    "pause_s": (0.1, 3600),
    "longest_pause_s": (0.1, 3600),
    "patience_min": (0, 100000),
    "limit": (1, 1000),
}
_WHOLE = ("retry", "limit")


@dataclass(frozen=True)
class Policies:
    """The policies in force.

    Attributes
    ----------
    changed : mapping of str to Policy
        Those that differ from the table.
    origins : mapping of str to str
        Where they came from.
    """

    changed: Mapping[str, Policy] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)

    def of(self, kind: str) -> Policy:
        """Return the policy for a kind of trouble; KeyError for none of the table."""
        return self.changed.get(kind) or _ROWS[kind].policy

    def with_changes(self, table: object, origin: str) -> Policies:
        """Return the policies with entries of a facility's or a script's table.

        Raises
        ------
        SettingsError
            For all that cannot be used, in one sentence each.
        """
        problems: list[str] = []
        changed, origins = dict(self.changed), dict(self.origins)
        if not isinstance(table, Mapping):
            raise SettingsError(
                f'{origin}: policies must be a table, for example {{file_held = {{then = "end area"}}}}'
            )
        for kind, entry in table.items():
            try:
                changed[kind] = _changed(str(kind), self.of(kind) if kind in _ROWS else None, entry)
                origins[kind] = origin
            except SettingsError as err:
                problems.append(f"{origin}: {err}")
        if problems:
            raise SettingsError("\n".join(problems))
        return Policies(changed, origins)

    def as_table(self) -> dict[str, dict[str, int | float | str]]:
        """Return all that is in force, as numbers and texts, for the journal."""
        return {row.kind: dict(_values(row, self.of(row.kind))) for row in POLICY_ROWS}


def _changed(kind: str, policy: Policy | None, entry: object) -> Policy:
    if policy is None:
        close = difflib.get_close_matches(kind, _ROWS, n=1)
        hint = f"; did you mean {close[0]}?" if close else "; `pacetomo plan --policies` lists them"
        raise SettingsError(f"there is no policy {kind!r}{hint}")
    if not isinstance(entry, Mapping):
        raise SettingsError(f'policy {kind} must be a table, for example {{then = "end area"}}')
    row = _ROWS[kind]
    values: dict[str, Then | int | float] = {}
    for name, value in entry.items():
        if name == "then":
            values[name] = _then(row, value)
        else:
            values[name] = _number(row, str(name), value)
    return replace(policy, **values)  # type: ignore[arg-type]  # each checked for its field


def _then(row: PolicyRow, value: object) -> Then:
    allowed = [str(then) for then in row.allowed]
    if value not in allowed:
        raise SettingsError(f"policy {row.kind}: then is {value!r}, {' or '.join(allowed)} is allowed")
    return Then(value)


def _number(row: PolicyRow, name: str, value: object) -> int | float:
    if name not in row.uses:
        names = ", ".join((*row.uses, "then")) if not row.is_fixed else "nothing"
        raise SettingsError(f"policy {row.kind}: {name!r} cannot be changed, {names} can")
    low, high = _LIMITS[name]
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not is_number or not low <= value <= high:  # type: ignore[operator]
        raise SettingsError(f"policy {row.kind}: {name} is {value!r}, {low:g} to {high:g} is allowed")
    if name in _WHOLE and value != int(value):  # type: ignore[call-overload]
        raise SettingsError(f"policy {row.kind}: {name} is {value!r}, a whole number is needed")
    return int(value) if name in _WHOLE else float(value)  # type: ignore[call-overload,arg-type]


def _values(row: PolicyRow, policy: Policy) -> Iterator[tuple[str, int | float | str]]:
    for name in row.uses:
        yield name, getattr(policy, name)
    yield "then", str(policy.then)


def describe_tries(row: PolicyRow, policy: Policy) -> str:
    """Return how often and how long something is tried again or waited for, in words.

    >>> describe_tries(_ROWS["file_held"], _ROWS["file_held"].policy)
    '5 more tries after 2, 4, 8, 16, 30 s'
    """
    parts = []
    if row.uses == TRIES:
        pauses = policy.pauses_s()
        shown = ", ".join(f"{pause:g}" for pause in pauses[:6]) + (" ..." if len(pauses) > 6 else "")
        tries = f"{policy.retry} more {'try' if policy.retry == 1 else 'tries'}"
        return f"{tries} after {shown} s" if pauses else "not tried again"
    if "retry" in row.uses:
        parts.append(f"{policy.retry} more {'try' if policy.retry == 1 else 'tries'}")
    if "pause_s" in row.uses:
        parts.append(f"looks every {policy.pause_s:g} s")
    if "patience_min" in row.uses:
        parts.append(f"for {policy.patience_min:g} min")
    if "limit" in row.uses:
        parts.append(f"{policy.limit} in a row")
    return ", ".join(parts) or "-"


def policies_table(policies: Policies, settings: Mapping[str, object]) -> str:
    """Return the policies in force for people.

    Parameters
    ----------
    policies : Policies
    settings : mapping of str to value
        In force; those that have a say are shown.
    """
    rows = [("kind", "trouble", "tried again", "then", "may be", "origin")]
    below = []
    for row in POLICY_ROWS:
        policy = policies.of(row.kind)
        choice = " or ".join(str(then) for then in row.allowed if then is not policy.then) or (
            "fixed" if row.is_fixed else "-"
        )
        origin = policies.origins.get(row.kind, "default")
        rows.append((row.kind, row.trouble, describe_tries(row, policy), str(policy.then), choice, origin))
        said = [f"{name} {settings[name]!r}" for name in row.settings if name in settings]
        below.append("; ".join(filter(None, [row.remark, ", ".join(said)])))
    widths = [max(len(texts[column]) for texts in rows) for column in (0, 2, 3, 4)]
    lines = []
    for (kind, trouble, tries, then, choice, origin), note in zip(rows, ["", *below]):
        lines.append(
            f"{kind:<{widths[0]}}  {tries:<{widths[1]}}  {then:<{widths[2]}}  {choice:<{widths[3]}}  {origin}"
        )
        if kind != "kind":
            lines.append(f"{'':<{widths[0]}}  {trouble}{'; ' + note if note else ''}")
    return "\n".join(lines)
