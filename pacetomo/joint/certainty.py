"""Numbers with standard errors, and when they are worth telling."""

from __future__ import annotations

from typing import NamedTuple

SURE = 3.0
"""Standard errors beyond which something is a finding."""


class Value(NamedTuple):
    """A number and its standard error."""

    value: float
    sigma: float

    def matters(self, least: float) -> bool:
        """Whether it is large enough, and sure."""
        return abs(self.value) > max(least, SURE * self.sigma)
