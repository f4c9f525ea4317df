"""The commands that finish series: sort, bin, exclude, finish."""

from __future__ import annotations

import argparse
import glob
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING

from pacetomo.errors import PaceError, RunFileError, StackError
from pacetomo.files.view_lists import DARK_SHARE, parse_views
from pacetomo.number_text import parse_float

if TYPE_CHECKING:
    from pacetomo.files.sorting import Done

_RUN_FILE = re.compile(r".+_run\d+\.txt", re.IGNORECASE)


def add_file_commands(add: Callable[[str, str, str], argparse.ArgumentParser]) -> None:
    """Add the commands; `add` makes a parser from name, help and example."""
    parser = add(
        "sort",
        "sort finished series by tilt, with their metadata; the metadata as it was goes to unsorted/",
        "lamella_ts_*.mrc",
    )
    _add_files(parser)
    parser.add_argument(
        "--beside",
        action="store_true",
        help="keep the metadata as it was beside the stack (NAME_unsorted.mrc.mdoc), where it misleads some importers",
    )
    parser.set_defaults(run=_run_sort)
    parser = add(
        "bin",
        "bin finished series by Fourier cropping, with their metadata; the stacks as recorded go to unbinned/",
        "2 lamella_ts_*.mrc",
    )
    parser.add_argument("factor", type=_factor, metavar="FACTOR", help="2 to 16")
    _add_files(parser)
    parser.add_argument(
        "--average",
        action="store_true",
        help="average blocks of pixels instead of Fourier cropping, which keeps more detail",
    )
    parser.set_defaults(run=_run_bin)
    _add_exclude(add)
    parser = add(
        "finish",
        "sort, bin or delete the series of a run as its settings ask for, also after an interruption",
        "lamella_tgts_run01.txt",
    )
    parser.add_argument("run_file", type=Path, metavar="RUNFILE")
    parser.add_argument(
        "--incomplete",
        action="store_true",
        help="also if it lacks images; it cannot be gone on with afterwards",
    )
    parser.add_argument("--background", action="store_true", help=argparse.SUPPRESS)
    parser.set_defaults(run=_run_finish)


def _add_exclude(add: Callable[[str, str, str], argparse.ArgumentParser]) -> None:
    parser = add(
        "exclude",
        "leave views out of finished series, with their metadata; the whole stacks and a record go to all_views/",
        "lamella_ts_003.mrc --views 3,7-9 --dark --residual 200",
    )
    _add_files(parser)
    parser.add_argument(
        "--views", type=_views, default=frozenset(), metavar="LIST", help="their numbers, from 1, as in 3,7-9"
    )
    parser.add_argument(
        "--dark",
        type=_share,
        nargs="?",
        const=DARK_SHARE,
        metavar="SHARE",
        help=f"those with less than SHARE ({DARK_SHARE:g}) of the series' median counts per second",
    )
    parser.add_argument("--blank", action="store_true", help="those that show next to no contrast")
    parser.add_argument(
        "--residual",
        type=_positive,
        metavar="NM",
        help="those whose target was found farther than this from where it was aimed at (TargetResidual)",
    )
    parser.add_argument("--dry-run", action="store_true", help="only tell which and why")
    parser.add_argument("--restore", action="store_true", help="bring the whole stacks back")
    parser.set_defaults(run=_run_exclude, parser=parser)


def _views(text: str) -> frozenset[int]:
    try:
        return parse_views(text)
    except ValueError as err:
        raise argparse.ArgumentTypeError(str(err)) from None


def _share(text: str) -> float:
    number = parse_float(text)
    if number is None or not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no share between 0 and 1")
    return number


def _positive(text: str) -> float:
    number = parse_float(text)
    if number is None or number < 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no distance in nm")
    return number


