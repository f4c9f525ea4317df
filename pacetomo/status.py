"""How the areas of a session folder stand, from files alone: what is done, what was interrupted, what a restart does.

Whether an area is under way is told by time: a run writes to its journal at each exposure, and marks it as alive every
minute in between (`pacetomo.scope.watchdog`). Files that nobody has touched for `QUIET_S` belong to nobody any more.
"""

from __future__ import annotations

import glob
import re
import time
from collections.abc import Iterable
from pathlib import Path, PureWindowsPath
from typing import NamedTuple

from pacetomo.area_files import AreaFiles
from pacetomo.batch import (
    FAILED,
    FINISHED,
    INCOMPLETE,
    REFUSED,
    STOPPED,
    AreaRecord,
    finishing_of,
    read_records,
)
from pacetomo.errors import OWN_FAULTS, MetadataError, PaceError, TargetFileError
from pacetomo.files.run_file import read_run
from pacetomo.files.stack import read_layout
from pacetomo.files.target_file import read_targets
from pacetomo.job import NOMINAL_STAGE_TO_SPECIMEN, Job, make_job
from pacetomo.report.reading import lines_of
from pacetomo.report.records import read_journal
from pacetomo.resume import (
    Interrupted,
    job_to_go_on_with,
    read_interrupted,
    side_of,
    state_to_go_on_with,
    taken_so_far,
)
from pacetomo.settings import SettingsLayer, resolve_settings
from pacetomo.settings_table import SETTING_ROWS
from pacetomo.tile_books import half_taken

QUIET_S = 900.0
"""Silence after which a run is not under way any more."""

TO_DO, UNDER_WAY, INTERRUPTED, DAMAGED = "to do", "under way", "interrupted", "damaged"
"""States beside those of the areas of a batch."""

_OF_A_RUN = re.compile(r"(?P<stem>.+_tgts(_p\d+)?)_run\d+\.(txt|jsonl)", re.IGNORECASE)


class AreaStatus(NamedTuple):
    """How an area stands.

    Attributes
    ----------
    area : str
    state : str
        One of the states above or of a batch's areas.
    images, planned : int
        0 where not known.
    text : str
        Where and why it stopped, and what a restart or a command would do.
    needs_person : bool
        Whether somebody has to do something.
    """

    area: str
    state: str
    images: int = 0
    planned: int = 0
    text: str = ""
    needs_person: bool = False


def session_status(folder: Path, now_s: float | None = None) -> list[AreaStatus]:
    """Return how each area of a session folder stands, by name.

    Parameters
    ----------
    folder : Path
    now_s : float, optional
        Time of day as files have it (s); now if not given.

    Raises
    ------
    PaceError
        When there is no such folder, or it has no areas.
    """
    if not folder.is_dir():
        raise PaceError(f"{folder}: there is no such folder")
    target_files = _target_files(folder)
    if not target_files:
        raise PaceError(f"{folder}: there is no area here; target files are called NAME_tgts.txt")
    now_s = time.time() if now_s is None else now_s
    try:
        records = {record.target_file: record for record in read_records(folder)}
    except MetadataError:  # the areas tell for themselves
        records = {}
    return [_status(AreaFiles(path), records.get(path.name), now_s) for path in target_files]


def _target_files(folder: Path) -> list[Path]:
    """Target files of a folder, also those of which only a run is left."""
    found = set()
    for path in folder.iterdir():
        match = _OF_A_RUN.fullmatch(path.name)
        name = f"{match['stem']}.txt" if match else path.name
        try:
            AreaFiles(folder / name)
        except TargetFileError:
            continue
        if match or "_tgts_run" not in name.lower():
            found.add(folder / name)
    return sorted(found)


def _status(files: AreaFiles, record: AreaRecord | None, now_s: float) -> AreaStatus:
    """How one area stands; files that cannot be understood are a status, too."""
    try:
        return _of_area(files, record, now_s)
    except PaceError as err:
        return AreaStatus(files.root, DAMAGED, text=_one_line(str(err)), needs_person=True)
    except (
        OWN_FAULTS
    ) as err:  # a file with other content than ours, which readers further down take at its word
        text = (
            f"its files cannot be understood ({type(err).__name__}: {err}): look at its run file and journal"
        )
        return AreaStatus(files.root, DAMAGED, text=_one_line(text), needs_person=True)


