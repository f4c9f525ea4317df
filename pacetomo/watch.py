"""Watching the images of a run: what speaks for ending a target on its branch. Pure judgement, no microscope."""

from __future__ import annotations

from pacetomo.frames import XY
from pacetomo.schemes import Branch
from pacetomo.scope.protocol import Shot


class Watch:
    """Judges each image of a run by limits and by the target's own history.

    Parameters
    ----------
    min_counts_per_s : float
        Mean counts per second under which an image is dark; 0 for no such limit.
    """

    def __init__(self, min_counts_per_s: float) -> None:
        self._min_counts_per_s = min_counts_per_s

    def judge(
        self, target: int, branch: Branch, tilt_deg: float, shot: Shot, residual_um: XY | None
    ) -> str | None:
        """Why the target ends on this branch after this image; None if it goes on.

        `residual_um` is where the target was seen relative to the image centre, None when that could not be told.
        """
        if 0 < self._min_counts_per_s and shot.mean_counts < self._min_counts_per_s * shot.exposure_s:
            return f"is dark: {shot.mean_counts:.0f} counts, {self._min_counts_per_s:g} per second are wanted"
        return None
