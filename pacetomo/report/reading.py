"""Reading files of one JSON object a line, with errors that name file and line."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pacetomo.errors import MetadataError
from pacetomo.files.atomic import read_bytes
from pacetomo.frames import XY

NO_XY = XY(math.nan, math.nan)
"""A pair that the file does not give."""


@dataclass(frozen=True)
class Line:
    """One JSON object of a file, read key by key.

    Numbers that are absent or null come back as nan, so that a reader needs no second case for them.

    Attributes
    ----------
    path
        The file.
    number
        Line in the file, from 1.
    values
        The object.
    """

    path: Path
    number: int
    values: Mapping[str, Any]

    def error(self, what: str) -> MetadataError:
        """Return an error that says where `what` is wrong."""
        return MetadataError(f"{self.path}, line {self.number}: {what}")

    def text(self, key: str, default: str = "") -> str:
        """Return a text; anything else than a text is shown as JSON."""
        value = self.values.get(key)
        if value is None:
            return default
        return clean(value if isinstance(value, str) else json.dumps(value))

    def real(self, key: str, default: float = math.nan) -> float:
        """Return a finite number, `default` where the key is absent, null or not finite."""
        return self._number(key, self.values.get(key), default)

    def integer(self, key: str, default: int | None = None) -> int:
        """Return a whole number; MetadataError if it is absent and there is no default."""
        value = self.real(key)
        if math.isnan(value):
            if default is None:
                raise self.error(f"{key!r} is missing, a whole number is needed")
            return default
        if value != round(value):
            raise self.error(f"{key!r} is {value}, a whole number is needed")
        return round(value)

    def flag(self, key: str) -> bool:
        """Return a truth value, False where the key is absent."""
        value = self.values.get(key, False)
        if not isinstance(value, bool):
            raise self.error(f"{key!r} is {value!r}, true or false is needed")
        return value

    def pair(self, key: str) -> XY:
        """Return two numbers, (nan, nan) where the key is absent."""
        values = self.reals(key)
        if not values:
            return NO_XY
        if len(values) != 2:
            raise self.error(f"{key!r} has {len(values)} numbers, x and y are needed")
        return XY(values[0], values[1])

    def reals(self, key: str) -> tuple[float, ...]:
        """Return a list of numbers, empty where the key is absent."""
        return tuple(self._number(key, value, math.nan) for value in self._list(key))

    def table(self, key: str) -> Line:
        """Return the object under `key` (empty where absent) as a line of its own."""
        value = self.values.get(key)
        if value is not None and not isinstance(value, dict):
            raise self.error(f"{key!r} is {value!r}, an object is needed")
        return Line(self.path, self.number, value or {})

    def tables(self, key: str) -> list[Line]:
        """Return the objects listed under `key`."""
        lines = []
        for value in self._list(key):
            if not isinstance(value, dict):
                raise self.error(f"{key!r} holds {value!r}, an object is needed")
            lines.append(Line(self.path, self.number, value))
        return lines

    def _list(self, key: str) -> list[Any]:
        value = self.values.get(key)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.error(f"{key!r} is {value!r}, a list is needed")
        return value

    def _number(self, key: str, value: object, default: float) -> float:
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.error(f"{key!r} is {value!r}, a number is needed")
        try:
            number = float(value)
        except OverflowError:
            return default
        return number if math.isfinite(number) else default


def clean(text: str) -> str:
    """Return `text` without half surrogate pairs, which cannot be written as UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")


def lines_of(path: Path, restart: str = "") -> Iterator[Line]:
    """Yield the objects of a JSON-lines file.

    A program that was killed while writing leaves its last line cut in half; such a line is dropped. Empty
    lines are passed over.

    Parameters
    ----------
    path
        The file.
    restart
        Name of the event with which a program that goes on with an older file begins; a damaged line before
        such an event was the last one once, and is dropped too.

    Raises
    ------
    MetadataError
        If the file cannot be read or any other line is no JSON object.
    """
    damaged = 0
    for number, row in enumerate(read_bytes(path, error=MetadataError).split(b"\n"), start=1):
        if not row.strip():
            continue
        try:
            values = json.loads(row.decode("utf-8"))
        # ValueError covers damaged UTF-8 and JSON; brackets nested by the thousand end in RecursionError.
        except (ValueError, RecursionError):
            values = None
        if damaged and not (restart and isinstance(values, dict) and values.get("event") == restart):
            raise _no_object(path, damaged)
        damaged = 0 if isinstance(values, dict) else number
        if isinstance(values, dict):
            yield Line(path, number, values)


def _no_object(path: Path, number: int) -> MetadataError:
    return MetadataError(f"{path}, line {number}: damaged; a JSON object on one line is needed")
