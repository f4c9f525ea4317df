"""Order of acquisition of the images of an mdoc, also of one that has been sorted by tilt."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pacetomo.files.mdoc import MdocSection
from pacetomo.metadata_keys import ORDER

_MONTHS = {
    name: number for number, name in enumerate("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(), 1)
}


def acquisition_order(images: Sequence[MdocSection]) -> list[int]:
    """Return the places of images in the order in which they were taken.

    Where every image has its place (`AcquisitionOrder`), that counts. Images whose tilts do not rise from one to the
    next are taken to be in that order already: clocks are put back at night, and not every program writes doses. Of
    sorted ones the dose before each tells, else date and time.

    Raises
    ------
    MetadataError
        If an image has no tilt angle.
    """
    places = list(range(len(images)))
    tilts = [image.tilt_deg for image in images]
    known = [order for order in (image.get_float(ORDER) for image in images) if order is not None]
    if len(set(known)) == len(images):
        return sorted(places, key=known.__getitem__)
    if any(second < first for first, second in zip(tilts, tilts[1:])):
        return places
    given = [image.get_float("PriorRecordDose") for image in images]
    doses = [dose for dose in given if dose is not None]
    if len(set(doses)) == len(images):
        return sorted(places, key=doses.__getitem__)
    dates = [date for date in map(date_time, images) if date is not None]
    if len(set(dates)) == len(images):
        return sorted(places, key=dates.__getitem__)
    return places


def date_time(image: MdocSection) -> datetime | None:
    r"""Return when an image was taken; None if it does not tell in SerialEM's form.

    >>> from pacetomo.files.mdoc import parse_mdoc
    >>> date_time(parse_mdoc("[ZValue = 0]\nDateTime = 15-Aug-26  12:30:03\n").images[0])
    datetime.datetime(2026, 8, 15, 12, 30, 3)
    """
    words = (image.text("DateTime") or "").replace("-", " ").replace(":", " ").split()
    if len(words) != 6 or words[1].capitalize() not in _MONTHS:
        return None
    try:
        day, year, hour, minute, second = (int(word) for word in (words[0], *words[2:]))
        month = _MONTHS[words[1].capitalize()]
        return datetime(year + 2000 if year < 100 else year, month, day, hour, minute, second)
    except ValueError:
        return None
