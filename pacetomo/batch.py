"""A night of areas: what became of each, in a file of the session folder and in the operator's log.

Every area runs in a Python of its own, so what is known of the areas before is kept in a file: a line when an area
begins and one when it ends. The summary for people is made from that and from the journals, by whoever has news.
"""

from __future__ import annotations

import glob
import json
import os
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from pacetomo.area_files import AreaFiles
from pacetomo.errors import MetadataError, PaceError, TargetFileError
from pacetomo.files.atomic import Wait, patiently, read_bytes, write_text_atomically
from pacetomo.scope.protocol import Item, Level, Microscope

SUMMARY, RECORDS = "pacetomo_summary.txt", "pacetomo_summary.jsonl"

RUNNING, REFUSED, FAILED, STOPPED, INCOMPLETE, FINISHED = (
    "running",
    "refused",
    "failed",
    "stopped",
    "incomplete",
    "finished",
)
"""States of an area; all but the first two and the death of its script are those of a journal."""

_HEADINGS = ("area", "state", "images", "targets", "min", "warnings", "files", "what to do")
_TRIES = 5


class AreaRecord(NamedTuple):
    """What became of an area.

    Attributes
    ----------
    area, item : str
        Name of the area, and the label of its Navigator item.
    state : str
        One of the states above.
    began : str
        Date and time on the clock of this computer.
    text : str
        Why it ended, if not well.
    images, planned : int
        Images taken and planned.
    targets, complete : int
        Targets to image, and those of them with all images.
    minutes : float
        Time on the microscope's clock.
    warnings : int
        Warnings, errors and early ends of targets.
    journal : str
        Name of its journal, empty if there is none.
    target_file : str
        Name of its target file, for finding the journal of a script that died.
    """

    area: str
    item: str
    state: str
    began: str
    text: str = ""
    images: int = 0
    planned: int = 0
    targets: int = 0
    complete: int = 0
    minutes: float = 0.0
    warnings: int = 0
    journal: str = ""
    target_file: str = ""


