"""The MRC header byte by byte, as the page on SerialEM's formats has it."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from mock_serialem.files.mrc import MODES, MrcError, MrcStack, SectionInfo, dose_words, mode_of

TITLES = [
    "SerialEM: Simulated microscope".ljust(79),
    "    Tilt axis angle = 85.3, binning = 4  spot = 8  camera = 0",
]


def image(seed: int, dtype: Any = np.int16, shape: tuple[int, int] = (6, 10)) -> NDArray[Any]:
    return np.random.default_rng(seed).integers(0, 120, shape).astype(dtype)


def two_sections(path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    first, second = image(1), image(2)
    stack = MrcStack.create(path, (6, 10), 1, 5.32, TITLES)
    stack.append(first, SectionInfo(tilt_deg=-12.344, intensity=0.12346))
    stack.append(second, SectionInfo(tilt_deg=9.996, intensity=0.5))
    stack.close()
    return first, second


def test_every_field_of_the_header(tmp_path: Path) -> None:
    first, second = two_sections(tmp_path / "a.mrc")
    data = (tmp_path / "a.mrc").read_bytes()
    assert struct.unpack_from("<10i", data, 0) == (10, 6, 2, 1, 0, 0, 0, 10, 6, 2)
    cell = struct.unpack_from("<6f", data, 40)
    assert cell == pytest.approx((53.2, 31.92, 10.64, 90, 90, 90))
    assert struct.unpack_from("<3i", data, 64) == (1, 2, 3)
    both = np.stack([first, second])
    assert struct.unpack_from("<3f", data, 76) == pytest.approx((both.min(), both.max(), both.mean()))
    assert struct.unpack_from("<2i", data, 88) == (0, 2048)
    assert data[104:108] == b"SERI"
    assert struct.unpack_from("<i", data, 108) == (20140,)
    assert data[112:128] == bytes(16)
    assert struct.unpack_from("<2h", data, 128) == (4, 17)
    assert data[132:152] == bytes(20)
    assert struct.unpack_from("<2i", data, 152) == (1146047817, 0)
    assert data[160:208] == bytes(48)
    assert data[208:212] == b"MAP "
    assert data[212:216] == bytes([68, 68, 0, 0])
    assert struct.unpack_from("<f", data, 216) == (-1.0,)
    assert struct.unpack_from("<i", data, 220) == (2,)
    assert data[224:304] == TITLES[0].encode().ljust(80)
    assert data[304:384] == TITLES[1].encode().ljust(80)
    # Extended header: tilt times 100, intensity times 25000, rounded by floor(x + 0.5).
    assert struct.unpack_from("<4h", data, 1024) == (-1234, 3087, 1000, 12500)
    assert data[1032:3072] == bytes(2040)
    assert len(data) == 3072 + 2 * 120
    # The bottom row of the displayed image comes first.
    np.testing.assert_array_equal(np.frombuffer(data, "<i2", 10, 3072), first[-1])
    np.testing.assert_array_equal(np.frombuffer(data, "<i2", 10, 3072 + 2 * 120 - 20), second[0])


def test_mrcfile_validates_and_reads_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second = two_sections(tmp_path / "a.mrc")
    assert mrcfile.validate(tmp_path / "a.mrc"), capsys.readouterr().out
    with mrcfile.open(tmp_path / "a.mrc") as stack:
        np.testing.assert_array_equal(stack.data, [first[::-1], second[::-1]])
        assert stack.voxel_size.x == pytest.approx(5.32)


@pytest.mark.parametrize("mode", sorted(MODES))
def test_every_mode_comes_back(tmp_path: Path, mode: int) -> None:
    pixels = image(5, MODES[mode])
    assert mode_of(pixels) == mode
    stack = MrcStack.create(tmp_path / "a.mrc", (6, 10), mode, 1.0, TITLES)
    assert stack.append(pixels, SectionInfo()) == 0
    np.testing.assert_array_equal(stack.read(0), pixels)
    stack.close()
    version = struct.unpack_from("<i", (tmp_path / "a.mrc").read_bytes(), 108)[0]
    assert version == (0 if mode == 0 else 20140)


def test_appending_to_an_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.mrc"
    first, second = two_sections(path)
    stack = MrcStack.open(path)
    assert (stack.count, stack.columns, stack.rows) == (2, 10, 6)
    assert stack.pixel_a == pytest.approx(5.32)
    assert [title.rstrip() for title in stack.titles] == [title.rstrip() for title in TITLES]
    third = image(3)
    assert stack.append(third, SectionInfo(tilt_deg=3)) == 2
    for section, pixels in enumerate((first, second, third)):
        np.testing.assert_array_equal(stack.read(section), pixels)
    assert stack.tilt_deg(2) == 3.0 and stack.tilt_deg(0) == -12.34
    stack.close()
    assert mrcfile.validate(path)
    data = np.stack([first, second, third])
    assert struct.unpack_from("<3f", path.read_bytes(), 76) == pytest.approx(
        (data.min(), data.max(), data.mean())
    )


def test_a_montage_keeps_piece_and_stage_positions(tmp_path: Path) -> None:
    stack = MrcStack.create(tmp_path / "a.mrc", (6, 10), 1, 1.0, TITLES, pieces=9, with_stage=True)
    stack.append(image(1), SectionInfo(tilt_deg=1, piece=(922, 70000, -1), stage_um=(100.02, -3.0)))
    stack.close()
    data = (tmp_path / "a.mrc").read_bytes()
    assert struct.unpack_from("<2h", data, 128) == (14, 1 + 2 + 4 + 16)
    assert struct.unpack_from("<i", data, 92)[0] == 45 * 1024  # 14 x 360 x 9, in whole kilobytes
    assert struct.unpack_from("<hHHhhh", data, 1024) == (100, 922, 70000 % 65536, -1, 2501, -75)


def test_images_that_do_not_fit(tmp_path: Path) -> None:
    stack = MrcStack.create(tmp_path / "a.mrc", (6, 10), 1, 1.0, TITLES)
    with pytest.raises(MrcError, match="10 x 5"):
        stack.append(image(1, shape=(5, 10)), SectionInfo())
    with pytest.raises(MrcError, match="mode 2"):
        stack.append(image(1, np.float32), SectionInfo())
    with pytest.raises(MrcError, match="float64"):
        mode_of(np.zeros((2, 2)))
    assert stack.count == 0
    stack.close()


def test_the_extended_header_can_be_full(tmp_path: Path) -> None:
    stack = MrcStack.create(tmp_path / "a.mrc", (1, 1), 1, 1.0, TITLES)
    pixel = np.zeros((1, 1), np.int16)
    for _ in range(512):
        stack.append(pixel, SectionInfo())
    with pytest.raises(MrcError, match="room"):
        stack.append(pixel, SectionInfo())
    stack.close()


@pytest.mark.parametrize("keep", [0, 100, 1023, 1500, 3072, 3200])
def test_truncated_files_are_refused(tmp_path: Path, keep: int) -> None:
    path = tmp_path / "a.mrc"
    two_sections(path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(MrcError):
        MrcStack.open(path)


def test_titles_can_be_added_up_to_ten(tmp_path: Path) -> None:
    stack = MrcStack.create(tmp_path / "a.mrc", (6, 10), 1, 1.0, TITLES)
    for number in range(12):
        stack.add_title(f"title {number}")
    stack.close()
    again = MrcStack.open(tmp_path / "a.mrc", writable=False)
    assert len(again.titles) == 10 and again.titles[-1] == "title 11"
    again.close()


@given(st.floats(1e-6, 1e6))
def test_doses_keep_six_digits(dose: float) -> None:
    s1, s2 = dose_words(dose)
    assert -32768 <= s1 <= 32767 and -32768 <= s2 <= 32767
    value = np.sign(s1) * (abs(s1) * 256 + abs(s2) % 256) * 2.0 ** (np.sign(s2) * (abs(s2) // 256))
    assert value == pytest.approx(dose, rel=1e-6)


def test_no_dose_is_no_words() -> None:
    assert dose_words(0.0) == (0, 0)
