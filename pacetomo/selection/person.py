"""The person who chooses: guided by message boxes, or by keys alone.

Message boxes keep SerialEM's windows from the mouse while they are open. So a box says what to do, and the next one
comes when the image has been dragged and lies still, or when nothing has been done for a while.
"""

from __future__ import annotations

import enum

from pacetomo.frames import XY
from pacetomo.scope.desk import Desk
from pacetomo.scope.protocol import Level

STILL_S = 3.0
"""How long a dragged image has to lie still to count as where it is wanted."""

PATIENCE_S = 12.0
"""How long is waited for the image to be dragged at all."""

LOOK_EVERY_S = 0.5
MOVED_UM = 0.001


class Verdict(enum.Enum):
    """What the person wants of the image on the screen."""

    ACCEPT = "accept"
    AGAIN = "again"
    BACK = "back"
    FINISH = "finish"


class Person:
    """Somebody at the desk.

    Parameters
    ----------
    desk : Desk
        Where they sit.
    guidance : bool
        Whether message boxes guide them; else keys are waited for.
    """

    def __init__(self, desk: Desk, guidance: bool) -> None:
        self._desk = desk
        self._guidance = guidance

    def centre(self, what: str, low_mag: str = "View") -> Verdict:
        """Have something dragged into the centre of a View or Search image; never BACK."""
        if not self._guidance:
            self._desk.tell(
                f"{what}: drag it into the centre. Keys: b it is centred; v another {low_mag} image here; f finish"
            )
            verdicts = {"b": Verdict.ACCEPT, "v": Verdict.AGAIN, "f": Verdict.FINISH}
            return verdicts[self._desk.wait_for_key("bvf")]
        self._have_dragged(f"{what}: close this box and drag it into the centre with the right mouse button.")
        answer = self._desk.choose(
            f"{what}: is it in the centre? Again takes another {low_mag} image here, Finish ends without it.",
            ["Centred", "Again", "Finish"],
        )
        return (Verdict.ACCEPT, Verdict.AGAIN, Verdict.FINISH)[2 if answer is None else answer]

    def refine(self, what: str) -> Verdict:
        """Have a Preview image looked at and dragged where it is not quite centred."""
        if not self._guidance:
            self._desk.tell(
                f"{what}, Preview: drag it into the centre. Keys: b use it; r another Preview here; "
                "v back to View; f finish without it"
            )
            verdicts = {"b": Verdict.ACCEPT, "r": Verdict.AGAIN, "v": Verdict.BACK, "f": Verdict.FINISH}
            return verdicts[self._desk.wait_for_key("brvf")]
        self._have_dragged(f"{what}, Preview: close this box and drag it into the centre where it is off.")
        answer = self._desk.choose(
            f"{what}: use this Preview, as dragged? Again takes another one here and spends its dose, "
            "Back leaves this place.",
            ["Use", "Again", "Back"],
        )
        return (Verdict.ACCEPT, Verdict.AGAIN, Verdict.BACK)[2 if answer is None else answer]

    def wants_another(self, chosen: int) -> bool:
        """Whether one more target is to be chosen; with keys `f` says no later."""
        if not self._guidance:
            return True
        return self._desk.ask(f"{chosen} chosen. Choose another target?") is True

    def agrees(self, question: str) -> bool:
        """What the person says to a question; with keys alone nobody is asked, and it is yes."""
        if not self._guidance:
            self._desk.tell(question)
            return True
        return self._desk.ask(question) is True

    def _have_dragged(self, text: str) -> None:
        begun = self._desk.shift_um()
        self._desk.show(text)
        last, still_s, waited_s = self._desk.shift_um(), 0.0, 0.0
        while waited_s < PATIENCE_S or still_s < STILL_S:
            if _apart(begun, last) and still_s >= STILL_S:
                return
            self._desk.wait(LOOK_EVERY_S)
            now = self._desk.shift_um()
            still_s = 0.0 if _apart(now, last) else still_s + LOOK_EVERY_S
            waited_s += LOOK_EVERY_S
            last = now

    def warn(self, text: str) -> None:
        """Say what is wrong, so that it is seen."""
        self._desk.tell(f"Warning: {text}", Level.WARNING)
        if self._guidance:
            self._desk.show(text)


def _apart(one: XY, other: XY) -> bool:
    return one.minus(other).length > MOVED_UM
