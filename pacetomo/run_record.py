"""What a run says that its series hold: from its run file and its journal."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PureWindowsPath
from typing import NamedTuple

from pacetomo.files.atomic import Wait
from pacetomo.files.run_file import read_run
from pacetomo.montage import CENTRE
from pacetomo.report.reading import Line, lines_of
from pacetomo.targets import Target

_TAKEN_UP = ("adopted", "rescued")
"""Steps with which a resume takes an image into its series that had not been noted."""


class Image(NamedTuple):
    """An image as the journal has it: planned tilt (degrees), dose and dose before it (e/Å²); nan for not known."""

    tilt_deg: float
    dose_e_per_a2: float
    prior_e_per_a2: float


@dataclass
class SeriesRecord:
    """What a run says of one series, or of one tile of a montage.

    Attributes
    ----------
    target : int
    tile : str
        Name of the tile; "" for the target's series itself.
    images : dict of int to Image
        By section in order of acquisition, from 0.
    reasons : list of str
        Why it may lack planned images.
    at_breaks : set of int
        Sections that were next when the run was gone on with: one that was saved and noted in its metadata just
        before the interruption may have no line in the journal.
    """

    target: int
    tile: str = ""
    images: dict[int, Image] = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    at_breaks: set[int] = field(default_factory=set)


@dataclass
class RunRecord:
    """What a run says of all its series.

    Attributes
    ----------
    run_file : Path
    targets : tuple of Target
    tilts : int
        Planned images of each series; 0 where there is no journal to tell.
    is_finished : bool
        Whether nothing is left to be taken.
    is_deleted : bool
        Whether stacks may have been deleted, their frames and metadata kept.
    hashes : set of str
        Of the settings that were in force.
    trouble : str
        Why the journal cannot be used; "" if it can.
    """

    run_file: Path
    targets: tuple[Target, ...] = ()
    tilts: int = 0
    is_finished: bool = True
    is_deleted: bool = False
    hashes: set[str] = field(default_factory=set)
    trouble: str = ""
    series: dict[tuple[int, str], SeriesRecord] = field(default_factory=dict)

    def of(self, target: int, tile: str = "") -> SeriesRecord:
        """Record of a series, empty if nothing is said of it."""
        return self.series.setdefault(
            (target, "" if tile == CENTRE.name else tile), SeriesRecord(target, tile)
        )

    @property
    def has_journal(self) -> bool:
        """Whether a journal tells of its images; PACEtomo writes none."""
        return self.tilts > 0


def read_record(run_file: Path, wait: Wait | None = None) -> RunRecord:
    """Read what a run says of its series.

    Raises
    ------
    PaceError
        If run file or journal cannot be read.
    """
    run = read_run(run_file, wait)
    record = RunRecord(run_file, run.targets.targets, is_finished=run.state.is_finished)
    journal = run_file.with_suffix(".jsonl")
    if journal.is_file():
        for line in lines_of(journal, restart="run_start"):
            _take(record, line)
    return record


def _take(record: RunRecord, line: Line) -> None:
    event = line.text("event")
    if event == "run_start":
        if record.has_journal:
            _note_break(record)
        record.tilts = len(line.reals("tilts_deg"))
        record.hashes.update({line.text("settings_hash")} - {""})
        settings = line.table("settings")
        if "delFinalStack" in settings.values:
            record.is_deleted = settings.table("delFinalStack").values.get("value") is True
    elif event == "run_end":
        record.is_finished = line.text("state") == "finished"
    elif event == "exposed":
        target, tilt_deg = line.integer("target"), line.real("tilt_deg")
        record.of(target).images[line.integer("section")] = _image(line, tilt_deg)
        _take_tiles(record, line, target, tilt_deg)
    elif event == "completed":
        _take_tiles(record, line, line.integer("target"), line.real("tilt_deg"))
    elif event == "step" and line.text("name") in _TAKEN_UP and "section" in line.values:
        images = record.of(line.integer("target")).images
        images.setdefault(line.integer("section"), _image(line, line.real("tilt_deg")))
    elif event in ("skip", "lost"):
        for target, reason in _reasons(line, event):
            record.of(target).reasons.append(reason)


def _note_break(record: RunRecord) -> None:
    for target in record.targets:
        record.of(target.number)
    for series in record.series.values():
        series.at_breaks.add(max(series.images, default=-1) + 1)


def _take_tiles(record: RunRecord, line: Line, target: int, tilt_deg: float) -> None:
    for tile in line.tables("tiles"):
        record.of(target, tile.text("tile")).images[tile.integer("section")] = _image(tile, tilt_deg)


def _image(line: Line, tilt_deg: float) -> Image:
    return Image(tilt_deg, line.real("dose_e_per_a2"), line.real("prior_dose_e_per_a2"))


def _reasons(line: Line, event: str) -> Iterator[tuple[int, str]]:
    target = line.integer("target", -1)
    if target < 0:
        return
    if event == "skip":
        branch = line.text("branch")
        yield target, f"{branch} branch: {line.text('reason')}" if branch else line.text("reason")
    elif not line.flag("taken_again"):
        yield target, f"its image at {line.real('tilt_deg'):g}° was lost"


def series_name(target: Target) -> str:
    """Name of a target's stack in the folder of its run."""
    return PureWindowsPath(target.series).name
