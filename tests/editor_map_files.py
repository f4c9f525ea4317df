"""A Navigator file with a map: holes in carbon, lying rotated on the sample."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import mrcfile
import numpy as np

from pacetomo.frames import XY


def write_map(
    folder: Path,
    holes_um: Sequence[XY],
    width_um: float,
    pixels: int = 1024,
    turn_deg: float = 25.0,
    radius_um: float = 0.6,
    noise: float = 80.0,
) -> Path:
    """A map around the stage position (0, 0) that shows bright holes at these stage positions; its Navigator file.

    Stage X runs to the right of the map turned by `turn_deg`, and Y upwards; pixels of a map count downwards.
    """
    turn, scale = math.radians(turn_deg), pixels / width_um
    matrix = np.array(
        [
            [scale * math.cos(turn), -scale * math.sin(turn)],
            [-scale * math.sin(turn), -scale * math.cos(turn)],
        ]
    )
    rows, columns = np.mgrid[0:pixels, 0:pixels].astype(np.float32)
    image = 900.0 + noise * np.random.default_rng(1).standard_normal((pixels, pixels), dtype=np.float32)
    for hole in holes_um:
        x, y = matrix @ np.array(hole) + pixels / 2
        within = np.hypot(columns + 0.5 - x, rows + 0.5 - y) < radius_um * scale
        image[within] += 900.0
    path = folder / "maps.mrc"
    with mrcfile.new(path) as mrc:
        mrc.set_data(np.flipud(image).astype(np.int16))  # files count rows upwards
        mrc.voxel_size = width_um / pixels * 1e4
    navigator = folder / "session.nav"
    navigator.write_text(
        f"AdocVersion = 2.00\nLastSavedAs = {navigator}\n\n[Item = 7-A]\nColor = 2\nStageXYZ = 0 0 0\nNumPts = 5\n"
        f"Regis = 1\nType = 2\nNote = Sec 0 - maps.mrc\nMapFile = {path}\nMapID = 1234\nMapMontage = 0\n"
        "MapSection = 0\n"
        f"MapBinning = 1\nMapScaleMat = {' '.join(f'{value:.6f}' for value in matrix.ravel())}\n"
        f"MapWidthHeight = {pixels} {pixels}\nPtsX = 0 1 1 0 0\nPtsY = 0 0 1 1 0\n"
    )
    return navigator
