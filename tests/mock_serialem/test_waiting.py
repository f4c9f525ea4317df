"""Waits in real time. The times here are short; what is compared leaves room for a busy machine."""

from __future__ import annotations

import threading
import time

import pytest

from mock_serialem.module import make_module
from mock_serialem.session import Session
from mock_serialem.waiting import Waiting


def test_a_wait_ends_by_itself_by_stop_or_with_its_script() -> None:
    waiting = Waiting()
    before = time.monotonic()
    assert not waiting.wait(0.05)
    assert time.monotonic() - before >= 0.05
    threading.Timer(0.05, waiting.press_stop).start()
    assert waiting.wait(None)
    assert waiting.stop_pressed
    waiting.clear()
    assert not waiting.wait(0.0)
    waiting.gone = lambda: True
    assert waiting.wait(None)
    waiting.nobody_there()
    assert not waiting.wait(0.0)


def test_the_simulated_clock_never_waits(session: Session) -> None:
    sem = make_module(session)
    before = time.monotonic()
    sem.Delay(1000, "s")
    assert time.monotonic() - before < 5.0


def test_the_real_clock_waits_and_counts_what_passes_between_commands(session: Session) -> None:
    session.run_in_real_time()
    sem = make_module(session)
    before = time.monotonic()
    sem.ReportTiltAngle()  # takes up what has passed until now
    start, begun = session.world.clock_s, time.monotonic()
    sem.Delay(0.3, "s")
    assert 0.3 <= time.monotonic() - begun
    threading.Event().wait(0.2)
    sem.ReportTiltAngle()
    counted = session.world.clock_s - start
    answers_s = 2 * session.scope.command_s  # of the commands around the wait
    assert 0.5 - answers_s <= counted <= time.monotonic() - before + answers_s


def test_stop_ends_an_action_in_real_time(session: Session) -> None:
    session.run_in_real_time()
    sem = make_module(session)
    threading.Timer(0.2, session.press_stop).start()
    before = time.monotonic()
    with pytest.raises(sem.SEMexited, match="User STOP"):
        sem.Delay(60, "s")
    assert time.monotonic() - before < 10.0
    session.end_script()
    session.begin_script()
    sem.ReportTiltAngle()
    # The time that the stopped action did not take is not made up for.
    assert time.monotonic() - before < 15.0


def test_an_exposure_that_stop_ends_is_in_the_truth_log(session: Session) -> None:
    sem = make_module(session)
    sem.SetExposure("T", 30)
    sem.T()
    session.run_in_real_time()
    threading.Timer(0.3, session.press_stop).start()
    with pytest.raises(sem.SEMexited):
        sem.T()
    assert [line["event"] for line in session.world.truth.events] == ["exposure"] * 2
