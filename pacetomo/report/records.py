"""The journal of a run as frozen records.

Units are in the names: shifts in µm in the specimen plane (x along the tilt axis, y across it), residuals in
nm, tilts in degrees, times in seconds of the microscope's clock, focus and defocus in µm (negative:
underfocus). A number that the journal does not give is nan.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pacetomo.frames import XY
from pacetomo.report.reading import NO_XY, Line, clean, lines_of


@dataclass(frozen=True)
class PlannedTarget:
    """A target as the run began: number (1 = tracking target), series (stack file), place, left out."""

    number: int
    series: str
    shift_um: XY
    skip: bool


@dataclass(frozen=True)
class Setting:
    """A setting's value and where it came from (default, facility file, script, target file)."""

    name: str
    value: Any
    origin: str


@dataclass(frozen=True)
class Step:
    """A part of the run (move, eucentricity, ..., acquire, finish) and how long it took."""

    name: str
    text: str
    t_s: float
    seconds: float


@dataclass(frozen=True)
class Found:
    """A target aligned to its reference at the start: correction against the expected place."""

    target: int
    correction_nm: XY
    reference: str


@dataclass(frozen=True)
class Start:
    """State of a target before its first exposure; `defocus_um` is the wanted defocus."""

    target: int
    shift_um: XY
    n0_um: float
    z0_um: float
    focus_um: float
    defocus_um: float


@dataclass(frozen=True)
class TiltStop:
    """The stage reached a tilt: planned and read-back angle, branch ("start", "up", "down"), place from 1."""

    t_s: float
    tilt_deg: float
    reached_deg: float
    branch: str
    stop: int


@dataclass(frozen=True)
class Exposed:
    """An image recorded and saved.

    Attributes
    ----------
    number
        Place in the plan, from 0.
    section
        Place in the target's stack, from 0.
    residual_nm
        Measured: where the target was seen minus the image centre.
    accepted
        Whether the measurement went into the tracking model.
    own_s
        Time the library itself took, outside the microscope's commands.
    believed
        Whether the tracking model took the measurement up; where the journal does not tell, as `accepted`.
    expected_nm, sigma_nm
        Where the tracking model expected `residual_nm`, with its standard deviation.
    fitted_um, wanted_um, sigma_defocus_um
        Defocus as fitted and as aimed for, and the standard deviation of the one about the other.
    """

    number: int
    target: int
    tilt_deg: float
    branch: str
    section: int
    t_s: float
    residual_nm: XY
    accepted: bool
    z0_um: float
    focus_um: float
    mean_counts: float
    dose_e_per_a2: float
    own_s: float
    believed: bool = True
    expected_nm: XY = NO_XY
    sigma_nm: XY = NO_XY
    fitted_um: float = math.nan
    wanted_um: float = math.nan
    sigma_defocus_um: float = math.nan


@dataclass(frozen=True)
class Note:
    """Something the operator should know: kind is "skip", "warning", "error" or "wait"."""

    kind: str
    t_s: float
    text: str
    target: int | None
    tilt_deg: float


@dataclass(frozen=True)
class NotedFinding:
    """What the tracking model has found out: name, value and standard error with their unit, cause, cure."""

    t_s: float
    name: str
    value: float
    sigma: float
    unit: str
    cause: str
    cure: str


@dataclass(frozen=True)
class RunEnd:
    """How the run ended: "finished", "stopped" or "failed"."""

    state: str
    text: str


@dataclass(frozen=True)
class RunLog:
    """A whole journal. Plan and settings of a resumed run are those of its last part.

    Attributes
    ----------
    planned
        Number of exposures in the plan.
    pending
        Numbers of exposures that were begun and of which nothing more is known.
    parts_s
        (first, last) time of each part of the run; the clock of a new part may start again.
    findings
        The latest of each name and place, in order of their first.
    end
        None if the journal ends without one: the run goes on, or was killed.
    """

    version: str = ""
    area: str = ""
    target_file: str = ""
    targets: tuple[PlannedTarget, ...] = ()
    settings: tuple[Setting, ...] = ()
    tilts_deg: tuple[float, ...] = ()
    planned: int = 0
    estimated_s: float = math.nan
    pretilt_deg: float = math.nan
    rotation_deg: float = math.nan
    steps: tuple[Step, ...] = ()
    found: tuple[Found, ...] = ()
    starts: tuple[Start, ...] = ()
    stops: tuple[TiltStop, ...] = ()
    images: tuple[Exposed, ...] = ()
    pending: tuple[int, ...] = ()
    notes: tuple[Note, ...] = ()
    findings: tuple[NotedFinding, ...] = ()
    parts_s: tuple[tuple[float, float], ...] = ()
    end: RunEnd | None = None

    @property
    def elapsed_s(self) -> float:
        """Microscope time of all parts together."""
        return sum(last - first for first, last in self.parts_s)


