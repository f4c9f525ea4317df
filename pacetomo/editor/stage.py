"""How the stage moves the sample, as coordinates in a target file tell it. Pure."""

from __future__ import annotations

import math

import numpy as np

from pacetomo.frames import Matrix2
from pacetomo.targets import TargetSet

OFF_SCALE = 0.2
"""A stage moves the sample by as many µm as it says; coordinates that differ by more than this share are wrong."""


def fitted_matrix(targets: TargetSet, picked_at_deg: float) -> Matrix2 | None:
    """Stage to specimen matrix by least squares over targets that have both kinds of coordinates.

    Specimen Y is taken back to the plane of the stage by the cosine of the tilt at which they were picked.

    Returns
    -------
    Matrix2 or None
        None where fewer than three targets tell, they lie in a row, contradict each other by more than 5 %, or a µm of
        the stage would not be about a µm of the specimen in every direction.
    """
    both = [
        (t.shift_um, t.stage_um) for t in targets.targets if t.shift_um is not None and t.stage_um is not None
    ]
    if len(both) < 3:
        return None
    seen = np.array([shift for shift, _ in both], dtype=np.float64) - np.array(both[0][0])
    seen[:, 1] /= math.cos(math.radians(picked_at_deg))
    stage = np.array([place for _, place in both]) - np.array(both[0][1])
    solution, _, rank, singular = np.linalg.lstsq(stage, seen, rcond=None)
    if rank < 2 or singular[1] < 0.02 * singular[0]:
        return None
    if np.abs(stage @ solution - seen).max() > 0.05 * np.abs(seen).max():
        return None
    matrix = Matrix2(*(float(value) for value in solution.T.ravel()))
    return matrix if is_plausible(matrix) else None


def is_plausible(stage_to_specimen: Matrix2) -> bool:
    """Whether a µm of the stage is about a µm of the specimen in every direction, as on any microscope."""
    m = stage_to_specimen
    scales = np.linalg.svd(np.array([[m.xpx, m.xpy], [m.ypx, m.ypy]]), compute_uv=False)
    return bool(1 - OFF_SCALE < scales[1] and scales[0] < 1 + OFF_SCALE)
