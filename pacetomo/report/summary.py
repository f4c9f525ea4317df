"""A run in numbers: one row per target, the totals, and a table of both for the terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from pacetomo.frames import XY
from pacetomo.report.records import RunLog
from pacetomo.report.series import START, Series, SeriesImage, join
from pacetomo.report.truth import TruthLog

GOOD_RESIDUAL_NM = 50.0
"""Residuals of a good session stay within plus or minus this in x and in y."""


@dataclass(frozen=True)
class Spread:
    """Lengths of residuals: how many, root mean square, median, 95th percentile and largest, nm."""

    count: int
    rms_nm: float
    median_nm: float
    p95_nm: float
    max_nm: float


@dataclass(frozen=True)
class TargetSummary:
    """One target in numbers.

    Attributes
    ----------
    images, wanted
        Images taken and images planned.
    true_residual, measured_residual
        Of all images but the start image; None if there are none.
    defocus_um
        Wanted defocus.
    defocus_error_um, defocus_rms_um
        Mean and root mean square of true minus wanted defocus; nan without truth log.
    dose_inside, dose_outside
        e/Å² of its own images, and of all other exposures whose beam covered it (None without truth log).
    z0_um
        Smallest and largest eucentric offset; nan if none was noted.
    correction_nm
        How far from its expected place it was found at the start.
    skips
        Reasons why images were left out.
    warnings
        Number of warnings and errors about this target.
    """

    number: int
    series: str
    tracking: bool
    skipped: bool
    images: int
    wanted: int
    true_residual: Spread | None
    measured_residual: Spread | None
    defocus_um: float
    defocus_error_um: float
    defocus_rms_um: float
    dose_inside: float
    dose_outside: float | None
    z0_um: tuple[float, float]
    correction_nm: XY
    skips: tuple[str, ...]
    warnings: int


@dataclass(frozen=True)
class Summary:
    """A whole run in numbers.

    Attributes
    ----------
    state
        "finished", "stopped", "failed", or "unfinished" for a journal without end.
    images, wanted
        Images of all targets taken and planned.
    elapsed_s
        Microscope time of the whole run, set-up included.
    acquiring_s
        Microscope time of the tilt series alone.
    per_image_s
        The latter for one target at one tilt.
    others
        True residual of all targets but the tracking target, start images left out.
    others_within
        Part of these images with x and y within `GOOD_RESIDUAL_NM`, 0 to 1.
    own_median_s, own_max_s
        The library's own time per exposure.
    """

    area: str
    version: str
    state: str
    targets: tuple[TargetSummary, ...]
    images: int
    wanted: int
    tilts: int
    elapsed_s: float
    estimated_s: float
    acquiring_s: float
    per_image_s: float
    others: Spread | None
    others_within: float
    own_median_s: float
    own_max_s: float
    pending: tuple[int, ...]


def summarise(runlog: RunLog, truth: TruthLog | None) -> Summary:
    """Return a run in numbers; without a truth log the true values are None or nan."""
    series = join(runlog, truth)
    targets = tuple(_target(entry, runlog) for entry in series)
    others = [image.true_nm for entry in series if not entry.tracking for image in _moved(entry)]
    known = [xy for xy in others if xy.is_finite]
    acquiring_s = _acquiring_s(runlog)
    own_s = [image.own_s for image in runlog.images if not math.isnan(image.own_s)]
    return Summary(
        area=runlog.area,
        version=runlog.version,
        state=(runlog.end.state if runlog.end else "") or "unfinished",
        targets=targets,
        images=sum(target.images for target in targets),
        wanted=runlog.planned or sum(target.wanted for target in targets),
        tilts=len(runlog.tilts_deg),
        elapsed_s=runlog.elapsed_s,
        estimated_s=runlog.estimated_s,
        acquiring_s=acquiring_s,
        per_image_s=acquiring_s / len(runlog.images) if runlog.images else math.nan,
        others=spread(others),
        others_within=float(np.mean([max(map(abs, xy)) <= GOOD_RESIDUAL_NM for xy in known]))
        if known
        else math.nan,
        own_median_s=float(np.median(own_s)) if own_s else math.nan,
        own_max_s=max(own_s, default=math.nan),
        pending=runlog.pending,
    )


def spread(residuals_nm: Iterable[XY]) -> Spread | None:
    """Return how long residuals are, unknown ones left out; None if none is known.

    >>> spread([XY(3.0, 4.0), XY(0.0, 0.0)]).max_nm
    5.0
    """
    known = [xy for xy in residuals_nm if xy.is_finite]
    if not known:
        return None
    lengths = np.hypot(*np.array(known).T)
    median, p95 = np.percentile(lengths, [50, 95])
    rms = math.sqrt(float(np.mean(lengths**2)))
    return Spread(len(known), rms, float(median), float(p95), float(lengths.max()))


def format_summary(summary: Summary) -> str:
    """Return the summary as a table of plain text, about 110 columns wide."""
    rows = [_HEADINGS, *(_row(target) for target in summary.targets)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    lines = [
        "  ".join(
            cell.ljust(width) if column == 1 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths))
        ).rstrip()
        for row in rows
    ]
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join([*lines, "", _LEGEND, *totals(summary)]) + "\n"


def totals(summary: Summary) -> list[str]:
    """Return the totals as short sentences."""
    counts = (
        f"{summary.images} of {summary.wanted} images, {len(summary.targets)} targets, {summary.tilts} tilts"
    )
    area = f"{summary.area}: " if summary.area else ""
    lines = [f"{area}{summary.state}; {counts}."]
    if summary.elapsed_s > 0:
        lines.append(f"Microscope time {duration(summary.elapsed_s)}")
        if not math.isnan(summary.estimated_s):
            lines[-1] += f" (estimated {duration(summary.estimated_s)})"
        if not math.isnan(summary.per_image_s):
            lines[-1] += f", {summary.per_image_s:.1f} s per target and tilt"
        lines[-1] += "."
    if summary.others:
        lines.append(
            f"True residual of the targets other than the tracking target: rms {summary.others.rms_nm:.0f}, "
            f"median {summary.others.median_nm:.0f}, 95 % {summary.others.p95_nm:.0f}, "
            f"largest {summary.others.max_nm:.0f} nm; "
            f"{summary.others_within:.1%} of their images within ±{GOOD_RESIDUAL_NM:.0f} nm in x and y."
        )
    if not math.isnan(summary.own_median_s):
        lines.append(
            f"The library's own time per exposure: median {summary.own_median_s * 1000:.0f} ms, "
            f"longest {summary.own_max_s * 1000:.0f} ms."
        )
    if summary.pending:
        numbers = ", ".join(map(str, summary.pending))
        lines.append(
            f"Begun without a noted result (image perhaps taken, see the stack): exposure {numbers}."
        )
    return lines


def duration(seconds: float) -> str:
    """Return a time for people to read.

    >>> duration(4980.4), duration(65.0), duration(9.0)
    ('1 h 23 min', '1 min 5 s', '9 s')
    """
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    if whole >= 60:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole} s"


_HEADINGS = tuple(
    "tgt|series|images|rms nm|median|p95|max|seen|defocus|mean|rms µm|dose|other|z0 µm|notes".split("|")
)


_LEGEND = (
    "rms to max: true residual, start images left out; seen: its rms as measured (nm). defocus: wanted; mean, rms of\n"
    "the true error (µm). dose, other: e/Å² inside its series, and from all other exposures. *: tracking target."
)


def _row(target: TargetSummary) -> tuple[str, ...]:
    true, measured = target.true_residual, target.measured_residual
    residual = (true.rms_nm, true.median_nm, true.p95_nm, true.max_nm) if true else (math.nan,) * 4
    notes = ["left out"] if target.skipped else []
    notes += [f"skips: {len(target.skips)}"] if target.skips else []
    notes += [f"warnings: {target.warnings}"] if target.warnings else []
    low, high = target.z0_um
    return (
        f"{target.number}{'*' if target.tracking else ''}",
        target.series,
        f"{target.images}/{target.wanted}",
        *(number(value, "{:.0f}") for value in residual),
        number(measured.rms_nm if measured else math.nan, "{:.0f}"),
        number(target.defocus_um, "{:.2f}"),
        number(target.defocus_error_um, "{:+.2f}"),
        number(target.defocus_rms_um, "{:.2f}"),
        number(target.dose_inside if target.images else math.nan, "{:.1f}"),
        number(math.nan if target.dose_outside is None else target.dose_outside, "{:.1f}"),
        "-" if math.isnan(low) else f"{low:+.2f}…{high:+.2f}",
        ", ".join(notes),
    )


def number(value: float, form: str) -> str:
    """Return a number in the given form, a dash if it is not known."""
    return "-" if math.isnan(value) else form.format(value)


def _target(series: Series, runlog: RunLog) -> TargetSummary:
    errors = [
        image.defocus_um - series.defocus_um
        for image in series.images
        if not math.isnan(image.defocus_um - series.defocus_um)
    ]
    z0 = [image.z0_um for image in series.images if not math.isnan(image.z0_um)]
    notes = [note for note in runlog.notes if note.target == series.number]
    moved = _moved(series)
    return TargetSummary(
        number=series.number,
        series=series.target.series,
        tracking=series.tracking,
        skipped=series.target.skip,
        images=len(series.images),
        wanted=series.wanted,
        true_residual=spread(image.true_nm for image in moved),
        measured_residual=spread(image.measured_nm for image in moved),
        defocus_um=series.defocus_um,
        defocus_error_um=float(np.mean(errors)) if errors else math.nan,
        defocus_rms_um=math.sqrt(float(np.mean(np.square(errors)))) if errors else math.nan,
        dose_inside=series.dose_inside,
        dose_outside=None if series.dose_outside is None else sum(series.dose_outside.values()),
        z0_um=(min(z0, default=math.nan), max(z0, default=math.nan)),
        correction_nm=series.correction_nm,
        skips=tuple(note.text for note in notes if note.kind == "skip"),
        warnings=sum(note.kind in ("warning", "error") for note in notes),
    )


def _moved(series: Series) -> Sequence[SeriesImage]:
    return [image for image in series.images if image.branch != START and image.section != 0]


def _acquiring_s(runlog: RunLog) -> float:
    """Return the time of the tilt series: the acquire steps, or from first to last image without them."""
    steps = [step.seconds for step in runlog.steps if step.name == "acquire"]
    if steps:
        return sum(steps)
    times = [image.t_s for image in runlog.images if not math.isnan(image.t_s)]
    return max(times) - min(times) if times else math.nan
