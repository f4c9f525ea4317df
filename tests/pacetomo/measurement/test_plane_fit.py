"""Which surface heights call for, which results can be true, and what a measured plane says about settings."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pacetomo.frames import XY
from pacetomo.geometry import SamplePlane
from pacetomo.measurement.plane_fit import AreaSays, Geometry, fit_geometry, warnings
from pacetomo.sample_geometry import HeightPoint
from pacetomo.scope.protocol import Missing

PLACES = [XY(x, y) for x in (-6.0, -2.0, 2.0, 6.0) for y in (-5.0, 0.0, 5.0)]


def points_on(plane, tilt_deg=0.0, bend=0.0, noise_um=0.0, seed=0, places=PLACES):
    rng = np.random.default_rng(seed)
    return [
        HeightPoint(
            place,
            plane.rise_um(place, tilt_deg)
            + bend * (place.x**2 + place.y**2)
            + noise_um * float(rng.standard_normal()),
        )
        for place in places
    ]


@settings(max_examples=30)
@given(
    pretilt=st.floats(3, 28),
    sign=st.sampled_from((-1, 1)),
    rotation=st.floats(-80, 80),
    tilt=st.sampled_from((-12.0, 0.0, 9.0)),
)
def test_the_tilt_that_levels_the_sample_does_so(pretilt, sign, rotation, tilt):
    plane = SamplePlane(sign * pretilt, rotation)
    found = fit_geometry(points_on(plane, tilt), tilt)
    assert isinstance(found, Geometry)
    assert found.plane.pretilt_deg == pytest.approx(plane.pretilt_deg, abs=0.01)
    across = [plane.rise_um(XY(0.0, y), found.level_deg) for y in (-5.0, 5.0)]
    assert across[0] == pytest.approx(across[1], abs=0.01)
    off_deg = found.start_tilt_deg(-60, 60, 3) - found.level_deg
    assert abs(off_deg) <= 1.5 + 1e-6


@pytest.mark.parametrize(("bend", "is_curved"), [(0.0, False), (0.012, True)])
def test_a_paraboloid_is_taken_where_a_plane_does_not_do(bend, is_curved):
    kinds = [
        fit_geometry(points_on(SamplePlane(8.0, 10.0), 0.0, bend, 0.07, seed), 0.0).surface.is_paraboloid
        for seed in range(12)
    ]
    assert abs(sum(kinds) - 12 * is_curved) <= 1


def test_three_points_are_enough_for_a_plane():
    corners = [XY(-5.0, -4.0), XY(5.0, -3.0), XY(0.0, 6.0)]
    found = fit_geometry(points_on(SamplePlane(-11.0, 25.0), places=corners), 0.0)
    assert found.plane.rotation_deg == pytest.approx(25.0, abs=0.01)
    assert 0.3 < found.pretilt_error_deg < 2.0


def test_a_point_that_is_wrong_is_marked_with_what_it_is_off_by():
    points = points_on(SamplePlane(10.0, 0.0), noise_um=0.05)
    points[4] = points[4]._replace(rise_um=points[4].rise_um + 2.0)
    found = fit_geometry(points, 0.0)
    assert [place for place, used in enumerate(found.used) if not used] == [4]
    assert found.residuals_um[4] == pytest.approx(2.0, abs=0.2)
    assert found.plane.pretilt_deg == pytest.approx(10.0, abs=1.0)


@pytest.mark.parametrize(
    ("points", "said"),
    [
        (points_on(SamplePlane(34.0, 0.0)), "a pretilt of 34 ± 0° came out, more than 30°"),
        (points_on(SamplePlane(0.1, 0.0)), "less than its own error"),
        (points_on(SamplePlane(10.0), places=PLACES[:2]), "2 good measurements, at least 3"),
        (points_on(SamplePlane(10.0), places=[XY(x, 2 * x) for x in (-3.0, 0.0, 1.0, 3.0)]), "in a row"),
        (points_on(SamplePlane(10.0), noise_um=3.0), "measurements agree|scatter|uncertain|came out"),
    ],
)
def test_what_cannot_be_true_is_refused_with_the_reason(points, said):
    found = fit_geometry(points, 0.0)
    assert isinstance(found, Missing)
    assert any(part in found.reason for part in said.split("|"))


def says(pretilt=0.0, rotation=0.0, start=0.0, finds_start=False):
    return AreaSays(SamplePlane(pretilt, rotation), "the file", start, "the script", finds_start)


MEASURED = fit_geometry(points_on(SamplePlane(-9.0, 4.0)), 0.0)


@pytest.mark.parametrize(
    ("area", "warned"),
    [
        (says(-9, 4, 9), []),
        (says(9, 184, 9), []),  # the same plane by its other name
        (says(9, 4, 9), ["pretilt"]),
        (says(-9, 170, 9), ["pretilt"]),
        (says(-9, 4, -9), ["startTilt"]),
        (says(9, 4, -9), ["pretilt", "startTilt"]),
        (says(9, 0, -9, finds_start=True), ["pretilt"]),
        (says(0, 0, 0), []),
        (says(-15, 4, 3), []),  # another angle, but the right sign
    ],
)
def test_mistaken_signs_are_warned_about_by_setting(area, warned):
    texts = list(warnings(MEASURED, area))
    assert [text.split(" ")[0] for text in texts] == warned
    for text in texts:
        assert "mistaken" in text and ("the file" in text or "the script" in text)


def test_the_warning_says_how_far_a_wrong_start_tilt_inclines_the_sample():
    (text,) = warnings(MEASURED, says(-9, 4, -9))
    assert "inclines the sample by 18°" in text and f"{math.copysign(9.0, 1):+.1f}° makes it level" in text
