"""Metadata in the form that importers of other programs insist on: one ``NAME.mdoc`` a series.

Readers in the field break on what SerialEM and its scripts may well write: a second "=" in a line, blanks at the end,
dates with one blank or with years of two digits among those of four, dates that run backwards because a clock was put
back, keys before `TiltAngle`, lines of more than 255 characters, numbers of sections with gaps, several titles. So an
export writes SerialEM's keys in SerialEM's order, others behind them, and leaves out what cannot be written safely.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import PureWindowsPath

from pacetomo.export.axis import is_axis_title
from pacetomo.export.product import (
    File,
    Options,
    Product,
    Remark,
    lacking_frames_warning,
    safe_name,
    stack_name,
)
from pacetomo.export.series import Series, View
from pacetomo.metadata_keys import PRIOR_DOSE

HEAD_KEYS = ("PixelSpacing", "Voltage", "Version", "ImageFile", "ImageSize", "DataMode")
"""Keys of the global part in SerialEM's order."""

IMAGE_KEYS = tuple(
    """MinMaxMean TiltAngle StagePosition StageZ Magnification Intensity ExposureDose DoseRate PixelSpacing SpotSize
    ProbeMode Defocus ImageShift RotationAngle ExposureTime Binning CameraIndex DividedBy2 OperatingMode UsingCDS
    MagIndex LowDoseConSet CountsPerElectron TargetDefocus PriorRecordDose SubFramePath NumSubFrames
    FrameDosesAndNumber DateTime NavigatorLabel FilterSlitAndLoss ChannelName MultishotHoleAndPosition UncroppedSize
    CenteredCrop RotationAndFlip
    TimeStamp""".split()
)
"""Keys of an image in SerialEM's order."""

LONGEST_LINE = 250
"""AreTomo3 reads lines into 256 characters."""

ViewsInOrder = Callable[[Series], Sequence[View]]

_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()
_NO_DATE = datetime(2000, 1, 1)


def views_by_time(series: Series) -> Sequence[View]:
    """Return the views of a series in order of acquisition."""
    return series.by_time


def views_by_tilt(series: Series) -> Sequence[View]:
    """Return the views of a series in order of tilt."""
    return series.by_tilt


def mdoc_files(
    all_series: Sequence[Series], options: Options, program: str, in_order: ViewsInOrder = views_by_time
) -> Product:
    """Return ``NAME.mdoc`` for each series.

    Parameters
    ----------
    all_series : sequence of Series
    options : Options
    program : str
        Its name for people.
    in_order : callable
        Returns the views of a series in the order of the sections.
    """
    files: list[File] = []
    remarks: list[Remark] = []
    for series in all_series:
        dates, told = _dates(series.by_time)
        text = _mdoc_text(series, in_order(series), options, dates)
        files.append(File(f"{safe_name(series.name)}.mdoc", text))
        told += lacking_frames_warning(series, program)
        remarks += [Remark(series.name, sentence) for sentence in told]
    return Product(tuple(files), tuple(remarks))


def date_text(date: datetime) -> str:
    """Return a date in SerialEM's present form, whatever the language of the computer.

    >>> date_text(datetime(2026, 8, 15, 9, 30, 3))
    '15-Aug-2026  09:30:03'
    """
    return f"{date.day:02d}-{_MONTHS[date.month - 1]}-{date.year:04d}  {date:%H:%M:%S}"


def _dates(by_time: Sequence[View]) -> tuple[dict[int, datetime], list[str]]:
    """Dates by section that rise in order of acquisition, by which several programs sort; and what was changed."""
    dates: dict[int, datetime] = {}
    latest: datetime | None = None
    changed = 0
    for view in by_time:
        date = view.taken
        if date is None or (latest is not None and date <= latest):
            date = _NO_DATE if latest is None else latest + timedelta(seconds=1)
            changed += 1
        dates[view.section] = latest = date
    if not changed:
        return dates, []
    return dates, [
        f"the dates of {changed} of {len(by_time)} images are missing or do not follow the order of acquisition; "
        "they are written so that they do"
    ]


def _mdoc_text(series: Series, views: Sequence[View], options: Options, dates: dict[int, datetime]) -> str:
    blocks = [_head(series, options), *_titles(series)]
    for number, view in enumerate(views):
        values = _values(view, options)
        values["DateTime"] = date_text(dates[view.section])
        blocks.append([f"[ZValue = {number}]", *_lines(values, IMAGE_KEYS)])
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _head(series: Series, options: Options) -> list[str]:
    values = {key: series.mdoc.head.text(key) or "" for key in series.mdoc.head.keys}
    values.setdefault("Voltage", f"{series.voltage_kv or options.voltage_kv:g}")
    values["PixelSpacing"] = f"{series.pixel_angstrom:g}"
    values["ImageFile"] = stack_name(series)
    return _lines(values, HEAD_KEYS)


def _titles(series: Series) -> list[list[str]]:
    """SerialEM's own two titles, the second of which names the tilt axis; others say nothing to importers."""
    titles = [section for section in series.mdoc.sections if section.kind == "T"]
    first = [section.name for section in titles if not is_axis_title(section)][:1]
    image = series.views[0].image
    binning = image.get_float("Binning") or 1.0
    axis = (
        f"    Tilt axis angle = {series.axis_deg:.1f}, binning = {binning:g}  spot = {image.text('SpotSize') or 0}  "
        f"camera = {image.text('CameraIndex') or 0}"
    )
    return [[f"[T = {_plain(title)}]"] for title in (*first, axis) if "=" not in title or title is axis]


def _values(view: View, options: Options) -> dict[str, str]:
    values = {key: view.image.text(key) or "" for key in view.image.keys}
    if view.dose_e_per_a2 is not None:
        values["ExposureDose"] = f"{view.dose_e_per_a2:g}"
    if view.prior_dose_e_per_a2 is not None:
        values[PRIOR_DOSE] = f"{view.prior_dose_e_per_a2:.6g}"
    if view.frames is not None:
        values["SubFramePath"] = _frame_path(view, options)
    return values


def _frame_path(view: View, options: Options) -> str:
    """Path of the frames: as noted, or in the folder that was named; one that is too long is left its name only."""
    path = view.frames or ""
    if options.frames is not None:
        slash = "\\" if "\\" in options.frames else "/"
        path = f"{options.frames.rstrip('/' + chr(92))}{slash}{view.frame_name}"
    folder_less = PureWindowsPath(path).name
    return path if len(path) <= LONGEST_LINE - len("SubFramePath = ") else folder_less


def _lines(values: dict[str, str], order: Sequence[str]) -> list[str]:
    """Return lines `key = value`: known keys in their order, then the others in that of the file."""
    keys = [*(key for key in order if key in values), *(key for key in values if key not in order)]
    lines = (f"{key} = {_plain(values[key]).strip()}" for key in keys if values[key].strip())
    return [line for line in lines if line.count("=") == 1 and len(line) <= LONGEST_LINE]


def _plain(text: str) -> str:
    """Return a text without what is not UTF-8."""
    return text.encode("utf-8", "replace").decode("utf-8")
