"""Reading TOML files that people write, with one sentence for what is wrong in them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


class TableError(ValueError):
    """A file, or an entry in it, cannot be used; the text says where and why."""


def read_table(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises
    ------
    TableError
        It cannot be read, or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as err:
        raise TableError(f"{path} cannot be read: {err.strerror or err}") from err
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        raise TableError(f"{path} is not a TOML file: {err}") from err


def take(table: Mapping[str, Any], known: Mapping[str, tuple[type, ...]], where: str) -> dict[str, Any]:
    """Check that a table has known names with values of the right types only; whole numbers count as numbers.

    Raises
    ------
    TableError
        An unknown name, or a value of another type.
    """
    for name, value in table.items():
        if name not in known:
            raise TableError(f"{where}: {name!r} is not known; there are {', '.join(sorted(known))}")
        kinds = known[name]
        good = isinstance(value, kinds) or (float in kinds and isinstance(value, int))
        # In Python a bool is an int; in these files it is not.
        if not good or (isinstance(value, bool) and bool not in kinds):
            raise TableError(f"{where}: {name} = {value!r} is not {' or '.join(map(_called, kinds))}")
    return dict(table)


def _called(kind: type) -> str:
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", list: "a list"}
    return names.get(kind, "a table")


def numbers_of(value: object, counts: tuple[int, ...], where: str) -> tuple[float, ...]:
    """Numbers of a list of one of these lengths; TableError for anything else."""
    if isinstance(value, (list, tuple)) and len(value) in counts:
        if all(isinstance(each, (int, float)) and not isinstance(each, bool) for each in value):
            return tuple(float(each) for each in value)
    raise TableError(f"{where}: {value!r} is not a list of {' or '.join(map(str, counts))} numbers")
