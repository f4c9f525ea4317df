import math

import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st

from pacetomo.correlation import Found, find
from pacetomo.earlier_images import FEWEST_PX, Earlier, conditioned, stretch_between
from pacetomo.frames import ORIGIN, XY, Matrix2
from pacetomo.geometry import SamplePlane
from pacetomo.scope.protocol import Missing

PIXEL_UM = 0.004
SHAPE = (144, 200)
LEVEL = SamplePlane()


def camera(rotation_deg, mirrored=False):
    """Pixels (X right, Y up) to µm of the specimen frame."""
    c, s = (
        PIXEL_UM * math.cos(math.radians(rotation_deg)),
        PIXEL_UM * math.sin(math.radians(rotation_deg)),
    )
    return Matrix2(c, -s if mirrored else s, -s, -c if mirrored else c)


CAMERAS = {
    "straight": camera(0.0),
    "turned": camera(-84.0),
    "upside down": camera(175.0),
    "mirrored": camera(30.0, mirrored=True),
}


class Sample:
    """A plane with structure on it, seen from any side with the target anywhere."""

    def __init__(self, seed=0, plane=LEVEL, finest_px=1.5):
        self.rng = np.random.default_rng(seed)
        self.plane = plane
        self.texture = scipy.ndimage.gaussian_filter(self.rng.standard_normal((700, 700)), finest_px)
        self.texture /= self.texture.std()

    def seen(self, target_um, tilt_deg=0.0, px_to_um=CAMERAS["straight"], noise=0.7):
        """Image in which the target lies at a place of the specimen frame; its top row first."""
        rows, columns = SHAPE
        right = np.arange(columns)[None, :] - 0.5 * (columns - 1)
        up = 0.5 * (rows - 1) - np.arange(rows)[:, None]
        x = px_to_um.xpx * right + px_to_um.xpy * up - target_um.x
        y = px_to_um.ypx * right + px_to_um.ypy * up - target_um.y
        slopes, tilt = self.plane.slopes(), math.radians(tilt_deg)
        # y = n cos t - (a x + b n) sin t, as in `pacetomo.frames`.
        n = (y + slopes.x * x * math.sin(tilt)) / (math.cos(tilt) - slopes.y * math.sin(tilt))
        places = np.stack([350.0 + n / PIXEL_UM, 350.0 + x / PIXEL_UM])
        clean = scipy.ndimage.map_coordinates(self.texture, places, order=1, mode="wrap")
        return conditioned(clean + noise * self.rng.standard_normal(SHAPE))


def close_to(found, true_um, within_px=0.5):
    assert isinstance(found, Found), found
    return found.offset_um.minus(true_um).length < within_px * PIXEL_UM


@pytest.mark.parametrize("px_to_um", CAMERAS.values(), ids=CAMERAS)
@pytest.mark.parametrize("target_um", [XY(0.05, 0.0), XY(0.0, 0.05), XY(-0.031, 0.083)])
def test_a_target_is_found_where_it_is_whatever_the_cameras_axes(px_to_um, target_um):
    sample = Sample(1)
    then_um = XY(0.02, -0.04)
    earlier = [Earlier(sample.seen(then_um, px_to_um=px_to_um), 0.0, then_um)]
    image = sample.seen(target_um, px_to_um=px_to_um)
    assert close_to(find(image, 0.0, earlier, px_to_um, ORIGIN, ORIGIN, 0.2), target_um)


@pytest.mark.parametrize("px_to_um", CAMERAS.values(), ids=CAMERAS)
@pytest.mark.parametrize("side", [1, -1])
def test_an_earlier_image_is_stretched_across_the_tilt_axis_as_the_sample_plane_is(px_to_um, side):
    plane = SamplePlane(-20.0 * side, 25.0)
    sample = Sample(2, plane)
    then_um, now_um = XY(0.06, 0.03), XY(-0.02, 0.05)
    earlier = [Earlier(sample.seen(then_um, 38.0 * side, px_to_um), 38.0 * side, then_um)]
    image = sample.seen(now_um, 50.0 * side, px_to_um)
    found = find(image, 50.0 * side, earlier, px_to_um, plane.slopes(), ORIGIN, 0.2)
    assert close_to(found, now_um)
    # Anything else than this geometry makes the peak lower.
    quarter_turn = px_to_um.times(Matrix2(0.0, -1.0, 1.0, 0.0))
    others = [
        find(image, 50.0 * side, earlier, px_to_um, plane.slopes().scaled(-1.0), ORIGIN, 0.2),
        find(image, -50.0 * side, earlier, px_to_um, plane.slopes(), ORIGIN, 0.2),
        find(image, 50.0 * side, earlier, px_to_um, XY(-plane.slopes().x, plane.slopes().y), ORIGIN, 0.2),
        find(image, 50.0 * side, earlier, quarter_turn, plane.slopes(), ORIGIN, 0.2),
    ]
    for other in others:
        assert isinstance(other, Missing) or other.height < 0.97 * found.height


