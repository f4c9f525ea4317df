"""From which side the stage comes to a tilt."""

from __future__ import annotations

BACKLASH_DEG = 8.0
"""Play of a goniometer is some degrees; what is not taken up here is taken for the height of the targets later."""


def approach_deg(tilt_deg: float, direction: float, max_tilt_deg: float) -> float:
    """Tilt to go to first, so that the stage reaches `tilt_deg` moving in a direction (+1 up, -1 down).

    As far back as backlash needs, or as the stage's limits (±`max_tilt_deg`) allow.

    >>> approach_deg(30.0, 1.0, 70.0), approach_deg(30.0, -1.0, 70.0), approach_deg(-66.0, 1.0, 70.0)
    (22.0, 38.0, -70.0)
    """
    return max(-max_tilt_deg, min(max_tilt_deg, tilt_deg - direction * BACKLASH_DEG))
