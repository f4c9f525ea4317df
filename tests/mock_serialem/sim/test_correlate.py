"""Correlation of rendered images against the truth."""

import dataclasses
import math

import numpy as np
import pytest
import scipy.ndimage

from mock_serialem.sim import correlate
from mock_serialem.sim.measure import true_shift_um
from mock_serialem.sim.sample import HoleySpec, LamellaSpec

LAMELLA = LamellaSpec(contamination_per_um2=0.0)
HOLEY = HoleySpec(contamination_per_um2=0.0)


def shifted(world, setup, x_um, y_um, tilt_deg=None, focus_um=-5.0):
    """An exposure centred on the lab point (x, y)."""
    if tilt_deg is not None:
        world.tilt_to(tilt_deg)
    world.image_shift = tuple(np.linalg.inv(world.is_to_specimen(setup.mag_index)) @ [x_um, y_um])
    world.focus_um = focus_um
    return world.expose(setup)


@pytest.mark.parametrize("sample", [LAMELLA, HOLEY])
@pytest.mark.parametrize("mirrored", [False, True])
def test_a_known_image_shift_is_measured_with_its_sign(make_ideal, record, sample, mirrored):
    world = make_ideal(sample, fidelity="rendered", scope={"is_mirrored": mirrored})
    reference = shifted(world, record(), 0.0, 0.0)
    image = shifted(world, record(), 0.060, -0.035)
    found = world.measure_shift(image, reference, 0.3)
    assert found.shift_um == pytest.approx((0.060, -0.035), abs=1e-3)
    assert found.peak > 0.1


def test_shift_has_sign_and_rotation_of_the_camera(make_ideal, record):
    """Without a microscope: pixels of noise moved right and down."""
    world = make_ideal(LAMELLA)
    texture = np.random.default_rng(0).normal(200.0, 30.0, (400, 500))
    texture = np.cumsum(texture - 200.0, axis=1) * 0.2 + texture
    pixels = [texture[50:350, 50:450], texture[42:342, 38:438]]
    base = dataclasses.replace(world.expose(record(size_px=(400, 300))), rotation_deg=0.0, pixel_um=0.001)
    reference, image = (dataclasses.replace(base, pixels=part.astype(np.int16)) for part in pixels)
    # The image's content lies 12 px to the right of and 8 px below that of the reference.
    found = correlate.measure(image, reference, 0.05)
    assert found.shift_um == pytest.approx((-0.012, 0.008), abs=2e-4)
    turned = [dataclasses.replace(shot, rotation_deg=90.0) for shot in (image, reference)]
    assert correlate.measure(*turned, 0.05).shift_um == pytest.approx((0.008, 0.012), abs=2e-4)


@pytest.mark.parametrize(("sample", "first", "last"), [(LAMELLA, -54, 60), (HOLEY, -60, 60)])
def test_successive_tilts_align_to_a_few_nanometres(make_ideal, record, sample, first, last):
    world = make_ideal(sample, fidelity="rendered", seed=2)
    rng = np.random.default_rng(5)
    misses, previous = [], None
    for tilt in [*range(first, first + 7, 3), 0, 3, *range(last - 6, last + 1, 3)]:
        offset = rng.normal(0.0, 0.03, 2)
        world.focus_um, world.image_shift = 0.0, (0.0, 0.0)
        image = shifted(world, record(), *offset, tilt_deg=float(tilt))
        if previous is not None and tilt - previous.tilt_deg < 3.5:
            found = world.measure_shift(image, previous, 0.3).shift_um
            assert found is not None
            misses.append(np.subtract(found, true_shift_um(image, previous)))
        previous = image
    assert np.sqrt(np.mean(np.square(misses), axis=0)).max() < 0.004
    assert np.abs(misses).max() < 0.010


def test_different_binnings_of_one_magnification(make_ideal, record):
    world = make_ideal(LAMELLA, fidelity="rendered")
    coarse = shifted(world, record(binning=8, size_px=(720, 511)), 0.0, 0.0)
    fine = shifted(world, record(), 0.02, 0.03)
    assert world.measure_shift(fine, coarse, 0.3).shift_um == pytest.approx((0.02, 0.03), abs=2e-3)
    assert world.measure_shift(coarse, fine, 0.3).shift_um == pytest.approx((-0.02, -0.03), abs=2e-3)


def test_different_sizes_share_their_centre(make_ideal, record):
    world = make_ideal(LAMELLA, fidelity="rendered")
    large = shifted(world, record(), 0.0, 0.0)
    small = shifted(world, record(size_px=(720, 512)), -0.02, 0.03)
    assert world.measure_shift(small, large, 0.2).shift_um == pytest.approx((-0.02, 0.03), abs=2e-3)


def test_view_images_align_over_micrometres(make_ideal, record):
    world = make_ideal(LAMELLA, fidelity="rendered")
    view = record(camera_set="V", area="V", mag_index=17, dose_rate_e_per_a2_s=0.1, beam_radius_um=14.0)
    reference = shifted(world, view, 0.0, 0.0, focus_um=-60.0)
    image = shifted(world, view, 1.5, -0.8, focus_um=-60.0)
    assert world.measure_shift(image, reference, None).shift_um == pytest.approx((1.5, -0.8), abs=0.02)


