"""Work in threads, its results fetched by the window."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from pacetomo.editor.workers import Work, Workers
from pacetomo.errors import PaceError


def until(workers: Workers, is_done: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not is_done():
        workers.deliver()
        workers.wait(0.01)
        assert time.monotonic() < end


def test_results_are_handed_over_in_the_thread_that_asks_for_them() -> None:
    workers, found = Workers(), []
    workers.start(
        "",
        lambda work: threading.get_ident(),
        lambda made_in: found.append((made_in, threading.get_ident())),
        found.append,
    )
    until(workers, lambda: bool(found))
    made_in, taken_in = found[0]
    assert made_in != threading.get_ident() == taken_in
    workers.close()


def test_errors_for_people_are_told_and_defects_are_raised() -> None:
    workers, told = Workers(), []

    def fail(work: Work) -> None:
        raise PaceError("the file is gone")

    def break_down(work: Work) -> None:
        raise KeyError("x")

    workers.start("", fail, lambda result: told.append("done"), lambda err: told.append(str(err)))
    until(workers, lambda: bool(told))
    assert told == ["the file is gone"]
    workers.start("", break_down, lambda result: None, lambda err: None)
    with pytest.raises(KeyError):
        until(workers, lambda: False)
    workers.close()


def test_cancelled_work_hands_over_nothing_and_is_shown_no_more() -> None:
    workers, found, going = Workers(), [], threading.Event()

    def wait(work: Work) -> str:
        going.set()
        while not work.is_cancelled:
            time.sleep(0.005)
        return "late"

    work = workers.start("Waiting", wait, found.append, found.append)
    assert going.wait(20)
    assert [running.title for running in workers.running] == ["Waiting"]
    work.cancel()
    assert workers.running == ()
    workers.start("", lambda work: "next", found.append, found.append)
    until(workers, lambda: bool(found))
    assert found == ["next"]
    workers.close()


def test_work_of_one_lane_is_done_in_order_and_lanes_run_side_by_side() -> None:
    workers, order, gate = Workers(), [], threading.Event()
    workers.start(
        "", lambda work: gate.wait(20), lambda result: order.append("slow"), order.append, lane="one"
    )
    workers.start("", lambda work: None, lambda result: order.append("behind it"), order.append, lane="one")
    workers.start("", lambda work: None, lambda result: order.append("beside it"), order.append, lane="two")
    until(workers, lambda: bool(order))
    assert order == ["beside it"]
    gate.set()
    until(workers, lambda: len(order) == 3)
    assert order == ["beside it", "slow", "behind it"]
    workers.close()
