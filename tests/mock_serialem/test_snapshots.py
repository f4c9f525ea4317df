"""Images in files for other programs."""

from __future__ import annotations

from types import ModuleType

import pytest

from mock_serialem.session import Session

STARTS = {"JPG": b"\xff\xd8\xff", "PNG": b"\x89PNG", "TIF": b"II*\0"}


@pytest.mark.parametrize(
    ("kind", "compression", "name", "form"),
    [
        ("JPG", "JPG", "a.jpg", "JPG"),
        ("JPEG", "JPEG", "without_ending", "JPG"),
        ("TIF", "LZW", "a.tif", "TIF"),
        ("TIFF", "ZIP", "b.tif", "TIF"),
        ("tif", "NONE", "c.tif", "TIF"),
        ("PNG", "NONE", "a.png", "PNG"),
        ("CUR", "CUR", "b.jpg", "JPG"),
        ("-1", "-1", "b.png", "PNG"),
    ],
)
def test_the_type_decides(
    sem: ModuleType, session: Session, kind: str, compression: str, name: str, form: str
) -> None:
    sem.T()
    sem.SnapshotToFile(1.0, 1.0, 0, kind, compression, name)
    assert (session.directory / name).read_bytes().startswith(STARTS[form])


@pytest.mark.parametrize(("kind", "compression"), [("GIF", "NONE"), ("TIF", "RLE"), ("MRC", "NONE")])
def test_other_types_are_refused(sem: ModuleType, session: Session, kind: str, compression: str) -> None:
    sem.T()
    with pytest.raises(sem.SEMerror):
        sem.SnapshotToFile(1.0, 1.0, 0, kind, compression, "x.tif")
    assert not (session.directory / "x.tif").exists()


def test_one_image_as_jpeg(sem: ModuleType, session: Session) -> None:
    sem.T()
    sem.SaveToOtherFile("A", "JPG", "JPEG", "one.jpg")
    sem.SaveToOtherFile("A", "TIF", "LZW", "one.tif")
    assert (session.directory / "one.jpg").read_bytes().startswith(STARTS["JPG"])
    assert (session.directory / "one.tif").read_bytes().startswith(STARTS["TIF"])
