import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stacks import stack_bytes, tiff

from pacetomo.errors import StackError
from pacetomo.files.frame_stack import frame_count


@given(st.integers(1, 12), st.sampled_from("<>"), st.booleans())
def test_image_directories_are_frames(tmp_path_factory, frames, order, big):
    path = tmp_path_factory.mktemp("tiff") / "a.tif"
    path.write_bytes(tiff(frames, order, big))
    assert frame_count(path) == frames


def test_sections_are_frames_and_eer_does_not_tell(tmp_path):
    (tmp_path / "a.mrc").write_bytes(stack_bytes(np.zeros((7, 4, 4), "u1")))
    (tmp_path / "a.eer").write_bytes(tiff(300))
    assert frame_count(tmp_path / "a.mrc") == 7 and frame_count(tmp_path / "a.eer") is None


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "empty"), (b"JPEG....", "no TIFF"), (tiff(5)[:-20], "cut short"), (tiff(1)[:6], "no TIFF")],
)
def test_damaged_files_are_named(tmp_path, content, said):
    path = tmp_path / "a.tif"
    path.write_bytes(content)
    with pytest.raises(StackError, match=said):
        frame_count(path)


def test_directories_that_point_at_each_other_end(tmp_path):
    path = tmp_path / "a.tif"
    path.write_bytes(tiff(2)[:-4] + struct.pack("<I", 8))
    with pytest.raises(StackError, match="cut short"):
        frame_count(path)


@given(st.binary(max_size=64))
def test_any_bytes_are_frames_or_an_error(tmp_path_factory, junk):
    path = tmp_path_factory.mktemp("junk") / "a.tif"
    path.write_bytes(b"II*\0" + junk)
    try:
        assert (frame_count(path) or 0) >= 0
    except StackError as err:
        assert str(path) in str(err)
