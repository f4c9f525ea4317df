"""Target files: text to `TargetSet` and back.

Reading and writing are a pair: what nobody changed comes back byte by byte, with its order, unknown keys,
blank lines and line ends. A changed value changes its line only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pacetomo.errors import PaceError, TargetFileError
from pacetomo.files.atomic import PathLike, Wait, as_utf8, read_bytes, write_with_backup
from pacetomo.files.target_keys import (
    UnreadableError,
    Value,
    check_writable,
    geo_values,
    make_geo_point,
    make_target,
    target_values,
    text_of,
    value_of,
)
from pacetomo.files.target_text import BRANCH_MARKERS, Document, parse_document, split_entry, split_override
from pacetomo.files.text_lines import BYTE_ORDER_MARK, decode_utf8, is_one_line, join_lines
from pacetomo.number_text import parse_int
from pacetomo.targets import Layout, Override, Target, TargetSet

# Lines that a target does not need: a reader takes the same when they are missing.
_UNWRITTEN: dict[str, Value] = {"skip": False, "LDArea": "R"}


def read_targets(path: PathLike, wait: Wait | None = None) -> TargetSet:
    """Read a target file, or the targets of a run file.

    Parameters
    ----------
    path : path-like
        The file.
    wait : callable, optional
        Waits for the given seconds when another program holds the file; without it that is an error at once.

    Raises
    ------
    TargetFileError
        With file, line and what is needed, if the file cannot be read or contradicts itself.
    """
    data = read_bytes(path, wait, TargetFileError)
    return parse_targets(decode_utf8(data, str(path), TargetFileError), str(path))


def parse_targets(text: str, name: str = "target file") -> TargetSet:
    """Return the targets that a text describes; `name` stands for the file in messages.

    Raises
    ------
    TargetFileError
        As `read_targets`.
    """
    return make_target_set(parse_document(text, name, TargetFileError), TargetFileError)


def write_targets(path: PathLike, targets: TargetSet, wait: Wait | None = None) -> Path | None:
    """Write a target file; a different one of that name is kept as a backup, whose name is returned.

    Raises
    ------
    TargetFileError
        If the file cannot be written, or the targets hold something that no file can.
    """
    data = as_utf8(format_targets(targets), path, TargetFileError)
    return write_with_backup(path, data, wait, TargetFileError)


def format_targets(targets: TargetSet) -> str:
    """Return a target set as the text of its file.

    Raises
    ------
    TargetFileError
        If it holds something that could not be read back.
    """
    return render_targets(targets, (), {}, TargetFileError)


def make_target_set(document: Document, error: type[PaceError]) -> TargetSet:
    """Return the target set of a parsed file; an error of the given kind if it is none."""
    targets = []
    points = []
    slots: list[tuple[str, tuple[str, ...]]] = []
    warnings = list(document.warnings)
    for block in document.blocks:
        if block.kind == "target":
            targets.append(make_target(block, document.name, error))
            warnings.extend(_odd_names(document.name, targets[-1]))
        elif block.kind == "geo":
            points.append(make_geo_point(block, document.name, error))
        slots.append((block.kind, () if block.kind in ("target", "geo") else tuple(block.raws)))
    if not targets:
        raise error(f"{document.name}: there is no target in this file; a line '_tgt = 001' starts one")
    return TargetSet(
        tuple(targets),
        tuple(document.overrides),
        tuple(points),
        tuple(warnings),
        Layout(tuple(slots), document.newline, document.byte_order_mark),
    )


def render_targets(
    targets: TargetSet, head: Sequence[str], tails: Mapping[int, Sequence[str]], error: type[PaceError]
) -> str:
    """Return the text of a target or run file.

    Parameters
    ----------
    targets : TargetSet
        What to write.
    head : sequence of str
        Lines without line ends to stand after the settings at the top.
    tails : mapping of int to sequence of str
        By number of target, lines without line ends to stand at the end of the target.
    error : type of PaceError
        Kind of error for what cannot be written.
    """
    _check(targets, error)
    renderer = _Renderer(targets)
    pieces = renderer.pieces(tails)
    pieces[0] = renderer.with_head(pieces[0], head)
    newline = targets.layout.newline
    out: list[str] = []
    after_new = False
    for piece in pieces:
        # Blocks that were read bring their blank lines along; new ones do not.
        if out and out[-1].strip() and piece.lines and (piece.is_new or after_new):
            out.append(newline)
        out.extend(piece.lines)
        after_new = piece.is_new or (after_new and not piece.lines)
    mark = BYTE_ORDER_MARK if targets.layout.byte_order_mark else ""
    return mark + join_lines(out, newline)


class _Piece(NamedTuple):
    """Lines of a block, and whether it lacks the blank lines of a block that was read."""

    lines: list[str]
    is_new: bool


class _Renderer:
    """Writes the blocks of one target set, keeping the lines that were read where they still hold."""

    def __init__(self, targets: TargetSet) -> None:
        self._targets = targets
        self._newline = targets.layout.newline
        self._overrides = {override.name: override for override in targets.overrides}
        self._written: set[str] = set()

    def pieces(self, tails: Mapping[int, Sequence[str]]) -> list[_Piece]:
        """Return all blocks in order, the first one that before the targets."""
        waiting = {
            "target": [
                self._target(target, tails.get(target.number, ())) for target in self._targets.targets
            ],
            "geo": [
                self._block(p.source, "_geo = 1", geo_values(p), p.extra) for p in self._targets.geo_points
            ],
        }
        slots = self._targets.layout.slots or (("head", ()),)
        last = {kind: index for index, (kind, _) in enumerate(slots)}
        out = []
        for index, (kind, lines) in enumerate(slots):
            if kind not in waiting:
                out.append(_Piece(self._kept(lines), is_new=False))
                continue
            # The last place of a kind takes all that are left: new targets stand behind the old ones.
            count = len(waiting[kind]) if index == last[kind] else 1
            out.extend(waiting[kind][:count])
            del waiting[kind][:count]
        return [*out, *waiting["target"], *waiting["geo"]]

    def with_head(self, piece: _Piece, head: Sequence[str]) -> _Piece:
        """Return the first block with settings that stand nowhere yet, and further lines, added."""
        missing = [name for name in self._overrides if name not in self._written]
        added = [self._override_line(self._overrides[name]) for name in missing]
        added.extend(line + self._newline for line in head)
        if not added:
            return piece
        place = 0
        for index, line in enumerate(piece.lines):
            if split_override(line):
                place = index + 1
        rest = piece.lines[place:]
        return _Piece([*piece.lines[:place], *added, *rest], is_new=not rest)

    def _target(self, target: Target, tail: Sequence[str]) -> _Piece:
        source = target.source
        marker = f"_tgt = {target.number:03d}"
        if source:
            entry = split_entry(source[0])
            if entry is None or parse_int(entry[1]) != target.number:
                source = (marker + self._newline, *source[1:])
        return self._block(source, marker, target_values(target), target.extra, tail)

    def _block(
        self,
        source: Sequence[str],
        marker: str,
        values: Mapping[str, Value],
        extra: Sequence[tuple[str, str]],
        tail: Sequence[str] = (),
    ) -> _Piece:
        """Return a block with exactly these keys; lines of the source stay where they say the same."""
        missing: dict[str, str] = {
            key: text_of(value)
            for key, value in values.items()
            if value is not None and value != _UNWRITTEN.get(key)
        }
        missing.update(extra)
        own, states = _split(source or (marker + self._newline,), lambda line: line.strip() in BRANCH_MARKERS)
        body = [own[0]]
        for line in self._kept(own[1:]):
            entry = split_entry(line.rstrip("\r\n"))
            if entry is None or line.lstrip().startswith("_"):
                body.append(line)
                continue
            key, text = entry
            wanted = missing.pop(key, None)
            if _says(key, text, values, extra):
                body.append(line)
            elif wanted is not None:
                body.append(f"{key} = {wanted}{self._newline}")
            elif key in _UNWRITTEN:
                body.append(f"{key} = {text_of(values[key])}{self._newline}")
        blanks = []
        while not body[-1].strip():
            blanks.append(body.pop())
        body.extend(f"{key} = {text}{self._newline}" for key, text in missing.items())
        body.extend(line + self._newline for line in tail)
        return _Piece([*body, *reversed(blanks), *states], is_new=not source)

    def _kept(self, lines: Sequence[str]) -> list[str]:
        """Return lines that were read, those with settings as the settings are now."""
        out = []
        for line in lines:
            found = split_override(line)
            if found is None:
                out.append(line)
                continue
            kind, name, value = found
            wanted = self._overrides.get(name)
            if wanted is None:
                continue
            self._written.add(name)
            out.append(line if (wanted.kind, wanted.value) == (kind, value) else self._override_line(wanted))
        return out

    def _override_line(self, override: Override) -> str:
        return f"_{override.kind} {override.name} = {override.value}{self._newline}"


def _says(key: str, text: str, values: Mapping[str, Value], extra: Sequence[tuple[str, str]]) -> bool:
    """Whether a line that was read still says what is wanted."""
    if key not in values:
        return (key, text) in extra
    try:
        value = value_of(key, text)
    except UnreadableError:
        return False
    return (_UNWRITTEN.get(key) if value is None else value) == values[key]


def _split(lines: Sequence[str], found: Callable[[str], bool]) -> tuple[Sequence[str], Sequence[str]]:
    """Return the lines before the first for which `found` holds, and the rest."""
    for index, line in enumerate(lines):
        if found(line):
            return lines[:index], lines[index:]
    return lines, ()


def _check(targets: TargetSet, error: type[PaceError]) -> None:
    """Refuse a set that could not be read back from a file as what it is."""
    if not targets.targets:
        raise error("there is no target to write; at least one is needed")
    numbers: set[int] = set()
    for target in targets.targets:
        where = f"target {target.number}"
        if target.number < 1 or target.number in numbers:
            raise error(f"{where}: numbers of targets must count from 1, each once")
        numbers.add(target.number)
        if target.shift_um is None and target.stage_um is None:
            raise error(f"{where}: there are no coordinates; SSX and SSY, or stageX and stageY are needed")
        check_writable(target_values(target), target.extra, where, error)
    for point in targets.geo_points:
        check_writable(geo_values(point), point.extra, "a point for the geometry", error)
    names: set[str] = set()
    for override in targets.overrides:
        line = f"_{override.kind} {override.name} = {override.value}"
        fits = is_one_line(line) and split_override(line) == (override.kind, override.name, override.value)
        if not fits or override.name in names:
            raise error(f"the setting {line!r} cannot be written or is there already")
        names.add(override.name)


def _odd_names(name: str, target: Target) -> list[str]:
    """Return a sentence for each file name that older programs read differently."""
    return [
        f"{name}, target {target.number}: the file name {file!r} holds a blank; "
        "older programs take only what stands before it"
        for file in (target.reference, target.series, target.view)
        if file is not None and " " in file
    ]
