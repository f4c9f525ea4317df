import pytest

from mock_serialem.sim.clock import Clock


def test_activities_add_up():
    clock = Clock()
    clock.advance(1.5, "tilt")
    clock.advance(2.0, "wait")
    clock.advance(0.5, "tilt")
    assert clock.activities["tilt"] == 2.0
    assert sum(clock.activities.values()) == clock.seconds == 4.0


def test_the_outermost_booking_counts():
    clock = Clock()
    with clock.booking("eucentricity"):
        clock.advance(1.0, "tilt")
        with clock.booking("autofocus"):
            clock.advance(2.0, "expose")
    clock.advance(4.0, "expose")
    assert (clock.activities["eucentricity"], clock.activities["expose"]) == (3.0, 4.0)
    assert clock.activities["autofocus"] == clock.activities["tilt"] == 0.0


@pytest.mark.parametrize("seconds", [-0.1, float("nan")])
def test_time_does_not_go_back(seconds):
    with pytest.raises(ValueError, match="does not go back"):
        Clock().advance(seconds, "wait")


def test_an_activity_must_exist():
    with pytest.raises(KeyError):
        Clock().advance(1.0, "coffee")


def test_a_pacer_is_told_the_time_after_each_advance() -> None:
    clock, told = Clock(), []
    clock.pacer = told.append
    clock.advance(2.0, "tilt")
    clock.advance(3.0, "wait")
    assert told == [2.0, 5.0]
