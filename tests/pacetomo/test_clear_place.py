import math

from hypothesis import assume, given
from hypothesis import strategies as st

from pacetomo.clear_place import MARGIN_UM, clear_place
from pacetomo.frames import XY
from pacetomo.geometry import SamplePlane

LEVEL = SamplePlane()
near = st.floats(-6, 6)
places = st.lists(st.builds(XY, near, near), min_size=1, max_size=8)
tilts = st.floats(-55, 55)


def untilted(plane, place, origin, tilt):
    return plane.untilted(place.minus(origin), tilt)


@given(places, st.floats(-15, 15), tilts, st.builds(XY, st.floats(-3, 3), st.floats(-3, 3)))
def test_the_beam_touches_no_target_at_any_tilt_and_is_within_reach(targets, pretilt, tilt, origin):
    plane, radius, limit, all_tilts = SamplePlane(pretilt), 0.6, 12.0, [-45.0, 0.0, 45.0]
    place = clear_place(targets, plane, tilt, all_tilts, origin, (radius, radius), limit)
    assume(place is not None)
    assert place.length <= limit + 1e-9
    where = untilted(plane, place, origin, tilt)
    for target in targets:
        for other in all_tilts:
            # Where both beams are on the sample, as ellipses across the axis: the longer one stands for both.
            long = radius * max(1 / plane.seen(XY(0.0, 1.0), t).y for t in (tilt, other))
            away = math.hypot((where.x - target.x) / (2 * radius), (where.y - target.y) / (2 * long))
            assert away > 1.0


def test_the_nearest_place_to_the_axis_is_chosen_and_not_to_the_tracking_target():
    place = clear_place([XY(0.0, 0.0)], LEVEL, 0.0, [0.0], XY(5.0, 0.0), (0.5, 0.5), 10.0)
    assert place is not None and place.length < 0.6
    here = clear_place([XY(0.0, 0.0)], LEVEL, 0.0, [0.0], XY(0.0, 0.0), (0.5, 0.5), 10.0)
    assert here is not None and 1.0 + MARGIN_UM <= here.length < 2.2


def test_a_place_across_the_axis_has_to_be_farther_than_one_along_it():
    along = [
        XY(x / 2, 0.0) for x in range(-30, 31)
    ]  # a row of targets along the axis leaves only the way across
    level = clear_place(along, LEVEL, 0.0, [0.0], XY(0.0, 0.0), (0.5, 0.5), 10.0)
    steep = clear_place(along, LEVEL, 0.0, [0.0, 60.0], XY(0.0, 0.0), (0.5, 0.5), 10.0)
    assert level is not None and steep is not None
    assert 1.3 <= abs(level.y) < 2.0 and abs(steep.y) >= 2.6


def test_the_sign_of_the_pretilt_counts():
    """Untilted, the target lies 4 µm up; which pretilt makes it look nearer at 40° tells where the beam may go."""
    for pretilt in (-20.0, 20.0):
        plane = SamplePlane(pretilt)
        seen = plane.seen(XY(0.0, 4.0), 40.0)
        place = clear_place([XY(0.0, 4.0)], plane, 40.0, [40.0], seen.scaled(-1.0), (0.5, 0.5), 10.0)
        assert place is not None
        # The target is centred at shift 0: the nearest free place lies beside it, along the axis.
        assert place.length >= 1.3
        away = untilted(plane, place, seen.scaled(-1.0), 40.0).minus(XY(0.0, 4.0))
        assert math.hypot(away.x / 1.3, away.y / (1.3 / plane.seen(XY(0.0, 1.0), 40.0).y)) >= 1.0


def test_a_montage_needs_more_room():
    small = clear_place([XY(0.0, 0.0)], LEVEL, 0.0, [0.0], XY(0.0, 0.0), (0.5, 0.5), 10.0)
    large = clear_place([XY(0.0, 0.0)], LEVEL, 0.0, [0.0], XY(0.0, 0.0), (0.5, 1.5), 10.0)
    assert small is not None and large is not None and large.length >= 2.3 > small.length


def test_no_place_is_an_answer():
    assert clear_place([XY(0.0, 0.0)], LEVEL, 0.0, [0.0], XY(0.0, 0.0), (0.5, 0.5), 1.2) is None
