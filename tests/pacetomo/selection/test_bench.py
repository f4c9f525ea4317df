"""Pixels moved in place of the microscope, outlines, names and orders."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacetomo.area_files import AreaFiles
from pacetomo.errors import PaceError, SettingsError, TargetFileError
from pacetomo.frames import XY, Matrix2
from pacetomo.montage import Montage
from pacetomo.selection.bench import moved
from pacetomo.selection.copying import copied, copy_files, free_number
from pacetomo.selection.footprint import beam_outline, montage_outline
from pacetomo.selection.pattern_order import spiral
from pacetomo.targets import Target, TargetSet


@given(st.integers(-6, 6), st.integers(-4, 4))
def test_what_was_beside_the_centre_is_in_the_centre_afterwards(right, up):
    pixels = np.arange(15 * 11, dtype=np.int16).reshape(11, 15)
    new = moved(pixels, right, up)
    assert new[5, 7] == pixels[5 - up, 7 + right]
    assert new.dtype == pixels.dtype
    assert set(np.unique(new)) <= {*np.unique(pixels), int(pixels.mean())}


def test_an_image_is_not_moved_beyond_its_edge():
    with pytest.raises(PaceError, match="beyond its edge"):
        moved(np.zeros((10, 10)), 10, 0)


@given(st.floats(0.1, 10), st.floats(-80, 80))
def test_a_beam_is_longer_across_the_tilt_axis_and_seen_round_at_its_tilt(diameter, tilt):
    outline = beam_outline(diameter, tilt)
    seen = [math.hypot(x, y * math.cos(math.radians(tilt))) for x, y in outline]
    assert seen == pytest.approx([diameter / 2] * len(seen))


@pytest.mark.parametrize(("diameter", "tilt"), [(0.0, 60.0), (-1.0, 0.0), (1.0, 90.0)])
def test_a_beam_that_cannot_be_drawn_is_refused(diameter, tilt):
    with pytest.raises(SettingsError, match="cannot be drawn"):
        beam_outline(diameter, tilt)


def test_a_montage_is_outlined_along_the_axes_of_the_camera():
    turned = Matrix2(0.0, -1.0, 1.0, 0.0)
    outline = montage_outline(Montage(3, 1, 0.1), XY(1.0, 0.8), turned)
    assert max(point.y for point in outline) == pytest.approx((1.0 + 2 * 0.9) / 2)
    assert max(point.x for point in outline) == pytest.approx(0.4)


@given(st.integers(0, 8))
def test_a_spiral_has_each_hole_once_and_goes_from_neighbour_to_neighbour(size):
    places = spiral(size)
    assert len(places) == len(set(places)) == (2 * size + 1) ** 2
    assert all(max(abs(i), abs(j)) <= size for i, j in places)
    assert all(abs(i - k) + abs(j - m) == 1 for (i, j), (k, m) in zip(places, places[1:]))
    rings = [max(abs(i), abs(j)) for i, j in places]
    assert rings == sorted(rings)


def test_a_copy_has_names_of_its_own_and_stage_coordinates_around_its_place(tmp_path):
    original = AreaFiles(tmp_path / "holey_tgts.txt")
    targets = TargetSet(
        (
            Target(1, "holey_ts_001.mrc", "holey_tgt_001.mrc", "v.mrc", XY(0, 0), XY(10.0, 5.0)),
            Target(2, "holey_ts_002.mrc", shift_um=XY(3, 0), stage_um=XY(7.0, 5.0), skip=True),
            Target(3, "other.mrc", shift_um=XY(0, 3)),
        )
    )
    (tmp_path / "holey_tgts_p04.txt").write_text("")
    assert free_number(original) == 5
    copy = copy_files(original, 5)
    assert copy.target_file.name == "holey_tgts_p05.txt"
    new = copied(targets, original, copy, XY(-100.0, 50.0))
    assert [target.series for target in new.targets] == [
        "holey_p05_ts_001.mrc",
        "holey_p05_ts_002.mrc",
        "holey_p05_other.mrc",
    ]
    assert [target.stage_um for target in new.targets] == [XY(-100.0, 50.0), XY(-103.0, 50.0), None]
    assert [target.shift_um for target in new.targets] == [target.shift_um for target in targets.targets]
    assert new.targets[0].reference is None and new.targets[1].skip
    with pytest.raises(TargetFileError, match="is a copy itself"):
        copy_files(copy, 1)
