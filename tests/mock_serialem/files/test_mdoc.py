from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_serialem.files.autodoc import parse_autodoc
from mock_serialem.files.mdoc import MdocFile, mdoc_path


def new(path: Path, line_end: str = "\r\n") -> MdocFile:
    mdoc = MdocFile.create(path, line_end)
    mdoc.begin({"PixelSpacing": "5"}, ["title 1", "  title 2"])
    return mdoc


def test_the_name_is_that_of_the_image_file() -> None:
    assert mdoc_path(Path("folder/ts 001.mrc")) == Path("folder/ts 001.mrc.mdoc")


def test_the_bytes_on_disk(tmp_path: Path) -> None:
    path = tmp_path / "a.mrc.mdoc"
    mdoc = new(path)
    mdoc.append({"TiltAngle": "0"})
    mdoc.append({"TiltAngle": "3"})
    head = b"PixelSpacing = 5\r\n\r\n[T = title 1]\r\n\r\n[T =   title 2]\r\n"
    assert path.read_bytes() == head + (
        b"\r\n[ZValue = 0]\r\nTiltAngle = 0\r\n\r\n[ZValue = 1]\r\nTiltAngle = 3\r\n"
    )


def test_additions_reach_the_disk_only_when_written(tmp_path: Path) -> None:
    path = tmp_path / "a.mrc.mdoc"
    mdoc = new(path)
    mdoc.append({"TiltAngle": "0"})
    before = path.read_bytes()
    mdoc.set_key("Note", "x = y")
    mdoc.set_key("TiltAngle", "-0.01")
    assert path.read_bytes() == before
    mdoc.write()
    assert path.read_bytes().endswith(b"[ZValue = 0]\r\nTiltAngle = -0.01\r\nNote = x = y\r\n")
    mdoc.append({"TiltAngle": "3"})
    mdoc.set_key("Note", "second")
    mdoc.write()
    assert [s.entries.get("Note") for s in MdocFile.open(path, "\r\n").image_sections] == ["x = y", "second"]


def test_an_addition_not_written_before_the_next_section_comes_with_a_later_write(tmp_path: Path) -> None:
    path = tmp_path / "a.mrc.mdoc"
    mdoc = new(path)
    mdoc.append({"TiltAngle": "0"})
    mdoc.set_key("Note", "late")
    mdoc.append({"TiltAngle": "3"})
    assert b"late" not in path.read_bytes()
    mdoc.write()
    sections = MdocFile.open(path, "\r\n").image_sections
    assert [section.entries for section in sections] == [
        {"TiltAngle": "0", "Note": "late"},
        {"TiltAngle": "3"},
    ]


def test_keys_before_the_first_section_are_global(tmp_path: Path) -> None:
    mdoc = MdocFile.create(tmp_path / "a.mdoc", "\n")
    mdoc.set_key("Session", "7")
    mdoc.write()
    assert (tmp_path / "a.mdoc").read_text() == "Session = 7\n"
    mdoc.begin({"PixelSpacing": "5"}, [])
    mdoc.append({"A": "1"})
    assert (tmp_path / "a.mdoc").read_text() == "PixelSpacing = 5\nSession = 7\n\n[ZValue = 0]\nA = 1\n"


def test_an_existing_mdoc_is_renamed(tmp_path: Path) -> None:
    path = tmp_path / "a.mrc.mdoc"
    path.write_text("old")
    (tmp_path / "a.mrc.mdoc~").write_text("older")
    mdoc = new(path)
    assert not path.exists()
    mdoc.append({"A": "1"})
    assert (tmp_path / "a.mrc.mdoc~").read_text() == "old"


def test_appending_to_an_old_file_keeps_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "a.mrc.mdoc"
    path.write_bytes(b"Strange = 1\n\n[T = x]\n\n[ZValue = 0]\nUnknown = \xe4\n")
    mdoc = MdocFile.open(path, "\n")
    mdoc.append({"A": "1"})
    assert (
        path.read_bytes()
        == b"Strange = 1\n\n[T = x]\n\n[ZValue = 0]\nUnknown = \xe4\n\n[ZValue = 1]\nA = 1\n"
    )


def test_titles_can_be_added(tmp_path: Path) -> None:
    path = tmp_path / "a.mrc.mdoc"
    mdoc = new(path)
    mdoc.append({"A": "1"})
    mdoc.add_title("third")
    kinds = [section.kind for section in parse_autodoc(path.read_text()).sections]
    assert kinds == ["T", "T", "T", "ZValue"]
    mdoc.append({"A": "2"})
    assert parse_autodoc(path.read_text()).sections[-1].entries == {"A": "2"}


steps = st.lists(st.sampled_from(["append", "key", "write", "title"]), max_size=14)


@given(steps)
def test_after_a_write_disk_and_memory_agree(
    tmp_path_factory: pytest.TempPathFactory, actions: list[str]
) -> None:
    path = tmp_path_factory.mktemp("mdoc") / "a.mdoc"
    mdoc = new(path, "\n")
    mdoc.append({"A": "0"})
    for number, action in enumerate(actions):
        if action == "append":
            mdoc.append({"A": str(number)})
        elif action == "key":
            mdoc.set_key("K" * (number % 3 + 1), "v" * number)
        elif action == "title":
            mdoc.add_title(f"t{number}")
        else:
            mdoc.write()
    mdoc.write()
    assert parse_autodoc(path.read_text()) == mdoc.autodoc
