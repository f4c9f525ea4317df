from __future__ import annotations

import math
from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given
from strategies import small_shifts_um, target_sets

from pacetomo.errors import TargetFileError
from pacetomo.frames import XY, Matrix2
from pacetomo.settings import resolve_settings
from pacetomo.targets import GeoPoint, Override, Target, TargetSet

# Stage movement and specimen shift have opposite signs on most columns.
STAGE_TO_SPECIMEN = Matrix2(-0.9, 0.1, -0.2, -1.1)


def target(number, x_um=0.0, y_um=0.0, **values):
    return Target(number, f"L3_ts_{number:03d}.mrc", shift_um=XY(x_um, y_um), **values)


AREA = TargetSet((target(1), target(2, 3.0, -4.0), target(3, 0.0, 2.0)))


def test_the_first_target_is_the_tracking_target():
    assert AREA.tracking.number == 1
    assert TargetSet((target(7), target(2))).tracking.number == 7


def test_an_area_without_targets_says_so():
    with pytest.raises(TargetFileError, match="at least one"):
        TargetSet(()).tracking  # noqa: B018


def test_an_unknown_number_says_so():
    with pytest.raises(TargetFileError, match="no target 9"):
        AREA.numbered(9)


def test_edits_return_new_sets_and_leave_the_old_one():
    skipped = AREA.with_skip(2)
    moved = skipped.with_shift(3, XY(1.0, 1.5)).with_stage(3, XY(-200.0, 88.0))
    assert [one.skip for one in AREA.targets] == [False, False, False]
    assert [one.skip for one in skipped.targets] == [False, True, False]
    assert skipped.with_skip(2, False) == AREA
    assert moved.numbered(3).shift_um == XY(1.0, 1.5)
    assert moved.numbered(3).stage_um == XY(-200.0, 88.0)
    assert [one.number for one in moved.targets] == [1, 2, 3]
    with pytest.raises(FrozenInstanceError):
        AREA.targets = ()


def test_targets_are_added_at_the_end_replaced_in_place_and_removed():
    assert [one.number for one in AREA.with_target(target(4)).targets] == [1, 2, 3, 4]
    assert AREA.with_target(target(2, 9.0, 9.0)).targets[1].shift_um == XY(9.0, 9.0)
    assert [one.number for one in AREA.without_target(2).targets] == [1, 3]
    with pytest.raises(TargetFileError):
        AREA.without_target(4)


def test_settings_of_the_area_are_replaced_in_place_or_added():
    area = AREA.with_override("step", "2").with_override("pretilt", "-9.5").with_override("step", "4")
    assert area.overrides == (Override("step", "4"), Override("pretilt", "-9.5"))
    assert area.without_override("step").overrides == (Override("pretilt", "-9.5"),)


def test_settings_of_the_area_become_a_layer_with_lines():
    overrides = (
        Override("pretilt", "-9.5", line=3),
        Override("groupSize", "4.0", line=4),
        Override("addAF", "yes", "bset", line=5),
        Override("vecA0", "1.5", line=6),
        Override("colour", "blue", line=7),
    )
    resolved = resolve_settings(replace(AREA, overrides=overrides).settings_layer("L3_tgts.txt"))
    assert (resolved.settings.pretilt, resolved.settings.groupSize, resolved.settings.addAF) == (
        -9.5,
        4,
        True,
    )
    assert resolved.origins["groupSize"] == "target file L3_tgts.txt, line 4"
    assert len(resolved.warnings) == 1
    assert "target file L3_tgts.txt, line 7: there is no setting 'colour'" in resolved.warnings[0]


def test_geometry_points_are_replaced():
    points = (GeoPoint(XY(1.2, 3.4)),)
    assert AREA.with_geo_points(points).geo_points == points


def test_specimen_coordinates_follow_from_stage_coordinates_relative_to_target_1():
    area = TargetSet(
        (
            replace(target(1), shift_um=None, stage_um=XY(-213.0, 88.0)),
            replace(target(2), shift_um=None, stage_um=XY(-211.0, 89.0)),
            replace(target(3, 5.0, 6.0), stage_um=XY(0.0, 0.0)),
        )
    )
    resolved = area.resolved_shifts(STAGE_TO_SPECIMEN)
    assert resolved.targets[0].shift_um == XY(0.0, 0.0)
    # Moved by (2, 1) on the stage: X = -0.9 * 2 + 0.1 * 1, Y = -0.2 * 2 - 1.1 * 1.
    assert resolved.targets[1].shift_um == pytest.approx((-1.7, -1.5))
    assert resolved.targets[2].shift_um == XY(5.0, 6.0)


