import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacetomo.files.target_file import parse_targets
from pacetomo.frames import XY, Matrix2
from pacetomo.montage import (
    CENTRE,
    Montage,
    Tile,
    aligned_stack,
    montage_of,
    series_files,
    tile_series,
    tile_stacks,
)
from pacetomo.settings import SettingsLayer, resolve_settings

ODD = st.integers(0, 5).map(lambda half: 2 * half + 1)
MONTAGES = st.builds(Montage, ODD, ODD, st.floats(0.0, 0.9), st.floats(-2.0, 2.0))
TILTS = st.lists(st.floats(-70, 70), min_size=2, max_size=60, unique=True)
LEVEL = Matrix2(1.0, 0.0, 0.0, 1.0)


def settings(**given):
    return resolve_settings(SettingsLayer("script", given)).settings


@given(MONTAGES)
def test_every_tile_comes_once_the_centre_first(montage):
    tiles = montage.tiles
    assert tiles[0] == CENTRE
    assert len(tiles) == len(set(tiles)) == montage.columns * montage.rows
    assert all(abs(t.x) <= montage.columns // 2 and abs(t.y) <= montage.rows // 2 for t in tiles)


@given(MONTAGES)
def test_the_way_from_tile_to_tile_is_short(montage):
    """To and fro along the rows: a neighbour each time, but where the centre is stepped over."""
    rest = montage.tiles[1:]
    steps = [(abs(b.x - a.x), abs(b.y - a.y)) for a, b in zip(rest, rest[1:])]
    assert all(step in ((1, 0), (0, 1)) for step in steps if step not in ((2, 0), (1, 1), (0, 2)))
    assert sum(step not in ((1, 0), (0, 1)) for step in steps) <= 1


def test_order_of_a_square():
    names = [tile.name for tile in Montage(3, 3).tiles]
    assert names == ["0_0", "-1_-1", "0_-1", "1_-1", "1_0", "-1_0", "-1_1", "0_1", "1_1"]


@given(MONTAGES, st.floats(0.1, 5), st.floats(0.1, 5), st.floats(-180, 180))
def test_neighbours_are_an_image_less_the_overlap_apart(montage, width, height, turn_deg):
    turn = math.radians(turn_deg)
    axes = Matrix2(math.cos(turn), math.sin(turn), -math.sin(turn), math.cos(turn))
    places = {tile: montage.offset_um(tile, XY(width, height), axes) for tile in montage.tiles}
    for tile, place in places.items():
        for other, size in ((Tile(tile.x + 1, tile.y), width), (Tile(tile.x, tile.y + 1), height)):
            if other in places:
                step = size * (1 - montage.overlap)
                assert places[other].minus(place).length == pytest.approx(step, abs=1e-9)
        assert place.length <= montage.reach_um(XY(width, height)) + 1e-9


def test_right_and_up_are_the_cameras():
    """X of the camera along the specimen's Y: the right neighbour lies across the tilt axis."""
    axes = Matrix2(0.0, -1.0, 1.0, 0.0)
    montage, field = Montage(3, 5, overlap=0.25), XY(1.0, 2.0)
    assert montage.offset_um(Tile(1, 0), field, axes) == pytest.approx((0.0, 0.75))
    assert montage.offset_um(Tile(0, 1), field, axes) == pytest.approx((-1.5, 0.0))
    assert montage.offset_um(Tile(1, 2), field, LEVEL) == pytest.approx((0.75, 3.0))


@given(MONTAGES, TILTS)
def test_the_travel_is_even_over_the_tilts(montage, tilts):
    way = {tilt: montage.travelled_um(tilt, tilts) for tilt in tilts}
    if montage.is_single:
        assert set(way.values()) == {XY(0.0, 0.0)}
        return
    assert all(step.y == 0.0 for step in way.values())
    assert way[min(tilts)].x == pytest.approx(-montage.travel_um)
    assert way[max(tilts)].x == pytest.approx(montage.travel_um)
    middle = montage.travelled_um((min(tilts) + max(tilts)) / 2, tilts).x
    assert middle == pytest.approx(0.0, abs=1e-9)


def test_a_series_of_one_tilt_does_not_travel():
    assert Montage(3, 3, 0.0, 0.5).travelled_um(9.0, [9.0]) == XY(0.0, 0.0)


@pytest.mark.parametrize(
    ("given_settings", "tracking", "others"),
    [
        ({}, (1, 1), (1, 1)),
        ({"tgtMntSize": (3, 5)}, (1, 1), (1, 1)),
        ({"tgtMontage": True, "tgtMntSize": (3, 5)}, (1, 1), (3, 5)),
        ({"tgtMontage": True, "tgtMntSize": (3, 5), "tgtTrackMnt": True}, (3, 5), (3, 5)),
        ({"tgtTrackMnt": True, "tgtMntSize": (3, 5)}, (1, 1), (1, 1)),
    ],
)
def test_whose_images_are_montages(given_settings, tracking, others):
    for is_tracking, size in ((True, tracking), (False, others)):
        montage = montage_of(settings(**given_settings), is_tracking)
        assert (montage.columns, montage.rows) == size


def test_names_of_all_stacks():
    target = parse_targets("_tgt = 001\ntsfile = a_ts_001.mrc\nSSX = 0\nSSY = 0\n").targets[0]
    wanted = settings(tgtMontage=True, tgtMntSize=(3, 1))
    assert series_files(target, wanted, True) == ("a_ts_001.mrc",)
    assert series_files(target, wanted, False) == (
        "a_ts_001_0_0.mrc",
        "a_ts_001_-1_0.mrc",
        "a_ts_001_1_0.mrc",
    )
    nameless = replace(target, series=r"D:\my.data\a_ts_001")
    assert series_files(nameless, wanted, False)[1] == r"D:\my.data\a_ts_001_-1_0"


@given(st.integers(-7, 7), st.integers(-7, 7))
def test_a_stack_of_a_tile_is_found_again(tmp_path_factory, x, y):
    folder = tmp_path_factory.mktemp("stacks")
    series = folder / "a_ts_001.mrc"
    own = folder / tile_series(series.name, Tile(x, y))
    for path in (
        own,
        series,
        Path(f"{own}.mdoc"),
        folder / "a_ts_001_track.mrc",
        folder / "a_ts_0011_0_0.mrc",
    ):
        path.touch()
    assert tile_stacks(series) == [own]
    assert tile_stacks(folder / "not there" / "a_ts_001.mrc") == []


def test_the_centre_tile_stands_for_its_target(tmp_path):
    series, centre = tmp_path / "a_ts_001.mrc", tmp_path / "a_ts_001_0_0.mrc"
    assert aligned_stack(series) == series
    centre.touch()
    assert aligned_stack(series) == centre
    series.touch()
    assert aligned_stack(series) == series
