import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacetomo.errors import PlanError
from pacetomo.frames import XY
from pacetomo.geometry import height_um, seen_y_um
from pacetomo.schemes import Branch, DoseSymmetric
from pacetomo.tracking import Move, Observation, SingleTargetModel, Start, fit_z0_um, predicted_dy_um

heights = st.floats(-3, 3)
distances = st.floats(-10, 10)


def start_of(n0, z0, tilt=0.0, believed_z0=None):
    return Start(XY(1.0, seen_y_um(n0, z0, tilt)), n0, z0 if believed_z0 is None else believed_z0)


def run(model, stops, truth, common=lambda tilt: XY(0.0, 0.0)):
    """Follow targets {number: (n0, z0)} over stops; residuals by (target, tilt), seen as truth has them."""
    residuals = {}
    for stop in stops:
        model.begin_tilt(stop.tilt_deg, stop.branch)
        for number, (n0, z0) in truth.items():
            aim = model.aim(number, stop.tilt_deg, stop.branch)
            seen = XY(1.0, seen_y_um(n0, z0, stop.tilt_deg)).plus(common(stop.tilt_deg))
            residual = seen.minus(aim.shift_um)
            residuals[number, stop.tilt_deg] = residual
            model.observe(Observation(number, stop.tilt_deg, stop.branch, aim.shift_um, residual))
    return residuals


@given(n0=distances, z0=heights)
def test_a_target_whose_height_is_known_is_never_off(n0, z0):
    model = SingleTargetModel({1: start_of(n0, z0)}, 0.0)
    residuals = run(model, DoseSymmetric(0, -60, 60, 3, 2).stops(), {1: (n0, z0)})
    assert max(residual.length for residual in residuals.values()) < 1e-9


@given(n0=distances, z0=heights, start=st.sampled_from([-9.0, 0.0, 9.0]))
def test_an_unknown_height_is_learnt(n0, z0, start):
    model = SingleTargetModel({1: start_of(n0, z0, start, believed_z0=0.0)}, start)
    residuals = run(model, DoseSymmetric(start, -51, 51, 3, 2).stops(), {1: (n0, z0)})
    late = [residual.length for (_, tilt), residual in residuals.items() if abs(tilt - start) > 18]
    assert max(late) < 1e-6 + 0.002 * abs(z0)
    assert model.export(1, Branch.UP).z0_um == pytest.approx(z0, abs=1e-6)
    assert model.export(1, Branch.DOWN).z0_um == pytest.approx(z0, abs=1e-6)


@given(n0=distances, z0=heights, tilt=st.floats(-60, 60))
def test_the_focus_follows_the_height_along_the_beam(n0, z0, tilt):
    model = SingleTargetModel({1: start_of(n0, z0, 5.0)}, 5.0)
    rise = model.aim(1, tilt, Branch.UP).rise_um
    assert rise == pytest.approx(height_um(n0, z0, tilt) - height_um(n0, z0, 5.0))


def test_the_tracking_targets_shift_is_passed_on_for_this_tilt_and_kept():
    truth = {1: (0.0, 0.0), 2: (4.0, 0.5), 3: (-3.0, -0.2)}
    model = SingleTargetModel({number: start_of(*where) for number, where in truth.items()}, 0.0)

    def jump(tilt):
        return XY(0.1, -0.2) if tilt >= 6.0 else XY(0.0, 0.0)

    residuals = run(model, DoseSymmetric(0, 0, 9, 3, 2).stops(), truth, jump)
    assert residuals[1, 6.0] == pytest.approx((0.1, -0.2))
    assert residuals[2, 6.0].length < 1e-9 and residuals[3, 6.0].length < 1e-9
    assert residuals[2, 9.0].x == pytest.approx(0.0, abs=1e-9)


def test_a_shift_of_another_target_is_not_passed_on():
    truth = {1: (0.0, 0.0), 2: (4.0, 0.5)}
    model = SingleTargetModel({number: start_of(*where) for number, where in truth.items()}, 0.0)
    model.begin_tilt(0.0, Branch.START)
    model.observe(Observation(2, 0.0, Branch.START, XY(1.0, 4.0), XY(0.5, 0.5)))
    assert model.aim(1, 0.0, Branch.START).shift_um == pytest.approx((1.0, 0.0))


