"""Polygons filled with targets, and areas parted by the image-shift limit."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import pytest

from pacetomo.editor import filling
from pacetomo.editor.model import Document, EditError
from pacetomo.errors import PaceError
from pacetomo.frames import ORIGIN, XY
from pacetomo.selection.polygon import PACKINGS
from pacetomo.targets import Target, TargetSet

BOX = (XY(-6, -4), XY(6, -4), XY(6, 4), XY(-6, 4))


def document(places: list[XY]) -> Document:
    targets = tuple(
        Target(number, f"a_ts_{number:03d}.mrc", shift_um=place, stage_um=XY(-place.x, -place.y))
        for number, place in enumerate(places, start=1)
    )
    return Document(Path("a_tgts.txt"), TargetSet(targets))


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("tilt_deg", [0.0, 60.0])
def test_new_targets_lie_inside_and_their_beams_do_not_touch_up_to_the_tilt(
    packing: str, tilt_deg: float
) -> None:
    after = filling.fill_polygon(document([XY(20.0, 20.0)]), BOX, 1.3, tilt_deg, packing)
    places = [after.places_um[number] for number in after.numbers[1:]]
    assert len(places) > 15
    assert all(abs(place.x) <= 6.01 and abs(place.y) <= 4.01 for place in places)
    for one, other in itertools.combinations(places, 2):
        step = one.minus(other)
        assert math.hypot(step.x, step.y * math.cos(math.radians(tilt_deg))) > 0.999 * 1.3


def test_on_an_inclined_sample_beams_do_not_touch_at_either_sign_of_the_tilt() -> None:
    inclined = document([XY(20.0, 20.0)])
    inclined = inclined.with_targets(inclined.targets.with_override("pretilt", "-10"))
    after = filling.fill_polygon(inclined, BOX, 1.3, 50.0, "square")
    seen = [
        [inclined.plane.seen(after.places_um[n], tilt) for n in after.numbers[1:]] for tilt in (50.0, -50.0)
    ]
    nearest = [
        min(one.minus(other).length for one, other in itertools.combinations(places, 2)) for places in seen
    ]
    assert min(nearest) == pytest.approx(1.3, rel=1e-3)


def test_a_filled_polygon_leaves_targets_that_are_there_alone() -> None:
    before = document([ORIGIN, XY(3.0, 0.1)])
    after = filling.fill_polygon(before, BOX, 1.5, 0.0, "square")
    assert after.targets.targets[:2] == before.targets.targets
    new = [after.places_um[number] for number in after.numbers[2:]]
    assert len(new) > 20
    assert all(place.minus(there).length > 1.4 for place in new for there in (ORIGIN, XY(3.0, 0.1)))


@pytest.mark.parametrize(("spacing", "corners"), [(0.0, BOX), (1e-4, BOX), (1.0, BOX[:2])])
def test_what_makes_no_sense_is_refused(spacing: float, corners: tuple[XY, ...]) -> None:
    with pytest.raises(PaceError):
        filling.fill_polygon(document([ORIGIN]), corners, spacing, 0.0, "square")


def test_splitting_parts_all_targets_so_that_each_reaches_its_tracking_target() -> None:
    places = [ORIGIN, XY(3, 0), XY(12, 0), XY(14, 1), XY(13, -2), XY(-15, 0)]
    before = document(places)
    parts = filling.split(before, 8.0)
    assert [part.path.name for part in parts] == ["a_tgts.txt", "ab_tgts.txt", "ac_tgts.txt"]
    series = sorted(target.series for part in parts for target in part.targets.targets)
    assert series == sorted(target.series for target in before.targets.targets)
    there = {target.series: place for target, place in zip(before.targets.targets, places)}
    for part in parts:
        tracking = part.targets.tracking
        assert tracking.shift_um == ORIGIN
        for target in part.targets.targets:
            expected = there[target.series].minus(there[tracking.series])
            assert part.places_um[target.number] == pytest.approx(expected)
            assert expected.length <= 8.0
            assert target.stage_um == pytest.approx((-there[target.series].x, -there[target.series].y))


def test_an_area_within_reach_is_not_split() -> None:
    with pytest.raises(EditError, match="within 8 µm"):
        filling.split(document([ORIGIN, XY(3, 0)]), 8.0)
