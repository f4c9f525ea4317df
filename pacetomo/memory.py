"""What a tracking model was told, line by line, so that another one can be brought to where it is.

A line is a JSON list: what was told, and its values. `RememberingModel` hands everything on to the model it wraps and
gives a line of it to a sink; `recall` tells the lines to a fresh model. Floats are written so that they read back
exactly, and a model's state depends on nothing else: the state is the same bit for bit.

`MemoryFile` keeps the lines beside the run file. Its first line is what the model was made of.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pacetomo.errors import PlanError, RunFileError
from pacetomo.files.appending import LineAppender
from pacetomo.files.atomic import Wait, read_bytes
from pacetomo.frames import XY
from pacetomo.schemes import Branch
from pacetomo.tracking import (
    Aim,
    Finding,
    Move,
    Observation,
    Region,
    Rise,
    Sight,
    Start,
    TrackingModel,
    TrackRecord,
)


class RememberingModel:
    """A `TrackingModel` that keeps a record of what it is told.

    Parameters
    ----------
    model : TrackingModel
        Does the work.
    sink : callable
        Given each line, without its end, right after the model has taken it in.
    later_s : float
        Added to every time, so that time goes on for the model where the clock has been started anew.
    """

    def __init__(self, model: TrackingModel, sink: Callable[[str], None], later_s: float = 0.0) -> None:
        self._model = model
        self._sink = sink
        self._later_s = later_s

    # questions

    @property
    def dropped_profile(self) -> str | None:
        """As the model's."""
        return self._model.dropped_profile

    def aim(self, target: int, tilt_deg: float, branch: Branch) -> Aim:
        """As the model's."""
        return self._model.aim(target, tilt_deg, branch)

    def search_region(self, target: int, tilt_deg: float, branch: Branch) -> Region | None:
        """As the model's."""
        return self._model.search_region(target, tilt_deg, branch)

    def wants_look(self, target: int, tilt_deg: float, branch: Branch, reach_um: float) -> bool:
        """As the model's."""
        return self._model.wants_look(target, tilt_deg, branch, reach_um)

    def doubts(self, target: int, tilt_deg: float, branch: Branch, residual_um: XY | None) -> bool:
        """As the model's."""
        return self._model.doubts(target, tilt_deg, branch, residual_um)

    def believed(self) -> Mapping[int, bool]:
        """As the model's."""
        return self._model.believed()

    def findings(self) -> tuple[Finding, ...]:
        """As the model's."""
        return self._model.findings()

    def export(self, target: int, branch: Branch) -> TrackRecord:
        """As the model's."""
        return self._model.export(target, branch)

    # what is told

    def begin_tilt(self, tilt_deg: float, branch: Branch) -> None:
        """Tell the model and note it."""
        self._model.begin_tilt(tilt_deg, branch)
        self._note("tilt", tilt_deg, branch.value)

    def observe(self, seen: Observation) -> bool:
        """Tell the model and note it."""
        seen = seen._replace(time_s=seen.time_s + self._later_s)
        is_believed = self._model.observe(seen)
        residual = None if seen.residual_um is None else list(seen.residual_um)
        place = (seen.target, seen.tilt_deg, seen.branch.value)
        self._note("seen", *place, list(seen.applied_um), residual, seen.rise_um, seen.time_s)
        return is_believed

    def sight(self, seen: Sight) -> None:
        """Tell the model and note it."""
        seen = seen._replace(time_s=seen.time_s + self._later_s)
        self._model.sight(seen)
        place = (seen.target, seen.tilt_deg, seen.branch.value)
        self._note("sight", *place, list(seen.place_um), seen.sigma_um, seen.time_s)

    def measure_rise(self, seen: Rise) -> bool:
        """Tell the model and note it, if it has taken it in."""
        seen = seen._replace(time_s=seen.time_s + self._later_s)
        is_taken = self._model.measure_rise(seen)
        if is_taken:
            self._note("rise", seen.target, seen.tilt_deg, seen.branch.value, seen.rise_um, seen.time_s)
        return is_taken

    def recovered(self, shift_um: XY, sigma_um: float) -> None:
        """Tell the model and note it."""
        self._model.recovered(shift_um, sigma_um)
        self._note("moved", list(shift_um), sigma_um)

    def follow(self, target: int | None) -> None:
        """Tell the model and note it."""
        self._model.follow(target)
        self._note("follow", target)

    def reshape(self, target: int, n0_um: float, z0_um: float) -> None:
        """Tell the model and note it."""
        self._model.reshape(target, n0_um, z0_um)
        self._note("shape", target, n0_um, z0_um)

    def restore(self, target: int, branch: Branch, record: TrackRecord) -> None:
        """Tell the model and note it."""
        self._model.restore(target, branch, record)
        numbers = [list(record.shift_um), *record[1:4]]
        self._note("put back", target, branch.value, numbers, [list(move) for move in record.moves])

    def _note(self, *values: Any) -> None:
        self._sink(json.dumps(values))


