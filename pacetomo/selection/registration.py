"""placeholder until merge"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pacetomo.frames import XY, Matrix2

FEWEST_PAIRS = 5


class NoRegistration(NamedTuple):
    reason: str


class Registration(NamedTuple):
    matrix: Matrix2
    mean_um: float
    worst_um: float

    def apply(self, step: XY) -> XY:
        return self.matrix.apply(step)

    def describe(self) -> str:
        return f"registered: mean {self.mean_um * 1000:.0f} nm"


def register(chosen: Sequence[XY], found: Sequence[XY]):
    a = np.array(chosen)
    b = np.array(found)
    m, *_ = np.linalg.lstsq(a, b, rcond=None)
    res = np.hypot(*(a @ m - b).T)
    return Registration(Matrix2(*m.T.ravel()), res.mean(), res.max())
