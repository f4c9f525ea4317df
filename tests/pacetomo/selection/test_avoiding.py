"""Points on holes, ice and bars are left out; those on even foil are not."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from pacetomo.errors import PlanError
from pacetomo.frames import XY, Matrix2
from pacetomo.scope.protocol import Picture
from pacetomo.selection.avoiding import LocalMeans, judged, kept, usual_by_split, usual_by_spread

PX_UM = 0.05
UPRIGHT = Matrix2(PX_UM, 0.0, 0.0, PX_UM)
TURNED = Matrix2(0.0, -PX_UM, PX_UM, 0.0)  # X of the image is Y of the specimen

HOLE, ICE = XY(4.0, 2.0), XY(-3.0, -5.0)


def sample_map(to_specimen: Matrix2) -> Picture:
    """Foil of 1000 counts, a bright hole and dark ice of 1 µm radius, a bar below Y = -8 µm."""
    size = 400
    rows, columns = np.mgrid[0:size, 0:size]
    x_px, y_px = columns - (size - 1) / 2, (size - 1) / 2 - rows
    x = to_specimen.xpx * x_px + to_specimen.xpy * y_px
    y = to_specimen.ypx * x_px + to_specimen.ypy * y_px
    pixels = 1000 + 20 * np.random.default_rng(3).standard_normal((size, size))
    pixels[np.hypot(x - HOLE.x, y - HOLE.y) < 1.0] *= 1.5
    pixels[np.hypot(x - ICE.x, y - ICE.y) < 1.0] *= 0.4
    pixels[y < -8.0] *= 0.02
    return Picture(pixels, to_specimen, 0.0)


GRID = [XY(float(x), float(y)) for x, y in itertools.product(range(-9, 10), range(-9, 10))]


@pytest.mark.parametrize("to_specimen", [UPRIGHT, TURNED], ids=["upright", "turned"])
def test_points_on_holes_ice_and_bars_are_left_out(to_specimen: Matrix2) -> None:
    means = LocalMeans(sample_map(to_specimen), 1.0)
    left = set(kept(GRID, means))
    for place in GRID:
        touches = place.minus(HOLE).length < 1.2 or place.minus(ICE).length < 1.2 or place.y < -7.9
        clear = place.minus(HOLE).length > 1.6 and place.minus(ICE).length > 1.6 and place.y > -7.4
        assert not (touches and place in left), place
        assert not clear or place in left, place


def test_the_centre_of_the_map_may_lie_anywhere() -> None:
    centre = XY(100.0, -50.0)
    means = LocalMeans(sample_map(UPRIGHT), 1.0, centre)
    usual = usual_by_spread(means.around([place.plus(centre) for place in GRID]))
    hole, ice, foil, outside = judged(
        [HOLE.plus(centre), ICE.plus(centre), centre, XY(0.0, 0.0)], means, usual
    )
    assert hole.reason is not None and "too bright" in hole.reason
    assert ice.reason is not None and "too dark" in ice.reason
    assert foil.reason is None and foil.counts == pytest.approx(1000, rel=0.01)
    assert outside.reason == "outside the map" and math.isnan(outside.counts)


def test_a_split_keeps_one_of_two_kinds() -> None:
    pixels = np.full((200, 200), 500.0)
    pixels[:, 100:] = 900.0
    means = LocalMeans(Picture(pixels, UPRIGHT, 0.0), 0.5)
    points = [XY(-3.0, 0.0), XY(3.0, 0.0)]
    region = means.around([XY(-4.0, -4.0), XY(4.0, 4.0)])
    dark = [one.reason is None for one in judged(points, means, usual_by_split(region, "dark"))]
    bright = [one.reason is None for one in judged(points, means, usual_by_split(region, "bright"))]
    assert dark == [True, False] and bright == [False, True]


def test_means_are_those_of_the_beam_and_near_the_border_those_of_what_is_on_the_map() -> None:
    pixels = np.zeros((100, 100))
    pixels[:, 50:] = 10.0
    means = LocalMeans(Picture(pixels, UPRIGHT, 0.0), 1.0)
    assert means.at([XY(-1.5, 0.0), XY(1.5, 0.0)]) == pytest.approx([0.0, 10.0], abs=1e-9)
    assert means.at([XY(0.0, 0.0)])[0] == pytest.approx(5.0, abs=0.5)
    assert means.at([XY(2.3, 0.0)])[0] == pytest.approx(10.0)
    assert np.isnan(means.at([XY(2.4, 2.4)])[0])


def test_senseless_maps_and_beams_are_refused() -> None:
    picture = sample_map(UPRIGHT)
    for diameter in (0.0, math.nan, math.inf):
        with pytest.raises(PlanError, match="diameter"):
            LocalMeans(picture, diameter)
    with pytest.raises(PlanError, match="larger than the map"):
        LocalMeans(picture, 25.0)
    empty = LocalMeans(Picture(np.full((100, 100), np.nan), UPRIGHT, 0.0), 1.0)
    with pytest.raises(PlanError, match="not known"):
        kept([XY(0.0, 0.0)], empty)
    with pytest.raises(PlanError, match="'dark' or 'bright'"):
        usual_by_split(np.ones(3), "grey")
    assert kept([], empty) == ()
