"""Waiting in real time, which STOP ends at once, and a clock that runs with the wall's."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from mock_serialem.errors import USER_STOP, SEMexited

if TYPE_CHECKING:
    from mock_serialem.session import Session

LOOK_S = 0.2
"""How often a wait looks whether its script is still there."""


def _never() -> bool:
    return False


class Waiting:
    """The STOP button, and waits that it ends. Thread-safe.

    Attributes
    ----------
    gone : callable
        Tells whether the script that gave the present command has vanished, which ends a wait too.
    """

    def __init__(self) -> None:
        self._stop = threading.Event()
        self.gone: Callable[[], bool] = _never

    def press_stop(self) -> None:
        """Press STOP."""
        self._stop.set()

    def clear(self) -> None:
        """Forget STOP, as a script begins."""
        self._stop.clear()

    @property
    def stop_pressed(self) -> bool:
        """STOP was pressed since the last `clear`."""
        return self._stop.is_set()

    def nobody_there(self) -> None:
        """No script can vanish any more."""
        self.gone = _never

    def wait(self, seconds: float | None) -> bool:
        """Wait so long, or without end; return True if STOP or the script's disappearance ended it."""
        end = None if seconds is None else time.monotonic() + seconds
        while not self.gone():
            left = LOOK_S if end is None else min(LOOK_S, end - time.monotonic())
            if left <= 0.0:
                return False
            if self._stop.wait(left):
                return True
        return True


class RealClock:
    """Makes a session's actions take the time they take on a real column.

    Time that passes between commands is booked when the next one begins, so that the simulated clock shows what a
    clock on the wall does.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._origin_s = time.monotonic() - session.world.clock_s
        session.world.pace_by(self._follow)

    def catch_up(self) -> None:
        """Book the time that has passed since the last command."""
        world = self._session.world
        idle = time.monotonic() - self._origin_s - world.clock_s
        if idle > 0.0:
            world.advance(idle, "script")

    def _follow(self, clock_s: float) -> None:
        """Wait until the wall's clock shows a simulated time; raises ``SEMexited`` on STOP.

        What a script that has vanished had asked for is carried out without waiting for it.
        """
        due_s = self._origin_s + clock_s - time.monotonic()
        if due_s <= 0.0:
            return
        session = self._session
        # What is put back after the end of a script takes its time too, but STOP has nothing left to stop there.
        if not session.script.running:
            threading.Event().wait(due_s)
        elif session.waiting.wait(due_s):
            self._origin_s = time.monotonic() - clock_s
            if session.stop_pressed:
                raise SEMexited(USER_STOP)
