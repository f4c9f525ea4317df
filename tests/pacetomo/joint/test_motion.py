import numpy as np
import pytest

from pacetomo.joint.motion import Motion, Stars
from pacetomo.joint.rows import X_SPREAD, YZ_SPREAD
from pacetomo.joint.star import Ray, Row, Star
from pacetomo.schemes import Branch


def visited(*tilts, start=0.0):
    motion = Motion(start)
    for tilt in tilts:
        motion.visit(tilt, Branch.UP if tilt > start else Branch.DOWN)
    return motion


def test_stops_know_their_branch_and_turns():
    motion = visited(-3.0, -6.0, 3.0, 6.0, -9.0, start=0.0)
    assert [stop.side for stop in motion.stops] == [-1, -1, 1, 1, -1]
    assert [stop.place for stop in motion.stops] == [1, 2, 1, 2, 3]
    assert [stop.turned for stop in motion.stops] == [False, False, True, False, True]
    assert [stop.is_second for stop in motion.stops] == [False, False, True, True, False]
    assert visited(12.0, start=9.0).stops[0].phi_deg == pytest.approx(3.0)


def test_a_slip_of_the_latest_stop_can_be_taken_back():
    motion = visited(3.0, 6.0, 9.0)
    before = motion.x_prior()
    motion.slip(1.0)
    assert motion.has_slipped
    assert motion.x_prior()[-2, -2] == pytest.approx(before[-2, -2] + 1.0)
    assert motion.x_prior()[-1, -1] == before[-1, -1]  # the creep is no part of it
    motion.slip(None)
    assert not motion.has_slipped
    assert (motion.x_prior() == before).all()


def test_a_break_concerns_both_branches_and_is_no_slip():
    motion = visited(3.0, -3.0)
    motion.move_all(0.5)
    motion.visit(6.0, Branch.UP)
    motion.visit(-6.0, Branch.DOWN)
    assert not motion.has_slipped
    plain = visited(3.0, -3.0, 6.0, -6.0).x_prior()
    added = (motion.x_prior() - plain)[X_SPREAD.size :: 2, X_SPREAD.size :: 2]
    moved = np.array([0, 0, 1, 1])
    assert added == pytest.approx(0.25 * np.outer(moved, moved), abs=1e-12)


def test_heights_change_apart_from_positions():
    motion = visited(3.0, 6.0)
    before = motion.yz_prior()
    motion.slip_in_focus(0.5)
    added = motion.yz_prior() - before
    assert added[-2, -2] == pytest.approx(0.25)
    assert np.count_nonzero(added) == 1


def test_a_restless_stage_is_recognised():
    rng = np.random.default_rng(0)
    tilts = [3.0 * n for n in range(1, 19)]
    motion = Motion(0.0)
    stars = Stars(Star(motion.x_prior()), Star(motion.yz_prior()))
    for star in stars:
        star.set_ray(1, Ray.fresh(np.zeros((1, 1))))
    for number, tilt in enumerate(tilts):
        motion.visit(tilt, Branch.UP)
        motion.resolve(stars)
        for star, first, width in ((stars.x, X_SPREAD.size, 2), (stars.yz, YZ_SPREAD.size, 3)):
            row = np.zeros((1, star.mean.size))
            row[0, first + width * number] = 1.0
            star.update(1, Row(row, np.zeros((1, 1))), rng.normal(0, 0.15, 1), np.array([[1e-5]]))
        motion.step_scales(stars)
    assert motion.scales["x"].jitter_um > 0.07
    assert motion.scales["y"].jitter_um > 0.07
