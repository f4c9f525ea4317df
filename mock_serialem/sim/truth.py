"""The truth log: what really happened, one JSON object a line, written while it happens."""

from __future__ import annotations

import json
import os
import weakref
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TextIO

from mock_serialem.sim.shot import Shot


class TruthLogError(Exception):
    """A truth log does not fit what is remembered of it."""


def _backup_name(path: Path) -> Path:
    """First free name of the form `truth.jsonl~1` beside `path`."""
    number = 1
    while (name := path.with_name(f"{path.name}~{number}")).exists():
        number += 1
    return name


def about(shot: Shot) -> dict[str, Any]:
    """Return what lines about an image share."""
    x, y, z = shot.pose.centre_um
    return {
        "set": shot.setup.camera_set,
        "lda": shot.setup.area,
        "exposure_s": shot.setup.exposure_s,
        "dose_e_per_a2": round(shot.dose_e_per_a2 * shot.beam, 6),
        "tilt_nominal_deg": shot.pose.tilt_nominal_deg,
        "tilt_true_deg": round(shot.pose.tilt_deg, 6),
        "sample_x_um": round(x, 6),
        "sample_y_um": round(y, 6),
        "sample_z_um": round(z, 6),
        "defocus_um": round(shot.pose.defocus_um, 6),
        "beam_radius_um": shot.setup.beam_radius_um,
    }


class TruthLog:
    """Events of one session, in memory and, with a path, in a file flushed after each line.

    An existing file gets a numbered backup name first.

    Parameters
    ----------
    path : Path or None
        None keeps the events only in `events`.

    Attributes
    ----------
    events : list of dict
    was_cut : bool
        The file ended within an event when it was opened again; that event is gone.

    Raises
    ------
    OSError
        If the file cannot be opened or written.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.events: list[dict[str, Any]] = []
        self.was_cut = False
        self._ahead: deque[str] = deque()
        self._file: TextIO | None = None
        if path is not None:
            if path.exists():
                path.rename(_backup_name(path))
            self._open("w")

    @classmethod
    def reopened(cls, path: Path, known: int) -> TruthLog:
        """Go on with a log of which the first `known` events are remembered.

        Events beyond those are `ahead`: they are in the file because they happened, and as what made them is done
        once more each is found there instead of being written twice. A last line that was not completed is cut off.

        Raises
        ------
        OSError
            The file cannot be read or written.
        TruthLogError
            It has fewer events than are remembered, or one that cannot be read.
        """
        data = path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        try:
            lines = whole.decode("utf-8").splitlines()
            events = [json.loads(line) for line in lines[:known]]
        except ValueError as err:
            raise TruthLogError(f"{path} is damaged: {err}") from err
        if len(lines) < known:
            raise TruthLogError(f"{path} has {len(lines)} events, of {known} that have happened")
        log = cls()
        log.path, log.events = path, events
        log._ahead.extend(lines[known:])
        if len(whole) < len(data):
            log.was_cut = True
            os.truncate(path, len(whole))
        log._open("a")
        return log

    def _open(self, mode: Literal["w", "a"]) -> None:
        assert self.path is not None
        self._file = self.path.open(mode, encoding="utf-8", newline="\n")
        # A world that is dropped leaves no open file behind.
        weakref.finalize(self, self._file.close)

    @property
    def ahead(self) -> list[dict[str, Any]]:
        """Events in the file that have not been remembered or come up again yet."""
        return [json.loads(line) for line in self._ahead]

    def accept_ahead(self) -> None:
        """Remember the events that are `ahead` as they are."""
        self.events.extend(self.ahead)
        self._ahead.clear()

    def write(self, event: str, **values: Any) -> dict[str, Any]:
        """Append one event; values must be plain numbers, strings or None.

        Raises
        ------
        TruthLogError
            The next event `ahead` is another one.
        """
        line = {"event": event, **values}
        if self._ahead:
            if self._ahead[0] != json.dumps(line):
                raise TruthLogError(f"{self.path}: event {len(self.events) + 1} does not come up again")
            self._ahead.popleft()
            self.events.append(line)
            return line
        self.events.append(line)
        if self._file is not None:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()
        return line

    def close(self) -> None:
        """Close the file; later events stay in memory only."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> TruthLog:
        """Return the log itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self.close()
