"""Gold beads where one wants them: a sample whose points are known, for checking geometry from images alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mock_serialem.sim.features import EMPTY, PHASE_PER_NM, Cloud, Site

_STEEPEST = 3.0
"""Tangent of the largest angle between beam and normal of the sheet at which beads show whole."""


@dataclass(frozen=True)
class Fiducials:
    """Beads of the first site.

    Attributes
    ----------
    places_um : tuple of (u, v, depth)
        Sheet coordinates, and distance from the mid-surface.
    radius_nm : float
    """

    places_um: tuple[tuple[float, float, float], ...]
    radius_nm: float = 10.0
    number: int = 6
    cell_um: float = 1.0
    coarsest_nm: float = 1000.0

    @property
    def reach_um(self) -> float:
        """How far from its cell a bead is seen: its depth leans over when the sheet is inclined."""
        return _STEEPEST * max((abs(depth) for _, _, depth in self.places_um), default=0.0) + 0.1

    def make(
        self, rng: np.random.Generator, site: Site, corner_um: tuple[float, float], thinning: int
    ) -> Cloud:
        """See `Layer.make`; gold gives about ten times the phase of protein."""
        first, second = corner_um
        here = [
            place
            for place in self.places_um
            if first <= place[0] < first + self.cell_um and second <= place[1] < second + self.cell_um
        ]
        if site != (0, 0) or not here:
            return EMPTY
        each = max(400 // thinning, 12)
        ball = rng.standard_normal((each, 3))
        ball *= (rng.random(each) ** (1.0 / 3.0) / np.linalg.norm(ball, axis=1))[:, None]
        ball -= ball.mean(axis=0)
        points = (np.array(here)[:, None, :] + ball * self.radius_nm * 1e-3).reshape(-1, 3)
        weight = 10.0 * PHASE_PER_NM * 4.0 / 3.0 * np.pi * self.radius_nm**3 / each
        return Cloud(points.astype(np.float32), np.full(len(points), weight, dtype=np.float32))
