import math
from dataclasses import replace

import pytest
from editing import FILE, document
from hypothesis import given
from hypothesis import strategies as st

from pacetomo.editor import drawing
from pacetomo.editor.model import Known
from pacetomo.errors import PlanError
from pacetomo.files.target_file import parse_targets
from pacetomo.frames import XY
from pacetomo.overlap import Field, Overlap, exposed_share
from pacetomo.scope.facts import Facts
from pacetomo.scope.protocol import Limits

LEVEL = FILE.replace("_set pretilt = -9.5\n", "").replace("_set startTilt = 9\n", "")
FACTS = Facts(Limits(20.0, 70.0), beam_um=2.0, field_um=XY(1.2, 0.8), field_rotation_deg=90.0)


def area(text=LEVEL, facts=FACTS):
    return replace(document(parse_targets(text)), known=Known(facts))


def extent(polygon):
    """Width and height of a figure (µm)."""
    return tuple(max(p[axis] for p in polygon) - min(p[axis] for p in polygon) for axis in (0, 1))


def surface(polygon):
    """Area (µm²) by the shoelace formula; positive for counter-clockwise."""
    pairs = zip(polygon, (*polygon[1:], polygon[0]))
    return sum(a.x * b.y - b.x * a.y for a, b in pairs) / 2


@pytest.mark.parametrize("tilt_deg", [60.0, -60.0])
def test_on_a_level_sample_a_beam_is_stretched_across_the_tilt_axis_by_the_tilt(tilt_deg):
    assert extent(drawing.footprint(area(), 2, tilt_deg)) == pytest.approx((2.0, 4.0))


def test_a_beam_is_as_it_is_along_the_beam():
    shape = drawing.footprint(area(), 3, 0.0)
    assert extent(shape) == pytest.approx((2.0, 2.0))
    assert sum(p.x for p in shape) / len(shape) == pytest.approx(-3.0)
    assert sum(p.y for p in shape) / len(shape) == pytest.approx(2.5)


@pytest.mark.parametrize(
    ("tilt_deg", "height"), [(40.0, 2 * math.cos(math.radians(20)) / 0.5), (-40.0, None)]
)
def test_an_inclined_sample_stretches_a_beam_more_to_one_side(tilt_deg, height):
    # Pretilt 20°: it was picked at an inclination of 20°, at +40° it is inclined by 60°, at -40° by -20°.
    inclined = area("_set pretilt = 20\n" + LEVEL)
    wanted = 2.0 if height is None else height
    assert extent(drawing.footprint(inclined, 1, tilt_deg)) == pytest.approx((2.0, wanted))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (LEVEL, 2.0),
        ("_set tiltTargets = 60\n" + LEVEL, 1.0),
        ("_set pretilt = 10\n" + LEVEL, math.cos(math.radians(10)) / math.cos(math.radians(70))),
        ("_set pretilt = -10\n" + LEVEL, math.cos(math.radians(10)) / math.cos(math.radians(70))),
    ],
)
def test_how_far_footprints_are_stretched_at_a_tilt_of_either_sign(text, wanted):
    assert drawing.stretch(area(text), 60.0) == pytest.approx(wanted)


def test_targets_picked_on_a_tilted_stage_are_drawn_as_they_were_picked():
    picked = area("_set tiltTargets = 60\n" + LEVEL)
    assert extent(drawing.footprint(picked, 1, 60.0)) == pytest.approx((2.0, 2.0))
    assert extent(drawing.footprint(picked, 1, 0.0)) == pytest.approx((2.0, 1.0))


def test_an_edge_on_sample_has_no_footprints():
    inclined = area("_set pretilt = 30\n" + LEVEL)
    with pytest.raises(PlanError, match="edge-on"):
        drawing.footprints(inclined, 60.0)
    drawing.footprints(inclined, drawing.steepest_deg(inclined))


def test_skipped_targets_have_no_footprint():
    assert set(drawing.footprints(area(), 30.0)) == {1, 3}


def test_a_field_is_turned_with_the_camera():
    assert extent(drawing.field_corners(XY(5.0, 5.0), drawing.record_field(area()))) == pytest.approx(
        (0.8, 1.2)
    )
    corners = drawing.field_corners(XY(0.0, 0.0), Field(XY(2.0, 1.0), 30.0))
    # the middle of the right edge lies 30° counter-clockwise of the specimen's X axis
    right = corners[1].plus(corners[2]).scaled(0.5)
    assert right == pytest.approx((math.cos(math.radians(30)), math.sin(math.radians(30))))


def test_fields_of_other_low_dose_areas():
    known = replace(FACTS, coarse_fields_um={"V": XY(12.0, 8.0)})
    assert drawing.field_of(area(facts=known), "V").size_um == XY(12.0, 8.0)
    assert drawing.field_of(area(facts=known), "S").size_um == XY(1.2, 0.8)


