"""STAR files as RELION writes them: one table a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Union

from pacetomo.errors import MetadataError

Value = Union[float, int, str]

_VERSION = "# version 50001"
"""By this line RELION 5 knows that it need not convert the labels of an older version."""


def star_table(name: str, labels: Sequence[str], rows: Sequence[Sequence[Value]]) -> str:
    """Return a file with one table.

    Parameters
    ----------
    name : str
        Name of the table, without ``data_``.
    labels : sequence of str
        Labels, without underscore.
    rows : sequence of sequences
        Their values.

    Raises
    ------
    MetadataError
        If a text holds both kinds of quotes, so that it cannot be written.

    >>> print(star_table("global", ["rlnTomoName", "rlnVoltage"], [["ts 1", 300.0]]), end="")
    # version 50001
    <BLANKLINE>
    data_global
    <BLANKLINE>
    loop_
    _rlnTomoName #1
    _rlnVoltage #2
    "ts 1"   300.000000
    """
    lines = [_VERSION, "", f"data_{name}", "", "loop_"]
    lines += [f"_{label} #{number}" for number, label in enumerate(labels, 1)]
    words = [[_word(value) for value in row] for row in rows]
    widths = [max(len(row[column]) for row in words) for column in range(len(labels))] if words else []
    for row in words:
        padded = (
            word.ljust(width) if isinstance(value, str) else word.rjust(width)
            for word, value, width in zip(row, rows[0], widths)
        )
        lines.append("   ".join(padded).rstrip())
    return "\n".join([*lines, ""])


def _word(value: Value) -> str:
    if isinstance(value, float):
        return f"{value:.6f}"
    if isinstance(value, int):
        return str(value)
    is_plain = not any(letter.isspace() or letter in "\"'#" for letter in value)
    if is_plain and value and value[0] not in "_$;":
        return value
    quote = "'" if '"' in value else '"'
    if quote in value:
        raise MetadataError(f"{value}: a name with both kinds of quotes cannot be written into a STAR file")
    return f"{quote}{value}{quote}"
