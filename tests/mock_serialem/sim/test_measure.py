import dataclasses
import math

import numpy as np
import pytest

from mock_serialem.sim import measure
from mock_serialem.sim.profiles import MeasurementProfile
from mock_serialem.sim.world import make_world

PROFILE = MeasurementProfile()
SOUND = measure.View(stretch=1.0, dose_behind=3.0, detail=1.0)


def pair(x_um=0.0, y_um=0.0, view=SOUND):
    return measure.Pair((x_um, y_um), view, field_um=0.54, pixel_um=0.53e-3)


def test_noise_grows_with_slant_and_with_less_dose_and_detail():
    base = measure.shift_sigma_um(PROFILE, SOUND, 0.53e-3)
    assert base == pytest.approx(0.004)
    steep = dataclasses.replace(SOUND, stretch=2.0)
    assert measure.shift_sigma_um(PROFILE, steep, 0.53e-3) == pytest.approx(base * 2.0**1.3)
    dim = dataclasses.replace(SOUND, dose_behind=0.75)
    assert measure.shift_sigma_um(PROFILE, dim, 0.53e-3) == pytest.approx(2.0 * base)
    bare = dataclasses.replace(SOUND, detail=0.25)
    assert measure.shift_sigma_um(PROFILE, bare, 0.53e-3) == pytest.approx(2.0 * base)
    assert measure.shift_sigma_um(PROFILE, SOUND, 0.1) == pytest.approx(0.015)


def test_outliers_are_rare_on_sound_targets_and_sure_in_the_dark():
    assert measure.outlier_probability(PROFILE, SOUND) < 1.5e-4
    assert (
        measure.outlier_probability(PROFILE, dataclasses.replace(SOUND, stretch=2.8, dose_behind=0.8)) < 2e-3
    )
    assert measure.outlier_probability(PROFILE, dataclasses.replace(SOUND, dose_behind=0.05)) == 1.0
    assert measure.outlier_probability(PROFILE, dataclasses.replace(SOUND, detail=0.0)) == 1.0


def test_a_draw_lies_about_what_is_to_be_seen():
    rng = np.random.default_rng(0)
    drawn = np.array([measure.draw_shift(pair(0.03, -0.02), 0.5, PROFILE, rng).shift_um for _ in range(500)])
    assert drawn.mean(axis=0) == pytest.approx([0.03, -0.02], abs=3e-4)
    assert drawn.std(axis=0) == pytest.approx(np.full(2, measure.PAIR_SHARE * 0.004), rel=0.15)


def test_a_shift_beyond_the_limit_is_no_peak():
    found = measure.draw_shift(pair(0.2, 0.0), 0.1, PROFILE, np.random.default_rng(0))
    assert found.shift_um is None


def test_a_failed_correlation_gives_nothing_or_anything_within_the_limit():
    rng = np.random.default_rng(1)
    dark = measure.View(1.0, 0.0, 1.0)
    found = [measure.draw_shift(pair(view=dark), 0.2, PROFILE, rng) for _ in range(400)]
    false = [shift.shift_um for shift in found if shift.shift_um is not None]
    assert 140 < len(false) < 260
    distances = np.hypot(*np.array(false).T)
    assert distances.max() <= 0.2
    assert np.median(distances) == pytest.approx(0.2 * math.sqrt(0.5), rel=0.1)
    assert max(shift.peak for shift in found) < 0.05


def test_a_shift_of_most_of_the_field_is_lost():
    rng = np.random.default_rng(2)
    assert all(
        shift is None or math.hypot(shift[0] - 0.45, shift[1]) > 1e-4
        for shift in (measure.draw_shift(pair(0.45), None, PROFILE, rng).shift_um for _ in range(20))
    )


def test_measured_shift_has_the_sign_and_size_of_the_true_one(make_ideal, record):
    world = make_ideal(scope={"measurement": MeasurementProfile(shift_sigma_nm=0.0)})
    reference = world.expose(record())
    world.image_shift = tuple(np.linalg.inv(world.is_to_specimen(27)) @ [0.08, -0.05])
    image = world.expose(record())
    # The image was taken farther along (+0.08, -0.05): its content lies at the negative and must be moved back.
    assert image.pose.where(reference.pose.centre_um)[:2] == pytest.approx((-0.08, 0.05))
    assert world.measure_shift(image, reference, 0.5).shift_um == pytest.approx((0.08, -0.05), abs=1e-3)
    assert world.measure_shift(reference, image, 0.5).shift_um == pytest.approx((-0.08, 0.05), abs=1e-3)


