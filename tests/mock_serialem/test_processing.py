from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest

from mock_serialem.module import make_module
from mock_serialem.session import Session

MakeSession = Callable[..., Session]


@pytest.fixture
def rendered(make_session: MakeSession) -> Session:
    return make_session("rendered")


def small_trial(session: Session) -> ModuleType:
    sem = make_module(session)
    sem.SetBinning("T", 8)
    sem.T()
    return sem


def test_cropping_the_middle(rendered: Session) -> None:
    sem = small_trial(rendered)
    array = np.asarray(sem.bufferImage("A"))
    sem.CropCenterToSize("A", 200, 100)
    np.testing.assert_array_equal(sem.bufferImage("A"), array[205:305, 260:460])
    np.testing.assert_array_equal(sem.bufferImage("B"), array)
    with pytest.raises(sem.SEMerror):
        sem.CropCenterToSize("A", 201, 100)


def test_cropping_a_corner_keeps_its_place(rendered: Session) -> None:
    sem = small_trial(rendered)
    array = np.asarray(sem.bufferImage("A"))
    whole = rendered.buffers.get("A")
    sem.CropImage("A", 100, 299, 50, 199)
    np.testing.assert_array_equal(sem.bufferImage("A"), array[50:200, 100:300])
    part = rendered.buffers.get("A")
    assert whole.shot is not None and part.shot is not None
    # Its centre is the point of the sample that lay at that place of the whole image.
    seen = whole.shot.pose.where(part.shot.pose.centre_um)[:2]
    assert seen == pytest.approx(whole.specimen_um((200.0, 125.0)), abs=0.01)
    for bad in ((0, 720, 0, 10), (10, 10, 0, 5), (-1, 5, 0, 5)):
        with pytest.raises(sem.SEMerror):
            sem.CropImage("B", *bad)


def test_a_processed_image_aligns_but_moves_no_image_shift(rendered: Session) -> None:
    sem = small_trial(rendered)
    sem.Copy("A", "O")
    sem.ImageShiftByMicrons(0.06, 0.02)
    sem.T()
    sem.CropCenterToSize("A", 500, 400)
    before = sem.ReportImageShift()
    assert sem.AlignTo("O") == 0.0
    assert sem.ReportImageShift() == before
    assert rendered.buffers.get("A").shift_um == pytest.approx((0.06, 0.02), abs=0.01)


def test_reducing_averages(rendered: Session) -> None:
    sem = small_trial(rendered)
    array = np.asarray(sem.bufferImage("A")).astype(float)
    pixel = sem.ImageProperties("A")[4]
    sem.ReduceImage("A", 2)
    expected = array[:510, :720].reshape(255, 2, 360, 2).mean((1, 3))
    assert np.abs(np.asarray(sem.bufferImage("A")) - expected).max() <= 0.5
    made = sem.ImageProperties("A")
    assert made[:3] == (360.0, 255.0, 16.0) and made[4] == pytest.approx(2 * pixel)
    with pytest.raises(sem.SEMerror):
        sem.ReduceImage("A", 0.5)


def test_turning(rendered: Session) -> None:
    sem = small_trial(rendered)
    array = np.asarray(sem.bufferImage("A"))
    sem.Rotate90CW("A")
    turned = np.asarray(sem.bufferImage("A"))
    assert turned.shape == (720, 511)
    assert turned[0, -1] == array[0, 0] and turned[0, 0] == array[-1, 0]
    sem.Rotate90CCW("A")
    np.testing.assert_array_equal(sem.bufferImage("A"), array)


def test_arithmetic(sem: ModuleType) -> None:
    a, b = np.array([[4, 9]], np.int16), np.array([[2, 0]], np.int16)
    sem.PutImageInBuffer(a, "P", 2, 1)
    sem.PutImageInBuffer(b, "Q", 2, 1)
    for name, expected in (("Add", [6, 9]), ("Subtract", [2, 9]), ("Multiply", [8, 0]), ("Divide", [2, 0])):
        getattr(sem, f"{name}Images")("P", "Q", "N")
        assert list(np.asarray(sem.bufferImage("N"))[0]) == expected
    sem.ScaleImage("P", 2, 1, "N", 1)
    assert np.asarray(sem.bufferImage("N")).tolist() == [[9, 19]]
    sem.ConvertToBytes("P", 4, 9)
    assert np.asarray(sem.bufferImage("A")).tolist() == [[0, 255]]
    sem.PutImageInBuffer(np.zeros((2, 2), np.int16), "R", 2, 2)
    with pytest.raises(sem.SEMerror):
        sem.AddImages("P", "R")


def test_a_spectrum_goes_to_the_fft_buffer(sem: ModuleType, session: Session) -> None:
    rows = np.arange(64)
    wave = (100 * np.cos(2 * np.pi * rows / 8))[None, :].repeat(64, 0)
    sem.PutImageInBuffer(wave.astype(np.float32), "A", 64, 64)
    sem.FFT("A")
    spectrum = np.asarray(sem.bufferImage("AF"))
    assert spectrum.dtype == np.uint8 and spectrum.shape == (64, 64)
    assert spectrum[32, 32 + 8] == spectrum[32, 32 - 8] == 255
    assert np.count_nonzero(spectrum > 200) == 2
    with pytest.raises(sem.SEMerror):
        sem.FFT("A", 9)


