"""Order of tilts, exposure over tilt and defocus of each target, as the simulated beam and sample had them."""

import math
from dataclasses import replace

import numpy as np
import pytest
from simulated import acquire_on, journal_of, saved

from mock_serialem.sim.sample import LamellaSpec
from pacetomo.area_files import AreaFiles

SHORT = {"minTilt": -9, "maxTilt": 12, "step": 3, "pretilt": 0}
SAMPLE = LamellaSpec(pretilt_deg=0.0, rotation_deg=0.0)


def acquired(folder, targets=2, sample=SAMPLE, **settings):
    acquire_on(folder, sample, targets=targets, **{**SHORT, **settings})
    return {number: saved(folder, number) for number in range(1, targets + 1)}


def planned_tilts(images):
    return [3 * round(image["tilt_true_deg"] / 3) for image in images]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [0, 3, 6, -3, -6, 9, 12, -9]),
        ({"groupSize": 1}, [0, 3, -3, 6, -6, 9, -9, 12]),
        ({"scheme": "bidirectional"}, [0, 3, 6, 9, 12, -3, -6, -9]),
        ({"scheme": "unidirectional", "startTilt": -9}, [-9, -6, -3, 0, 3, 6, 9, 12]),
        (
            {"scheme": "growing-groups", "groupSize": 1, "alternateTo": 3},
            [0, 3, -3, 6, 9, 12, -6, -9],
        ),
        ({"minTilt": -8, "maxTilt": 11}, [0, 3, 6, -3, -6, 9]),
        ({"startTilt": 6}, [6, 9, 12, 3, 0, -3, -6, -9]),
    ],
)
def test_the_stage_follows_the_scheme(tmp_path, settings, expected):
    for images in acquired(tmp_path, **settings).values():
        assert planned_tilts(images) == expected


@pytest.mark.parametrize(("pretilt", "start"), [(-9.5, 9), (9.5, -9)])
def test_the_automatic_start_tilt_makes_the_sample_level(tmp_path, pretilt, start):
    sample = LamellaSpec(pretilt_deg=pretilt, rotation_deg=0.0)
    images = acquired(tmp_path, sample=sample, pretilt=pretilt, autoStartTilt=True, startTilt=3)
    assert planned_tilts(images[1])[0] == start
    run = (tmp_path / "lamella_tgts_run01.txt").read_text()
    assert f"_set startTilt = {start}" in run


def exposures_s(images):
    return np.array([image["exposure_s"] for image in images])


def test_exposure_of_the_first_image_survives_a_tracking_exposure(tmp_path):
    images = acquired(tmp_path, zeroExpTime=2.5, trackExpTime=0.4)
    record_s = images[2][1]["exposure_s"]
    assert exposures_s(images[1]) == pytest.approx([2.5] + [0.4] * 7, abs=0.02)
    assert exposures_s(images[2]) == pytest.approx([2.5] + [record_s] * 7, abs=0.02)
    assert record_s not in (2.5, 0.4)


@pytest.mark.parametrize("power", [1.0, 2.0])
def test_exposure_grows_with_tilt_within_limits(tmp_path, power):
    given = {"exposureScaling": "cosine", "exposurePower": power, "minTilt": 0, "maxTilt": 60, "step": 15}
    images = acquired(tmp_path, **given)[2]
    first_s = images[0]["exposure_s"]
    expected = [first_s / math.cos(math.radians(tilt)) ** power for tilt in (0, 15, 30, 45, 60)]
    assert exposures_s(images) == pytest.approx(expected, rel=0.03)
    (tmp_path / "limited").mkdir()
    limited = acquired(tmp_path / "limited", **given, maxExpTime=1.2 * first_s)[2]
    assert max(exposures_s(limited)) == pytest.approx(1.2 * first_s, rel=0.03)


def test_a_series_has_the_total_dose_wanted(tmp_path):
    for name, scaling in (("even", "constant"), ("scaled", "cosine")):
        folder = tmp_path / name
        folder.mkdir()
        acquired(folder, exposureScaling=scaling, totalDose=40)
        events = journal_of(AreaFiles(folder / "lamella_tgts.txt"))
        for target in (1, 2):  # the dose rate is known from the Previews, before the first image
            spent = sum(
                e["dose_e_per_a2"] for e in events if e["event"] == "exposed" and e["target"] == target
            )
            assert spent == pytest.approx(40, rel=0.01)


def test_a_target_may_have_a_defocus_of_its_own(tmp_path):
    def with_own_defocus(targets):
        return targets.with_target(replace(targets.numbered(2), defocus_um=-2.0))

    images = acquired(tmp_path, targets=3, edit=with_own_defocus)
    wanted = {1: -5.0, 2: -2.0, 3: -5.0}
    for number, own in images.items():
        assert np.median([image["defocus_um"] for image in own]) == pytest.approx(wanted[number], abs=0.35)
