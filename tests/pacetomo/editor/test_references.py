from dataclasses import replace

import numpy as np
import pytest
from editing import FILE, document
from stacks import stack_bytes

from pacetomo.editor import drawing
from pacetomo.editor.references import (
    known_from_references,
    latest_picture,
    reference_path,
    reference_picture,
    series_path,
)
from pacetomo.errors import StackError
from pacetomo.files.target_file import parse_targets
from pacetomo.frames import XY


@pytest.fixture
def area(tmp_path):
    return replace(document(parse_targets(FILE)), path=tmp_path / "L3_tgts.txt")


def write(folder, name, data, angle=None, pixel=20.0):
    (folder / name).write_bytes(stack_bytes(data, pixel=pixel))
    if angle is not None:
        (folder / f"{name}.mdoc").write_text(f"[ZValue = 0]\nRotationAngle = {angle}\n")


def test_the_field_of_record_is_that_of_the_first_preview_that_can_be_read(area, tmp_path):
    (tmp_path / "L3_tgt_001.mrc").write_bytes(b"nonsense")
    write(tmp_path, "L3_tgt_002.mrc", np.zeros((1, 200, 500), "i2"), angle=30.0)
    known = known_from_references(area)
    assert known.facts.field_um == pytest.approx((1.0, 0.4))
    corners = drawing.field_corners(XY(0.0, 0.0), drawing.record_field(area.with_known(known)))
    # the tilt axis lies 30° counter-clockwise in the image, so that its right edge is clockwise of the axis
    right = corners[1].plus(corners[2]).scaled(0.5)
    assert right == pytest.approx((0.5 * 3**0.5 / 2, -0.25))


def test_what_the_microscope_says_goes_before_the_references(area, tmp_path):
    write(tmp_path, "L3_tgt_002.mrc", np.zeros((1, 200, 500), "i2"))
    told = replace(area.known, facts=replace(area.known.facts, field_um=XY(2.0, 2.0)))
    assert known_from_references(area.with_known(told)) == told


def test_images_that_only_stand_for_some_tell_no_field(area, tmp_path):
    write(tmp_path, "L3_tgt_002.mrc", np.zeros((1, 8, 8), "i2"))
    assert known_from_references(area) == area.known


def test_pictures_of_a_target(area, tmp_path):
    assert (reference_path(area, 1), reference_picture(area, 1), latest_picture(area, 1)) == (
        None,
        None,
        None,
    )
    write(tmp_path, "L3_tgt_001_view.mrc", np.full((1, 8, 8), 5, "i2"))
    assert reference_path(area, 1) == tmp_path / "L3_tgt_001_view.mrc"
    write(tmp_path, "L3_tgt_001.mrc", np.full((1, 8, 8), 7, "i2"))
    assert reference_picture(area, 1).pixels.max() == 7
    write(tmp_path, "L3_ts_001.mrc", np.stack([np.full((600, 8), n, "i2") for n in range(3)]))
    assert series_path(area, 1) == tmp_path / "L3_ts_001.mrc"
    picture = latest_picture(area, 1)
    assert (picture.pixels.shape, picture.pixels.min()) == ((200, 3), 2)


def test_a_picture_that_is_damaged_is_one_clear_sentence(area, tmp_path):
    (tmp_path / "L3_ts_003.mrc").write_bytes(b"x")
    with pytest.raises(StackError, match=r"L3_ts_003\.mrc"):
        latest_picture(area, 3)
