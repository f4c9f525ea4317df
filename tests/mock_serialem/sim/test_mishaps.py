from __future__ import annotations

import pytest

from mock_serialem.sim.mishaps import Mishaps
from mock_serialem.sim.shot import AutofocusResult, CtfFit, ExposureSetup, ShiftMeasurement
from mock_serialem.sim.world import World, make_world

SETUP = ExposureSetup("R", "R", 27, 4, (256, 256), 1.0)


class Recorder(Mishaps):
    """Lets everything go wrong and notes when it was asked."""

    def __init__(self, world: World) -> None:
        self.asked: list[object] = []
        self._world = world

    def before_exposure(self, number: int) -> float:
        self.asked.append(("before", number, len(self._world.truth.events)))
        return 0.5

    def after_exposure(self, number: int) -> None:
        self.asked.append(("after", number, len(self._world.truth.events)))

    def tilt_reached(self, from_deg: float, to_deg: float) -> float:
        self.asked.append((from_deg, to_deg))
        return to_deg - 1.0

    def shift(self, found: ShiftMeasurement) -> ShiftMeasurement:
        return ShiftMeasurement(7.0, 8.0, found.peak)

    def autofocus(self, found: AutofocusResult) -> AutofocusResult:
        return AutofocusResult(99.0, 0)

    def ctf(self, found: CtfFit | None) -> CtfFit | None:
        return None


def test_without_mishaps_all_is_well() -> None:
    none = Mishaps()
    fit, found = CtfFit(-3.0, 0.1, 2.0, 0.9, 5.0), ShiftMeasurement(0.1, 0.2, 1.0)
    assert none.before_exposure(1) == 1.0
    assert none.tilt_reached(0.0, 3.0) == 3.0
    assert none.shift(found) is found and none.ctf(fit) is fit
    assert none.autofocus(AutofocusResult(-4.0, 0)) == (-4.0, 0)


def test_the_world_asks_at_each_turn() -> None:
    world = make_world("lamella", "ideal", 1, "kinematic")
    plain = world.expose(SETUP)
    world.mishaps = recorder = Recorder(world)
    shot = world.expose(SETUP)
    assert recorder.asked == [("before", 2, 1), ("after", 2, 2)]
    assert shot.beam == 0.5 and shot.dose_e_per_a2 == plain.dose_e_per_a2
    assert shot.mean_counts == pytest.approx(plain.mean_counts / 2, rel=0.05)
    assert world.truth.events[1]["dose_e_per_a2"] == pytest.approx(plain.dose_e_per_a2 / 2)
    assert world.measure_shift(shot, plain, None).shift_um == (7.0, 8.0)
    assert world.autofocus(SETUP, -4.0).defocus_um == 99.0
    assert world.fit_ctf(shot) is None
    world.tilt_to(4.0)
    assert recorder.asked[-1] == (0.0, 4.0)
    assert world.tilt_readback_deg() == pytest.approx(3.0, abs=0.05)
