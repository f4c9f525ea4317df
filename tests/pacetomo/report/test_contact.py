from __future__ import annotations

import io

import mrcfile
import numpy as np
import pytest

from pacetomo.report import contact
from pacetomo.report.contact import acquired_on, contact_strip, thumbnail


def decoded(png: bytes) -> np.ndarray:
    from PIL import Image

    with Image.open(io.BytesIO(png)) as picture:
        return np.asarray(picture)


def write_stack(path, sections):
    with mrcfile.new(path, np.asarray(sections, dtype=np.int16)) as mrc:
        mrc.voxel_size = 10.0


def test_a_thumbnail_has_the_top_row_on_top():
    image = np.zeros((400, 360))
    image[-80:, :90] = 100.0  # stored bottom row first: the upper left corner
    small = thumbnail(image)
    assert small.shape == (200, 180) and small.dtype == np.uint8
    assert small[:40, :45].min() == 255 and small[40:].max() == 0 and small[:, 45:].max() == 0


def test_binning_averages_whole_blocks_and_drops_the_rest():
    image = np.add.outer(np.zeros(7), np.arange(361.0))
    assert thumbnail(image).shape == (3, 180)
    assert thumbnail(np.ones((5, 4)), width_px=2).shape == (2, 2)


def test_strips_make_no_difference(monkeypatch):
    image = np.random.default_rng(3).normal(size=(333, 541))
    whole = thumbnail(image)
    monkeypatch.setattr(contact, "_STRIP_PX", 1)
    assert np.array_equal(thumbnail(image), whole)


def test_flat_and_broken_images_give_a_picture():
    assert thumbnail(np.full((100, 100), 7.0)).shape == (100, 100)
    assert thumbnail(np.full((100, 100), np.nan)).shape == (100, 100)


def test_first_middle_and_last_section(tmp_path):
    rows = np.arange(100)[:, None] * np.ones((1, 120))
    write_stack(tmp_path / "a.mrc", [rows, 99 - rows, rows, rows, rows.T[:100, :1] + 0 * rows])
    strip = contact_strip(tmp_path, r"X:\data\a.mrc")
    assert [thumb.section for thumb in strip.thumbs] == [0, 2, 4]
    assert strip.sections == 5 and strip.width_um == pytest.approx(0.12)
    picture = decoded(strip.thumbs[0].png)
    assert picture.shape == (100, 120)
    assert picture[0, 0] == 255 and picture[-1, 0] == 0


@pytest.mark.parametrize(("count", "sections"), [(1, [0]), (2, [0, 1]), (3, [0, 1, 2])])
def test_short_stacks(tmp_path, count, sections):
    write_stack(tmp_path / "a.mrc", np.ones((count, 80, 80)))
    assert [thumb.section for thumb in contact_strip(tmp_path, "a.mrc").thumbs] == sections


def test_tiny_frames_and_missing_or_damaged_stacks_are_noted(tmp_path):
    write_stack(tmp_path / "tiny.mrc", np.ones((4, 32, 32)))
    (tmp_path / "text.mrc").write_text("no stack", encoding="ascii")
    write_stack(tmp_path / "cut.mrc", np.ones((4, 80, 80)))
    (tmp_path / "cut.mrc").write_bytes((tmp_path / "cut.mrc").read_bytes()[:9000])
    assert "kinematic" in contact_strip(tmp_path, "tiny.mrc").note
    assert contact_strip(tmp_path, "none.mrc").note == "no stack"
    assert contact_strip(tmp_path, "").note == "no stack"
    for name in ("text.mrc", "cut.mrc"):
        strip = contact_strip(tmp_path, name)
        assert not strip.thumbs and "cannot be read" in strip.note


def test_the_date_comes_from_the_metadata(tmp_path):
    text = "PixelSpacing = 2\n\n[ZValue = 0]\nTiltAngle = 3\nDateTime = 15-Jan-2026  09:12:44\n"
    (tmp_path / "a.mrc.mdoc").write_text(
        text + "\n[ZValue = 1]\nDateTime = 16-Jan-2026  00:00:01\n", encoding="ascii"
    )
    (tmp_path / "b.mrc.mdoc").write_bytes(b"\xff\xfe\x00 = \n")
    assert acquired_on(tmp_path, "a.mrc") == "15-Jan-2026 09:12:44"
    assert acquired_on(tmp_path, "b.mrc") == acquired_on(tmp_path, "c.mrc") == ""


def test_a_stack_sorted_by_tilt_is_shown_in_order_of_acquisition(tmp_path):
    from stacks import write_series

    from pacetomo.files.sorting import sort_series

    shade = np.linspace(0, 1, 100)[:, None] * np.ones((1, 120))
    marked = [np.roll(shade, 20 * n, axis=0) * 100 for n in range(5)]
    stack = write_series(tmp_path, np.array(marked).astype("i2"), [0, 3, -3, -6, 6])
    as_taken = [(thumb.section, thumb.png) for thumb in contact_strip(tmp_path, stack.name).thumbs]
    assert sort_series(stack).changed
    assert [(thumb.section, thumb.png) for thumb in contact_strip(tmp_path, stack.name).thumbs] == as_taken
    assert acquired_on(tmp_path, stack.name) == "15-Aug-2026 12:30:00"
