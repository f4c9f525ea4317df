"""The commands that check what a session has left: check-output, check-frames."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pacetomo.verdict import Verdict


def add_output_commands(add: Callable[[str, str, str], argparse.ArgumentParser]) -> None:
    """Add the commands; `add` makes a parser from name, help and example."""
    parser = add(
        "check-output",
        "compare every series of a folder with its metadata and its run: sections, order, doses, dates, frames",
        ".",
    )
    parser.add_argument(
        "folder", type=Path, metavar="FOLDER", help="session folder; nothing in it is changed"
    )
    parser.set_defaults(run=_run_check_output)
    parser = add(
        "check-frames",
        "compare frames on disk with the metadata of the series of a folder",
        ". --frames Y:/frames",
    )
    parser.add_argument(
        "folder", type=Path, metavar="FOLDER", help="session folder; nothing in it is changed"
    )
    parser.add_argument(
        "--frames",
        type=Path,
        action="append",
        default=[],
        metavar="DIR",
        help="where the frames are, if not where the metadata say; may be given several times",
    )
    parser.set_defaults(run=_run_check_frames)


def _run_check_output(options: argparse.Namespace) -> int:
    from pacetomo.background import pause
    from pacetomo.output_check import check_output

    return _say(check_output(options.folder, pause))


def _run_check_frames(options: argparse.Namespace) -> int:
    from pacetomo.background import pause
    from pacetomo.frames_check import check_frames

    return _say(check_frames(options.folder, options.frames, pause))


def _say(verdicts: list[Verdict]) -> int:
    """Print a line each and one about all; 1 if anything is wrong."""
    from pacetomo.verdict import closing_line

    for verdict in verdicts:
        print(verdict.line)
    print(closing_line(verdicts))
    return 1 if any(verdict.wrong for verdict in verdicts) else 0
