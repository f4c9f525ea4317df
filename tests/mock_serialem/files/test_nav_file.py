from __future__ import annotations

import os
from pathlib import Path

import pytest

from mock_serialem.files.nav_file import (
    MAP,
    POINT,
    NavContents,
    NavFileError,
    NavItem,
    nav_text,
    new_item,
    parse_nav,
    read_nav,
    write_nav,
)

EXAMPLE = r"""AdocVersion = 2.00
LastSavedAs = X:\session1\lam.nav

[Item = 1]
Color = 2
StageXYZ = 12.5 -33.25 8.4
NumPts = 5
Regis = 1
Type = 2
Note = Sec 0 - lam1_map.mrc
MapFile = X:\session1\lam1_map.mrc
MapID = 210034
MapScaleMat = -1.91445 23.2859 23.2859 1.91445
NewFangledKey = 1 2 3
PtsX = -7.54435 -11.1355 32.5443 36.1355 -7.54435
PtsY = -56.8855 -13.2057 -9.61452 -53.2943 -56.8855

[Item = lam 2]
Color = 0
StageXYZ = 14.1 -30.8 8.4
NumPts = 1
Regis = 1
Type = 0
Note = lam1_tgts.txt
Acquire = 1
MapID = 210035
PtsX = 14.1
PtsY = -30.8

[ParallelTSParam = 0]
PreTilt = -9
"""


def test_reading_items() -> None:
    contents = parse_nav(EXAMPLE)
    first, second = contents.items
    assert (first.kind, first.map_id, first.stage_um) == (MAP, 210034, (12.5, -33.25, 8.4))
    assert len(first.points_um) == 5 and first.points_um[0] == (-7.54435, -56.8855)
    assert (second.label, second.note, second.acquire) == ("lam 2", "lam1_tgts.txt", True)
    assert contents.others[0].kind == "ParallelTSParam"


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_everything_survives_a_round_trip(line_end: str) -> None:
    text = EXAMPLE.replace("\n", line_end)
    assert nav_text(parse_nav(text), line_end) == text


def test_real_files_survive_a_round_trip(samples: Path) -> None:
    for path in sorted((samples / "nav").glob("*.nav")):
        text = path.read_bytes().decode("utf-8", "surrogateescape")
        if "AdocVersion" not in text or text.startswith("<"):
            continue
        contents = parse_nav(text)
        assert contents.items, path
        again = parse_nav(nav_text(contents, os.linesep))
        assert again == contents, path
        # Some of these files were written by other programs, with more empty lines.
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        assert [line.strip() for line in nav_text(contents, "\n").splitlines() if line.strip()] == lines, path


def test_new_keys_go_where_serialem_writes_them() -> None:
    item = parse_nav(EXAMPLE).items[1]
    item.set("DrawnID", "210034")
    item.set("GroupID", "7")
    item.set("Draw", "0")
    item.acquire = False
    assert list(item.entries) == [
        "Color", "StageXYZ", "NumPts", "Draw", "Regis", "Type", "Note", "GroupID", "DrawnID", "MapID", "PtsX", "PtsY",
    ]  # fmt: skip
    item.set("Note", None)
    assert "Note" not in item.entries and item.note == ""


def test_moving_an_item_moves_its_points() -> None:
    item = new_item("1", POINT, (1.0, 2.0, 3.0), [(1.0, 2.0)], 100001)
    item.set_stage(5.0, -1.0, 4.0)
    assert item.stage_um == (5.0, -1.0, 4.0) and item.points_um == [(5.0, -1.0)]


def test_writing_makes_a_backup_once(tmp_path: Path) -> None:
    path = tmp_path / "lam.nav"
    path.write_text("old")
    write_nav(path, parse_nav(EXAMPLE.replace("\n", "\r\n")), "\r\n", backup=True)
    assert (tmp_path / "lam.bak").read_text() == "old"
    assert read_nav(path).header == {"AdocVersion": "2.00", "LastSavedAs": str(path)}
    assert b"\r\n\r\n[Item = 1]\r\nColor = 2\r\n" in path.read_bytes()


@pytest.mark.parametrize(
    "text", ["", "hello", "[Item = 1]\nColor = 1\n", "AdocVersion = 2.00\n\n[Item = 1]\nColor = 1\n"]
)
def test_files_that_are_no_navigator_files(text: str) -> None:
    with pytest.raises(NavFileError):
        parse_nav(text)


def test_unreadable_numbers_count_as_absent() -> None:
    item = NavItem("1", {"Type": "x", "PtsX": "1 a"})
    assert item.kind == 0 and item.floats("PtsX") == [] and item.points_um == []
    assert NavContents().items == []
