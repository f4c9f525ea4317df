from __future__ import annotations

from datetime import datetime
from types import ModuleType

import pytest

from mock_serialem.files.autodoc import parse_autodoc
from mock_serialem.frames import FrameNames, NameParts
from mock_serialem.session import Session

PARTS = NameParts("lam1_ts_001", "item 3", False, -3.04, 64000, datetime(2026, 8, 15, 12, 30, 2))

NAMES = [
    (0x180, "Aug15_12.30.02.tif"),
    (0x588, "lam1_-3.0_Aug15_12.30.02.tif"),
    (0x1D0, "lam1_ts_001_001_Aug15_12.30.02.tif"),
    (0x1A0, "item 3_Aug15_12.30.02.tif"),
    (0x3A0, "Aug15_12.30.02.tif"),
    (0x850, "2026-08-15_12.30.02_lam1_ts_001_001.tif"),
    (0x2010, "lam1_ts_001_64000.tif"),
]


@pytest.mark.parametrize(("flags", "name"), NAMES)
def test_names_by_their_bits(flags: int, name: str) -> None:
    names = FrameNames("X:\\frames")
    names.base, names.flags = "lam1", flags
    assert names.next_name(PARTS, 10) == "X:\\frames\\" + name


def test_folders_by_their_bits() -> None:
    names = FrameNames("/data")
    names.base, names.flags = "lam1", 0x1 | 0x2 | 0x4 | 0x4000 | 0x40
    assert names.next_name(PARTS, 10) == "/data/lam1_lam1_ts_001_64000_item 3/001.tif"


def test_numbers_start_again_with_another_prefix() -> None:
    names = FrameNames("/data")
    names.base, names.flags = "a", 0x48
    assert [names.next_name(PARTS, 1)[-9:] for _ in range(2)] == ["a_001.tif", "a_002.tif"]
    names.base = "b"
    assert names.next_name(PARTS, 1).endswith("b_001.tif")


def test_names_of_a_session(sem: ModuleType, session: Session) -> None:
    with pytest.raises(sem.SEMerror):
        sem.ReportLastFrameFile()
    with pytest.raises(sem.SEMerror):
        sem.SetFolderForFrames("relative")
    sem.SetFolderForFrames("X:/session")
    assert sem.ReportFrameSavingPath() == "X:/session"
    sem.SetFrameBaseName(1, 1, 0, "lam")
    sem.SetFrameNameFormat(1, -1, 0x8 | 0x400)
    assert sem.ReportFrameBaseName() == (1.0, "lam", 0.0)
    sem.TiltTo(12)
    sem.R()
    assert sem.ReportLastFrameFile() == ("X:/session/lam_12.0.tif", "X:/session", "lam_12.0.tif")
    assert sem.ReportNumFramesSaved() == 10.0
    sem.SetFrameTime("R", 0.25)
    sem.R()
    assert sem.ReportNumFramesSaved() == 4.0
    last = sem.ReportLastFrameFile()
    sem.T()
    sem.SetDoseFracParams("R", 1, 0)
    sem.R()
    assert sem.ReportLastFrameFile() == last
    sem.SetFrameNameFormat(1, 0, 0x400)
    assert sem.ReportFrameNameFormat() == 0x8


def test_a_frame_mdoc(sem: ModuleType, session: Session) -> None:
    assert sem.ReportFrameMdocOpen() == 0.0
    assert sem.CloseFrameMdoc() is None
    for call in (lambda: sem.CloseFrameMdoc(1), sem.WriteFrameMdoc, lambda: sem.AddToFrameMdoc("a", "b")):
        with pytest.raises(sem.SEMerror):
            call()
    sem.OpenFrameMdoc("all")
    with pytest.raises(sem.SEMerror):
        sem.OpenFrameMdoc("again")
    with pytest.raises(sem.SEMerror):
        sem.AddToFrameMdoc("early", "1")
    sem.StartNextFrameStackMdoc("Given", "before")
    sem.R()
    sem.AddToFrameMdoc("Added", "later")
    sem.WriteFrameMdoc()
    sem.DeferWritingFrameMdoc()
    sem.R()
    path = session.directory / "all.mdoc"
    assert len(parse_autodoc(path.read_text()).sections) == 1
    sem.CloseFrameMdoc()
    autodoc = parse_autodoc(path.read_text())
    assert autodoc.entries["Voltage"] == "300"
    first, second = autodoc.of_kind("FrameSet")
    assert (first.name, second.name) == ("0", "1")
    assert first.entries["Given"] == "before" and first.entries["Added"] == "later"
    assert first.entries["NumSubFrames"] == "10" and "Given" not in second.entries


def test_the_frame_mdoc_has_the_title_of_image_files(sem: ModuleType, session: Session) -> None:
    sem.OpenFrameMdoc("f.mdoc")
    sem.R()
    sem.CloseFrameMdoc()
    adoc = parse_autodoc((session.directory / "f.mdoc").read_bytes().decode())
    assert list(adoc.entries) == ["T", "Voltage"]
    assert adoc.entries["T"].endswith("15-Jan-26  09:00:00    ") and len(adoc.entries["T"]) == 79
