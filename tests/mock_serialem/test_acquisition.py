"""Images and their metadata."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import mdocfile
import numpy as np
import pytest

from mock_serialem.files.mdoc import MdocFile
from mock_serialem.module import make_module
from mock_serialem.session import Session

pytestmark = pytest.mark.filterwarnings("ignore:.*:UserWarning:mdocfile")


def last_keys(session: Session, name: str = "a.mrc") -> dict[str, str]:
    return MdocFile.open(session.directory / f"{name}.mdoc", "\r\n").image_sections[-1].entries


def test_the_keys_of_a_section_in_serialems_order(sem: ModuleType, session: Session) -> None:
    sem.OpenNewFile("a.mrc")
    sem.TiltTo(30)
    sem.ImageShiftByMicrons(1, 2)
    shift = sem.ReportImageShift()[:2]
    sem.R()
    sem.S()
    keys = last_keys(session)
    assert list(keys) == [
        "MinMaxMean", "TiltAngle", "StagePosition", "StageZ", "Magnification", "Intensity", "ExposureDose", "DoseRate",
        "PixelSpacing", "SpotSize", "ProbeMode", "Defocus", "ImageShift", "RotationAngle", "ExposureTime", "Binning",
        "CameraIndex", "DividedBy2", "OperatingMode", "UsingCDS", "MagIndex", "LowDoseConSet", "CountsPerElectron",
        "TargetDefocus", "SubFramePath", "NumSubFrames", "FrameDosesAndNumber", "DateTime", "FilterSlitAndLoss",
        "TimeStamp",
    ]  # fmt: skip
    assert float(keys["TiltAngle"]) == pytest.approx(sem.ReportTiltAngle(), abs=1e-4)
    assert [float(v) for v in keys["ImageShift"].split()] == pytest.approx(shift, rel=1e-5)
    assert keys["LowDoseConSet"] == "4" and keys["MagIndex"] == "27" and keys["ExposureDose"] == "3"
    assert keys["FrameDosesAndNumber"] == "0.3 10"
    assert keys["DateTime"].startswith("15-Jan-2026  09:0")
    # Seconds since the first of January 2020.
    assert 0 < int(keys["TimeStamp"]) - 2206 * 86400 < 10 * 3600


def test_titles_and_global_part(sem: ModuleType, session: Session) -> None:
    sem.OpenNewFile("a.mrc")
    sem.R()
    sem.S()
    lines = (session.directory / "a.mrc.mdoc").read_bytes().decode().split("\r\n")
    rotation = session.world.rotation_deg(27)
    pixel = f"{session.world.pixel_um(27) * 4e4:g}"
    assert lines[:6] == [
        f"PixelSpacing = {pixel}",
        "Voltage = 300",
        f"Version = {session.options.version_text}",
        "ImageFile = a.mrc",
        "ImageSize = 32 32",
        "DataMode = 1",
    ]
    assert lines[7].startswith("[T = SerialEM: Simulated microscope" + " " * 25 + " 15-Jan-26  09:0")
    assert lines[7].endswith("    ]")
    assert lines[9] == f"[T =     Tilt axis angle = {rotation - 90:.1f}, binning = 4  spot = 8  camera = 0]"


def test_line_ends_are_an_option(make_session: Callable[..., Session]) -> None:
    from mock_serialem.session import SessionOptions

    session = make_session(options=SessionOptions(line_end="\n"))
    sem = make_module(session)
    sem.OpenNewFile("a.mrc")
    sem.T()
    sem.S()
    assert b"\r" not in (session.directory / "a.mrc.mdoc").read_bytes()


def test_mdocfile_reads_it(sem: ModuleType, session: Session, capsys: pytest.CaptureFixture[str]) -> None:
    sem.OpenNewFile("a.mrc")
    for tilt in (0, 3, -3):
        sem.TiltTo(tilt)
        sem.R()
        sem.S()
    table = mdocfile.read(session.directory / "a.mrc.mdoc")
    assert list(np.round(table["TiltAngle"])) == [0, 3, -3]
    assert set(table["ExposureDose"]) == {3.0}
    capsys.readouterr()


def test_accumulated_dose_is_the_prior_dose_of_later_images(sem: ModuleType, session: Session) -> None:
    sem.OpenNewFile("a.mrc")
    prior = []
    for target in (1, 2, 1, 2, 1):
        sem.AreaForCumulRecordDose(target)
        sem.AccumulateRecordDose(0)
        sem.R()
        sem.S()
        prior.append(last_keys(session)["PriorRecordDose"])
        sem.AccumulateRecordDose(sem.ImageConditions("A")[0])
    assert prior == ["0", "0", "3", "3", "6"]
    sem.AccumulateRecordDose(-1)
    sem.R()
    sem.S()
    assert "PriorRecordDose" not in last_keys(session)
    with pytest.raises(sem.SEMerror):
        sem.AreaForCumulRecordDose(255)


SETS = [
    ("V", 0, 0, 17),
    ("F", 1, 1, 27),
    ("T", 2, 2, 27),
    ("R", 3, 3, 27),
    ("L", 4, 3, 27),
    ("Search", 6, 4, 11),
]


@pytest.mark.parametrize(("command", "camera_set", "area", "mag"), SETS)
def test_each_set_takes_its_image_in_its_area(
    sem: ModuleType, session: Session, command: str, camera_set: int, area: int, mag: int
) -> None:
    getattr(sem, command)()
    image = session.buffers.get("A")
    assert image.mag_index == mag
    assert sem.ReportLowDose() == (1.0, float(area))
    expected = {6: 5}.get(camera_set, camera_set)
    assert sem.ImageProperties("A")[5] == expected


def test_outside_low_dose_the_present_optics_are_used(sem: ModuleType, session: Session) -> None:
    assert sem.SetLowDoseMode(0) == 1.0
    sem.SetMagIndex(18)
    sem.V()
    assert session.buffers.get("A").mag_index == 18
    assert sem.ImageLowDoseSet("A") == (0.0, 0.0)
    assert float(session.buffers.get("A").keys["LowDoseConSet"]) == 0
    # The beam is spread with the field, so the image is not dark.
    assert sem.ReportMeanCounts() > 50
    assert sem.SetLowDoseMode(1) == 0.0
    assert sem.ReportLowDose() == (1.0, -1.0)


def test_a_closed_valve_lets_no_image_be_taken(sem: ModuleType) -> None:
    sem.SetColumnOrGunValve(0)
    assert sem.ReportColumnOrGunValve() == 0.0
    with pytest.raises(sem.SEMerror):
        sem.R()


def test_matching_a_buffer(sem: ModuleType, session: Session) -> None:
    sem.L()
    sem.Copy("A", "O")
    sem.CropCenterToSize("O", 800, 600)
    sem.Copy("A", "P")
    sem.SetExposure("P", 2.0)
    sem.SetBinning("P", 2)
    last = session.frames.last
    sem.AcquireToMatchBuffer("P")
    made = sem.ImageProperties("A")
    assert made[:4] == (800.0, 600.0, 4.0, 0.3) and made[5] == 4.0
    assert session.frames.last == last
    assert session.cameras.get("P").binning == 2
    sem.OpenNewFile("a.mrc")
    sem.S("O")
    sem.ReadOtherFile(0, "Q", "a.mrc")
    sem.AcquireToMatchBuffer("Q")
    assert sem.ImageProperties("A")[:4] == (1440.0, 1023.0, 4.0, 0.3)
    sem.PutImageInBuffer(np.zeros((4, 4), np.int16), "N", 4, 4)
    with pytest.raises(sem.SEMerror):
        sem.AcquireToMatchBuffer("N")


def test_default_areas_are_a_usable_session(sem: ModuleType, session: Session) -> None:
    sizes = {}
    for command in ("V", "F", "T", "R", "L", "Search"):
        getattr(sem, command)()
        sizes[command] = sem.ImageProperties("A")[:2]
        assert sem.ReportMeanCounts() > 20
    assert sizes["R"] == sizes["L"] == sizes["V"] == (1440.0, 1023.0)
    assert all(width <= 1440 and height <= 1023 for width, height in sizes.values())
    assert sem.ReportLDDefocusOffset("V") == -60.0
    dose = {name: session.cameras.get(name).exposure_s for name in "RP"}
    assert dose == {"R": 1.0, "P": 0.3}


def test_the_navigator_label_is_noted_while_acquiring(sem: ModuleType, session: Session) -> None:
    session.navigator.add_point(0, 0, label="lam-3")
    session.navigator.acquiring = 0
    sem.OpenNewFile("a.mrc")
    sem.R()
    sem.S()
    assert last_keys(session)["NavigatorLabel"] == "lam-3"
