"""Dragging: what the person brings into the centre is there in the next image."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from mock_serialem import hands
from mock_serialem.answers import Drag, operator_from
from mock_serialem.errors import CommandError
from mock_serialem.module import make_module
from mock_serialem.session import Session
from mock_serialem.sim.holey import HoleyMatter
from mock_serialem.sim.sample import HoleySpec

MakeSession = Callable[..., Session]


def centre_um(session: Session) -> tuple[float, float]:
    shot = session.buffers.get("A").shot
    assert shot is not None
    return shot.pose.centre_um[:2]


@pytest.mark.parametrize("tilt", [0.0, 35.0])
def test_onto_a_named_target(make_session: MakeSession, tilt: float) -> None:
    session = make_session()
    session.operator.rules = operator_from(
        {"targets": {"t1": [1.5, -0.8]}, "answer": [{"command": "OKBox", "drag_onto": "t1"}]}
    ).rules
    sem = make_module(session)
    sem.SetLowDoseMode(1)
    sem.TiltTo(tilt)
    sem.V()
    sem.OKBox("Drag your target into the centre")
    shift = sem.ReportAlignShift()[4:6]
    assert math.hypot(*shift) > 500.0
    sem.V()
    # As good as the calibrations are.
    assert centre_um(session) == pytest.approx((1.5, -0.8), abs=0.06)


def test_by_so_much_and_again_from_there(make_session: MakeSession) -> None:
    session = make_session(stage="ideal")
    sem = make_module(session)
    sem.SetLowDoseMode(1)
    sem.R()
    start = centre_um(session)
    for _ in range(2):
        hands.perform(session, Drag(by_um=(0.2, -0.1)))
    assert session.buffers.get("A").shift_um == pytest.approx((0.4, -0.2))
    sem.R()
    # The image's content moves by so much, so the point in the centre is the opposite one.
    np.testing.assert_allclose(np.subtract(centre_um(session), start), (-0.4, 0.2), atol=0.02)


def test_onto_the_nearest_hole(make_session: MakeSession) -> None:
    session = make_session(sample="holey")
    sem = make_module(session)
    sem.SetLowDoseMode(1)
    sem.ImageShiftByMicrons(0.6, 0.5)
    sem.V()
    before = HoleyMatter(HoleySpec(), 0).nearest_hole(*map(np.atleast_1d, centre_um(session)))[2]
    hands.perform(session, Drag())
    sem.V()
    after = HoleyMatter(HoleySpec(), 0).nearest_hole(*map(np.atleast_1d, centre_um(session)))[2]
    assert after[0] < 0.05 < 0.4 < before[0]


def test_nothing_to_drag(make_session: MakeSession) -> None:
    session = make_session(sample="holey")
    with pytest.raises(CommandError):
        hands.perform(session, Drag())
    sem = make_module(session)
    sem.SetLowDoseMode(1)
    sem.ImageShiftByMicrons(1.5, 1.5)
    sem.R()
    with pytest.raises(CommandError, match="no feature"):
        hands.perform(session, Drag())


def test_a_key_is_pressed_after_the_drag(make_session: MakeSession) -> None:
    operator = operator_from(
        {"answer": [{"command": "KeyBreak", "prompt": "B", "values": [False, True], "drag_um": [0.1, 0]}]}
    )
    session = make_session(operator=operator)
    sem = make_module(session)
    sem.SetLowDoseMode(1)
    sem.V()
    assert (sem.KeyBreak("B"), session.buffers.get("A").shift_um) == (0.0, (0.0, 0.0))
    assert (sem.KeyBreak("B"), session.buffers.get("A").shift_um) == (1.0, (0.1, 0.0))
    assert sem.KeyBreak("B") == 0.0
