"""Outlines of beam and montage on the sample."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacetomo.errors import PlanError
from pacetomo.frames import IDENTITY, XY, Matrix2
from pacetomo.geometry import SamplePlane
from pacetomo.montage import Montage
from pacetomo.selection.footprint import beam_footprint, montage_outline


@given(st.floats(0.1, 5), st.floats(-75, 75), st.floats(-9, 9), st.floats(-9, 9))
def test_seen_at_the_highest_tilt_the_footprint_is_the_round_beam(
    diameter: float, tilt: float, x: float, y: float
) -> None:
    centre = XY(x, y)
    for corner in beam_footprint(diameter, tilt, centre):
        seen = SamplePlane().seen(corner.minus(centre), tilt)
        assert seen.length == pytest.approx(diameter / 2)


def test_the_footprint_is_longer_across_the_tilt_axis() -> None:
    corners = beam_footprint(2.0, 60.0, XY(10.0, -5.0))
    assert max(x for x, _ in corners) == pytest.approx(11.0)
    assert max(y for _, y in corners) == pytest.approx(-3.0)
    assert min(y for _, y in corners) == pytest.approx(-7.0)
    away = [corner.minus(XY(10.0, -5.0)) for corner in corners]
    assert all(a.x * b.y - a.y * b.x > 0 for a, b in zip(away, away[1:]))


def test_the_outline_of_a_montage_reaches_as_far_as_its_tiles() -> None:
    montage, field = Montage(3, 5, overlap=0.2), XY(1.2, 0.9)
    turned = Matrix2(0.0, -1.0, 1.0, 0.0)
    corners = montage_outline(montage, field, turned, centre_um=XY(3.0, 4.0))
    tiles = [montage.offset_um(tile, field, turned) for tile in montage.tiles]
    assert max(x for x, _ in corners) == pytest.approx(3.0 + max(tile.x for tile in tiles) + 0.45)
    assert min(y for _, y in corners) == pytest.approx(4.0 + min(tile.y for tile in tiles) - 0.6)
    # The lower left corner of the image comes first; the camera's Y points along -X of the specimen.
    assert corners[0].x == max(x for x, _ in corners) and corners[0].y == min(y for _, y in corners)


def test_an_inclined_sample_is_covered_farther_across_the_tilt_axis() -> None:
    flat, tilted = (montage_outline(Montage(), XY(2.0, 1.0), IDENTITY, tilt) for tilt in (0.0, 60.0))
    for before, after in zip(flat, tilted):
        assert after == pytest.approx((before.x, 2 * before.y))


@pytest.mark.parametrize(
    "values", [(0.0, 0.0), (-1.0, 0.0), (math.inf, 0.0), (math.nan, 0.0), (1.0, 90.0), (1.0, math.nan)]
)
def test_impossible_beams_are_refused(values: tuple[float, float]) -> None:
    with pytest.raises(PlanError):
        beam_footprint(*values)
