"""The kinds of trouble a run can have, and what is done about each when nobody says otherwise.

What a kind does not let be changed is shown as fixed, with the reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple


class Then(Enum):
    """What ends when trying again does not help. Each includes the ones before it."""

    GO_ON = "go on"
    END_BRANCH = "end branch"
    END_TARGET = "end target"
    END_AREA = "end area"
    END_SESSION = "end session"

    def __str__(self) -> str:
        return self.value


GO_ON, END_BRANCH, END_TARGET, END_AREA, END_SESSION = Then
_ENDS_TARGET = (END_BRANCH, END_TARGET, END_AREA, END_SESSION)
_ENDS_AREA = (END_AREA, END_SESSION)


@dataclass(frozen=True)
class Policy:
    """What is done about one kind of trouble.

    Attributes
    ----------
    retry : int
        Tries after the first one.
    pause_s : float
        Before the first of them, or between two looks at a state that is waited for; doubles from try to try.
    longest_pause_s : float
        What the pauses grow to.
    patience_min : float
        How long a state is waited for in all (min).
    limit : int
        How many in a row are too many.
    then : Then
        What ends.
    """

    retry: int = 0
    pause_s: float = 0.0
    longest_pause_s: float = 0.0
    patience_min: float = 0.0
    limit: int = 1
    then: Then = END_BRANCH

    def pauses_s(self) -> tuple[float, ...]:
        """Return the pause (s) before each further try.

        >>> Policy(retry=5, pause_s=2.0, longest_pause_s=30.0).pauses_s()
        (2.0, 4.0, 8.0, 16.0, 30.0)
        """
        longest_s = max(self.longest_pause_s, self.pause_s)
        return tuple(min(self.pause_s * 2.0 ** min(turn, 60), longest_s) for turn in range(self.retry))

    @property
    def patience_s(self) -> float:
        """How long a state is waited for in all (s)."""
        return 60.0 * self.patience_min


class PolicyRow(NamedTuple):
    """One kind of trouble.

    Attributes
    ----------
    kind : str
        Name, as in a facility's file.
    trouble : str
        What has happened, for people.
    policy : Policy
        When nobody says otherwise.
    uses : tuple of str
        Fields of the policy that have a meaning for this kind and may be changed, ``then`` apart.
    allowed : tuple of Then
        What it may end; one for no choice.
    remark : str
        What else is done, or why it cannot be changed.
    settings : tuple of str
        Settings that have a say.
    """

    kind: str
    trouble: str
    policy: Policy
    uses: tuple[str, ...] = ()
    allowed: tuple[Then, ...] = ()
    remark: str = ""
    settings: tuple[str, ...] = ()

    @property
    def is_fixed(self) -> bool:
        """Whether nothing of it can be changed."""
        return not self.uses and len(self.allowed) < 2


TRIES = ("retry", "pause_s", "longest_pause_s")
"""What may be changed where something is simply tried again."""

POLICY_ROWS: tuple[PolicyRow, ...] = (
    # files
    PolicyRow(
        "file_held",
        "an exposed image cannot be saved (another program holds the file)",
        Policy(retry=5, pause_s=2.0, longest_pause_s=30.0),
        TRIES,
        _ENDS_TARGET,
        "then the image goes into a stack of its own, _unsaved.mrc",
    ),
    PolicyRow(
        "images_unsaved",
        "images in a row that their series did not take",
        Policy(limit=3, then=END_AREA),
        ("limit",),
        _ENDS_AREA,
        "no more dose is spent on images that may be lost",
    ),
    PolicyRow(
        "stack_held",
        "a stack cannot be opened, nothing exposed yet",
        Policy(retry=3, pause_s=2.0, longest_pause_s=8.0),
        TRIES,
        _ENDS_TARGET,
    ),
    PolicyRow(
        "disk_full",
        "the disk is full, before an exposure or with an image waiting to be saved",
        Policy(pause_s=20.0, patience_min=720.0, then=END_AREA),
        ("pause_s", "patience_min"),
        _ENDS_AREA,
        "the run goes on by itself as soon as there is room; nothing is exposed meanwhile",
    ),
    # column
    PolicyRow(
        "camera_refuses",
        "the camera fails and has provably not exposed",
        Policy(retry=2, pause_s=5.0, longest_pause_s=10.0),
        TRIES,
        _ENDS_TARGET,
        "an image that did come out is saved, it is not taken again",
    ),
    PolicyRow(
        "command_fails",
        "another command of SerialEM fails while a target is imaged",
        Policy(),
        (),
        _ENDS_TARGET,
    ),
    PolicyRow(
        "valves",
        "column valves closed",
        Policy(retry=3, pause_s=20.0, then=END_AREA),
        ("retry", "pause_s"),
        _ENDS_AREA,
        "images taken without a beam are taken again, at most as often as retry says",
        ("checkValves", "reopenValves", "valveWait"),
    ),
    PolicyRow(
        "dewars",
        "dewars being filled",
        Policy(pause_s=10.0, patience_min=60.0, then=GO_ON),
        ("pause_s", "patience_min"),
        (GO_ON, END_AREA, END_SESSION),
        "a filling that is reported for longer is a fault of the report, which is then no longer heeded",
        ("checkDewar", "cryoARM"),
    ),
    PolicyRow(
        "equipment",
        "gun, filter or another part of the column cannot be asked",
        Policy(limit=5, then=GO_ON),
        ("limit",),
        (GO_ON,),
        "what has never worked is let be at once, what has after so many failures in a row",
        ("coldFEG", "slitInterval"),
    ),
    PolicyRow(
        "stage_tilt",
        "the stage does not reach a tilt",
        Policy(retry=1, pause_s=10.0, longest_pause_s=10.0),
        TRIES,
        _ENDS_TARGET,
        "for all targets; only a stage that did not move is tried again, one that stopped short would do so again",
    ),
    PolicyRow(
        "image_shift",
        "a target needs an image shift beyond the limit",
        Policy(),
        (),
        (GO_ON, END_BRANCH, END_TARGET),
        "go on: only that image is left out",
        ("imageShiftLimit",),
    ),
    PolicyRow(
        "low_dose",
        "low dose is off, or the magnification of Record is another one than at the beginning",
        Policy(retry=1, then=END_AREA),
        ("retry",),
        _ENDS_AREA,
        "looked at once per tilt; each try puts back what was found at the beginning",
    ),
    PolicyRow(
        "item_gone",
        "the Navigator item is gone",
        Policy(then=END_AREA),
        (),
        (END_AREA,),
        "fixed: nothing else tells where the area is; an area that was begun does not need it",
    ),
    # images
    PolicyRow(
        "dark_image",
        "a target is dark against its own history, or below minCounts",
        Policy(limit=2),
        ("limit",),
        (GO_ON, END_BRANCH, END_TARGET),
        "a black one at once, a dim one when it is so many times in a row",
        ("minCounts",),
    ),
    PolicyRow(
        "alignment_off",
        "alignments find a target far off, several times in a row",
        Policy(limit=3),
        ("limit",),
        (GO_ON, END_BRANCH, END_TARGET),
        "also where the shifts of the latest images add up",
    ),
    PolicyRow(
        "alignment_lost",
        "alignments beyond the limit or without a peak, in a row",
        Policy(limit=4),
        ("limit",),
        (GO_ON, END_BRANCH, END_TARGET),
        "a single one is no value: the model's prediction counts",
        ("alignLimit",),
    ),
    PolicyRow(
        "autofocus",
        "autofocus fails or is not believed",
        Policy(then=GO_ON),
        (),
        (GO_ON,),
        "fixed: the focus stays as predicted, which costs no target its series",
        ("addAF", "offTargetAF"),
    ),
    PolicyRow(
        "ctf",
        "a CTF fit fails",
        Policy(then=GO_ON),
        (),
        (GO_ON,),
        "fixed: the image is saved already; the fit is written as missing",
        ("doCtfPlotter", "doCtfFind"),
    ),
    # ourselves
    PolicyRow(
        "own_fault",
        "an unexpected exception in this program's own code",
        Policy(limit=3),
        ("limit",),
        _ENDS_TARGET,
        "with its traceback in the journal; after so many different targets in a row the area ends",
    ),
    PolicyRow(
        "lost_image",
        "an image may have been exposed before an interruption and is in no stack",
        Policy(then=GO_ON),
        (),
        (GO_ON,),
        "fixed: its dose is counted; retakeLost says whether it is taken again",
        ("retakeLost",),
    ),
    PolicyRow(
        "notes_held",
        "run file, journal or memory cannot be written (another program holds them)",
        Policy(then=GO_ON),
        (),
        (GO_ON,),
        "fixed: tried for some seconds, then kept and written with the next; the stacks tell what was taken",
    ),
    PolicyRow(
        "command_hangs",
        "a command of SerialEM does not return",
        Policy(then=GO_ON),
        (),
        (GO_ON,),
        "fixed: reported in the journal and by watchdogCommand; nothing is done behind SerialEM's back",
        ("watchdogFactor", "watchdogCommand"),
    ),
    PolicyRow(
        "stop",
        "STOP",
        Policy(then=END_SESSION),
        (),
        (END_SESSION,),
        "fixed: SerialEM takes no command after it; the next start goes on where it stopped",
    ),
)
"""All kinds, in the order in which they are shown."""
