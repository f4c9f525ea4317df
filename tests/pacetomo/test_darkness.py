import math

import pytest

from pacetomo.darkness import BLACK, BLACK_BESIDE_OTHERS, NEAR_ZERO_PER_S, Brightness, share_of_beam
from pacetomo.schemes import Branch


def test_an_image_is_compared_with_the_one_before_on_its_branch():
    seen = Brightness()
    seen.note(1, Branch.START, 100.0)
    seen.note(1, Branch.UP, 80.0)
    assert (seen.expected_per_s(1, Branch.UP), seen.expected_per_s(1, Branch.DOWN)) == (80.0, 100.0)
    assert seen.is_black(1, Branch.UP, 0.9 * BLACK * 80) and not seen.is_black(1, Branch.UP, 1.1 * BLACK * 80)
    assert seen.expected_per_s(2, Branch.UP) is None


def test_a_first_image_is_compared_with_those_of_the_others():
    seen = Brightness()
    assert seen.is_black(1, Branch.START, 0.0) and not seen.is_black(1, Branch.START, 1.1 * NEAR_ZERO_PER_S)
    seen.note(1, Branch.START, 100.0)
    assert seen.is_black(2, Branch.START, 0.9 * BLACK_BESIDE_OTHERS * 100)
    assert not seen.is_black(2, Branch.START, 1.1 * BLACK_BESIDE_OTHERS * 100)


def test_a_beam_that_fades_to_a_tenth_is_never_black():
    seen, counts = Brightness(), 100.0
    for _ in range(45):
        assert not seen.is_black(1, Branch.UP, counts)
        seen.note(1, Branch.UP, counts)
        counts *= 0.95
    assert counts < 11


def test_what_was_not_measured_says_nothing():
    seen = Brightness()
    seen.note(1, Branch.START, math.nan)
    assert seen.expected_per_s(1, Branch.UP) is None
    assert seen.floor_per_s(1, Branch.UP) == 1.0


@pytest.mark.parametrize(
    ("counts", "kept", "closed", "share"),
    [
        (0.0, 100.0, True, 0.0),
        (40.0, 100.0, True, 0.4),
        (2.0, 100.0, False, 0.02),
        (2.0, 2.5, False, 1.0),
        (90.0, 100.0, False, 1.0),
        (2.0, None, False, 1.0),
        (2.0, None, True, 0.0),
        (-0.5, 100.0, True, 0.0),
    ],
)
def test_what_a_dark_image_has_cost(counts, kept, closed, share):
    assert share_of_beam(counts, kept, closed) == pytest.approx(share)
