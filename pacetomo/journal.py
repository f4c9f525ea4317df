"""The journal of a run: one JSON object a line, written and flushed as things happen.

Whoever watches a run (progress, report, editor) reads this file and never the engine. Every line has ``event`` and
``t_s``, the microscope's clock in seconds; the other keys depend on the event and only ever grow in number.

``exposed`` compares what was expected of an image with what it has shown: ``residual_nm`` is where an alignment has
found the target from where it was aimed at (null without an alignment), ``expected_nm`` and ``sigma_nm`` where it
should have, by the tracking model, with standard deviations (x, y); ``accepted`` tells that there was an alignment,
``believed`` that the model took it up, as far as it could tell then. ``ctf_defocus_um`` is the fitted defocus (null
without one), ``wanted_um`` the one aimed for, ``sigma_defocus_um`` the standard deviation of the one about the other.

``expose``, ``expose_tile`` and ``step`` ``track_first`` come before an exposure and name its ``frames``, the base name
of its frame file; ``rejected`` tells of an image that is taken again, and names the next one's. No name comes twice.
``prior_dose_e_per_a2`` is what the target has had before an image, ``neighbour_dose_e_per_a2`` what its neighbours'
beams have added to that (null where the size of the beam is not known).

``judged`` changes ``believed`` of an image of the tilt that is over, for what other targets have shown since.

``view_aside`` is where View images show what is in the centre of Record images (``offset_nm``, x, y), measured for
targets whose View references were cut out of a map.

``finding`` is what the tracking model has found out about the session (`pacetomo.tracking.Finding`): ``name``,
``value`` with its standard error ``sigma`` and ``unit``, ``cause`` and ``cure`` in words, and ``target``, ``tilt_deg``
and ``branch`` where it concerns only one, else null. It stands in place of an earlier one of the same name and place.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

from pacetomo.errors import PaceError
from pacetomo.files.appending import LineAppender


class Journal:
    """Appends events to a journal file.

    Parameters
    ----------
    path : Path
        Created if needed; lines are appended.
    clock_s : callable
        Gives the microscope's clock in seconds.

    Attributes
    ----------
    last_s : float
        Clock time of the latest event.
    """

    def __init__(self, path: Path, clock_s: Callable[[], float]) -> None:
        self.path = path
        self._clock_s = clock_s
        self.last_s = 0.0
        try:
            self._lines = LineAppender(path)
        except OSError as err:
            raise PaceError(
                f"{path}: the journal cannot be written ({err.strerror}): check the session folder"
            ) from err

    def note(self, event: str, **details: Any) -> None:
        """Write one event; `details` are numbers, texts, lists or mappings (units in their names)."""
        self.last_s = round(self._clock_s(), 3)
        self._write(event, details)

    def note_without_clock(self, event: str, **details: Any) -> None:
        """Write one event at the time of the one before: after STOP the microscope answers no more.

        Other threads than the one that runs the microscope write so, too.
        """
        self._write(event, details)

    @property
    def held_up(self) -> OSError | None:
        """Why events wait that cannot be written, None if none does; they are written with the next event."""
        return None if self._lines.catch_up() else self._lines.trouble

    @property
    def trouble(self) -> str | None:
        """The same for people, as of the latest event."""
        err = self._lines.trouble
        if err is None:
            return None
        return f"{self.path.name} cannot be written now ({err.strerror}); its events are kept until it can"

    def _write(self, event: str, details: dict[str, Any]) -> None:
        line = {"event": event, "t_s": self.last_s, **details}
        self._lines.append(json.dumps(line, ensure_ascii=False))

    def close(self) -> None:
        """Close the file; the journal takes no more events."""
        self._lines.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
