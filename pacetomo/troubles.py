"""What ends when something goes wrong during a run: as the policies say, and no more than that."""

from __future__ import annotations

import traceback

from pacetomo.books import Books
from pacetomo.errors import (
    AreaError,
    ImageNotSavedError,
    NotExposedError,
    PaceError,
    ScopeError,
    StackHeldError,
)
from pacetomo.plan import Exposure
from pacetomo.policies import Policies
from pacetomo.policy_table import Then
from pacetomo.room import ending
from pacetomo.scope.protocol import Level, Microscope

_KINDS: dict[type[PaceError], str] = {
    ImageNotSavedError: "file_held",
    StackHeldError: "stack_held",
    NotExposedError: "camera_refuses",
}


class Troubles:
    """Ends targets, branches and areas.

    Parameters
    ----------
    scope, books, policies
        Where, who is told, and what is to be done.
    """

    def __init__(self, scope: Microscope, books: Books, policies: Policies) -> None:
        self._scope = scope
        self._books = books
        self._policies = policies
        self._at_fault: list[int] = []

    def end(self, kind: str, exposure: Exposure, reason: str, by_failure: bool = False) -> None:
        """End what the policy for a kind of trouble says.

        Raises
        ------
        AreaError
            When that is the area or the session.
        """
        then = self._policies.of(kind).then
        if then is Then.GO_ON:
            self._books.warn(reason, exposure)
        elif then is Then.END_TARGET:
            self._books.end_target(exposure, reason, by_failure)
        else:
            self._books.end_branch(exposure, reason, by_failure)
        if then in (Then.END_AREA, Then.END_SESSION):
            self._books.save()
            raise ending(then, f"target {exposure.target} at {exposure.tilt_deg:g}°: {reason}")

    def failed(self, exposure: Exposure, err: PaceError) -> None:
        """Deal with an exposure that has failed; what it has cost is on the books afterwards."""
        if isinstance(err, ImageNotSavedError):
            spent = self._books.dose_e_per_a2(exposure.target) + err.dose_e_per_a2
            self._books.spend(exposure.target, spent)
        self._books.note("error", text=str(err), target=exposure.target, tilt_deg=exposure.tilt_deg)
        kind = next((kind for each, kind in _KINDS.items() if isinstance(err, each)), "command_fails")
        self.end(kind, exposure, str(err), by_failure=True)

    def went_well(self) -> None:
        """Know that an exposure met with no defect of this program."""
        self._at_fault.clear()

    def met_with_defect(self, exposure: Exposure, err: Exception) -> None:
        """End what a defect of this program concerns: one target, or the area when target after target meets it."""
        text = self.note_defect(err, target=exposure.target, tilt_deg=exposure.tilt_deg)
        self._at_fault.append(exposure.target)
        self.end("own_fault", exposure, text, by_failure=True)
        limit = self._policies.of("own_fault").limit
        if len(set(self._at_fault)) >= limit:
            self._books.save()
            raise AreaError(
                f"{limit} targets in a row met with a defect of this program, the last one with: {text}"
            )

    def note_defect(self, err: Exception, **where: object) -> str:
        """Write down a defect of this program while it is being handled, with its traceback; in a sentence."""
        text = f"unexpected {type(err).__name__} ({err})"
        self._scope.tell(f"Warning: {text}: please report it with the journal", Level.WARNING)
        self._books.note("error", text=text, traceback=traceback.format_exc(), **where)
        return text

    def check_low_dose(self) -> None:
        """See that images are taken as they were set up, and put that back if it has been changed.

        Raises
        ------
        AreaError
            When it cannot be put back.
        """
        policy = self._policies.of("low_dose")
        change: str | None = None
        for is_last in (*[False] * policy.retry, True):
            try:
                change = self._scope.low_dose_change()
                if change is None:
                    return
                if not is_last:
                    self._books.warn(f"{change}: it is put back")
                    self._scope.restore_low_dose()
            except ScopeError as err:
                change = str(err)
        text = f"{change}: set up low dose as it was, then start this area again"
        self._books.note("error", text=text)
        raise ending(policy.then, text)