def test_noise_of_images_does_not_pile_up_along_a_chain(record):
    world = make_world("lamella", "ideal", 5, "kinematic")
    shots = [world.expose(record()) for _ in range(101)]
    steps = [world.measure_shift(b, a, None).dx_um for a, b in zip(shots, shots[1:])]
    direct = world.measure_shift(shots[-1], shots[0], None).dx_um
    piled = measure.PAIR_SHARE * 0.004 * math.sqrt(100)
    assert abs(sum(steps) - direct) < 4.0 * piled
    assert np.std(steps) > 3.0 * abs(sum(steps)) / 100
    assert np.std(steps) == pytest.approx(0.005, rel=0.35)


def test_autofocus_fails_now_and_then_and_in_the_dark():
    rng = np.random.default_rng(3)
    often = MeasurementProfile(autofocus_failure=0.2)
    codes = [measure.draw_autofocus(-5.0, SOUND, often, rng).code for _ in range(300)]
    assert 0.12 < codes.count(-1) / 300 < 0.28
    assert measure.draw_autofocus(-5.0, measure.View(1.0, 0.0, 1.0), PROFILE, rng).code == -1


def test_ctf_fits_are_good_or_now_and_then_wrong():
    rng = np.random.default_rng(4)
    fits = [measure.draw_ctf_fit(-4.0, SOUND, MeasurementProfile(ctf_wrong=0.1), rng) for _ in range(600)]
    errors = np.array([fit.defocus_um + 4.0 for fit in fits])
    wrong = np.array([fit.score < 0.1 for fit in fits])
    assert 0.06 < wrong.mean() < 0.15
    assert errors[~wrong].std() == pytest.approx(PROFILE.ctf_sigma_um, rel=0.15)
    assert errors[wrong].std() > 0.6
    assert all(fit.astigmatism_um >= 0.0 and fit.score > 0.0 for fit in fits)
    claimed = np.array([fit.resolution_a for fit in fits])
    assert set(claimed[~wrong]) == {9.0}
    # A wrong fit may claim what a poor one reaches: a limit on the resolution alone does not find them all.
    assert claimed[wrong].min() < 25.0 < 50.0 < claimed[wrong].max()


def test_ctf_fits_are_worse_on_steep_and_dim_images_and_impossible_with_coarse_pixels():
    rng = np.random.default_rng(4)
    profile = MeasurementProfile(ctf_wrong=0.0)
    steep = dataclasses.replace(SOUND, stretch=2.0)
    dim = dataclasses.replace(SOUND, dose_behind=0.5)
    for view in (steep, dim):
        fits = [measure.draw_ctf_fit(-4.0, view, profile, rng) for _ in range(400)]
        assert np.std([fit.defocus_um for fit in fits]) == pytest.approx(2 * PROFILE.ctf_sigma_um, rel=0.15)
        assert all(fit.resolution_a == pytest.approx(18.0) for fit in fits)
    assert measure.draw_ctf_fit(-4.0, SOUND, profile, rng, pixel_um=5e-4).resolution_a == pytest.approx(11.0)
    assert measure.draw_ctf_fit(-4.0, SOUND, profile, rng, pixel_um=3e-3) is None
    assert measure.draw_ctf_fit(-4.0, dataclasses.replace(SOUND, dose_behind=0.01), profile, rng) is None


def test_a_coarse_pixel_gathers_electrons(make_ideal, record):
    world = make_ideal()
    setup = record(camera_set="V", area="V", mag_index=17, dose_rate_e_per_a2_s=0.1, beam_radius_um=20.0)
    assert not measure.View.of(world.expose(setup), 1.0).dark
    assert measure.View.of(world.expose(record(dose_rate_e_per_a2_s=0.1)), 1.0).dark
