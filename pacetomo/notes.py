"""What a set-up tells: each line goes to the operator's log and to the journal."""

from __future__ import annotations

from pacetomo.journal import Journal
from pacetomo.scope.protocol import Level, Microscope
from pacetomo.targets import Target


class Notes:
    """Tells the operator and the journal the same."""

    def __init__(self, scope: Microscope, journal: Journal) -> None:
        self._scope = scope
        self._journal = journal

    def note(self, event: str, **details: object) -> None:
        """Write an event to the journal only."""
        self._journal.note(event, **details)

    def step(self, name: str, text: str, **details: object) -> None:
        """Tell what is being done or has come out."""
        self._scope.tell(text)
        self._journal.note("step", name=name, text=text, **details)

    def warn(self, text: str, target: Target | None = None) -> None:
        """Warn of something that does not end the set-up."""
        self._scope.tell(f"Warning: {text}", Level.WARNING)
        details = {} if target is None else {"target": target.number}
        self._journal.note("warning", text=text, **details)

    def skip(self, target: Target, reason: str) -> None:
        """Tell that a target is left out, and why; `reason` follows on "it"."""
        self._scope.tell(f"Target {target.number} is skipped: it {reason}", Level.WARNING)
        self._journal.note("skip", target=target.number, branch=None, tilt_deg=None, reason=reason)
