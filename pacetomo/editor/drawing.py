"""Figures of the plot, in µm of the specimen frame relative to the tracking target, as targets were picked. Pure.

A beam is a disc and a field a rectangle as seen along the beam. Tilting shrinks the sample across the tilt axis (for
a level sample by cos t), so that on the sample, drawn as it was picked, both are stretched by as much: the disc of a
beam becomes an ellipse. `on_sample` is that mapping, also for an inclined sample.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Optional

import numpy as np

from pacetomo.editor.model import Document
from pacetomo.errors import PlanError
from pacetomo.frames import ORIGIN, XY, Matrix2
from pacetomo.geometry import SamplePlane
from pacetomo.overlap import Field, Overlap
from pacetomo.targets import AREAS

CORNERS = 48
"""Corners of the polygon that stands for a beam."""

CHORDS = 17
"""Chords of a beam of which the ends are the corners of an exposed region."""

FLATTEST = 0.05
"""A sample foreshortened by more than this (87° for a level one) is seen edge-on and has no footprints."""

USUAL_FIELD = Field(XY(1.0, 0.71))
"""Field (µm) drawn where neither microscope nor references tell that of Record."""

USUAL_BEAM_UM = 1.3
"""Beam drawn where no microscope tells it."""

Polygon = tuple[XY, ...]


class Shaded(NamedTuple):
    """A region of target `number` that the beam on target `by` exposes at the tilt shown.

    `dose_e_per_a2` is the mean over the image that `by` adds over the whole series, `share` that of the image at the
    tilt where it is largest.
    """

    number: int
    by: int
    region_um: Polygon
    dose_e_per_a2: float
    share: float


class Bounds(NamedTuple):
    """A rectangle that holds what is to be seen (µm)."""

    low_um: XY
    high_um: XY


def tilt_matrix(plane: SamplePlane, tilt_deg: float) -> Matrix2:
    """From a place in the untilted specimen frame to where it is seen at a stage tilt; `SamplePlane.seen` as matrix.

    >>> tilt_matrix(SamplePlane(), 60.0).apply(XY(1.0, 2.0)).y
    1.0000000000000002
    """
    x, y = plane.seen(XY(1.0, 0.0), tilt_deg), plane.seen(XY(0.0, 1.0), tilt_deg)
    return Matrix2(x.x, y.x, x.y, y.y)


def on_sample(document: Document, tilt_deg: float) -> Matrix2:
    """From as seen at a tilt to the plot, which shows the sample as it was picked.

    Raises
    ------
    PlanError
        When the sample is seen edge-on at that tilt, or was when the targets were picked.
    """
    at_tilt, as_picked = (tilt_matrix(document.plane, t) for t in (tilt_deg, document.picked_at_deg))
    for matrix, at_deg in ((at_tilt, tilt_deg), (as_picked, document.picked_at_deg)):
        if matrix.determinant < FLATTEST:
            raise PlanError(f"at {at_deg:g}° the sample is seen edge-on: beams have no footprint on it")
    return as_picked.times(at_tilt.inverse())


def stretch(document: Document, tilt_deg: float) -> float:
    """How many times as far across the tilt axis as along it a footprint reaches in the plot, at a tilt of either sign.

    For a level sample that was picked untilted it is 1/cos; an inclined one is stretched more to one side.

    Raises
    ------
    PlanError
        When the sample is seen edge-on at one of the two tilts.
    """
    return max(on_sample(document, sign * tilt_deg).ypy for sign in (1.0, -1.0))


def steepest_deg(document: Document) -> float:
    """Largest tilt for a slider: that of the plan, within what the sample's inclination allows."""
    wanted = max(abs(document.settings.minTilt), abs(document.settings.maxTilt))
    edge = 90.0 - abs(document.settings.pretilt)
    return min(wanted, max(edge - 4.0, 0.0))


def record_field(document: Document) -> Field:
    """Field of Record as far as known."""
    facts = document.known.facts
    if facts.field_um is None:
        return USUAL_FIELD
    return Field(facts.field_um, facts.field_rotation_deg)


def field_of(document: Document, area: str) -> Field:
    """Field of the low-dose area that a target is recorded in; that of Record where it is not known."""
    size_um = document.known.facts.coarse_fields_um.get(area)
    record = record_field(document)
    return record if area == "R" or size_um is None else Field(size_um, record.rotation_deg)


