"""Lines of text files that people and programs write: decoded strictly, kept as they are."""

from __future__ import annotations

import re
from typing import NamedTuple

from pacetomo.errors import PaceError

BYTE_ORDER_MARK = "\ufeff"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_UNWRITABLE = re.compile("[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")


class Line(NamedTuple):
    """One line: its number from 1, its text without line end, and all of it with line end."""

    number: int
    text: str
    raw: str


def decode_utf8(data: bytes, name: str, error: type[PaceError]) -> str:
    """Return bytes as text; an error with the line if they are not UTF-8."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as err:
        line = data.count(b"\n", 0, err.start) + 1
        raise error(
            f"{name}, line {line}: byte 0x{data[err.start]:02x} is no text in UTF-8; save the file as UTF-8"
        ) from err


def split_lines(text: str, name: str, error: type[PaceError]) -> list[Line]:
    """Split at line feeds only, with or without a carriage return before them.

    Raises
    ------
    PaceError
        Of the given kind, where a control character shows that this is no text file.
    """
    lines = []
    for number, raw in enumerate(text.split("\n"), start=1):
        content = raw.rstrip("\r")
        found = _CONTROL.search(content)
        if found:
            raise error(
                f"{name}, line {number}: holds the control character 0x{ord(found.group()):02x}; "
                "this is not a text file, or it is damaged"
            )
        lines.append(Line(number, content, raw + "\n"))
    last = lines.pop()
    if last.raw != "\n":
        lines.append(last._replace(raw=last.raw[:-1]))
    return lines


def common_newline(text: str) -> str:
    """Return the line end of the first line, the one for lines to be added."""
    first = text.find("\n")
    return "\r\n" if first > 0 and text[first - 1] == "\r" else "\n"


def is_one_line(text: str) -> bool:
    """Whether a text can stand in one line of a file and be read back."""
    return not _UNWRITABLE.search(text)


def join_lines(lines: list[str], newline: str) -> str:
    """Join lines that carry their line ends; one without, that is no longer the last, gets one."""
    ended = [line if line.endswith("\n") else line + newline for line in lines[:-1]]
    return "".join([*ended, *lines[-1:]])
