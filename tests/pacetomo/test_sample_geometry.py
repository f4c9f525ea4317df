import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacetomo.frames import XY
from pacetomo.geometry import SamplePlane, height_um, seen_y_um
from pacetomo.sample_geometry import HeightPoint, Surface, fit_surface, plane_from_slopes
from pacetomo.scope.protocol import Missing

GRID = [XY(2.9 * i + 0.3 * j, 2.9 * j - 0.3 * i) for i in (-1, 0, 1) for j in (-1, 0, 1)]
TILTS = st.floats(-25, 25)
PLANES = st.builds(SamplePlane, st.floats(-35, 35), st.floats(-85, 85))


def seen_at(height, places, tilt_deg, offset_um=0.0):
    """Points of a surface h(x, n) as a microscope at a tilt sees them, heights counted from anywhere."""
    points = []
    for place in places:
        h = height(place)
        seen = XY(place.x, seen_y_um(place.y, h, tilt_deg))
        points.append(HeightPoint(seen, height_um(place.y, h, tilt_deg) + offset_um))
    return points


def fitted(*arguments, **keywords) -> Surface:
    surface = fit_surface(*arguments, **keywords)
    assert isinstance(surface, Surface), surface
    return surface


@given(PLANES, TILTS, st.floats(-30, 30))
def test_a_plane_is_recovered_at_any_tilt(plane, tilt_deg, offset_um):
    surface = fitted(seen_at(plane.height_um, GRID[:5], tilt_deg, offset_um), tilt_deg)
    assert surface.plane.slopes() == pytest.approx(plane.slopes(), abs=1e-6)
    assert surface.scatter_um < 1e-6 and surface.used == (0, 1, 2, 3, 4)


def test_pretilt_and_rotation_have_the_signs_of_the_settings():
    surface = fitted(seen_at(SamplePlane(-9.0, 25.0).height_um, GRID, 6.0), 6.0)
    assert (surface.plane.pretilt_deg, surface.plane.rotation_deg) == pytest.approx((-9.0, 25.0))


@given(PLANES)
def test_slopes_name_the_plane_they_belong_to(plane):
    assert plane_from_slopes(plane.slopes()).slopes() == pytest.approx(plane.slopes(), abs=1e-6)
    assert abs(plane_from_slopes(plane.slopes()).rotation_deg) <= 90


@given(
    PLANES,
    st.tuples(*[st.floats(-0.02, 0.02)] * 3),
    st.floats(-10, 10),
    st.floats(-30, 30),
)
def test_a_paraboloid_gives_the_height_of_each_point(plane, bends, tilt_deg, offset_um):
    """The untilted paraboloid is one as seen, but for terms of third order: nm over these distances."""

    def height(at):
        return plane.height_um(at) + bends[0] * at.x**2 + bends[1] * at.x * at.y + bends[2] * at.y**2

    if abs(plane.pretilt_deg) > 15:  # a steep sample bends the more the farther it is tilted away
        plane = SamplePlane(plane.pretilt_deg / 3, plane.rotation_deg)
    points = seen_at(height, GRID, tilt_deg, offset_um)
    surface = fitted(points, tilt_deg, paraboloid_from=9)
    assert surface.is_paraboloid
    assert [surface.rise_um(p.seen_um) for p in points] == pytest.approx(
        [p.rise_um for p in points], abs=0.05
    )
    n, h = surface.untilted(points[0].seen_um)
    turned = offset_um * math.sin(math.radians(tilt_deg)), offset_um * math.cos(math.radians(tilt_deg))
    assert (n - turned[0], h - turned[1]) == pytest.approx((GRID[0].y, height(GRID[0])), abs=0.05)


def test_few_points_make_a_plane_and_many_a_paraboloid():
    points = seen_at(lambda at: 0.02 * at.x**2, GRID, 0.0)
    assert fitted(points, 0.0, paraboloid_from=9).is_paraboloid
    assert not fitted(points, 0.0, paraboloid_from=10).is_paraboloid
    assert not fitted(points, 0.0).is_paraboloid
    assert not fitted(points[:6], 0.0, paraboloid_from=3).is_paraboloid  # as many as it has unknowns


