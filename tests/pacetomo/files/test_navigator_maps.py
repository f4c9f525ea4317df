from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_serialem.files.nav_file import parse_nav
from mock_serialem.files.nav_pixels import convert_items
from pacetomo.errors import NavigatorError
from pacetomo.files.navigator import format_navigator, parse_navigator, read_navigator
from pacetomo.files.navigator_maps import find_map_file, map_below, pixel_of_stage, placed, stage_of_pixel
from pacetomo.frames import XY

MAP = """\
AdocVersion = 2.00
LastSavedAs = X:\\session1\\navs\\lam.nav

[Item = 1]
Color = 2
StageXYZ = 12.5 -33.25 8.4
NumPts = 5
Regis = 1
Type = 2
MapFile = X:\\session1\\navs\\\\maps\\lam1_map.mrc
MapID = 210034
MapMontage = 1
MapSection = 0
MapBinning = 4
MapMagInd = 18
MapCamera = 0
MapScaleMat = -1.91445 23.2859 23.2859 1.91445
MapWidthHeight = 1024 900
MapFramesXY = 2 2
MontBinning = 1
PtsX = 0 0 0 0 0
PtsY = 0 0 0 0 0
"""
coordinates = st.floats(-500.0, 1500.0)


def with_point(keys: str) -> str:
    return f"{MAP}\n[Item = p]\nColor = 0\nNumPts = 0\nRegis = 1\nType = 0\nDrawnID = 210034\n{keys}\n"


@given(coordinates, coordinates)
def test_pixels_lead_to_the_stage_and_back(x, y):
    drawn_on = parse_navigator(MAP).items[0]
    back = pixel_of_stage(drawn_on, stage_of_pixel(drawn_on, XY(x, y)))
    assert back.minus(XY(x, y)).length < 1e-6


def test_the_centre_and_one_step_down_lie_where_the_matrix_says():
    drawn_on = parse_navigator(MAP).items[0]
    assert stage_of_pixel(drawn_on, XY(512.0, 450.0)) == XY(12.5, -33.25)
    right = pixel_of_stage(drawn_on, XY(12.5, -32.25))
    assert right.minus(XY(512.0 + 23.2859, 450.0 + 1.91445)).length < 1e-9


def test_image_coordinates_count_from_the_lower_left():
    navigator = placed(parse_navigator(with_point("CoordsInMap = 512 0 8.5")))
    item = navigator.items[1]
    assert pixel_of_stage(navigator.items[0], item.stage_um).minus(XY(512.0, 900.0)).length < 0.01
    assert item.stage_z_um == 8.5 and item.points_um == (item.stage_um,)
    assert item.text("CoordsInMap") is None


@pytest.mark.parametrize(
    "keys",
    [
        "CoordsInMap = 100 200 8.5",
        "CoordsInAliMont = 1000 2000 8.5",
        "PieceOn = 3\nCoordsInPiece = 100 20 8.5",
    ],
)
def test_placed_items_agree_with_the_simulators_reading(keys):
    ours = placed(parse_navigator(with_point(keys)), lambda on, piece: XY(1800.0, 1500.0))
    theirs = parse_nav(with_point(keys))
    convert_items(theirs.items, [], lambda on, piece: (1800.0, 1500.0))
    x, y, z = theirs.items[1].stage_um
    assert ours.items[1].stage_um.minus(XY(x, y)).length < 1e-3 and ours.items[1].stage_z_um == z
    assert parse_navigator(format_navigator(ours)).items[1].has_stage


def test_a_real_file_of_another_program_is_placed_on_its_map(samples):
    navigator = read_navigator(samples / "nav" / "semmatch_nav.nav")
    picked = read_navigator(samples / "nav" / "semmatch_newNav.nav")
    merged = placed(navigator.with_added(picked.items))
    drawn_on = map_below(merged, merged.items[-1])
    assert drawn_on is not None
    for item, old in zip(merged.items[-12:], picked.items):
        x, y, _ = old.need_floats("CoordsInMap", 3)
        seen = pixel_of_stage(drawn_on, item.stage_um)
        assert seen.minus(XY(x, drawn_on.map_data.size[1] - y)).length < 0.05
    with pytest.raises(NavigatorError, match="1357591511, which is not there; merge"):
        placed(picked)


def test_a_piece_that_nobody_knows_is_refused():
    with pytest.raises(NavigatorError, match="position of the piece is not known"):
        placed(parse_navigator(with_point("PieceOn = 3\nCoordsInPiece = 1 2 3")))


def test_a_matrix_without_inverse_is_refused():
    drawn_on = parse_navigator(MAP).items[0].with_value("MapScaleMat", "0 0 0 0")
    with pytest.raises(NavigatorError, match=r"item 1.*MapScaleMat leads nowhere"):
        stage_of_pixel(drawn_on, XY(0.0, 0.0))


@pytest.mark.parametrize("place", ["maps/lam1_map.mrc", "lam1_map.mrc"])
def test_a_map_of_another_computer_is_found_beside_the_navigator(tmp_path: Path, place):
    navigator = parse_navigator(MAP)
    with pytest.raises(NavigatorError, match=r"map 1: its image X:.*copy it beside"):
        find_map_file(navigator, tmp_path, navigator.items[0])
    (tmp_path / "maps").mkdir()
    (tmp_path / place).write_bytes(b"")
    assert find_map_file(navigator, tmp_path, navigator.items[0]) == tmp_path / place


def test_a_map_beside_the_folder_of_the_navigator_is_found_there_again(tmp_path: Path):
    navigator = parse_navigator(MAP.replace("session1\\navs\\\\maps", "session1\\pictures"))
    for folder in ("navs", "pictures"):
        (tmp_path / folder).mkdir()
    (tmp_path / "pictures" / "lam1_map.mrc").write_bytes(b"")
    found = find_map_file(navigator, tmp_path / "navs", navigator.items[0])
    assert found.resolve() == (tmp_path / "pictures" / "lam1_map.mrc").resolve()


@pytest.mark.parametrize("as_absolute", [True, False])
def test_a_map_is_found_under_its_own_path(tmp_path: Path, as_absolute):
    (tmp_path / "maps").mkdir()
    path = tmp_path / "maps" / "a.mrc"
    path.write_bytes(b"")
    named = str(path) if as_absolute else "maps\\a.mrc"
    item = parse_navigator(MAP).items[0].with_value("MapFile", named)
    folder = tmp_path / "elsewhere" if as_absolute else tmp_path
    assert find_map_file(parse_navigator(MAP), folder, item) == path