def beam_um(document: Document) -> float:
    """Diameter of the beam as far as known; else the smallest that illuminates all of Record's field."""
    if document.known.facts.beam_um is not None:
        return document.known.facts.beam_um
    if document.known.facts.field_um is None:
        return USUAL_BEAM_UM
    return document.known.facts.field_um.length


def field_corners(place_um: XY, field: Field) -> Polygon:
    """Four corners of a field around a place, counter-clockwise.

    >>> field_corners(XY(1.0, 1.0), Field(XY(2.0, 1.0), 90.0))[0]
    XY(x=1.5, y=0.0)
    """
    half_x, half_y = field.size_um.x / 2, field.size_um.y / 2
    corners = (XY(-half_x, -half_y), XY(half_x, -half_y), XY(half_x, half_y), XY(-half_x, half_y))
    return tuple(_rounded(place_um.plus(field.axes.apply(corner))) for corner in corners)


def _rounded(place_um: XY) -> XY:
    return XY(round(place_um.x, 9) + 0.0, round(place_um.y, 9) + 0.0)


def circle(centre_um: XY, radius_um: float, corners: int = CORNERS) -> Polygon:
    """Corners of a circle, counter-clockwise."""
    turns = (2 * math.pi * corner / corners for corner in range(corners))
    return tuple(
        XY(centre_um.x + radius_um * math.cos(turn), centre_um.y + radius_um * math.sin(turn))
        for turn in turns
    )


def footprint(document: Document, number: int, tilt_deg: float) -> Polygon:
    """Corners of what the beam on a target exposes of the sample at a tilt.

    Raises
    ------
    PlanError
        When the sample is seen edge-on at that tilt.
    """
    mapping = on_sample(document, tilt_deg)
    place = document.places_um[number]
    return tuple(place.plus(mapping.apply(corner)) for corner in circle(ORIGIN, beam_um(document) / 2))


def footprints(document: Document, tilt_deg: float) -> dict[int, Polygon]:
    """Corners of what the beams expose of the sample at a tilt, by target, without skipped ones; as `footprint`."""
    mapping = on_sample(document, tilt_deg)
    shape = [mapping.apply(corner) for corner in circle(ORIGIN, beam_um(document) / 2)]
    return {
        target.number: tuple(document.places_um[target.number].plus(corner) for corner in shape)
        for target in document.targets.targets
        if not target.skip
    }


def shaded_overlaps(document: Document, tilt_deg: float, overlaps: Sequence[Overlap]) -> list[Shaded]:
    """Regions in which beams reach other targets' fields at a tilt, for overlaps found by `plan_panel.findings`.

    Pairs that overlap at other tilts only have no region at this one.

    Raises
    ------
    PlanError
        When the sample is seen edge-on at that tilt.
    """
    mapping = on_sample(document, tilt_deg)
    back, places, radius_um = mapping.inverse(), document.places_um, beam_um(document) / 2
    there = [overlap for overlap in overlaps if overlap.target in places and overlap.by in places]
    found = []
    for area in AREAS:
        field = field_of(document, area)
        of_area = [overlap for overlap in there if document.target(overlap.target).area == area]
        beams = [back.apply(places[overlap.by].minus(places[overlap.target])) for overlap in of_area]
        for overlap, region in zip(of_area, exposed_regions(beams, radius_um, field)):
            if region:
                ours = places[overlap.target]
                drawn = tuple(ours.plus(mapping.apply(corner)) for corner in region)
                found.append(Shaded(overlap.target, overlap.by, drawn, overlap.dose_e_per_a2, overlap.share))
    return found


