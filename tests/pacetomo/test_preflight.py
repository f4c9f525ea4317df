import pytest

from pacetomo.area_files import AreaFiles
from pacetomo.errors import TargetFileError
from pacetomo.files.target_file import parse_targets
from pacetomo.frames import Matrix2
from pacetomo.job import make_job
from pacetomo.preflight import find_problems
from pacetomo.scope.protocol import Limits
from pacetomo.settings import SettingsLayer, resolve_settings

LIMITS = Limits(image_shift_um=20.0, max_tilt_deg=70.0)
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


def problems(folder, ssy=2.0, limits=LIMITS, text=TEXT, **settings):
    for name in ("a_tgt_001.mrc", "a_tgt_002.mrc", "a_tgt_001_view.mrc"):
        (folder / name).touch()
    targets = parse_targets(text.format(ssy=ssy))
    resolved = resolve_settings(SettingsLayer("script", settings))
    return find_problems(
        make_job(AreaFiles(folder / "a_tgts.txt"), targets, resolved, Matrix2(-1, 0, 0, -1)), limits
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


def test_recording_in_another_area_is_refused(tmp_path):
    found = problems(tmp_path, text=TEXT + "LDArea = V\n")
    assert found[0].fatal and "target 2" in found[0].text and "LDArea" in found[0].text


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
