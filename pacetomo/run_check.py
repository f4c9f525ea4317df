"""Whether the images of a series are those of which its run says that they were taken."""

from __future__ import annotations

import math
from collections.abc import Sequence

from pacetomo.files.excluding import left_out_of
from pacetomo.files.mdoc import Mdoc, MdocSection
from pacetomo.metadata_keys import ORDER, PRIOR_DOSE, SETTINGS_HASH
from pacetomo.problem import listed
from pacetomo.run_record import RunRecord, SeriesRecord
from pacetomo.verdict import Found

SAME_TILT_DEG = 0.5
"""A stage that is farther from the planned tilt than this has not reached it."""

DOSE_TOLERANCE = 0.01
"""What doses may differ by, in e/Å² and as a share: metadata keep six digits."""


def slack(dose: float) -> float:
    """Return what two notes of a dose may differ by (e/Å²)."""
    return DOSE_TOLERANCE + DOSE_TOLERANCE * abs(dose)


def unnoted_last(mdoc: Mdoc, run: RunRecord | None, said: SeriesRecord | None) -> bool:
    """Whether a run was interrupted after it had saved the last image and before all was noted of it.

    A run that is gone on with takes such an image up. In an unfinished run sections stand in order of acquisition.
    """
    if run is None or said is None or run.is_finished or not run.has_journal or left_out_of(mdoc):
        return False
    images = mdoc.images
    orders = [image.get_float(ORDER) for image in images]
    noted = len(said.images) + _taken_at_breaks(images[:-1], said)
    is_next = len(images) == noted + 1 and orders[:-1] == list(range(1, len(images)))
    return is_next and orders[-1] in (None, len(images))


def check_against_run(
    images: Sequence[MdocSection],
    mdoc: Mdoc,
    run: RunRecord,
    said: SeriesRecord,
    found: Found,
    unnoted: int = 0,
) -> None:
    """Compare images in order of time with the journal; `unnoted` more have been taken."""
    hashes = {image.text(SETTINGS_HASH) for image in images} - {None}
    if run.hashes and hashes and not hashes <= run.hashes:
        found.wrong.append(f"{SETTINGS_HASH} is not that of the run: images of another one are among them")
    if not run.has_journal:
        found.remarks.append("no journal to compare with")
        return
    gone = left_out_of(mdoc)
    if gone:
        found.remarks.append(f"{gone} views left out by exclude")
    at_breaks = _taken_at_breaks(images, said)
    if at_breaks:
        found.remarks.append(f"{at_breaks} taken as the run was interrupted, which the journal lacks")
    taken = len(said.images) + at_breaks
    expected = taken - gone
    if len(images) != expected:
        found.wrong.append(f"the journal tells of {expected} images, the metadata of {len(images)}")
    lacking = run.tilts - taken - unnoted
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
            if value is not None and not math.isnan(dose) and abs(value - dose) > slack(dose):
                found.wrong.append(f"{where} has {key} {value:.2f}, {dose:.2f} by the journal")
                return


def _taken_at_breaks(images: Sequence[MdocSection], said: SeriesRecord) -> int:
    """How many images are noted in the metadata and were interrupted before the journal got their line."""
    orders = {image.get_float(ORDER) for image in images}
    return sum(place + 1 in orders for place in said.at_breaks - said.images.keys())


def _explain_lacking(lacking: int, run: RunRecord, said: SeriesRecord, found: Found) -> None:
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
