"""TIFF files, read back by hand from the tags."""

from __future__ import annotations

import io
import struct

import numpy as np
import pytest

from mock_serialem.files.tiff import tiff_bytes


@pytest.mark.parametrize(("dtype", "form"), [("u1", 1), ("i2", 2), ("u2", 1), ("f4", 3)])
def test_what_is_written_can_be_read_by_its_tags(dtype: str, form: int) -> None:
    pixels = (np.arange(15).reshape(3, 5) * 7).astype(dtype)
    data = tiff_bytes(pixels)
    mark, version, start = struct.unpack_from("<2sHI", data)
    assert (mark, version) == (b"II", 42) and start % 2 == 0
    (count,) = struct.unpack_from("<H", data, start)
    tags = {}
    for n in range(count):
        tag, kind, number = struct.unpack_from("<HHI", data, start + 2 + 12 * n)
        assert number == 1
        tags[tag] = struct.unpack_from("<H" if kind == 3 else "<I", data, start + 10 + 12 * n)[0]
    assert list(tags) == sorted(tags)
    assert (tags[256], tags[257], tags[258], tags[259], tags[339]) == (5, 3, 8 * pixels.itemsize, 1, form)
    read = np.frombuffer(data[tags[273] : tags[273] + tags[279]], pixels.dtype).reshape(3, 5)
    assert np.array_equal(read, pixels)
    assert len(data) == start + 2 + 12 * count + 4


@pytest.mark.parametrize("compression", ["NONE", "LZW", "ZIP"])
def test_another_program_reads_every_compression(compression: str) -> None:
    image = pytest.importorskip(
        "PIL.Image", reason="Pillow, which comes with matplotlib, reads the files back"
    )
    pixels = np.random.default_rng(2).integers(0, 60000, (41, 33)).astype(np.uint16)
    with image.open(io.BytesIO(tiff_bytes(pixels, compression))) as read:
        np.testing.assert_array_equal(np.asarray(read), pixels)
