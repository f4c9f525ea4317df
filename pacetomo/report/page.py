"""The report of a run: one HTML page that needs no other file, no network and no script."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

from pacetomo.errors import PaceError
from pacetomo.files.atomic import write_with_backup
from pacetomo.report import figures
from pacetomo.report.contact import Strip, acquired_on, contact_strip
from pacetomo.report.page_style import CAPTIONS, CSS
from pacetomo.report.predicted import calibration, predicted_figure
from pacetomo.report.records import RunLog
from pacetomo.report.sample_map import sample_figure
from pacetomo.report.series import Series, join
from pacetomo.report.summary import (
    GOOD_RESIDUAL_NM,
    Summary,
    TargetSummary,
    duration,
    number,
    summarise,
    totals,
)
from pacetomo.report.truth import TruthLog

_GROUPS = (
    ("", 3),
    ("true residual (nm)", 4),
    ("measured", 1),
    ("off (nm)", 1),
    ("defocus", 1),
    ("its error (µm)", 2),
    ("dose (e/Å²)", 2),
    ("z0 (µm)", 1),
    ("", 1),
)
_COLUMNS = (
    "target|series|images|rms|median|95 %|largest|rms (nm)|at start|wanted|mean|rms|inside|outside|"
    "from … to|remarks"
).split("|")


def write_report(
    out: Path,
    runlog: RunLog,
    truth: TruthLog | None,
    stacks_dir: Path,
    timeline: Mapping[str, float] | None = None,
) -> Path:
    """Write the report of a run. The same input gives the same bytes.

    Parameters
    ----------
    out
        The HTML file, or a folder, in which it becomes `report.html`. A report that is there already and
        differs is kept under a numbered name.
    runlog, truth
        What `read_journal` and `read_truth` return; without a truth log the figures show what the run
        measured.
    stacks_dir
        Folder with the stacks of the series, named as in the journal.
    timeline
        Microscope time by activity, s.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    PaceError
        If the file cannot be written.
    """
    path = out if out.suffix.lower() in (".html", ".htm") else out / "report.html"
    page = report_page(runlog, truth, stacks_dir, timeline).encode("utf-8")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise PaceError(
            f"the folder {path.parent} for the report cannot be made: {err.strerror or err}"
        ) from err
    write_with_backup(path, page)
    return path


def report_page(
    runlog: RunLog, truth: TruthLog | None, stacks_dir: Path, timeline: Mapping[str, float] | None
) -> str:
    """Return the report as HTML."""
    summary = summarise(runlog, truth)
    series = join(runlog, truth)
    title = f"{runlog.area or 'Run'}: {summary.state}"
    parts = [
        _header(runlog, summary, truth, _first_date(series, stacks_dir)),
        _findings(runlog),
        _table(summary),
        _figure("sample", figures.png(lambda: sample_figure(series, runlog, truth))),
        _figure("residual", figures.png(lambda: figures.residual_figure(series))),
        _predicted(series),
        _figure("eucentric", figures.png(lambda: figures.eucentric_figure(series))),
        _figure("defocus", figures.png(lambda: figures.defocus_figure(series))),
        _figure("timeline", figures.png(lambda: figures.timeline_figure(runlog, timeline))),
        _figure("dose", figures.png(lambda: figures.dose_figure(series))),
        _contact_sheet(series, stacks_dir),
        _notes(runlog),
        _settings(runlog),
    ]
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{CSS}</style>'
    body = "\n".join(parts)
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head>\n<body>\n{body}\n</body></html>\n'


def _header(runlog: RunLog, summary: Summary, truth: TruthLog | None, date: str) -> str:
    cards = [
        ("targets", str(sum(not target.skipped for target in summary.targets))),
        ("images", f"{summary.images} / {summary.wanted}"),
        ("tilts", str(summary.tilts)),
        ("microscope time", duration(summary.elapsed_s)),
        ("per target and tilt", number(summary.per_image_s, "{:.1f} s")),
    ]
    if summary.others:
        cards.append(("true residual, median", f"{summary.others.median_nm:.0f} nm"))
        cards.append((f"within ±{GOOD_RESIDUAL_NM:.0f} nm", f"{summary.others_within:.1%}"))
    boxes = "".join(f"<div><b>{escape(value)}</b><span>{escape(name)}</span></div>" for name, value in cards)
    facts = [date, f"target file {runlog.target_file}" if runlog.target_file else ""]
    facts.append(f"pacetomo {runlog.version}" if runlog.version else "")
    facts.append("rehearsed on the simulated microscope" if truth else "no truth log: measured values only")
    state = f'<em class="state {_state_class(summary)}">{escape(summary.state)}</em>'
    why = f"<p>{escape(runlog.end.text)}</p>" if runlog.end and runlog.end.text else ""
    sentences = "".join(f"<p>{escape(sentence)}</p>" for sentence in totals(summary)[1:])
    return (
        f"<header><h1>{escape(runlog.area or 'Run')} {state}</h1>"
        f'<p class="facts">{escape(" · ".join(fact for fact in facts if fact))}</p>{why}'
        f'<div class="cards">{boxes}</div>{sentences}</header>'
    )


def _state_class(summary: Summary) -> str:
    return "good" if summary.state == "finished" and summary.images == summary.wanted else "bad"


def _section(name: str, content: str) -> str:
    title, caption = CAPTIONS[name]
    return f'<section id="{name}"><h2>{escape(title)}</h2>{content}<p>{escape(caption)}</p></section>'


def _figure(name: str, png: bytes) -> str:
    return _section(name, f'<img class="figure" alt="{escape(CAPTIONS[name][0])}" src="{_data(png)}">')


def _data(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def _table(summary: Summary) -> str:
    rows = "".join(_table_row(target) for target in summary.targets)
    groups = "".join(f'<th colspan="{columns}">{escape(name)}</th>' for name, columns in _GROUPS)
    heads = f"<thead><tr>{groups}</tr><tr>{_cells('th', _COLUMNS)}</tr></thead>"
    return _section("summary", f'<table class="numbers">{heads}<tbody>{rows}</tbody></table>')


def _table_row(target: TargetSummary) -> str:
    true = target.true_residual
    lengths = (true.rms_nm, true.median_nm, true.p95_nm, true.max_nm) if true else (math.nan,) * 4
    measured = target.measured_residual.rms_nm if target.measured_residual else math.nan
    correction = target.correction_nm.length
    outside = math.nan if target.dose_outside is None else target.dose_outside
    low, high = target.z0_um
    remarks = [*(["tracking"] if target.tracking else []), *(["left out"] if target.skipped else [])]
    remarks += [*dict.fromkeys(target.skips), *([_counted(target.warnings)] if target.warnings else [])]
    poor = true is not None and true.p95_nm > 2 * GOOD_RESIDUAL_NM
    cells = [
        (str(target.number), ""),
        (target.series, "text name" if len(target.series) <= 24 else "text"),
        (f"{target.images}/{target.wanted}", "poor" if target.images < target.wanted else ""),
        *(
            (number(value, "{:.0f}"), "poor" if poor and place > 1 else "")
            for place, value in enumerate(lengths)
        ),
        (number(measured, "{:.0f}"), ""),
        (number(correction, "{:.0f}"), ""),
        (number(target.defocus_um, "{:.2f}"), ""),
        (number(target.defocus_error_um, "{:+.2f}"), ""),
        (number(target.defocus_rms_um, "{:.2f}"), "poor" if target.defocus_rms_um > 0.5 else ""),
        (number(target.dose_inside, "{:.1f}"), ""),
        (number(outside, "{:.1f}"), "poor" if outside > 0.1 * target.dose_inside > 0 else ""),
        ("-" if math.isnan(low) else f"{low:+.2f}…{high:+.2f}", "whole"),
        (", ".join(remarks), "text"),
    ]
    row = "".join(f'<td class="{kind}">{escape(text)}</td>' for text, kind in cells)
    return f'<tr class="{"tracking" if target.tracking else "left" if target.skipped else ""}">{row}</tr>'


def _counted(warnings: int) -> str:
    return "1 warning" if warnings == 1 else f"{warnings} warnings"


def _contact_sheet(series: Sequence[Series], stacks_dir: Path) -> str:
    strips = [(entry, contact_strip(stacks_dir, entry.target.series)) for entry in series if entry.images]
    blocks = "".join(_strip(entry, strip) for entry, strip in strips if strip.thumbs)
    # The same note for every series of a run (no images in it) is said once, with the numbers it holds for.
    notes = dict.fromkeys(strip.note for _, strip in strips if strip.note)
    for note in notes:
        numbers = ", ".join(str(entry.number) for entry, strip in strips if strip.note == note)
        blocks += f'<p class="note">{escape(f"Target {numbers}: {note}")}</p>'
    return _section("contact", f'<div class="sheet">{blocks or "<p>No images.</p>"}</div>')


def _strip(series: Series, strip: Strip) -> str:
    tilts = {image.section: image.tilt_deg for image in series.images}
    name = f"{series.number}{' (tracking)' if series.tracking else ''} · {series.target.series}"
    if strip.width_um > 0:
        name += f" · field {strip.width_um:.2f} µm"
    pictures = "".join(
        f'<figure><span><img alt="section {thumb.section}" src="{_data(thumb.png)}"></span>'
        f"<figcaption>{escape(number(tilts.get(thumb.section, math.nan), '{:+.0f}°'))}, "
        f"image {thumb.section + 1} of {strip.sections}</figcaption></figure>"
        for thumb in strip.thumbs
    )
    return f'<div class="strip"><h3>{escape(name)}</h3>{pictures}</div>'


def _findings(runlog: RunLog) -> str:
    """What the tracking model has found out about the session."""
    rows = "".join(
        f"<tr>{_cells('td', (found.name, _capital(found.cause), _capital(found.cure)))}</tr>"
        for found in runlog.findings
    )
    heads = _cells("th", ("about", "probable cause", "what to do"))
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>" if rows else "<p>None.</p>"
    return _section("findings", table)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _predicted(series: Sequence[Series]) -> str:
    """Figure and calibration of the predictions; journals of older versions do not hold them."""
    sentences = calibration(series)
    if not sentences:
        return _section("predicted", "<p>The journal does not tell what was expected.</p>")
    told = "".join(f"<p><b>{escape(sentence)}</b></p>" for sentence in sentences)
    picture = _data(figures.png(lambda: predicted_figure(series)))
    return _section(
        "predicted", f'{told}<img class="figure" alt="{escape(CAPTIONS["predicted"][0])}" src="{picture}">'
    )


def _notes(runlog: RunLog) -> str:
    rows = "".join(
        f'<tr class="{escape(note.kind)}"><td>{escape(number(note.t_s / 60, "{:.1f} min"))}</td>'
        f"<td>{escape(note.kind)}</td><td>{'' if note.target is None else note.target}</td>"
        f"<td>{escape('' if math.isnan(note.tilt_deg) else f'{note.tilt_deg:+.0f}°')}</td>"
        f'<td class="text">{escape(note.text)}</td></tr>'
        for note in runlog.notes
    )
    heads = _cells("th", ("clock", "kind", "target", "tilt", "what happened"))
    table = f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>" if rows else "<p>None.</p>"
    return _section("notes", table)


def _settings(runlog: RunLog) -> str:
    rows = "".join(
        f'<tr class="{"" if setting.origin == "default" else "changed"}">'
        + "".join(
            f'<td class="text">{escape(text)}</td>'
            for text in (setting.name, _value(setting.value), setting.origin)
        )
        + "</tr>"
        for setting in runlog.settings
    )
    heads = _cells("th", ("setting", "value", "from"))
    table = (
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>"
        if rows
        else "<p>None noted.</p>"
    )
    return _section("settings", f'<div class="columns">{table}</div>')


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _cells(tag: str, texts: Iterable[str]) -> str:
    return "".join(f"<{tag}>{escape(text)}</{tag}>" for text in texts)


def _first_date(series: Sequence[Series], stacks_dir: Path) -> str:
    dates = (acquired_on(stacks_dir, entry.target.series) for entry in series if entry.images)
    return next((date for date in dates if date), "")
