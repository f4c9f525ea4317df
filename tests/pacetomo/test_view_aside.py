"""View against Record at a structure, on pictures of a known scene."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pacetomo.frames import XY, Matrix2
from pacetomo.scope.protocol import Missing, Picture
from pacetomo.view_aside import place_in_view, place_with_structure

VIEW_UM, FINE_UM = 0.012, 0.0021


def everywhere(x, y):
    return np.ones(x.shape, bool)


def axes(pixel_um, rotation_deg):
    """Pixels (X right, Y up) to the specimen plane."""
    c, s = (pixel_um * f(math.radians(rotation_deg)) for f in (math.cos, math.sin))
    return Matrix2(c, s, -s, c)


def brightness(x, y, holes=((0.3, -0.2), (-1.6, 0.9), (1.4, 1.1)), dirt=((0.75, 0.35),)):
    """Bright holes of 0.6 um radius in a dark film, and dirt on an edge."""
    made = np.full(x.shape, 400.0)
    for at_x, at_y in holes:
        made += 600.0 / (1.0 + np.exp((np.hypot(x - at_x, y - at_y) - 0.6) / 0.01))
    for at_x, at_y in dirt:
        made *= 1.0 - 0.7 / (1.0 + np.exp((np.hypot(x - at_x, y - at_y) - 0.1) / 0.01))
    return made


def picture(columns, rows, to_specimen, centre=XY(0.0, 0.0), noise=0.0, **things):  # noqa: B008 - not changed
    right, up = np.meshgrid(np.arange(columns) + 0.5 - columns / 2, rows / 2 - np.arange(rows) - 0.5)
    x = right * to_specimen.xpx + up * to_specimen.xpy + centre.x
    y = right * to_specimen.ypx + up * to_specimen.ypy + centre.y
    pixels = brightness(x, y, **things) + noise * np.random.default_rng(4).standard_normal((rows, columns))
    return Picture(pixels, to_specimen, 0.0)


@pytest.mark.parametrize("rotation_deg", [174.3, 174.3 + 0.8, 171.0])
@pytest.mark.parametrize("off", [XY(0.0, 0.0), XY(0.31, -0.22), XY(-0.5, 0.4)])
def test_what_record_shows_is_found_in_view_where_it_is(rotation_deg, off):
    view = picture(500, 350, axes(VIEW_UM, 174.3), noise=30.0)
    centre = XY(0.7, 0.3)
    expected = centre.minus(off)
    record = picture(370, 260, axes(FINE_UM, rotation_deg), centre, noise=60.0)
    found = place_in_view(view, record, expected, 0.9)
    assert found.minus(centre).length < 0.008


def test_ice_is_found_nowhere():
    nothing = {"holes": (), "dirt": ()}
    view = picture(500, 350, axes(VIEW_UM, 174.3), noise=30.0, **nothing)
    record = picture(370, 260, axes(FINE_UM, 174.3), noise=60.0, **nothing)
    found = place_in_view(view, record, XY(0.0, 0.0), 0.9)
    assert isinstance(found, Missing) and "not found in View for sure" in found.reason


def test_an_edge_that_runs_through_is_not_believed():
    view, record = (
        Picture(np.where(np.arange(n)[None, :] > n / 2, 1000.0, 400.0) + np.zeros((m, 1)), axes(p, 0.0), 0.0)
        for n, m, p in ((500, 350, VIEW_UM), (370, 260, FINE_UM))
    )
    assert isinstance(place_in_view(view, record, XY(0.0, 0.0), 0.9), Missing)


def test_images_that_cannot_be_compared_say_so():
    view = picture(500, 350, axes(VIEW_UM, 174.3))
    record = picture(370, 260, axes(FINE_UM, 174.3))
    assert "too near to the edge" in place_in_view(view, record, XY(2.6, 0.0), 0.9).reason
    tiny = picture(37, 26, axes(FINE_UM, 174.3))
    assert "shows too little" in place_in_view(view, tiny, XY(0.0, 0.0), 0.9).reason


def test_the_place_looked_for_has_structure_in_both_directions_and_is_clear():
    view = picture(500, 350, axes(VIEW_UM, 174.3), noise=30.0)
    field = XY(0.4, 0.4)
    place = place_with_structure(view, field, 0.3, everywhere)
    record = picture(370, 260, axes(FINE_UM, 174.3), place, noise=60.0)
    assert place_in_view(view, record, place.plus(XY(0.1, 0.1)), 0.5).minus(place).length < 0.01
    clear = place_with_structure(view, field, 0.3, lambda x, y: np.hypot(x - 0.75, y - 0.35) > 0.8)
    assert np.hypot(*np.subtract(clear, (0.75, 0.35))) > 0.8
    # Another edge then: not ice, not film.
    assert (
        min(abs(np.hypot(clear.x - x, clear.y - y) - 0.6) for x, y in ((0.3, -0.2), (-1.6, 0.9), (1.4, 1.1)))
        < 0.3
    )
    assert place_with_structure(view, field, 0.3, lambda x, y: np.zeros(x.shape, bool)) is None
    assert place_with_structure(view, field, 3.0, everywhere) is None


def test_smoothing_does_not_move_what_is_compared():
    """Blocks of an odd and an even number of pixels lie differently about the centre."""
    for size in ((501, 351), (500, 351), (501, 350)):
        view = picture(*size, axes(VIEW_UM, 174.3))
        for other in ((371, 261), (370, 260)):
            record = picture(*other, axes(FINE_UM, 174.3), XY(0.75, 0.3))
            found = place_in_view(view, record, XY(0.6, 0.3), 0.5)
            assert found.minus(XY(0.75, 0.3)).length < 0.008
