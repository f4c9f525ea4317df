"""The column's matrices: as they are, and as its operator measured them.

True and measured values differ by errors drawn once per session: a scale error for each axis and a
rotation error per matrix, a scale error per pixel size. Setting the profile's error sizes to zero makes
the operator perfect.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mock_serialem.sim.pose import plane_rotation
from mock_serialem.sim.profiles import Magnification, MicroscopeProfile

Floats = NDArray[np.float64]


class Optics:
    """Matrices of one column and its stage.

    Parameters
    ----------
    profile : MicroscopeProfile
    stage_motion : (2, 2) array
        True motion of the specimen for a motion of the stage.
    rng : numpy Generator
        Draws the errors of the calibrations.
    """

    def __init__(self, profile: MicroscopeProfile, stage_motion: Floats, rng: np.random.Generator) -> None:
        self.profile = profile
        self._mags = {mag.index: mag for mag in profile.magnifications}
        self._stage_motion = stage_motion
        self._stage_error = self._error_matrix(rng)
        self._coma_error = self._error_matrix(rng)
        self._is_errors = {index: self._error_matrix(rng) for index in self._mags}
        size, turn = profile.calibration_scale_error, profile.calibration_rotation_error_deg
        # A pixel size is known better than a deflector's throw.
        self._pixel_errors = {index: 1.0 + 0.5 * size * self._clipped(rng) for index in self._mags}
        self._rotation_errors = {index: turn * self._clipped(rng) for index in self._mags}
        # Asked for at every command that has to do with image shift, so made once.
        self._true_is = {index: _fixed(self._throw(mag)) for index, mag in self._mags.items()}
        self._is = {index: _fixed(self._is_errors[index] @ true) for index, true in self._true_is.items()}

    @staticmethod
    def _clipped(rng: np.random.Generator) -> float:
        """A standard normal number kept within +-1.5: nobody works with a calibration 3 sigma off."""
        return float(np.clip(rng.standard_normal(), -1.5, 1.5))

    def _error_matrix(self, rng: np.random.Generator) -> Floats:
        size, turn = self.profile.calibration_scale_error, self.profile.calibration_rotation_error_deg
        scale = np.diag([1.0 + size * self._clipped(rng), 1.0 + size * self._clipped(rng)])
        return plane_rotation(turn * self._clipped(rng)) @ scale

    def _throw(self, mag: Magnification) -> Floats:
        scale = self.profile.is_scale
        mirror = np.diag([scale, -scale if self.profile.is_mirrored else scale])
        return plane_rotation(mag.is_rotation_deg) @ mirror

    def mag(self, index: int) -> Magnification:
        """Line of the magnification table; KeyError if there is none."""
        return self._mags[index]

    # --- truth

    def true_is_to_specimen(self, index: int) -> Floats:
        """Specimen point (um) that is centred per unit of raw image shift; a mirror makes it left-handed."""
        return self._true_is[index]

    def true_pixel_um(self, index: int) -> float:
        """Physical pixel on the specimen."""
        return self.mag(index).pixel_nm * 1e-3

    def true_rotation_deg(self, index: int) -> float:
        """From the image's x axis counter-clockwise to the tilt axis."""
        return self.mag(index).rotation_deg

    # --- what the operator measured

    def is_to_specimen(self, index: int) -> Floats:
        """Calibrated counterpart of `true_is_to_specimen`."""
        return self._is[index]

    def stage_to_specimen(self) -> Floats:
        """Specimen point (um) that is centred per um of stage motion: opposite to the specimen's own motion."""
        return -(self._stage_error @ self._stage_motion)

    def pixel_um(self, index: int) -> float:
        """Calibrated physical pixel."""
        return self.true_pixel_um(index) * self._pixel_errors[index]

    def rotation_deg(self, index: int) -> float:
        """Calibrated image rotation."""
        return self.true_rotation_deg(index) + self._rotation_errors[index]

    def is_to_beam_tilt(self) -> Floats:
        """Beam tilt (mrad) that undoes the coma of one unit of raw image shift."""
        strength = self.profile.coma_mrad_per_um * self.profile.is_scale
        return self._coma_error @ (plane_rotation(-37.0) * strength)

    def measured_from_true(self, index: int) -> Floats:
        """2x2: what a true specimen shift is taken for, seen in pixels and calibrated pixel size and rotation."""
        turn = self.true_rotation_deg(index) - self.rotation_deg(index)
        return plane_rotation(turn) * (self.pixel_um(index) / self.true_pixel_um(index))


def _fixed(matrix: Floats) -> Floats:
    """Keep a matrix that is handed out from being changed."""
    matrix.flags.writeable = False
    return matrix
