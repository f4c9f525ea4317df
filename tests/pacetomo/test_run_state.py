from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given
from strategies import runs

from pacetomo.errors import RunFileError
from pacetomo.frames import XY
from pacetomo.run_state import BranchState, RunHeader, RunState, TargetState

UP = BranchState(shift_um=XY(1.0, 2.0), section=4, shifts_um=(0.1, -0.2), angles_deg=(3.0, 6.0))
DOWN = replace(UP, section=5)
RUN = RunState((TargetState(1, UP, DOWN), TargetState(2)), (4, 0), RunHeader(pretilt_deg=-9.5))


def test_each_displacement_needs_its_tilt():
    with pytest.raises(RunFileError, match="2 and 1"):
        replace(UP, angles_deg=(3.0,))


@pytest.mark.parametrize(
    "state, sections",
    [
        (TargetState(1), 0),
        (TargetState(1, BranchState()), 0),
        (TargetState(1, UP), 5),
        (TargetState(1, UP, DOWN), 6),
        (TargetState(1, None, replace(UP, section=0)), 1),
    ],
)
def test_images_in_a_stack_are_counted_over_both_branches(state, sections):
    assert state.sections == sections


def test_branches_are_found_and_replaced_by_name():
    assert RUN.numbered(1).branch("up") is UP
    assert RUN.numbered(1).branch("down") is DOWN
    assert RUN.with_branch(2, "down", UP).numbered(2) == TargetState(2, None, UP)
    assert RUN.with_branch(1, "up", None).numbered(1) == TargetState(1, None, DOWN)
    assert RUN.numbered(2) == TargetState(2)


def test_a_branch_of_another_name_is_a_bug():
    with pytest.raises(ValueError, match="sideways"):
        RUN.numbered(1).branch("sideways")


def test_an_unknown_target_says_so():
    with pytest.raises(RunFileError, match="no target 3"):
        RUN.with_target(TargetState(3))
    with pytest.raises(RunFileError, match="no target 3"):
        RUN.numbered(3)


def test_updates_return_new_states_and_leave_the_old_one():
    after = RUN.with_position(5, 1)
    assert (after.position, RUN.position) == ((5, 1), (4, 0))
    with pytest.raises(FrozenInstanceError):
        RUN.position = None


def test_a_finished_run_has_nothing_to_resume():
    done = RUN.finished()
    assert done.is_finished and not RUN.is_finished
    assert done == RunState((TargetState(1), TargetState(2)), None, RunHeader(pretilt_deg=-9.5))
    assert not replace(RUN, position=None).is_finished


@given(runs())
def test_finishing_keeps_targets_and_header(run):
    _, state = run
    done = state.finished()
    assert done.is_finished
    assert [target.number for target in done.targets] == [target.number for target in state.targets]
    assert done.header == state.header
    assert done.finished() == done
