"""Geometry, focus and CTF on the simulator, judged by its truth log."""

import json
from dataclasses import replace

import numpy as np
import pytest
from simulated import FLAT, acquire_on, journal_of, residuals_nm, saved

from mock_serialem.faults import Fault, FaultPlan
from mock_serialem.sim.profiles import IDEAL
from mock_serialem.sim.sample import LamellaSpec
from pacetomo.area_files import AreaFiles
from pacetomo.files.mdoc import read_mdoc
from pacetomo.files.run_file import read_run
from pacetomo.frames import XY
from pacetomo.targets import GeoPoint

SAMPLE = LamellaSpec(pretilt_deg=15.0, rotation_deg=20.0, **FLAT)
SHORT = {"minTilt": -9, "maxTilt": 9}


def off_um(folder, number, wanted_um=-5.0):
    """True less wanted defocus of a target's images after the start tilt."""
    return np.array([line["defocus_um"] for line in saved(folder, number)])[1:] - wanted_um


def worst_off_um(folder, targets):
    return max(np.abs(off_um(folder, number)).max() for number in range(1, targets + 1))


def worst_first_step_nm(folder, targets):
    """At the first tilt of each branch nothing but geometry says where a target will be."""
    return max(np.abs(residuals_nm(folder, number)[[1, 3], 1]).max() for number in range(2, targets + 1))


def step(folder, name):
    lines = journal_of(AreaFiles(folder / "lamella_tgts.txt"))
    return next((x for x in lines if x.get("name") == name and "pretilt_deg" in x), None)


def autofocus_places(folder):
    """Sample coordinates of the autofocus exposures since the series began, with the tilt."""
    lines = [json.loads(line) for line in (folder / "truth.jsonl").read_text().splitlines()]
    begin = next(i for i, line in enumerate(lines) if line["event"] == "saved" and "_ts_" in line["file"])
    return [
        (line["tilt_nominal_deg"], line["sample_x_um"], line["sample_y_um"])
        for line in lines[begin:]
        if line["event"] == "exposure" and line["set"] == "F"
    ]


@pytest.mark.parametrize(("pretilt", "rotation"), [(15.0, 20.0), (-12.0, -35.0)])
@pytest.mark.parametrize("points", [True, False])
def test_autofocus_measures_the_plane_that_the_sample_has(tmp_path, pretilt, rotation, points):
    """Settings of the wrong sign: what is measured must take their place."""
    sample = LamellaSpec(pretilt_deg=pretilt, rotation_deg=rotation, **FLAT)
    geo = tuple(GeoPoint(XY(x, y)) for x, y in ((-5, 2), (5, 2), (-4, -5), (4, -5), (1, 5)))
    edit = (lambda targets: targets.with_geo_points(geo)) if points else None
    acquire_on(
        tmp_path, sample, edit=edit, seed=1, pretilt=-pretilt, rotation=rotation, measureGeo=True, **SHORT
    )
    found = step(tmp_path, "measure_geo")
    assert found["pretilt_deg"] == pytest.approx(pretilt, abs=3 * found["pretilt_error_deg"] + 0.2)
    assert found["rotation_deg"] == pytest.approx(rotation, abs=3 * found["rotation_error_deg"] + 0.5)
    assert found["pretilt_error_deg"] < 1.5
    header = read_run(tmp_path / "lamella_tgts_run01.txt").state.header
    assert header.pretilt_deg == pytest.approx(found["pretilt_deg"])
    assert worst_off_um(tmp_path, 5) < 0.45
    assert worst_first_step_nm(tmp_path, 5) < 30


def test_without_measuring_the_wrong_pretilt_shows(tmp_path):
    acquire_on(tmp_path, SAMPLE, pretilt=-15, rotation=20, **SHORT)
    assert worst_off_um(tmp_path, 5) > 1.2
    assert worst_first_step_nm(tmp_path, 5) > 70


@pytest.mark.parametrize("program", [{"doCtfPlotter": True}, {"doCtfPlotter": False, "doCtfFind": True}])
@pytest.mark.parametrize("pretilt", [-15, 0])
def test_fits_at_the_start_tilt_put_a_wrong_pretilt_right(tmp_path, pretilt, program):
    acquire_on(
        tmp_path, SAMPLE, targets=8, pretilt=pretilt, rotation=20, refineGeo=True, seed=2, **program, **SHORT
    )
    found = step(tmp_path, "refine_geo")
    assert found["pretilt_deg"] == pytest.approx(15.0, abs=3 * found["pretilt_error_deg"])
    assert worst_off_um(tmp_path, 8) < 0.4
    assert worst_first_step_nm(tmp_path, 8) < 30


def test_a_bent_sample_is_followed_where_there_are_fits_enough(tmp_path):
    bent = LamellaSpec(pretilt_deg=10.0, rotation_deg=0.0, curvature_um=(1.2, 1.2))
    spread = {}
    for threshold in (9, 1000):
        folder = tmp_path / str(threshold)
        folder.mkdir()
        settings = {
            "pretilt": 10,
            "rotation": 0,
            "refineGeo": True,
            "parabolTh": threshold,
            "tracker": "single",
        }
        acquire_on(folder, bent, targets=10, seed=4, **settings, **SHORT)
        assert step(folder, "refine_geo")["paraboloid"] is (threshold == 9)
        spread[threshold] = np.std([off_um(folder, number).mean() for number in range(1, 11)])
    assert spread[9] < 0.7 * spread[1000]


