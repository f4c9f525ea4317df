"""Work that takes longer than the time between two frames: done in threads, its results fetched by the window.

Only the window's own thread calls `deliver`, so what is done with a result needs no locks.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pacetomo.errors import PaceError

Result = TypeVar("Result")


@dataclass(eq=False)
class Work:
    """A piece of work under way.

    Attributes
    ----------
    title : str
        What it is, for people.
    done, total : int
        How far it is; total 0 where that is not known.
    is_cancelled : bool
        Whether nobody wants the result any more; long work looks at it.
    """

    title: str
    done: int = 0
    total: int = 0
    is_cancelled: bool = False

    def cancel(self) -> None:
        """Let the work end early; its result is thrown away."""
        self.is_cancelled = True

    def tell(self, done: int, total: int) -> None:
        """Note how far it is."""
        self.done, self.total = done, total


class CancelledError(PaceError):
    """The work was given up because nobody wants its result any more."""


@dataclass(eq=False)
class Workers:
    """Threads for work, and the results that wait to be fetched.

    Work of one `lane` is done in order, one after the other; different lanes run side by side. The microscope is a
    lane, because it can do one thing at a time.
    """

    _lanes: dict[str, ThreadPoolExecutor] = field(default_factory=dict)
    _results: queue.SimpleQueue[Callable[[], None]] = field(default_factory=queue.SimpleQueue)
    _running: list[Work] = field(default_factory=list)
    _arrived: threading.Event = field(default_factory=threading.Event)

    def start(
        self,
        title: str,
        work: Callable[[Work], Result],
        then: Callable[[Result], None],
        otherwise: Callable[[PaceError], None],
        lane: str = "files",
    ) -> Work:
        """Do work in a thread of its own.

        Parameters
        ----------
        title : str
            What it is, for people; empty for work that nobody needs to see.
        work : callable
            Gets the `Work`, to tell how far it is and to see whether it is cancelled.
        then : callable
            Gets the result, in the window's thread.
        otherwise : callable
            Gets the `PaceError` if there was one, in the window's thread. Other errors are raised there.
        lane : str
            Work of the same lane waits for its turn.
        """
        ticket = Work(title)
        self._running.append(ticket)
        if lane not in self._lanes:
            self._lanes[lane] = ThreadPoolExecutor(1, thread_name_prefix=f"editor {lane}")
        future = self._lanes[lane].submit(work, ticket)
        future.add_done_callback(lambda done: self._keep(ticket, done, then, otherwise))
        return ticket

    def _keep(self, ticket: Work, future: Any, then: Any, otherwise: Any) -> None:
        def fetch() -> None:
            self._running.remove(ticket)
            if future.cancelled():
                return
            error = future.exception()
            if ticket.is_cancelled:
                return
            if error is None:
                then(future.result())
            elif isinstance(error, PaceError):
                otherwise(error)
            else:
                raise error

        self._results.put(fetch)
        self._arrived.set()

    def deliver(self) -> bool:
        """Hand over the results that have come in; whether there were any."""
        self._arrived.clear()
        any_came = False
        while True:
            try:
                fetch = self._results.get_nowait()
            except queue.Empty:
                return any_came
            any_came = True
            fetch()

    def wait(self, timeout_s: float) -> None:
        """Return after this time, or as soon as a result comes in."""
        self._arrived.wait(timeout_s)

    @property
    def running(self) -> tuple[Work, ...]:
        """What is under way and has a title."""
        return tuple(work for work in self._running if work.title and not work.is_cancelled)

    def close(self) -> None:
        """Let running work end early and wait for it."""
        for work in self._running:
            work.cancel()
        for lane in self._lanes.values():
            lane.shutdown(wait=True, cancel_futures=True)