class AreaInBatch:
    """Notes the beginning and the end of an area, however it ends, and starts what has to be done to its files.

    Nothing that goes wrong here ends an area or hides the error that did.

    Parameters
    ----------
    scope : Microscope
        Told about it; not asked for anything after STOP.
    item : Item
        The Navigator item of the area.
    """

    def __init__(self, scope: Microscope, item: Item) -> None:
        self._scope = scope
        self._folder = scope.folder()
        self._target_file = Path(item.note.strip())
        began = datetime.now().isoformat(" ", "seconds")
        self._record = AreaRecord(
            _area_name(item), item.label, RUNNING, began, target_file=self._target_file.name
        )
        self._journals = self._sizes()

    def __enter__(self) -> AreaInBatch:
        self._keep(self._record, talking=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        talking = kind is None or issubclass(kind, PaceError)
        record = self._record._replace(state=_state(kind), text=_said(kind, error))
        journal = self._changed_journal()
        try:
            if journal is not None:
                record = _from_journal(record, journal)
        except PaceError as err:
            self._warn(f"the journal of {record.area} cannot be read ({err})", talking)
        self._keep(record, talking)
        if talking and journal is not None and record.state == FINISHED:
            self._finish(journal.with_suffix(".txt"))
        if talking:
            self._tell_summary(record)

    def _finish(self, run_file: Path) -> None:
        """Have the series sorted and binned beside the next area, or here if that is not possible."""
        from pacetomo.background import is_wanted, start_finishing
        from pacetomo.finishing import finish_run

        try:
            if not is_wanted(run_file):
                return
            obstacle = start_finishing(run_file)
            if obstacle is not None:
                self._scope.tell(f"Finishing the series here, because {obstacle}")
                finish_run(run_file, self._scope.tell, wait=self._scope.wait)
        except PaceError as err:
            self._warn(f"{err}; try `pacetomo finish {run_file.name}`", talking=True)
        self._update(talking=True)

    def _tell_summary(self, record: AreaRecord) -> None:
        """Print the line of this area; all lines after the last one of a batch."""
        try:
            to_come = self._scope.items_to_come()
            rows = summary_rows(self._folder)
        except PaceError as err:
            self._warn(f"there is no summary ({err})", talking=True)
            return
        own = [row for row in rows if row[0] == record.area]
        shown = rows if to_come == 0 else own
        self._scope.tell(f"Areas of this session ({SUMMARY}):" if to_come == 0 else "Summary of this area:")
        for line in format_table(shown):
            self._scope.tell(line, Level.DETAIL)
        if to_come:
            self._scope.tell(f"{to_come} {'area' if to_come == 1 else 'areas'} to come")

    def _keep(self, record: AreaRecord, talking: bool) -> None:
        line = json.dumps(record._asdict()) + "\n"
        try:
            with (self._folder / RECORDS).open("ab") as stream:
                # An empty line stands between this one and one that was cut in half.
                stream.write(b"\n" + line.encode("ascii"))
        except OSError as err:
            self._warn(f"{RECORDS} cannot be written ({err.strerror})", talking)
        self._update(talking)

    def _update(self, talking: bool) -> None:
        try:
            write_summary(self._folder, self._scope.wait if talking else None)
        except PaceError as err:
            self._warn(str(err), talking)

    def _warn(self, text: str, talking: bool) -> None:
        if talking:
            self._scope.tell(f"Warning: {text}", Level.WARNING)

    def _sizes(self) -> dict[Path, int]:
        stem = glob.escape(self._target_file.stem)
        return {path: path.stat().st_size for path in self._folder.glob(f"{stem}_run*.jsonl")}

    def _changed_journal(self) -> Path | None:
        """Return the journal that was written since this area began."""
        changed = [path for path, size in self._sizes().items() if self._journals.get(path) != size]
        return max(changed, key=lambda path: path.stat().st_mtime, default=None)


def _area_name(item: Item) -> str:
    """Name of the area of an item, also where its note names no target file."""
    note = item.note.strip()
    try:
        return AreaFiles(Path(note)).root
    except TargetFileError:
        return note or f"item {item.label}"


def read_records(folder: Path) -> list[AreaRecord]:
    """Return the latest record of each area in order of their first beginnings.

    Raises
    ------
    MetadataError
        If they cannot be read.
    """
    if not (folder / RECORDS).is_file():
        return []
    records: dict[str, AreaRecord] = {}
    for row in read_bytes(folder / RECORDS, error=MetadataError).splitlines():
        try:
            values = json.loads(row)
            record = AreaRecord(**{name: values[name] for name in AreaRecord._fields if name in values})
        except (ValueError, TypeError):  # cut in half when the computer died
            continue
        records[record.area] = record
    return list(records.values())


def summary_rows(folder: Path) -> list[tuple[str, ...]]:
    """Return a row of texts for each area of a session folder.

    Raises
    ------
    MetadataError
        If the records cannot be read.
    """
    records = [_with_its_images(folder, record) for record in read_records(folder)]
    newest = max((record.began for record in records), default="")
    return [_row(folder, record, record.began == newest) for record in records]


def _with_its_images(folder: Path, record: AreaRecord) -> AreaRecord:
    """Record of an area whose end nobody has noted, completed by what its journal tells so far."""
    if record.state != RUNNING or not record.target_file:
        return record
    began_s = datetime.fromisoformat(record.began).timestamp()
    stem = glob.escape(Path(record.target_file).stem)
    journals = [path for path in folder.glob(f"{stem}_run*.jsonl") if path.stat().st_mtime >= began_s]
    if not journals:
        return record
    try:
        return _from_journal(record, max(journals, key=lambda path: path.stat().st_mtime))
    except PaceError:  # its line says less
        return record


def format_table(rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Return rows as lines of text with headings, the last column of any width."""
    table = [_HEADINGS, *rows]
    widths = [max(len(row[place]) for row in table) for place in range(len(_HEADINGS) - 1)]
    return ["  ".join([*map(str.ljust, row, widths), row[-1]]).rstrip() for row in table]


def write_summary(folder: Path, wait: Wait | None = None) -> None:
    """Write the summary of a session folder.

    Several processes do this. Whoever finds afterwards that there were news in between writes it again, so that the
    last one to write has seen everything.

    Raises
    ------
    PaceError
        If it cannot be read or written.
    """
    for _ in range(_TRIES):
        seen = _signature(folder)
        rows = summary_rows(folder)
        if not rows:
            return
        lines = [f"pacetomo: areas of {folder}", "", *format_table(rows)]
        own = folder / f"{SUMMARY}.{os.getpid()}"  # of two that write at a time each has its own
        write_text_atomically(own, "\n".join(lines) + "\n", wait)
        try:
            patiently(partial(os.replace, own, folder / SUMMARY), wait)
        except OSError as err:
            own.unlink()
            raise PaceError(f"{folder / SUMMARY}: cannot be written ({err.strerror})") from err
        if _signature(folder) == seen:
            return


def _signature(folder: Path) -> list[tuple[str, int]]:
    """Names and sizes of all that the summary is made from."""
    found = []
    for path in sorted([folder / RECORDS, *folder.glob("*_run*.jsonl")]):
        if path.is_file():
            found.append((path.name, os.path.getsize(path)))
    return found


def _row(folder: Path, record: AreaRecord, is_newest: bool) -> tuple[str, ...]:
    state = "died" if record.state == RUNNING and not is_newest else record.state
    files, to_do = _files_of(folder, record)
    if not to_do:
        to_do = _advice(record, state)
    minutes = f"{record.minutes:.0f}" if record.journal else "-"
    images = f"{record.images} of {record.planned}" if record.planned else "-"
    targets = f"{record.complete} of {record.targets}" if record.targets else "-"
    return (record.area, state, images, targets, minutes, str(record.warnings), files, to_do or "-")


def _files_of(folder: Path, record: AreaRecord) -> tuple[str, str]:
    """How far the series of an area are finished, and what to do about it."""
    journal = folder / record.journal
    if record.state != FINISHED or not journal.is_file():
        return "as taken" if record.images else "-", ""
    return finishing_of(journal.with_suffix(".txt"))


def finishing_of(run_file: Path) -> tuple[str, str]:
    """Return how far the series of a complete run are sorted and binned, and what to do about it, "" for nothing."""
    from pacetomo import background, finishing

    journal = run_file.with_suffix(".jsonl")
    try:
        state, _ = finishing.finishing_state(journal)
        wanted = background.is_wanted(run_file)
    except PaceError as err:
        return "unknown", str(err)
    again = f"pacetomo finish {run_file.name}"
    if state == finishing.DONE:
        return "finished", ""
    if state == finishing.FAILED:
        return "failed", f"see {background.finish_log(run_file).name}, then {again}"
    if not state:
        return "as taken", again if wanted else ""
    if background.is_silent(journal):
        return "interrupted", again
    return "at work", ""


def _advice(record: AreaRecord, state: str) -> str:
    run_file = f"{Path(record.journal).stem}.txt"
    if state == INCOMPLETE:
        return (
            f"see pacetomo report {record.journal}; if it shall not be gone on with, "
            f"pacetomo finish --incomplete {run_file}"
        )
    if state in (STOPPED, FAILED) and record.images:
        return f"{record.text}; see pacetomo report {record.journal}"
    if state == "died":
        report = f" and pacetomo report {record.journal}" if record.images else ""
        return f"its script ended without a word; look at item {record.item} and the log{report}"
    return record.text


def _state(kind: type[BaseException] | None) -> str:
    """State of an area without a journal from how its script ended."""
    if kind is None:
        return FINISHED
    if issubclass(kind, PaceError):
        return REFUSED
    # The operator's STOP is an exception of SerialEM's module; what Python itself raises is a defect.
    return FAILED if issubclass(kind, Exception) and kind.__module__ == "builtins" else STOPPED


def _said(kind: type[BaseException] | None, error: BaseException | None) -> str:
    if kind is None:
        return ""
    if issubclass(kind, PaceError):
        return " ".join(str(error).split())
    return f"ended by {cause(kind)}" if _state(kind) == STOPPED else f"{kind.__name__}: {error}"


def cause(kind: type[BaseException]) -> str:
    """Name for what ended a script that is no error of ours; SerialEM's own for STOP would tell nobody anything."""
    return "STOP" if kind.__name__ == "SEMexited" else kind.__name__


def _from_journal(record: AreaRecord, journal: Path) -> AreaRecord:
    """Record completed by what the journal of the area tells."""
    from pacetomo.report.records import read_journal

    log = read_journal(journal)
    state = record.state
    if log.end is not None and state != FAILED:
        state = log.end.state
    taken: dict[int, set[float]] = {}
    for image in log.images:
        taken.setdefault(image.target, set()).add(image.tilt_deg)
    targets = [target.number for target in log.targets if not target.skip]
    details: Mapping[str, Any] = {
        "state": state,
        "images": len(log.images),
        "planned": log.planned,
        "targets": len(targets),
        "complete": sum(len(taken.get(number, ())) >= len(set(log.tilts_deg)) for number in targets),
        "minutes": round(log.elapsed_s / 60, 1),
        "warnings": sum(note.kind != "wait" for note in log.notes),
        "journal": journal.name,
    }
    return record._replace(**details)
