import math

import pytest

from pacetomo.area_files import AreaFiles
from pacetomo.errors import TargetFileError
from pacetomo.files.target_file import parse_targets
from pacetomo.frames import Matrix2
from pacetomo.job import make_job
from pacetomo.schemes import Branch
from pacetomo.settings import SettingsLayer, resolve_settings

TEXT = """
_tgt = 001
tsfile = a_ts_001.mrc
SSX = 1
SSY = 2

_tgt = 002
tsfile = a_ts_002.mrc
SSX = 4
SSY = 6
"""


def job(tmp_path, text=TEXT, **settings):
    resolved = resolve_settings(SettingsLayer("script", settings))
    return make_job(AreaFiles(tmp_path / "a_tgts.txt"), parse_targets(text), resolved, Matrix2(-1, 0, 0, -1))


def test_places_are_relative_to_the_tracking_target(tmp_path):
    assert job(tmp_path).untilted_um == {1: (0.0, 0.0), 2: (3.0, 4.0)}


def test_places_picked_at_a_tilt_are_taken_back_to_the_untilted_stage(tmp_path):
    assert job(tmp_path, tiltTargets=60).untilted_um[2] == pytest.approx((3.0, 8.0))
    inclined = job(tmp_path, tiltTargets=20, pretilt=-20).untilted_um[2]
    assert inclined.y == pytest.approx(4.0 * math.cos(math.radians(20)))


def test_the_farthest_shift_counts_every_tilt(tmp_path):
    assert job(tmp_path).farthest_shift_um(2) == pytest.approx((5.0, 0.0))
    level_at_the_end = job(tmp_path, pretilt=-30, startTilt=0, minTilt=0, maxTilt=30)
    farthest_um, tilt_deg = level_at_the_end.farthest_shift_um(2)
    assert tilt_deg == 30.0
    assert farthest_um == pytest.approx(math.hypot(3.0, 4.0 / math.cos(math.radians(30))))


@pytest.mark.parametrize(
    ("settings", "second", "direction"),
    [
        ({}, Branch.DOWN, 1.0),
        ({"minTilt": 0}, Branch.UP, 1.0),
        ({"maxTilt": 0}, Branch.DOWN, -1.0),
        ({"scheme": "unidirectional", "startTilt": 60}, Branch.DOWN, -1.0),
    ],
)
def test_branches(tmp_path, settings, second, direction):
    made = job(tmp_path, **settings)
    assert (made.second_branch, made.first_direction) == (second, direction)


def test_defocus_is_spread_over_the_targets_that_are_imaged(tmp_path):
    three = TEXT + "skip = True\n\n_tgt = 003\ntsfile = a_ts_003.mrc\nSSX = 0\nSSY = 5\n"
    assert job(tmp_path, three, minDefocus=-3, maxDefocus=-5, stepDefocus=1).wanted_defocus_um == {
        1: -3.0,
        3: -4.0,
    }


def test_a_skipped_tracking_target_is_refused_with_the_files_name(tmp_path):
    with pytest.raises(TargetFileError, match=r"a_tgts\.txt: .*tracking target"):
        job(tmp_path, TEXT.replace("SSY = 2\n", "SSY = 2\nskip = True\n"))
