"""The tilt axis offset on the simulator, judged by where its axis is."""

from __future__ import annotations

import re

import pytest
from measuring_stage import Measuring, effective_axis_um, make_world

from mock_serialem.answers import Operator, Rule
from mock_serialem.errors import USER_STOP
from mock_serialem.faults import Fault
from pacetomo.errors import PaceError, PlanError, ScopeError
from pacetomo.measurement.offset import places_of, tilts_of

LIMITS_UM = {"krios": 0.1, "cryoarm": 0.3, "side-entry": 0.3}
QUICK = {"passes": 2, "increment": 7.5}


@pytest.mark.parametrize(("stage", "seed"), [("krios", 2), ("krios", 5), ("cryoarm", 2), ("side-entry", 2)])
def test_the_axis_is_found_where_the_stage_turns(tmp_path, stage, seed):
    """Stages move along the beam by themselves when they tilt; what of it looks like an axis is one."""
    world = make_world(stage, seed=seed)
    found = Measuring(tmp_path, world).offset()
    true_um = effective_axis_um(world, tilts_of(5, 15))
    assert found.wanted_um == pytest.approx(true_um, abs=LIMITS_UM[stage])
    assert abs(found.wanted_um - true_um) < 4 * found.fit.off_um.sigma


@pytest.mark.parametrize(
    ("stage", "seed"), [("krios", 2), ("krios", 4), ("cryoarm", 1), ("side-entry", 2), ("side-entry", 5)]
)
def test_the_axis_is_found_where_the_simulator_has_it(tmp_path, stage, seed):
    world = make_world(stage, seed=seed)
    found = Measuring(tmp_path, world).offset()
    true_um = world.config.stage.tilt_axis_offset_um
    assert found.wanted_um == pytest.approx(true_um, abs=LIMITS_UM[stage])


@pytest.mark.parametrize(("axis_um", "set_um"), [(1.3, 1.22), (1.3, -2.0), (-0.85, 4.0)])
def test_a_stage_without_motion_of_its_own_gives_the_axis_itself(tmp_path, axis_um, set_um):
    world = make_world(
        seed=4, tilt_axis_offset_um=axis_um, measured_axis_offset_um=set_um, wobble_um=(0.1, 0.25, 0.0)
    )
    found = Measuring(tmp_path, world).offset(apply=True)
    assert found.before_um == pytest.approx(set_um)
    assert found.wanted_um == pytest.approx(axis_um, abs=0.1)


def test_what_is_applied_is_added_and_a_second_run_confirms_it(tmp_path):
    measuring = Measuring(tmp_path, make_world("cryoarm", seed=3, measured_axis_offset_um=1.1))
    first = measuring.offset(apply=True)
    assert first.applied and first.fit.off_um.value < -1.0
    assert measuring.desk.tilt_axis_offset_um() == pytest.approx(first.wanted_um, abs=0.006)
    second = measuring.offset(apply=True)
    assert second.is_right and not second.applied
    assert abs(second.fit.off_um.value) < 0.2
    assert measuring.says("is confirmed within the error")
    assert measuring.session.operator.asked == []


def test_nothing_is_set_where_the_person_does_not_want_it(tmp_path):
    operator = Operator(rules=[Rule("YesNoBox", "Set the tilt axis offset", (False,))])
    measuring = Measuring(tmp_path, make_world(seed=3, measured_axis_offset_um=-1.0), operator)
    found = measuring.offset(**QUICK)
    assert len(operator.asked) == 1 and not found.applied
    assert measuring.desk.tilt_axis_offset_um() == -1.0


def test_branches_are_told_with_their_errors(tmp_path):
    measuring = Measuring(tmp_path, make_world(seed=4, wobble_um=(0.0, 0.0, 0.0)))
    fit = measuring.offset().fit
    for branch in (fit.up_um, fit.down_um):
        assert abs(branch.value - 0.08) < 4 * branch.sigma
        assert fit.off_um.sigma < branch.sigma < 0.3
    assert measuring.says("above 0 deg") and measuring.says("+- ")


@pytest.mark.parametrize(("seed", "set_um"), [(2, 1.22), (3, -2.0)])
def test_the_advice_for_branches_is_what_each_adds_to_the_new_offset(tmp_path, seed, set_um):
    world = make_world(seed=seed, wobble_um=(0.0, 0.0, 0.8), measured_axis_offset_um=set_um)
    measuring = Measuring(tmp_path, world)
    found = measuring.offset(**QUICK)
    (advice,) = measuring.says("The branches differ by")
    up_um, down_um = (float(number) for number in re.findall(r"taOffset\w+ = (-?[\d.]+)", advice))
    assert up_um > 0.3 and down_um < -0.3
    # What a branch adds and the offset that is to be set are together where the axis of that branch lies.
    assert found.wanted_um + up_um == pytest.approx(set_um + found.fit.up_um.value, abs=0.01)
    assert found.wanted_um + down_um == pytest.approx(set_um + found.fit.down_um.value, abs=0.01)


