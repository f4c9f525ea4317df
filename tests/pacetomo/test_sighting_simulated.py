"""Whole sessions with images: what is aligned here, what by SerialEM, and where targets then are."""

import json
from dataclasses import replace

import numpy as np
import pytest

import pacetomo.sighting as sighting
from mock_serialem.sim.profiles import CRYOARM_SCOPE, IDEAL, KRIOS, KRIOS_SCOPE
from mock_serialem.sim.sample import LamellaSpec
from pacetomo.files.mdoc import read_mdoc
from pacetomo.frames import XY
from pacetomo.recent import RecentImages
from pacetomo.scope.protocol import Missing
from pacetomo.scope.serialem_scope import SerialEMScope
from pacetomo.sighting import Sighting
from tests.simulated import acquire_on, saved

SMALL = replace(KRIOS_SCOPE.camera, size_px=(2880, 2046))
ARCTIC = replace(KRIOS_SCOPE, camera=SMALL)
MIRRORED = replace(CRYOARM_SCOPE, camera=SMALL)


class Aligned:
    """A session of a few tilts, every alignment by SerialEM counted and every set of earlier images."""

    def __init__(
        self,
        monkeypatch,
        folder,
        microscope=ARCTIC,
        stage=KRIOS,
        fidelity="rendered",
        spoil=None,
        targets=2,
        **settings,
    ):
        self.folder, self.by_serialem, self.compared = folder, [], []
        real_offset, real_find = SerialEMScope.offset_from_file, sighting.find

        def offset_from_file(scope, reference, section, *limits):
            if "_ts_" in reference.name:
                self.by_serialem.append((reference.name, section, *limits))
            return real_offset(scope, reference, section, *limits)

        def find(image, tilt_deg, earlier, *place):
            found = real_find(image, tilt_deg, earlier, *place) if spoil is None else spoil(tilt_deg)
            self.compared.append((tilt_deg, [one.tilt_deg for one in earlier], found))
            return found

        monkeypatch.setattr(SerialEMScope, "offset_from_file", offset_from_file)
        monkeypatch.setattr(sighting, "find", find)
        given = {
            "minTilt": -9,
            "maxTilt": 9,
            "pretilt": 0,
            "alignLimit": 0.2,
            "trackTwice": "never",
            **settings,
        }
        acquire_on(folder, LamellaSpec(), stage, microscope, targets=targets, fidelity=fidelity, **given)

    def events(self, name):
        lines = (self.folder / "lamella_tgts_run01.jsonl").read_text(encoding="utf-8").splitlines()
        return [event for event in map(json.loads, lines) if event["event"] == name]

    def errors_nm(self):
        """Residuals as found less the true ones, of all images that were aligned to others."""
        apart = []
        for event in self.events("exposed"):
            if event["branch"] != "start":
                true = saved(self.folder, event["target"])[event["section"]]
                true_nm = (1000 * true["residual_x_um"], 1000 * true["residual_y_um"])
                apart.append(np.subtract(event["residual_nm"], true_nm))
        return np.array(apart)

    def sigmas_um(self):
        """Uncertainties of residuals in the metadata of all targets."""
        images = [image for path in self.folder.glob("*_ts_???.mrc.mdoc") for image in read_mdoc(path).images]
        found = [image.get_floats("TargetResidualSigma") for image in images]
        return [sigma for sigma in found if sigma is not None]


@pytest.mark.parametrize("microscope", [ARCTIC, MIRRORED], ids=["krios", "mirrored"])
def test_targets_are_found_in_images_where_they_are(monkeypatch, tmp_path, microscope):
    run = Aligned(monkeypatch, tmp_path, microscope)
    errors_nm = run.errors_nm()
    assert len(errors_nm) == 12 and np.abs(errors_nm[:, 0]).max() < 4 and np.abs(errors_nm[:, 1]).max() < 20
    assert run.by_serialem == [] and len(run.sigmas_um()) == 12
    assert not run.events("warning") or all("align" not in event["text"] for event in run.events("warning"))


def test_images_are_compared_with_the_latest_of_their_branch(monkeypatch, tmp_path):
    run = Aligned(monkeypatch, tmp_path, stage=IDEAL, alignImages=2, minTilt=-9, maxTilt=9)
    compared = {(round(tilt), tuple(map(round, earlier))) for tilt, earlier, _ in run.compared}
    assert compared == {
        (3, (0,)),
        (6, (0, 3)),
        (9, (3, 6)),
        (-3, (0,)),
        (-6, (0, -3)),
        (-9, (-3, -6)),
    }


def test_without_kept_images_the_latest_is_read_from_its_stack(monkeypatch, tmp_path):
    """As after a resume."""
    monkeypatch.setattr(RecentImages, "of", lambda recent, target, branch: ())
    run = Aligned(monkeypatch, tmp_path, stage=IDEAL)
    compared = {(round(tilt), tuple(map(round, earlier))) for tilt, earlier, _ in run.compared}
    assert compared == {(3, (0,)), (6, (3,)), (9, (6,)), (-3, (0,)), (-6, (-3,)), (-9, (-6,))}
    assert run.by_serialem == [] and np.abs(run.errors_nm()[:, 0]).max() < 4


def test_where_no_peak_stands_out_serialem_aligns_to_the_latest_image(monkeypatch, tmp_path):
    run = Aligned(monkeypatch, tmp_path, spoil=lambda tilt_deg: Missing("nothing stands out"))
    assert len(run.by_serialem) == 12 and all(isinstance(found, Missing) for *_, found in run.compared)
    assert np.abs(run.errors_nm()[:, 0]).max() < 4
    sections = [section for name, section, *_ in run.by_serialem if "_002" in name]
    assert sections == [0, 1, 0, 3, 2, 4]  # 3, 6, -3, -6, 9, -9 degrees


def test_without_alignImages_serialem_aligns_everything(monkeypatch, tmp_path):  # noqa: N802 - a setting's name
    run = Aligned(monkeypatch, tmp_path, alignImages=0)
    assert len(run.by_serialem) == 12 and run.compared == [] and run.sigmas_um() == []


def test_patches_without_structure_are_left_to_serialem(monkeypatch, tmp_path):
    run = Aligned(monkeypatch, tmp_path, KRIOS_SCOPE, fidelity="kinematic")
    assert len(run.by_serialem) == 12 and run.compared == []
    said = [event["text"] for event in run.events("step") if event["name"] == "alignment"]
    assert len(said) == 1 and "repeats itself" in said[0]


def test_a_false_place_is_not_compared_with_what_was_found_before_it(monkeypatch, tmp_path):
    """A place that the joint model does not believe begins a new chain of alignments."""
    real = Sighting.offset_um

    def offset_um(sight, exposure, *rest):
        found = real(sight, exposure, *rest)
        is_false = exposure.target == 3 and exposure.tilt_deg == 6
        return found.plus(XY(0.25, 0.2)) if is_false else found

    monkeypatch.setattr(Sighting, "offset_um", offset_um)
    run = Aligned(monkeypatch, tmp_path, targets=4, tracker="joint", minTilt=-3, maxTilt=12)
    compared = {tilt: [] for tilt in (9, 12)}
    for tilt_deg, earlier, _ in run.compared:
        if round(tilt_deg) in compared:
            compared[round(tilt_deg)].append(len(earlier))
    assert sorted(set(compared[9])) == [1, 3] and sorted(set(compared[12])) == [2, 3]
