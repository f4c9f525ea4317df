"""Pixels of images through SerialEM's commands, and what is found in them, against the simulator's truth."""

import json
from dataclasses import replace

import numpy as np
import pytest

from mock_serialem.module import make_module
from mock_serialem.session import Session
from mock_serialem.sim.profiles import CRYOARM_SCOPE, IDEAL, KRIOS_SCOPE
from mock_serialem.sim.sample import LamellaSpec
from mock_serialem.sim.truth import TruthLog
from mock_serialem.sim.world import World, WorldConfig
from pacetomo.correlation import Found, find
from pacetomo.earlier_images import Earlier, conditioned
from pacetomo.frames import ORIGIN, XY
from pacetomo.scope.protocol import Missing
from pacetomo.scope.serialem_scope import SerialEMScope

SMALL = replace(KRIOS_SCOPE.camera, size_px=(1920, 1364))
SCOPES = {
    "krios": replace(KRIOS_SCOPE, camera=SMALL),
    "cryoarm": replace(CRYOARM_SCOPE, camera=SMALL),
}


class Bench:
    """A lamella on an ideal stage and a column of choice, with a stack open."""

    def __init__(self, folder, microscope, fidelity="rendered"):
        self.folder = folder
        self.truth = TruthLog(folder / "truth.jsonl")
        self.session = Session(
            World(WorldConfig(LamellaSpec(), IDEAL, microscope, 3, fidelity), self.truth), folder
        )
        self.sem = make_module(self.session)
        self.sem.SetLowDoseMode(1)
        self.sem.GoToLowDoseArea("R")
        self.scope = SerialEMScope(self.sem)
        self.scope.begin(20.0)
        self.scope.find_eucentric_height()
        self.scope.open_series(folder / "a_ts_001.mrc")

    def record(self, shift_um, tilt_deg=0.0):
        self.scope.tilt_to(tilt_deg)
        assert self.scope.aim(shift_um, -5.0, compensate_beam_tilt=False)
        self.scope.record("frame")

    def residuals_um(self):
        """Where the first image's target is seen in each of the images saved, by the simulator itself."""
        self.truth.close()
        lines = [json.loads(line) for line in (self.folder / "truth.jsonl").read_text().splitlines()]
        saved = [line for line in lines if line["event"] == "saved"]
        return [XY(line["residual_x_um"], line["residual_y_um"]) for line in saved]


@pytest.mark.parametrize("shift_um", [XY(0.06, 0.0), XY(0.0, -0.06), XY(-0.04, 0.05)])
@pytest.mark.parametrize("name", SCOPES)
def test_a_target_is_found_in_the_pixels_where_the_simulator_has_it(tmp_path, name, shift_um):
    bench = Bench(tmp_path, SCOPES[name])
    bench.record(ORIGIN)
    first = bench.scope.picture(256)
    bench.record(shift_um, tilt_deg=6.0)
    second = bench.scope.picture(256)
    by_serialem = bench.scope.offset_from_file(tmp_path / "a_ts_001.mrc", 0, 0.3)
    earlier = [Earlier(conditioned(first.pixels), first.tilt_deg, ORIGIN)]
    found = find(
        conditioned(second.pixels), second.tilt_deg, earlier, second.to_specimen, ORIGIN, ORIGIN, 0.2
    )
    true_um = bench.residuals_um()[1]
    assert true_um.length > 0.05
    assert isinstance(found, Found)
    off = found.offset_um.minus(true_um)
    # What is seen lies over or under the plane that the simulator counts from: that shows across the axis only.
    assert abs(off.x) < 0.001 and abs(off.y) < 0.01
    assert found.offset_um.minus(by_serialem).length < 0.0015
    assert (first.tilt_deg, second.tilt_deg) == pytest.approx((0.0, 6.0), abs=0.05)


