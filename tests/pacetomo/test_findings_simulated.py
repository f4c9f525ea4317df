"""What the joint model finds out about simulated sessions, against what was wrong with them."""

import json
import math
import re
from dataclasses import replace

import pytest
from simulated import acquire_on, journal_of

from mock_serialem.faults import Fault, FaultPlan
from mock_serialem.sim.camera import Camera
from mock_serialem.sim.profiles import KRIOS
from mock_serialem.sim.sample import LamellaSpec
from pacetomo.area_files import AreaFiles

SAMPLE = LamellaSpec()
STEADY = replace(KRIOS, name="steady", wobble_um=(0.10, 0.25, 0.03), hysteresis_um=(0.02, 0.045, 0.01))
"""A stage that hardly moves along the beam: there the axis shows as clearly as it can."""


def findings(folder, **given):
    folder.mkdir(exist_ok=True)
    settings = {
        "stage": KRIOS,
        "pretilt": -9,
        "rotation": 4,
        "tracker": "joint",
        "sortByTilt": False,
        "minTilt": -51,
    }
    acquire_on(folder, SAMPLE, **{**settings, **given})
    lines = journal_of(AreaFiles(folder / "lamella_tgts.txt"))
    return [line for line in lines if line["event"] == "finding"]


def misjudged(true_minus_set_um):
    """A stage whose axis lies that much farther along Y than SerialEM was told."""
    return replace(STEADY, measured_axis_offset_um=STEADY.tilt_axis_offset_um - true_minus_set_um)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_session_as_it_should_be_gives_no_finding(tmp_path, seed):
    assert findings(tmp_path, seed=seed) == []


@pytest.mark.parametrize("wrong_deg", [5.0, -5.0])
def test_a_wrong_pretilt_is_found_with_its_sign(tmp_path, wrong_deg):
    (found,) = {line["name"]: line for line in findings(tmp_path, pretilt=-9 + wrong_deg, targets=6)}.values()
    assert found["name"] == "pretilt"
    assert found["value"] == pytest.approx(-wrong_deg, abs=1.0)
    assert abs(found["value"] + wrong_deg) < 3 * found["sigma"]


def test_the_pretilt_it_suggests_is_the_sample_s(tmp_path):
    wrong = findings(tmp_path / "wrong", pretilt=-14, rotation=0, targets=6)
    cure = wrong[-1]["cure"]
    better = {word: float(cure.split(f"{word} = ")[1].split(" ")[0]) for word in ("pretilt", "rotation")}
    assert findings(tmp_path / "better", targets=6, **better) == []
    assert better["pretilt"] == pytest.approx(-9, abs=1.0) and better["rotation"] == pytest.approx(4, abs=8)


@pytest.mark.slow
@pytest.mark.parametrize("wrong_um", [0.6, -0.6])
def test_an_axis_elsewhere_is_found_and_what_is_suggested_cures_it(tmp_path, wrong_um):
    found = findings(tmp_path / "wrong", stage=misjudged(wrong_um), seed=5)
    assert {line["name"] for line in found} == {"axis"}
    value = found[-1]["value"]
    assert value == pytest.approx(wrong_um, abs=0.15)
    assert f"add {value:+.2f} µm to the tilt axis offset" in found[-1]["cure"]
    assert findings(tmp_path / "better", stage=misjudged(wrong_um - round(value, 2)), seed=5) == []


def test_nothing_is_said_of_the_axis_without_measured_defocus(tmp_path):
    assert findings(tmp_path, stage=misjudged(1.0), doCtfPlotter=False) == []


def test_a_stage_that_jumps_is_named_with_tilt_and_size(tmp_path):
    jump = Fault("stage_jump", commands=("TiltTo",), call=16, shift_um=(0.25, 0.15, 0.0))
    found = findings(
        tmp_path, seed=6, alignLimit=0.5, prepare=lambda session: session.inject(FaultPlan((jump,)))
    )
    assert found and {line["name"] for line in found} == {"slip"}
    (jumped_s,) = [line["t_s"] for line in truth_of(tmp_path) if line["event"] == "fault"]
    lines = journal_of(AreaFiles(tmp_path / "lamella_tgts.txt"))
    after = next(line for line in lines if line["event"] == "tilt" and line["t_s"] > jumped_s)
    assert found[0]["tilt_deg"] == pytest.approx(after["reached_deg"], abs=0.01)
    # It lies in the plane of the stage, so that the part across the axis is seen foreshortened.
    x_um, y_um = 0.25, 0.15 * math.cos(math.radians(after["reached_deg"]))
    assert found[0]["value"] == pytest.approx(math.hypot(x_um, y_um), abs=0.06)
    said = re.search(r"x ([-+.\d]+), y ([-+.\d]+)", found[0]["cause"])
    assert [float(value) for value in said.groups()] == pytest.approx([x_um, y_um], abs=0.08)


class Blind(Camera):
    """A camera to which one place of the sample shows nothing."""

    place = (0.0, 0.0)

    def take(self, setup, pose, placement, rendered):
        frame = super().take(setup, pose, placement, rendered)
        x, y, _ = pose.centre_um
        near = abs(x - self.place[0]) < 0.8 and abs(y - self.place[1]) < 0.8
        away = abs(pose.tilt_nominal_deg) > 20
        return replace(frame, contrast=0.02) if near and away else frame


def test_a_target_without_contrast_is_named(tmp_path):
    def blind(session):
        session.world._camera.__class__ = Blind
        # References are taken target by target.
        previews = [line for line in truth_of(tmp_path) if line["event"] == "exposure" and line["set"] == "P"]
        session.world._camera.place = (previews[2]["sample_x_um"], previews[2]["sample_y_um"])

    found = findings(tmp_path, prepare=blind, seed=4)
    assert {line["name"] for line in found} == {"contrast"}
    assert {line["target"] for line in found} == {3}


def truth_of(folder):
    return [json.loads(line) for line in (folder / "truth.jsonl").read_text().splitlines()]
