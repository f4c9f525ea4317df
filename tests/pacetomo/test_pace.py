import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulated import acquire_on

from mock_serialem.sim.sample import LamellaSpec
from pacetomo.pace import Pace, Work
from pacetomo.plan import Prices
from pacetomo.scope.serialem_scope import SerialEMScope

PRICES = Prices(exposure_s=8.0, tilt_s=5.0)


@given(scale=st.floats(0.2, 5), targets=st.integers(1, 50), tilts=st.integers(2, 60), extra=st.floats(0, 100))
def test_a_steady_run_ends_when_it_was_said(scale, targets, tilts, extra):
    done = Work(tilts=tilts, images=tilts * targets, extra_s=extra)
    left = Work(tilts=7, images=7 * targets, extra_s=3.0)
    took_s = scale * (tilts * 5 + tilts * targets * 8 + extra)
    expected = scale * (7 * 5 + 7 * targets * 8 + 3.0)
    assert Pace(100.0, PRICES).left_s(100.0 + took_s, done, left) == pytest.approx(expected, abs=2e-3)


def test_longer_exposures_take_what_they_take_on_a_slow_microscope_too():
    done = Work(10, 10, longer_s=100.0)
    pace = Pace(0.0, PRICES)
    assert pace.left_s(2 * 130 + 100, done, Work(5, 5, longer_s=50.0)) == pytest.approx(2 * 65 + 50)


def test_wide_swings_and_autofocuses_are_counted():
    pace, done = Pace(0.0, PRICES), Work(10, 10)
    plain_s = pace.left_s(130.0, done, Work(10, 10))
    assert pace.left_s(130.0, done, Work(10, 10, swing_deg=600.0)) == pytest.approx(plain_s + 90)
    assert pace.left_s(130.0, done, Work(10, 10, autofocuses=10)) == pytest.approx(plain_s + 80)


def test_fewer_targets_left_take_less_time():
    pace = Pace(0.0, PRICES)
    done = Work(10, 100)
    assert pace.left_s(850.0, done, Work(10, 50)) == pytest.approx(450.0)


def test_nothing_done_gives_the_usual_price():
    assert Pace(0.0, PRICES).left_s(0.0, Work(0, 0), Work(1, 1)) == 13.0


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"exposureScaling": "cosine", "maxTilt": 60},
        {"minTilt": -3, "maxTilt": 45},
        {"targets": 1, "minTilt": -60},  # mostly tilting, ever farther
        {"targets": 5, "minTilt": -60, "offTargetAF": "tilt", "offTargetAFAngle": 30},
        {"targets": 1, "minTilt": -60, "zeroExpTime": 60},
        {"targets": 1, "minTilt": -60, "trackTwice": True},
    ],
)
def test_the_time_left_is_right_from_a_quarter_on_and_the_counter_ends(tmp_path, monkeypatch, settings):
    said = []
    tell = SerialEMScope.show_progress
    monkeypatch.setattr(
        SerialEMScope,
        "show_progress",
        lambda scope, text: (said.append((scope.clock_s(), text)), tell(scope, text))[1],
    )
    given = {"targets": 3, "pretilt": 0, "minTilt": -30, **settings}
    acquire_on(tmp_path, LamellaSpec(pretilt_deg=0.0), **given)
    counters = [tuple(map(int, re.search(r"tilt (\d+) of (\d+)", text).groups())) for _, text in said]
    assert counters[-1][0] == counters[-1][1] == len(said)
    end_s = said[-1][0]
    for clock_s, text in said[len(said) // 4 :]:
        hours = re.search(r"(\d+) h (\d+) min left", text)
        minutes = re.search(r"(\d+) min left", text)
        told_s = 60 * (int(hours[1]) * 60 + int(hours[2]) if hours else int(minutes[1]) if minutes else 0)
        left_s = end_s - clock_s
        assert told_s == pytest.approx(left_s, abs=0.1 * left_s + 30)  # told in whole minutes