def test_specimen_coordinates_from_the_stage_are_seen_shortened_at_the_tilt_of_picking():
    area = TargetSet(
        (replace(target(1), stage_um=XY(0.0, 0.0)), replace(target(2), shift_um=None, stage_um=XY(0.0, 2.0)))
    )
    seen_um = area.resolved_shifts(Matrix2(-1.0, 0.0, 0.0, -1.0), picked_at_deg=60.0).targets[1].shift_um
    assert seen_um == pytest.approx((0.0, -2.0 * math.cos(math.radians(60.0))))


def test_specimen_coordinates_from_the_stage_share_the_origin_of_those_in_the_file():
    area = TargetSet(
        (
            replace(target(1, 0.3, -0.1), stage_um=XY(0.0, 0.0)),
            replace(target(2), shift_um=None, stage_um=XY(-1.0, 0.0)),
        )
    )
    resolved = area.resolved_shifts(Matrix2(-1.0, 0.0, 0.0, -1.0))
    assert resolved.targets[0].shift_um == XY(0.3, -0.1)
    assert resolved.targets[1].shift_um == pytest.approx((1.3, -0.1))


@pytest.mark.parametrize(
    "first, second, lacking",
    [(XY(0.0, 0.0), None, 2), (None, XY(1.0, 1.0), 1)],
)
def test_coordinates_that_cannot_be_found_are_named(first, second, lacking):
    area = TargetSet((replace(target(1), stage_um=first), replace(target(2), shift_um=None, stage_um=second)))
    with pytest.raises(TargetFileError, match=f"target 2 has no SSX and SSY.*target {lacking} has no stageX"):
        area.resolved_shifts(STAGE_TO_SPECIMEN)


@given(small_shifts_um, small_shifts_um)
def test_stage_coordinates_lead_back_to_where_they_came_from(shift_um, place_um):
    stage_um = place_um.plus(STAGE_TO_SPECIMEN.inverse().apply(shift_um))
    area = TargetSet(
        (replace(target(1), stage_um=place_um), replace(target(2), shift_um=None, stage_um=stage_um))
    )
    assert area.resolved_shifts(STAGE_TO_SPECIMEN).targets[1].shift_um == pytest.approx(shift_um, abs=1e-9)


def test_a_good_area_has_no_problems():
    assert AREA.problems(shift_limit_um=5.0, min_spacing_um=1.9) == ()


@pytest.mark.parametrize(
    "area, limits, words",
    [
        (AREA, {"shift_limit_um": 4.9}, ["target 2 is 5.00 µm from target 1", "limit of 4.9 µm"]),
        (AREA, {"min_spacing_um": 2.1}, ["targets 1 and 3 are 2.00 µm apart"]),
        (AREA.with_skip(1), {}, ["target 1 is the tracking target"]),
        (AREA.with_skip(1).with_skip(2).with_skip(3), {}, ["every target"]),
        (
            AREA.with_target(replace(target(2, 3.0), series="l3_TS_001.mrc")),
            {},
            ["targets 1 and 2 would both write l3_TS_001.mrc"],
        ),
    ],
)
def test_problems_are_named(area, limits, words):
    found = area.problems(**limits)
    assert len(found) == 1
    for word in words:
        assert word in found[0]


def test_skipped_targets_are_no_problem():
    area = AREA.with_skip(2).with_skip(3)
    assert area.problems(shift_limit_um=1.0, min_spacing_um=10.0) == ()


def test_targets_without_known_coordinates_are_left_to_their_resolution():
    area = AREA.with_target(replace(target(2), shift_um=None, stage_um=XY(1.0, 1.0)))
    assert area.problems(shift_limit_um=5.0, min_spacing_um=1.0) == ()


@given(target_sets())
def test_skipping_and_taking_back_gives_the_same_set(area):
    number = area.targets[-1].number
    was = area.numbered(number).skip
    assert area.with_skip(number, not was).with_skip(number, was) == area
