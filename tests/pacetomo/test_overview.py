"""Finding the targets again in View, on the simulator: what its truth log says of where they then were."""

import numpy as np
import pytest
from simulated import FLAT, acquire_on, journal_of, residuals_nm, saved

from mock_serialem.faults import FaultPlan, fault_from
from mock_serialem.sim.profiles import KRIOS, KRIOS_SCOPE
from mock_serialem.sim.sample import HoleySpec, LamellaSpec
from pacetomo.area_files import AreaFiles
from pacetomo.files.mdoc import read_mdoc

SHORT = {"minTilt": -9, "maxTilt": 9, "tracker": "joint"}


def jumping(at_tilt, shift_um, when="before"):
    """Lets the stage jump at the so-manieth tilt of the run."""

    def prepare(session):
        fault = {"kind": "stage_jump", "command": "TiltTo", "call": at_tilt, "shift_um": shift_um, "when": when}
        session.inject(FaultPlan((fault_from(fault),)))

    return prepare


def area_of(folder):
    return AreaFiles(next(folder.glob("*_tgts.txt")))


def looks(folder):
    return [line for line in journal_of(area_of(folder)) if line.get("name") == "look"]


# The fourth tilt is -3, the first of the second branch; the approaches before the start count as well.
@pytest.mark.parametrize("shift_um", [[0.9, 0.2, 0.0], [-0.3, -0.8, 0.0], [0.5, 0.6, 0.0]])
@pytest.mark.parametrize("sample", [LamellaSpec(), HoleySpec(**FLAT)], ids=["lamella", "holey"])
def test_a_jump_out_of_the_field_costs_no_target(tmp_path, sample, shift_um):
    acquire_on(tmp_path, sample, KRIOS, KRIOS_SCOPE, 4, prepare=jumping(7, shift_um), **SHORT)
    found = looks(tmp_path)
    assert found, "nobody looked"
    jumps = [line for line in found if np.hypot(*line["off_nm"]) > 500]
    assert jumps[0]["off_nm"] == pytest.approx([1000 * shift_um[0], 1000 * shift_um[1]], abs=180)
    for number in (2, 3, 4):
        residuals = residuals_nm(tmp_path, number)
        assert len(residuals) == 7
        assert np.abs(residuals).max() < 60


def test_without_looking_the_same_jump_loses_them(tmp_path):
    acquire_on(
        tmp_path,
        LamellaSpec(),
        KRIOS,
        KRIOS_SCOPE,
        4,
        prepare=jumping(7, [0.9, 0.2, 0.0]),
        trackTwice="never",
        **SHORT,
    )
    assert looks(tmp_path) == []
    assert max(np.abs(residuals_nm(tmp_path, number)).max() for number in (2, 3, 4)) > 400


def test_view_images_are_kept_with_where_the_target_lies_in_them(tmp_path):
    acquire_on(
        tmp_path, LamellaSpec(), KRIOS, KRIOS_SCOPE, 3, prepare=jumping(7, [0.9, 0.2, 0.0]), **SHORT
    )
    path = next(tmp_path.glob("*_ts_001_view.mrc"))
    images = read_mdoc(path.with_name(path.name + ".mdoc")).images
    assert len(images) == 1 + len(looks(tmp_path))
    assert images[0].need_floats("TargetResidual", 2) == (0.0, 0.0)
    for image, look in zip(images[1:], looks(tmp_path)):
        kept_nm = [1000 * value for value in image.need_floats("TargetResidual", 2)]
        assert kept_nm == pytest.approx(look["off_nm"], abs=0.1)


@pytest.mark.parametrize("settings", [{"trackTwice": "never"}, {"tracker": "single"}])
def test_who_does_not_want_to_look_takes_no_view_image(tmp_path, settings):
    acquire_on(tmp_path, LamellaSpec(), KRIOS, KRIOS_SCOPE, 2, **{**SHORT, "maxTilt": 3, "minTilt": -3, **settings})
    assert not list(tmp_path.glob("*_view.mrc")) or not list(tmp_path.glob("*_ts_*_view.mrc"))


def test_looking_costs_all_targets_its_dose_and_next_to_nothing(tmp_path):
    acquire_on(
        tmp_path, LamellaSpec(), KRIOS, KRIOS_SCOPE, 3, prepare=jumping(7, [0.9, 0.2, 0.0]), **SHORT
    )
    exposed = [line for line in journal_of(area_of(tmp_path)) if line["event"] == "exposed"]
    records = len({line["tilt_deg"] for line in exposed})
    for number in (1, 2, 3):
        mine = [line for line in exposed if line["target"] == number]
        spent = mine[-1]["prior_dose_e_per_a2"] - mine[0]["prior_dose_e_per_a2"]
        by_records = sum(line["dose_e_per_a2"] for line in mine[:-1])
        assert by_records < spent < 1.05 * by_records
    assert records == 7 and len(saved(tmp_path)) == 21
