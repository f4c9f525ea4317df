from dataclasses import replace

import mrcfile
import numpy as np
import pytest

from mock_serialem.module import make_module
from mock_serialem.session import Session
from mock_serialem.sim.world import make_world
from pacetomo.area_files import AreaFiles
from pacetomo.errors import TargetFileError
from pacetomo.files.target_file import parse_targets
from pacetomo.frames import XY, Matrix2
from pacetomo.job import make_job
from pacetomo.preflight import find_problems
from pacetomo.scope.facts import Facts
from pacetomo.scope.protocol import Limits
from pacetomo.scope.serialem_scope import SerialEMScope
from pacetomo.settings import SettingsLayer, resolve_settings

FACTS = Facts(Limits(image_shift_um=20.0, max_tilt_deg=70.0))
TEXT = """
_tgt = 001
tgtfile = a_tgt_001.mrc
tsfile = a_ts_001.mrc
viewfile = a_tgt_001_view.mrc
SSX = 0
SSY = 0

_tgt = 002
tgtfile = a_tgt_002.mrc
tsfile = a_ts_002.mrc
SSX = 3
SSY = {ssy}
"""


def problems(folder, ssy=2.0, facts=FACTS, text=TEXT, **settings):
    for name in ("a_tgt_001.mrc", "a_tgt_002.mrc", "a_tgt_001_view.mrc"):
        (folder / name).touch()
    targets = parse_targets(text.format(ssy=ssy))
    resolved = resolve_settings(SettingsLayer("script", settings))
    return find_problems(
        make_job(AreaFiles(folder / "a_tgts.txt"), targets, resolved, Matrix2(-1, 0, 0, -1)), facts
    )


def test_a_sound_area_has_none(tmp_path):
    assert problems(tmp_path) == []


CASES = {
    "target out of reach": ({"ssy": 21.0}, False, "target 2 needs an image shift of 21.2"),
    "out of reach only when level": (
        {"ssy": 20.5, "pretilt": 20.0, "startTilt": -20.0, "minTilt": -62.0, "maxTilt": 61.0},
        False,
        "target 2 needs",
    ),
    "own limit": ({"imageShiftLimit": 3.5}, False, "the limit is 3.5"),
    "stage cannot tilt so far": ({"maxTilt": 75.0}, False, "the plan tilts to 75"),
    "range no multiple of the step": ({"maxTilt": 61.0}, False, "maxTilt 61"),
    "same sign of pretilt and start": ({"pretilt": 9.0, "startTilt": 9.0}, False, "same sign"),
    "overfocus": ({"minDefocus": 3.0}, False, "overfocus, is wanted for target 1"),
    "overfocus of the tracking target": ({"trackDefocus": 2.0}, False, "for target 1"),
    "step beyond the range": ({"minDefocus": -3.0, "stepDefocus": 2.5}, False, "stepDefocus 2.5"),
}


@pytest.mark.parametrize(("given", "fatal", "said"), CASES.values(), ids=CASES.keys())
def test_each_problem_is_found_and_says_what_to_do(tmp_path, given, fatal, said):
    found = problems(tmp_path, **given)
    assert [problem.fatal for problem in found] == [fatal]
    assert said in found[0].text and found[0].cure


@pytest.mark.parametrize(
    ("series", "said"),
    [
        ("a_ts_001.mrc", "would both write"),
        ("A_TS_001.MRC", "would both write"),
        ("a_tgts.txt", "ends in .mrc"),
        ("truth.jsonl", "ends in .mrc"),
        ("sub/a.mrc", "plain file name"),
        ("..", "ends in .mrc"),
        ("a*b.mrc", "plain file name"),
        ("x" * 300 + ".mrc", "200 characters"),
        ("a_tgt_001.mrc", "reference image"),
    ],
)
def test_a_series_that_cannot_be_kept_is_refused_with_file_and_target(tmp_path, series, said):
    with pytest.raises(TargetFileError, match=r"^a_tgts\.txt: target") as caught:
        problems(tmp_path, text=TEXT.replace("a_ts_002.mrc", series))
    assert said in str(caught.value)


def test_missing_references_are_told_together(tmp_path):
    found = problems(
        tmp_path, text=TEXT.replace("tgtfile = a_tgt_002.mrc\n", "").replace("a_tgt_001.mrc", "gone.mrc")
    )
    assert [problem.text for problem in found] == ["there is no Preview reference for target 1, 2"]


def test_view_references_of_all_are_wanted_with_viewali(tmp_path):
    assert any("View reference for target 2" in problem.text for problem in problems(tmp_path, viewAli=True))


def test_images_that_are_there_are_told(tmp_path):
    (tmp_path / "a_ts_002.mrc").touch()
    assert ["a_ts_002.mrc already there"] == [problem.text for problem in problems(tmp_path)]


def test_geometry_points_without_the_setting_are_told(tmp_path):
    text = TEXT + "\n_geo = 1\nSSX = 1\nSSY = 1\n"
    assert ["measureGeo" in problem.cure for problem in problems(tmp_path, text=text)] == [True]
    assert problems(tmp_path, text=text, measureGeo=True) == []


@pytest.mark.parametrize("kind", ["series", "folder"])
def test_blanks_in_names_are_told(tmp_path, kind):
    text, folder = (
        (TEXT.replace("a_ts_002", "a ts_002"), tmp_path) if kind == "series" else (TEXT, tmp_path / "my data")
    )
    folder.mkdir(exist_ok=True)
    found = problems(folder, text=text)
    assert len(found) == 1 and "blank" in found[0].text and not found[0].fatal