def _add_files(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", metavar="FILE", help="stacks, or their .mdoc files")
    parser.add_argument(
        "--anyway", action="store_true", help="also series of a run that lacks images and may be gone on with"
    )


def _factor(text: str) -> int:
    if not text.isdecimal() or not 2 <= int(text) <= 16:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 2 to 16")
    return int(text)


def _run_sort(options: argparse.Namespace) -> int:
    from pacetomo.background import pause
    from pacetomo.files.exchange import Progress, mdoc_of
    from pacetomo.files.sorting import sort_metadata, sort_series

    def sort(stack: Path, progress: Progress) -> Done:
        if not stack.is_file() and mdoc_of(stack).is_file():
            return sort_metadata(mdoc_of(stack), pause, options.beside)
        return sort_series(stack, progress, pause, options.beside)

    return _each(options, "sorted", sort)


def _run_bin(options: argparse.Namespace) -> int:
    from pacetomo.background import pause
    from pacetomo.files.binning import bin_series

    method = "average" if options.average else "fourier"
    return _each(
        options,
        "binned",
        lambda stack, progress: bin_series(stack, options.factor, method, progress=progress, wait=pause),
    )


def _run_exclude(options: argparse.Namespace) -> int:
    from pacetomo.background import pause
    from pacetomo.files.exchange import Progress
    from pacetomo.files.excluding import exclude_views, restore_views
    from pacetomo.files.view_rules import Rules

    rules = Rules(options.views, options.dark, options.blank, options.residual)
    if options.restore == (rules != Rules()):
        options.parser.error("give --views, --dark, --blank or --residual, or --restore alone")

    def exclude(stack: Path, progress: Progress) -> Done:
        if options.restore:
            return restore_views(stack, progress, pause)
        return exclude_views(stack, rules, progress, pause, options.dry_run)

    return _each(options, "changed", exclude)


def _each(
    options: argparse.Namespace, participle: str, work: Callable[[Path, Callable[[int, int], None]], Done]
) -> int:
    """Do something to each file; one that is refused keeps none of the others from being done."""
    from pacetomo.progress import WorkBar

    refused = []
    stacks = stacks_named(options.files)
    with WorkBar(sys.stderr) as bar:
        for stack in stacks:
            bar.begin(stack.name)
            try:
                if not options.anyway:
                    _refuse_unfinished(stack)
                done = work(stack, bar.update)
            except PaceError as err:
                refused.append(err)
                bar.clear()
                if len(stacks) > 1:
                    print(f"pacetomo: {err}", file=sys.stderr)
                continue
            bar.clear()
            print(f"{stack.name}: {done.text}")
            for text in done.warnings:
                print(f"warning: {stack.name}: {text}", file=sys.stderr)
    if len(stacks) == 1 and refused:
        raise refused[0]
    if refused:
        raise PaceError(f"{len(refused)} of {len(stacks)} files were not {participle}, for the reasons above")
    return 0


def stacks_named(names: Sequence[str]) -> list[Path]:
    """Return the stacks that names and patterns stand for; Windows leaves patterns to the program.

    Raises
    ------
    StackError
        If there is no such file, or it is a folder.
    """
    paths: dict[Path, None] = {}
    for name in names:
        found = [name] if Path(name).exists() or not glob.has_magic(name) else sorted(glob.glob(name))
        if not found:
            raise StackError(f"{name}: there is no such file")
        for each in found:
            if Path(each).is_dir():
                raise StackError(f"{each}: is a folder; give its stacks, as in {Path(each) / '*_ts_*.mrc'}")
            paths[Path(each[: -len(".mdoc")] if each.lower().endswith(".mdoc") else each)] = None
    return list(paths)


def _refuse_unfinished(stack: Path) -> None:
    """RunFileError for a series of a run that may be gone on with: its sections tell what has been taken."""
    from pacetomo.files.run_file import read_run
    from pacetomo.montage import tile_stacks

    folder = stack.parent
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        if _RUN_FILE.fullmatch(path.name) is None:
            continue
        try:
            run = read_run(path)
        except RunFileError as err:
            print(f"warning: {err}", file=sys.stderr)
            continue
        if run.state.is_finished:
            continue
        series = [folder / PureWindowsPath(target.series).name for target in run.targets.targets]
        tiles = [tile for path in series for tile in tile_stacks(path)]
        if stack.name.lower() in {path.name.lower() for path in (*series, *tiles)}:
            raise RunFileError(
                f"{stack}: belongs to the run {path.name}, which lacks images and may be gone on with; "
                "--anyway does it all the same"
            )


def _run_finish(options: argparse.Namespace) -> int:
    from pacetomo.background import lower_priority, pause
    from pacetomo.batch import write_summary
    from pacetomo.finishing import finish_run
    from pacetomo.progress import WorkBar

    if options.background:
        lower_priority()
    with WorkBar(sys.stderr) as bar:

        def tell(text: str) -> None:
            bar.clear()
            print(text, flush=True)

        bar.begin(options.run_file.name)
        finished = finish_run(
            options.run_file.resolve(), tell, bar.update, wait=pause, incomplete=options.incomplete
        )
    write_summary(options.run_file.resolve().parent, pause)
    if finished.troubles:
        raise PaceError(
            f"{len(finished.troubles)} of {finished.series} series were not finished, for the reasons above"
        )
    return 0