def test_measured_defocus_is_that_of_the_image_itself(tmp_path):
    wanted = {"minDefocus": -3, "maxDefocus": -5, "stepDefocus": 0.5}
    acquire_on(tmp_path, SAMPLE, pretilt=15, rotation=20, targets=4, **wanted, **SHORT)
    lines = [x for x in journal_of(AreaFiles(tmp_path / "lamella_tgts.txt")) if x["event"] == "exposed"]
    near = 0
    for number in range(1, 5):
        true_um = {round(line["tilt_nominal_deg"]): line["defocus_um"] for line in saved(tmp_path, number)}
        told_um = {round(x["tilt_deg"]): x["ctf_defocus_um"] for x in lines if x["target"] == number}
        images = read_mdoc(tmp_path / f"lamella_ts_{number:03d}.mrc.mdoc").need_images()
        assert len(images) == len(told_um) == len(true_um) == 7
        for image in images:
            tilt = round(image.tilt_deg)
            if told_um[tilt] is None:
                assert image.get_float("CtfDefocus") is None
            else:
                assert image.need_float("CtfDefocus") == pytest.approx(told_um[tilt], abs=1e-3)
                near += abs(told_um[tilt] - true_um[tilt]) < 0.4
    assert near >= 25  # of 28: a fit is wrong now and then


def test_a_failing_fit_is_no_value_and_ends_nothing(tmp_path):
    plan = FaultPlan((Fault("ctf_failure", call=5, times=2),))
    acquire_on(
        tmp_path, SAMPLE, pretilt=15, rotation=20, targets=4, prepare=lambda s: s.inject(plan), **SHORT
    )
    lines = [x for x in journal_of(AreaFiles(tmp_path / "lamella_tgts.txt")) if x["event"] == "exposed"]
    missing = [(x["tilt_deg"], x["target"]) for x in lines if x["ctf_defocus_um"] is None]
    assert missing == [(3.0, 1), (3.0, 2)]
    assert len(lines) == 28


def test_without_ctfplotter_there_is_one_warning_and_no_delay(tmp_path):
    plan = FaultPlan((Fault("error", commands=("Ctfplotter",), times=0, text="ctfplotter was not found"),))
    took = {}
    for name, settings in (("without", {"doCtfPlotter": True}), ("off", {"doCtfPlotter": False})):
        folder = tmp_path / name
        folder.mkdir()
        acquire_on(
            folder,
            SAMPLE,
            pretilt=15,
            rotation=20,
            targets=3,
            prepare=lambda s: s.inject(plan),
            **settings,
            **SHORT,
        )
        lines = journal_of(AreaFiles(folder / "lamella_tgts.txt"))
        assert len([x for x in lines if x["event"] == "exposed"]) == 21
        took[name] = lines[-1]["elapsed_s"] if "elapsed_s" in lines[-1] else lines[-1]["t_s"]
    assert took["without"] - took["off"] < 5.0


AXIS_OFF = replace(IDEAL, tilt_axis_offset_um=1.5, measured_axis_offset_um=0.0)
"""A tilt axis that is not where it was measured: focus runs away with tilt, the other way on each branch."""


@pytest.mark.parametrize(
    ("settings", "limit_um"),
    [
        ({"addAF": True}, 0.6),
        ({"offTargetAF": "branch", "offTargetAFX": -5, "offTargetAFY": 6}, 0.6),
        ({"offTargetAF": "tilt", "offTargetAFX": -5, "offTargetAFY": 6}, 0.4),
    ],
)
@pytest.mark.parametrize("tracker", ["single", "joint"])
def test_autofocus_during_the_series_keeps_the_focus(tmp_path, settings, limit_um, tracker):
    """Where no image tells its defocus: the joint tracker learns the axis from autofocus alone."""
    wide = {"minTilt": -24, "maxTilt": 24, "pretilt": 15, "rotation": 20, "targets": 3}
    wide.update(tracker=tracker, doCtfPlotter=False)
    for name, given in (("with", settings), ("without", {})):
        (tmp_path / name).mkdir()
        acquire_on(tmp_path / name, SAMPLE, stage=AXIS_OFF, **wide, **given)
    assert worst_off_um(tmp_path / "with", 3) < limit_um
    assert worst_off_um(tmp_path / "without", 3) > 0.65


def test_the_place_beside_the_targets_stays_the_same_piece_of_sample(tmp_path):
    settings = {"offTargetAF": "tilt", "offTargetAFX": -5, "offTargetAFY": 6, "minTilt": -30, "maxTilt": 30}
    acquire_on(tmp_path, SAMPLE, pretilt=15, rotation=20, targets=3, **settings)
    tracking = saved(tmp_path, 1)[0]
    places = autofocus_places(tmp_path)
    assert {tilt for tilt, *_ in places} == {float(tilt) for tilt in range(-30, 31, 3) if tilt}
    for _, x, y in places:
        assert x - tracking["sample_x_um"] == pytest.approx(-5.0, abs=0.15)
        assert y - tracking["sample_y_um"] == pytest.approx(6.0, abs=0.15)


@pytest.mark.parametrize("nonsense_um", [0.0, 40.0, None])
def test_autofocus_that_talks_nonsense_is_not_believed(tmp_path, nonsense_um):
    def prepare(session):
        faults = [Fault("autofocus_nonsense", call=3, times=2, defocus_um=nonsense_um)]
        if nonsense_um is None:
            faults = [Fault("error", commands=("ReportFocusDrift",), call=3, times=2)]
        session.inject(FaultPlan(tuple(faults)))

    acquire_on(tmp_path, SAMPLE, pretilt=15, rotation=20, targets=3, addAF=True, prepare=prepare, **SHORT)
    lines = journal_of(AreaFiles(tmp_path / "lamella_tgts.txt"))
    refused = [x for x in lines if x["event"] == "warning" and "the predicted focus is used" in x["text"]]
    assert len(refused) == 2
    assert worst_off_um(tmp_path, 3) < 0.35
