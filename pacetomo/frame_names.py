"""Base names of frame files: target, order and tilt, and no name twice in a session.

SerialEM puts date, time or a number behind the base name as its frame name format says; without any of them the base
name alone must tell files apart. So each name is written into the journal before its exposure, and a name that stands
there is not used again: not for an image taken again, nor after a resume for one that may have been exposed before.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

from pacetomo.errors import MetadataError
from pacetomo.files.atomic import Wait, read_bytes

FRAMES = "frames"
"""Key of the journal's events that tell the base name of the frames of an exposure about to be made."""

_TRY = re.compile(r"_try(\d+)$")


class FrameNames:
    """Names of a run.

    Parameters
    ----------
    area : str
        Name of the acquisition area; series of another name get it in front.
    run : int
        Number of the run; from 2 on it is part of the names.
    used : iterable of str
        Names that are not to come again.
    """

    def __init__(self, area: str = "", run: int = 1, used: Iterable[str] = ()) -> None:
        self._area = area
        self._run = run
        self._used = set(used)

    def new(self, series: str, order: int, tilt_deg: float) -> str:
        """A name for an image.

        Parameters
        ----------
        series : str
            Name of its stack without suffix.
        order : int
            Its place in the series by time, from 1.
        tilt_deg : float
            Planned stage tilt.

        Examples
        --------
        >>> names = FrameNames("area", run=2)
        >>> names.new("area_ts_003", 12, -33.0), names.new("area_ts_003", 12, -33.0)
        ('area_ts_003_run02_012_-33.0', 'area_ts_003_run02_012_-33.0_try2')
        """
        parts = [series] if series.startswith(self._area) else [self._area, series]
        if self._run > 1:
            parts.append(f"run{self._run:02d}")
        return self._unused("_".join([*parts, f"{order:03d}", f"{round(tilt_deg, 1) + 0.0:.1f}"]))

    def again(self, name: str) -> str:
        """A name for another try at the image of a name.

        >>> FrameNames().again("ts_003_012_-33.0_try2")
        'ts_003_012_-33.0_try3'
        """
        self._used.add(name)
        return self._unused(name)

    def _unused(self, name: str) -> str:
        found = _TRY.search(name)
        stem, number = (name[: found.start()], int(found[1])) if found else (name, 1)
        while name in self._used:
            number += 1
            name = f"{stem}_try{number}"
        self._used.add(name)
        return name


def noted_names(journal: Path, wait: Wait | None = None) -> set[str]:
    """Names that a journal holds; none if there is no journal.

    Raises
    ------
    MetadataError
        If it cannot be read.
    """
    if not journal.is_file():
        return set()
    names = set()
    for text in read_bytes(journal, wait, MetadataError).decode("utf-8", "replace").splitlines():
        try:
            line = json.loads(text)
        except ValueError:  # cut in half when the program died: that exposure was not made
            continue
        if isinstance(line, dict) and isinstance(line.get(FRAMES), str):
            names.add(line[FRAMES])
    return names
