"""Telling that a command has not come back: a thread that looks at the clock and never at the microscope.

It reads which command is under way and since when, in real time, also on a simulated microscope. What is to be done
about a command that takes too long is for others; nothing is ever sent to SerialEM from here. A `serialem` module that
holds Python's interpreter lock while it waits keeps this thread from running, and then nothing is told.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, Optional

USUAL_S = 120.0
"""Longest time of a command that is named nowhere below."""

LONGEST_S: dict[str, float] = {
    # images: the exposure comes on top, several times, for frames that are aligned and written
    **dict.fromkeys(("R", "V", "L", "T", "F", "Search"), 300.0),
    "S": 300.0,
    "G": 900.0,
    "Ctfplotter": 600.0,
    "CtfFind": 600.0,
    # stage
    **dict.fromkeys(("TiltTo", "MoveStageTo", "MoveToNavItem", "ResetImageShift"), 600.0),
    **dict.fromkeys(("Eucentricity", "WalkUpTo", "RealignToNavItem"), 1800.0),
    # montages
    "Montage": 7200.0,
    # column
    "RefineZLP": 900.0,
    "SetColumnOrGunValve": 600.0,
    "LongOperation": 7200.0,
}
"""Generous times (s) of commands that may take longer."""

EXPOSURES = (
    "R",
    "V",
    "L",
    "T",
    "F",
    "Search",
    "G",
    "Eucentricity",
    "WalkUpTo",
    "RealignToNavItem",
    "RefineZLP",
)
TIMES_EXPOSURE = 10.0
"""How many times the longest exposure comes on top where images are taken."""

DIALOGS = frozenset(
    ("Pause", "YesNoBox", "OKBox", "EnterOneNumber", "EnterDefaultedNumber", "EnterString", "ThreeChoiceBox")
)
"""Commands that wait for somebody, for as long as that takes."""

POLL_S = 1.0


def longest_s(command: str, arguments: Sequence[object], exposure_s: float = 0.0) -> float | None:
    """Return the longest time (s) a command should take; None where it waits for a person.

    >>> longest_s("ReportTiltAngle", ()), longest_s("Delay", (30.0, "sec")), longest_s("R", (), 5.0)
    (120.0, 150.0, 350.0)
    """
    if command in DIALOGS:
        return None
    if command == "Delay":
        seconds = arguments[0] if arguments else 0.0
        return USUAL_S + (float(seconds) if isinstance(seconds, (int, float)) else 0.0)
    extra_s = TIMES_EXPOSURE * exposure_s if command in EXPOSURES else 0.0
    return LONGEST_S.get(command, USUAL_S) + extra_s


class Overdue(NamedTuple):
    """A command that has not come back for `seconds`, or has after all (`is_back`)."""

    command: str
    seconds: float
    is_back: bool = False


class _Sent(NamedTuple):
    command: str
    arguments: Sequence[object]
    at_s: float


class Watchdog:
    """Looks now and then whether the command under way is overdue, and tells once; tells too when it comes back.

    Parameters
    ----------
    tell : callable
        Gets an `Overdue`, in the watchdog's own thread.
    factor : float
        All times are multiplied by it; 0 for never overdue.
    pulse : callable, optional
        Called at each look, in that thread: the script is alive.
    clock_s : callable
        Real time.
    poll_s : float
        Between two looks.

    Attributes
    ----------
    exposure_s : float
        Longest exposure that images are taken with.
    """

    def __init__(
        self,
        tell: Callable[[Overdue], None],
        factor: float = 1.0,
        pulse: Callable[[], None] | None = None,
        clock_s: Callable[[], float] = time.monotonic,
        poll_s: float = POLL_S,
    ) -> None:
        self.exposure_s = 0.0
        self._tell = tell
        self._factor = factor
        self._pulse = pulse
        self._clock_s = clock_s
        self._poll_s = poll_s
        # Replaced as a whole, so that the other thread sees one command or the other.
        self._sent: Optional[_Sent] = None  # noqa: UP045
        self._told: Optional[_Sent] = None  # noqa: UP045
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pacetomo watchdog", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._over.set()
        self._thread.join()

    def sent(self, command: str, arguments: Sequence[object]) -> None:
        """Be told that a command is on its way."""
        self._sent = _Sent(command, arguments, self._clock_s())

    def answered(self) -> None:
        """Be told that it has come back."""
        self._sent = None

    def look(self) -> None:
        """Tell of a command that is overdue, and of one that no longer is."""
        sent, now_s = self._sent, self._clock_s()
        told = self._told
        if told is not None and sent is not told:
            self._told = None
            self._tell(Overdue(told.command, now_s - told.at_s, is_back=True))
        if sent is None or sent is self._told or self._factor <= 0:
            return
        limit_s = longest_s(sent.command, sent.arguments, self.exposure_s)
        if limit_s is not None and now_s - sent.at_s > self._factor * limit_s:
            self._told = sent
            self._tell(Overdue(sent.command, now_s - sent.at_s))

    def _run(self) -> None:
        while not self._over.wait(self._poll_s):
            self.look()
            if self._pulse is not None:
                self._pulse()