def test_a_band_filter_passes_its_band(sem: ModuleType) -> None:
    x = np.arange(128)
    slow, fast = np.cos(2 * np.pi * x / 64), np.cos(2 * np.pi * x / 4)
    image = (slow + fast)[None, :].repeat(16, 0).astype(np.float32)
    sem.PutImageInBuffer(image, "P", 128, 16)
    sem.FilterImage("P", 0, 0, 0.1, 0.02, "N")
    assert np.asarray(sem.bufferImage("N"))[0] == pytest.approx(slow, abs=0.02)
    sem.FilterImage("P", 0.05, 0, 0, 0, "N")
    assert np.asarray(sem.bufferImage("N"))[0] == pytest.approx(fast, abs=0.06)


def test_showing_the_correlation_aligns_nothing(rendered: Session) -> None:
    sem = small_trial(rendered)
    array = np.asarray(sem.bufferImage("A"))
    # Content of A must move by +5, -3 pixels (right, up) to match the reference in O.
    sem.PutImageInBuffer(np.roll(array, (-3, 5), (0, 1)).copy(), "O", 720, 511, "A")
    before = sem.ReportImageShift()
    assert sem.AlignTo("O", 0, 0, 0, 1) == 0.0
    assert sem.ReportImageShift() == before
    np.testing.assert_array_equal(sem.bufferImage("B"), array)
    correlation = np.asarray(sem.bufferImage("A"))
    row, column = np.unravel_index(correlation.argmax(), correlation.shape)
    assert (column - 360, row - 255) == (5, -3)


def test_statistics(sem: ModuleType) -> None:
    pixels = np.arange(12, dtype=np.int16).reshape(3, 4)
    sem.PutImageInBuffer(pixels, "A", 4, 3)
    assert sem.ReportMeanCounts() == 5.5
    assert sem.ReportMeanCounts("A", 2) == pytest.approx((5.5, pixels.std(), 0, 11))
    assert sem.SubareaMean(1, 2, 0, 1) == pytest.approx(pixels[:2, 1:3].mean())
    assert sem.CircularSubareaMean(1, 1, 0.5) == 5.0
    with pytest.raises(sem.SEMerror):
        sem.SubareaMean(0, 4, 0, 0)
    with pytest.raises(sem.SEMerror):
        sem.ElectronStats("A")
    sem.R()
    low, high, mean, sd, rate = sem.ElectronStats("A")
    assert low < mean < high and sd > 0
    assert mean == pytest.approx(sem.ReportMeanCounts() / 4)
    assert rate == pytest.approx(mean / 16)
    assert sem.ReportMeanCounts("A", 1) == pytest.approx(sem.ReportMeanCounts() / 16)


def test_kinematic_images_keep_their_nominal_size(sem: ModuleType, session: Session) -> None:
    sem.R()
    sem.CropCenterToSize("A", 700, 500)
    assert sem.ImageProperties("A")[:2] == (700.0, 500.0)
    sem.ReduceImage("A", 2)
    assert sem.ImageProperties("A")[:3] == (350.0, 250.0, 8.0)
    assert session.buffers.get("A").pixels.shape == (32, 32)


def test_a_spectrum_rolls_into_a(sem: ModuleType) -> None:
    sem.PutImageInBuffer(np.eye(64, dtype=np.float32), "A", 64, 64)
    sem.Copy("A", "P")
    sem.FFT("P")
    assert np.array_equal(np.asarray(sem.bufferImage("B")), np.eye(64))
    assert np.array_equal(np.asarray(sem.bufferImage("A")), np.asarray(sem.bufferImage("AF")))
    assert np.asarray(sem.bufferImage("A")).dtype == np.uint8


def test_what_a_reduced_image_leaves_off(sem: ModuleType, session: Session) -> None:
    sem.V()
    rows = session.buffers.get("A").size_px[1]
    sem.ReduceImage("A", 2)
    reduced, whole = session.buffers.get("A"), session.buffers.get("B")
    assert rows % 2 == 1 and reduced.shot is not None and whole.shot is not None
    # The last row is missing, so the middle lies half a pixel higher.
    x, y, _ = reduced.shot.pose.where(whole.shot.pose.centre_um)
    angle = np.radians(whole.rotation_deg)
    assert (np.sin(angle) * x + np.cos(angle) * y) / whole.pixel_um == pytest.approx(-0.5, abs=0.02)


def test_a_kinematic_spectrum_is_as_large_as_a_rendered_one(make_session: Callable[..., Session]) -> None:
    sizes = set()
    for fidelity in ("kinematic", "rendered"):
        sem = make_module(make_session(fidelity=fidelity))
        sem.T()
        sem.FFT("A", 2)
        sizes.add((sem.ImageProperties("A")[:2], np.asarray(sem.bufferImage("AF")).shape))
    assert sizes == {((511.0, 511.0), (511, 511))}
