import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacetomo.errors import PlanError
from pacetomo.geometry import SamplePlane
from pacetomo.schemes import (
    Bidirectional,
    Branch,
    DoseSymmetric,
    GrowingGroups,
    Unidirectional,
    level_start_deg,
    make_scheme,
)


def tilts(scheme):
    return [stop.tilt_deg for stop in scheme.stops()]


CASES = {
    "groups of two": (DoseSymmetric(0, -12, 12, 3, 2), [0, 3, 6, -3, -6, 9, 12, -9, -12]),
    "groups of one": (DoseSymmetric(0, -6, 6, 3, 1), [0, 3, -3, 6, -6]),
    "groups of three, last one cut": (DoseSymmetric(0, -12, 12, 3, 3), [0, 3, 6, 9, -3, -6, -9, 12, -12]),
    "start tilt of a lamella": (DoseSymmetric(9, 0, 18, 3, 2), [9, 12, 15, 6, 3, 18, 0]),
    "more room below": (DoseSymmetric(6, -9, 9, 3, 1), [6, 9, 3, 0, -3, -6, -9]),
    "nothing below": (DoseSymmetric(-9, -9, 0, 3, 2), [-9, -6, -3, 0]),
    "range no multiple of the step": (DoseSymmetric(0, -7, 8, 3, 2), [0, 3, 6, -3, -6]),
    "bidirectional": (Bidirectional(0, -6, 6, 3), [0, 3, 6, -3, -6]),
    "bidirectional from 20": (Bidirectional(20, 14, 26, 3), [20, 23, 26, 17, 14]),
    "unidirectional up": (Unidirectional(-6, -6, 6, 3), [-6, -3, 0, 3, 6]),
    "unidirectional down": (Unidirectional(6, -6, 6, 3), [6, 3, 0, -3, -6]),
    "growing groups": (GrowingGroups(0, -12, 15, 3, 1, 6), [0, 3, -3, 6, -6, 9, 12, 15, -9, -12]),
    "growing groups from a lamella's start": (
        GrowingGroups(9, -6, 24, 3, 2, 6),
        [9, 12, 15, 6, 3, 18, 21, 24, 0, -3, -6],
    ),
    "growing groups without alternating": (GrowingGroups(0, -6, 6, 3, 1, 0), [0, 3, 6, -3, -6]),
    "growing groups to the end": (GrowingGroups(0, -6, 6, 3, 1, 60), [0, 3, -3, 6, -6]),
    "fractional step": (DoseSymmetric(0, -0.3, 0.3, 0.1, 3), [0, 0.1, 0.2, 0.3, -0.1, -0.2, -0.3]),
}


@pytest.mark.parametrize(("scheme", "expected"), CASES.values(), ids=CASES.keys())
def test_order_of_tilts(scheme, expected):
    assert tilts(scheme) == expected


@st.composite
def schemes(draw):
    start = draw(st.integers(-20, 20))
    low, high = start - draw(st.integers(0, 60)), start + draw(st.integers(0, 60))
    step = draw(st.sampled_from([0.5, 1.0, 2.0, 3.0, 2.5]))
    if draw(st.booleans()):
        reach = draw(st.integers(0, 60))
        return GrowingGroups(start, low, high, step, draw(st.integers(1, 5)), reach)
    if draw(st.booleans()):
        return DoseSymmetric(start, low, high, step, draw(st.integers(1, 5)))
    return Bidirectional(start, low, high, step)


@pytest.mark.parametrize(
    ("pretilt", "rotation", "lowest", "highest", "step", "start"),
    [
        (-9.5, 0, -60, 60, 3, 9.0),
        (9.5, 0, -60, 60, 3, -9.0),
        (-10, 0, -60, 60, 2, 10.0),
        (-10, 180, -60, 60, 2, -10.0),
        (-10, 90, -60, 60, 2, 0.0),
        (-20, 0, -60, 14, 3, 12.0),
        (20, 0, -14, 60, 3, -12.0),
        (0, 0, -60, 60, 3, 0.0),
    ],
)
def test_the_level_start_tilt(pretilt, rotation, lowest, highest, step, start):
    slope = SamplePlane(pretilt, rotation).slopes().y
    found = level_start_deg(slope, lowest, highest, step)
    assert found == start and math.copysign(1, found) == math.copysign(1, start)


@given(schemes())
def test_tilts_are_evenly_spaced_within_the_range_and_none_comes_twice(scheme):
    found = sorted(tilts(scheme))
    assert np.diff(found) == pytest.approx(scheme.step_deg)
    assert scheme.lowest_deg <= found[0] and found[-1] <= scheme.highest_deg
    assert found[0] - scheme.step_deg < scheme.lowest_deg and found[-1] + scheme.step_deg > scheme.highest_deg


@given(schemes())
def test_each_branch_leaves_the_start_step_by_step(scheme):
    stops = scheme.stops()
    assert stops[0] == (scheme.start_deg, Branch.START)
    for branch, sign in ((Branch.UP, 1), (Branch.DOWN, -1)):
        own = [stop.tilt_deg for stop in stops if stop.branch is branch]
        assert own == pytest.approx(
            [scheme.start_deg + sign * scheme.step_deg * (n + 1) for n in range(len(own))]
        )


@given(schemes())
def test_a_group_is_never_larger_than_asked_while_both_sides_last(scheme):
    if type(scheme) is not DoseSymmetric:
        return
    runs = [
        (branch, len(list(run))) for branch, run in itertools.groupby(scheme.stops()[1:], lambda s: s.branch)
    ]
    assert all(length <= scheme.group for _, length in runs[:-1])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("dose-symmetric", 0, -60, 60, 0, 2), "step"),
        (("dose-symmetric", 0, -60, 60, 3, 0), "group"),
        (("dose-symmetric", 70, -60, 60, 3, 2), "start tilt 70"),
        (("unidirectional", 0, -60, 60, 3, 2), "one end"),
        (("spiral", 0, -60, 60, 3, 2), "'spiral'"),
    ],
)
def test_contradictions_are_refused(arguments, said):
    with pytest.raises(PlanError, match=said):
        make_scheme(*arguments)


def test_schemes_by_name():
    assert isinstance(make_scheme("dose-symmetric", 0, -60, 60, 3, 2), DoseSymmetric)
    assert len(make_scheme("dose-symmetric", 0, -60, 60, 3, 2).stops()) == 41
    assert isinstance(make_scheme("bidirectional", 0, -60, 60, 3, 2), Bidirectional)
    assert isinstance(make_scheme("unidirectional", -60, -60, 60, 3, 2), Unidirectional)
