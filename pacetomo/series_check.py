"""Whether one series on disk is what it should be: stack, metadata and what the run says of it, compared.

Files are read and never changed. What cannot be read is a sentence among the others.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path, PureWindowsPath
from typing import NamedTuple

from pacetomo.errors import MetadataError, PaceError
from pacetomo.files.atomic import Wait
from pacetomo.files.exchange import mdoc_of
from pacetomo.files.excluding import left_out_of
from pacetomo.files.extended_header import find_records, has_pieces, tilts_deg
from pacetomo.files.mdoc import Mdoc, MdocSection, read_mdoc
from pacetomo.files.mdoc_order import acquisition_order, date_time
from pacetomo.files.stack import StackLayout, read_layout
from pacetomo.metadata_keys import ORDER, PRIOR_DOSE, SETTINGS_HASH
from pacetomo.problem import listed
from pacetomo.run_record import RunRecord, SeriesRecord

SAME_TILT_DEG = 0.5
"""A stage that is farther from the planned tilt than this has not reached it."""

DOSE_TOLERANCE = 0.01
"""What doses may differ by, in e/Å² and as a share: metadata keep six digits."""

CLOCK_PUT_BACK = timedelta(minutes=70)
"""A clock that goes back by no more than this was put back for the winter."""

_DATE = re.compile(r"\d\d-[A-Za-z]{3}-(\d\d|\d{4})  \d\d:\d\d:\d\d")


class Verdict(NamedTuple):
    """What there is to say of a series: what is wrong, what else to know, and what it is in short."""

    name: str
    wrong: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    summary: str = ""

    @property
    def line(self) -> str:
        """One line for people."""
        remarks = "".join(f" ({remark})" for remark in self.remarks)
        if self.wrong:
            return f"{self.name}: WRONG: {'; '.join(self.wrong)}{remarks}"
        return f"{self.name}: {self.summary or 'as it should be'}{remarks}"


def closing_line(verdicts: Sequence[Verdict]) -> str:
    """One line about all of them."""
    wrong = sum(bool(verdict.wrong) for verdict in verdicts)
    if not wrong:
        return f"{len(verdicts)} checked, nothing wrong"
    return f"{len(verdicts)} checked, something is wrong with {wrong}"


@dataclass
class _Found:
    """What has been found about a series so far."""

    wrong: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def check_series(
    stack: Path, run: RunRecord | None = None, said: SeriesRecord | None = None, wait: Wait | None = None
) -> Verdict:
    """Check a stack and its metadata, and both against what the run says of them.

    Parameters
    ----------
    stack : Path
        The stack; where it was deleted its metadata are checked alone.
    run, said : optional
        The run that the series belongs to, and what it says of it; without them the files are compared alone.
    wait : callable, optional
        Waits for the given seconds when another program holds a file.
    """
    found = _Found()
    layout, mdoc = _layout(stack, run, found, wait), _mdoc(stack, found, wait)
    if layout is not None and (has_pieces(layout) or (mdoc is not None and mdoc.head.text("Montage"))):
        found.wrong.append("its sections are pieces of a montage, not images of a tilt series")
        return Verdict(stack.name, tuple(found.wrong), tuple(found.remarks))
    found.wrong += [
        f"{path.name} is left of an interrupted sort, bin or exclude" for path in _leftovers(stack)
    ]
    if layout is not None and mdoc is not None:
        _compare(layout, mdoc, found)
    images = () if mdoc is None else mdoc.images
    if images:
        try:
            order = _in_order_of_time(images, found)
            _check_doses([images[place] for place in order], found)
            _check_dates([images[place] for place in order], found)
            _check_frames(images, found)
            if run is not None and said is not None and mdoc is not None:
                _check_against_run([images[place] for place in order], mdoc, run, said, found)
        except MetadataError as err:
            found.wrong.append(_short(err))
    return Verdict(stack.name, tuple(found.wrong), tuple(found.remarks), _summary(images))


# the files


def _layout(stack: Path, run: RunRecord | None, found: _Found, wait: Wait | None) -> StackLayout | None:
    if not stack.is_file():
        if run is not None and run.is_deleted and mdoc_of(stack).is_file():
            found.remarks.append("its stack was deleted, as delFinalStack asks for")
        else:
            found.wrong.append("the stack is not there")
        return None
    try:
        layout = read_layout(stack, wait)
    except PaceError as err:
        found.wrong.append(_short(err))
        return None
    if layout.sections == 0:
        found.wrong.append("the stack has no images")
    beyond = (layout.file_bytes - layout.data_end) // layout.section_bytes if layout.section_bytes else 0
    if beyond:
        found.wrong.append(
            f"the file holds {layout.sections + beyond} whole images, its header names {layout.sections}"
        )
    if layout.byte_order == ">":
        found.remarks.append("big-endian, not as SerialEM writes it")
    if not find_records(layout).is_known:
        found.remarks.append("its extended header is of an unknown form and not compared")
    return layout


def _mdoc(stack: Path, found: _Found, wait: Wait | None) -> Mdoc | None:
    path = mdoc_of(stack)
    if not path.is_file():
        found.wrong.append(f"there is no metadata ({path.name})")
        return None
    try:
        mdoc = read_mdoc(path, wait)
        mdoc.need_images()
    except PaceError as err:
        found.wrong.append(_short(err))
        return None
    return mdoc


def _leftovers(stack: Path) -> list[Path]:
    pattern = re.compile(re.escape(stack.name) + r"(\.exchange|\.\d+\.part)")
    return sorted(path for path in stack.parent.iterdir() if pattern.fullmatch(path.name))


def _compare(layout: StackLayout, mdoc: Mdoc, found: _Found) -> None:
    """Compare stack and metadata."""
    images = mdoc.images
    if len(images) != layout.sections:
        found.wrong.append(f"the stack has {layout.sections} sections and its metadata {len(images)}")
    names = [image.name for image in images]
    if all(image.kind == "ZValue" for image in images) and names != [str(n) for n in range(len(names))]:
        found.wrong.append("the sections of its metadata are not numbered 0, 1, 2 …")
    try:
        size = mdoc.head.get_floats("ImageSize")
        if size is not None and tuple(size) != (layout.columns, layout.rows):
            wide, high = f"{size[0]:g}", " x ".join(f"{value:g}" for value in size[1:])
            found.wrong.append(
                f"images are {layout.columns} x {layout.rows} pixels, {wide} x {high} in the metadata"
            )
        in_header = tilts_deg(layout)
        if in_header is not None and len(in_header) == len(images):
            others = [
                number
                for number, (image, tilt_deg) in enumerate(zip(images, in_header))
                if abs(image.tilt_deg - tilt_deg) > 0.02
            ]
            if others:
                found.wrong.append(
                    f"extended header and metadata have other tilts in section {listed(list(map(str, others)), 6)}"
                )
    except MetadataError as err:
        found.wrong.append(_short(err))


# what the metadata say


def _in_order_of_time(images: Sequence[MdocSection], found: _Found) -> list[int]:
    """Places of the images in the order they were taken."""
    known = [order for order in (image.get_float(ORDER) for image in images) if order is not None]
    if known and len(set(known)) < len(images):
        found.wrong.append(f"{ORDER} is missing or given twice")
    return acquisition_order(images)


def _check_doses(images: Sequence[MdocSection], found: _Found) -> None:
    """Each image must have had at least the dose of those before it; in order of time."""
    priors = [image.get_float(PRIOR_DOSE) for image in images]
    if any(prior is None for prior in priors):
        if any(prior is not None for prior in priors):
            found.wrong.append(f"{PRIOR_DOSE} is missing in some sections")
        return
    doses = [image.get_float("ExposureDose") or 0.0 for image in images]
    wrong = [
        f"{first.tilt_deg:.1f}° to {second.tilt_deg:.1f}°"
        for first, second, before, after, dose in zip(images, images[1:], priors, priors[1:], doses)
        if (after or 0.0) < (before or 0.0) + dose - _slack(after or 0.0)
    ]
    if wrong:
        found.wrong.append(f"{PRIOR_DOSE} grows by less than the dose of the image from {listed(wrong, 4)}")


def _slack(dose: float) -> float:
    return DOSE_TOLERANCE + DOSE_TOLERANCE * abs(dose)


def _check_dates(images: Sequence[MdocSection], found: _Found) -> None:
    """Dates must be in SerialEM's form and go on; in order of time."""
    texts = [image.text("DateTime") for image in images]
    if not any(texts):
        found.remarks.append("without dates")
        return
    odd = [text for text in texts if text is None or _DATE.fullmatch(text) is None]
    dates = [date_time(image) for image in images]
    if odd:
        found.wrong.append(
            f"DateTime is {odd[0] or 'missing'}, not in SerialEM's form (15-Aug-2026  12:30:01)"
        )
    for image, before, after in zip(images[1:], dates, dates[1:]):
        if before is None or after is None or after >= before:
            continue
        text = f"time goes back from {before} to {after} at {image.tilt_deg:.1f}°"
        if before - after <= CLOCK_PUT_BACK:
            found.remarks.append(f"{text}, as when a clock is put back")
        else:
            found.wrong.append(text)


