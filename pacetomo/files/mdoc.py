"""The metadata of images: SerialEM's mdoc files, read and written without losing anything.

An mdoc is a global part of `key = value` lines followed by sections with headers such as `[ZValue = 0]`.
Files in the field differ in line ends, padding and order, and hold keys of many programs. So every line is
kept as it is until it is changed, and text that is not UTF-8 (names from Windows code pages) comes back with
the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path, PureWindowsPath

from pacetomo.errors import MetadataError
from pacetomo.files.atomic import PathLike, Wait, read_bytes, write_with_backup
from pacetomo.files.text_lines import common_newline, is_one_line, join_lines, split_lines
from pacetomo.number_text import format_float, parse_float

IMAGE_KINDS = ("ZValue", "FrameSet", "Image")
"""Kinds of sections that describe one image each."""

_HEADER = re.compile(r"\[([^\s=\[\]]+) = (.*)\]")
# Blanks around a line; some editors put a byte order mark before the first.
_BLANKS = " \t\ufeff"
# Spellings of "not a number" by programs of several compilers, for values that the microscope did not give.
_NO_NUMBER = frozenset(
    {"nan", "-nan", "+nan", "nan(ind)", "-nan(ind)", "1.#qnan", "-1.#ind", "1.#ind", "-1.#qnan"}
)


@dataclass(frozen=True)
class MdocSection:
    """One section, or the global part before the first.

    Attributes
    ----------
    kind : str
        "ZValue", "FrameSet", "Image", "MontSection", "T" (a title); "" for the global part.
    name : str
        What follows in the header: the number of the section from 0, the text of a title.
    lines : tuple of str
        All lines with their line ends, the header first.
    place : str
        File and line of the header, for messages.
    """

    kind: str
    name: str
    lines: tuple[str, ...]
    place: str = "mdoc"

    @cached_property
    def _values(self) -> dict[str, str]:
        pairs = (_split(line) for line in self.lines)
        # Of two lines with one key the later one holds, as for SerialEM.
        return dict(pair for pair in pairs if pair is not None)

    @property
    def keys(self) -> tuple[str, ...]:
        """Keys in the order of the file."""
        return tuple(self._values)

    def text(self, key: str) -> str | None:
        """Return the value of a key without blanks around it; None if the key is missing or has no value."""
        return self._values.get(key, "").strip() or None

    def get_floats(self, key: str) -> tuple[float, ...] | None:
        """Return the numbers of a key; None if the key is missing or its value is "not a number".

        Raises
        ------
        MetadataError
            If the value holds something else than numbers.
        """
        text = self.text(key)
        if text is None:
            return None
        words = text.split()
        if any(word.lower() in _NO_NUMBER for word in words):
            return None
        numbers = [parse_float(word) for word in words]
        found = tuple(number for number in numbers if number is not None)
        if len(found) != len(numbers):
            raise MetadataError(f"{self.place}: {key} is {text!r}, numbers are needed")
        return found

    def get_float(self, key: str) -> float | None:
        """Return the number of a key; None if the key is missing. MetadataError if it is no single number."""
        numbers = self.get_floats(key)
        if numbers is not None and len(numbers) != 1:
            raise MetadataError(f"{self.place}: {key} is {self.text(key)!r}, one number is needed")
        return None if numbers is None else numbers[0]

    def need_float(self, key: str) -> float:
        """Return the number of a key; MetadataError if there is none."""
        number = self.get_float(key)
        if number is None:
            raise MetadataError(f"{self.place}: there is no {key}, which is needed here")
        return number

    def need_floats(self, key: str, count: int) -> tuple[float, ...]:
        """Return exactly so many numbers of a key; MetadataError if there are not."""
        numbers = self.get_floats(key)
        if numbers is None or len(numbers) != count:
            raise MetadataError(f"{self.place}: {key} is {self.text(key)!r}, {count} numbers are needed")
        return numbers

    @property
    def tilt_deg(self) -> float:
        """Stage tilt (degrees); MetadataError if the section has none."""
        return self.need_float("TiltAngle")

    def with_value(self, key: str, value: str | float | Iterable[float]) -> MdocSection:
        """Return the section with a value changed in its place, or added at the end.

        Numbers are written so that they read back exactly. MetadataError if the value does not fit into a
        line.
        """
        if isinstance(value, (int, float)):
            value = str(value) if isinstance(value, int) else format_float(value)
        elif not isinstance(value, str):
            value = " ".join(format_float(number) for number in value)
        line = f"{key} = {value}"
        if not is_one_line(line) or _split(line) != (key, value):
            raise MetadataError(f"{self.place}: a line {line!r} cannot be written")
        newline = common_newline(self.lines[0]) if self.lines else "\n"
        lines = [line + newline if _key(old) == key else old for old in self.lines]
        if key not in self._values:
            body = _bare(self.lines, newline)
            lines = [*body, line + newline, *lines[len(body) :]]
        return replace(self, lines=tuple(lines))

    def without(self, key: str) -> MdocSection:
        """Return the section without a key."""
        return replace(self, lines=tuple(line for line in self.lines if _key(line) != key))

    def renumbered(self, number: int) -> MdocSection:
        """Return the section with another number in its header."""
        newline = common_newline(self.lines[0])
        header = f"[{self.kind} = {number}]{newline}"
        return replace(self, name=str(number), lines=(header, *self.lines[1:]))


@dataclass(frozen=True)
class Mdoc:
    """A whole mdoc file.

    Attributes
    ----------
    head : MdocSection
        The global part; of kind "".
    sections : tuple of MdocSection
        All sections in the order of the file.
    name : str
        Name of the file for people.
    """

    head: MdocSection
    sections: tuple[MdocSection, ...] = ()
    name: str = "mdoc"

    @property
    def images(self) -> tuple[MdocSection, ...]:
        """The sections that describe one image each."""
        return tuple(section for section in self.sections if section.kind in IMAGE_KINDS)

    @property
    def titles(self) -> tuple[str, ...]:
        """The titles, padded as they are."""
        return tuple(section.name for section in self.sections if section.kind == "T")

    def need_images(self) -> tuple[MdocSection, ...]:
        """Return the sections of images; MetadataError if there are none."""
        if not self.images:
            raise MetadataError(
                f"{self.name}: there is no section in this file; "
                "one '[ZValue = 0]' and its keys for each image are needed"
            )
        return self.images

    def with_images(self, images: Iterable[MdocSection]) -> Mdoc:
        """Return the mdoc with these images instead of its own, in this order and counted anew from 0."""
        new = [
            image if image.kind == "Image" else image.renumbered(number)
            for number, image in enumerate(images)
        ]
        places = [index for index, section in enumerate(self.sections) if section.kind in IMAGE_KINDS]
        first = places[0] if places else len(self.sections)
        before = self.sections[:first]
        after = tuple(section for section in self.sections[first:] if section.kind not in IMAGE_KINDS)
        return self._spaced((*before, *new, *after))

    def with_image(self, number: int, image: MdocSection) -> Mdoc:
        """Return the mdoc with another section in place of image `number` (from 0)."""
        old = self.images[number]
        return replace(
            self, sections=tuple(image if section is old else section for section in self.sections)
        )

    def with_title(self, title: str) -> Mdoc:
        """Return the mdoc with a further title after those it has."""
        if not is_one_line(title):
            raise MetadataError(f"{self.name}: the title {title!r} does not fit into a line")
        section = MdocSection("T", title, (f"[T = {title}]{self._newline}",), self.name)
        places = [index for index, other in enumerate(self.sections) if other.kind == "T"]
        place = places[-1] + 1 if places else 0
        return self._spaced((*self.sections[:place], section, *self.sections[place:]))

    def _spaced(self, sections: Sequence[MdocSection]) -> Mdoc:
        """Return the mdoc with other sections, one empty line before each and none elsewhere."""
        newline = self._newline
        parts = [
            replace(part, lines=(*_bare(part.lines, newline), newline)) if part.lines else part
            for part in (self.head, *sections)
        ]
        parts[-1] = replace(parts[-1], lines=_bare(parts[-1].lines, newline))
        return replace(self, head=parts[0], sections=tuple(parts[1:]))

    @property
    def _newline(self) -> str:
        """Line end for lines to be added."""
        for section in (self.head, *self.sections):
            if section.lines:
                return common_newline(section.lines[0])
        return "\n"


def read_mdoc(path: PathLike, wait: Wait | None = None) -> Mdoc:
    """Read an mdoc file.

    Parameters
    ----------
    path : path-like
        The file.
    wait : callable, optional
        Waits for the given seconds when another program holds the file; without it that is an error at once.

    Raises
    ------
    MetadataError
        With file, line and what is needed, if the file cannot be read or is no mdoc. One without sections is
        refused by `Mdoc.need_images`, where they are needed.
    """
    data = read_bytes(path, wait, MetadataError)
    return parse_mdoc(data.decode("utf-8", "surrogateescape"), str(path))


def described_stacks(path: Path, wait: Wait | None = None) -> frozenset[str]:
    """Return names, in lower case, of the stacks that importers may take a metadata file to be about.

    That of its own name, and the one that its global part names. MetadataError if it cannot be read.
    """
    named = read_mdoc(path, wait).head.text("ImageFile") or ""
    return frozenset({path.stem.lower(), PureWindowsPath(named).name.lower()} - {""})


def parse_mdoc(text: str, name: str = "mdoc") -> Mdoc:
    """Return the mdoc that a text holds; `name` stands for the file in messages.

    Raises
    ------
    MetadataError
        As `read_mdoc`.
    """
    kind, title, start = "", "", 1
    lines: list[str] = []
    sections: list[MdocSection] = []
    for line in split_lines(text, name, MetadataError):
        content = line.text.strip(_BLANKS)
        if content.startswith("["):
            header = _HEADER.fullmatch(content)
            if header is None:
                raise MetadataError(
                    f"{name}, line {line.number}: {content[:60]!r} is no header of the form '[ZValue = 0]'; "
                    "the file is damaged or cut short"
                )
            sections.append(MdocSection(kind, title, tuple(lines), f"{name}, line {start}"))
            kind, title, start, lines = header.group(1), header.group(2), line.number, []
        elif content and _split(line.raw) is None:
            raise MetadataError(
                f"{name}, line {line.number}: {content[:60]!r} is not of the form 'key = value'; "
                "the file is damaged or cut short"
            )
        lines.append(line.raw)
    sections.append(MdocSection(kind, title, tuple(lines), f"{name}, line {start}"))
    return Mdoc(sections[0], tuple(sections[1:]), name)


def format_mdoc(mdoc: Mdoc) -> str:
    """Return an mdoc as the text of its file; undecodable bytes stand in it as surrogates."""
    lines = [line for section in (mdoc.head, *mdoc.sections) for line in section.lines]
    return join_lines(lines, common_newline(lines[0]) if lines else "\n")


def write_mdoc(path: PathLike, mdoc: Mdoc, wait: Wait | None = None) -> Path | None:
    """Write an mdoc file; a different one of that name is kept as a backup, whose name is returned.

    Raises
    ------
    MetadataError
        If the file cannot be written.
    """
    return write_with_backup(path, format_mdoc(mdoc).encode("utf-8", "surrogateescape"), wait, MetadataError)


def _split(line: str) -> tuple[str, str] | None:
    """Return key and value of a line; None for headers, empty lines and lines of no known form.

    >>> _split("SubFramePath = X:/a = b.tif"), _split("ChannelName ="), _split("[ZValue = 0]")
    (('SubFramePath', 'X:/a = b.tif'), ('ChannelName', ''), None)
    """
    text = line.lstrip(_BLANKS).rstrip("\r\n")
    key, equals, value = text.partition("=")
    key = key.rstrip()
    if not equals or not key or key.startswith("["):
        return None
    return key, value[1:] if value.startswith(" ") else value


def _key(line: str) -> str | None:
    pair = _split(line)
    return None if pair is None else pair[0]


def _bare(lines: tuple[str, ...], newline: str) -> tuple[str, ...]:
    """Return the lines of a section without empty lines at its end."""
    end = len(lines)
    while end > 0 and not lines[end - 1].strip():
        end -= 1
    if end == 0 or lines[end - 1].endswith("\n"):
        return lines[:end]
    return (*lines[: end - 1], lines[end - 1] + newline)
