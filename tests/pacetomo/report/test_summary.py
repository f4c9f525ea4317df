from __future__ import annotations

import dataclasses
import math

import pytest

from pacetomo.frames import XY
from pacetomo.report.records import Exposed, Note, PlannedTarget, RunEnd, RunLog, Start, Step, read_journal
from pacetomo.report.summary import duration, format_summary, spread, summarise, totals
from pacetomo.report.truth import TruthExposure, TruthLog, TruthSaved, read_truth


def image(target, section, measured_nm, z0_um=0.0):
    branch = "start" if section == 0 else "up"
    return Exposed(section, target, 3.0 * section, branch, section, 100.0 + 9 * section, XY(*measured_nm), True,
                   z0_um, 0.0, 200.0, 2.5, 0.004)  # fmt: skip


def saved(place, target, section, residual_nm, defocus_um, at_um):
    shot = TruthExposure("R", 1.0, 2.5, 3.0 * section, 3.0 * section, (*at_um, 0.0), defocus_um, 0.8)
    return TruthSaved(
        place, f"ts_{target}.mrc", section, XY(residual_nm[0] / 1000, residual_nm[1] / 1000), shot
    )


LOG = RunLog(
    area="lam",
    targets=tuple(PlannedTarget(number, f"ts_{number}.mrc", XY(0, 0), number == 3) for number in (1, 2, 3)),
    tilts_deg=(0.0, 3.0, 6.0),
    planned=6,
    steps=(Step("move", "", 40.0, 60.0), Step("acquire", "", 100.0, 45.0)),
    starts=(Start(1, XY(0, 0), 0.0, 0.0, 0.0, -4.0), Start(2, XY(1, 1), 0.0, 0.0, 0.0, -3.0)),
    images=(
        *(image(1, section, (1.0, 0.0)) for section in range(3)),
        *(image(2, section, (0.0, -6.0), z0_um=0.1 * section - 0.1) for section in range(2)),
    ),
    notes=(
        Note("warning", 1.0, "x", 2, 3.0),
        Note("skip", 2.0, "dark", 2, 6.0),
        Note("wait", 3.0, "w", None, 0.0),
    ),
    parts_s=((40.0, 150.0),),
    pending=(5,),
)
SAVED = (
    saved(0, 1, 0, (0, 0), -4.1, (0, 0)),
    saved(1, 2, 0, (0, 0), -3.0, (1.0, 0.0)),
    saved(2, 1, 1, (30, 40), -3.9, (0, 0)),
    saved(3, 2, 1, (60, -80), -3.4, (1.0, 0.0)),
    saved(4, 1, 2, (0, -10), -3.7, (0, 0)),
)
PREVIEW = TruthExposure("P", 0.5, 0.7, 0.0, 0.0, (0.5, 0.0, 0.0), -4.0, 0.6)
TRUTH = TruthLog((*(entry.shot for entry in SAVED), PREVIEW), SAVED)


def test_true_residuals_of_all_but_the_start_images():
    first, second, third = summarise(LOG, TRUTH).targets
    # Lengths 50 and 10 nm: rms sqrt(1300), median 30, 95 % by interpolation 10 + 0.95 * 40.
    assert first.true_residual.count == 2
    assert first.true_residual.rms_nm == pytest.approx(math.sqrt(1300))
    assert first.true_residual.median_nm == pytest.approx(30)
    assert first.true_residual.p95_nm == pytest.approx(48)
    assert first.true_residual.max_nm == pytest.approx(50)
    assert second.true_residual.max_nm == pytest.approx(100)
    assert third.true_residual is None
    assert first.measured_residual.rms_nm == pytest.approx(
        1
    ) and second.measured_residual.rms_nm == pytest.approx(6)


def test_totals_speak_of_the_other_targets():
    summary = summarise(LOG, TRUTH)
    assert summary.others.count == 1 and summary.others.max_nm == pytest.approx(100)
    assert summary.others_within == 0.0
    inside = dataclasses.replace(SAVED[3], residual_um=XY(0.05, -0.05))
    better = TruthLog(TRUTH.exposures, (*SAVED[:3], inside, SAVED[4]))
    assert summarise(LOG, better).others_within == 1.0


def test_defocus_error_is_true_minus_wanted():
    first, second, third = summarise(LOG, TRUTH).targets
    assert first.defocus_error_um == pytest.approx((-0.1 + 0.1 + 0.3) / 3)
    assert first.defocus_rms_um == pytest.approx(math.sqrt((0.01 + 0.01 + 0.09) / 3))
    assert second.defocus_error_um == pytest.approx(-0.2)
    assert math.isnan(third.defocus_error_um)


def test_dose_inside_and_outside():
    first, second, third = summarise(LOG, TRUTH).targets
    # Beams of 0.8 µm at 0 and 1 µm along the axis miss each other's centre; the preview between them reaches both.
    assert first.dose_inside == pytest.approx(7.5) and second.dose_inside == pytest.approx(5.0)
    assert first.dose_outside == pytest.approx(0.7) and second.dose_outside == pytest.approx(0.7)
    assert third.dose_outside is None
    wide = [dataclasses.replace(shot, beam_radius_um=1.2) for shot in TRUTH.exposures]
    assert summarise(LOG, TruthLog(tuple(wide), SAVED)).targets[0].dose_outside == pytest.approx(5.7)


def test_counts_times_and_states():
    summary = summarise(LOG, TRUTH)
    assert (summary.images, summary.wanted, summary.tilts, summary.state) == (5, 6, 3, "unfinished")
    assert summary.elapsed_s == 110.0 and summary.acquiring_s == 45.0
    assert summary.per_image_s == pytest.approx(9.0)
    assert [(target.images, target.wanted) for target in summary.targets] == [(3, 3), (2, 3), (0, 0)]
    second = summary.targets[1]
    assert second.skips == ("dark",) and second.warnings == 1
    assert second.z0_um == pytest.approx((-0.1, 0.0))
    assert summary.targets[2].skipped and math.isnan(summary.targets[2].z0_um[0])
    assert summarise(dataclasses.replace(LOG, end=RunEnd("stopped", "")), None).state == "stopped"
    assert summary.own_median_s == summary.own_max_s == 0.004


def test_without_acquire_step_the_images_tell_the_time():
    assert summarise(dataclasses.replace(LOG, steps=()), None).acquiring_s == 18.0


def test_spread_leaves_unknown_ones_out():
    assert spread([XY(math.nan, 1.0)]) is None
    assert spread([XY(math.nan, 1.0), XY(3.0, -4.0)]).rms_nm == pytest.approx(5.0)


def test_the_table_shows_each_target_once(make_run):
    run = make_run(targets=3, reach=2)
    text = format_summary(summarise(read_journal(run.journal), read_truth(run.truth)))
    lines = text.splitlines()
    assert [line.split()[0] for line in lines[2:5]] == ["1*", "2", "3"]
    assert all("5/5" in line and "-4.00" in line for line in lines[2:5])
    assert "finished; 15 of 15 images, 3 targets, 5 tilts." in text
    assert max(map(len, lines[:5])) <= 130


def test_the_table_without_truth_and_without_anything():
    assert "True residual" not in "\n".join(totals(summarise(LOG, None)))
    table = format_summary(summarise(LOG, None))
    assert "left out" in table and "skips: 1, warnings: 1" in table and "exposure 5" in table
    assert "0 of 0 images" in format_summary(summarise(RunLog(), None))


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.6, "1 min 0 s"), (3599.9, "1 h 0 min"), (7380.0, "2 h 3 min")]
)
def test_duration(seconds, text):
    assert duration(seconds) == text