def _check_frames(images: Sequence[MdocSection], found: _Found) -> None:
    """Either no image names frames, or each names its own, with a whole path."""
    names = [image.text("SubFramePath") for image in images]
    lacking = [str(number) for number, name in enumerate(names) if name is None]
    if len(lacking) == len(names):
        found.remarks.append("without frames")
        return
    if lacking:
        found.wrong.append(f"section {listed(lacking, 6)} names no frames")
    given = [name for name in names if name is not None]
    if len({name.lower() for name in given}) < len(given):
        found.wrong.append("two sections name the same frames")
    partial = [name for name in given if not (name.startswith("/") or PureWindowsPath(name).is_absolute())]
    if partial:
        found.wrong.append(f"SubFramePath {partial[0]} is no whole path")


# what the run says


def _check_against_run(
    images: Sequence[MdocSection], mdoc: Mdoc, run: RunRecord, said: SeriesRecord, found: _Found
) -> None:
    """Compare images in order of time with the journal."""
    hashes = {image.text(SETTINGS_HASH) for image in images} - {None}
    if run.hashes and hashes and not hashes <= run.hashes:
        found.wrong.append(f"{SETTINGS_HASH} is not that of the run: images of another one are among them")
    if not run.has_journal:
        found.remarks.append("no journal to compare with")
        return
    gone = left_out_of(mdoc)
    if gone:
        found.remarks.append(f"{gone} views left out by exclude")
    expected = len(said.images) - gone
    if len(images) != expected:
        found.wrong.append(f"the journal tells of {expected} images, the metadata of {len(images)}")
    lacking = run.tilts - len(said.images)
    if lacking > 0:
        _explain_lacking(lacking, run, said, found)
    places = _places(images, said, gone)
    for image, place in zip(images, places):
        noted = said.images.get(place)
        if noted is None:
            continue
        where = f"image {place + 1} by time"
        if abs(image.tilt_deg - noted.tilt_deg) > SAME_TILT_DEG:
            found.wrong.append(
                f"{where} is at {image.tilt_deg:.1f}°, by the journal at {noted.tilt_deg:.1f}°"
            )
            break
        for key, dose in (("ExposureDose", noted.dose_e_per_a2), (PRIOR_DOSE, noted.prior_e_per_a2)):
            value = image.get_float(key)
            if value is not None and not math.isnan(dose) and abs(value - dose) > _slack(dose):
                found.wrong.append(f"{where} has {key} {value:.2f}, {dose:.2f} by the journal")
                return


