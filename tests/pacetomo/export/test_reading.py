import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stacks import write_series

from pacetomo.errors import MetadataError, StackError
from pacetomo.export.reading import read_series
from pacetomo.files import exchange
from pacetomo.files.sorting import sort_series

GOLDEN = Path(__file__).parent / "golden" / "input"
TILTS = [0.0, 3.0, -3.0, -6.0, 6.0]


def series_of(folder, tilts=TILTS, **changes):
    data = np.stack([np.full((8, 8), place, "i2") for place in range(len(tilts))])
    stack = write_series(folder, data, tilts)
    path = folder / f"{stack.name}.mdoc"
    text = path.read_bytes().decode()
    for old, new in changes.items():
        text = text.replace(old, new)
    path.write_bytes(text.encode())
    return stack


def test_views_of_a_sorted_series_over_midnight():
    series = read_series(GOLDEN / "grid1_ts_001.mrc.mdoc")
    assert series.name == "grid1_ts_001" and not series.has_stack and series.is_sorted
    assert [view.tilt_deg for view in series.views] == [-6.01, -3.0, 0.01, 2.99, 6.0]
    assert [view.order for view in series.views] == [3, 2, 0, 1, 4]
    assert [view.prior_dose_e_per_a2 for view in series.by_time] == [0.9, 4.0, 7.1, 10.2, 13.3]
    assert {view.dose_e_per_a2 for view in series.views} == {3.1}
    assert series.pixel_angstrom == 2.14 and series.size_px == (2880, 2046) and series.axis_deg == 85.32
    assert series.voltage_kv == 300 and series.warnings == ()
    first = series.by_time[0]
    assert first.off_centre_px is None and first.frame_name == "grid1_ts_001_0.0_000.tif"
    assert first.fit.defocus_um == -4.0102 and first.fit.angle_deg == 45.25
    assert first.fit.strongest_nm == pytest.approx(4040.8) and first.fit.weakest_nm == pytest.approx(3979.6)
    assert first.nominal_defocus_um == -4 and first.frame_count == 10


def test_a_residual_along_the_tilt_axis_lies_along_the_tilt_axis_of_the_image(tmp_path):
    """RotationAngle leads from the image's X counter-clockwise to the axis, along which the specimen's X lies."""
    extra = "PriorRecordDose = 3\r\nRotationAngle = 30\r\nTargetResidual = 0.01 0"
    stack = series_of(tmp_path, **{"PriorRecordDose = 3": extra})
    seen = read_series(stack).views[1].off_centre_px
    assert seen.x == pytest.approx(50 * math.cos(math.radians(30)))  # 10 nm are 50 pixels of 2 Å
    assert seen.y == pytest.approx(50 * math.sin(math.radians(30)))
    across = series_of(tmp_path, **{"PriorRecordDose = 3": extra.replace("0.01 0", "0 0.01")})
    seen = read_series(across).views[1].off_centre_px
    assert (seen.x, seen.y) == pytest.approx((-25.0, 50 * math.cos(math.radians(30))))


