"""Room on a disk: telling that there is none, and waiting until there is."""

from __future__ import annotations

import errno
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from pacetomo.errors import AreaError, PaceError, SessionError
from pacetomo.policy_table import Policy, Then

RESERVE_BYTES = 1_000_000
"""Beside the image: for metadata, run file and journal."""

_FULL = tuple(
    code for code in (errno.ENOSPC, getattr(errno, "EDQUOT", None), errno.EFBIG) if code is not None
)
_SAYS_FULL = re.compile(
    r"no space left|errno 28\b|disk (is )?full|not enough (disk )?space|quota exceeded", re.IGNORECASE
)


def is_full(err: BaseException | None) -> bool:
    """Whether an error, or one that it came from, says that there is no room on the disk."""
    while err is not None:
        if isinstance(err, OSError) and err.errno in _FULL:
            return True
        if _SAYS_FULL.search(str(err)):
            return True
        err = err.__cause__
    return False


def lacking_room(folder: Path, image_bytes: int) -> str | None:
    """Why an image of this size does not fit into a folder, in words; None if it does or nobody can tell."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return None
    needed = image_bytes + RESERVE_BYTES
    return f"{free / 1e6:.0f} MB are free, {needed / 1e6:.0f} MB are needed" if free < needed else None


class FullDisk:
    """One wait for room on the disk.

    Parameters
    ----------
    wait : callable
        Lets seconds pass.
    note : callable
        Told and writes down; gets a name and a text.
    policy : Policy
        How often to look, and how long.
    """

    def __init__(
        self, wait: Callable[[float], None], note: Callable[[str, str], None], policy: Policy
    ) -> None:
        self._wait = wait
        self._note = note
        self._policy = policy
        self.waited_s = 0.0

    def wait_once(self, reason: str) -> None:
        """Wait until it is time to look again.

        Raises
        ------
        AreaError, SessionError
            When it has been waited for long enough.
        """
        if not self.waited_s:
            self._note("disk_full", f"The disk is full ({reason}): waiting until there is room")
        if self.waited_s >= self._policy.patience_s:
            raise ending(
                self._policy.then,
                f"the disk has been full for {self._policy.patience_min:g} min ({reason}): make room, then start this "
                "area again",
            )
        try:
            self._wait(self._policy.pause_s)
        except PaceError as err:  # a pause that fails is no reason to lose the image that waits
            self._note("disk_full", f"Waiting failed ({err})")
        self.waited_s += self._policy.pause_s

    def over(self) -> None:
        """Tell that there is room again, if it was waited for."""
        if self.waited_s:
            self._note(
                "disk_full", f"There is room on the disk again after {self.waited_s / 60:.1f} min: going on"
            )


def ending(then: Then, text: str) -> AreaError:
    """Error that ends the area, or the session if the policy says so."""
    return SessionError(text) if then is Then.END_SESSION else AreaError(text)