def exposed_regions(beams_um: Sequence[XY], radius_um: float, field: Field) -> list[Polygon]:
    """The part of an image that each of several beams exposes, from its centre in the specimen frame.

    Parameters
    ----------
    beams_um : sequence of XY
        Centres of the beams from that of the image.
    radius_um : float
        Of each beam.
    field : Field
        The image.

    Returns
    -------
    list of tuple of XY
        Corners, counter-clockwise: along the lower ends of chords across the image's X axis and back along the upper
        ones. Empty where a beam does not reach the image.
    """
    if not beams_um:
        return []
    half_x, half_y = field.size_um.x / 2, field.size_um.y / 2
    to_image, axes = field.axes.inverse(), field.axes
    beams = np.array([to_image.apply(beam) for beam in beams_um])
    left = np.maximum(beams[:, 0] - radius_um, -half_x)
    right = np.minimum(beams[:, 0] + radius_um, half_x)
    # Evenly on the circle rather than on the axis: chords change fastest at its ends.
    steps = (1 - np.cos(np.linspace(0, np.pi, CHORDS))) / 2
    x = left[:, None] + (right - left)[:, None] * steps
    half_chord = np.sqrt(np.maximum(radius_um**2 - (x - beams[:, :1]) ** 2, 0.0))
    low = np.clip(beams[:, 1:] - half_chord, -half_y, half_y)
    high = np.clip(beams[:, 1:] + half_chord, -half_y, half_y)
    is_there = (right > left) & ((high - low).max(axis=1) > 0)
    x, y = np.hstack((x, x[:, ::-1])), np.hstack((low, high[:, ::-1]))
    seen_x, seen_y = axes.xpx * x + axes.xpy * y, axes.ypx * x + axes.ypy * y
    return [
        tuple(map(XY, *row)) if shown else ()
        for shown, *row in zip(is_there.tolist(), seen_x.tolist(), seen_y.tolist())
    ]


def limit_circle(document: Document) -> Polygon:
    """How far image shift reaches from the tracking target."""
    return circle(ORIGIN, document.settings.imageShiftLimit, 4 * CORNERS)


def axis_line(document: Document, bounds: Bounds) -> tuple[XY, XY]:
    """The tilt axis through the tracking target, along X, as long as what is to be seen and the limit circle."""
    reach_um = document.settings.imageShiftLimit
    return XY(min(bounds.low_um.x, -reach_um), 0.0), XY(max(bounds.high_um.x, reach_um), 0.0)


def bounds_of(document: Document, margin: float = 0.1) -> Bounds:
    """Rectangle around all targets with their fields and all geometry points, with a margin as share of its size."""
    places = [*document.places_um.values(), *document.point_places_um]
    reach = record_field(document).size_um.length / 2
    low = XY(min(p.x for p in places) - reach, min(p.y for p in places) - reach)
    high = XY(max(p.x for p in places) + reach, max(p.y for p in places) + reach)
    more = margin * max(high.x - low.x, high.y - low.y)
    return Bounds(XY(low.x - more, low.y - more), XY(high.x + more, high.y + more))


class Hit(NamedTuple):
    """What is under the pointer: a target's number, or the place of a geometry point in its list."""

    target: Optional[int] = None  # noqa: UP045 - evaluated at run time on Python 3.9
    point: Optional[int] = None  # noqa: UP045


def hit(document: Document, at_um: XY, reach_um: float) -> Hit | None:
    """The nearest target or geometry point within `reach_um` of the pointer, or the target in whose field it is."""
    nearest: tuple[float, Hit] | None = None
    fields = {area: field_of(document, area) for area in AREAS}
    farthest_um = max(reach_um, *(field.size_um.length / 2 for field in fields.values()))
    for number, place in document.places_um.items():
        from_centre = at_um.minus(place)
        distance = from_centre.length
        if distance > farthest_um or (nearest is not None and distance >= nearest[0]):
            continue
        if distance <= reach_um or _is_within(from_centre, fields[document.target(number).area]):
            nearest = (distance, Hit(target=number))
    for index, place in enumerate(document.point_places_um):
        distance = place.minus(at_um).length
        if distance <= reach_um and (nearest is None or distance < nearest[0]):
            nearest = (distance, Hit(point=index))
    return None if nearest is None else nearest[1]


def _is_within(from_centre_um: XY, field: Field) -> bool:
    inside = field.axes.inverse().apply(from_centre_um)
    return abs(inside.x) <= field.size_um.x / 2 and abs(inside.y) <= field.size_um.y / 2


def in_box(places_um: Mapping[int, XY], one_um: XY, other_um: XY) -> frozenset[int]:
    """Keys of the places in a rectangle with these two opposite corners."""
    left, right = sorted((one_um.x, other_um.x))
    low, high = sorted((one_um.y, other_um.y))
    return frozenset(
        key for key, place in places_um.items() if left <= place.x <= right and low <= place.y <= high
    )
