"""Run files: the targets of an area and the state of its run, in the text form that older programs read too.

A run file is a target file that starts with the scheme's settings and `_spos`, and whose targets carry the
saved state of their branches. Numbers are written so that they read back exactly. When a run has ended the
file is written without `_spos` and states; `RunState.finished` is that.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from pacetomo.errors import RunFileError
from pacetomo.files.atomic import PathLike, Wait, read_bytes, write_text_atomically
from pacetomo.files.target_file import make_target_set, render_targets
from pacetomo.files.target_keys import check_writable
from pacetomo.files.target_text import BRANCH_MARKERS, Block, Document, Entry, parse_document, split_override
from pacetomo.files.text_lines import decode_utf8
from pacetomo.frames import XY
from pacetomo.number_text import format_float, parse_bool, parse_float, parse_int
from pacetomo.run_state import BranchState, RunHeader, RunState, TargetState
from pacetomo.targets import Override, TargetSet

# Settings at the top of a run file and the header fields that they fill.
_HEADER_FIELDS = {
    "startTilt": "start_tilt_deg",
    "minTilt": "min_tilt_deg",
    "maxTilt": "max_tilt_deg",
    "step": "step_deg",
    "pretilt": "pretilt_deg",
    "rotation": "rotation_deg",
}
_BRANCH_KEYS = (
    "SSX",
    "SSY",
    "focus",
    "z0",
    "n0",
    "shifts",
    "angles",
    "ISXset",
    "ISYset",
    "ISXali",
    "ISYali",
    "dose",
    "sec",
    "skip",
)
# The original program writes numbers through lists, where newer NumPy versions leave their type's name.
_NUMPY_NUMBER = re.compile(r"np\.float(?:32|64)\(([^()]*)\)")


class RunFile(NamedTuple):
    """What a run file holds: the targets as in a target file, and the state of the run."""

    targets: TargetSet
    state: RunState


def read_run(path: PathLike, wait: Wait | None = None) -> RunFile:
    """Read a run file, finished or not; a target file reads as a run that has not begun.

    Parameters
    ----------
    path : path-like
        The file.
    wait : callable, optional
        Waits for the given seconds when another program holds the file; without it that is an error at once.

    Raises
    ------
    RunFileError
        With file, line and what is needed, if the file cannot be read or contradicts itself.
    """
    data = read_bytes(path, wait, RunFileError)
    return parse_run(decode_utf8(data, str(path), RunFileError), str(path))


def parse_run(text: str, name: str = "run file") -> RunFile:
    """Return targets and state that a text describes; `name` stands for the file in messages.

    Raises
    ------
    RunFileError
        As `read_run`.
    """
    document = parse_document(text, name, RunFileError)
    targets = make_target_set(document, RunFileError)
    blocks = [block for block in document.blocks if block.kind == "target"]
    states = tuple(_read_target_state(block, name) for block in blocks)
    state = RunState(states, _read_position(document, len(states)), _read_header(document.overrides, name))
    return RunFile(_without_state(targets), state)


def write_run(path: PathLike, targets: TargetSet, state: RunState, wait: Wait | None = None) -> None:
    """Write a run file in place of its earlier state; the file is at any moment the old or the new one.

    Raises
    ------
    RunFileError
        If the file cannot be written, or targets and state do not belong together.
    """
    write_text_atomically(path, format_run(targets, state), wait, RunFileError)


def format_run(targets: TargetSet, state: RunState) -> str:
    """Return targets and state as the text of a run file.

    Raises
    ------
    RunFileError
        If they do not belong together, or hold something that could not be read back.
    """
    numbers = {target.number for target in targets.targets}
    for target_state in state.targets:
        if target_state.number not in numbers:
            raise RunFileError(f"the state of target {target_state.number} belongs to no target of this area")
    newline = targets.layout.newline
    fillings = {_mark(one.number): _branch_lines(one) for one in state.targets}
    if state.position is not None:
        fillings[_mark(0)] = (f"_spos = {state.position[0]},{state.position[1]}",)
    parts = _form(_Same(targets), state.header, state.position is not None)
    return "".join(
        "".join(line + newline for line in fillings.get(part, ())) if part.startswith(_MARK) else part
        for part in parts
    )


_MARK = "\x00"
"""Begins what stands for lines to be filled in; no file holds it."""


def _mark(number: int) -> str:
    """What stands for the state of a target, or (0) for the position."""
    return f"{_MARK}{number}"


class _Same(NamedTuple):
    """A target set that equals itself only, so that it can be looked up at once."""

    targets: TargetSet

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.targets is self.targets

    def __hash__(self) -> int:
        return id(self.targets)


# A run file is written twice for each exposure; of a hundred targets only one has changed.
@lru_cache(maxsize=8)
def _form(same: _Same, header: RunHeader, has_position: bool) -> tuple[str, ...]:
    """Text of a run file but for position and states, cut where these have to be filled in."""
    targets = same.targets
    newline = targets.layout.newline
    head = [_mark(0)] if has_position else []
    tails = {target.number: [_mark(target.number)] for target in targets.targets}
    text = render_targets(_with_header(_without_state(targets), header), head, tails, RunFileError)
    return tuple(re.split(f"({_MARK}\\d+){newline}", text))


def _read_header(overrides: Iterable[Override], name: str) -> RunHeader:
    """Return the header from the settings of the file; what is missing has its default."""
    values: dict[str, float] = {}
    for override in overrides:
        if override.name in _HEADER_FIELDS:
            number = _number(override.value)
            if number is None:
                raise RunFileError(
                    f"{name}, line {override.line}: {override.name} is {override.value!r}, a number is needed"
                )
            values[_HEADER_FIELDS[override.name]] = number
    return RunHeader(**values)


def _read_position(document: Document, targets: int) -> tuple[int, int] | None:
    """Return section and place of the last recorded image, None if nothing is to be resumed."""
    if document.position is None:
        return None
    line, _, text = document.position
    numbers = [parse_int(part) for part in text.split(",")]
    if len(numbers) != 2 or numbers[0] is None or numbers[1] is None:
        raise RunFileError(
            f"{document.name}, line {line}: _spos is {text.strip()!r}, "
            "section and position are needed, as in 12,3"
        )
    section, place = numbers[0], numbers[1]
    if section < 0 or not 0 <= place < targets:
        raise RunFileError(
            f"{document.name}, line {line}: _spos is {section},{place}, "
            f"but sections count from 0 and there are {targets} targets, counted from 0"
        )
    return section, place


def _read_target_state(block: Block, name: str) -> TargetState:
    """Return the saved state of a target."""
    state = TargetState(block.number)
    for branch, entries in block.branches.items():
        state = state.with_branch(branch, _read_branch(entries, f"{name}, target {block.number}"))
    return state


def _read_branch(entries: Iterable[Entry], where: str) -> BranchState:
    """Return the saved state of a branch."""
    reader = _BranchReader({entry.key: entry for entry in entries}, where)
    shifts_um, angles_deg = reader.numbers("shifts"), reader.numbers("angles")
    if len(shifts_um) != len(angles_deg):
        raise RunFileError(
            f"{reader.place('shifts')}: there are {len(shifts_um)} shifts and {len(angles_deg)} angles, "
            "as many of each are needed"
        )
    return BranchState(
        shift_um=reader.pair("SSX", "SSY"),
        focus_um=reader.number("focus"),
        z0_um=reader.number("z0"),
        n0_um=reader.number("n0"),
        shifts_um=shifts_um,
        angles_deg=angles_deg,
        image_shift=reader.pair("ISXset", "ISYset"),
        aligned=reader.pair("ISXali", "ISYali"),
        dose_e_per_a2=reader.number("dose", 0.0),
        section=reader.section(),
        skip=reader.skip(),
        extra=reader.extra(),
    )


class _BranchReader:
    """Takes the values of one branch out of its lines."""

    def __init__(self, entries: Mapping[str, Entry], where: str) -> None:
        self._entries = entries
        self._where = where

    def place(self, key: str) -> str:
        """Return where a key stands, for people."""
        entry = self._entries.get(key)
        return self._where if entry is None else f"{self._where}, line {entry.line}"

    def number(self, key: str, default: float | None = None) -> float:
        """Return a number; the default, where there is one, if the key is missing."""
        if key not in self._entries and default is not None:
            return default
        text = self._text(key)
        number = _number(text)
        if number is None:
            raise RunFileError(f"{self.place(key)}: {key} is {text!r}, a number is needed")
        return number

    def pair(self, x_key: str, y_key: str) -> XY:
        """Return two numbers as a point."""
        return XY(self.number(x_key), self.number(y_key))

    def numbers(self, key: str) -> tuple[float, ...]:
        """Return a list of numbers between commas, which may be empty."""
        text = _NUMPY_NUMBER.sub(r"\1", self._text(key)).strip("[] ")
        numbers = [parse_float(part) for part in text.split(",")] if text else []
        found = tuple(number for number in numbers if number is not None)
        if len(found) != len(numbers):
            raise RunFileError(
                f"{self.place(key)}: {key} is {text!r}, numbers with commas between them are needed"
            )
        return found

    def section(self) -> int:
        """Return the section of the latest image, -1 if there is none."""
        number = self.number("sec", -1.0)
        if not number.is_integer() or number < -1:
            raise RunFileError(f"{self.place('sec')}: sec is {number:g}, a section counted from 0 is needed")
        return int(number)

    def skip(self) -> bool:
        """Return whether the branch has ended."""
        if "skip" not in self._entries:
            return False
        text = self._text("skip")
        answer = parse_bool(text)
        if answer is None:
            raise RunFileError(f"{self.place('skip')}: skip is {text!r}, True or False is needed")
        return answer

    def extra(self) -> tuple[tuple[str, str], ...]:
        """Return keys that this version does not know, with their values."""
        return tuple(
            (entry.key, entry.value) for entry in self._entries.values() if entry.key not in _BRANCH_KEYS
        )

    def _text(self, key: str) -> str:
        entry = self._entries.get(key)
        if entry is None:
            raise RunFileError(
                f"{self._where}: the saved state of a branch has no {key}; "
                "use an earlier run file or start anew"
            )
        return entry.value.strip()


def _number(text: str) -> float | None:
    """Return the number that a text spells, also with the name of its NumPy type around it."""
    return parse_float(_NUMPY_NUMBER.sub(r"\1", text))


# A run file is written after every exposure, and one exposure changes one target.
@lru_cache(maxsize=1024)
def _branch_lines(state: TargetState) -> tuple[str, ...]:
    """Return the lines of the saved branches of a target, without line ends."""
    lines: list[str] = []
    for marker, name in BRANCH_MARKERS.items():
        branch = state.branch(name)
        if branch is not None:
            lines.append(marker)
            lines.extend(f"{key} = {text}" for key, text in _branch_texts(branch, state.number))
    return tuple(lines)


def _branch_texts(branch: BranchState, number: int) -> list[tuple[str, str]]:
    """Return the keys of a branch with the texts of their values."""
    values = {
        "SSX": branch.shift_um.x,
        "SSY": branch.shift_um.y,
        "focus": branch.focus_um,
        "z0": branch.z0_um,
        "n0": branch.n0_um,
        "ISXset": branch.image_shift.x,
        "ISYset": branch.image_shift.y,
        "ISXali": branch.aligned.x,
        "ISYali": branch.aligned.y,
        "dose": branch.dose_e_per_a2,
    }
    for key, value in (*values.items(), *(("shifts", v) for v in (*branch.shifts_um, *branch.angles_deg))):
        if not math.isfinite(value):
            raise RunFileError(f"target {number}: {key} is {value}, which no run file can hold")
    texts = {key: _exact(value) for key, value in values.items()}
    texts["shifts"] = ",".join(map(_exact, branch.shifts_um))
    texts["angles"] = ",".join(map(_exact, branch.angles_deg))
    texts["sec"] = str(branch.section)
    texts["skip"] = str(branch.skip)
    if any(key in _BRANCH_KEYS for key, _ in branch.extra):
        raise RunFileError(
            f"target {number}: the extra keys of a branch must not be {', '.join(_BRANCH_KEYS)}"
        )
    check_writable({}, branch.extra, f"target {number}", RunFileError)
    return [*((key, texts[key]) for key in _BRANCH_KEYS), *branch.extra]


def _exact(value: float) -> str:
    """Return a number as text without a negative zero, which is equal to zero and must look the same."""
    return format_float(value + 0.0)


def _with_header(targets: TargetSet, header: RunHeader) -> TargetSet:
    """Return the set with the header's settings first, in the words of the file where they say the same."""
    present = {override.name: override for override in targets.overrides}
    first = []
    for name, field in _HEADER_FIELDS.items():
        value = getattr(header, field)
        old = present.pop(name, None)
        same = old is not None and old.kind == "set" and _number(old.value) == value
        first.append(old if old is not None and same else Override(name, format_float(value)))
    return replace(targets, overrides=(*first, *present.values()))


def _without_state(targets: TargetSet) -> TargetSet:
    """Return the set without lines of a run (`_spos`, branches) and with no fixed place for settings."""
    slots = tuple((kind, _kept(lines)) for kind, lines in targets.layout.slots)
    return replace(
        targets,
        targets=tuple(replace(target, source=_kept(target.source)) for target in targets.targets),
        geo_points=tuple(replace(point, source=_kept(point.source)) for point in targets.geo_points),
        layout=replace(targets.layout, slots=slots),
    )


def _kept(lines: tuple[str, ...]) -> tuple[str, ...]:
    """Return the lines of a block that do not belong to the state of a run."""
    kept = []
    in_branch = False
    for line in lines:
        text = line.strip()
        in_branch = in_branch or text in BRANCH_MARKERS
        state = in_branch or text.startswith("_spos") or split_override(text) is not None
        if not (text and state):
            kept.append(line)
    return tuple(kept)
