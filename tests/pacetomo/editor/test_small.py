import numpy as np
import pytest
from stacks import stack_bytes

from pacetomo.editor import small
from pacetomo.editor.small import Piece, read_small
from pacetomo.errors import StackError


def write(path, data):
    path.write_bytes(stack_bytes(data))
    return path


@pytest.mark.parametrize("strip_bytes", [1, 60, 10_000])
@pytest.mark.parametrize("longest_px", [3, 5, 8, 100])
def test_pixels_are_averaged_over_cells_from_the_lower_left_corner(
    tmp_path, monkeypatch, strip_bytes, longest_px
):
    monkeypatch.setattr(small, "STRIP_BYTES", strip_bytes)
    data = np.random.default_rng(3).integers(0, 100, (2, 7, 10)).astype("i2")
    shown = read_small(write(tmp_path / "a.mrc", data), [Piece(1)], longest_px)
    factor = max(1, -(-10 // longest_px))
    rows = [data[1, y : y + factor].astype(float) for y in range(0, 7, factor)]
    cells = [[row[:, x : x + factor].mean() for x in range(0, 10, factor)] for row in rows]
    assert shown.factor == factor
    assert shown.pixels == pytest.approx(np.array(cells)[::-1], abs=1e-4)


def test_pieces_lie_where_they_belong_and_are_averaged_where_they_overlap(tmp_path):
    data = np.stack([np.full((4, 4), value, "f4") for value in (10, 20, 30)])
    path = write(tmp_path / "m.mrc", data)
    shown = read_small(path, [Piece(0, 0, 0), Piece(1, 3, 0), Piece(2, 0, 3)], 100)
    assert shown.full_px == (7, 7)
    assert shown.pixels.shape == (7, 7)
    assert shown.pixels[-1, 0] == 10 and shown.pixels[-1, -1] == 20 and shown.pixels[0, 0] == 30
    assert shown.pixels[-1, 3] == 15 and shown.pixels[3, 0] == 20
    assert np.isnan(shown.pixels[0, -1])


def test_pieces_that_begin_within_a_cell_are_weighted_by_their_pixels(tmp_path):
    data = np.stack([np.full((4, 4), value, "f4") for value in (10, 40)])
    shown = read_small(write(tmp_path / "m.mrc", data), [Piece(0, 0, 0), Piece(1, 4, 0)], 3)
    assert shown.factor == 3
    # columns 3 to 5: one of the first piece, two of the second
    assert shown.pixels[-1].tolist() == [10, 30, 40]


def test_places_in_the_shown_image_lead_back_to_the_file(tmp_path):
    shown = read_small(write(tmp_path / "a.mrc", np.zeros((1, 7, 10), "i2")), [Piece(0)], 5)
    assert shown.file_pixel(0, 4) == (0, 0)
    assert shown.file_pixel(5, 0) == (10, 8)


def test_contrast_leaves_out_the_darkest_and_brightest_pixels(tmp_path):
    data = np.full((1, 100, 100), 50, "i2")
    data[0, :30] = 100
    data[0, 0, 0], data[0, 99, 99] = -30000, 30000
    shown = read_small(write(tmp_path / "a.mrc", data), [Piece(0)], 100)
    assert shown.limits() == (50.0, 100.0)
    grey = shown.shades(50.0, 100.0)
    assert (grey[99, 0], grey[99, 5], grey[0, 0], grey[0, 99]) == (0, 255, 0, 255)


def test_a_black_image_has_limits_too(tmp_path):
    shown = read_small(write(tmp_path / "a.mrc", np.zeros((1, 4, 4), "i2")), [Piece(0)], 4)
    assert shown.limits() == (0.0, 1.0)


def test_progress_rises_to_one_and_reading_ends_when_nobody_wants_it(tmp_path, monkeypatch):
    monkeypatch.setattr(small, "STRIP_BYTES", 20)
    path = write(tmp_path / "a.mrc", np.zeros((2, 8, 10), "i2"))
    shares = []
    read_small(path, [Piece(0), Piece(1)], 100, shares.append)
    assert len(shares) == 16
    assert shares == sorted(shares) and shares[-1] == 1.0
    asked = iter([True, True, False])
    assert read_small(path, [Piece(0)], 100, is_wanted=lambda: next(asked)) is None


def test_sections_that_are_not_there_and_files_cut_short_are_one_clear_sentence(tmp_path):
    path = write(tmp_path / "a.mrc", np.zeros((2, 8, 10), "i2"))
    with pytest.raises(StackError, match="no section 2"):
        read_small(path, [Piece(2)], 100)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(StackError, match="cut short"):
        read_small(path, [Piece(0)], 100)
