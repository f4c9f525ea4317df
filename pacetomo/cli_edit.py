"""The command that opens the target editor."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path

_SIZE = re.compile(r"(\d{3,5})x(\d{3,5})")


def add_edit_command(add: Callable[[str, str, str], argparse.ArgumentParser]) -> None:
    """Add the command; `add` makes a parser from name, help and example."""
    parser = add(
        "edit",
        "edit the targets and settings of an area in a window, or watch its run",
        "lamella_tgts.txt\n  pacetomo edit lamella_tgts_run01.txt",
    )
    parser.add_argument(
        "target_file",
        type=Path,
        metavar="TARGETFILE",
        help="target file, or a run file or journal of its area",
    )
    parser.add_argument("--facility", type=Path, metavar="FILE", help="a facility's settings in TOML form")
    parser.add_argument(
        "--size", type=_size, metavar="WIDTHxHEIGHT", help="of the window in pixels (default: 1280x800)"
    )
    parser.set_defaults(run=_run_edit)


def _size(text: str) -> tuple[int, int]:
    match = _SIZE.fullmatch(text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is no size such as 1280x800")
    return int(match[1]), int(match[2])


def _run_edit(options: argparse.Namespace) -> int:
    from pacetomo.editor.app import USUAL_SIZE_PX, edit
    from pacetomo.editor.model import Known
    from pacetomo.settings import read_settings_toml

    layers = () if options.facility is None else (read_settings_toml(options.facility),)
    edit(options.target_file, Known(layers=layers), size_px=options.size or USUAL_SIZE_PX)
    return 0
