"""A run in the window: what its journal says, read as it grows.

A `Follower` reads what the journal has gained, some of it at a time, so that a long one does not hold the window up.
A line that is still in the writing waits for its end; a damaged one, as a dying program leaves it, is passed over.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pacetomo.editor.looks import State
from pacetomo.errors import MetadataError
from pacetomo.frames import XY
from pacetomo.pace import Pace, Work
from pacetomo.report.reading import Line
from pacetomo.report.records import Exposed, JournalReader, RunLog, TiltStop
from pacetomo.resume import rounded_deg

MOST_BYTES = 300_000
"""Bytes taken at a time: about a twentieth of a second on a slow machine."""

_WHOLE = ""
"""Stands for both branches."""


@dataclass(frozen=True)
class TargetProgress:
    """What has become of a target.

    The sequences have an entry for each image in order of acquisition; a number that is not known is nan.

    Attributes
    ----------
    number : int
    series : str
        Its tilt series.
    state : State
    taken, planned : int
        Images.
    remark : str
        Why it, or one of its branches, has ended; empty if it has not.
    tilts_deg : tuple of float
    residuals_nm : tuple of XY
        Where it was seen from the centre of its image.
    fitted_um, wanted_um : tuple of float
        Defocus as fitted and as aimed for.
    counts : tuple of float
        Mean counts.
    dose_e_per_a2 : float
        Of all images.
    """

    number: int
    series: str
    state: State
    taken: int
    planned: int
    remark: str = ""
    tilts_deg: tuple[float, ...] = ()
    residuals_nm: tuple[XY, ...] = ()
    fitted_um: tuple[float, ...] = ()
    wanted_um: tuple[float, ...] = ()
    counts: tuple[float, ...] = ()
    dose_e_per_a2: float = 0.0


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes
    ----------
    step : str
        What is being done, or how the run ended.
    is_over : bool
        Whether the journal has an end.
    taken, planned : int
        Images.
    tilt_deg : float
        Latest tilt; nan before the first.
    tilts_done, tilts : int
        Tilts begun, and all of the plan.
    left_s : float or None
        Time left at the pace so far; None before there is one, and at the end.
    targets : dict of int to TargetProgress
        By number, in order of acquisition.
    notes : tuple of str
        Warnings, errors and the like, the latest last.
    """

    step: str = "no run yet"
    is_over: bool = False
    taken: int = 0
    planned: int = 0
    tilt_deg: float = math.nan
    tilts_done: int = 0
    tilts: int = 0
    left_s: float | None = None
    targets: Mapping[int, TargetProgress] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def states(self) -> dict[int, State]:
        """State of each target, by number."""
        return {number: target.state for number, target in self.targets.items()}


