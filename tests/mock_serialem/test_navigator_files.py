"""Real Navigator files through the Navigator: both forms, pixels as places, maps with their images."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from mock_serialem.files.nav_file import NavFileError, nav_text, parse_nav
from mock_serialem.files.nav_pixels import convert_items, stage_of_map_pixel
from mock_serialem.module import make_module
from mock_serialem.session import Session

MakeSession = Callable[..., Session]


@pytest.fixture
def folder(samples: Path) -> Path:
    return samples / "nav"


def test_unchanged_files_come_out_byte_for_byte(folder: Path, session: Session, tmp_path: Path) -> None:
    files = sorted(folder.iterdir())
    assert len(files) >= 5
    for path in files:
        data = path.read_bytes()
        text = data.decode("utf-8", "surrogateescape")
        assert nav_text(parse_nav(text), "\r\n").encode("utf-8", "surrogateescape") == data, path.name
        if path.name == "semmatch_newNav.nav":
            continue
        copy = tmp_path / path.name
        copy.write_bytes(data)
        session.navigator.load(copy)
        session.navigator.save()
        saved = copy.read_bytes()
        pattern = rb"(LastSavedAs( = |>))[^\r\n<]*"
        # A function as replacement: backslashes of paths are no escapes.
        assert re.sub(pattern, lambda m: m.group(1), saved) == re.sub(pattern, lambda m: m.group(1), data), (
            path.name
        )
        assert str(copy).encode() in saved


def test_a_change_touches_only_its_item(folder: Path, session: Session, tmp_path: Path) -> None:
    for name in ("semmatch_nav.nav", "pyem_sort_xml.nav"):
        session.navigator.load(folder / name)
        item = session.navigator.items[-1]
        item.set("Note", "a & b < c")
        session.navigator.save(tmp_path / name)
        old = (folder / name).read_text(encoding="utf-8").splitlines()
        new = (tmp_path / name).read_text(encoding="utf-8").splitlines()
        known = set(old)
        changed = [line for line in new if line not in known]
        assert len(new) == len(old) + 1 and len(changed) == 2, name
        session.navigator.load(tmp_path / name)
        assert session.navigator.items[-1].note == "a & b < c"


def test_the_xml_form(folder: Path, sem: ModuleType) -> None:
    sem.OpenNavigator(str(folder / "pyem_sort_xml.nav"))
    assert sem.NavIndexWithLabel("12-A") == 1.0
    assert sem.ReportOtherItem(1) == (1.0, 75.8717, 11.681, -39.8515, 2.0)
    last = sem.ReportOtherItem(-1)
    assert last[1:] == (80.1057, 29.3364, -39.8515, 0.0)
    assert sem.NavIndexItemDrawnOn(int(last[0])) == 1.0 and sem.ReportItemAcquire(int(last[0])) == 1.0


@pytest.mark.parametrize("text", ["<?xml version='1.0'?><navigator>", "<?xml version='1.0'?><other/>"])
def test_damaged_xml_is_refused(text: str) -> None:
    with pytest.raises(NavFileError):
        parse_nav(text)


def test_pixels_of_a_map_become_stage_positions(folder: Path, sem: ModuleType, session: Session) -> None:
    with pytest.raises(sem.SEMerror):
        sem.ReadNavFile(str(folder / "semmatch_newNav.nav"))
    sem.ReadNavFile(str(folder / "semmatch_nav.nav"))
    before = int(sem.ReportNumTableItems())
    sem.MergeNavFile(str(folder / "semmatch_newNav.nav"))
    items = session.navigator.items[before:]
    assert len(items) == 12
    drawn_on = session.navigator.items[session.navigator.with_id(1357591511)]
    matrix = np.reshape(drawn_on.floats("MapScaleMat"), (2, 2))
    width, height = drawn_on.floats("MapWidthHeight")
    first = items[0]
    offset = np.array(first.stage_um[:2]) - drawn_on.stage_um[:2]
    # The file's pixels count from the lower left corner, the matrix leads to pixels with Y down.
    x, y = matrix @ offset + (width / 2, height / 2)
    assert (x, height - y) == pytest.approx((1732, 1229), abs=0.1)
    assert first.stage_um[2] == pytest.approx(31.9355) and first.points_um == [first.stage_um[:2]]
    assert "CoordsInMap" not in first.entries and first.acquire


MAP_TEXT = """AdocVersion = 2.00