def test_a_paraboloid_is_not_carried_far_beyond_its_points():
    points = seen_at(lambda at: 0.02 * at.x**2, GRID, 0.0)
    assert fitted(points, 0.0, 9, [XY(3.5, 3.5)]).is_paraboloid
    assert not fitted(points, 0.0, 9, [XY(9.0, 9.0)]).is_paraboloid


@given(PLANES, st.integers(0, 10**6), st.sampled_from([None, 9]), st.permutations(range(9)))
def test_the_order_of_points_does_not_matter(plane, seed, paraboloid_from, order):
    noise = np.random.default_rng(seed).normal(0, 0.1, 9)
    noise[4] += 2.0
    points = [
        p._replace(rise_um=p.rise_um + float(n)) for p, n in zip(seen_at(plane.height_um, GRID, 5.0), noise)
    ]
    shuffled = [points[place] for place in order]
    one, other = fit_surface(points, 5.0, paraboloid_from), fit_surface(shuffled, 5.0, paraboloid_from)
    assert isinstance(one, Surface) == isinstance(other, Surface)
    if isinstance(one, Surface) and isinstance(other, Surface):
        assert one.terms == pytest.approx(other.terms, abs=1e-6)
        assert {points[n] for n in one.used} == {shuffled[n] for n in other.used}


@given(PLANES, st.integers(0, 8), st.sampled_from([-8.0, -1.5, 1.5, 8.0]))
def test_one_wrong_point_does_not_count(plane, wrong, error_um):
    points = seen_at(plane.height_um, GRID, 0.0)
    points[wrong] = points[wrong]._replace(rise_um=points[wrong].rise_um + error_um)
    surface = fitted(points, 0.0)
    assert set(surface.used) == set(range(9)) - {wrong}
    assert surface.plane.slopes() == pytest.approx(plane.slopes(), abs=1e-6)


def test_the_errors_are_those_of_repeated_fits():
    random = np.random.default_rng(4)
    plane = SamplePlane(12.0, 30.0)
    exact = seen_at(plane.height_um, GRID, 0.0)
    found = [
        fitted([p._replace(rise_um=p.rise_um + random.normal(0, 0.1)) for p in exact], 0.0)
        for _ in range(300)
    ]
    for name, error in (("pretilt_deg", "pretilt_error_deg"), ("rotation_deg", "rotation_error_deg")):
        spread = np.std([getattr(surface.plane, name) for surface in found])
        assert np.median([getattr(surface, error) for surface in found]) == pytest.approx(spread, rel=0.2)
    assert np.mean([s.plane.pretilt_deg for s in found]) == pytest.approx(12.0, abs=0.15)


def points_of(*rises, places=GRID):
    return [HeightPoint(place, rise) for place, rise in zip(places, rises)]


@pytest.mark.parametrize(
    ("points", "said"),
    [
        (points_of(0, 1), "at least 3"),
        (points_of(0, 1, 2, 3, places=[XY(n, 2 * n) for n in range(4)]), "in a row"),
        (points_of(0, 0, 0, 2, places=[XY(0, 0), XY(3, 0), XY(0, 3), XY(3, 3)]), "scatter"),
        (points_of(0, 2.4, 3.1, places=[XY(0, 0), XY(2, 0), XY(0, 2)]), "not believed"),
        (points_of(0, 0.1, 0, places=[XY(0, 0), XY(0.3, 0), XY(0, 0.3)]), "too near together"),
        (points_of(0, 3, 0, 3, 0, 3, 0, 3, 0), "agree|scatter|believed"),
    ],
)
def test_what_no_sample_looks_like_is_no_measurement(points, said):
    found = fit_surface(points, 0.0)
    assert isinstance(found, Missing)
    assert re.search(said, found.reason)
