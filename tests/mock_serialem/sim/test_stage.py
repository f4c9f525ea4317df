import dataclasses
import math

import numpy as np
import pytest

from mock_serialem.sim.profiles import CRYOARM, IDEAL, KRIOS, SIDE_ENTRY, StageProfile
from mock_serialem.sim.stage import Play, Stage, Wobble


def make_stage(profile: StageProfile, seed: int = 0) -> Stage:
    return Stage(profile, np.random.default_rng([seed, 1]), np.random.default_rng([seed, 2]))


def quiet(profile: StageProfile, **changes) -> StageProfile:
    """The profile without what is drawn at each move."""
    still = {"jitter_um": (0.0,) * 3, "relaxation_um": (0.0,) * 3, "drift_um_per_min": 0.0}
    return dataclasses.replace(profile, tilt_error_deg=(0.0, 0.0), **{**still, **changes})


def test_wobble_is_zero_untilted_and_as_large_as_stated():
    wobble = Wobble((0.1, 0.25, 0.0), np.random.default_rng(5))
    assert wobble.at(0.0) == pytest.approx(np.zeros(3))
    course = np.array([wobble.at(tilt) for tilt in np.linspace(-60.0, 60.0, 61)])
    assert np.sqrt(np.mean(course**2, axis=0)) == pytest.approx(np.array([0.1, 0.25, 0.0]))


@pytest.mark.parametrize("seed", range(4))
def test_wobble_along_z_is_no_tilt_axis_offset_in_disguise(seed):
    """Within the tilts at which an offset is measured."""
    wobble = Wobble((0.1, 0.25, 0.12), np.random.default_rng(seed))
    tilts = np.linspace(-15.0, 15.0, 7)
    tangent = np.tan(np.radians(tilts))
    lift = np.array([wobble.at(tilt)[2] for tilt in tilts])
    assert abs(lift @ tangent / (tangent @ tangent)) < 0.08


def test_wobble_is_smooth():
    course = np.array([Wobble((0.1, 0.25, 0.1), np.random.default_rng(5)).at(t) for t in range(-60, 61, 3)])
    assert np.abs(np.diff(course[:, 1])).max() < 0.1


def test_play_is_taken_up_before_the_other_flank_bears():
    play = Play(5.0)
    play.drive_to(20.0)
    assert play.lead == 1.0
    play.drive_to(17.0)
    assert play.lead == pytest.approx(0.4)
    play.drive_to(10.0)
    assert play.lead == -1.0
    play.drive_to(13.0)
    assert play.lead == pytest.approx(-0.4)


def test_branches_differ_by_the_play_even_after_backlash_removal():
    stage = make_stage(quiet(KRIOS, wobble_um=(0.0,) * 3))
    for tilt in (3.0, 6.0, 9.0, 12.0, 15.0):
        stage.tilt_to(tilt, 0.0)
    upper = stage.displacement_um(100.0)
    for tilt in (-6.0, -3.0):
        stage.tilt_to(tilt, 0.0)
    jump = stage.displacement_um(100.0) - upper
    assert 0.03 < abs(jump[1]) < 0.09
    for tilt in (-9.0, -6.0):
        stage.tilt_to(tilt, 0.0)
    assert stage.displacement_um(100.0) - upper == pytest.approx(jump)


def test_motion_at_a_tilt_repeats_but_for_what_is_drawn_anew():
    stage = make_stage(quiet(KRIOS, hysteresis_um=(0.0,) * 3))
    stage.tilt_to(30.0, 0.0)
    first = stage.displacement_um(1.0)
    stage.tilt_to(-30.0, 0.0)
    stage.tilt_to(30.0, 0.0)
    assert stage.displacement_um(1.0) == pytest.approx(first)
    assert np.abs(first).max() > 0.01


@pytest.mark.parametrize("profile", [KRIOS, CRYOARM, SIDE_ENTRY])
def test_jitter_has_the_stated_size(profile):
    stage = make_stage(
        quiet(profile, wobble_um=(0.0,) * 3, hysteresis_um=(0.0,) * 3, jitter_um=profile.jitter_um)
    )
    seen = []
    for _ in range(400):
        stage.tilt_to(10.0, 0.0)
        seen.append(stage.displacement_um(0.0))
    assert np.std(seen, axis=0) == pytest.approx(np.array(profile.jitter_um), rel=0.15)


def test_relaxation_dies_out_with_its_time_constant():
    stage = make_stage(quiet(IDEAL, relaxation_um=(0.01, 0.02, 0.0), relaxation_tau_s=20.0))
    stage.tilt_to(3.0, arrived_s=50.0)
    start, later, end = (stage.displacement_um(t) for t in (50.0, 70.0, 1e4))
    assert end == pytest.approx(np.zeros(3))
    assert np.abs(start[:2]).min() > 0.0
    assert later == pytest.approx(start * math.exp(-1.0))


def test_drift_has_the_stated_speed():
    stage = make_stage(quiet(IDEAL, drift_um_per_min=0.003))
    moved = stage.displacement_um(660.0) - stage.displacement_um(600.0)
    assert np.hypot(moved[0], moved[1]) == pytest.approx(0.003, rel=1e-3)
    assert stage.displacement_um(0.0) == pytest.approx(np.zeros(3))


def test_the_specimen_moves_with_the_stage():
    profile = dataclasses.replace(
        IDEAL, motion_scale=(1.01, 0.99), motion_rotation_deg=90.0, eucentric_error_um=0.5
    )
    stage = make_stage(profile)
    stage.move_to(2.0, 0.0, 1.0)
    assert stage.shift_um() == pytest.approx(np.array([0.0, 2.02, 1.5]))


def test_moves_end_near_where_they_should_and_short_ones_nearer():
    stage = make_stage(KRIOS)
    far, near = [], []
    for step in range(300):
        stage.move_to(50.0 * (step % 2), 0.0, 0.0)
        far.append(stage.shift_um() - stage.motion_shift_um())
        stage.move_to(50.0 * (step % 2) + 0.5, 0.0, 0.0)
        near.append(stage.shift_um() - stage.motion_shift_um())
    assert np.std(far, axis=0)[:2] == pytest.approx(np.full(2, KRIOS.move_error_um), rel=0.15)
    assert np.std(near, axis=0)[0] < 0.3 * KRIOS.move_error_um


def test_tilt_ends_a_little_short_of_nominal():
    stage = make_stage(KRIOS)
    errors = []
    for tilt in range(-60, 61):
        stage.tilt_to(float(tilt), 0.0)
        errors.append(stage.tilt_true_deg - tilt)
    assert np.mean(errors) == pytest.approx(-0.010, abs=0.001)
    assert np.std(errors) == pytest.approx(0.003, rel=0.25)


def test_limits_refuse_and_nothing_moves():
    stage = make_stage(KRIOS)
    with pytest.raises(ValueError, match=r"70\.0 degrees"):
        stage.tilt_to(70.1, 0.0)
    with pytest.raises(ValueError, match="beyond its limits"):
        stage.move_to(0.0, 1200.0, 0.0)
    assert (stage.tilt_nominal_deg, stage.commanded_um) == (0.0, (0.0, 0.0, 0.0))
    stage.tilt_to(-70.04, 0.0)
    assert stage.tilt_nominal_deg == -70.04