def _of_area(files: AreaFiles, record: AreaRecord | None, now_s: float) -> AreaStatus:
    runs = files.runs()
    number = max(runs, default=0) or _latest_journal(files)
    if not number:
        return _untouched(files, record)
    silent_s = now_s - _latest_sign_s(files, number)
    state, said = _end_of(files.journal(number))
    if runs and read_run(files.run_file(number)).state.is_finished:
        return _finished(files, number)
    images, planned = _in_journal(files.journal(number))
    if not state and silent_s < QUIET_S:
        text = f"last sign of it {max(0.0, silent_s) / 60:.0f} min ago"
        return AreaStatus(files.root, UNDER_WAY, images, planned, text)
    state = state or INTERRUPTED
    why = said if said else f"its script died {_ago(silent_s)}"
    if not runs:
        text = f"in the set-up, before the first image: {why}; a restart sets it up anew"
        return AreaStatus(files.root, state, 0, planned, _one_line(text), needs_person=True)
    before = read_interrupted(files, number)
    job = _job_of(files, before)
    taken = taken_so_far(job).numbers
    where = "" if before.mark is None else f"at target {before.mark.target}, {before.mark.tilt_deg:g}°: "
    text = f"{where}{why}; {_restart(job, before, taken)}"
    return AreaStatus(files.root, state, len(taken), len(job.plan), _one_line(text), needs_person=True)


def _untouched(files: AreaFiles, record: AreaRecord | None) -> AreaStatus:
    if record is not None and record.state in (REFUSED, FAILED, STOPPED):
        return AreaStatus(files.root, record.state, text=_one_line(record.text), needs_person=True)
    read_targets(files.target_file)  # one that cannot be read will not be acquired
    return AreaStatus(files.root, TO_DO)


def _latest_journal(files: AreaFiles) -> int:
    stem = glob.escape(files.target_file.stem)
    matches = (re.search(r"_run(\d+)\.jsonl$", path.name) for path in files.folder.glob(f"{stem}_run*.jsonl"))
    return max((int(match[1]) for match in matches if match is not None), default=0)


def _latest_sign_s(files: AreaFiles, number: int) -> float:
    """Time of day at which a run last wrote anything."""
    paths = [files.run_file(number), files.journal(number), files.memory(number), files.command_log(number)]
    paths += files.folder.glob(f"{glob.escape(files.root)}_ts_*")
    times = []
    for path in paths:
        try:
            times.append(path.stat().st_mtime)
        except OSError:  # not there, or gone since it was listed
            continue
    return max(times, default=0.0)


def _end_of(journal: Path) -> tuple[str, str]:
    """State and text with which a run came to its end; empty for one that did not, or has been gone on with."""
    state, text = "", ""
    for line in lines_of(journal, restart="run_start") if journal.is_file() else ():
        if line.values.get("event") == "run_end":
            state, text = line.text("state"), line.text("text")
        elif line.values.get("event") == "run_start":
            state, text = "", ""
    return state, text


def _in_journal(journal: Path) -> tuple[int, int]:
    """Images taken and planned, by the journal."""
    if not journal.is_file():
        return 0, 0
    log = read_journal(journal)
    return len({(image.target, image.tilt_deg) for image in log.images}), log.planned


def _finished(files: AreaFiles, number: int) -> AreaStatus:
    images, planned = _in_journal(files.journal(number))
    run = read_run(files.run_file(number))
    for target in run.targets.targets:
        stack = files.folder / PureWindowsPath(target.series).name
        if stack.is_file():
            read_layout(stack)
    if not files.journal(number).is_file():  # a run of PACEtomo itself has none
        return AreaStatus(files.root, FINISHED, images, planned)
    state, to_do = finishing_of(files.run_file(number))
    text = {"at work": "its series are being sorted or binned", "finished": ""}.get(
        state, f"its series are not sorted or binned ({state})" if to_do else ""
    )
    text = f"{text}: {to_do}" if to_do else text
    return AreaStatus(files.root, FINISHED, images, planned, text, bool(to_do))


