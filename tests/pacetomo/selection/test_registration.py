"""What View and Record differ in: the transform between steps, and the one between places."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacetomo.frames import ORIGIN, XY, Matrix2
from pacetomo.pattern import Lattice
from pacetomo.scope.protocol import Missing
from pacetomo.selection.areas_apart import ALIKE, fit_apart, mean_apart, spare_holes
from pacetomo.selection.registration import NoRegistration, Registration, register

PLACES = [XY(3.0, 0.5), XY(-2.0, 1.0), XY(0.5, -3.0), XY(-1.0, -2.0), XY(2.5, 2.5), XY(-3.0, 3.0)]
small = st.floats(-0.03, 0.03)


@given(small, small, small, small)
def test_a_transform_is_learnt_and_applied(a, b, c, d):
    true = Matrix2(1 + a, b, c, 1 + d)
    learnt = register(PLACES, [true.apply(place) for place in PLACES])
    if isinstance(learnt, NoRegistration):
        assert max(map(abs, (a, b, c, d))) < 1e-6 and "would not help" in learnt.reason
        return
    assert learnt.apply(XY(4.0, -7.0)) == pytest.approx(true.apply(XY(4.0, -7.0)), abs=1e-6)
    assert learnt.worst_um < 1e-6 <= learnt.before_um + 1e-6


def test_errors_are_those_of_targets_that_were_left_out():
    true = Matrix2(1.02, 0.01, -0.01, 0.98)
    found = [true.apply(place) for place in PLACES]
    found[2] = found[2].plus(XY(0.05, 0.0))
    learnt = register(PLACES, found)
    assert isinstance(learnt, Registration)
    # The others do not know of it: it is off by the whole 50 nm, of which a fit with it would hide a part.
    assert learnt.worst_um >= 0.05 - 1e-9
    assert learnt.mean_um < learnt.worst_um
    assert "worst" in learnt.describe() and "6 targets" in learnt.describe()


@pytest.mark.parametrize(
    ("places", "reason"),
    [
        (PLACES[:4], "4 targets were centred in both, 5 are needed"),
        ([XY(n, 0.01 * n) for n in range(-3, 4)], "in a row"),
    ],
)
def test_too_few_targets_and_a_row_of_them_tell_nothing(places, reason):
    learnt = register(places, places)
    assert not learnt and reason in learnt.reason


def test_a_mistaken_target_is_not_believed():
    found = list(PLACES)
    found[0] = XY(3.0, 5.5)
    assert "a target was mistaken" in register(PLACES, found).reason


def test_a_transform_that_does_not_help_is_none():
    rng = np.random.default_rng(1)
    found = [place.plus(XY(*rng.normal(0, 0.03, 2).tolist())) for place in PLACES]
    assert "would not help" in register(PLACES, found).reason


@given(small, small, small, small, st.floats(-0.5, 0.5), st.floats(-0.5, 0.5))
def test_the_difference_of_the_areas_is_fitted_as_it_is(a, b, c, d, x, y):
    change, offset = Matrix2(a, b, c, d), XY(x, y)
    pairs = [(place, offset.plus(change.apply(place))) for place in PLACES]
    found = fit_apart(pairs)
    assert found.recorded(XY(5.0, -6.0)) == pytest.approx(
        XY(5.0, -6.0).plus(offset).plus(change.apply(XY(5.0, -6.0))), abs=1e-6
    )
    assert found.recorded_step(XY(1.0, 0.0)) == pytest.approx((1 + a, c), abs=1e-6)
    assert found.places == len(PLACES)


def test_one_wrong_place_is_left_out():
    pairs = [(place, XY(0.2, -0.2)) for place in PLACES]
    pairs[3] = (PLACES[3], XY(-0.2, 0.1))
    found = fit_apart(pairs)
    assert found.places == len(PLACES) - 1
    assert found.recorded(ORIGIN) == pytest.approx((0.2, -0.2), abs=1e-6)


@pytest.mark.parametrize(
    ("pairs", "reason"),
    [
        ([(place, ORIGIN) for place in PLACES[:3]], "at 3 places, 4 are needed"),
        ([(XY(n, n), ORIGIN) for n in range(5)], "in a row"),
        ([(place, XY(math.sin(9 * n), math.cos(7 * n))) for n, place in enumerate(PLACES)], "contradict"),
    ],
)
def test_a_difference_that_is_not_known_is_said(pairs, reason):
    found = fit_apart(pairs)
    assert isinstance(found, Missing) and reason in found.reason


def test_nothing_known_changes_nothing():
    assert ALIKE.recorded(XY(1.0, 2.0)) == XY(1.0, 2.0)
    assert mean_apart([]) == ORIGIN


def test_spare_holes_are_no_holes_of_the_pattern():
    lattice = Lattice(XY(3.0, 0.3), XY(-0.3, 3.0))
    for size in (0, 1, 3):
        indices = [lattice.nearest(hole) for hole in spare_holes(lattice, size)]
        assert all(max(abs(i), abs(j)) == size + 1 for i, j in indices)
        assert len(set(indices)) == 8