def test_only_the_latest_displacements_count():
    model = SingleTargetModel({1: start_of(0.0, 0.0)}, 0.0, data_points=2)
    for tilt in (3.0, 6.0, 9.0):
        aim = model.aim(1, tilt, Branch.UP)
        model.observe(Observation(1, tilt, Branch.UP, aim.shift_um, XY(0.0, 0.01)))
    assert [move.to_deg for move in model.export(1, Branch.UP).moves] == [6.0, 9.0]


@pytest.mark.parametrize(("predict", "z0"), [(True, 0.0), (False, -0.2 / math.sin(math.radians(-3.0)))])
def test_the_jump_at_the_second_branch_is_no_sign_of_height(predict, z0):
    model = SingleTargetModel({1: start_of(0.0, 0.0)}, 0.0, predict_first_of_second=predict)
    aim = model.aim(1, -3.0, Branch.DOWN)
    model.observe(Observation(1, -3.0, Branch.DOWN, aim.shift_um, XY(0.0, 0.2)))
    assert model.export(1, Branch.DOWN).z0_um == pytest.approx(z0)
    assert model.aim(1, -3.0, Branch.DOWN).shift_um == pytest.approx((1.0, 0.2))


def test_a_start_image_at_another_readback_is_no_move():
    """The stage reads 9.004 after it read 9.0: a hundred nanometres over that would be a height of a millimetre."""
    model = SingleTargetModel({1: start_of(0.0, 0.0, 9.0)}, 9.0)
    model.observe(Observation(1, 9.004, Branch.START, XY(1.0, 0.0), XY(0.0, 0.1)))
    for branch, tilt in ((Branch.UP, 12.0), (Branch.DOWN, 6.0)):
        assert model.export(1, branch).moves == ()
        assert model.aim(1, tilt, branch).shift_um == pytest.approx((1.0, 0.1))


def test_a_first_displacement_alone_decides_half():
    """The start image counts as one step that went as expected."""
    model = SingleTargetModel({1: start_of(0.0, 0.0)}, 0.0)
    aim = model.aim(1, 3.0, Branch.UP)
    model.observe(Observation(1, 3.0, Branch.UP, aim.shift_um, XY(0.0, 0.1)))
    assert model.export(1, Branch.UP).z0_um == pytest.approx(-0.1 / math.sin(math.radians(3.0)) / 2)


def test_without_a_trusted_residual_the_prediction_stands():
    model = SingleTargetModel({1: start_of(2.0, 0.5)}, 0.0)
    aim = model.aim(1, 3.0, Branch.UP)
    model.observe(Observation(1, 3.0, Branch.UP, aim.shift_um, None))
    assert model.export(1, Branch.UP).shift_um == aim.shift_um
    assert model.export(1, Branch.UP).z0_um == pytest.approx(0.5)


def test_an_axis_offset_counts_on_its_branch_only():
    model = SingleTargetModel({1: start_of(2.0, 0.0)}, 0.0, axis_offsets_um={Branch.UP: 0.5})
    up, down = (
        model.aim(1, tilt, branch).shift_um.y for tilt, branch in ((60.0, Branch.UP), (-60.0, Branch.DOWN))
    )
    assert up == pytest.approx(2.0 + 2.5 * (0.5 - 1.0))
    assert down == pytest.approx(1.0)


@given(n0=distances, z0=heights)
def test_a_restored_model_goes_on_exactly_as_the_first(n0, z0):
    starts = {1: start_of(n0, z0, believed_z0=0.0)}
    stops = DoseSymmetric(0, -12, 12, 3, 2).stops()
    first, second = SingleTargetModel(starts, 0.0), SingleTargetModel(starts, 0.0)
    run(first, stops[:5], {1: (n0, z0)})
    for branch in (Branch.UP, Branch.DOWN):
        second.restore(1, branch, first.export(1, branch))
    for stop in stops[5:]:
        assert second.aim(1, stop.tilt_deg, stop.branch) == first.aim(1, stop.tilt_deg, stop.branch)


def test_state_of_other_targets_is_refused():
    model = SingleTargetModel({1: start_of(2.0, 0.0)}, 0.0)
    with pytest.raises(PlanError, match="target 1"):
        model.restore(1, Branch.UP, model.export(1, Branch.UP)._replace(n0_um=3.0))


