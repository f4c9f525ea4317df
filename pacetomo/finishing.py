"""After the last image: sorting by tilt, binning, and giving up stacks whose frames were saved.

Works on files alone, so it runs beside the acquisition of the next area (`pacetomo.background`). What it does is
written into the journal of the run as events ``finish``; each step can be interrupted and done again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path, PureWindowsPath
from typing import Any, NamedTuple

from pacetomo.errors import PaceError, RunFileError, StackError
from pacetomo.files.atomic import Wait, patiently, write_with_backup
from pacetomo.files.binning import bin_series, binned_by
from pacetomo.files.exchange import Progress, mdoc_of
from pacetomo.files.run_file import format_run, read_run
from pacetomo.files.sorting import Done, read_metadata, sort_metadata, sort_series
from pacetomo.files.stack import section_count
from pacetomo.frame_files import lacking_frames
from pacetomo.journal import Journal
from pacetomo.montage import tile_stacks
from pacetomo.report.reading import lines_of
from pacetomo.report.records import RunLog, read_journal

FINISHED = "finished"
LAUNCHED, BEGUN, SERIES, DONE, FAILED = "launched", "begun", "series", "done", "failed"
"""States that the events ``finish`` of a journal name."""


class Wishes(NamedTuple):
    """What is to be done to each series: sorted, binned by a factor, its stack deleted.

    `beside` tells to keep the unsorted metadata beside the stack.
    """

    sort: bool
    bin_factor: int
    delete: bool
    beside: bool = False

    @property
    def any(self) -> bool:
        """Whether there is anything to do."""
        return self.sort or self.bin_factor > 1 or self.delete


class Finished(NamedTuple):
    """What came of it: series dealt with, and what went wrong, a sentence each."""

    series: int
    troubles: tuple[str, ...]


def wishes_of(log: RunLog) -> Wishes:
    """What the settings of a run ask for."""
    values: Mapping[str, Any] = {setting.name: setting.value for setting in log.settings}
    return Wishes(
        sort=bool(values.get("sortByTilt", True)),
        bin_factor=int(values.get("binFinalStack", 1)),
        delete=bool(values.get("delFinalStack", False)),
        beside=values.get("unsortedMdoc", "folder") == "beside",
    )


def finish_run(
    run_file: Path,
    tell: Callable[[str], None],
    progress: Progress | None = None,
    wait: Wait | None = None,
    incomplete: bool = False,
) -> Finished:
    """Do what the settings of a run ask for after its last image.

    A series that fails is left as it was and noted; the others are done. What has been done before is not done
    again.

    Parameters
    ----------
    run_file : Path
        Run file; the journal is beside it.
    tell : callable
        Told a line per series.
    progress, wait
        As for `pacetomo.files.sorting.sort_series`.
    incomplete : bool
        Finish a run that lacks images, too. It cannot be gone on with afterwards; its saved state gets a backup
        name.

    Raises
    ------
    PaceError
        If this is no run, or it lacks images and `incomplete` is not given.
    """
    run = read_run(run_file, wait)
    journal_path = run_file.with_suffix(".jsonl")
    log = read_journal(journal_path)
    if not run.state.is_finished or log.end is None or log.end.state != FINISHED:
        if not incomplete:
            raise RunFileError(
                f"{run_file}: this run lacks images and may be gone on with, for which its series must be in order "
                "of acquisition; --incomplete finishes it as it is"
            )
        ended = format_run(run.targets, run.state.finished()).encode("utf-8")
        write_with_backup(run_file, ended, wait, RunFileError)
    stacks = [
        (target.number, stack)
        for target in log.targets
        if not target.skip
        for stack in _stacks_of(run_file.parent / PureWindowsPath(target.series).name)
    ]
    note_finishing(journal_path, BEGUN, series=len(stacks))
    troubles = []
    for number, stack in stacks:
        try:
            done = _finish_series(stack, wishes_of(log), progress, wait)
        except PaceError as err:
            troubles.append(str(err))
            tell(f"Warning: {err}")
            _note(journal_path, "warning", target=number, text=str(err))
            continue
        for text in done.warnings:
            tell(f"Warning: {stack.name}: {text}")
            _note(journal_path, "warning", target=number, text=f"{stack.name}: {text}")
        tell(f"{stack.name}: {done.text}")
        note_finishing(journal_path, SERIES, target=number, series=stack.name, text=done.text)
    text = f"{len(stacks) - len(troubles)} of {len(stacks)} series finished"
    note_finishing(journal_path, FAILED if troubles else DONE, text=text)
    return Finished(len(stacks), tuple(troubles))


def note_finishing(journal: Path, state: str, **details: Any) -> None:
    """Add an event ``finish`` to the journal of a run that has ended."""
    _note(journal, "finish", state=state, **details)


def finishing_state(journal: Path) -> tuple[str, str]:
    """Return state and text of the latest event ``finish`` of a journal; two empty texts if there is none.

    Raises
    ------
    MetadataError
        If the journal cannot be read.
    """
    state, text = "", ""
    for line in lines_of(journal, restart="run_start"):
        if line.values.get("event") == "finish":
            state, text = line.text("state"), line.text("text")
        elif line.values.get("event") == "run_start":
            state, text = "", ""
    return state, text


def _note(journal: Path, event: str, **details: Any) -> None:
    """Add an event at the time of the last one: the microscope's clock is not asked any more."""
    last_s = 0.0
    for line in lines_of(journal, restart="run_start"):
        last_s = line.real("t_s", last_s)
    with Journal(journal, lambda: last_s) as stream:
        stream.note(event, **details)


def _stacks_of(series: Path) -> list[Path]:
    """Stacks of a target that are there: its series, and those of the pieces around it (``NAME_1_-1.mrc``)."""
    own = [series] if series.is_file() or mdoc_of(series).is_file() else []
    return [*own, *tile_stacks(series)]


def _finish_series(stack: Path, wishes: Wishes, progress: Progress | None, wait: Wait | None) -> Done:
    """Finish one series: what it became, in words."""
    if not stack.is_file():
        if wishes.delete and mdoc_of(stack).is_file():  # deleted before the metadata was sorted
            if not wishes.sort:
                return Done(False, "deleted already")
            return sort_metadata(mdoc_of(stack), wait, wishes.beside)
        raise StackError(f"{stack}: the stack is not there")
    warnings: list[str] = []
    mdoc = read_metadata(stack, wait)
    lacking = lacking_frames(mdoc, section_count(stack, wait))
    if wishes.delete:
        if lacking is None:
            return _delete(stack, wishes, wait)
        warnings.append(f"is not deleted, because {lacking}")
    texts = []
    if wishes.sort:
        done = sort_series(stack, progress, wait, wishes.beside)
        texts.append(done.text)
        warnings.extend(done.warnings)
    if wishes.bin_factor > 1:
        earlier = binned_by(stack, wait)
        if earlier is None:
            done = bin_series(
                stack, wishes.bin_factor, keep=lacking is not None, progress=progress, wait=wait
            )
            texts.append(done.text)
            warnings.extend(done.warnings)
        else:
            texts.append(f"binned by {earlier} already")
    return Done(True, ", ".join(texts) or "as recorded", tuple(warnings))


def _delete(stack: Path, wishes: Wishes, wait: Wait | None) -> Done:
    """Delete a stack whose frames were saved; its metadata stays."""
    try:
        patiently(stack.unlink, wait)
    except OSError as err:
        raise StackError(f"{stack}: cannot be deleted ({err.strerror})") from err
    if wishes.sort:
        sort_metadata(mdoc_of(stack), wait, wishes.beside)
    return Done(True, "deleted, its frames and metadata are kept")
