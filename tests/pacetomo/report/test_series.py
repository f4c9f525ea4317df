from __future__ import annotations

import dataclasses
import math

import pytest

from pacetomo.report.records import read_journal
from pacetomo.report.series import DOWN, START, UP, dose_outside, join
from pacetomo.report.truth import TruthExposure, TruthLog, read_truth


def beam(kind="R", at=(0.0, 0.0, 0.0), tilt_deg=0.0, dose=3.0, radius_um=1.0):
    return TruthExposure(kind, 1.0, dose, tilt_deg, tilt_deg, at, -4.0, radius_um)


ORIGIN = (0.0, 0.0, 0.0)


def test_a_beam_two_micrometres_off_reaches_the_target_only_when_tilted():
    # 2 µm across the axis are 2 cos 60 = 1 µm in the image, 2 µm along the axis stay 2 µm.
    across, along = (0.0, 1.99, 0.0), (1.99, 0.0, 0.0)
    assert sum(dose_outside(ORIGIN, set(), [beam(at=across)]).values()) == 0.0
    assert sum(dose_outside(ORIGIN, set(), [beam(at=across, tilt_deg=60.0)]).values()) == 3.0
    assert sum(dose_outside(ORIGIN, set(), [beam(at=along, tilt_deg=60.0)]).values()) == 0.0


@pytest.mark.parametrize(("tilt_deg", "dosed"), [(60.0, False), (-60.0, True)])
def test_heights_count_with_the_sign_of_the_tilt(tilt_deg, dosed):
    # Seen from the beam's centre the point lies 1 µm across and 1 µm lower: y = cos t + sin t, 1.37 µm at +60 and
    # -0.37 µm at -60 degrees.
    shot = beam(at=(0.0, -1.0, 1.0), tilt_deg=tilt_deg, radius_um=0.5)
    assert (sum(dose_outside(ORIGIN, set(), [shot]).values()) > 0) is dosed


def test_kinds_are_told_apart_and_its_own_images_left_out():
    shots = [
        beam(),
        beam(dose=2.5),
        beam("P", dose=0.5),
        beam("V", dose=0.1, radius_um=9.0),
        beam("F", dose=0.8),
    ]
    doses = dose_outside(
        ORIGIN, {0}, [*shots, beam("S", dose=0.2), beam("M", dose=0.3), beam("T", dose=math.nan)]
    )
    assert doses == pytest.approx(
        {"neighbours": 2.5, "preview": 0.5, "view, search": 0.3, "focus, trial": 0.8, "other": 0.3}
    )


def test_journal_and_truth_are_joined_by_series_and_section(make_run):
    run = make_run(targets=3, reach=2)
    log, truth = read_journal(run.journal), read_truth(run.truth)
    series = join(log, truth)
    assert [entry.number for entry in series] == [1, 2, 3]
    assert [entry.tracking for entry in series] == [True, False, False]
    for entry in series:
        assert len(entry.images) == entry.wanted == 5
        assert entry.images[0].branch == START and entry.images[0].true_nm == (0.0, 0.0)
        assert entry.dose_inside == pytest.approx(15.0)
        for image in entry.images:
            assert image.true_nm.minus(image.measured_nm).length < 40
    saved = [saved for saved in truth.saved if saved.file == "lam_ts_002.mrc" and saved.section == 3]
    assert series[1].images[3].true_nm.y == pytest.approx(saved[0].residual_um.y * 1000)
    assert series[1].images[3].defocus_um == saved[0].shot.defocus_um


def test_branches_start_at_the_start_tilt(make_run):
    (entry, *_) = join(read_journal(make_run(targets=1, reach=3).journal), None)
    up, down = entry.branches()
    assert [image.tilt_deg for image in up] == [10, 13, 16, 19] and up[1].branch == UP
    assert [image.tilt_deg for image in down] == [10, 7, 4, 1] and down[1].branch == DOWN


def test_without_truth_the_truth_is_unknown(make_run):
    for entry in join(read_journal(make_run(targets=2, reach=1).journal), None):
        assert entry.dose_outside is None and entry.sample_um is None
        assert not any(image.true_nm.is_finite for image in entry.images)
        assert entry.dose_inside == pytest.approx(9.0)


def test_sections_only_the_truth_knows_are_shown_too(make_run):
    run = make_run(targets=2, reach=1)
    log, truth = read_journal(run.journal), read_truth(run.truth)
    cut = dataclasses.replace(log, images=tuple(image for image in log.images if image.section < 2))
    first = join(cut, truth)[0]
    assert [image.section for image in first.images] == [0, 1, 2]
    assert first.images[2].branch == DOWN and math.isnan(first.images[2].z0_um)


def test_images_of_targets_the_plan_does_not_name(make_run):
    log = dataclasses.replace(read_journal(make_run(targets=2, reach=1).journal), targets=())
    assert [(entry.number, len(entry.images)) for entry in join(log, TruthLog())] == [(1, 3), (2, 3)]