class Follower:
    """Follows the journal of a run.

    Parameters
    ----------
    journal : Path
        It need not be there yet.

    Attributes
    ----------
    damaged : int
        Lines that could not be understood and were passed over.
    """

    def __init__(self, journal: Path) -> None:
        self.journal = journal
        self._begin()

    def _begin(self) -> None:
        self.damaged = 0
        self._reader = JournalReader()
        self._place = 0
        self._rest = b""
        self._lines = 0
        self._ended: dict[int, dict[str, str]] = {}
        self._exposing: int | None = None
        self._before = (0, 0)  # images and tilts of earlier parts of the run
        self.is_behind = False

    def poll(self, most_bytes: int = MOST_BYTES) -> bool:
        """Read what the journal has gained since the last call, at most so many bytes; whether there was anything.

        `is_behind` then tells whether there is more to read at once. A journal that has become shorter is another
        one, and is read from its beginning.

        Raises
        ------
        MetadataError
            If the journal is there and cannot be read now.
        """
        try:
            size = self.journal.stat().st_size
            if size < self._place:
                self._begin()
            if size == self._place:
                self.is_behind = False
                return False
            with self.journal.open("rb") as stream:
                stream.seek(self._place)
                new = stream.read(most_bytes)
        except FileNotFoundError:
            return False
        except OSError as err:
            raise MetadataError(f"{self.journal}: the journal cannot be read now ({err.strerror})") from err
        self._place += len(new)
        self.is_behind = self._place < size
        *lines, self._rest = (self._rest + new).split(b"\n")
        for line in lines:
            self._take(line)
        return bool(lines)

    def _take(self, row: bytes) -> None:
        self._lines += 1
        if not row.strip():
            return
        try:
            values = json.loads(row.decode("utf-8"))
            if not isinstance(values, dict):
                raise ValueError("no object")
            line = Line(self.journal, self._lines, values)
            self._reader.take(line)
            self._note(line)
        # ValueError covers damaged UTF-8 and JSON; brackets nested by the thousand end in RecursionError.
        except (ValueError, RecursionError, MetadataError):
            self.damaged += 1

    def _note(self, line: Line) -> None:
        """Take note of what the records do not keep: who is being exposed, and who has ended on which branch."""
        event, target = line.values.get("event"), line.integer("target", -1)
        if event == "run_start":
            log = self.log
            self._before = (len(log.images), len(log.stops))
            self._exposing = None
        elif event == "expose":
            self._exposing = target
        elif event == "exposed":
            self._exposing = None
            ended = self._ended.get(target, {})
            for branch in (line.text("branch"), _WHOLE):  # a run that is gone on with may take it up again
                ended.pop(branch, None)
        elif event == "skip":
            self._ended.setdefault(target, {})[line.text("branch", _WHOLE)] = line.text("reason")
        elif event == "run_end":
            self._exposing = None

    @property
    def log(self) -> RunLog:
        """Records of all that was read."""
        return self._reader.log()

    def progress(self) -> Progress:
        """How far the run is, by what was read."""
        log = self.log
        if not self._lines:
            return Progress()
        by_target: dict[int, list[Exposed]] = {target.number: [] for target in log.targets}
        for image in log.images:
            by_target.setdefault(image.target, []).append(image)
        targets = {number: self._target(log, number, images) for number, images in by_target.items()}
        taken = sum(target.taken for target in targets.values())
        tilts_done = len({rounded_deg(stop.tilt_deg) for stop in log.stops})
        return Progress(
            step=_step(log),
            is_over=log.end is not None,
            taken=taken,
            planned=log.planned,
            tilt_deg=log.stops[-1].tilt_deg if log.stops else math.nan,
            tilts_done=tilts_done,
            tilts=len(log.tilts_deg),
            left_s=self._left_s(log, targets),
            targets=targets,
            notes=tuple(_noted(note.text, note.target, note.tilt_deg) for note in log.notes),
        )

    def _target(self, log: RunLog, number: int, images: Sequence[Exposed]) -> TargetProgress:
        planned = next((target for target in log.targets if target.number == number), None)
        latest = {rounded_deg(image.tilt_deg): image for image in images}
        kept = tuple(latest.values())
        ended = self._ended.get(number, {})
        return TargetProgress(
            number=number,
            series="" if planned is None else planned.series,
            state=self._state(log, number, planned is not None and planned.skip, len(kept)),
            taken=len(kept),
            planned=len(log.tilts_deg),
            remark="; ".join(f"{branch} branch: {why}" if branch else why for branch, why in ended.items()),
            tilts_deg=tuple(image.tilt_deg for image in kept),
            residuals_nm=tuple(image.residual_nm for image in kept),
            fitted_um=tuple(image.fitted_um for image in kept),
            wanted_um=tuple(image.wanted_um for image in kept),
            counts=tuple(image.mean_counts for image in kept),
            dose_e_per_a2=sum(image.dose_e_per_a2 for image in images if math.isfinite(image.dose_e_per_a2)),
        )

    def _state(self, log: RunLog, number: int, skip: bool, taken: int) -> State:
        if skip:
            return State.SKIPPED
        if taken and taken >= len(log.tilts_deg):
            return State.FINISHED
        if self._has_ended(number):
            return State.ENDED
        if number == self._exposing:
            return State.RUNNING
        return State.ENDED if log.end is not None and log.end.state == "finished" else State.WAITING

    def _has_ended(self, number: int) -> bool:
        ended = self._ended.get(number, {})
        return _WHOLE in ended or {"up", "down"} <= set(ended)

    def _left_s(self, log: RunLog, targets: Mapping[int, TargetProgress]) -> float | None:
        """Time left at the pace of this part of the run."""
        stops, images = log.stops[self._before[1] :], log.images[self._before[0] :]
        if log.end is not None or len(images) < 2 or not stops:
            return None
        left: dict[float, int] = {}
        for target in targets.values():
            if target.state in (State.SKIPPED, State.ENDED, State.FINISHED):
                continue
            there = {rounded_deg(tilt) for tilt in target.tilts_deg}
            for tilt_deg in log.tilts_deg:
                if rounded_deg(tilt_deg) not in there:
                    left[tilt_deg] = left.get(tilt_deg, 0) + 1
        ahead = [stops[-1].tilt_deg, *(tilt_deg for tilt_deg in log.tilts_deg if tilt_deg in left)]
        to_do = Work(len(left), sum(left.values()), swing_deg=_swing_deg(ahead))
        done = Work(len(stops), len(images), swing_deg=_swing_deg([stop.tilt_deg for stop in stops]))
        return Pace(_first_s(stops)).left_s(images[-1].t_s, done, to_do)


def _first_s(stops: Sequence[TiltStop]) -> float:
    return stops[0].t_s


def _swing_deg(tilts_deg: Sequence[float]) -> float:
    return sum(abs(after - before) for before, after in zip(tilts_deg, tilts_deg[1:]))


def _step(log: RunLog) -> str:
    """What is being done, or how the run ended."""
    if log.end is not None:
        return f"{log.end.state}: {log.end.text}" if log.end.text else log.end.state
    if not log.steps:
        return "setting up"
    step = log.steps[-1]
    if step.name == "acquire" and log.stops:
        return f"acquiring at {log.stops[-1].tilt_deg:g}°"
    return step.text or step.name


def _noted(text: str, target: int | None, tilt_deg: float) -> str:
    place = "" if target is None else f"target {target}"
    at = f" at {tilt_deg:g}°" if math.isfinite(tilt_deg) else ""
    where = f"{place}{at}".strip()
    return f"{where}: {text}" if where else text