@pytest.mark.parametrize("sample", [LAMELLA, HOLEY])
def test_a_record_image_is_found_in_a_view_image(make_ideal, record, sample):
    world = make_ideal(sample, fidelity="rendered", seed=1)
    view = record(camera_set="V", area="V", mag_index=17, dose_rate_e_per_a2_s=0.1, beam_radius_um=14.0)
    # The edge of a hole, or a few vesicles, lie within the small field.
    wide = shifted(world, view, 0.0, 0.0, focus_um=-60.0)
    small = shifted(world, record(), 0.6, -0.4, focus_um=-10.0)
    found = world.measure_shift(small, wide, 0.9).shift_um
    assert found == pytest.approx((0.6, -0.4), abs=0.02)
    back = world.measure_shift(wide, small, 0.9).shift_um
    assert back == pytest.approx((-0.6, 0.4), abs=0.02)


@pytest.mark.parametrize("size_px", [(40, 30), (41, 31), (40, 31)])
def test_a_template_is_found_to_a_fraction_of_a_coarse_pixel(make_ideal, record, size_px):
    world = make_ideal(LAMELLA)
    columns, rows = size_px
    y, x = np.mgrid[0:160, 0:200].astype(float)
    waves = np.sin(0.31 * x + 0.11 * y) + np.sin(0.23 * y - 0.05 * x) + np.sin(0.13 * x * y / 40.0)
    # Pixels doubled, so that the fine image has half the pixel size of the coarse one.
    top, left = 70, 90
    part = np.kron(waves[top : top + rows, left : left + columns], np.ones((2, 2)))
    base = dataclasses.replace(world.expose(record()), rotation_deg=0.0)
    wide = dataclasses.replace(base, pixels=np.rint(1000 + 300 * waves).astype(np.int16), pixel_um=0.002)
    small = dataclasses.replace(
        base,
        pixels=np.rint(1000 + 300 * part).astype(np.int16),
        pixel_um=0.001,
        setup=dataclasses.replace(base.setup, mag_index=28),
    )
    # Centre of the small image, in coarse pixels from the centre of the wide one, y up.
    right, up = left + (columns - 1) / 2.0 - 99.5, 79.5 - top - (rows - 1) / 2.0
    found = correlate.measure(small, wide, None).shift_um
    assert found == pytest.approx((0.002 * right, 0.002 * up), abs=2e-4)


def test_the_limit_bounds_what_is_looked_at(make_ideal, record):
    world = make_ideal(LAMELLA, fidelity="rendered")
    reference = shifted(world, record(), 0.0, 0.0)
    image = shifted(world, record(), 0.12, 0.0)
    found = world.measure_shift(image, reference, 0.05).shift_um
    assert found is None or math.hypot(*found) < 0.052


def test_blank_images_have_no_shift(make_ideal, record):
    shot = make_ideal(fidelity="rendered").expose(record(size_px=(128, 96)))
    blank = dataclasses.replace(shot, pixels=np.zeros((96, 128), np.int16))
    assert correlate.measure(blank, shot, 0.1).shift_um is None
    assert correlate.measure(shot, blank, 0.1).shift_um is None


def test_without_pixels_it_says_so(make_ideal, record):
    shot = dataclasses.replace(make_ideal().expose(record()), pixels=None)
    with pytest.raises(ValueError, match="no pixels"):
        correlate.measure(shot, shot, 0.1)


def test_the_same_image_has_no_shift_and_a_full_peak(make_ideal, record):
    shot = make_ideal(fidelity="rendered").expose(record(size_px=(400, 300)))
    found = correlate.measure(shot, shot, None)
    assert found.shift_um == pytest.approx((0.0, 0.0), abs=1e-9)
    assert found.peak == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize(("top", "left", "rows", "columns"), [(20, 30, 240, 300), (41, 60, 201, 333)])
def test_images_of_different_size_are_compared_middle_to_middle(make_ideal, record, top, left, rows, columns):
    """Without a microscope: a picture with an odd number of rows, and a part of it."""
    world = make_ideal(LAMELLA)
    noise = np.random.default_rng(0).normal(0.0, 1.0, (401, 501))
    texture = 200.0 + 300.0 * scipy.ndimage.gaussian_filter(noise, 3.0)
    base = dataclasses.replace(world.expose(record(size_px=(501, 401))), rotation_deg=0.0, pixel_um=0.001)
    whole = dataclasses.replace(base, pixels=texture.astype(np.int16))
    part = dataclasses.replace(base, pixels=texture[top : top + rows, left : left + columns].astype(np.int16))
    right, down = left + columns / 2 - 501 / 2, top + rows / 2 - 401 / 2
    found = correlate.measure(whole, part, 0.2)
    # What lies in the middle of the part is to the right and below in the whole, and must go back.
    assert found.shift_um == pytest.approx((-0.001 * right, 0.001 * down), abs=2e-4)
    back = correlate.measure(part, whole, 0.2)
    assert back.shift_um == pytest.approx((0.001 * right, -0.001 * down), abs=2e-4)


def test_a_record_is_found_in_a_view(make_ideal, record):
    view = record(
        camera_set="V",
        area="V",
        mag_index=17,
        exposure_s=0.5,
        dose_rate_e_per_a2_s=0.2,
        beam_radius_um=12.0,
    )
    hits = 0
    for seed in range(3):
        world = make_ideal(HOLEY, fidelity="rendered", seed=seed)
        wide = shifted(world, view, 0.0, 0.0, focus_um=-60.0)
        for place in ((0.0, 0.0), (0.5, -0.4)):
            found = correlate.measure(shifted(world, record(), *place), wide, 3.0)
            hits += found.shift_um == pytest.approx(place, abs=0.05)
    assert hits >= 4
