"""The autodoc text form, which mdoc and Navigator files share: ``key = value`` lines and ``[Type = name]`` sections.

Unknown keys and sections survive reading and writing, in order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

_HEADER = re.compile(r"^\[\s*([^=\]]+?)\s*= ?(.*)\]\s*$")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass
class Section:
    """One section of an autodoc.

    Attributes
    ----------
    kind, name : str
        From the header ``[kind = name]``.
    entries : dict of str to str
        Keys and values in file order.
    """

    kind: str
    name: str
    entries: dict[str, str] = field(default_factory=dict)


@dataclass
class Autodoc:
    """Global keys and sections of one autodoc file."""

    entries: dict[str, str] = field(default_factory=dict)
    sections: list[Section] = field(default_factory=list)

    def of_kind(self, kind: str) -> list[Section]:
        """Sections of one kind, in file order."""
        return [section for section in self.sections if section.kind == kind]


def number(value: float) -> str:
    """Format one number as SerialEM does: ``%g``, six significant digits.

    >>> number(-3.0), number(0.000012345678), number(100000.0)
    ('-3', '1.23457e-05', '100000')
    """
    return f"{value:g}"


def numbers(values: Iterable[float]) -> str:
    """Several numbers, separated by one blank."""
    return " ".join(map(number, values))


def month_name(month: int) -> str:
    """Three-letter English month name (1 is Jan), whatever the locale."""
    return _MONTHS[month - 1]


def entries_text(entries: dict[str, str], line_end: str) -> str:
    """Key lines of one section or of the global part."""
    return "".join(f"{key} = {value}{line_end}" for key, value in entries.items())


def section_text(section: Section, line_end: str) -> str:
    """One section with the empty line that stands before every header."""
    return f"{line_end}[{section.kind} = {section.name}]{line_end}{entries_text(section.entries, line_end)}"


def autodoc_text(autodoc: Autodoc, line_end: str) -> str:
    """Whole file as text."""
    parts = [entries_text(autodoc.entries, line_end)]
    parts.extend(section_text(section, line_end) for section in autodoc.sections)
    return "".join(parts)


def parse_autodoc(text: str) -> Autodoc:
    """Read the text of an autodoc; both line ends are understood.

    A value is the rest of its line, so it may hold blanks and equals signs. Lines that are neither key, header nor
    comment are ignored, as SerialEM does.
    """
    autodoc = Autodoc()
    entries = autodoc.entries
    for line in text.splitlines():
        if line.startswith("["):
            header = _HEADER.match(line)
            if header:
                section = Section(header.group(1), header.group(2))
                autodoc.sections.append(section)
                entries = section.entries
            continue
        if line.startswith("#"):
            continue
        key, equals, value = line.partition("=")
        if equals and key.strip():
            entries[key.strip()] = value[1:] if value.startswith(" ") else value
    return autodoc