def read_journal(path: Path) -> RunLog:
    """Read the journal of a run.

    Unknown events and keys are passed over, so that journals of newer versions can be read. A line cut in
    half by the death of the program is dropped: the last one, or one before the start of a resumed part.

    Raises
    ------
    MetadataError
        If the file cannot be read, an earlier line is damaged, or a value has the wrong type; with file and
        line.
    """
    reader = JournalReader()
    for line in lines_of(path, restart="run_start"):
        reader.take(line)
    return reader.log()


class JournalReader:
    """Makes records of a journal line by line, for whoever reads it while it grows."""

    def __init__(self) -> None:
        self._reader = _Reader()

    def take(self, line: Line) -> None:
        """Take the next line; MetadataError if a value has the wrong type."""
        self._reader.take(line)

    def log(self) -> RunLog:
        """Return the records of all lines so far."""
        return self._reader.log()


@dataclass
class _Reader:
    """Collects the events of a journal."""

    head: RunLog = field(default_factory=RunLog)
    steps: list[Step] = field(default_factory=list)
    found: list[Found] = field(default_factory=list)
    starts: list[Start] = field(default_factory=list)
    stops: list[TiltStop] = field(default_factory=list)
    images: list[Exposed] = field(default_factory=list)
    pending: dict[int, None] = field(default_factory=dict)
    notes: list[Note] = field(default_factory=list)
    findings: dict[tuple[str, ...], NotedFinding] = field(default_factory=dict)
    parts: list[tuple[float, float]] = field(default_factory=list)
    end: RunEnd | None = None
    step_open: bool = False

    def take(self, line: Line) -> None:
        event = line.values.get("event")
        t_s = line.real("t_s")
        if event == "run_start":
            self.step_open = False
            self.parts.append((t_s, t_s))
        elif not math.isnan(t_s):
            first = self.parts.pop()[0] if self.parts else t_s
            self.parts.append((first, t_s))
            if self.step_open:
                self.steps[-1] = replace(self.steps[-1], seconds=t_s - self.steps[-1].t_s)
        handler = _HANDLERS.get(event) if isinstance(event, str) else None
        if handler:
            handler(self, line, t_s)

    def log(self) -> RunLog:
        return replace(
            self.head,
            steps=tuple(self.steps),
            found=tuple(self.found),
            starts=tuple(self.starts),
            stops=tuple(self.stops),
            images=tuple(self.images),
            pending=tuple(self.pending),
            notes=tuple(self.notes),
            findings=tuple(self.findings.values()),
            parts_s=tuple((first, last) for first, last in self.parts if last >= first),
            end=self.end,
        )

    def run_start(self, line: Line, t_s: float) -> None:
        geometry = line.table("geometry")
        self.end = None
        self.head = RunLog(
            version=line.text("version"),
            area=line.text("area"),
            target_file=line.text("target_file"),
            targets=tuple(_target(entry) for entry in line.tables("targets")),
            settings=_settings(line.table("settings")),
            tilts_deg=line.reals("tilts_deg"),
            planned=line.integer("exposures", 0),
            estimated_s=line.real("estimated_s"),
            pretilt_deg=geometry.real("pretilt_deg"),
            rotation_deg=geometry.real("rotation_deg"),
        )

    def step(self, line: Line, t_s: float) -> None:
        self.begin(line.text("name", "?"), line.text("text"), t_s)

    def found_target(self, line: Line, t_s: float) -> None:
        self.found.append(Found(line.integer("target"), line.pair("correction_nm"), line.text("reference")))

    def start(self, line: Line, t_s: float) -> None:
        numbers = (line.real(key) for key in ("n0_um", "z0_um", "focus_um", "defocus_um"))
        self.starts.append(Start(line.integer("target"), line.pair("shift_um"), *numbers))

    def acquiring(self, t_s: float) -> None:
        """Go back to the step of acquisition, which a step of another name (autofocus) may have interrupted."""
        if not self.step_open or self.steps[-1].name != "acquire":
            self.begin("acquire", "", t_s)

    def begin(self, name: str, text: str, t_s: float) -> None:
        self.steps.append(Step(name, text, t_s, 0.0))
        self.step_open = not math.isnan(t_s)

    def tilt(self, line: Line, t_s: float) -> None:
        self.acquiring(t_s)
        tilt_deg, reached_deg = line.real("tilt_deg"), line.real("reached_deg")
        self.stops.append(TiltStop(t_s, tilt_deg, reached_deg, line.text("branch"), line.integer("stop", 0)))

    def expose(self, line: Line, t_s: float) -> None:
        self.acquiring(t_s)
        self.pending[line.integer("number")] = None

    def exposed(self, line: Line, t_s: float) -> None:
        number = line.integer("number")
        self.pending.pop(number, None)
        self.images.append(
            Exposed(
                number=number,
                target=line.integer("target"),
                tilt_deg=line.real("tilt_deg"),
                branch=line.text("branch"),
                section=line.integer("section"),
                t_s=t_s,
                residual_nm=line.pair("residual_nm"),
                accepted=line.flag("accepted"),
                believed=line.flag("believed" if "believed" in line.values else "accepted"),
                expected_nm=line.pair("expected_nm"),
                sigma_nm=line.pair("sigma_nm"),
                fitted_um=line.real("ctf_defocus_um"),
                wanted_um=line.real("wanted_um"),
                sigma_defocus_um=line.real("sigma_defocus_um"),
                z0_um=line.real("z0_um"),
                focus_um=line.real("focus_um"),
                mean_counts=line.real("mean_counts"),
                dose_e_per_a2=line.real("dose_e_per_a2"),
                own_s=line.real("own_s"),
            )
        )

    def judged(self, line: Line, t_s: float) -> None:
        number = line.integer("number")
        for place, image in enumerate(self.images):
            if image.number == number:
                self.images[place] = replace(image, believed=line.flag("believed"))

    def note(self, line: Line, t_s: float) -> None:
        kind = line.text("event")
        text = line.text("reason" if kind == "skip" else "text")
        if kind == "skip" and line.text("branch"):
            text = f"{text} (branch {line.text('branch')})"
        if kind == "wait" and not math.isnan(line.real("seconds")):
            text = f"{text} ({line.real('seconds'):.0f} s)"
        target = line.integer("target", -1)
        self.notes.append(Note(kind, t_s, text, None if target < 0 else target, line.real("tilt_deg")))

    def finding(self, line: Line, t_s: float) -> None:
        place = tuple(line.text(key) for key in ("name", "target", "tilt_deg", "branch"))
        texts = (line.text(key) for key in ("unit", "cause", "cure"))
        value, sigma = line.real("value"), line.real("sigma")
        self.findings[place] = NotedFinding(t_s, line.text("name"), value, sigma, *texts)

    def run_end(self, line: Line, t_s: float) -> None:
        self.end = RunEnd(line.text("state"), line.text("text"))


_HANDLERS: dict[str, Callable[[_Reader, Line, float], None]] = {
    "run_start": _Reader.run_start,
    "step": _Reader.step,
    "found": _Reader.found_target,
    "start": _Reader.start,
    "tilt": _Reader.tilt,
    "expose": _Reader.expose,
    "exposed": _Reader.exposed,
    "judged": _Reader.judged,
    "skip": _Reader.note,
    "warning": _Reader.note,
    "error": _Reader.note,
    "wait": _Reader.note,
    "finding": _Reader.finding,
    "run_end": _Reader.run_end,
}


def _target(entry: Line) -> PlannedTarget:
    shift_um = entry.pair("shift_um") if "shift_um" in entry.values else NO_XY
    return PlannedTarget(entry.integer("number"), entry.text("series"), shift_um, entry.flag("skip"))


def _settings(table: Line) -> tuple[Setting, ...]:
    settings = []
    for name in table.values:
        entry = table.table(name)
        settings.append(Setting(clean(name), entry.values.get("value"), entry.text("origin")))
    return tuple(settings)
