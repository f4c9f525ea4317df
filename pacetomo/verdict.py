"""What a check of output says of a series, for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


class Verdict(NamedTuple):
    """What there is to say of a series: what is wrong, what else to know, and what it is in short."""

    name: str
    wrong: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    summary: str = ""

    @property
    def line(self) -> str:
        """One line for people."""
        remarks = "".join(f" ({remark})" for remark in self.remarks)
        if self.wrong:
            return f"{self.name}: WRONG: {'; '.join(self.wrong)}{remarks}"
        return f"{self.name}: {self.summary or 'as it should be'}{remarks}"


def closing_line(verdicts: Sequence[Verdict]) -> str:
    """One line about all of them."""
    wrong = sum(bool(verdict.wrong) for verdict in verdicts)
    if not wrong:
        return f"{len(verdicts)} checked, nothing wrong"
    return f"{len(verdicts)} checked, something is wrong with {wrong}"


@dataclass
class Found:
    """What has been found about a series so far."""

    wrong: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
