"""What is asked of the camera and what comes back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mock_serialem.sim.pose import Pose


@dataclass(frozen=True)
class ExposureSetup:
    """One exposure as set up.

    Attributes
    ----------
    camera_set : str
        "V" "F" "T" "R" "P" "S" "M": parameter set of the camera.
    area : str
        Low-dose area in whose optics the image is taken ("P" records in R).
    mag_index : int
    binning : int
        Of physical pixels.
    size_px : (columns, rows)
        Binned.
    exposure_s, drift_settle_s : float
    dose_rate_e_per_a2_s : float
        At the specimen, without sample.
    beam_radius_um : float
        On the specimen; outside it is dark.
    offset_px : (x, y)
        Middle of the recorded area from the middle of the camera: physical pixels, Y up. The beam stays centred on
        the area.
    """

    camera_set: str
    area: str
    mag_index: int
    binning: int
    size_px: tuple[int, int]
    exposure_s: float
    drift_settle_s: float = 0.0
    dose_rate_e_per_a2_s: float = 3.0
    beam_radius_um: float = 1.0
    offset_px: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, eq=False)
class Shot:
    """One image with what the program knows of it (read back, calibrated) and, in `pose`, the truth.

    Attributes
    ----------
    number : int
        Counter of exposures, from 1.
    t_s : float
        Simulated clock at the middle of the exposure.
    pixels : (rows, columns) int16 array
        Top row first. Kinematic: a small noisy patch of the right brightness.
    mean_counts : float
        Mean of the image (kinematic: expected mean over the field).
    electrons_per_pixel : float
        Mean number of electrons in a binned pixel.
    contrast : float
        1 where the field holds a sound amount of detail, 0 where there is nothing to align on.
    beam : float
        Part of the set beam that really reached the sample; 1 unless something went wrong.
    """

    setup: ExposureSetup
    number: int
    t_s: float
    tilt_deg: float
    stage_um: tuple[float, float, float]
    image_shift: tuple[float, float]
    focus_um: float
    pixel_um: float
    rotation_deg: float
    mean_counts: float
    counts_per_electron: float
    dose_e_per_a2: float
    electrons_per_pixel: float
    contrast: float
    pixels: NDArray[np.int16] | None
    pose: Pose
    beam: float = 1.0

    @property
    def field_um(self) -> tuple[float, float]:
        """Width and height of the image on the specimen, along the camera's axes."""
        columns, rows = self.setup.size_px
        return columns * self.pixel_um, rows * self.pixel_um


@dataclass(frozen=True)
class ShiftMeasurement:
    """Shift (um, specimen plane) by which the content of the image must move to match the reference.

    `dx_um` and `dy_um` are None when no peak lies within the limit. `peak` is the height of the
    correlation peak, about 1 for the same image and near 0 for unrelated ones.
    """

    dx_um: float | None
    dy_um: float | None
    peak: float

    @property
    def shift_um(self) -> tuple[float, float] | None:
        """Both components, or None when nothing was found."""
        if self.dx_um is None or self.dy_um is None:
            return None
        return self.dx_um, self.dy_um


class AutofocusResult(NamedTuple):
    """Defocus (um) found with tilted beam, and 0 for good or -1 for failed."""

    defocus_um: float
    code: int


class CtfFit(NamedTuple):
    """Defocus (um, underfocus negative), astigmatism (um), its angle, score and resolution of a power spectrum fit."""

    defocus_um: float
    astigmatism_um: float
    angle_deg: float
    score: float
    resolution_a: float
