"""What a run that has begun keeps from being edited, from the files that it has left."""

from __future__ import annotations

import re
import time
from pathlib import Path

from pacetomo.area_files import AreaFiles
from pacetomo.editor.model import Lock
from pacetomo.errors import MetadataError, RunFileError
from pacetomo.report.records import read_journal
from pacetomo.resume import read_interrupted
from pacetomo.status import QUIET_S

AREA_OF_RUN = re.compile(r"(?P<stem>.+_tgts(_p\d+)?)_run(?P<number>\d+)\.(txt|jsonl)", re.IGNORECASE)

STILL_FREE = frozenset({"minTilt", "maxTilt"})
"""Settings that a run takes note of when it is gone on with, and that change nothing of what has been taken."""


def area_of(path: Path) -> tuple[AreaFiles, int | None]:
    """Files of the area that a target file, a run file or a journal belongs to, and the number of that run.

    Raises
    ------
    TargetFileError
        When the name is none of these.

    >>> area_of(Path("L3_tgts_run02.txt"))[1], area_of(Path("L3_tgts.txt"))[1]
    (2, None)
    """
    match = AREA_OF_RUN.fullmatch(path.name)
    if match is None:
        return AreaFiles(path), None
    return AreaFiles(path.with_name(f"{match['stem']}.txt")), int(match["number"])


def lock_of(files: AreaFiles, now_s: float | None = None) -> Lock | None:
    """What the latest run of an area keeps from being edited; None if there is none or it is over.

    A run that died while it was set up is begun anew by a restart, and so keeps nothing; one that has given a sign of
    life within `pacetomo.status.QUIET_S` is still being set up. `now_s` is the time of day as files have it.
    """
    number = max(files.runs(), default=0)
    if not number or files.latest_run > number:
        return _lock_of_set_up(files, time.time() if now_s is None else now_s)
    name = files.run_file(number).name
    try:
        if read_interrupted(files, number).is_over:
            return None
    except RunFileError as err:
        return Lock(
            f"a run of the area has begun, and how it stands cannot be read ({err}); move {name} elsewhere "
            "to edit the targets"
        )
    return Lock(
        f"a run of the area has begun ({name}): its targets were found where they are, so that only which ones are "
        "skipped and the tilt range may be changed for going on with it; move the run file and tilt series elsewhere "
        "to begin anew",
        STILL_FREE,
        f"the run has begun with it ({name})",
    )


def _lock_of_set_up(files: AreaFiles, now_s: float) -> Lock | None:
    """What a run that has no run file yet keeps from being edited."""
    journal = files.journal(files.latest_run)
    try:
        is_quiet = now_s - journal.stat().st_mtime > QUIET_S
        is_over = is_quiet or read_journal(journal).end is not None
    except (OSError, MetadataError):  # there is none, or it is of no use to a restart either
        return None
    if is_over:
        return None
    return Lock(
        f"a run of the area is being set up ({journal.name}): it has read the targets already",
        frozenset(),
        "the run that is being set up has read the settings already",
    )