@settings(max_examples=50)
@given(
    st.floats(-30, 30),
    st.floats(-180, 180),
    st.floats(-50, 50),
    st.floats(-50, 50),
    st.floats(-1, 1),
    st.floats(-1, 1),
)
def test_the_stretch_takes_points_of_the_plane_from_one_tilt_to_the_other(
    pretilt, rotation, one, other, x, y
):
    plane = SamplePlane(pretilt, rotation)
    there = stretch_between(one, other, plane.slopes()).apply(plane.seen(XY(x, y), one))
    assert there.minus(plane.seen(XY(x, y), other)).length < 1e-9


def test_noise_is_hardly_ever_taken_for_a_target():
    rng = np.random.default_rng(5)
    # White noise, and noise as smooth as a sample; unrelated all of them.
    for smooth_px in (0.0, 1.0, 2.0, 6.0):
        images = [
            conditioned(
                scipy.ndimage.gaussian_filter(rng.standard_normal(SHAPE), smooth_px)
                + 0.05 * rng.standard_normal(SHAPE)
            )
            for _ in range(52)
        ]
        for n in range(50):
            earlier = [Earlier(images[n + 1], 0.0, ORIGIN), Earlier(images[n + 2], 3.0, ORIGIN)][: 1 + n % 2]
            radius_um = (0.05, 0.4)[n // 2 % 2]
            found = find(images[n], 3.0, earlier, CAMERAS["turned"], ORIGIN, ORIGIN, radius_um)
            assert isinstance(found, Missing), f"smooth over {smooth_px} px, pair {n}: {found}"


def test_two_images_of_a_few_strong_structures_are_not_taken_for_one_another():
    rng = np.random.default_rng(8)

    def unrelated():
        dots = np.zeros(SHAPE)
        dots[rng.integers(0, SHAPE[0], 12), rng.integers(0, SHAPE[1], 12)] = 1.0
        blobs = scipy.ndimage.gaussian_filter(dots, 5.0)
        return conditioned(blobs / blobs.max() + 0.05 * rng.standard_normal(SHAPE))

    taken = [
        find(unrelated(), 0.0, [Earlier(unrelated(), 0.0, ORIGIN)], CAMERAS["straight"], ORIGIN, ORIGIN, 0.3)
        for _ in range(60)
    ]
    assert all(isinstance(found, Missing) for found in taken), taken


@pytest.mark.parametrize("spoilt", [0, 1, 2])
@pytest.mark.parametrize("how", ["noise", "elsewhere", "misplaced"])
def test_one_bad_image_of_three_changes_nothing(spoilt, how):
    sample = Sample(3)
    earlier = []
    for n, tilt_deg in enumerate((0.0, 3.0, 6.0)):
        then_um = XY(0.01 * n, -0.02 * n)
        earlier.append(Earlier(sample.seen(then_um, tilt_deg), tilt_deg, then_um))
    bad = earlier[spoilt]
    if how == "noise":
        bad = bad._replace(pixels=conditioned(sample.rng.standard_normal(SHAPE)))
    elif how == "elsewhere":
        bad = bad._replace(pixels=Sample(99).seen(ORIGIN))
    else:
        bad = bad._replace(off_centre_um=bad.off_centre_um.plus(XY(0.1, 0.06)))
    earlier[spoilt] = bad
    now_um = XY(0.03, 0.015)
    found = find(sample.seen(now_um, 9.0), 9.0, earlier, CAMERAS["straight"], ORIGIN, ORIGIN, 0.25)
    assert close_to(found, now_um)
    assert found.used == tuple(n for n in range(3) if n != spoilt)


def test_several_earlier_images_are_better_than_one():
    one, three = [], []
    for seed in range(12):
        sample = Sample(seed, finest_px=3.0)
        earlier = [Earlier(sample.seen(ORIGIN, noise=2.5), 0.0, ORIGIN) for _ in range(3)]
        image = sample.seen(XY(0.02, 0.01), noise=2.5)
        for count, errors in ((1, one), (3, three)):
            found = find(image, 0.0, earlier[:count], CAMERAS["straight"], ORIGIN, ORIGIN, 0.1)
            assert isinstance(found, Found), found
            errors.append(found.offset_um.minus(XY(0.02, 0.01)).length)
    assert np.mean(np.square(three)) < 0.85 * np.mean(np.square(one))


def test_a_target_half_a_field_away_is_found_only_where_it_is_expected():
    sample = Sample(4)
    far_um = XY(0.5 * SHAPE[1] * PIXEL_UM, 0.0)
    earlier = [Earlier(sample.seen(ORIGIN), 0.0, ORIGIN)]
    image = sample.seen(far_um)
    near_by = far_um.plus(XY(0.01, -0.02))
    assert close_to(find(image, 0.0, earlier, CAMERAS["straight"], ORIGIN, near_by, 0.05), far_um)
    for elsewhere in (ORIGIN, near_by.scaled(-1.0), XY(near_by.y, near_by.x)):
        found = find(image, 0.0, earlier, CAMERAS["straight"], ORIGIN, elsewhere, 0.05)
        assert isinstance(found, Missing)


def test_beyond_what_images_have_in_common_nothing_is_looked_for():
    sample = Sample(4)
    image = sample.seen(ORIGIN)
    earlier = [Earlier(image, 0.0, ORIGIN)]
    beyond = XY(0.0, 0.9 * SHAPE[0] * PIXEL_UM)
    found = find(image, 0.0, earlier, CAMERAS["straight"], ORIGIN, beyond, 0.1)
    assert isinstance(found, Missing) and "in common" in found.reason


def test_errors_are_as_large_as_said():
    squares, true_um, axes = [], XY(0.013, 0.007), CAMERAS["turned"]
    for seed in range(40):
        sample = Sample(seed, finest_px=2.5)
        earlier = [Earlier(sample.seen(ORIGIN, 0.0, axes, noise=2.0), 0.0, ORIGIN)]
        found = find(sample.seen(true_um, 0.0, axes, noise=2.0), 0.0, earlier, axes, ORIGIN, ORIGIN, 0.05)
        assert isinstance(found, Found), found
        off = found.offset_um.minus(true_um)
        squares.append(((off.x / found.sigma_um.x) ** 2, (off.y / found.sigma_um.y) ** 2))
    mean = np.mean(squares, axis=0)
    assert np.all((mean > 0.4) & (mean < 2.5)), mean


def test_an_image_at_another_tilt_is_less_sure_across_the_axis_only():
    sample = Sample(6)
    axes = CAMERAS["turned"]
    image = sample.seen(ORIGIN, 12.0, axes)
    sigmas = [
        find(image, 12.0, [Earlier(sample.seen(ORIGIN, tilt, axes), tilt, ORIGIN)], axes, ORIGIN, ORIGIN, 0.1)
        for tilt in (12.0, 6.0)
    ]
    assert sigmas[1].sigma_um.y > 2.0 * sigmas[0].sigma_um.y
    assert sigmas[1].sigma_um.x < 1.5 * sigmas[0].sigma_um.x


def test_without_earlier_images_of_its_size_there_is_no_answer():
    image = Sample(0).seen(ORIGIN)
    for earlier in ([], [Earlier(image[:-2], 0.0, ORIGIN)]):
        assert isinstance(find(image, 0.0, earlier, CAMERAS["straight"], ORIGIN, ORIGIN, 0.1), Missing)


def _noise(*shape):
    return np.random.default_rng(0).integers(0, 1000, shape)


@pytest.mark.parametrize(
    ("pixels", "reason"),
    [
        (np.full(SHAPE, 7), "blank"),
        (_noise(FEWEST_PX - 1, 400), "too small"),
        (np.tile(_noise(32, 32), (8, 8)), "repeats itself after 32"),
        (np.tile(_noise(SHAPE[0], 50), (1, 4)), "repeats itself after 50"),
        (_noise(200, 200, 3), "too small"),
        (np.full(SHAPE, math.nan), "blank"),
    ],
    ids=["blank", "small", "patch", "columns", "coloured", "not a number"],
)
def test_what_shows_nothing_is_not_compared(pixels, reason):
    outcome = conditioned(pixels)
    assert isinstance(outcome, Missing) and reason in outcome.reason


def test_hot_pixels_do_not_hide_an_image():
    pixels = _noise(*SHAPE)
    hot = pixels.copy()
    hot[70, 100] = 10**7
    assert np.abs(conditioned(hot).astype(float) - conditioned(pixels).astype(float)).mean() < 0.1
