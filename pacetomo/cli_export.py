"""The command that exports series for other programs."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pacetomo.cli_files import stacks_named
from pacetomo.errors import MetadataError, PaceError
from pacetomo.number_text import parse_float

if TYPE_CHECKING:
    from pacetomo.export.product import Remark

_SERIES = re.compile(r".+_ts_.+\.mdoc", re.IGNORECASE)
_AUXILIARY = re.compile(r"_(track|view|rejected|unsaved)(_?\d+)?$", re.IGNORECASE)
"""Ends of the names of stacks that are written beside series."""


def add_export(add: Callable[[str, str, str], argparse.ArgumentParser]) -> None:
    """Add the command; `add` makes a parser from name, help and example."""
    from pacetomo.export import PROGRAMS

    parser = add(
        "export",
        "write what other programs import: tilts, alignment, tables, metadata in their form",
        "--for imod lamella_ts_*.mrc\n  pacetomo export --for relion5 --frames frames --dose 3.2 .",
    )
    parser.add_argument(
        "--for",
        dest="program",
        choices=PROGRAMS,
        required=True,
        help="docs/exports.md says what each takes from where",
    )
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="stacks, their .mdoc files, or folders with tilt series"
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="default: export_PROGRAM beside the first series"
    )
    parser.add_argument(
        "--with-stacks",
        action="store_true",
        help="put the stacks beside what is written: linked, so that what changes them there changes the "
        "series itself, or copied where their sections need another order",
    )
    parser.add_argument(
        "--copy-stacks", action="store_true", help="the same with copies, which other programs may change"
    )
    parser.add_argument("--frames", metavar="DIR", help="folder of the frames as the program sees it")
    parser.add_argument(
        "--dose", type=_positive, metavar="E", help="e/Å² of an image, where the metadata do not tell"
    )
    parser.add_argument(
        "--voltage", type=_positive, metavar="KV", help="where the metadata do not tell (default: 300)"
    )
    parser.add_argument("--cs", type=_positive, metavar="MM", help="spherical aberration (default: 2.7)")
    parser.add_argument(
        "--amplitude-contrast", type=_positive, metavar="SHARE", help="for RELION (default: 0.1)"
    )
    parser.add_argument("--hand", type=int, choices=(-1, 1), help="RELION's rlnTomoHand (default: -1)")
    parser.add_argument(
        "--frame-pixel",
        type=_positive,
        metavar="ANGSTROM",
        help="pixel of the frames, for RELION (default: a physical pixel of the camera)",
    )
    parser.set_defaults(run=_run_export)


def _positive(text: str) -> float:
    number = parse_float(text)
    if number is None or number <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return number


def _run_export(options: argparse.Namespace) -> int:
    from pacetomo.background import pause
    from pacetomo.export import export
    from pacetomo.export.product import Options
    from pacetomo.export.reading import read_series
    from pacetomo.progress import WorkBar

    given = {
        "frames": options.frames,
        "voltage_kv": options.voltage,
        "spherical_aberration_mm": options.cs,
        "amplitude_contrast": options.amplitude_contrast,
        "hand": options.hand,
        "frame_pixel_angstrom": options.frame_pixel,
    }
    stacks = _stacks(options.files)
    series, refused, reasons = [], [], []
    for stack in stacks:
        try:
            series.append(read_series(stack, options.dose, pause))
        except PaceError as err:
            refused.append(err)
            if len(stacks) > 1:
                print(f"pacetomo: {err}", file=sys.stderr)
    if series:
        folder = options.out or series[0].stack.parent / f"export_{options.program}"
        wanted = Options(**{name: value for name, value in given.items() if value is not None})
        with WorkBar(sys.stderr) as bar:
            bar.begin(str(folder))
            stacks_too = options.with_stacks, bar.update, pause, options.copy_stacks
            done = export(options.program, series, wanted, folder, *stacks_too)
            bar.clear()
        for line in _told(done.remarks):
            print(f"warning: {line}", file=sys.stderr)
        print(f"{done.folder}: {len(series)} series for {options.program}, {done.files} files")
        if done.without_stack:
            reasons.append(f"{len(done.without_stack)} of {len(series)} stacks were not put beside")
    if len(stacks) == 1 and refused:
        raise refused[0]
    if refused:
        reasons.insert(0, f"{len(refused)} of {len(stacks)} series were not exported")
    if reasons:
        raise PaceError(f"{' and '.join(reasons)}, for the reasons above")
    return 0


def _told(remarks: Iterable[Remark]) -> list[str]:
    """Lines about series, one for all of which the same is to be said."""
    names: dict[str, list[str]] = {}
    for remark in remarks:
        names.setdefault(remark.text, []).append(remark.series)
    return [
        f"{concerned[0]}{f' and {len(concerned) - 1} more' if len(concerned) > 1 else ''}: {text}"
        for text, concerned in names.items()
    ]


def _stacks(names: Sequence[str]) -> list[Path]:
    """Stacks that names, patterns and folders stand for; not those that are written beside series.

    Raises
    ------
    PaceError
        If there are none, or a name stands for nothing.
    """
    found: dict[Path, None] = {}
    for name in names:
        if Path(name).is_dir():
            metadata = sorted(path for path in Path(name).iterdir() if _SERIES.fullmatch(path.name))
            stacks = [path.with_name(path.name[: -len(".mdoc")]) for path in metadata]
            found.update(dict.fromkeys(path for path in stacks if not _is_auxiliary(path)))
            continue
        for path in stacks_named([name]):
            if _is_auxiliary(path):
                print(f"{path.name}: is no tilt series, it is left out", file=sys.stderr)
            else:
                found[path] = None
    if not found:
        raise MetadataError(f"{', '.join(names)}: there is no tilt series")
    return list(found)


def _is_auxiliary(stack: Path) -> bool:
    from pacetomo.files.sorting import is_unsorted

    return is_unsorted(stack) or _AUXILIARY.search(stack.stem) is not None