FACTS_OF_A_SOUND_MICROSCOPE = {
    "beam_um": 1.2,
    "field_um": XY(0.77, 0.55),
    "image_bytes": 2000,
    "axis_offset_um": 1.2,
    "is_coma_calibrated": True,
    "focus_axis_um": 2.5,
    "saves_frames": True,
    "frame_folder": "X:\\frames",
    "writes_mdoc": True,
    "is_mrc": True,
}

MICROSCOPES = {
    "no tilt axis offset": ({"axis_offset_um": 0.0}, False, "tilt axis offset"),
    "no coma calibration": ({"is_coma_calibrated": False}, False, "beamTiltComp"),
    "no mdoc": ({"writes_mdoc": False}, True, "mdoc"),
    "no MRC": ({"is_mrc": False}, True, "MRC"),
    "no frames": ({"saves_frames": False}, False, "frames"),
    "no frame folder": ({"frame_folder": ""}, False, "frames"),
    "frame folder without a drive": ({"frame_folder": "frames"}, False, "whole path"),
    "focus on the target": ({"focus_axis_um": 0.4}, False, "Focus area is 0.40"),
    "focus on the target from the other side": ({"focus_axis_um": -0.4}, False, "Focus area is 0.40"),
    "beam on the neighbour": ({"beam_um": 6.2, "focus_axis_um": 9.0}, False, "on target"),
    "disk too small": ({"image_bytes": 10**15}, False, "GB free"),
}


def test_a_sound_microscope_has_no_problems(tmp_path):
    assert problems(tmp_path, facts=replace(FACTS, **FACTS_OF_A_SOUND_MICROSCOPE)) == []


@pytest.mark.parametrize(("fact", "fatal", "said"), MICROSCOPES.values(), ids=MICROSCOPES.keys())
def test_each_fact_that_matters_is_told(tmp_path, fact, fatal, said):
    found = problems(tmp_path, facts=replace(FACTS, **{**FACTS_OF_A_SOUND_MICROSCOPE, **fact}))
    assert [problem.fatal for problem in found] == [fatal]
    assert said in found[0].text and found[0].cure


def test_a_focus_area_on_another_target_is_told(tmp_path):
    """3 um along the axis; 0.9 um across it, which is nearer at high tilts."""
    facts = replace(FACTS, **{**FACTS_OF_A_SOUND_MICROSCOPE, "focus_axis_um": 3.0})
    found = problems(tmp_path, ssy=0.9, facts=facts)
    assert [problem.fatal for problem in found] == [False] and "target 2 (at 0°)" in found[0].text
    assert problems(tmp_path, ssy=0.9, facts=replace(facts, focus_axis_um=-3.0)) == []
    assert problems(tmp_path, ssy=1.5, facts=facts) == []
    assert "target 2 (at 51°)" in problems(tmp_path, ssy=1.5, facts=facts, addAF=True)[0].text


def test_without_beam_tilt_compensation_its_calibration_does_not_matter(tmp_path):
    facts = replace(FACTS, **{**FACTS_OF_A_SOUND_MICROSCOPE, "is_coma_calibrated": False})
    assert problems(tmp_path, facts=facts, beamTiltComp=False) == []


def test_the_dose_of_a_neighbouring_beam_is_added_up_over_the_tilts(tmp_path):
    """1.4 um apart across the axis they are clear of each other at 0 and not at 60 degrees."""
    facts = replace(FACTS, **FACTS_OF_A_SOUND_MICROSCOPE)
    text = TEXT.replace("SSX = 3", "SSX = 0")
    found = problems(tmp_path, ssy=1.1, facts=facts, text=text)
    assert len(found) == 1 and "60°" in found[0].text and "e/Å²" in found[0].text
    assert problems(tmp_path, ssy=1.1, facts=facts, text=text, minTilt=-30, maxTilt=30) == []


def reference(path, columns, pixel_angstrom):
    with mrcfile.new(path, np.zeros((8, columns), np.int16), overwrite=True) as file:
        file.voxel_size = pixel_angstrom


def test_references_at_another_magnification_are_told(tmp_path):
    facts = replace(FACTS, **FACTS_OF_A_SOUND_MICROSCOPE)
    for number, pixel in ((1, 77.0), (2, 154.0)):
        reference(tmp_path / f"b_{number}.mrc", 100, pixel)
    text = TEXT.replace("a_tgt_001.mrc", "b_1.mrc").replace("a_tgt_002.mrc", "b_2.mrc")
    found = problems(tmp_path, facts=facts, text=text)
    assert len(found) == 1 and "target 2 (1.54 µm)" in found[0].text


def test_a_reference_that_is_no_image_is_told(tmp_path):
    (tmp_path / "b.mrc").write_bytes(b"no image")
    found = problems(tmp_path, text=TEXT.replace("a_tgt_002.mrc", "b.mrc"))
    assert len(found) == 1 and "2 (b.mrc)" in found[0].text


def test_the_simulated_microscope_tells_all_facts(tmp_path):
    world = make_world("lamella", "krios", 0, "kinematic", tmp_path / "truth.jsonl")
    facts = SerialEMScope(make_module(Session(world, tmp_path))).facts()
    assert facts.beam_um == pytest.approx(1.2, abs=0.01) and facts.field_um == pytest.approx(
        (0.77, 0.547), abs=0.01
    )
    assert facts.coarse_fields_um["V"] == pytest.approx((17.4, 12.4), rel=0.02)
    assert facts.coarse_fields_um["S"].x > facts.coarse_fields_um["V"].x
    assert (facts.is_coma_calibrated, facts.writes_mdoc, facts.is_mrc, facts.saves_frames) == (True,) * 4
    assert facts.axis_offset_um not in (None, 0.0) and facts.frame_folder
    assert None not in vars(facts).values()