# --- what a restart would do


def _job_of(files: AreaFiles, before: Interrupted) -> Job:
    """The job as a restart with the settings of the interrupted run would have it."""
    if not files.target_file.is_file():
        raise TargetFileError(f"{files.target_file.name} is not there: put it back to go on with the area")
    targets = read_targets(files.target_file)
    known = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in before.settings.items()
        if name in SETTING_ROWS
    }
    layers = [SettingsLayer("the interrupted run", known), targets.settings_layer(files.target_file.name)]
    job = make_job(files, targets, resolve_settings(*layers), NOMINAL_STAGE_TO_SPECIMEN)
    return job_to_go_on_with(job, before)[0]


def _restart(job: Job, before: Interrupted, taken: frozenset[int]) -> str:
    """What a restart would do, in words."""
    state = state_to_go_on_with(job, before)
    half = half_taken(job, state, taken)
    left = []
    for exposure in job.plan:
        branch = state.numbered(exposure.target).branch(side_of(exposure))
        if not (branch is not None and branch.skip) and (
            exposure.number not in taken or exposure.number in half
        ):
            left.append(exposure)
    texts = [f"{len(taken)} of {len(job.plan)} images are taken"]
    if left:
        texts.append(f"next is target {left[0].target} at {left[0].tilt_deg:g}°")
    else:
        texts.append("nothing is left to be taken")
    if half:
        texts.append(f"{len(half)} {'montage lacks' if len(half) == 1 else 'montages lack'} tiles")
    return f"a restart goes on: {', '.join(texts)}{_of_lost_image(job, before, taken)}"


def _of_lost_image(job: Job, before: Interrupted, taken: Iterable[int]) -> str:
    """What becomes of an image that was marked and is in no stack."""
    mark = before.mark
    if mark is None:
        return ""
    planned = [
        one for one in job.plan if one.target == mark.target and abs(one.tilt_deg - mark.tilt_deg) < 1e-6
    ]
    if not planned or planned[0].number in taken:
        return ""
    again = {
        "always": "taken again",
        "never": "not taken again",
        "ask": "taken again only if somebody says so",
    }
    return (
        f"; the image of target {mark.target} at {mark.tilt_deg:g}° may have been exposed and is not saved: if it is "
        "still in buffer A it is saved, if it was exposed and is lost its dose is counted and it is "
        f"{again[job.settings.retakeLost]} (retakeLost)"
    )


# --- for people


def status_lines(areas: Iterable[AreaStatus]) -> list[str]:
    """Return a line for each area."""
    rows = []
    for area in areas:
        images = f"{area.images} of {area.planned}" if area.planned else "-"
        rows.append((area.area, f"{'! ' if area.needs_person else '  '}{area.state}", images, area.text))
    widths = [max((len(row[place]) for row in rows), default=0) for place in range(3)]
    return ["  ".join([*map(str.ljust, row, widths), row[-1]]).rstrip() for row in rows]


def closing_line(areas: Iterable[AreaStatus]) -> str:
    """Return how many areas need somebody, and by which rule an area counts as under way."""
    areas = list(areas)
    needing = sum(area.needs_person for area in areas)
    text = f"{needing} of {len(areas)} areas need somebody (!)" if needing else "No area needs anybody"
    if any(area.state == UNDER_WAY for area in areas):
        text += f"; a run counts as under way until nothing of it has been written for {QUIET_S / 60:.0f} min"
    return text


def _ago(seconds: float) -> str:
    minutes = seconds / 60
    return f"{minutes:.0f} min ago" if minutes < 120 else f"{minutes / 60:.0f} h ago"


def _one_line(text: str) -> str:
    return " ".join(text.split())


__all__ = [
    "DAMAGED",
    "FAILED",
    "FINISHED",
    "INCOMPLETE",
    "INTERRUPTED",
    "QUIET_S",
    "REFUSED",
    "STOPPED",
    "TO_DO",
    "UNDER_WAY",
    "AreaStatus",
    "closing_line",
    "session_status",
    "status_lines",
]