def _explain_lacking(lacking: int, run: RunRecord, said: SeriesRecord, found: _Found) -> None:
    text = f"{lacking} of {run.tilts} planned images were not taken"
    if said.reasons:
        found.remarks.append(f"{text}: {listed(said.reasons, 2)}")
    elif not run.is_finished:
        found.remarks.append(f"{text}: the run is not finished")
    elif said.tile:
        found.remarks.append(f"{text}, as far as its tile was out of reach")
    else:
        found.wrong.append(f"{text} and nothing says why")


def _places(images: Sequence[MdocSection], said: SeriesRecord, gone: int) -> list[int]:
    """Which image of the journal each one is, from 0; empty where that cannot be told."""
    orders = [image.get_float(ORDER) for image in images]
    if all(order is not None for order in orders):
        return [int(order or 0) - 1 for order in orders]
    return sorted(said.images) if not gone and len(images) == len(said.images) else []


def _summary(images: Sequence[MdocSection]) -> str:
    """What a series is, in short."""
    try:
        tilts = [image.tilt_deg for image in images]
        doses = [image.get_float("ExposureDose") for image in images]
    except MetadataError:
        return ""
    if not tilts:
        return ""
    parts = [f"{len(tilts)} images", f"{min(tilts):.1f} to {max(tilts):.1f}°"]
    parts += [f"{sum(dose or 0.0 for dose in doses):.1f} e/Å²"] if any(doses) else []
    return ", ".join(parts)


def _short(err: PaceError) -> str:
    """An error in one line."""
    return " ".join(str(err).split())
