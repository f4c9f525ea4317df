"""Telling the operator what a tracking model has found out: once, and again when it has changed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Optional

from pacetomo.books import Books
from pacetomo.schemes import Branch
from pacetomo.tracking import Finding

_Place = tuple[str, Optional[int], Optional[float], Optional[Branch]]


class Findings:
    """What has been told so far.

    Parameters
    ----------
    books : Books
        Where findings are written down.
    """

    def __init__(self, books: Books) -> None:
        self._books = books
        self._told: dict[_Place, float] = {}

    def tell(self, findings: Iterable[Finding]) -> None:
        """Tell what is new: about another thing or place, or of a value that has changed enough."""
        for finding in findings:
            place = (finding.name, finding.target, finding.tilt_deg, finding.branch)
            told = self._told.get(place)
            if told is None or abs(finding.value - told) > finding.worth_telling:
                self._told[place] = finding.value
                self._books.find(finding)
