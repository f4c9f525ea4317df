import json

import pytest
from simulated import FLAT, acquire_on, journal_of, residuals_nm
from simulated_stage import Habits, course_on

from mock_serialem.module import make_module
from mock_serialem.sim.profiles import KRIOS
from mock_serialem.sim.sample import LamellaSpec
from pacetomo import acquire as acquire_module
from pacetomo.area_files import AreaFiles
from pacetomo.engine import Acquisition
from pacetomo.errors import PlanError
from pacetomo.files.stage_profile import read_profile, write_profile
from pacetomo.joint.profile_learning import learn_profile
from pacetomo.schemes import DoseSymmetric
from pacetomo.scope.serialem_scope import SerialEMScope

SHORT = DoseSymmetric(0, -18, 18, 3, 2).stops()
RUN = {"minTilt": -12, "maxTilt": 12, "targets": 2, "tracker": "joint"}


@pytest.fixture(scope="module")
def profile():
    return learn_profile([course_on(Habits(1), seed, stops=SHORT) for seed in range(2)])


def acquire(folder, **settings):
    """Names of the files of a short area acquired on a Krios."""
    folder.mkdir()
    acquire_on(folder, LamellaSpec(**FLAT), KRIOS, **{**RUN, **settings})
    return AreaFiles(folder / "lamella_tgts.txt")


@pytest.mark.parametrize("content", [None, "{ damaged", '{"kind": "pacetomo stage profile", "format": 9}'])
def test_a_profile_that_cannot_be_used_is_refused_before_the_first_electron(tmp_path, content):
    if content is not None:
        (tmp_path / "stage.json").write_text(content)
    area = tmp_path / "area"
    with pytest.raises(PlanError, match=r"stage\.json.*leave stageProfile empty"):
        acquire(area, stageProfile=str(tmp_path / "stage.json"))
    lines = [json.loads(line) for line in (area / "truth.jsonl").read_text().splitlines()]
    assert not [line for line in lines if line["event"] == "saved" and "_ts_" in line["file"]]
    assert not list(area.glob("*_run01*"))


def test_a_run_is_predicted_with_the_profile_named_and_says_so(tmp_path, profile):
    path = tmp_path / "stage.json"
    write_profile(path, profile)
    before = path.read_bytes()
    first = {}
    for name, settings in (("without", {}), ("with", {"stageProfile": str(path)})):
        files = acquire(tmp_path / name, **settings)
        first[name] = residuals_nm(tmp_path / name, 1)[1]
        said = [line["text"] for line in journal_of(files) if line.get("name") == "profile"]
        assert len(said) == (name == "with")
    stops = profile.courses[0].stops()[:1]
    expected_nm = [1000 * profile.expect(axis, 0.0, stops).mean[0] for axis in "xy"]
    # The first tilt away from the start is aimed at where the profile expects the target.
    assert first["with"] - first["without"] == pytest.approx([-nm for nm in expected_nm], abs=3.0)
    assert max(map(abs, expected_nm)) > 6.0
    assert path.read_bytes() == before


def test_a_finished_run_adds_its_series_if_that_is_wanted(tmp_path, profile):
    path = tmp_path / "stage.json"
    write_profile(path, profile)
    acquire(tmp_path / "area", stageProfile=str(path), updateProfile=True, tracker="single")
    grown = read_profile(path)
    assert len(grown.courses) == 3
    new = grown.courses[-1]
    assert (new.name, new.targets, new.usable) == ("lamella", 2, 8)
    assert read_profile(tmp_path / "stage.json~1") == profile


def test_failing_to_update_costs_no_area(tmp_path, profile):
    path = tmp_path / "stage.json"
    write_profile(path, profile)
    settings = {"stageProfile": str(path), "updateProfile": True, "extendedMdoc": False}
    files = acquire(tmp_path / "area", **settings)
    notes = journal_of(files)
    assert notes[-1]["event"] == "run_end" and notes[-1]["state"] == "finished"
    warnings = [note["text"] for note in notes if note["event"] == "warning"]
    assert any("not updated" in text and "SpecimenShift" in text for text in warnings)
    assert read_profile(path) == profile


def test_a_profile_of_another_stage_is_reported_once(tmp_path, profile):
    far = [
        course._replace(
            visits=tuple(
                visit._replace(shift_um=(0.12 + visit.tilt_deg / 300, -0.2)) for visit in course.visits
            )
        )
        for course in profile.courses
    ]
    write_profile(tmp_path / "stage.json", learn_profile(far))
    files = acquire(tmp_path / "area", stageProfile=str(tmp_path / "stage.json"))
    warnings = [note["text"] for note in journal_of(files) if note["event"] == "warning"]
    assert sum("the stage profile is not used any more" in text for text in warnings) == 1
    assert abs(residuals_nm(tmp_path / "area", 2)[-4:]).max() < 60


def test_a_run_goes_on_with_the_profile_that_it_began_with(tmp_path, profile, monkeypatch):
    """Another area may have updated the file in between; the model's state must come back exactly."""
    path = tmp_path / "stage.json"
    write_profile(path, profile)
    used, steps, step, make_model = [], [], Acquisition._step, acquire_module.make_model

    def stopped(self, exposure, tilt_deg):
        steps.append(exposure)
        if len(steps) == 8:
            raise KeyboardInterrupt
        step(self, exposure, tilt_deg)

    def spied(job, starts, start_tilt_deg, with_profile=None):
        used.append(with_profile)
        return make_model(job, starts, start_tilt_deg, with_profile)

    monkeypatch.setattr(Acquisition, "_step", stopped)
    monkeypatch.setattr(acquire_module, "make_model", spied)
    sessions = []
    with pytest.raises(KeyboardInterrupt):
        acquire(tmp_path / "area", stageProfile=str(path), prepare=sessions.append)
    write_profile(path, learn_profile([course_on(Habits(9), seed, stops=SHORT) for seed in range(2)]))
    scope = SerialEMScope(make_module(sessions[0]))
    acquire_module.acquire_area(scope, scope.item(), None, {})
    assert used == [profile, profile]
    notes = journal_of(AreaFiles(tmp_path / "area" / "lamella_tgts.txt"))
    assert notes[-1]["state"] == "finished" and sum(note["event"] == "exposed" for note in notes) == 18
