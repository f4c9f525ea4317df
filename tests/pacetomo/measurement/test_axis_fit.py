"""The tilt axis from focus: readings made by turning points of a line about an axis, one by one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pacetomo.measurement.axis_fit import AxisFit, FocusReading, fit_axis
from pacetomo.scope.protocol import Missing

TILTS = (-15.0, -10.0, -5.0, 0.0, 5.0, 10.0, 15.0)


def height_um(tilt_deg, y_um, axis_um, incline_deg, over_um):
    """Height at y of a line that rises by tan(incline) and lies `over_um` over y = 0, turned about the axis."""
    tilt, rise = math.radians(tilt_deg), math.tan(math.radians(incline_deg))
    ends = []
    for place_um in (-100.0, 100.0):
        y, z = place_um - axis_um, over_um + rise * place_um
        turned = (y + 1j * z) * complex(math.cos(tilt), math.sin(tilt))
        ends.append((turned.real + axis_um, turned.imag))
    (y0, z0), (y1, z1) = ends
    return z0 + (z1 - z0) * (y_um - y0) / (y1 - y0)


def readings(axis_um, incline_deg=0.0, over_um=0.0, runs=2, noise_um=0.0, seed=0, **world):
    rng = np.random.default_rng(seed)
    made, time_s = [], 0.0
    for run in range(runs):
        for tilt in sorted(world.get("tilts", TILTS), reverse=run % 2 == 1):
            lift_um = world.get("visit_um", 0.0) * rng.standard_normal() + world.get("play_um", 0.0) * (
                run % 2
            )
            for y_um in world.get("places", (-5.0, 0.0, 5.0)):
                time_s += 12.0
                focus_um = -3.2 + world.get("drift_um_per_h", 0.0) * time_s / 3600 - lift_um
                focus_um -= height_um(tilt, y_um, axis_um, incline_deg, over_um)
                focus_um -= world.get("bumps", {}).get(y_um, 0.0)
                focus_um += noise_um * rng.standard_normal()
                made.append(FocusReading(tilt, y_um, focus_um, run, time_s))
    return made


@settings(max_examples=15)
@given(
    axis_um=st.floats(-4, 4),
    incline_deg=st.floats(-20, 20),
    over_um=st.floats(-0.3, 0.3),
    play_um=st.floats(-0.4, 0.4),
)
def test_the_axis_comes_out_whatever_the_sample(axis_um, incline_deg, over_um, play_um):
    made = readings(axis_um, incline_deg, over_um, play_um=play_um, drift_um_per_h=0.3)
    found = fit_axis(made, is_eucentric=True)
    assert isinstance(found, AxisFit)
    assert found.off_um.value == pytest.approx(axis_um, abs=0.12)
    assert abs(found.off_um.value - axis_um) < 3 * found.off_um.sigma
    assert found.incline_deg.value == pytest.approx(incline_deg, abs=1.0)
    assert all(found.used) and found.scatter_um < 0.05


def test_a_level_sample_gives_axis_height_and_both_branches_alike():
    found = fit_axis(readings(1.3, over_um=0.2, runs=4), is_eucentric=True)
    assert found.off_um.value == pytest.approx(1.3, abs=0.005)
    assert found.up_um.value == pytest.approx(1.3, abs=0.05)
    assert found.down_um.value == pytest.approx(1.3, abs=0.05)
    assert found.height_um.value == pytest.approx(0.2, abs=0.15)


def test_branches_that_turn_about_different_axes_are_told_apart():
    up, down = readings(1.8), readings(0.6)
    mixed = [a if a.tilt_deg > 0 else b for a, b in zip(up, down)]
    found = fit_axis(mixed, is_eucentric=True)
    assert found.up_um.value == pytest.approx(1.8, abs=0.25)
    assert found.down_um.value == pytest.approx(0.6, abs=0.25)
    assert found.off_um.value == pytest.approx(1.2, abs=0.05)


def test_a_drift_of_the_focus_is_no_axis_when_there_is_a_way_back():
    drifting = readings(0.0, drift_um_per_h=1.0)
    assert abs(fit_axis(drifting, is_eucentric=True).off_um.value) < 0.03
    one_way = [reading for reading in drifting if reading.run == 0]
    assert fit_axis(one_way, is_eucentric=True).off_um.value > 0.08


def test_bumps_of_the_places_do_not_show_in_the_axis():
    found = fit_axis(readings(0.7, bumps={-5.0: 0.2, 0.0: -0.1, 5.0: 0.05}), is_eucentric=True)
    assert found.off_um.value == pytest.approx(0.7, abs=0.03)


@pytest.mark.parametrize(
    ("noise_um", "visit_um", "incline_deg"), [(0.07, 0.0, 0.0), (0.07, 0.0, -9.0), (0.1, 0.1, 1.5)]
)
def test_the_standard_error_is_what_repeated_measurements_scatter_by(noise_um, visit_um, incline_deg):
    off, told = [], []
    for seed in range(16):
        made = readings(-0.8, incline_deg, runs=4, noise_um=noise_um, visit_um=visit_um, seed=seed)
        found = fit_axis(made, is_eucentric=True)
        off.append(found.off_um.value + 0.8)
        told.append(found.off_um.sigma)
    assert 0.6 < np.sqrt(np.mean(np.square(off))) / np.mean(told) < 1.5
    assert np.mean(told) < 0.12


def test_wrong_readings_are_left_out_and_shown():
    made = readings(1.0, noise_um=0.05)
    for place, by_um in ((3, 1.5), (17, -3.0), (30, 0.8)):
        made[place] = made[place]._replace(focus_um=made[place].focus_um + by_um)
    found = fit_axis(made, is_eucentric=True)
    assert [place for place, used in enumerate(found.used) if not used] == [3, 17, 30]
    assert found.residuals_um[17] == pytest.approx(-3.0, abs=0.3)
    assert found.off_um.value == pytest.approx(1.0, abs=3 * found.off_um.sigma)


def test_a_run_gone_wild_does_no_harm():
    made = readings(1.0, noise_um=0.05, runs=5)
    rng = np.random.default_rng(2)
    wild = [r._replace(focus_um=r.focus_um + float(rng.normal(0, 20))) if r.run == 4 else r for r in made]
    found = fit_axis(wild, is_eucentric=True)
    assert sum(used for used, reading in zip(found.used, wild) if reading.run == 4) <= 4
    assert found.off_um.value == pytest.approx(1.0, abs=3 * found.off_um.sigma)


def test_the_course_of_the_fit_is_that_of_the_readings():
    found = fit_axis(readings(1.5, 4.0, 0.1), is_eucentric=True)
    for tilt in (-15.0, 15.0):
        rise_um = height_um(tilt, 5.0, 1.5, 4.0, 0.1) - height_um(0.0, 5.0, 1.5, 4.0, 0.1)
        assert found.expected_um(tilt, 5.0) - found.expected_um(0.0, 5.0) == pytest.approx(-rise_um, abs=0.02)
    # Were the axis where it was set, the focus on it would not run off to opposite sides.
    slope = found.expected_um(15.0, 0.0) - found.expected_um(-15.0, 0.0)
    unmoved = found.expected_um(15.0, 0.0, off_um=0.0) - found.expected_um(-15.0, 0.0, off_um=0.0)
    assert slope == pytest.approx(2 * 1.5 * math.tan(math.radians(15)), abs=0.1)
    assert abs(unmoved) < 0.05


def scattered(made, by_um):
    rng = np.random.default_rng(1)
    return [reading._replace(focus_um=by_um * float(rng.uniform(-1, 1))) for reading in made]


def jumping(made):
    rng = np.random.default_rng(1)
    return [reading._replace(focus_um=30.0 * float(rng.uniform(-1, 1))) for reading in made]


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (readings(1.0)[:7], "7 good measurements at 3 tilts and 3 places"),
        (readings(1.0, places=(0.0,)), "at 7 tilts and 1 places"),
        ([r for r in readings(1.0, runs=4) if abs(r.tilt_deg) < 2], "12 good measurements at 1 tilts"),
        (jumping(readings(1.0)), "measurements agree"),
        (readings(1.0, tilts=(-0.5, 0.0, 0.5), noise_um=0.05), "uncertain by"),
    ],
)
def test_what_is_no_measurement_is_refused_with_the_reason(made, said):
    found = fit_axis(made, is_eucentric=True)
    assert isinstance(found, Missing)
    assert said in found.reason