@given(st.permutations(range(7)))
def test_order_of_acquisition_is_that_of_the_doses_however_the_stack_is_sorted(tmp_path_factory, order):
    folder = tmp_path_factory.mktemp("series")
    tilts = sorted(3.0 * ((place + 1) // 2) * (1 if place % 2 else -1) for place in range(7))
    stack = series_of(folder, tilts)
    path = folder / f"{stack.name}.mdoc"
    lines = path.read_text().splitlines()
    for number, place in enumerate(order):
        lines[lines.index(f"PriorRecordDose = {3 * number}")] = f"PriorRecordDose = {3 * place}.0"
    path.write_text("\n".join(lines) + "\n")
    assert [view.order for view in read_series(stack).views] == list(order)


def test_doses_that_are_not_noted_are_summed_up_in_order_of_acquisition(tmp_path):
    stack = series_of(tmp_path, **{"PriorRecordDose": "Own"})
    assert [view.prior_dose_e_per_a2 for view in read_series(stack).views] == [None] * 5
    assert "--dose" in read_series(stack).warnings[0]
    series = read_series(stack, dose_e_per_a2=2.5)
    assert [view.prior_dose_e_per_a2 for view in series.by_time] == [0, 2.5, 5, 7.5, 10]
    assert {view.dose_e_per_a2 for view in series.views} == {2.5}


def test_zeros_of_an_uncalibrated_dose_are_no_doses(tmp_path):
    numbers = {
        f"PriorRecordDose = {3 * number}": "PriorRecordDose = 0\r\nExposureDose = 0" for number in range(5)
    }
    stack = series_of(tmp_path, **numbers)
    series = read_series(stack, dose_e_per_a2=2.0)
    assert [view.prior_dose_e_per_a2 for view in series.by_time] == [0, 2, 4, 6, 8]


def test_the_dose_of_frames_is_the_dose_of_an_image(tmp_path):
    stack = series_of(tmp_path, **{"NumSubFrames = 10": "FrameDosesAndNumber = 0.25 4  0.5 2"})
    assert {view.dose_e_per_a2 for view in read_series(stack).views} == {2.0}


def test_excluded_views_leave_doses_and_order_of_the_others(tmp_path):
    stack = series_of(tmp_path, sorted(TILTS), **{"[ZValue = 1]": "[ZValue = 1]\r\nAcquisitionOrder = 9"})
    path = tmp_path / f"{stack.name}.mdoc"
    text = path.read_bytes().decode()
    for number, order in enumerate([4, 3, 1, 2, 5]):
        text = text.replace(f"Own Key {number} = x = y", f"AcquisitionOrder = {order}")
    path.write_bytes(text.replace("AcquisitionOrder = 9\r\n", "").encode())
    assert [view.order for view in read_series(stack).views] == [3, 2, 0, 1, 4]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"[ZValue = 2]": "[FrameSet = 2]"}, "frames, not of a tilt series"),
        ({"DataMode = 1": "Montage = 1"}, "pieces of a montage"),
        ({"PixelSpacing": "Other"}, "no PixelSpacing"),
        ({"Tilt axis angle": "Other"}, "tells the tilt axis"),
        ({"ImageSize = 8 8": "ImageSize = 8"}, "no ImageSize"),
        ({"TiltAngle = 3": "Tilt = 3"}, "no TiltAngle"),
    ],
)
def test_what_is_no_tilt_series_is_refused_in_a_sentence(tmp_path, changes, said):
    stack = series_of(tmp_path, **changes)
    with pytest.raises(MetadataError, match=said):
        read_series(stack)


def test_a_stack_that_does_not_fit_its_metadata_is_refused(tmp_path):
    stack = series_of(tmp_path)
    stack.write_bytes(stack.read_bytes()[:-10])
    with pytest.raises(StackError, match="cut short"):
        read_series(stack)
    write_series(tmp_path, np.zeros((4, 8, 8), "i2"), TILTS[:4], name="b_ts_001.mrc")
    (tmp_path / "b_ts_001.mrc").replace(stack)
    with pytest.raises(StackError, match="4 sections and its metadata 5"):
        read_series(stack)


def test_a_stack_in_another_order_than_its_metadata_is_refused(tmp_path):
    stack = series_of(tmp_path)
    data = np.zeros((5, 8, 8), "i2")
    write_series(tmp_path, data, sorted(TILTS), name="b_ts_001.mrc")
    (tmp_path / "b_ts_001.mrc").replace(stack)
    with pytest.raises(StackError, match="in another order than its metadata"):
        read_series(stack)


def test_a_sorting_that_was_interrupted_is_brought_to_its_end(tmp_path, monkeypatch):
    stack = series_of(tmp_path)

    def interrupted(path, data, wait, error):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(exchange, "write_bytes_atomically", interrupted)
        sort_series(stack)
    assert [view.tilt_deg for view in read_series(stack).views] == sorted(TILTS)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(MetadataError, match="there is no such file"):
        read_series(tmp_path / "a_ts_001.mrc")
    (tmp_path / "a_ts_001.mrc").write_bytes(b"")
    with pytest.raises(MetadataError, match=r"there is no a_ts_001\.mrc\.mdoc beside it"):
        read_series(tmp_path / "a_ts_001.mrc")
