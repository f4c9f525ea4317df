"""Images read back from files, of this session and of others, in both fidelities."""

from __future__ import annotations

import shutil
from collections.abc import Callable

import numpy as np
import pytest

from mock_serialem.module import make_module
from mock_serialem.session import Session

MakeSession = Callable[..., Session]


@pytest.mark.parametrize("fidelity", ["kinematic", "rendered"])
def test_a_reference_from_disk_aligns_as_the_image_did(make_session: MakeSession, fidelity: str) -> None:
    session = make_session(fidelity)
    sem = make_module(session)
    sem.SetBinning("R", 8)
    sem.SetBinning("T", 8)
    sem.OpenNewFile("refs.mrc")
    sem.T()
    sem.S()
    sem.R()
    sem.S()
    sem.CloseFile()
    reference = session.buffers.get("A").shot
    sem.ImageShiftByMicrons(0.08, 0.03)
    sem.R()
    sem.ReadOtherFile(1, "P", "refs.mrc")
    assert sem.ImageProperties("P") == (*sem.ImageProperties("A")[:5], -1.0)
    sem.AlignTo("P")
    sem.R()
    now = session.buffers.get("A").shot
    assert reference is not None and now is not None
    assert now.pose.where(reference.pose.centre_um)[:2] == pytest.approx((0.0, 0.0), abs=0.025)


def test_sections_hold_no_pixels_in_memory(make_session: MakeSession) -> None:
    session = make_session("rendered")
    sem = make_module(session)
    sem.SetBinning("T", 8)
    sem.OpenNewFile("a.mrc")
    sem.T()
    sem.S()
    (known,) = session.registry.values()
    assert known.pixels.size == 0 and known.shot is not None and known.shot.pixels is None
    sem.ReadFile(0, "P")
    shot = session.buffers.get("P").shot
    assert shot is not None
    np.testing.assert_array_equal(shot.pixels, session.buffers.get("A").pixels)


def test_a_file_of_another_session_rendered(make_session: MakeSession) -> None:
    session = make_session("rendered")
    sem = make_module(session)
    sem.SetBinning("R", 8)
    sem.OpenNewFile("a.mrc")
    sem.R()
    sem.S()
    sem.CloseFile()
    for name in ("a.mrc", "a.mrc.mdoc"):
        shutil.copy(session.directory / name, session.directory / f"other{name[1:]}")
    sem.ImageShiftByMicrons(0.05, -0.03)
    sem.R()
    sem.ReadOtherFile(0, "P", "other.mrc")
    foreign, own = session.buffers.get("P"), session.buffers.get("A")
    assert foreign.shot is not None and foreign.shot.number == 0
    assert foreign.mag_index == own.mag_index and foreign.stage_um == pytest.approx(own.stage_um, abs=1e-4)
    assert foreign.pixel_um == pytest.approx(own.pixel_um, rel=1e-5) and foreign.binning == 8
    assert sem.AlignTo("P", 1) == 0.0
    assert session.buffers.get("A").shift_um == pytest.approx((0.05, -0.03), abs=0.01)
    sem.AcquireToMatchBuffer("P")
    assert sem.ImageProperties("A")[:4] == sem.ImageProperties("B")[:4]


def test_a_file_of_another_session_kinematic(make_session: MakeSession) -> None:
    session = make_session()
    sem = make_module(session)
    sem.OpenNewFile("a.mrc")
    sem.R()
    sem.S()
    sem.CloseFile()
    shutil.copy(session.directory / "a.mrc", session.directory / "other.mrc")
    sem.ReadOtherFile(0, "P", "other.mrc")
    assert sem.ReportMeanCounts("P") == pytest.approx(sem.ReportMeanCounts("A"))
    sem.NoMessageBoxOnError()
    with pytest.raises(sem.SEMerror, match="not taken in this session"):
        sem.AlignTo("P")


def test_replacing_a_file_forgets_its_images(make_session: MakeSession) -> None:
    session = make_session()
    sem = make_module(session)
    sem.OpenNewFile("a.mrc")
    sem.R()
    sem.S()
    sem.CloseFile()
    assert len(session.registry) == 1
    sem.AllowFileOverwrite(1)
    sem.OpenNewFile("a.mrc")
    assert not session.registry


def test_saved_sections_reach_the_truth_log(make_session: MakeSession) -> None:
    session = make_session()
    sem = make_module(session)
    sem.OpenNewFile("a.mrc")
    for _ in range(2):
        sem.R()
        sem.S()
    sem.CropCenterToSize("A", 100, 100)
    sem.OpenNewFile("b.mrc")
    sem.S()
    saved = [event for event in session.world.truth.events if event["event"] == "saved"]
    assert [(event["file"], event["section"]) for event in saved] == [("a.mrc", 0), ("a.mrc", 1)]
    assert saved[0]["residual_x_um"] == 0.0


def test_metadata_of_a_buffer(make_session: MakeSession) -> None:
    session = make_session()
    sem = make_module(session)
    sem.TiltTo(20)
    sem.R()
    assert float(sem.ReportMetadataValues("A", "TiltAngle")) == pytest.approx(20, abs=0.1)
    assert len(sem.ReportMetadataValues("A", "StagePosition")) == 2
    assert len(sem.ReportMetadataValues("A", "MinMaxMean")) == 3
    assert sem.ReportMetadataString("A", "DateTime").startswith("15-Jan-2026  09:")
    sem.ImageMetadataToVar("A", "all")
    assert "Magnification = 64000" in sem.GetVariable("all").split("\n")
    with pytest.raises(sem.SEMerror):
        sem.ReportMetadataValues("A", "NoSuchKey")
