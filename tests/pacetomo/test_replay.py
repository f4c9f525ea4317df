import math

import pytest

from pacetomo.errors import MetadataError
from pacetomo.geometry import seen_y_um
from pacetomo.replay import replay_file
from pacetomo.schemes import DoseSymmetric

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
    assert table.splitlines()[0] == "a.mdoc: 21 images, n0 = 4.00 µm"
    assert len(table.splitlines()) == 23 and "-30.00°" in table


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
