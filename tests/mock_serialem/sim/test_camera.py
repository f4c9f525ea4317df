import dataclasses

import numpy as np
import pytest

from mock_serialem.sim.profiles import KRIOS_SCOPE
from mock_serialem.sim.sample import HoleySpec, LamellaSpec


def test_counts_follow_dose_pixel_and_thickness(make_ideal, record, flat_lamella):
    world = make_ideal(flat_lamella)
    shot = world.expose(record(size_px=(64, 64), dose_rate_e_per_a2_s=5.0))
    # 5 e/A^2 on (5.32 A)^2, 4 counts an electron, through 150 nm at a mean free path of 320 nm.
    expected = 5.0 * 5.32**2 * 4.0 * np.exp(-150.0 / 320.0)
    assert shot.mean_counts == pytest.approx(expected, rel=1e-3)
    assert float(shot.pixels.mean()) == pytest.approx(expected, rel=0.02)
    world.tilt_to(60.0)
    assert world.expose(record(dose_rate_e_per_a2_s=5.0)).mean_counts == pytest.approx(
        5.0 * 5.32**2 * 4.0 * np.exp(-300.0 / 320.0), rel=1e-3
    )


@pytest.mark.parametrize("dose_rate", [0.05, 20.0])
def test_noise_is_that_of_counted_electrons(make_ideal, record, dose_rate):
    world = make_ideal(HoleySpec(empty=((0, 0),), contamination_per_um2=0.0), fidelity="rendered")
    shot = world.expose(record(size_px=(256, 200), dose_rate_e_per_a2_s=dose_rate))
    electrons = shot.pixels / shot.counts_per_electron
    assert electrons.mean() == pytest.approx(dose_rate * 5.32**2, rel=0.02)
    assert electrons.var() == pytest.approx(electrons.mean(), rel=0.05)


def test_kinematic_images_are_small_patches(make_ideal, record):
    shot = make_ideal().expose(record())
    assert shot.pixels.shape == (32, 32)
    assert shot.pixels.dtype == np.int16


def test_rendered_images_have_the_size_asked_for(make_ideal, record):
    shot = make_ideal(fidelity="rendered").expose(record(size_px=(150, 99)))
    assert shot.pixels.shape == (99, 150)
    assert shot.pixels.dtype == np.int16
    assert shot.mean_counts == pytest.approx(float(shot.pixels.mean()))


def test_both_fidelities_agree_about_brightness(make_ideal, record):
    means = [
        make_ideal(fidelity=fidelity, seed=2).expose(record(size_px=(512, 400))).mean_counts
        for fidelity in ("kinematic", "rendered")
    ]
    assert means[0] == pytest.approx(means[1], rel=0.05)


def test_bright_images_saturate_instead_of_turning_negative(make_ideal, record):
    shot = make_ideal(fidelity="rendered").expose(record(size_px=(64, 64), exposure_s=500.0))
    assert shot.pixels.max() == np.iinfo(np.int16).max
    assert shot.pixels.min() > 10_000


@pytest.mark.parametrize("fidelity", ["kinematic", "rendered"])
def test_a_strip_at_the_corner_of_the_lamella_is_lit_in_its_middle_only(make_ideal, record, fidelity):
    spec = LamellaSpec(pretilt_deg=0.0, rotation_deg=0.0, contamination_per_um2=0.0, rim_slope=100.0)
    mags = tuple(dataclasses.replace(mag, rotation_deg=60.0) for mag in KRIOS_SCOPE.magnifications)
    world = make_ideal(spec, scope={"magnifications": mags}, fidelity=fidelity)
    world.move_stage_to(-11.0, -8.0)
    # The image's long side runs along (cos 60, -sin 60): one end leaves through the side, one through the front.
    strip = record(area="V", mag_index=17, size_px=(1440, 8), dose_rate_e_per_a2_s=0.1, beam_radius_um=99.0)
    full = 0.1 * 120.0**2 * 4.0 * np.exp(-150.0 / 320.0)
    lit = world.expose(strip).mean_counts / full
    assert lit == pytest.approx(1.0 / 3.0 if fidelity == "kinematic" else (2.0 + 1.1547) / 17.28, abs=0.03)
