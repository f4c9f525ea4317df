from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from mock_serialem.session import Session


def test_several_open_files(sem: ModuleType, session: Session) -> None:
    assert sem.ReportFileNumber() == -1.0 and sem.ReportNumOpenFiles() == 0.0
    for name in "abc":
        sem.OpenNewFile(f"{name}.mrc")
    assert sem.ReportFileNumber() == 3.0 and sem.ReportNumOpenFiles() == 3.0
    assert sem.IsImageFileOpen("b.mrc") == 2.0
    assert sem.IsImageFileOpen(str(session.directory / "b.mrc")) == 2.0
    assert sem.IsImageFileOpen("x.mrc") == 0.0
    sem.SwitchToFile(2)
    assert sem.ReportCurrentFilename() == str(session.directory / "b.mrc")
    root = str(session.directory / "b")
    assert sem.ReportCurrentFilename(1) == (root, ".mrc", str(session.directory), "b")
    assert sem.ReportOpenImageFile(3) == str(session.directory / "c.mrc")
    # Closing makes the one before current; later files move down.
    sem.CloseFile()
    assert sem.ReportFileNumber() == 1.0
    assert sem.ReportOpenImageFile(2) == str(session.directory / "c.mrc")
    sem.CloseFile()
    assert sem.ReportFileNumber() == 1.0
    assert sem.ReportCurrentFilename() == str(session.directory / "c.mrc")
    for bad in (0, 2):
        with pytest.raises(sem.SEMerror):
            sem.SwitchToFile(bad)


def test_saving_to_a_file_that_is_not_current(sem: ModuleType) -> None:
    sem.OpenNewFile("a.mrc")
    sem.OpenNewFile("b.mrc")
    sem.T()
    sem.S("A", 1)
    assert sem.ReportFileZsize() == 0.0
    sem.SwitchToFile(1)
    assert sem.ReportFileZsize() == 1.0


def test_reopening_to_append(sem: ModuleType, session: Session) -> None:
    sem.OpenNewFile("a.mrc")
    sem.T()
    sem.S()
    sem.CloseFile()
    sem.OpenOldFile("a.mrc")
    sem.S()
    sem.AddToAutodoc("Second", "yes")
    sem.WriteAutodoc()
    assert sem.ReportFileZsize() == 2.0
    text = (session.directory / "a.mrc.mdoc").read_text()
    assert text.index("[ZValue = 1]") < text.index("Second = yes")
    with pytest.raises(sem.SEMerror):
        sem.OpenOldFile("a.mrc")
    for bad in ("missing.mrc", "a.mrc.mdoc"):
        with pytest.raises(sem.SEMerror):
            sem.OpenOldFile(bad)


def test_a_new_file_without_images_cannot_be_reopened(sem: ModuleType) -> None:
    sem.OpenNewFile("a.mrc")
    sem.CloseFile()
    with pytest.raises(sem.SEMerror):
        sem.OpenOldFile("a.mrc")


def test_images_that_do_not_fit(sem: ModuleType, session: Session) -> None:
    sem.OpenNewFile("a.mrc")
    sem.T()
    sem.S()
    sem.PutImageInBuffer(np.zeros((5, 5), np.int16), "P", 5, 5)
    with pytest.raises(sem.SEMerror):
        sem.S("P")
    assert sem.ReportFileZsize() == 1.0
    assert (session.directory / "a.mrc.mdoc").read_text().count("ZValue") == 1


def test_unsigned_data_in_a_signed_file(sem: ModuleType) -> None:
    pixels = np.array([[0, 40000], [32767, 7]], np.uint16)
    for number, expected in enumerate(
        ([0, 32767, 32767, 7], [0, 20000, 16383, 3], [-32768, 7232, -1, -32761])
    ):
        sem.SetFileOptions(0, 1, 0, 1, number)
        sem.OpenNewFile(f"{number}.mrc")
        sem.PutImageInBuffer(pixels, "P", 2, 2)
        sem.S("P")
        sem.ReadFile(0, "Q")
        assert list(np.asarray(sem.bufferImage("Q")).ravel()) == expected


def test_without_mdoc(sem: ModuleType, session: Session) -> None:
    sem.SetFileOptions(0, 1, 0, 1, 0, 0)
    assert sem.ReportFileOptions(0)[3] == 0.0
    sem.OpenNewFile("a.mrc")
    sem.T()
    sem.S()
    assert not (session.directory / "a.mrc.mdoc").exists()
    for call in (lambda: sem.AddToAutodoc("a", "b"), sem.WriteAutodoc):
        with pytest.raises(sem.SEMerror):
            call()


def test_saving_one_image_elsewhere(sem: ModuleType, session: Session) -> None:
    sem.OpenNewFile("a.mrc")
    sem.T()
    sem.SaveToOtherFile("A", "MRC", "NONE", "one.mrc")
    sem.SaveToOtherFile("A", "TIF", "NONE", "one.tif")
    assert sem.ReportFileZsize() == 0.0 and sem.ReportNumOpenFiles() == 1.0
    sem.ReadOtherFile(0, "Q", "one.mrc")
    np.testing.assert_array_equal(sem.bufferImage("Q"), sem.bufferImage("A"))
    data = (session.directory / "one.tif").read_bytes()
    assert data[:4] == b"II*\0" and session.buffers.get("A").pixels.tobytes() in data
    for kind, compression, name in (("HDF", "NONE", "one.hdf"), ("TIF", "JPG", "b.tif")):
        with pytest.raises(sem.SEMerror):
            sem.SaveToOtherFile("A", kind, compression, name)
        assert not (session.directory / name).exists()


def test_reading_what_is_not_there(sem: ModuleType) -> None:
    with pytest.raises(sem.SEMerror):
        sem.ReadFile(0)
    sem.OpenNewFile("a.mrc")
    for bad in (-1, 0):
        with pytest.raises(sem.SEMerror):
            sem.ReadFile(bad)
    with pytest.raises(sem.SEMerror):
        sem.ReadOtherFile(0, "P", "missing.mrc")


def test_titles_can_be_added_to_files_with_images(sem: ModuleType, session: Session) -> None:
    sem.OpenNewFile("a.mrc")
    with pytest.raises(sem.SEMerror):
        sem.AddTitleToFile(0, "mine")
    sem.T()
    sem.S()
    sem.AddTitleToFile(0, "mine")
    assert "[T = mine]" in (session.directory / "a.mrc.mdoc").read_text()


def test_a_folder_that_is_missing(sem: ModuleType) -> None:
    with pytest.raises(sem.SEMerror):
        sem.OpenNewFile("missing/a.mrc")
    assert sem.ReportNumOpenFiles() == 0.0


def test_files_in_the_way(sem: ModuleType, session: Session, tmp_path: Path) -> None:
    (session.directory / "a.mrc").mkdir()
    sem.AllowFileOverwrite(1)
    with pytest.raises(sem.SEMerror):
        sem.OpenNewFile("a.mrc")
    sem.RemoveFile("a.mrc")
    assert any("WARNING" in line for line in session.log_lines)
    (session.directory / "b.txt").write_text("x")
    sem.RemoveFile("b.txt")
    assert sem.DoesFileExist("b.txt") == 0.0
    assert sem.IsDirectoryWritable(str(tmp_path))[0] == 1.0
    assert sem.ReportFreeDiskSpace(str(tmp_path)) > 0
