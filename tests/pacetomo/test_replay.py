import math
from statistics import median

import pytest

from pacetomo.errors import MetadataError
from pacetomo.frames import XY
from pacetomo.geometry import seen_y_um
from pacetomo.past_series import Recorded, read_recorded
from pacetomo.replay import replay_file, replay_joint
from pacetomo.schemes import Branch, DoseSymmetric

HEAD = "PixelSpacing = 2\nImageFile = a_ts_001.mrc\nImageSize = 10 10\nDataMode = 1\n"


def write(path, rows):
    sections = [
        f"\n[ZValue = {n}]\nTiltAngle = {tilt}\nSpecimenShift = {x} {y}\nEucentricOffset = {z0}\n"
        for n, (tilt, x, y, z0) in enumerate(rows)
    ]
    path.write_text(HEAD + "".join(sections))
    return path


def exact_series(n0, z0):
    stops = DoseSymmetric(0, -30, 30, 3, 2).stops()
    return [(stop.tilt_deg, 1.0, seen_y_um(n0, z0, stop.tilt_deg), z0) for stop in stops]


def test_an_exact_series_is_predicted_exactly(tmp_path):
    replay = replay_file(write(tmp_path / "a.mdoc", exact_series(4.0, 0.7)), n0_um=4.0)
    assert max(row.error_nm.length for row in replay.rows) < 1e-6
    assert len(replay.rows) == 21


def test_a_wrong_sign_of_height_shows(tmp_path):
    rows = [(tilt, x, seen_y_um(4.0, -0.7, tilt), 0.7) for tilt, x, _, _ in exact_series(4.0, 0.7)]
    replay = replay_file(write(tmp_path / "a.mdoc", rows), n0_um=4.0)
    assert abs(replay.rows[1].error_nm.y) == pytest.approx(1400 * math.sin(math.radians(3)), abs=1)
    assert replay.rows[-1].z0_um == pytest.approx(-0.7, abs=0.01)


def test_table_names_every_tilt(tmp_path):
    table = replay_file(write(tmp_path / "a.mdoc", exact_series(4.0, 0.7)), n0_um=4.0).table()
    assert table.splitlines()[0] == "a.mdoc: 21 images, n0 = 4.00 µm, tracker single"
    assert len(table.splitlines()) == 24 and "-30.00°" in table


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEAD, "no section"),
        (HEAD + "\n[ZValue = 0]\nTiltAngle = 0\n", "no SpecimenShift"),
        (HEAD + "\n[ZValue = 0]\nSpecimenShift = 0 0\n", "TiltAngle"),
        (HEAD + "\n[ZValue = 0]\nTiltAngle = 0\nSpecimenShift = 0 left\n", "SpecimenShift"),
        (HEAD + "\n[ZValue = 0]\nTiltAngle = 0\nSpecimenShift = 0\n", "2 numbers"),
    ],
)
def test_other_metadata_is_refused_with_its_place(tmp_path, text, said):
    path = tmp_path / "b.mdoc"
    path.write_text(text)
    with pytest.raises(MetadataError, match=said) as caught:
        replay_file(path)
    assert "b.mdoc" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "n0_um", "last_tilt_deg", "tolerance_um"),
    [("aretomo3_L1_ts_001.mrc.mdoc", 0.0, 38.0, 0.01), ("murfey_chrom_07_ts_010.mdoc", 4.02, 90.0, 0.005)],
)
def test_real_sessions_are_reproduced(samples, name, n0_um, last_tilt_deg, tolerance_um):
    """The eucentric offsets that two real parallel sessions recorded, up to the first one's failure at +39 degrees."""
    rows = replay_file(samples / "mdoc" / name, n0_um).rows
    apart = [abs(row.z0_um - row.recorded.z0_um) for row in rows if row.recorded.tilt_deg < last_tilt_deg]
    assert len(apart) >= 11
    assert max(apart) < tolerance_um


def test_the_distance_from_the_axis_is_found_from_the_record(samples):
    assert replay_file(samples / "mdoc" / "murfey_chrom_07_ts_010.mdoc").n0_um == pytest.approx(
        4.02, abs=0.05
    )


def test_metadata_sorted_by_tilt_replays_in_order_of_acquisition(tmp_path):
    from pacetomo.files.mdoc import parse_mdoc, read_mdoc, write_mdoc
    from pacetomo.files.sorting import sort_metadata

    path = write(tmp_path / "a.mdoc", exact_series(4.0, 0.7))
    mdoc = read_mdoc(path)
    dated = [image.with_value("PriorRecordDose", 3.1 * n) for n, image in enumerate(mdoc.images)]
    write_mdoc(path, parse_mdoc(path.read_text()).with_images(dated))
    as_taken = replay_file(path)
    assert sort_metadata(path).changed
    assert replay_file(path).rows == as_taken.rows and as_taken.rows[0].recorded.tilt_deg == 0


def errors_nm(path, tracker, below_deg):
    rows = replay_file(path, tracker=tracker).rows[1:]
    return [row.error_nm.length for row in rows if row.recorded.tilt_deg < below_deg]


@pytest.mark.parametrize(
    ("name", "below_deg"),
    [
        ("aretomo3_L1_ts_001.mrc.mdoc", 90),
        ("aretomo3_L1_ts_001.mrc.mdoc", 33),
        ("murfey_chrom_07_ts_010.mdoc", 90),
    ],
    ids=["with its failure", "before it", "short"],
)
def test_the_joint_model_predicts_real_sessions_better(samples, name, below_deg):
    """Each tilt from those before it, although the other model is told n0 from the whole series."""
    joint, single = (
        median(errors_nm(samples / "mdoc" / name, each, below_deg)) for each in ("joint", "single")
    )
    assert joint < 0.85 * single


def test_the_real_failure_is_recognised_before_it_runs_away(samples):
    replay = replay_file(samples / "mdoc" / "aretomo3_L1_ts_001.mrc.mdoc", tracker="joint")
    assert 32 < replay.doubted[0].recorded.tilt_deg < 40
    assert all(row.recorded.branch.value == "up" for row in replay.doubted)
    assert "goes dark" in replay.doubted[0].doubt
    assert "not believed: +35.99°" in replay.table() and "after the end of the branch" in replay.table()
    assert not replay_file(samples / "mdoc" / "murfey_chrom_07_ts_010.mdoc", tracker="joint").doubted


def test_the_joint_model_does_not_know_the_future(samples):
    recorded = read_recorded(samples / "mdoc" / "murfey_chrom_07_ts_010.mdoc")
    whole, part = replay_joint("a", recorded).rows, replay_joint("a", recorded[:6]).rows
    assert [row.expected_um for row in whole[:6]] == [row.expected_um for row in part]


def test_a_jump_contradicts_without_any_counts(tmp_path):
    rows = [(t, x, y + (0.8 if t > 20 else 0.0), z) for t, x, y, z in exact_series(4.0, 0.1)]
    replay = replay_file(write(tmp_path / "a.mdoc", rows), tracker="joint")
    assert replay.doubted[0].recorded.tilt_deg == 21.0 and "contradicts" in replay.doubted[0].doubt
    assert not replay_file(write(tmp_path / "b.mdoc", exact_series(4.0, 0.1)), tracker="joint").doubted


def test_a_start_tilt_is_taken_into_account():
    seen = Recorded(20.0, Branch.START, XY(0.0, seen_y_um(3.0, 0.5, 20.0)), 0.5)
    assert seen.as_start().n0_um == pytest.approx(3.0)
    assert seen.as_start(1.0).n0_um == 1.0
