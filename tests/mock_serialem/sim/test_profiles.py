import math

import pytest

from mock_serialem.sim.profiles import CRYOARM, KRIOS, PROFILES, SIDE_ENTRY, MicroscopeProfile


@pytest.mark.parametrize("scope", [scope for _, scope in PROFILES.values()])
def test_every_area_has_a_magnification_and_a_beam(scope: MicroscopeProfile):
    table = {mag.index: mag for mag in scope.magnifications}
    assert len(table) == len(scope.magnifications)
    for area in "VSRTF":
        assert scope.area_mag_index[area] in table
        assert scope.area_beam_radius_um[area] > 0.0
    columns, rows = scope.camera.size_px
    record = table[scope.area_mag_index["R"]]
    corner_um = math.hypot(columns, rows) / 2.0 * record.pixel_nm * 1e-3
    assert corner_um < scope.area_beam_radius_um["R"]


def test_pixels_shrink_as_magnification_grows():
    mags = PROFILES["krios"][1].magnifications
    assert [mag.pixel_nm for mag in mags] == sorted((mag.pixel_nm for mag in mags), reverse=True)
    assert [mag.index for mag in mags] == sorted(mag.index for mag in mags)


def test_stages_are_ranked_as_users_know_them():
    for field in ("jitter_um", "hysteresis_um", "wobble_um"):
        y = [getattr(stage, field)[1] for stage in (KRIOS, CRYOARM, SIDE_ENTRY)]
        assert y == sorted(y)
    assert abs(SIDE_ENTRY.tilt_axis_offset_um - SIDE_ENTRY.measured_axis_offset_um) > 0.3
    assert abs(KRIOS.tilt_axis_offset_um - KRIOS.measured_axis_offset_um) < 0.15


def test_image_shift_limits():
    limits = {name: scope.image_shift_limit_um for name, (_, scope) in PROFILES.items()}
    assert (limits["krios"], limits["cryoarm"], limits["side-entry"]) == (20.0, 15.0, 10.0)
