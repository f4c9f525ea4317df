import struct

import mrcfile
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stacks import write_series

from pacetomo.errors import PaceError, StackError
from pacetomo.files.binning import bin_image, bin_series, binned_by
from pacetomo.files.mdoc import read_mdoc
from pacetomo.files.stack import read_header, read_section


def wave(rows, columns, cycles_y, cycles_x):
    """A wave that is smooth over the edges of the image, brightest at its centre."""
    y = (np.arange(rows) + 0.5) / rows - 0.5
    x = (np.arange(columns) + 0.5) / columns - 0.5
    return 100 + 10 * np.cos(2 * np.pi * (cycles_y * y[:, np.newaxis] + cycles_x * x))


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize(("rows", "columns"), [(48, 72), (36, 60), (72, 36)])
@pytest.mark.parametrize("cycles", [(0, 0), (1, 2), (-3, 1), (2, -3)])
def test_a_wave_below_the_new_limit_stays_the_same_wave_in_place(factor, rows, columns, cycles):
    small = bin_image(wave(rows, columns, *cycles), factor)
    assert small == pytest.approx(wave(rows // factor, columns // factor, *cycles), abs=1e-3)


def test_a_wave_beyond_the_new_limit_is_gone_and_averaging_folds_it():
    fine = wave(64, 64, 0, 20)  # beyond 16 cycles
    assert np.ptp(bin_image(fine, 2)) < 1e-3
    assert np.ptp(bin_image(fine, 2, "average")) > 1


@given(
    st.integers(2, 5),
    st.integers(1, 40),
    st.integers(1, 40),
    st.sampled_from(["fourier", "average"]),
    st.data(),
)
def test_the_mean_of_the_pixels_used_is_kept(factor, rows, columns, method, data):
    image = np.random.default_rng(data.draw(st.integers(0, 99))).normal(50, 10, (rows, columns))
    high, wide = rows // factor, columns // factor
    if not high or not wide:
        return
    small = bin_image(image, factor, method)
    top, left = (rows - high * factor) // 2, (columns - wide * factor) // 2
    used = image[top : top + high * factor, left : left + wide * factor]
    assert small.shape == (high, wide)
    assert small.mean() == pytest.approx(used.mean(), rel=1e-5)


def test_averages_are_those_of_blocks():
    image = np.arange(24.0).reshape(4, 6)
    expected = [[image[:2, 2 * n : 2 * n + 2].mean() for n in range(3)]]
    expected += [[image[2:, 2 * n : 2 * n + 2].mean() for n in range(3)]]
    assert bin_image(image, 2, "average") == pytest.approx(np.array(expected))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "f4"])
def test_a_series_is_binned_with_its_header_and_metadata(tmp_path, dtype, order):
    images = np.stack([wave(24, 36, 1, n) for n in range(3)]).round().astype(order + dtype)
    stack = write_series(tmp_path, images, [0, 3, -3], order=order, pixel=2.14)
    before = stack.read_bytes(), stack.with_name("a_ts_001.mrc.mdoc").read_bytes()
    seen = []
    done = bin_series(stack, 2, progress=lambda *numbers: seen.append(numbers))
    assert done.changed and seen == [(1, 3), (2, 3), (3, 3)]
    header = read_header(stack)
    assert (header.columns, header.rows, header.sections) == (18, 12, 3)
    assert header.pixel_size_angstrom == pytest.approx(4.28)
    assert "binning = 2 " in header.labels[1] and "Fourier cropping" in header.labels[-1]
    for number in range(3):
        section = read_section(stack, number)
        assert section == pytest.approx(wave(12, 18, 1, number), abs=1.0)
        assert section.dtype == read_header(tmp_path / "unbinned" / "a_ts_001.mrc").dtype
    mdoc = read_mdoc(f"{stack}.mdoc")
    assert mdoc.head.get_float("PixelSpacing") == pytest.approx(4.28)
    assert mdoc.head.text("ImageSize") == "18 12"
    assert "binning = 2 " in mdoc.titles[1] and "binned by 2" in mdoc.titles[-1]
    for number, image in enumerate(mdoc.images):
        low, high, mean = image.need_floats("MinMaxMean", 3)
        section = read_section(stack, number).astype(float)
        assert (low, high) == pytest.approx((section.min(), section.max()), rel=1e-5)
        assert mean == pytest.approx(section.mean(), rel=1e-5)
        assert image.get_float("Binning") == 2 and image.get_float("PixelSpacing") == pytest.approx(4.28)
    kept = tmp_path / "unbinned"
    assert (kept / "a_ts_001.mrc").read_bytes() == before[0]
    assert (kept / "a_ts_001.mrc.mdoc").read_bytes() == before[1]
    minimum, maximum, mean = struct.unpack_from(order + "3f", stack.read_bytes(), 76)
    every = np.stack([read_section(stack, n) for n in range(3)]).astype(float)
    assert (minimum, maximum, mean) == pytest.approx((every.min(), every.max(), every.mean()), rel=1e-5)


def test_others_read_what_was_binned(tmp_path):
    stack = write_series(tmp_path, np.stack([wave(24, 36, 1, n) for n in range(3)]).astype("i2"), [0, 3, -3])
    bin_series(stack, 3)
    assert mrcfile.validate(stack)
    with mrcfile.open(stack) as mrc:
        assert mrc.data.shape == (3, 8, 12)
        assert mrc.voxel_size.x == pytest.approx(3 * 2.0)


def test_values_beyond_the_type_are_cut_not_wrapped(tmp_path):
    step = np.zeros((1, 16, 16), "u1")
    step[:, :, 8:] = 255
    stack = write_series(tmp_path, step, [0])
    bin_series(stack, 2)
    section = read_section(stack, 0)
    assert section[:, 1:3].max() < 60 and section[:, 5:7].min() > 200


def test_nothing_is_binned_twice(tmp_path):
    stack = write_series(tmp_path, np.zeros((2, 8, 8), "i2"), [0, 3])
    bin_series(stack, 2)
    assert binned_by(stack) == 2
    content = stack.read_bytes()
    with pytest.raises(StackError, match="binned by 2 before"):
        bin_series(stack, 2)
    assert stack.read_bytes() == content


def test_without_keeping_only_the_binned_stack_is_left(tmp_path):
    stack = write_series(tmp_path, np.zeros((2, 8, 8), "i2"), [0, 3])
    bin_series(stack, 2, keep=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a_ts_001.mrc", "a_ts_001.mrc.mdoc"]


def test_refusals_leave_everything_as_it_was(tmp_path):
    image = np.zeros((2, 8, 8), "f4")
    image[1, 2, 2] = np.nan
    stack = write_series(tmp_path, image, [0, 3])
    content = stack.read_bytes()
    for factor, words in ((9, "cannot be binned by 9"), (1, "cannot be binned by 1"), (2, "no numbers")):
        with pytest.raises(PaceError, match=words):
            bin_series(stack, factor)
    assert stack.read_bytes() == content
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a_ts_001.mrc", "a_ts_001.mrc.mdoc"]
