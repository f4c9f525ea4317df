import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacetomo.frames import XY
from pacetomo.geometry import SamplePlane
from pacetomo.overlap import Field, exposed_share, find_overlaps

LEVEL = SamplePlane()
FIELD = Field(XY(1.0, 0.8))
TILTS = [(tilt, 3.0) for tilt in (0.0, 30.0, -30.0, 60.0, -60.0)]


def test_neighbours_across_the_axis_overlap_at_high_tilt_only():
    found = find_overlaps({1: XY(0, 0), 2: XY(0, 1.4)}, LEVEL, TILTS, 1.2, FIELD)
    assert {(o.target, o.by) for o in found} == {(1, 2), (2, 1)}
    assert all(abs(o.tilt_deg) == 60.0 for o in found)
    # At 60 degrees they are 0.7 um apart: the beam reaches to 0.1 um from the centre of the other's image.
    assert 0.2 < found[0].share < 0.4
    assert found[0].area_um2 == pytest.approx(found[0].share * 0.8)
    assert found[0].dose_e_per_a2 == pytest.approx(2 * 3.0 * found[0].share, rel=0.01)


def test_neighbours_along_the_axis_do_not_come_nearer():
    assert find_overlaps({1: XY(0, 0), 2: XY(1.4, 0)}, LEVEL, TILTS, 1.2, FIELD) == []


@pytest.mark.parametrize("pretilt", [-30.0, 30.0])
def test_the_side_that_foreshortens_is_the_one_that_overlaps(pretilt):
    """Seen edge-on where stage tilt and pretilt add up."""
    found = find_overlaps(
        {1: XY(0, 0), 2: XY(0, 1.4)}, SamplePlane(pretilt), [(-40.0, 3.0), (40.0, 3.0)], 1.2, FIELD
    )
    assert {o.tilt_deg for o in found} == {math.copysign(40.0, pretilt)}


def test_a_turned_camera_turns_the_image():
    at = XY(0.9, 0.0)
    along = exposed_share(at, 1.0, Field(XY(2.0, 0.4)))
    across = exposed_share(at, 1.0, Field(XY(2.0, 0.4), 90.0))
    assert along > 0.2 and across == 0.0
    upwards = XY(0.6, 0.6)
    assert exposed_share(upwards, 1.0, Field(XY(2.0, 0.4), 45.0)) > exposed_share(
        upwards, 1.0, Field(XY(2.0, 0.4), -45.0)
    )


@given(st.floats(0.2, 3), st.floats(-3, 3), st.floats(-3, 3), st.floats(-180, 180))
def test_the_share_is_a_share_and_the_same_from_the_opposite_side(beam, x, y, rotation):
    field = Field(XY(1.5, 1.0), rotation)
    share = exposed_share(XY(x, y), beam, field)
    assert 0 <= share <= 1
    assert share == pytest.approx(exposed_share(XY(-x, -y), beam, field), abs=0.01)


def test_a_small_beam_in_a_large_image_exposes_its_own_area():
    share = exposed_share(XY(0.3, 0.1), 1.0, Field(XY(4.0, 4.0)))
    assert share * 16 == pytest.approx(math.pi / 4, rel=0.08)


places = st.builds(XY, st.floats(-3, 3), st.floats(-3, 3))


@given(st.lists(places, max_size=6), st.floats(-20, 20), st.floats(0.5, 3))
def test_every_pair_is_found_with_the_dose_of_all_its_tilts(at, pretilt, beam_um):
    plane = SamplePlane(pretilt, 10.0)
    by_number = dict(enumerate(at, start=5))
    found = {(o.target, o.by): o for o in find_overlaps(by_number, plane, TILTS, beam_um, FIELD)}
    for target, ours in by_number.items():
        for by, theirs in by_number.items():
            apart = [plane.seen(theirs, tilt).minus(plane.seen(ours, tilt)) for tilt, _ in TILTS]
            shares = [exposed_share(beam_at, beam_um, FIELD) for beam_at in apart]
            if target == by or max(shares) == 0:
                assert (target, by) not in found
                continue
            overlap = found[target, by]
            assert overlap.share == pytest.approx(max(shares))
            assert shares[[tilt for tilt, _ in TILTS].index(overlap.tilt_deg)] == pytest.approx(max(shares))
            assert overlap.dose_e_per_a2 == pytest.approx(3.0 * sum(shares))