def test_a_list_of_distances_is_measured_on_both_sides(tmp_path):
    found = Measuring(tmp_path, make_world(seed=1)).offset(offset=[2, 6], **QUICK)
    assert {reading.y_um for reading in found.readings} == {-6.0, -2.0, 0.0, 2.0, 6.0}
    assert places_of((3.0,)) == (-3.0, 0.0, 3.0)


def test_everything_is_put_back_after_a_measurement(tmp_path):
    measuring = Measuring(tmp_path, make_world("side-entry", seed=1))
    measuring.desk.tilt_to(4.0)
    measuring.look_elsewhere()
    before = measuring.state()
    measuring.offset(**QUICK)
    assert measuring.state() == before


@pytest.mark.parametrize(
    ("command", "call"),
    [("TiltTo", 4), ("SetImageShift", 20), ("SetDefocus", 9), ("Eucentricity", 1), ("ReportAxisPosition", 1)],
)
def test_everything_is_put_back_after_a_failure(tmp_path, command, call):
    measuring = Measuring(tmp_path, make_world(seed=1))
    measuring.look_elsewhere()
    before = measuring.state()
    measuring.let_go_wrong(Fault("error", commands=(command,), call=call, text="it is broken"))
    with pytest.raises(ScopeError, match="it is broken"):
        measuring.offset(**QUICK)
    assert measuring.state() == before
    assert list(tmp_path.glob("tilt_axis_offset*")) == []


def test_stop_passes(tmp_path):
    measuring = Measuring(tmp_path, make_world(seed=1))
    measuring.let_go_wrong(Fault("stop", commands=("AutoFocus",), call=5))
    with pytest.raises(Exception, match=f"^{USER_STOP}$") as caught:
        measuring.offset(**QUICK)
    assert not isinstance(caught.value, PaceError)


def test_a_failed_autofocus_is_left_out_by_name(tmp_path):
    measuring = Measuring(tmp_path, make_world(seed=1))
    measuring.let_go_wrong(
        Fault("error", commands=("AutoFocus",), call=5), Fault("autofocus_nonsense", call=9, defocus_um=-9.0)
    )
    found = measuring.offset(**QUICK)
    assert measuring.says("left out: autofocus at -7.5 deg, +0.0 um from the axis")
    assert len(found.readings) == 29
    assert found.fit.used.count(False) == 1


def test_without_any_autofocus_it_ends_at_the_first_tilt(tmp_path):
    measuring = Measuring(tmp_path, make_world(seed=1))
    measuring.let_go_wrong(Fault("error", commands=("AutoFocus",), times=0, text="not calibrated"))
    with pytest.raises(ScopeError, match=r"failed at all places at -15\.0° .*not calibrated.*calibrate it"):
        measuring.offset()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"increment": 20, "maxTilt": 10}, "increment is 20°, more than maxTilt"),
        ({"maxTilt": 60, "increment": 10}, "the stage tilts to 50° only"),
    ],
)
def test_tilts_that_cannot_be_are_refused_before_anything_moves(tmp_path, settings, said):
    measuring = Measuring(tmp_path, make_world(seed=1, maximum_tilt_deg=50.0))
    with pytest.raises(PlanError, match=said):
        measuring.offset(**settings)
    assert measuring.world.exposures == 0


def test_results_are_saved_and_none_is_overwritten(tmp_path):
    measuring = Measuring(tmp_path, make_world(seed=1))
    for _ in range(2):
        measuring.offset(plot=True, apply=False, **QUICK)
    names = sorted(path.name for path in tmp_path.glob("tilt_axis_offset*"))
    stems = ("tilt_axis_offset", "tilt_axis_offset_02")
    assert names == sorted(f"{stem}{ending}" for stem in stems for ending in (".png", ".txt"))
    lines = (tmp_path / "tilt_axis_offset.txt").read_text(encoding="utf-8").splitlines()
    assert len([line for line in lines if not line.startswith("#")]) == 30
    assert (tmp_path / "tilt_axis_offset.png").read_bytes().startswith(b"\x89PNG")
