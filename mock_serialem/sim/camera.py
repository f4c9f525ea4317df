"""The camera: electrons behind the sample become counts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mock_serialem.sim.contamination import Crystals, path_through_um
from mock_serialem.sim.matter import make_matter
from mock_serialem.sim.pose import Floats, Pose, plane_rotation
from mock_serialem.sim.profiles import MicroscopeProfile
from mock_serialem.sim.render import Renderer
from mock_serialem.sim.sample import Placement, Sheet
from mock_serialem.sim.shot import ExposureSetup

PATCH_PX = 32
"""Side of the small image that stands for a frame in kinematic fidelity."""

FEW_ELECTRONS = 12.0
"""Below this mean the Poisson distribution is drawn as such, above as a normal one."""


@dataclass(frozen=True, eq=False)
class Frame:
    """Pixels with their expected brightness and amount of detail; see `Shot` for the fields."""

    pixels: NDArray[np.int16]
    mean_counts: float
    electrons_per_pixel: float
    contrast: float


class Camera:
    """Takes images, rendered or as a noisy patch of the right brightness.

    Parameters
    ----------
    profile : MicroscopeProfile
    sheet : Sheet
    seed : int
        Decides the structure of the sample.
    rng : numpy Generator
        Draws the noise.
    """

    def __init__(self, profile: MicroscopeProfile, sheet: Sheet, seed: int, rng: np.random.Generator) -> None:
        self._profile = profile
        self._sheet = sheet
        self._matter, layers = make_matter(sheet.spec, seed)
        self._crystals = Crystals(sheet, seed)
        self._renderer = Renderer(profile, sheet, self._matter, layers, self._crystals, seed)
        self._rng = rng

    def take(self, setup: ExposureSetup, pose: Pose, placement: Placement, rendered: bool) -> Frame:
        """One exposure of the sample in `pose`."""
        patch = self._patch(setup, pose, placement)
        if not rendered:
            return patch
        columns, rows = setup.size_px
        incident = self.incident_electrons(setup, pose)
        electrons = self._renderer.electrons(pose, (rows, columns), incident, setup.beam_radius_um)
        pixels = self.counts(electrons)
        return Frame(pixels, float(pixels.mean()), float(electrons.mean()), patch.contrast)

    def _patch(self, setup: ExposureSetup, pose: Pose, placement: Placement) -> Frame:
        """Kinematic frame: brightness and detail from nine places of the field."""
        x, y, u, v = self._nine_places(setup, pose, placement)
        beam = self._sheet.beam(pose.rotation)
        path_nm = 1e3 * self._matter.path_um(placement.site, u, v, beam)
        here = (placement.u_um, placement.v_um, placement.u_um, placement.v_um)
        path_nm += 1e3 * path_through_um(self._crystals.near(placement.site, here), pose, x, y)
        passed = float(np.mean(np.exp(-path_nm / self._profile.ice_mean_free_path_nm)))
        electrons = self.incident_electrons(setup, pose) * passed
        detail = float(np.mean(self._matter.detail(placement.site, u, v)))
        pixels = self.counts(np.full((PATCH_PX, PATCH_PX), electrons, dtype=np.float32))
        return Frame(pixels, electrons * self._profile.camera.counts_per_electron, electrons, detail)

    def _nine_places(self, setup: ExposureSetup, pose: Pose, placement: Placement) -> tuple[Floats, ...]:
        """Specimen x, y and sheet u, v of a 3 x 3 raster over the field, by the slope of the sheet at its centre."""
        columns, rows = setup.size_px
        across = np.array([-0.35, 0.0, 0.35])
        px = np.repeat(across * columns, 3) * pose.pixel_um
        py = np.tile(across * rows, 3) * pose.pixel_um
        lab = plane_rotation(-pose.rotation_deg) @ np.stack([px, py])
        to_lab = (pose.rotation @ self._sheet.turn)[:2, :2]
        u, v = np.linalg.inv(to_lab) @ lab
        return lab[0], lab[1], placement.u_um + u, placement.v_um + v

    def incident_electrons(self, setup: ExposureSetup, pose: Pose) -> float:
        """Electrons per binned pixel without sample."""
        return setup.dose_rate_e_per_a2_s * setup.exposure_s * (pose.pixel_um * 1e4) ** 2

    def counts(self, electrons: NDArray[np.float32]) -> NDArray[np.int16]:
        """Draw shot noise and scale to counts."""
        mean = float(electrons.mean())
        if mean < FEW_ELECTRONS:
            drawn = self._rng.poisson(np.maximum(electrons, 0.0)).astype(np.float32)
        else:
            drawn = self._rng.standard_normal(electrons.shape, dtype=np.float32)
            drawn *= np.sqrt(np.maximum(electrons, 0.0))
            drawn += electrons
        drawn *= np.float32(self._profile.camera.counts_per_electron)
        np.clip(np.rint(drawn, out=drawn), 0, math.floor(np.iinfo(np.int16).max), out=drawn)
        return drawn.astype(np.int16)
