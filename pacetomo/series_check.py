"""Whether one series on disk is what it should be: stack, metadata and what the run says of it, compared.

Files are read and never changed. What cannot be read is a sentence among the others.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path, PureWindowsPath

from pacetomo.errors import MetadataError, PaceError
from pacetomo.files.atomic import Wait
from pacetomo.files.exchange import mdoc_of
from pacetomo.files.extended_header import find_records, has_pieces, tilts_deg
from pacetomo.files.mdoc import Mdoc, MdocSection, read_mdoc
from pacetomo.files.mdoc_order import acquisition_order, date_time
from pacetomo.files.stack import StackLayout, read_layout
from pacetomo.metadata_keys import ORDER, PRIOR_DOSE
from pacetomo.problem import listed
from pacetomo.run_check import check_against_run, slack, unnoted_last
from pacetomo.run_record import RunRecord, SeriesRecord
from pacetomo.verdict import Found, Verdict

CLOCK_PUT_BACK = timedelta(minutes=70)
"""A clock that goes back by no more than this was put back for the winter."""

_DATE = re.compile(r"\d\d-[A-Za-z]{3}-(\d\d|\d{4})  \d\d:\d\d:\d\d")


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
    found = Found()
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
    if images and mdoc is not None:
        try:
            _check_images(mdoc, run, said, found)
        except MetadataError as err:
            found.wrong.append(_short(err))
    return Verdict(stack.name, tuple(dict.fromkeys(found.wrong)), tuple(found.remarks), _summary(images))


def _check_images(mdoc: Mdoc, run: RunRecord | None, said: SeriesRecord | None, found: Found) -> None:
    """Check what the metadata say of the images, by themselves and against the run."""
    images, unnoted = mdoc.images, 0
    if unnoted_last(mdoc, run, said):
        unnoted = 1
        found.remarks.append(
            "its last image was saved and not yet noted; the run takes it up when it goes on"
        )
    noted = images[: len(images) - unnoted]
    in_time = [noted[place] for place in _in_order_of_time(noted, found)]
    _check_doses(in_time, found)
    _check_dates([*in_time, *images[len(noted) :]], found)
    _check_frames(images, found)
    if run is not None and said is not None:
        check_against_run(in_time, mdoc, run, said, found, unnoted)


# the files


def _layout(stack: Path, run: RunRecord | None, found: Found, wait: Wait | None) -> StackLayout | None:
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


def _mdoc(stack: Path, found: Found, wait: Wait | None) -> Mdoc | None:
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


def _compare(layout: StackLayout, mdoc: Mdoc, found: Found) -> None:
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


def _in_order_of_time(images: Sequence[MdocSection], found: Found) -> list[int]:
    """Places of the images in the order they were taken."""
    known = [order for order in (image.get_float(ORDER) for image in images) if order is not None]
    if known and len(set(known)) < len(images):
        found.wrong.append(f"{ORDER} is missing or given twice")
    return acquisition_order(images)


def _check_doses(images: Sequence[MdocSection], found: Found) -> None:
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
        if (after or 0.0) < (before or 0.0) + dose - slack(after or 0.0)
    ]
    if wrong:
        found.wrong.append(f"{PRIOR_DOSE} grows by less than the dose of the image from {listed(wrong, 4)}")


def _check_dates(images: Sequence[MdocSection], found: Found) -> None:
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


def _check_frames(images: Sequence[MdocSection], found: Found) -> None:
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
