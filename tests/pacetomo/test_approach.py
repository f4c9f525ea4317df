import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacetomo.approach import BACKLASH_DEG, approach_deg


@given(st.floats(-60, 60), st.sampled_from([-1.0, 1.0]))
def test_the_last_move_goes_in_the_wanted_direction(tilt_deg, direction):
    before = approach_deg(tilt_deg, direction, 70.0)
    assert (tilt_deg - before) * direction == pytest.approx(BACKLASH_DEG)


@given(st.floats(-70, 70), st.sampled_from([-1.0, 1.0]))
def test_the_stage_is_never_sent_beyond_its_limit(tilt_deg, direction):
    assert abs(approach_deg(tilt_deg, direction, 70.0)) <= 70.0
