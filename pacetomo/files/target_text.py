"""The grammar of target and run files: markers, keys and blocks, before anybody asks what they mean.

A line is `key = value`, a marker that starts with an underscore, or empty. `_set` and `_bset` may stand
anywhere. `_tgt` and `_geo` start a block; inside a target `_pbr` and `_nbr` start the saved state of a
branch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from pacetomo.errors import PaceError
from pacetomo.files.text_lines import BYTE_ORDER_MARK, Line, common_newline, split_lines
from pacetomo.number_text import parse_int
from pacetomo.targets import Override

BRANCH_MARKERS = {"_pbr": "up", "_nbr": "down"}


class Entry(NamedTuple):
    """A `key = value`; the value as it stands, with its blanks."""

    line: int
    key: str
    value: str


@dataclass
class Block:
    """A stretch of the file.

    Attributes
    ----------
    kind : str
        "head" before the first marker, "target", "geo", or "text" after a marker of unknown kind.
    line : int
        Line in which it starts.
    number : int
        Number of the target, 0 for other blocks.
    raws : list of str
        All its lines with their line ends.
    entries : list of Entry
        Its keys and values, without those of branches.
    branches : dict of str to list of Entry
        The saved states "up" and "down".
    """

    kind: str
    line: int
    number: int = 0
    raws: list[str] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    branches: dict[str, list[Entry]] = field(default_factory=dict)


@dataclass
class Document:
    """A whole file.

    Attributes
    ----------
    name : str
        Name of the file for people.
    blocks : list of Block
        In order; the first is of kind "head" and may be empty.
    overrides : list of Override
        Each name once.
    position : Entry or None
        The `_spos` line.
    warnings : list of str
        Oddities, one sentence each.
    newline : str
        Line end for lines to be added.
    byte_order_mark : bool
        Whether the file starts with one, as some editors on Windows write it.
    """

    name: str
    blocks: list[Block]
    overrides: list[Override]
    position: Entry | None
    warnings: list[str]
    newline: str
    byte_order_mark: bool = False


def split_entry(text: str) -> tuple[str, str] | None:
    """Return key and value of a line, None if it is no `key = value`.

    >>> split_entry("tsfile = lamella 3 ts_001.mrc"), split_entry("SSX=1")
    (('tsfile', 'lamella 3 ts_001.mrc'), None)
    """
    text = text.lstrip()
    key, equals, value = text.partition(" = ")
    if not equals and text.endswith(" ="):
        key, equals = text[:-2], "="
    if not equals or key.split() != [key]:
        return None
    return key, value


def split_override(text: str) -> tuple[str, str, str] | None:
    """Return kind, name and value of a `_set` or `_bset` line that is complete, else None.

    >>> split_override("_set pretilt = -9.5")
    ('set', 'pretilt', '-9.5')
    """
    marker, _, rest = text.strip().partition(" ")
    if marker not in ("_set", "_bset"):
        return None
    entry = split_entry(rest)
    if entry is None or not entry[1].strip():
        return None
    return marker[1:], entry[0], entry[1].strip()


def parse_document(text: str, name: str, error: type[PaceError]) -> Document:
    """Split a target or run file into blocks.

    Raises
    ------
    PaceError
        Of the given kind, with file and line, where the grammar is broken.
    """
    return _Parser(name, error).parse(text)


class _Parser:
    """Goes through a file line by line."""

    def __init__(self, name: str, error: type[PaceError]) -> None:
        self._name = name
        self._error = error
        self._document = Document(name, [Block("head", 1)], [], None, [], "\n")
        self._block = self._document.blocks[0]
        self._branch: str | None = None

    def parse(self, text: str) -> Document:
        if text.startswith(BYTE_ORDER_MARK):
            self._document.byte_order_mark = True
            text = text[1:]
        self._document.newline = common_newline(text)
        lines = split_lines(text, self._name, self._error)
        for line in lines:
            self._take(line)
        if lines and not lines[-1].raw.endswith("\n"):
            self._warn(lines[-1].number, "has no line end; check that the file was not cut short")
        return self._document

    def _take(self, line: Line) -> None:
        text = line.text.strip()
        marker = text.split(" ", 1)[0]
        if not text.startswith("_"):
            if text:
                self._take_entry(line)
        elif marker in ("_set", "_bset"):
            self._take_override(line)
        elif marker == "_spos":
            self._take_position(line)
        elif marker == "_tgt":
            self._start(Block("target", line.number, self._target_number(line)))
        elif marker == "_geo":
            self._start(Block("geo", line.number))
        elif text in BRANCH_MARKERS:
            self._start_branch(line, BRANCH_MARKERS[text])
        else:
            self._warn(line.number, f"the marker {marker!r} is not known; it is kept and has no effect")
            words = text.split()
            # A one-line marker such as `_xset NAME = VALUE` does not end the target in which it stands.
            if not (len(words) >= 4 and words[2] == "="):
                self._start(Block("text", line.number))
        self._block.raws.append(line.raw)

    def _start(self, block: Block) -> None:
        self._document.blocks.append(block)
        self._block = block
        self._branch = None

    def _start_branch(self, line: Line, branch: str) -> None:
        if self._block.kind != "target":
            raise self._problem(
                line.number, f"{line.text.strip()} stands outside a target; a _tgt must come first"
            )
        if branch in self._block.branches:
            raise self._problem(
                line.number, f"{line.text.strip()} stands twice in target {self._block.number}; keep one"
            )
        self._block.branches[branch] = []
        self._branch = branch

    def _take_entry(self, line: Line) -> None:
        if self._block.kind == "text":
            return
        entry = split_entry(line.text)
        if entry is None:
            raise self._problem(
                line.number, f"{_shown(line.text)} is not of the form 'key = value', with blanks around ="
            )
        key, value = entry
        if self._block.kind == "head":
            raise self._problem(
                line.number, f"{key} stands before the first target; a line '_tgt = 001' must come first"
            )
        entries = self._block.entries if self._branch is None else self._block.branches[self._branch]
        for other in entries:
            if other.key == key:
                raise self._problem(
                    line.number, f"{key} already has a value in line {other.line}; keep one of the two"
                )
        entries.append(Entry(line.number, key, value))

    def _take_override(self, line: Line) -> None:
        found = split_override(line.text)
        if found is None:
            raise self._problem(
                line.number,
                f"{_shown(line.text)} is not of the form '_set NAME = VALUE' or '_bset NAME = True'",
            )
        kind, setting, value = found
        for other in self._document.overrides:
            if other.name == setting:
                if (other.kind, other.value) == (kind, value):
                    return
                raise self._problem(
                    line.number,
                    f"{setting} already has another value in line {other.line}; keep one of the two",
                )
        self._document.overrides.append(Override(setting, value, kind, line.number))

    def _take_position(self, line: Line) -> None:
        entry = split_entry(line.text)
        if entry is None:
            raise self._problem(
                line.number, f"{_shown(line.text)} is not of the form '_spos = SECTION,POSITION'"
            )
        if self._document.position is not None:
            raise self._problem(
                line.number,
                f"_spos already stands in line {self._document.position.line}; keep one of the two",
            )
        self._document.position = Entry(line.number, *entry)

    def _target_number(self, line: Line) -> int:
        entry = split_entry(line.text)
        number = None if entry is None else parse_int(entry[1])
        if number is None or number < 1:
            raise self._problem(
                line.number, f"{_shown(line.text)} is not of the form '_tgt = 001', counting from 1"
            )
        for block in self._document.blocks:
            if block.number == number:
                raise self._problem(
                    line.number,
                    f"target {number} already stands in line {block.line}; give each its own number",
                )
        return number

    def _warn(self, line: int, text: str) -> None:
        self._document.warnings.append(f"{self._name}, line {line}: {text}")

    def _problem(self, line: int, text: str) -> PaceError:
        return self._error(f"{self._name}, line {line}: {text}")


def _shown(text: str) -> str:
    """Return a line for a message, quoted and not too long."""
    text = text.strip()
    return repr(text if len(text) <= 60 else text[:57] + "...")
