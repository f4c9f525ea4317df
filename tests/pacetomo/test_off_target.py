import pytest

from pacetomo.area_files import AreaFiles
from pacetomo.frames import XY, Matrix2
from pacetomo.job import make_job
from pacetomo.off_target import (
    is_off_target_due,
    off_target_overlaps,
    off_target_problems,
    off_target_tilts_deg,
)
from pacetomo.settings import SettingsLayer, resolve_settings
from pacetomo.targets import Target, TargetSet

PLACES = (XY(0.0, 0.0), XY(0.0, 4.0), XY(5.0, 0.0))


def job_of(tmp_path, **settings):
    targets = TargetSet(tuple(Target(n, f"a_ts_{n:03d}.mrc", shift_um=p) for n, p in enumerate(PLACES, 1)))
    given = {"minTilt": -60, "maxTilt": 60, **settings}
    resolved = resolve_settings(SettingsLayer("test", given))
    return make_job(AreaFiles(tmp_path / "a_tgts.txt"), targets, resolved, Matrix2(-1.0, 0.0, 0.0, -1.0))


def test_never_means_at_no_tilt(tmp_path):
    job = job_of(tmp_path, offTargetAFX=0.0)
    assert off_target_tilts_deg(job) == () and off_target_overlaps(job, 1.0, 1.0) == ()


def test_at_every_tilt_only_beyond_an_angle_or_at_changes_of_branch(tmp_path):
    assert len(off_target_tilts_deg(job_of(tmp_path, offTargetAF="tilt"))) == 40
    beyond = off_target_tilts_deg(job_of(tmp_path, offTargetAF="tilt", offTargetAFAngle=30))
    assert min(map(abs, beyond)) == 30 and len(beyond) == 22
    branch = off_target_tilts_deg(job_of(tmp_path, offTargetAF="branch", maxTilt=12, minTilt=-12))
    assert branch == (3.0, -3.0, 9.0, -9.0)
    assert not is_off_target_due(job_of(tmp_path, offTargetAF="branch"), 3.0, begins=False)


@pytest.mark.parametrize(
    ("place", "pretilt", "expected"),
    [
        (XY(-3.0, 0.0), 0, ()),
        (XY(0.0, 2.0), 0, ((1, 60.0), (2, 60.0))),  # 2 µm at tilt 0 are seen as 1 µm at 60 degrees
        (XY(5.0, 1.0), 0, ((3, 60.0),)),
        (XY(0.0, 6.0), 20, ((2, 60.0),)),  # steeper still on the side to which the sample is inclined
        (XY(0.0, 6.0), -20, ((2, -60.0),)),
    ],
)
def test_beams_that_meet_at_any_tilt_are_found(tmp_path, place, pretilt, expected):
    settings = {"offTargetAF": "tilt", "offTargetAFX": place.x, "offTargetAFY": place.y, "pretilt": pretilt}
    found = off_target_overlaps(job_of(tmp_path, **settings), 0.6, 0.5)
    assert tuple((overlap.target, abs(overlap.tilt_deg)) for overlap in found) == tuple(
        (target, abs(tilt)) for target, tilt in expected
    )
    if pretilt:
        assert [overlap.tilt_deg for overlap in found] == [expected[0][1]]
    for overlap in found:
        assert overlap.distance_um < 1.1


def test_preflight_says_what_the_beam_would_reach(tmp_path):
    near = job_of(tmp_path, offTargetAF="tilt", offTargetAFX=0.0, offTargetAFY=2.0)
    said = [problem.describe() for problem in off_target_problems(near, 1.1)]
    assert len(said) == 1 and "reach target 1, 2" in said[0] and not list(off_target_problems(near, 0.5))
    assert list(off_target_problems(near, None))  # with a usual beam
    far = job_of(tmp_path, offTargetAF="tilt", offTargetAFX=22.0)
    assert "image shift of 22.0 µm" in next(off_target_problems(far, 1.1)).describe()
    assert not any(problem.fatal for job in (near, far) for problem in off_target_problems(job, 1.1))
