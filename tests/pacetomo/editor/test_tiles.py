"""Maps cut into tiles that lie straight in the plot."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pacetomo.editor.tiles import INNER_PX, Contrast, Tile, TiledMap
from pacetomo.editor.viewing import View
from pacetomo.frames import ORIGIN, XY

SIZE = 600


def corners(um_per_px: float, turn_deg: float, mirror: bool = False) -> list[XY]:
    """Upper left, upper right, lower right and lower left corner of a map turned counter-clockwise."""
    turn, side = math.radians(turn_deg), SIZE * um_per_px
    right = XY(math.cos(turn), math.sin(turn)).scaled(side)
    down = XY(math.sin(turn), -math.cos(turn)).scaled(-side if mirror else side)
    return [ORIGIN, right, right.plus(down), down]


def spot_map(row: int, column: int, um_per_px: float, turn_deg: float, mirror: bool = False) -> TiledMap:
    """A dark map with a bright spot around a pixel."""
    pixels = np.zeros((SIZE, SIZE), np.float32)
    pixels[row - 3 : row + 4, column - 3 : column + 4] = 1.0
    return TiledMap.of(pixels, corners(um_per_px, turn_deg, mirror))


@pytest.mark.parametrize("turn_deg", [0.0, 30.0, -80.0, 180.0])
@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("level", [0, 1])
def test_a_spot_is_shown_where_it_lies_on_the_specimen(turn_deg: float, mirror: bool, level: int) -> None:
    um_per_px, row, column = 0.02, 137, 421
    tiled = spot_map(row, column, um_per_px, turn_deg, mirror)
    where = tiled.to_plot.apply(XY(column + 0.5, row + 0.5))
    view = View(where, um_per_px, (800.0, 800.0))
    found: list[XY] = []
    for tile in tiled.tiles_in(view, ORIGIN, level):
        picture = tiled.picture(tile, Contrast(0.0, 1.0))
        weights = picture[..., 0] * picture[..., 3]
        if weights.sum() > 1:
            low, high = tiled.bounds(tile)
            rows, columns = np.nonzero(weights[1:-1, 1:-1] > 0.5)
            step = (high.x - low.x) / INNER_PX
            found += [XY(low.x + (c + 0.5) * step, high.y - (r + 0.5) * step) for r, c in zip(rows, columns)]
    middle = XY(sum(p.x for p in found) / len(found), sum(p.y for p in found) / len(found))
    assert middle.minus(where).length < 0.75 * um_per_px * 2**level


def test_neighbouring_tiles_repeat_each_others_edges() -> None:
    rng = np.random.default_rng(3)
    tiled = TiledMap.of(rng.random((SIZE, SIZE), dtype=np.float32), corners(0.02, 20.0))
    left, right = (tiled.picture(Tile(0, column, -1), Contrast(0.0, 1.0)) for column in (0, 1))
    assert np.allclose(left[:, -2:], right[:, :2], atol=1e-4)


def test_around_the_map_nothing_is_drawn() -> None:
    tiled = spot_map(300, 300, 0.02, 45.0)
    low, _ = tiled.bounds(Tile(0, 0, 0))
    picture = tiled.picture(Tile(0, 0, 0), Contrast(0.0, 1.0))
    assert low == ORIGIN
    # Turned by 45 degrees, the map touches its first corner only with the middle of the right angle.
    assert 0.2 < picture[..., 3].mean() < 0.8


def test_a_view_gets_all_tiles_that_it_shows_and_coarser_ones_for_a_wide_view() -> None:
    tiled = spot_map(300, 300, 0.02, 0.0)
    whole = View(XY(6.0, -6.0), 0.02, (600.0, 600.0))
    assert len(tiled.tiles_in(whole, ORIGIN, 0)) == 9
    assert tiled.tiles_in(whole, XY(100.0, 0.0), 0) == []
    assert tiled.level_for(0.02) == 0
    assert tiled.level_for(0.005) == 0
    assert tiled.level_for(0.04) == 1


def test_a_map_laid_elsewhere_shows_the_same_there() -> None:
    tiled = spot_map(137, 421, 0.02, 10.0)
    again = tiled.laid(corners(0.02, 10.0))
    tile = Tile(1, 0, -1)
    contrast = Contrast(0.0, 1.0)
    assert np.array_equal(again.picture(tile, contrast), tiled.picture(tile, contrast))


def test_black_and_white_are_the_ends_of_the_contrast() -> None:
    tiled = TiledMap.of(np.full((SIZE, SIZE), 5.0, np.float32), corners(0.02, 0.0))
    tile = Tile(0, 0, -1)
    assert tiled.picture(tile, Contrast(0.0, 10.0))[100, 100].tolist() == [0.5, 0.5, 0.5, 1.0]
    assert tiled.picture(tile, Contrast(6.0, 10.0))[100, 100, 0] == 0.0
    assert tiled.picture(tile, Contrast(0.0, 4.0))[100, 100, 0] == 1.0
    assert Contrast(0.0, 10.0).changed(brighter=0.2).black < 0.0
