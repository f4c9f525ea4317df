from __future__ import annotations

import pytest

from pacetomo.errors import PaceError
from pacetomo.frames import XY
from pacetomo.report.truth import TruthLog, read_truth, series_key


def test_saved_sections_find_their_exposures(make_run):
    run = make_run(targets=3, reach=2)
    truth = read_truth(run.truth)
    assert len(truth.exposures) == 2 + 3 + 15 and len(truth.saved) == 15
    for saved in truth.saved:
        assert saved.exposure is not None
        assert truth.exposures[saved.exposure] == saved.shot
        assert saved.shot.camera_set == "R"
    assert len({saved.exposure for saved in truth.saved}) == 15


def test_numbers_of_exposures_come_before_poses(tmp_path):
    path = tmp_path / "truth.jsonl"
    row = '{{"event": "{}", "set": "R", "exposure": {}, "file": "a.mrc", "section": {}}}\n'
    path.write_text(
        row.format("exposure", 7, 0) + row.format("exposure", 8, 0) + row.format("saved", 7, 0),
        encoding="utf-8",
    )
    assert read_truth(path).saved[0].exposure == 0


def test_values_keep_their_signs(tmp_path):
    path = tmp_path / "truth.jsonl"
    path.write_text(
        '{"event": "saved", "set": "R", "file": "a.mrc", "section": 1, "residual_x_um": 0.01, "residual_y_um": -0.02,'
        ' "sample_x_um": 1, "sample_y_um": -2, "sample_z_um": 3, "defocus_um": -4.5, "tilt_nominal_deg": -30,'
        ' "tilt_true_deg": -30.02, "dose_e_per_a2": 3, "exposure_s": 1, "beam_radius_um": 0.8}\n'
        '{"event": "fault", "text": "unknown here"}\n',
        encoding="utf-8",
    )
    (saved,) = read_truth(path).saved
    assert saved.residual_um == XY(0.01, -0.02) and saved.exposure is None and saved.section == 1
    assert saved.shot.sample_um == (1.0, -2.0, 3.0) and saved.shot.defocus_um == -4.5
    assert (saved.shot.tilt_deg, saved.shot.tilt_true_deg) == (-30.0, -30.02)


def test_only_the_last_file_of_a_name_counts(tmp_path):
    path = tmp_path / "truth.jsonl"
    row = '{{"event": "saved", "set": "R", "file": "a.mrc", "section": {}, "residual_x_um": {}}}\n'
    path.write_text(
        row.format(0, 0) + row.format(1, 0.5) + row.format(2, 0.5) + row.format(0, 0) + row.format(1, 0.1),
        encoding="utf-8",
    )
    sections = read_truth(path).sections_of("A.mrc")
    assert sorted(sections) == [0, 1] and sections[1].residual_um.x == 0.1
    assert read_truth(path).sections_of("b.mrc") == {}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("lam_ts_001.mrc", r"X:\data\lam_ts_001.mrc", True),
        ("/data/lam_ts_001.mrc", "LAM_ts_001", True),
        ("lam1.5_ts_001.mrc", "lam1.5_ts_001", True),
        ("lam_ts_001.mrc", "lam_ts_002.mrc", False),
        ("lam1.5", "lam1.6", False),
    ],
)
def test_series_names(one, other, same):
    assert (series_key(one) == series_key(other)) is same


def test_a_cut_last_line_is_dropped_and_damage_is_not(make_run):
    path = make_run(targets=2, reach=1).truth
    content = path.read_bytes()
    whole = read_truth(path)
    path.write_bytes(content[:-20])
    assert len(read_truth(path).saved) == len(whole.saved) - 1
    path.write_bytes(b"{]\n" + content)
    with pytest.raises(PaceError, match=r"truth\.jsonl, line 1"):
        read_truth(path)


def test_an_empty_truth_log(tmp_path):
    (tmp_path / "truth.jsonl").write_text("", encoding="utf-8")
    assert read_truth(tmp_path / "truth.jsonl") == TruthLog()