[Item = m]
Color = 2
StageXYZ = 100 -50 3
NumPts = 0
Regis = 1
Type = 2
MapID = 77
MapBinning = 8
MontBinning = 4
MapScaleMat = 0 10 10 0
MapWidthHeight = 200 100

[Item = p]
Color = 0
NumPts = 0
Regis = 1
Type = 0
DrawnID = 77
{place}
"""


@pytest.mark.parametrize(
    ("place", "stage"),
    [
        ("CoordsInMap = 100 50 4", (100.0, -50.0, 4.0)),
        # 20 px above the middle is 20 px less with Y down, and Y comes from stage X.
        ("CoordsInMap = 100 70 4", (98.0, -50.0, 4.0)),
        ("CoordsInMap = 120 50 4", (100.0, -48.0, 4.0)),
        ("CoordsInAliMont = 240 100 4", (100.0, -48.0, 4.0)),
        ("CoordsInAliMontVS = 200 140 4", (98.0, -50.0, 4.0)),
        ("PieceOn = 1\nCoordsInPiece = 40 30 4", (100.0, -48.0, 4.0)),
    ],
)
def test_each_kind_of_pixel(place: str, stage: tuple[float, float, float]) -> None:
    contents = parse_nav(MAP_TEXT.format(place=place))
    convert_items(contents.items, [], lambda drawn_on, number: (200.0, 70.0))
    assert contents.items[1].stage_um == pytest.approx(stage)
    assert contents.items[1].points_um == [pytest.approx(stage[:2])]


@pytest.mark.parametrize("place", ["CoordsInMap = 1 2", "CoordsInPiece = 1 2 3"])
def test_pixels_that_cannot_be_placed(place: str) -> None:
    contents = parse_nav(MAP_TEXT.format(place=place))
    with pytest.raises(NavFileError):
        convert_items(contents.items, [], lambda drawn_on, number: (0.0, 0.0))
    contents.items[0].entries["MapScaleMat"] = "1 2 2 4"
    with pytest.raises(NavFileError):
        stage_of_map_pixel(contents.items[0], (0.0, 0.0))


def test_a_pixel_in_a_piece_of_a_simulated_montage(make_session: MakeSession) -> None:
    session = make_session(stage="ideal")
    sem = make_module(session)
    sem.OpenNavigator()
    sem.ParamSetToUseForMontage(2)
    sem.OpenNewMontage(2, 2, "m.mrc")
    sem.M()
    sem.NewMap()
    sem.SaveNavigator("table.nav")
    height = session.files.current.montage.frame_px[1]  # type: ignore[union-attr]
    text = (session.directory / "table.nav").read_text()
    text += f"\n[Item = t]\nColor = 0\nNumPts = 0\nRegis = 1\nType = 0\nDrawnID = {session.navigator.items[0].map_id}\n"
    (session.directory / "more.nav").write_text(text + f"PieceOn = 3\nCoordsInPiece = 900 {height - 300} 1\n")
    sem.ReadNavFile("more.nav")
    sem.LoadOtherMap(1, "T")
    x, y = sem.ReportItemImageCoords(2, "T")[:2]
    assert sem.BufImagePosToStagePos("T", 0, x, y)[2:] == pytest.approx((3.0, 900.0, 300.0), abs=0.05)


def test_new_items_get_the_registration_that_was_set(sem: ModuleType, session: Session) -> None:
    sem.OpenNavigator()
    sem.SetNavRegistration(4)
    sem.AddStagePosAsNavPoint(1, 2, 3)
    assert session.navigator.items[0].entries["Regis"] == "4"
    sem.ReportNavItem()
    assert sem.GetVariable("navRegis") == 4.0


def test_items_without_an_id_are_all_merged(sem: ModuleType, session: Session) -> None:
    body = (
        "\n[Item = {}]\nColor = 0\nStageXYZ = {} 2 3\nNumPts = 1\nRegis = 1\nType = 0\nPtsX = {}\nPtsY = 2\n"
    )
    text = "AdocVersion = 2.00\n" + "".join(body.format(f"n{x}", x, x) for x in (1, 2))
    (session.directory / "plain.nav").write_text(text, encoding="ascii")
    sem.ReadNavFile("plain.nav")
    sem.MergeNavFile("plain.nav")
    assert [item.label for item in session.navigator.items] == ["n1", "n2", "n1", "n2"]
    sem.AddStagePosAsNavPoint(7, 8, 9)
    sem.SaveNavigator("whole.nav")
    sem.MergeNavFile("whole.nav")
    assert sum(item.stage_um == (7.0, 8.0, 9.0) for item in session.navigator.items) == 1
