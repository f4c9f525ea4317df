import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacetomo.upkeep_times import FILL_MARGIN_S, Retries, is_due, pause_before_fill_s

times = st.floats(0, 1e6)


@given(times, times, st.floats(1, 1e5))
def test_due_is_what_is_at_least_an_interval_ago(last, now, interval):
    expected = now < last or now - last >= interval
    assert is_due(last, now, interval) is expected
    assert is_due(None, now, interval) and not is_due(last, now, 0.0) and not is_due(None, now, -1.0)


def test_steps_through_a_night_are_as_many_as_intervals():
    last, count = None, 0
    for now in range(0, 8 * 3600, 40):
        if is_due(last, now, 30 * 60):
            last, count = now, count + 1
    assert count == 16


@pytest.mark.parametrize(
    ("remaining", "waits"), [(None, False), (-1.0, False), (0.0, True), (FILL_MARGIN_S, False), (29.0, True)]
)
def test_only_a_filling_that_is_near_is_waited_for(remaining, waits):
    pause = pause_before_fill_s(remaining)
    assert (pause > remaining) if waits else (pause == 0.0)


def test_what_fails_is_tried_a_few_times_and_then_once_an_interval():
    retries, tried = Retries(at_most=3), []
    for now in range(0, 2000, 50):
        if retries.is_due(None, now, 1000.0):
            retries.note(False, now)
            tried.append(now)
    assert tried == [0, 50, 100, 1100, 1150, 1200]


def test_a_success_in_between_begins_the_count_anew():
    retries = Retries(at_most=2)
    for now, done in ((0, False), (10, True), (20, False)):
        retries.note(done, now)
    assert retries.is_due(None, 30.0, 100.0)
    assert not retries.is_due(10.0, 30.0, 100.0)
