import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacetomo.joint.priors import (
    BRANCH_SHARE,
    JUMP_UM,
    USUAL,
    Scales,
    Slip,
    Stop,
    log_prior,
    motion_covariance,
)

SCALES = Scales(0.25, 0.025)


def stops_of(*phis):
    """Stops of a series that begins upwards."""
    stops = []
    for phi in phis:
        side = 1 if phi > 0 else -1
        place = 1 + sum(stop.side == side for stop in stops)
        turned = bool(stops) and stops[-1].side != side
        stops.append(Stop(phi, side, place, turned, bool(stops) and stops[0].side != side))
    return stops


@given(
    phis=st.lists(st.integers(-20, 20).filter(bool), min_size=1, max_size=25),
    smooth=st.floats(0.02, 1.0),
    jitter=st.floats(0.002, 0.3),
)
def test_it_is_a_covariance(phis, smooth, jitter):
    covariance = motion_covariance(
        stops_of(*[3.0 * phi for phi in phis]), [Slip(0, 1, 0.5)], Scales(smooth, jitter)
    )
    assert (covariance == covariance.T).all()
    assert np.linalg.eigvalsh(covariance).min() > 0.5 * jitter**2


def test_motion_is_smooth_and_zero_at_the_start():
    near, far = (motion_covariance(stops_of(phi), [], Scales(0.25, 1e-6))[0, 0] for phi in (0.5, 60.0))
    assert math.sqrt(near) < 0.01
    assert math.sqrt(far) == pytest.approx(0.25 * math.sqrt(1 + BRANCH_SHARE**2), rel=0.2)
    covariance = motion_covariance(stops_of(30.0, 33.0), [], Scales(0.25, 1e-6))
    correlation = covariance[0, 1] / math.sqrt(covariance[0, 0] * covariance[1, 1])
    assert correlation > 0.99


def test_branches_share_only_the_common_part():
    covariance = motion_covariance(stops_of(3.0, 6.0, -3.0), [], SCALES)
    assert covariance[0, 1] > abs(covariance[0, 2])
    assert covariance[2, 2] - covariance[0, 0] == pytest.approx(
        JUMP_UM**2 + (1.5**2 - 1) * SCALES.jitter_um**2, rel=1e-6
    )


def test_the_swing_belongs_to_a_branch_and_is_forgotten_soon():
    with_it, without = (
        motion_covariance(stops_of(6.0, 9.0, 45.0, -6.0), [], SCALES._replace(swing_um=swing))
        for swing in (0.1, 0.0)
    )
    added = (with_it - without) / 0.1**2
    assert added[2, 2] == pytest.approx(1.0, abs=1e-6)
    assert added[0, 1] / math.sqrt(added[0, 0] * added[1, 1]) > 0.9
    assert abs(added[0, 2]) < 0.01
    assert added[0, 3] == 0.0


def test_a_known_jump_is_a_smaller_one():
    small = motion_covariance(stops_of(3.0, -3.0), [], SCALES._replace(jump_um=0.1, jitter_um=0.001))
    usual = motion_covariance(stops_of(3.0, -3.0), [], SCALES._replace(jitter_um=0.001))
    assert usual[1, 1] - small[1, 1] == pytest.approx(JUMP_UM**2 - 0.1**2)
    assert usual[0, 0] == small[0, 0]


def test_a_slip_moves_what_comes_after_it_half_of_it_on_its_side_only():
    stops = stops_of(3.0, 6.0, -3.0, 9.0, -6.0)
    added = motion_covariance(stops, [Slip(1, 1, 0.5)], SCALES) - motion_covariance(stops, [], SCALES)
    later, there = np.array([0, 1, 1, 1, 1]), np.array([0, 1, 0, 1, 0])
    both = 0.125 * np.outer(later, later) + 0.125 * np.outer(there, there)
    assert added == pytest.approx(both, abs=1e-12)
    added = motion_covariance(stops, [Slip(2, 0, 0.5)], SCALES) - motion_covariance(stops, [], SCALES)
    assert added.diagonal() == pytest.approx([0, 0, 0.25, 0.25, 0.25], abs=1e-12)


@given(phis=st.lists(st.integers(-20, 20).filter(bool), min_size=1, max_size=15))
def test_both_directions_are_alike(phis):
    one = motion_covariance(stops_of(*[3.0 * phi for phi in phis]), [], SCALES)
    other = motion_covariance(stops_of(*[-3.0 * phi for phi in phis]), [], SCALES)
    assert one == pytest.approx(other)


def test_usual_scales_are_the_most_probable():
    usual = USUAL["y"]
    assert log_prior(usual, usual) == 0.0
    assert log_prior(Scales(usual.smooth_um * 2, usual.jitter_um), usual) == pytest.approx(
        log_prior(Scales(usual.smooth_um / 2, usual.jitter_um), usual)
    )
    assert log_prior(Scales(usual.smooth_um, usual.jitter_um * 4), usual) < -1.5
