import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacetomo.frames import XY
from pacetomo.geometry import height_um, seen_y_um
from pacetomo.joint.priors import USUAL, Stop
from pacetomo.joint.rows import (
    CREEP_S,
    FOUND_UM,
    NOT_FOUND_UM,
    X_SPREAD,
    YZ_SPREAD,
    Geometry,
    Moment,
    own_spread,
    x_prior,
    yz_prior,
)
from pacetomo.schemes import Branch
from pacetomo.tracking import Start

tilts = st.floats(-60, 60)
starts = st.sampled_from([-9.0, 0.0, 12.0])
SIDE = {Branch.UP: 1, Branch.DOWN: -1}


def geometry_of(start_deg):
    places = {1: (XY(0.2, 0.1), 0.0), 2: (XY(3.0, -2.0), 0.4), 3: (XY(-4.0, 1.0), -0.3)}
    begun = {}
    for number, (shift, z0) in places.items():
        n0 = (shift.y + z0 * math.sin(math.radians(start_deg))) / math.cos(math.radians(start_deg))
        begun[number] = Start(shift, n0, z0, True)
    return Geometry(begun, start_deg, 1)


def turned(y, z, phi_deg):
    """Rotate about the x axis, counter-clockwise seen from +X."""
    phi = math.radians(phi_deg)
    return y * math.cos(phi) - z * math.sin(phi), y * math.sin(phi) + z * math.cos(phi)


@given(tilt=tilts, start=starts, target=st.sampled_from([1, 2, 3]))
def test_predictions_are_those_of_the_geometry(tilt, start, target):
    geometry = geometry_of(start)
    begun = geometry.starts[target]
    shift, rise = geometry.predicted(target, tilt)
    assert shift == pytest.approx((begun.shift_um.x, seen_y_um(begun.n0_um, begun.z0_um, tilt)), abs=1e-9)
    change = height_um(begun.n0_um, begun.z0_um, tilt) - height_um(begun.n0_um, begun.z0_um, start)
    assert rise == pytest.approx(change, abs=1e-9)


@given(tilt=tilts, start=starts, axis=st.floats(-1, 1), half=st.floats(-1, 1), height=st.floats(-1, 1))
def test_axis_and_height_turn_with_the_stage(tilt, start, axis, half, height):
    """A point kept at the origin that is really off the axis moves by the turned less the start position."""
    branch = Branch.UP if tilt >= start else Branch.DOWN
    rows = geometry_of(start).yz_rows(1, Moment(tilt, branch, 0, 0.0), 1)
    unknowns = np.zeros(rows.common.shape[1])
    unknowns[:3] = axis, half, height
    off = axis + SIDE[branch] * half
    y, z = turned(off, height, tilt - start)
    assert rows.common @ unknowns == pytest.approx([y - off, z - height], abs=1e-9)


@given(tilt=tilts, start=starts, higher=st.floats(-1, 1))
def test_a_target_higher_than_thought_moves_against_sine(tilt, start, higher):
    """Focus at the start was set for the lower place: the whole height shows."""
    rows = geometry_of(start).yz_rows(2, Moment(tilt, Branch.UP, 0, 0.0), 1)
    assert rows.own @ [0, 0, 0, higher] == pytest.approx(turned(0.0, higher, tilt - start), abs=1e-9)


def test_slopes_and_bend_are_heights_of_each_place():
    geometry = geometry_of(0.0)
    at = Moment(30.0, Branch.UP, 0, 0.0)
    place = XY(3.0 - 0.2, -2.0 - 0.1)
    row = geometry.yz_rows(2, at, 1)
    higher = 0.05 * place.x - 0.03 * place.y
    unknowns = np.zeros(row.common.shape[1])
    unknowns[5:7] = 0.05, -0.03
    assert row.common @ unknowns == pytest.approx(row.own[:, 3] * higher, abs=1e-3)
    rim = geometry.yz_rows(3, at, 1)
    assert rim.common[:, 7] == pytest.approx(rim.own[:, 3])


def test_every_stop_has_its_own_motion_and_the_start_none():
    geometry = geometry_of(0.0)
    at = Moment(6.0, Branch.UP, 1, 2.0, rest_s=CREEP_S)
    creep = pytest.approx(math.exp(-1.0))
    assert geometry.x_row(2, at, 3).common[0, X_SPREAD.size :].tolist() == [0, 0, 1, creep, 0, 0]
    rows = geometry.yz_rows(2, at, 3).common[:, YZ_SPREAD.size :]
    assert rows[:, 3:6].tolist() == [[1, 0, creep], [0, 1, 0]]
    assert not rows[:, :3].any() and not rows[:, 6:].any()
    begun = Moment(0.0, Branch.START, None, 0.0)
    assert not geometry.x_row(2, begun, 3).common[0, X_SPREAD.size :].any()
    assert not geometry.yz_rows(2, begun, 3).common[:, YZ_SPREAD.size :].any()


@given(tilt=tilts, turn=st.floats(-0.02, 0.02))
def test_a_turned_axis_shows_in_x(tilt, turn):
    geometry = geometry_of(0.0)
    row = geometry.x_row(2, Moment(tilt, Branch.UP, 0, 0.0), 1)
    dy = geometry.predicted(2, tilt)[0].y - geometry.starts[2].shift_um.y
    assert row.common[0, 0] * turn == pytest.approx(-turn * dy, abs=1e-12)


def test_priors_have_a_place_for_every_unknown():
    stops = [Stop(3.0, 1, 1, False, False), Stop(-3.0, -1, 1, True, True)]
    of_x = x_prior(stops, [], USUAL["x"])
    of_yz = yz_prior(stops, [], [], USUAL["y"], USUAL["z"])
    assert of_x.shape == (X_SPREAD.size + 4,) * 2
    assert of_yz.shape == (YZ_SPREAD.size + 6,) * 2
    motions = [of_yz[YZ_SPREAD.size + n :: 3, YZ_SPREAD.size :] for n in range(3)]
    for n, rows in enumerate(motions):  # y, z and creep move independently
        assert (
            rows[:, n::3].any()
            and not rows[:, (n + 1) % 3 :: 3].any()
            and not rows[:, (n + 2) % 3 :: 3].any()
        )
    assert np.linalg.eigvalsh(of_yz).min() > 0


def test_own_unknowns_begin_as_the_set_up_left_them():
    begun = geometry_of(0.0).starts[2]
    found, guessed = own_spread(begun, 1e-4, True), own_spread(begun._replace(is_found=False), 1e-4, False)
    assert found.shape, guessed.shape == ((4, 4), (3, 3))
    assert found[0, 0] == pytest.approx(FOUND_UM**2)
    assert guessed[0, 0] == pytest.approx(NOT_FOUND_UM**2)
    assert found[1:3, 1:3].tolist() == [[1e-4, 1e-4], [1e-4, 1e-4]]
