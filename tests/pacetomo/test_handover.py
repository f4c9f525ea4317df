from pacetomo.handover import Candidate, choose_tracker


def test_the_closest_across_the_tilt_axis_takes_over():
    candidates = [Candidate(2, 3.0, True), Candidate(3, -1.0, True), Candidate(4, 1.5, True)]
    assert choose_tracker(candidates, 0.0) == 3
    assert choose_tracker(candidates, 2.6) == 2
    assert choose_tracker(candidates, 1.0) == 4


def test_one_that_was_lost_does_not():
    assert choose_tracker([Candidate(2, 0.1, False), Candidate(3, -8.0, True)], 0.0) == 3


def test_of_two_as_close_the_first():
    assert choose_tracker([Candidate(7, 1.0, True), Candidate(5, -1.0, True)], 0.0) == 5


def test_none_is_left():
    assert choose_tracker([], 0.0) is None
    assert choose_tracker([Candidate(2, 0.0, False)], 0.0) is None
