"""Rows of the target list: what they show, sorting and filtering. Pure."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Optional

from pacetomo.editor.looks import State
from pacetomo.editor.model import Document
from pacetomo.frames import XY
from pacetomo.job import Job

COLUMNS = ("number", "files", "SSX", "SSY", "score", "defocus", "area", "skip", "state")
"""Columns in order, as they are called for people."""


class Row(NamedTuple):
    """A target in the list.

    Attributes
    ----------
    number, series, reference, view, score, area, skip
        As in `Target`.
    place_um : XY
        Relative to the tracking target.
    defocus_um : float or None
        Wanted defocus; None where it is not known (a skipped target, or settings that are wrong).
    is_own_defocus : bool
        Whether that is the target's own and not its share of the range.
    state : State
        What it is, or what has become of it.
    """

    number: int
    series: str
    reference: Optional[str]  # noqa: UP045 - evaluated at run time on Python 3.9
    view: Optional[str]  # noqa: UP045
    place_um: XY
    score: Optional[float]  # noqa: UP045
    defocus_um: Optional[float]  # noqa: UP045
    is_own_defocus: bool
    area: str
    skip: bool
    state: State

    def text(self, column: str) -> str:
        """What a column shows."""
        return _TEXTS[column](self)

    def sort_key(self, column: str) -> tuple[bool, float | str]:
        """What the list is sorted by; a value that is missing comes last."""
        value = _VALUES[column](self)
        return value is None, "" if value is None else value


def rows_of(document: Document, states: Mapping[int, State] | None = None) -> list[Row]:
    """Rows of all targets in order of acquisition.

    Parameters
    ----------
    document : Document
    states : mapping of int to State, optional
        What has become of targets in a run, by number.
    """
    states = states or {}
    wanted = document.job.wanted_defocus_um if isinstance(document.job, Job) else {}
    first = document.targets.tracking.number
    return [
        Row(
            target.number,
            target.series,
            target.reference,
            target.view,
            document.places_um[target.number],
            target.score,
            wanted.get(target.number, target.defocus_um),
            target.defocus_um is not None,
            target.area,
            target.skip,
            state_of(target.number == first, target.skip, states.get(target.number)),
        )
        for target in document.targets.targets
    ]


def state_of(is_tracking: bool, skip: bool, in_run: State | None) -> State:
    """State to show: what has become of the target in a run goes before what it is."""
    if in_run is not None and in_run is not State.WAITING:
        return in_run
    if skip:
        return State.SKIPPED
    return State.TRACKING if is_tracking else State.WAITING


def sorted_rows(rows: Sequence[Row], column: str, descending: bool = False) -> list[Row]:
    """Rows by a column; equal ones stay in order of acquisition, missing values come last either way."""
    there = [row for row in rows if not row.sort_key(column)[0]]
    missing = [row for row in rows if row.sort_key(column)[0]]
    return [*sorted(there, key=lambda row: row.sort_key(column)[1], reverse=descending), *missing]


_COMPARISON = re.compile(r"([A-Za-z]+)(<=|>=|<|>|=)(.+)")
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
    "=": operator.eq,
}


def filtered(rows: Sequence[Row], text: str) -> list[Row]:
    """Rows that agree with all words of a filter.

    A word is looked for in everything a row shows, in any case; `score>0.5`, `ssx<=-2` and the like compare.
    """
    tests = [_test(word) for word in text.split()]
    return [row for row in rows if all(test(row) for test in tests)]


def _test(word: str) -> Callable[[Row], bool]:
    match = _COMPARISON.fullmatch(word)
    columns = {column.lower(): column for column in COLUMNS}
    if match is not None and match[1].lower() in columns:
        column, compare, limit = columns[match[1].lower()], _COMPARE[match[2]], _number(match[3])
        if limit is not None:
            return lambda row: _compares(row, column, compare, limit)
    lower = word.lower()
    return lambda row: any(lower in row.text(column).lower() for column in COLUMNS)


def _compares(row: Row, column: str, compare: Callable[[float, float], bool], limit: float) -> bool:
    value = _VALUES[column](row)
    return isinstance(value, (int, float)) and compare(float(value), limit)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _shown(value: float | None, decimals: int) -> str:
    return "" if value is None else f"{value:.{decimals}f}"


_VALUES: dict[str, Callable[[Row], Optional[float | str]]] = {  # noqa: UP045
    "number": lambda row: row.number,
    "files": lambda row: row.series.lower(),
    "SSX": lambda row: row.place_um.x,
    "SSY": lambda row: row.place_um.y,
    "score": lambda row: row.score,
    "defocus": lambda row: row.defocus_um,
    "area": lambda row: row.area,
    "skip": lambda row: row.skip,
    "state": lambda row: row.state.value,
}

_TEXTS: dict[str, Callable[[Row], str]] = {
    "number": lambda row: str(row.number),
    "files": lambda row: ", ".join(name for name in (row.series, row.reference, row.view) if name),
    "SSX": lambda row: _shown(row.place_um.x, 3),
    "SSY": lambda row: _shown(row.place_um.y, 3),
    "score": lambda row: _shown(row.score, 3),
    "defocus": lambda row: (
        _shown(row.defocus_um, 2)
        if row.is_own_defocus or row.defocus_um is None
        else f"({row.defocus_um:.2f})"
    ),
    "area": lambda row: row.area,
    "skip": lambda row: "skip" if row.skip else "",
    "state": lambda row: row.state.value,
}
