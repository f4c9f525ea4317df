import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacetomo.joint.consensus import (
    FALSE_PEAK,
    HUBER,
    MOST_DOUBT,
    Deviations,
    doubt_after,
    huber_factor,
    judge,
)

NOISE, GEOMETRY, STAGE = 0.006**2, 0.005**2, 0.03**2


def deviations(apart, doubt=None):
    """Targets that share the stage's motion of 30 nm and have errors of 8 nm of their own."""
    count = len(apart)
    predicted = STAGE * np.ones((count, count)) + GEOMETRY * np.eye(count)
    doubts = np.full(count, FALSE_PEAK) if doubt is None else np.array(doubt)
    return Deviations(np.array(apart, dtype=float), predicted, predicted, np.full(count, NOISE), doubts)


def test_what_the_usual_motion_explains_is_believed():
    verdict = judge(deviations([(0.030, -0.020), (0.035, -0.025), (0.026, -0.018)]))
    assert verdict[:2] == ((True, True, True), False)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_against_two_is_a_false_peak(place):
    apart = [(0.010, 0.0), (0.004, 0.006), (0.008, -0.004)]
    apart[place] = (0.25, -0.3)
    verdict = judge(deviations(apart))
    assert verdict.believed == tuple(n != place for n in range(3))
    assert not verdict.slipped


def test_two_that_agree_show_a_slip():
    verdict = judge(deviations([(0.50, -0.30), (0.505, -0.295)]))
    assert verdict[:2] == ((True, True), True)


def test_of_two_that_disagree_the_usual_one_is_believed():
    verdict = judge(deviations([(0.50, -0.30), (0.01, 0.02)]))
    assert verdict[:2] == ((False, True), False)


def test_a_first_one_alone_is_followed_unless_it_has_lied():
    assert judge(deviations([(0.5, -0.3)]))[:2] == ((True,), True)
    assert judge(deviations([(0.5, -0.3)], [MOST_DOUBT]))[:2] == ((False,), False)


@given(
    slip=st.tuples(st.floats(-0.7, 0.7), st.floats(-0.7, 0.7)),
    seed=st.integers(0, 1000),
    liars=st.integers(0, 3),
    order=st.permutations(range(8)),
)
def test_the_many_prevail_in_any_order(slip, seed, liars, order):
    rng = np.random.default_rng(seed)
    apart = np.array(slip) + rng.normal(0, 0.007, (8, 2)).clip(-0.015, 0.015)
    angles = rng.uniform(0, 6.28, liars)
    apart[:liars] += 0.3 * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    verdict = judge(deviations(apart[list(order)]))
    assert verdict.believed == tuple(n >= liars for n in order)


@given(angle=st.floats(0, 6.28), seed=st.integers(0, 1000))
def test_directions_are_alike(angle, seed):
    rng = np.random.default_rng(seed)
    apart = rng.normal(0, 0.05, (4, 2))
    apart[0] += 0.3
    turned = apart * np.array([-1.0, 1.0])
    one, *others = (judge(deviations(each)) for each in (apart, turned, turned[:, ::-1]))
    for other in others:
        assert other[:2] == one[:2] and other.score == pytest.approx(one.score)


def test_weights_fall_only_beyond_the_bend():
    assert huber_factor(HUBER) == 1.0
    assert huber_factor(4 * HUBER) == pytest.approx(2.0)


def test_doubt_fades():
    assert doubt_after(FALSE_PEAK, believed=False) == MOST_DOUBT
    assert doubt_after(MOST_DOUBT, believed=True) == pytest.approx(0.6 * MOST_DOUBT)
    assert doubt_after(FALSE_PEAK, believed=True) == FALSE_PEAK


def test_the_better_prediction_has_the_better_score():
    near, far = (judge(deviations([(off, -0.02), (off, -0.025), (off, -0.018)])) for off in (0.01, 0.08))
    assert near.score > far.score + 1
    lies = [judge(deviations([(off, 0.3)])) for off in (0.3, 0.4)]
    assert lies[0].score == pytest.approx(lies[1].score)  # how far off a false peak lies tells nothing
