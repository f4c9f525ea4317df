"""Numbers as text: strict on reading, exact on writing.

Python's `float` also takes `1_000`, `nan`, `infinity` and digits of other scripts. In files that people edit
by hand those are mistakes, so they are told apart here.
"""

from __future__ import annotations

import math
import re

_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")

TRUE_WORDS = frozenset({"true", "yes", "y", "on"})
FALSE_WORDS = frozenset({"false", "no", "n", "off"})


def parse_float(text: str) -> float | None:
    """Return the finite decimal number that `text` spells, or None if it spells none.

    >>> parse_float(" -1.5e-005 "), parse_float("nan"), parse_float("1_000")
    (-1.5e-05, None, None)
    """
    text = text.strip()
    if not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def parse_int(text: str) -> int | None:
    """Return the whole number that `text` spells without a decimal point, or None.

    >>> parse_int("007"), parse_int("2.0")
    (7, None)
    """
    text = text.strip()
    return int(text) if _INTEGER.fullmatch(text) else None


def parse_bool(text: str) -> bool | None:
    """Return the yes or no that `text` spells in any case, or None.

    >>> parse_bool("True"), parse_bool("off"), parse_bool("maybe")
    (True, False, None)
    """
    word = text.strip().lower()
    if word in TRUE_WORDS:
        return True
    return False if word in FALSE_WORDS else None


def format_float(value: float) -> str:
    """Return the shortest text that reads back as exactly the same number.

    >>> format_float(0.1 + 0.2)
    '0.30000000000000004'
    """
    # float() strips NumPy's scalar types, whose repr carries the name of the type.
    return repr(float(value))