def recall(model: TrackingModel, lines: Iterable[str]) -> None:
    """Tell a fresh model what another one was told.

    Raises
    ------
    PlanError
        When a line is none of a memory.
    """
    for line in lines:
        try:
            kind, *values = json.loads(line)
            _tell(model, kind, values)
        except (ValueError, TypeError, KeyError) as err:
            raise PlanError(f"the tracking model's memory cannot be read: {line!r} ({err})") from err


def _tell(model: TrackingModel, kind: str, values: list[Any]) -> None:
    if kind == "tilt":
        model.begin_tilt(values[0], Branch(values[1]))
    elif kind == "seen":
        target, tilt_deg, side, applied, residual, rise_um, time_s = values
        found = None if residual is None else XY(*residual)
        model.observe(Observation(target, tilt_deg, Branch(side), XY(*applied), found, rise_um, time_s))
    elif kind == "sight":
        target, tilt_deg, side, place, sigma_um, time_s = values
        model.sight(Sight(target, tilt_deg, Branch(side), XY(*place), sigma_um, time_s))
    elif kind == "rise":
        target, tilt_deg, side, rise_um, time_s = values
        model.measure_rise(Rise(target, tilt_deg, Branch(side), rise_um, time_s))
    elif kind == "moved":
        model.recovered(XY(*values[0]), values[1])
    elif kind == "follow":
        model.follow(values[0])
    elif kind == "shape":
        model.reshape(*values)
    elif kind == "put back":
        target, side, (shift, tilt_deg, n0_um, z0_um), moves = values
        history = tuple(Move(*move) for move in moves)
        model.restore(target, Branch(side), TrackRecord(XY(*shift), tilt_deg, n0_um, z0_um, history))
    else:
        raise ValueError(f"{kind!r} is unknown")


FORMAT = 1


class Origin(NamedTuple):
    """What a model was made of: targets as the set-up found them, the start tilt reached, and its settings.

    `options` are what else the model was made with, as JSON knows it: which tracker, the sample plane and so on.
    """

    starts: dict[int, Start]
    start_tilt_deg: float
    options: dict[str, Any]


class MemoryFile:
    """A model's memory on disk: appended to, each line brought to the disk at once.

    Parameters
    ----------
    path : Path
        Of the file; what is there is kept.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lines: LineAppender | None = None
        self._waiting: list[str] = []
        self._trouble: OSError | None = None

    def begin(self, origin: Origin) -> None:
        """Write the first line."""
        starts = {
            str(number): [list(start.shift_um), start.n0_um, start.z0_um, start.is_found]
            for number, start in origin.starts.items()
        }
        first = {
            "format": FORMAT,
            "starts": starts,
            "start_tilt_deg": origin.start_tilt_deg,
            **origin.options,
        }
        self.append(json.dumps(first))

    def append(self, line: str) -> None:
        """Write one line; where a disk is full or the file held for a moment it is written with the next one."""
        self._waiting.append(line)
        self._write()

    @property
    def held_up(self) -> OSError | None:
        """Why lines wait that cannot be written, after another try; None if none does."""
        self._write()
        return self._trouble

    @property
    def trouble(self) -> str | None:
        """Why lines wait, for people, as of the latest one."""
        err = self._trouble
        if err is None:
            return None
        return f"{self.path.name} cannot be written now ({err.strerror}); it is written later"

    def _write(self) -> None:
        try:
            if self._lines is None and self._waiting:
                self._lines = LineAppender(self.path, sync=True, cut=True)
        except OSError as err:
            self._trouble = err
            return
        if self._lines is not None:
            for line in self._waiting:
                self._lines.append(line)
            self._waiting.clear()
            self._trouble = None if self._lines.catch_up() else self._lines.trouble

    def close(self) -> None:
        """Close the file."""
        if self._lines is not None:
            self._lines.close()
            self._lines = None


def read_memory(path: Path, wait: Wait | None = None) -> tuple[Origin, tuple[str, ...]]:
    """Origin and lines of a memory file; a last line cut in half is left out.

    Raises
    ------
    RunFileError
        When the file cannot be read, or its first line is none of a memory.
    """
    text = read_bytes(path, wait, RunFileError).decode("utf-8", "replace")
    first, *lines = text[: text.rfind("\n") + 1].splitlines() or [""]
    try:
        return _read_origin(json.loads(first)), tuple(lines)
    except (ValueError, TypeError, KeyError, AttributeError) as err:
        raise RunFileError(f"{path}, line 1: this is not the memory of a tracking model ({err})") from err


def _read_origin(first: Mapping[str, Any]) -> Origin:
    options = dict(first)
    form = options.pop("format")
    if form != FORMAT:
        raise ValueError(f"format {form!r}, {FORMAT} is needed")
    starts = {
        int(number): Start(XY(*shift), n0_um, z0_um, is_found)
        for number, (shift, n0_um, z0_um, is_found) in options.pop("starts").items()
    }
    return Origin(starts, float(options.pop("start_tilt_deg")), options)