@given(n0=distances, z0=heights, tilts=st.lists(st.floats(-60, 60), min_size=2, max_size=6, unique=True))
def test_the_fit_finds_the_height_from_exact_displacements(n0, z0, tilts):
    moves = [Move(a, b, predicted_dy_um(n0, z0, a, b)) for a, b in zip(tilts, tilts[1:])]
    if max(abs(a - b) for a, b in zip(tilts, tilts[1:])) > 0.5:
        assert fit_z0_um(n0, moves) == pytest.approx(z0, abs=1e-5)


def test_without_tilting_there_is_no_height():
    assert fit_z0_um(1.0, []) is None
    assert fit_z0_um(1.0, [Move(3.0, 3.0, 0.1)]) is None


def test_uncertainty_grows_with_the_tilt_to_go():
    model = SingleTargetModel({1: start_of(2.0, 0.0)}, 0.0)
    near, far = model.aim(1, 3.0, Branch.UP).sigma_um, model.aim(1, 30.0, Branch.UP).sigma_um
    assert far.y > near.y > near.x > 0


# --- who tracks


def two_at_a_tilt():
    model = SingleTargetModel({n: Start(XY(n, 0.0), 0.0, 0.0) for n in (1, 2, 3)}, 0.0, tracking_target=1)
    model.begin_tilt(0.0, Branch.START)
    return model


def test_what_the_old_one_has_shown_ends_with_it():
    model = two_at_a_tilt()
    model.observe(Observation(1, 0.0, Branch.START, XY(1.0, 0.0), XY(0.4, -0.2)))
    assert model.aim(3, 0.0, Branch.START).shift_um == pytest.approx((3.4, -0.2))
    model.follow(2)
    assert model.aim(3, 0.0, Branch.START).shift_um == pytest.approx((3.0, 0.0))
    model.observe(Observation(2, 0.0, Branch.START, XY(2.0, 0.0), XY(-0.1, 0.3)))
    assert model.aim(3, 0.0, Branch.START).shift_um == pytest.approx((2.9, 0.3))
    model.follow(None)
    model.observe(Observation(2, 0.0, Branch.START, XY(2.0, 0.0), XY(0.5, 0.5)))
    assert model.aim(3, 0.0, Branch.START).shift_um == pytest.approx((3.0, 0.0))


def test_a_second_image_at_a_tilt_adds_to_the_first():
    model, once = two_at_a_tilt(), two_at_a_tilt()
    for each in (model, once):
        each.begin_tilt(6.0, Branch.UP)
    model.observe(Observation(1, 6.0, Branch.UP, XY(1.0, 0.0), XY(0.4, -0.2)))
    assert model.aim(1, 6.0, Branch.UP).shift_um == pytest.approx((1.4, -0.2))
    model.observe(Observation(1, 6.0, Branch.UP, XY(1.4, -0.2), XY(0.01, 0.02)))
    once.observe(Observation(1, 6.0, Branch.UP, XY(1.0, 0.0), XY(0.41, -0.18)))
    for target in (1, 2, 3):
        ours, theirs = model.aim(target, 6.0, Branch.UP), once.aim(target, 6.0, Branch.UP)
        assert ours.shift_um == pytest.approx(theirs.shift_um)
    ours, theirs = model.export(1, Branch.UP), once.export(1, Branch.UP)
    assert ours.z0_um == pytest.approx(theirs.z0_um) and ours.moves[-1] == pytest.approx(theirs.moves[-1])


@pytest.mark.parametrize(("is_found", "passed_on"), [(False, 0.2), (True, 0.0)])
def test_at_the_start_only_what_follows_the_tracking_target_shares_its_error(is_found, passed_on):
    """A target that was centred by an image of its own would be moved away by it."""
    starts = {1: Start(XY(0.0, 0.0), 0.0, 0.0), 2: Start(XY(3.0, 1.0), 1.0, 0.0, is_found)}
    model = SingleTargetModel(starts, 0.0)
    model.begin_tilt(0.0, Branch.START)
    model.observe(Observation(1, 0.0, Branch.START, XY(0.0, 0.0), XY(0.2, 0.0)))
    assert model.aim(2, 0.0, Branch.START).shift_um.x == pytest.approx(3.0 + passed_on)
    model.observe(Observation(2, 0.0, Branch.START, XY(3.0, 1.0), None))
    model.begin_tilt(3.0, Branch.UP)
    model.observe(Observation(1, 3.0, Branch.UP, XY(0.2, 0.0), XY(0.1, 0.0)))
    assert model.aim(2, 3.0, Branch.UP).shift_um.x == pytest.approx(3.1)
