"""The centre of a hole from a piece of its edge."""

from __future__ import annotations

import math

import numpy as np
import pytest

from pacetomo.frames import XY, Matrix2
from pacetomo.scope.protocol import Missing, Picture
from pacetomo.selection.hole_edge import hole_centre

PIXEL_UM = 0.002


def picture(centre_um, radius_um=0.75, bright=True, noise=3.0, turn_deg=0.0, shape=(512, 720), speck=None):
    """An image with a hole whose centre lies there in the specimen frame, which is turned against the camera's."""
    c, s = math.cos(math.radians(turn_deg)), math.sin(math.radians(turn_deg))
    to_specimen = Matrix2(PIXEL_UM * c, -PIXEL_UM * s, PIXEL_UM * s, PIXEL_UM * c)
    rows, columns = shape
    right = np.arange(columns) - (columns - 1) / 2
    up = (rows - 1) / 2 - np.arange(rows)
    x = to_specimen.xpx * right[None, :] + to_specimen.xpy * up[:, None]
    y = to_specimen.ypx * right[None, :] + to_specimen.ypy * up[:, None]
    inside = np.hypot(x - centre_um.x, y - centre_um.y) < radius_um
    pixels = 100.0 + (10.0 if bright else -10.0) * inside
    if speck is not None:
        pixels[np.hypot(x - speck.x, y - speck.y) < 0.06] = 20.0
    pixels += np.random.default_rng(7).normal(0.0, 10 * noise, pixels.shape)
    return Picture(pixels, to_specimen, 0.0)


CENTRES = [XY(0.75, 0.1), XY(-0.7, -0.2), XY(0.1, 0.8), XY(0.55, -0.5), XY(-0.4, 0.6)]


@pytest.mark.parametrize("centre", CENTRES)
@pytest.mark.parametrize("turn_deg", [0.0, 85.0, -170.0])
def test_a_piece_of_the_edge_tells_the_centre(centre, turn_deg):
    found = hole_centre(picture(centre, turn_deg=turn_deg), 0.75, True, centre.plus(XY(0.2, -0.15)), 0.5)
    assert found == pytest.approx(centre, abs=0.015)


def test_a_speck_on_the_edge_does_not_pull_it_away():
    centre = CENTRES[0]
    found = hole_centre(picture(centre, speck=XY(0.02, 0.0)), 0.75, True, centre, 0.4)
    assert found == pytest.approx(centre, abs=0.02)


def test_dark_holes_are_found_as_dark_ones_only():
    image = picture(CENTRES[0], bright=False)
    assert hole_centre(image, 0.75, False, CENTRES[0], 0.3) == pytest.approx(CENTRES[0], abs=0.015)
    assert "wrong sides" in hole_centre(image, 0.75, True, CENTRES[0], 0.3).reason


@pytest.mark.parametrize("centre", [XY(5.0, 0.0), XY(0.0, 0.0)])
def test_an_image_without_an_edge_tells_nothing(centre):
    found = hole_centre(picture(centre, radius_um=2.0), 2.0, True, XY(1.9, 0.1), 0.4)
    assert isinstance(found, Missing)


def test_a_hole_out_of_reach_is_none():
    assert isinstance(hole_centre(picture(XY(0.75, 0.1)), 0.75, True, XY(0.2, 0.1), 0.2), Missing)