def test_the_present_image_is_there_again_after_its_pixels_were_read(tmp_path):
    bench = Bench(tmp_path, SCOPES["krios"])
    bench.sem.SetUserSetting("BuffersToRollOnAcquire", 0)
    bench.record(ORIGIN)
    before = np.array(bench.sem.bufferImage("A"))
    picture = bench.scope.picture(256)
    assert np.array_equal(np.array(bench.sem.bufferImage("A")), before)
    rows, columns = (size // 2 for size in before.shape)
    blocks = before[: 2 * rows, : 2 * columns].reshape(rows, 2, columns, 2).mean(axis=(1, 3))
    assert picture.pixels.shape == blocks.shape == (170, 240)
    assert np.abs(picture.pixels - blocks).max() <= 0.5
    pixel_um = bench.sem.ImageProperties("A")[4] / 1000
    assert abs(picture.to_specimen.determinant) ** 0.5 == pytest.approx(2 * pixel_um, rel=1e-6)


def test_a_section_is_read_as_the_image_was(tmp_path):
    bench = Bench(tmp_path, SCOPES["krios"])
    bench.record(ORIGIN, tilt_deg=3.0)
    then = bench.scope.picture(256)
    bench.record(XY(0.05, 0.0), tilt_deg=6.0)
    path = tmp_path / "a_ts_001.mrc"
    for _ in ("the stack is open", "it is closed"):
        again = bench.scope.saved_picture(path, 0, 256)
        assert np.array_equal(again.pixels, then.pixels) and again.to_specimen == then.to_specimen
        assert again.tilt_deg == pytest.approx(then.tilt_deg, abs=0.01)
        bench.scope.close_series()
    assert bench.scope.picture(256).tilt_deg == pytest.approx(6.0, abs=0.05)


def test_a_small_image_is_not_reduced(tmp_path):
    bench = Bench(tmp_path, replace(KRIOS_SCOPE, camera=replace(SMALL, size_px=(200, 160))))
    bench.sem.SetBinning("R", 1)
    bench.record(ORIGIN)
    whole = np.array(bench.sem.bufferImage("A"))
    assert max(whole.shape) <= 256 and np.array_equal(bench.scope.picture(256).pixels, whole)


def test_patches_without_structure_are_declined(tmp_path):
    bench = Bench(tmp_path, KRIOS_SCOPE, "kinematic")
    bench.record(ORIGIN)
    declined = conditioned(bench.scope.picture(256).pixels)
    assert isinstance(declined, Missing) and "repeats itself" in declined.reason


class Sem:
    """A `serialem` module of a few answers."""

    class SEMerror(Exception):
        pass

    class SEMexited(Exception):
        pass

    class SEMmoduleError(Exception):
        pass

    def __init__(self, **answers):
        given = {
            "ImageProperties": (512.0, 400.0, 1.0, 1.0, 0.5, 3.0),
            "ReportMetadataString": "-12.5",
            "CameraToSpecimenMatrix": (0.0, 5e-4, -5e-4, 0.0),
            "Copy": None,
            "ReduceImage": None,
            "bufferImage": np.zeros((200, 256), np.int16),
            **answers,
        }
        self.calls = []
        for name, answer in given.items():
            if answer is not None or name in ("Copy", "ReduceImage"):
                setattr(self, name, self._command(name, answer))

    def _command(self, name, answer):
        def call(*arguments):
            self.calls.append((name, *arguments))
            if isinstance(answer, Exception):
                raise answer
            return answer

        return call


def test_pixels_come_with_their_size_axes_and_tilt():
    sem = Sem()
    picture = SerialEMScope(sem).picture(300)
    assert picture.pixels.shape == (200, 256) and picture.tilt_deg == -12.5
    # Two pixels of 0.5 nm in one; the camera's X points to -Y of the specimen.
    assert picture.to_specimen.apply(XY(1.0, 0.0)) == pytest.approx((0.0, -0.001))
    assert ("ReduceImage", "A", 2.0) in sem.calls
    assert [call for call in sem.calls if call[0] == "Copy"] == [("Copy", "A", "Q"), ("Copy", "Q", "A")]


@pytest.mark.parametrize(
    ("answers", "reason"),
    [
        ({"bufferImage": None}, "gives no pixels"),
        ({"bufferImage": Sem.SEMmoduleError("no image")}, "no image"),
        ({"bufferImage": SystemError("no image")}, "no image"),
        ({"bufferImage": np.zeros((10, 10, 3), np.uint8)}, "grey"),
        ({"ReduceImage": Sem.SEMerror("no memory")}, "no memory"),
        ({"ImageProperties": Sem.SEMerror("empty")}, "empty"),
        ({"ImageProperties": (512.0, 400.0, 1.0, 1.0, 0.0, 3.0)}, "pixel size"),
        ({"ReportMetadataString": Sem.SEMerror("no such key")}, "no such key"),
        ({"ReportMetadataString": "?"}, "could not convert"),
        ({"CameraToSpecimenMatrix": (0.0, 0.0, 0.0, 0.0)}, "not calibrated"),
    ],
)
def test_without_pixels_there_is_a_reason_and_the_image_stays(answers, reason):
    sem = Sem(**answers)
    outcome = SerialEMScope(sem).picture(256)
    assert isinstance(outcome, Missing) and reason in outcome.reason
    copies = [call for call in sem.calls if call[0] == "Copy"]
    assert copies in ([], [("Copy", "A", "Q"), ("Copy", "Q", "A")])


@pytest.mark.parametrize("command", ["bufferImage", "ReduceImage", "Copy", "ImageProperties"])
def test_stop_passes(command):
    sem = Sem(**{command: Sem.SEMexited("User STOP")})
    with pytest.raises(Sem.SEMexited):
        SerialEMScope(sem).picture(256)
