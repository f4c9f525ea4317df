from dataclasses import replace

import pytest
from editing import FILE, document

from pacetomo.editor.model import Known
from pacetomo.editor.plan_panel import findings, overlaps_of, summarise
from pacetomo.editor.settings_panel import set_setting
from pacetomo.files.target_file import parse_targets
from pacetomo.frames import XY
from pacetomo.scope.facts import Facts
from pacetomo.scope.protocol import Limits

SHORT = "_set minTilt = -9\n_set maxTilt = 9\n_set step = 3\n" + FILE.replace("_set startTilt = 9\n", "")
AREA = document(parse_targets(SHORT))


def test_figures_of_a_plan():
    summary = summarise(AREA)
    assert (summary.targets, summary.tilts, summary.exposures, summary.images) == (2, 7, 14, 14)
    assert sorted(summary.tilts_deg) == [-9, -6, -3, 0, 3, 6, 9]
    assert summary.dose_e_per_a2 == {1: pytest.approx(21.0), 3: pytest.approx(21.0)}
    assert summary.total_s == AREA.job.estimate().total_s
    assert summary.describe().startswith("2 targets x 7 tilts = 14 exposures, 21 e/Å² per target, ")


def test_the_tracking_target_may_have_another_dose():
    longer = set_setting(AREA, "trackExpTime", "2")
    assert summarise(longer).dose_e_per_a2 == {1: pytest.approx(42.0), 3: pytest.approx(21.0)}
    assert "21 to 42 e/Å²" in summarise(longer).describe()


def test_tiles_of_montages_are_images_too():
    tiled = set_setting(set_setting(AREA, "tgtMontage", "yes"), "tgtMntSize", "3 1")
    assert (summarise(tiled).exposures, summarise(tiled).images) == (14, 28)
    assert "(28 images with all tiles)" in summarise(tiled).describe()


def test_settings_that_contradict_each_other_are_the_reason_for_no_plan():
    wrong = document(parse_targets("_set minTilt = 30\n_set maxTilt = 20\n" + FILE))
    assert "minTilt must be below maxTilt" in summarise(wrong).missing
    assert summarise(wrong).describe() == summarise(wrong).missing
    (problem,) = findings(wrong).problems
    assert problem.fatal and "minTilt" in problem.text
    assert findings(wrong).overlaps == ()


def test_findings_are_those_of_the_check_before_a_run():
    far = document(parse_targets(SHORT.replace("SSX = -3", "SSX = -25")))
    texts = [problem.text for problem in findings(far).problems]
    assert any("target 3 needs an image shift of 25." in text for text in texts)
    assert not any("image shift of" in problem.text for problem in findings(AREA).problems)


def test_beams_that_reach_a_neighbour_are_found_with_the_dose_they_add():
    near = parse_targets(SHORT.replace("SSX = -3\nSSY = 2.5", "SSX = 1\nSSY = 0"))
    facts = Facts(Limits(20.0, 70.0), beam_um=2.4, field_um=XY(1.0, 1.0))
    overlaps = overlaps_of(replace(document(near), known=Known(facts)))
    assert {(overlap.target, overlap.by) for overlap in overlaps} == {(1, 3), (3, 1)}
    # a beam of radius 1.2 at 1 µm covers all of the image but its far side, at all seven tilts of 3 e/Å²
    assert 0.5 * 21 < overlaps[0].dose_e_per_a2 < 0.8 * 21
    assert overlaps_of(AREA) == ()
