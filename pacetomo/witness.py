"""What the stacks of a run say has been taken: the witness that a resume goes by.

A section that is in a stack was exposed, whatever the run file knows of it. Its tilt is that of its metadata, or of the
stack's extended header where the metadata do not say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, Optional

from pacetomo.errors import MetadataError, PlanError, StackError
from pacetomo.files.atomic import Wait
from pacetomo.files.exchange import mdoc_of
from pacetomo.files.extended_header import tilts_deg
from pacetomo.files.mdoc import MdocSection, read_mdoc
from pacetomo.files.stack import read_layout
from pacetomo.plan import Exposure

MOST_OFF_DEG = 0.5
"""How far from the planned tilt an image may have been taken."""


class Section(NamedTuple):
    """An image in a stack: section from 0, stage tilt (None if nothing tells it), dose (e/Å², 0 if not known)."""

    number: int
    tilt_deg: Optional[float]  # noqa: UP045 - evaluated at run time on Python 3.9
    dose_e_per_a2: float = 0.0


def sections_of(stack: Path, wait: Wait | None = None) -> tuple[Section, ...]:
    """Images of a stack, in their order; none if there is no such file, or it is empty.

    Raises
    ------
    PlanError
        When the stack is damaged: nobody can tell then what was taken.
    """
    if not stack.is_file() or stack.stat().st_size == 0:
        return ()
    try:
        layout = read_layout(stack, wait)
        in_header = tilts_deg(layout)
        images = _images(stack, wait)
    except (StackError, MetadataError) as err:
        raise PlanError(f"what has been taken cannot be told: {err}") from err
    found = []
    for number in range(layout.sections):
        image = images.get(number)
        tilt_deg = None if image is None else image.get_float("TiltAngle")
        if tilt_deg is None and in_header is not None and number < len(in_header):
            tilt_deg = in_header[number]
        dose = None if image is None else image.get_float("ExposureDose")
        found.append(Section(number, tilt_deg, dose or 0.0))
    return tuple(found)


def _images(stack: Path, wait: Wait | None) -> Mapping[int, MdocSection]:
    """Metadata by section; empty without a metadata file."""
    path = mdoc_of(stack)
    if not path.is_file():
        return {}
    images = read_mdoc(path, wait).images
    return {int(image.name): image for image in images if image.kind == "ZValue" and image.name.isdigit()}


def matched(
    sections: Iterable[Section], exposures: Iterable[Exposure]
) -> tuple[dict[int, Exposure], tuple[Section, ...]]:
    """Planned exposures of one target that its sections are images of.

    Returns
    -------
    taken : dict of int to Exposure
        By section.
    others : tuple of Section
        Sections at tilts that are not planned, or not known.
    """
    planned = list(exposures)
    taken: dict[int, Exposure] = {}
    others = []
    for section in sections:
        nearest = None
        if section.tilt_deg is not None and planned:
            tilt_deg = section.tilt_deg
            nearest = min(planned, key=lambda exposure: abs(exposure.tilt_deg - tilt_deg))
            if abs(nearest.tilt_deg - tilt_deg) > MOST_OFF_DEG:
                nearest = None
        if nearest is None:
            others.append(section)
        else:
            taken[section.number] = nearest
            planned.remove(nearest)
    return taken, tuple(others)
