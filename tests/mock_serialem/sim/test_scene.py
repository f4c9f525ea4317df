"""Hand-computed cases of the whole chain, stage to image; one flipped sign must fail here."""

import dataclasses
import math

import numpy as np
import pytest

from mock_serialem.sim.profiles import KRIOS
from mock_serialem.sim.sample import LamellaSpec

COS30, SIN30 = math.cos(math.radians(30.0)), 0.5


def shift_to(world, x_um, y_um):
    """Centre the lab point (x, y), by the calibrated matrix."""
    world.image_shift = tuple(np.linalg.inv(world.is_to_specimen(27)) @ [x_um, y_um])


def test_everything_at_zero_shows_the_origin(make_ideal):
    pose = make_ideal().pose()
    assert pose.centre_um == pytest.approx((0.0, 0.0, 0.0))
    assert pose.where((1.0, 2.0, 0.0)) == pytest.approx((1.0, 2.0, 0.0))


def test_moving_the_stage_centres_the_opposite_point(make_ideal):
    world = make_ideal()
    world.move_stage_to(1.0, -3.0)
    assert world.pose().centre_um == pytest.approx((-1.0, 3.0, 0.0))
    centred = world.stage_to_specimen(27) @ [1.0, -3.0]
    assert centred == pytest.approx(np.array([-1.0, 3.0]))


def test_image_shift_centres_the_point_its_matrix_names(make_ideal):
    world = make_ideal()
    shift_to(world, 2.0, -1.0)
    assert world.pose().centre_um == pytest.approx((2.0, -1.0, 0.0))
    assert world.pose().where((2.3, -1.0, 0.0)) == pytest.approx((0.3, 0.0, 0.0))


def test_mirrored_image_shift_goes_the_other_way_round(make_ideal):
    plain, mirrored = make_ideal(), make_ideal(scope={"is_mirrored": True})
    for world in (plain, mirrored):
        world.image_shift = (0.0, 3.0)
    assert mirrored.pose().centre_um == pytest.approx(tuple(-c for c in plain.pose().centre_um))
    for world in (plain, mirrored):
        world.image_shift = (3.0, 0.0)
    assert mirrored.pose().centre_um == pytest.approx(plain.pose().centre_um)


def test_at_tilt_a_flat_sample_shrinks_across_the_axis(make_ideal):
    world = make_ideal()
    world.tilt_to(30.0)
    shift_to(world, 0.0, COS30)
    pose = world.pose()
    assert pose.centre_um == pytest.approx((0.0, 1.0, 0.0))
    # The side at +y has risen towards the source: less underfocus.
    assert pose.defocus_um == pytest.approx(SIN30)


def test_negative_tilt_lowers_the_side_at_plus_y(make_ideal):
    world = make_ideal()
    world.set_focus(-5.0)
    world.tilt_to(-30.0)
    shift_to(world, 0.0, COS30)
    assert world.pose().defocus_um == pytest.approx(-5.0 - SIN30)


def test_eucentric_error_moves_the_image_towards_minus_y_when_tilting_up(make_ideal):
    world = make_ideal(stage={"eucentric_error_um": 0.8})
    world.tilt_to(30.0)
    assert world.pose().where((0.0, 0.0, 0.0)) == pytest.approx((0.0, -0.8 * SIN30, 0.8 * COS30))
    world.move_stage_to(0.0, 0.0, -0.8)
    assert world.pose().where((0.0, 0.0, 0.0)) == pytest.approx((0.0, 0.0, 0.0))


@pytest.mark.parametrize("offset_um", [1.5, -1.5])
def test_the_sample_turns_about_the_true_axis(make_ideal, offset_um):
    world = make_ideal(stage={"tilt_axis_offset_um": offset_um})
    for tilt in (0.0, 60.0, -45.0):
        world.tilt_to(tilt)
        # The origin of the sample lies on the axis, which stays where it is.
        assert world.pose().where((0.0, 0.0, 0.0))[1] == pytest.approx(offset_um)
    world.tilt_to(60.0)
    shift_to(world, 0.0, 0.0)
    # The raw centre lies `offset` short of the axis, twice that on the sample at 60 degrees, and off its height.
    assert world.pose().centre_um[1] == pytest.approx(-2.0 * offset_um)
    assert world.pose().defocus_um == pytest.approx(-offset_um * math.tan(math.radians(60.0)))


def test_pretilt_and_rotation_show_in_position_and_height(make_ideal):
    spec = LamellaSpec(pretilt_deg=-9.0, rotation_deg=4.0, curvature_um=(0.0, 0.0))
    world = make_ideal(spec)
    shift_to(world, 3.0, 4.0)
    turn = math.radians(4.0)
    height = math.tan(math.radians(-9.0)) * (math.cos(turn) * 4.0 - math.sin(turn) * 3.0)
    target = world.pose().centre_um
    assert target == pytest.approx((3.0, 4.0, height))
    world.tilt_to(45.0)
    root = math.sqrt(0.5)
    x, y, z = world.pose().where(target)
    assert (x, y + 4.0) == pytest.approx((0.0, (4.0 - height) * root))
    assert z == pytest.approx((4.0 + height) * root)


def test_low_dose_areas_look_beside_each_other(make_ideal):
    world = make_ideal(scope={"area_misalignment_um": {"V": (0.3, -0.2)}})
    assert world.pose("R").centre_um == pytest.approx((0.0, 0.0, 0.0))
    assert world.pose("V").centre_um == pytest.approx((0.3, -0.2, 0.0))


def test_defocus_is_readout_plus_errors(make_ideal):
    world = make_ideal(scope={"focus_zero_um": 1.2, "area_defocus_error_um": {"V": 2.0}})
    world.set_focus(-60.0)
    assert world.pose("R").defocus_um == pytest.approx(-58.8)
    assert world.pose("V").defocus_um == pytest.approx(-56.8)


def test_focus_zero_wanders_slowly_from_where_it_started(make_ideal):
    world = make_ideal(scope={"focus_wander_um": 0.05, "focus_wander_period_s": 1000.0})
    start = world.pose().defocus_um
    assert start == pytest.approx(0.0)
    seen = []
    for _ in range(100):
        world.advance(10.0, "wait")
        seen.append(world.pose().defocus_um)
    assert max(seen) - min(seen) == pytest.approx(0.1, rel=0.01)
    assert abs(seen[0]) < 0.005


def test_stage_errors_reach_the_image(make_ideal):
    world = make_ideal(stage=dataclasses.asdict(dataclasses.replace(KRIOS, eucentric_error_um=0.0)))
    world.tilt_to(30.0)
    moved = world.stage.displacement_um(world.clock_s)
    x, y, _ = world.pose().where((0.0, 0.0, 0.0))
    assert (x, y - KRIOS.tilt_axis_offset_um) == pytest.approx((moved[0], moved[1]))
    assert math.hypot(moved[0], moved[1]) > 0.005
