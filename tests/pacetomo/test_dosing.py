import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacetomo.dosing import SHORTEST_S, Dosing
from pacetomo.plan import Exposure
from pacetomo.schemes import Branch, DoseSymmetric
from pacetomo.settings_table import Settings

STOPS = DoseSymmetric(0, -60, 60, 3, 2).stops()
START = Exposure(0, 0, 2, 0.0, Branch.START)
AT_60 = Exposure(0, 40, 2, 60.0, Branch.UP)


def dosing(dose_per_s=None, stops=STOPS, **settings):
    return Dosing(replace(Settings(), **settings), stops, 1, 2.0, dose_per_s)


def test_without_wishes_record_is_left_alone():
    assert dosing().seconds(START) is None and dosing().seconds(AT_60) is None


RULES = {
    "first image": ({"zeroExpTime": 5}, START, 5),
    "first image of the tracking target": ({"zeroExpTime": 5}, START._replace(target=1), 5),
    "first image beats tracking exposure": (
        {"zeroExpTime": 5, "trackExpTime": 0.5},
        START._replace(target=1),
        5,
    ),
    "later image beside a first one": ({"zeroExpTime": 5}, AT_60, None),
    "tracking exposure": ({"zeroExpTime": 5, "trackExpTime": 0.5}, AT_60._replace(target=1), 0.5),
    "tracking exposure at the start": ({"trackExpTime": 0.5}, START._replace(target=1), 0.5),
    "tracking exposure is not for the others": ({"trackExpTime": 0.5}, AT_60, None),
    "cosine at the start": ({"exposureScaling": "cosine"}, START, 2.0),
    "cosine at 60 degrees": ({"exposureScaling": "cosine"}, AT_60, 4.0),
    "cosine to a power": ({"exposureScaling": "cosine", "exposurePower": 2}, AT_60, 8.0),
    "cosine with a limit": ({"exposureScaling": "cosine", "maxExpTime": 3}, AT_60, 3.0),
    "cosine with a lower limit": ({"exposureScaling": "cosine", "minExpTime": 2.5}, START, 2.5),
    "cosine beside a first image": ({"exposureScaling": "cosine", "zeroExpTime": 9}, START, 9.0),
    "cosine beside a tracking exposure": (
        {"exposureScaling": "cosine", "trackExpTime": 1},
        AT_60._replace(target=1),
        1.0,
    ),
    "a total without a dose rate": ({"totalDose": 100}, AT_60, None),
}


@pytest.mark.parametrize(("settings", "exposure", "expected"), RULES.values(), ids=RULES.keys())
def test_rules(settings, exposure, expected):
    assert dosing(**settings).seconds(exposure) == (None if expected is None else pytest.approx(expected))


def test_scaling_is_relative_to_the_start_tilt():
    stops = DoseSymmetric(30, 0, 60, 3, 2).stops()
    wanted = dosing(stops=stops, exposureScaling="cosine")
    assert wanted.seconds(Exposure(0, 0, 2, 30.0, Branch.START)) == pytest.approx(2.0)
    assert wanted.seconds(Exposure(0, 0, 2, 0.0, Branch.DOWN)) == pytest.approx(math.sqrt(3))


@given(
    total=st.floats(20, 300),
    rate=st.floats(0.5, 20),
    power=st.floats(0, 2),
    first_s=st.sampled_from([0.0, 1.0]),
    scaling=st.sampled_from(["constant", "cosine"]),
)
def test_a_series_adds_up_to_the_total_dose(total, rate, power, first_s, scaling):
    wanted = dosing(rate, totalDose=total, exposurePower=power, zeroExpTime=first_s, exposureScaling=scaling)
    if total < (first_s + 40 * SHORTEST_S) * rate:
        assert wanted.seconds(START._replace(tilt_deg=0.0, branch=Branch.UP)) >= 2.0 * 0.99
        assert wanted.missed_total() is not None
    elif total < (first_s + 40 * SHORTEST_S * 8) * rate:
        assert wanted.series_dose(2) < (first_s + 40 * SHORTEST_S * 8) * rate
    else:
        assert wanted.series_dose(2) == pytest.approx(total, rel=1e-6)


@given(longest=st.floats(2.2, 6), shortest=st.floats(0.1, 2.0))
def test_the_total_is_kept_within_limits(longest, shortest):
    wanted = dosing(
        1.0, totalDose=41 * 2.1, exposureScaling="cosine", minExpTime=shortest, maxExpTime=longest
    )
    times = [wanted.seconds(Exposure(0, 0, 2, stop.tilt_deg, stop.branch)) for stop in STOPS]
    assert shortest - 1e-9 <= min(times) and max(times) <= longest + 1e-9
    assert sum(times) == pytest.approx(41 * 2.1, rel=1e-6)


def test_limits_win_over_the_total():
    assert dosing(1.0, totalDose=1000, maxExpTime=1.0).series_dose(2) == pytest.approx(41.0)
    assert dosing(1.0, totalDose=1, minExpTime=1.0).series_dose(2) == pytest.approx(41.0)
    told = dosing(1.0, totalDose=1000, maxExpTime=1.0).missed_total()
    assert told is not None and "41 e/Å²" in told and "1000" in told
    assert dosing(1.0, totalDose=60).missed_total() is None and dosing(1.0).missed_total() is None


def test_a_first_image_that_takes_up_the_total_leaves_the_others_as_record_is():
    wanted = dosing(1.0, totalDose=60, zeroExpTime=100.0)
    assert wanted.seconds(AT_60) == pytest.approx(2.0)
    told = wanted.missed_total()
    assert told is not None and "180 e/Å²" in told


def test_a_total_waits_for_the_dose_rate():
    wanted = dosing(totalDose=82)
    assert wanted.waits_for_dose_rate and wanted.series_dose(2) is None
    known = wanted.with_dose_rate(4.0)
    assert not known.waits_for_dose_rate and known.seconds(AT_60) == pytest.approx(0.5)