def test_what_is_not_known_of_the_microscope_is_drawn_as_usual():
    unknown = area(facts=Facts(Limits(20.0, 70.0)))
    assert drawing.record_field(unknown) == drawing.USUAL_FIELD
    assert drawing.beam_um(unknown) == drawing.USUAL_BEAM_UM
    assert drawing.beam_um(area(facts=replace(FACTS, beam_um=None))) == pytest.approx(math.hypot(1.2, 0.8))


@given(st.floats(-2, 2), st.floats(-2, 2), st.floats(0, 60))
def test_shaded_regions_are_as_large_as_what_is_exposed(x, y, tilt_deg):
    text = LEVEL.split("_tgt = 003")[0].replace("SSX = 2.4103\nSSY = -1.0921", f"SSX = {x}\nSSY = {y}")
    both = area(text)
    shrunk = math.cos(math.radians(tilt_deg))
    share = exposed_share(XY(x, y * shrunk), 2.0, Field(XY(1.2, 0.8), 90.0))
    shaded = drawing.shaded_overlaps(both, tilt_deg, [Overlap(1, 2, 1.0, 0.96, 0.0, 30.0)])
    seen = sum(surface(region.region_um) for region in shaded) * shrunk
    assert seen / 0.96 == pytest.approx(share, abs=0.02)


def test_a_shaded_region_lies_towards_the_neighbour():
    text = LEVEL.split("_tgt = 003")[0].replace("SSX = 2.4103\nSSY = -1.0921", "SSX = 1.2\nSSY = 0")
    (shaded,) = drawing.shaded_overlaps(area(text), 0.0, [Overlap(1, 2, 0.5, 0.5, 0.0, 30.0)])
    assert (shaded.number, shaded.by, shaded.dose_e_per_a2) == (1, 2, 30.0)
    assert min(p.x for p in shaded.region_um) == pytest.approx(0.2, abs=0.01)
    assert max(p.x for p in shaded.region_um) == pytest.approx(0.4)


def test_overlaps_of_targets_that_are_gone_are_not_drawn():
    assert drawing.shaded_overlaps(area(), 0.0, [Overlap(1, 9, 1.0, 1.0, 0.0, 1.0)]) == []


def test_beams_that_do_not_reach_an_image_or_cover_it_all():
    field = Field(XY(1.0, 0.5), 30.0)
    beams = [XY(5.0, 0.0), XY(0.0, 1.2), XY(0.1, 0.0)]
    none, above, all_of_it = drawing.exposed_regions(beams, 1.0, field)
    assert none == ()
    assert 0 < surface(above) < 0.25
    assert surface(all_of_it) == pytest.approx(0.5)
    assert drawing.exposed_regions([], 1.0, field) == []


def test_limit_and_axis():
    wide = area("_set imageShiftLimit = 12\n" + LEVEL)
    assert all(point.length == pytest.approx(12.0) for point in drawing.limit_circle(wide))
    assert drawing.axis_line(wide, drawing.bounds_of(wide)) == (XY(-12.0, 0.0), XY(12.0, 0.0))


def test_all_targets_and_points_are_in_sight():
    bounds = drawing.bounds_of(area(), margin=0.0)
    half = math.hypot(1.2, 0.8) / 2
    assert bounds.low_um == pytest.approx((-3.0 - half, -1.0921 - half))
    assert bounds.high_um == pytest.approx((2.4103 + half, 3.4 + half))


@pytest.mark.parametrize(
    ("at", "found"),
    [
        (
            XY(2.4103 + 0.39, -1.0921 + 0.59),
            drawing.Hit(target=2),
        ),  # the field is 0.8 x 1.2 µm as it is turned
        (XY(2.4103 + 0.59, -1.0921), None),
        (XY(1.25, 3.45), drawing.Hit(point=0)),
        (XY(1.4, 3.4), None),
    ],
)
def test_what_is_under_the_pointer(at, found):
    assert drawing.hit(area(), at, reach_um=0.1) == found


def test_the_nearest_of_two_is_hit():
    near = area(LEVEL.replace("SSX = 1.2\nSSY = 3.4", "SSX = 2.5\nSSY = -1.0921"))
    assert drawing.hit(near, XY(2.49, -1.0921), 0.2) == drawing.Hit(point=0)
    assert drawing.hit(near, XY(2.42, -1.0921), 0.2) == drawing.Hit(target=2)


def test_a_box_may_be_drawn_from_any_corner():
    assert drawing.in_box(area().places_um, XY(1.0, 3.0), XY(-4.0, -0.5)) == {1, 3}
