from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

from mock_serialem.session import Session


def test_changes_and_their_restoration(sem: ModuleType) -> None:
    with pytest.raises(sem.SEMerror):
        sem.RestoreCameraSet("R")
    sem.SetExposure("R", 2.5, 0.5)
    assert sem.ReportExposure("R") == (2.5, 0.5)
    sem.SetExposure("3", 3)
    assert sem.ReportExposure("record") == (3.0, 0.0)
    sem.SetExposure("P", 1)
    sem.RestoreCameraSet("R")
    assert sem.ReportExposure("R") == (1.0, 0.0) and sem.ReportExposure("P")[0] == 1.0
    sem.RestoreCameraSet()
    assert sem.ReportExposure("P")[0] == 0.3
    sem.SetExposure("T", 0.9)
    sem.KeepCameraSetChanges("T")
    with pytest.raises(sem.SEMerror):
        sem.RestoreCameraSet()
    assert sem.ReportExposure("T")[0] == 0.9


def test_binning_keeps_the_field(sem: ModuleType) -> None:
    assert sem.ReportBinning("R") == 4.0
    sem.SetBinning("R", 2)
    assert sem.ReportCameraSetArea("R") == (2880.0, 2046.0, 0.0, 5760.0, 0.0, 4092.0)
    sem.SetCameraArea("R", "H")
    assert sem.ReportCameraSetArea("R")[:2] == (1440.0, 1023.0)
    sem.SetBinning("R", 4)
    assert sem.ReportCameraSetArea("R")[:4] == (720.0, 511.0, 1440.0, 4320.0)
    for bad in (3, 0, 16, 0.5):
        with pytest.raises(sem.SEMerror):
            sem.SetBinning("R", bad)


AREAS = [("F", (1440, 1023)), ("WH", (1440, 511)), ("Q", (360, 255)), ("WQ", (720, 255))]


@pytest.mark.parametrize(("area", "size"), AREAS)
def test_parts_of_the_camera(sem: ModuleType, area: str, size: tuple[int, int]) -> None:
    sem.SetCameraArea("R", area)
    assert sem.ReportCameraSetArea("R")[:2] == size
    sem.R()
    assert sem.ImageProperties("A")[:2] == size


def test_parts_by_their_edges(sem: ModuleType) -> None:
    sem.SetCameraArea("R", "1000", 3000, 500, 1500)
    assert sem.ReportCameraSetArea("R")[:2] == (500.0, 250.0)
    sem.SetCenteredSize("R", 8, 100, 90)
    assert sem.ReportCameraSetArea("R")[:2] == (100.0, 90.0)
    for bad in (lambda: sem.SetCameraArea("R", "X"), lambda: sem.SetCenteredSize("R", 8, 1000, 90)):
        with pytest.raises(sem.SEMerror):
            bad()


def test_frames_and_modes(sem: ModuleType) -> None:
    sem.SetDoseFracParams("V", 1, 1, -1, 2)
    assert sem.ReportDoseFracParams("V") == (1.0, 1.0, 0.0, 2.0, 0.0, 0.1)
    assert sem.SetFrameTime("V", 0.2) == 0.2
    assert sem.ChangeFrameAndExposure("V", 2) == (0.4, 1.0)
    sem.SetK2ReadMode("V", 2)
    assert sem.ReportReadMode("V") == 2.0
    assert sem.ReportContinuous() == -1.0
    for bad in (
        lambda: sem.SetK2ReadMode("V", 3),
        lambda: sem.SetExposure("V", 0),
        lambda: sem.SetExposure("X", 1),
    ):
        with pytest.raises(sem.SEMerror):
            bad()


def test_the_camera(sem: ModuleType, session: Session) -> None:
    width, height, flip, detector, pixel, number = sem.CameraProperties()
    assert (width, height, flip, detector, number) == (5760.0, 4092.0, 0.0, 5.0, 1.0)
    assert pixel == pytest.approx(session.world.pixel_um(session.world.mag_index) * 1000)
    assert sem.GetVariable("numberOfCameras") == "1"
    assert sem.ReportCurrentPixelSize("V") == pytest.approx(session.world.pixel_um(17) * 4000)
    assert sem.ReportCameraName(1) == "K3" and sem.ReportCameraName(2) == "NOCAM"
    assert sem.ReportCameraProperty(0, "k2type") == 3.0
    assert sem.ReportCountScaling() == (0.0, 4.0)
    sem.RetractCamera()
    assert sem.ReportCameraInserted(1) == 0.0
    sem.T()
    assert sem.ReportCameraInserted(1) == 1.0
    with pytest.raises(sem.SEMerror):
        sem.CameraProperties(2)
    with pytest.raises(TypeError):
        sem.CameraProperties(1.0)


def test_exposure_for_a_mean(sem: ModuleType) -> None:
    sem.R()
    mean = sem.ReportMeanCounts()
    sem.SetExposureForMean(2 * mean)
    assert sem.ReportExposure("R")[0] == pytest.approx(2.0)


def test_an_area_beside_the_middle_is_recorded_there(sem: ModuleType, session: Session) -> None:
    sem.OpenNavigator()
    sem.V()
    whole = session.buffers.get("A")
    sem.SetCameraArea("V", "960", 2880, 404, 2448)
    assert sem.ReportCameraSetArea("V") == (480.0, 511.0, 960.0, 2880.0, 404.0, 2448.0)
    sem.V()
    part = session.buffers.get("A")
    assert whole.shot is not None and part.shot is not None
    x, y, _ = whole.shot.pose.where(part.shot.pose.centre_um)
    true = whole.shot.pose
    turn = np.radians(true.rotation_deg)
    right, up = (
        np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]) @ (x, y) / true.pixel_um
    )
    # Middle of the area from that of 5760 x 4092 pixels, binned by 4.
    assert (right, up) == pytest.approx((-960 / 4, (2046 - 1426) / 4), abs=0.5)
    sem.Copy("B", "P")
    assert sem.StagePosToBufImagePos("P", 0, *sem.BufImagePosToStagePos("A", 0, 240, 255.5)[:2]) == (
        pytest.approx((720 - 240, 511.5 - 155), abs=0.01)
    )
    sem.SetBinning("V", 2)
    assert sem.ReportCameraSetArea("V")[2:] == (960.0, 2880.0, 404.0, 2448.0)
    sem.SetCameraArea("V", "F")
    sem.V()
    assert session.buffers.get("A").aside_um == (0.0, 0.0)
    for bad in (("-8", 100, 0, 100), ("0", 5764, 0, 100), ("0", 100, 0, 4096), ("200", 100, 0, 100)):
        with pytest.raises(sem.SEMerror):
            sem.SetCameraArea("V", *bad)
