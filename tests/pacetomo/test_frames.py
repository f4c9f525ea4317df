from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from strategies import matrices, small, small_shifts_um

from pacetomo.errors import PaceError
from pacetomo.frames import IDENTITY, XY, Calibration, Matrix2

QUARTER_TURN = Matrix2(0.0, -1.0, 1.0, 0.0)


def test_points_add_and_scale_by_coordinate():
    assert XY(1.0, 2.0).plus(XY(3.0, -5.0)) == XY(4.0, -3.0)
    assert XY(1.0, 2.0).minus(XY(3.0, -5.0)) == XY(-2.0, 7.0)
    assert XY(1.0, -2.0).scaled(-2.0) == XY(-2.0, 4.0)
    assert XY(3.0, -4.0).length == 5.0


@pytest.mark.parametrize(
    "point, finite", [(XY(1.0, 2.0), True), (XY(math.nan, 2.0), False), (XY(0.0, math.inf), False)]
)
def test_finite_points(point, finite):
    assert point.is_finite is finite


def test_elements_are_in_the_order_of_serialem():
    # X = x XpX + y XpY, Y = x YpX + y YpY.
    assert Matrix2(1.0, 2.0, 3.0, 4.0).apply(XY(10.0, 100.0)) == XY(210.0, 430.0)


def test_a_quarter_turn_is_counter_clockwise():
    assert QUARTER_TURN.apply(XY(1.0, 0.0)) == XY(0.0, 1.0)
    assert QUARTER_TURN.inverse().apply(XY(0.0, 1.0)) == XY(1.0, 0.0)


def test_times_applies_the_other_matrix_first():
    stretch_x = Matrix2(5.0, 0.0, 0.0, 1.0)
    assert QUARTER_TURN.times(stretch_x).apply(XY(1.0, 0.0)) == XY(0.0, 5.0)
    assert stretch_x.times(QUARTER_TURN).apply(XY(1.0, 0.0)) == XY(0.0, 1.0)


@given(matrices, small_shifts_um)
def test_the_inverse_leads_back(matrix, point):
    assume(abs(matrix.determinant) > 0.01)
    assert matrix.inverse().apply(matrix.apply(point)) == pytest.approx(point, abs=1e-6)


@given(matrices, matrices, small_shifts_um)
def test_a_product_is_one_matrix_after_the_other(first, second, point):
    assert second.times(first).apply(point) == pytest.approx(
        second.apply(first.apply(point)), abs=1e-8, rel=1e-9
    )


@given(small)
def test_image_shift_units_of_any_size_can_be_inverted(exponent):
    factor = 10.0 ** (exponent / 3)
    matrix = Matrix2(0.9 * factor, -0.4 * factor, 0.4 * factor, 0.9 * factor)
    assert matrix.times(matrix.inverse()).apply(XY(1.0, 2.0)) == pytest.approx((1.0, 2.0))


@pytest.mark.parametrize(
    "matrix",
    [
        Matrix2(0.0, 0.0, 0.0, 0.0),
        Matrix2(1.0, 2.0, 2.0, 4.0),
        Matrix2(math.nan, 0.0, 0.0, 1.0),
        Matrix2(math.inf, 0.0, 0.0, 1.0),
    ],
)
def test_a_matrix_without_inverse_names_the_calibration(matrix):
    with pytest.raises(PaceError, match="calibration"):
        matrix.inverse()


def test_a_calibration_knows_both_ways():
    calibration = Calibration(Matrix2(2.0, 0.0, 0.0, -4.0), IDENTITY)
    assert calibration.specimen_to_is.apply(XY(2.0, 2.0)) == XY(1.0, -0.5)
    assert calibration.specimen_to_stage.apply(XY(2.0, 3.0)) == XY(2.0, 3.0)


def test_a_missing_calibration_is_refused_only_where_it_is_needed():
    calibration = Calibration(Matrix2(0.0, 0.0, 0.0, 0.0), IDENTITY)
    assert calibration.specimen_to_stage.apply(XY(1.0, 1.0)) == XY(1.0, 1.0)
    with pytest.raises(PaceError):
        calibration.specimen_to_is  # noqa: B018
