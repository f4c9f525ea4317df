import numpy as np
import pytest

from pacetomo.earlier_images import Earlier
from pacetomo.frames import ORIGIN
from pacetomo.recent import RecentImages
from pacetomo.schemes import Branch


def image(tilt_deg):
    return Earlier(np.zeros((2, 2), np.float16), tilt_deg, ORIGIN)


def tilts(recent, target=1, branch=Branch.UP):
    return [one.tilt_deg for one in recent.of(target, branch)]


@pytest.fixture
def recent():
    recent = RecentImages(3)
    recent.add(1, Branch.START, image(0))
    return recent


def test_the_start_image_begins_both_branches_of_its_target_only(recent):
    recent.add(1, Branch.UP, image(3))
    assert tilts(recent) == [0, 3]
    assert tilts(recent, branch=Branch.DOWN) == [0]
    assert tilts(recent, target=2) == []


def test_the_oldest_ones_are_forgotten(recent):
    for tilt_deg in (3, 6, 9):
        recent.add(1, Branch.UP, image(tilt_deg))
    assert tilts(recent) == [3, 6, 9]


def test_an_image_in_which_the_target_was_not_found_serves_only_for_want_of_others(recent):
    recent.add(1, Branch.UP, image(3), found=False)
    assert tilts(recent) == [0]
    recent.add(2, Branch.DOWN, image(-3), found=False)
    recent.add(2, Branch.DOWN, image(-6), found=False)
    assert tilts(recent, 2, Branch.DOWN) == [-6]
    recent.add(2, Branch.DOWN, image(-9))
    assert tilts(recent, 2, Branch.DOWN) == [-9]


def test_a_chain_that_begins_afresh_leaves_the_images_before_it_behind(recent):
    recent.add(1, Branch.UP, image(3))
    recent.add(1, Branch.UP, image(6), afresh=True)
    recent.add(1, Branch.UP, image(9))
    assert tilts(recent) == [6, 9] and tilts(recent, branch=Branch.DOWN) == [0]
