"""The truth log: what really happened, one JSON object a line, written while it happens."""

from __future__ import annotations

import json
import weakref
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from mock_serialem.sim.shot import Shot


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

    Raises
    ------
    OSError
        If the file cannot be opened or written.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.events: list[dict[str, Any]] = []
        self._file: TextIO | None = None
        if path is not None:
            if path.exists():
                path.rename(_backup_name(path))
            self._file = path.open("w", encoding="utf-8", newline="\n")
            # A world that is dropped leaves no open file behind.
            weakref.finalize(self, self._file.close)

    def write(self, event: str, **values: Any) -> dict[str, Any]:
        """Append one event; values must be plain numbers, strings or None."""
        line = {"event": event, **values}
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
