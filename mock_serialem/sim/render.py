"""From the sample in its pose to the electrons expected in each pixel.

Scattering points are projected and stamped, bilinearly, into a few slabs by lab height; each slab passes
the contrast transfer of its own defocus; the sum modulates what slab, rim, crystals and beam edge let through.

Pixels: array (rows, columns), top row first. A specimen point s (um from the image centre, Y up) falls on
column = (columns - 1)/2 + c_x and row = (rows - 1)/2 - c_y with c = R(rotation) s / pixel.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from mock_serialem.sim import contamination, ctf
from mock_serialem.sim.features import Box, FeatureStore, Layer, Site
from mock_serialem.sim.matter import Matter
from mock_serialem.sim.pose import Floats, Pose, plane_rotation
from mock_serialem.sim.profiles import MicroscopeProfile
from mock_serialem.sim.raster import Raster, raster, spread
from mock_serialem.sim.sample import Sheet

Floats32 = NDArray[np.float32]

WORKERS = 2
SLABS = 3
SLAB_UM = 0.25
"""Heights within this are given one defocus."""

MARGIN_PX = 16
"""Border drawn around the image, so that fringes of what lies just outside do not come in on the other side."""

DARK_ELECTRONS = 0.05
"""Electrons per pixel below which no structure is drawn."""

CRYSTAL_GRAIN_UM = 0.02


@dataclass(frozen=True, eq=False)
class Patch:
    """Part of an image that shows one site: where in the net it is, and sheet coordinates (um) there, (n,)."""

    site: Site
    u_um: Floats
    v_um: Floats
    here: NDArray[np.bool_]

    @property
    def box(self) -> Box:
        """Range of sheet coordinates shown."""
        u, v = self.u_um, self.v_um
        return float(u.min()), float(v.min()), float(u.max()), float(v.max())


class Renderer:
    """Draws one sample.

    Parameters
    ----------
    profile : MicroscopeProfile
    sheet : Sheet
    matter : Matter
    layers : list of Layer
    crystals : Crystals
    seed : int
        Decides all structure.
    """

    def __init__(
        self,
        profile: MicroscopeProfile,
        sheet: Sheet,
        matter: Matter,
        layers: list[Layer],
        crystals: contamination.Crystals,
        seed: int,
    ) -> None:
        self._profile = profile
        self._sheet = sheet
        self._matter = matter
        self._crystals = crystals
        self._features = FeatureStore(sheet, layers, seed)

    def electrons(
        self, pose: Pose, shape: tuple[int, int], incident: float, beam_radius_um: float
    ) -> Floats32:
        """Expected electrons per pixel.

        Parameters
        ----------
        pose : Pose
            Its pixel is the binned one.
        shape : (rows, columns)
        incident : float
            Electrons per pixel in the beam.
        beam_radius_um : float
        """
        net = raster(pose, shape, self._matter.grain_um)
        patches = self._patches(pose, net)
        image = self._passed(pose, shape, net, patches, beam_radius_um)
        image *= np.float32(incident)
        if float(image.max()) > DARK_ELECTRONS:
            scattered = self._scattered(pose, shape, patches)
            scattered *= np.float32(-2.0)
            scattered += np.float32(1.0)
            image *= np.maximum(scattered, np.float32(0.03), out=scattered)
        return image

    def _patches(self, pose: Pose, net: Raster) -> list[Patch]:
        """Sites in the image; each place of the net belongs to the site nearest on the untilted grid."""
        pitch = self._sheet.spec.site_pitch_um
        i = np.rint((net.x_um - pose.offset_um[0]) / pose.rotation[0, 0] / pitch)
        j = np.rint((net.y_um - pose.offset_um[1]) / pose.rotation[1, 1] / pitch)
        patches = []
        for site_i in range(int(i.min()), int(i.max()) + 1):
            for site_j in range(int(j.min()), int(j.max()) + 1):
                here = (i == site_i) & (j == site_j)
                if here.any():
                    site = (site_i, site_j)
                    x, y = net.x_um[here], net.y_um[here]
                    u, v = self._sheet.meet(pose.rotation, pose.offset_um, x, y, site)
                    patches.append(Patch(site, u, v, here))
        return patches

    def _passed(
        self, pose: Pose, shape: tuple[int, int], net: Raster, patches: list[Patch], beam_radius_um: float
    ) -> Floats32:
        """Share of the beam that arrives at each pixel, fine structure left out."""
        beam = self._sheet.beam(pose.rotation)
        path = np.zeros(net.x_um.shape)
        for patch in patches:
            path[patch.here] = self._matter.path_um(patch.site, patch.u_um, patch.v_um, beam)
        fine = raster(pose, shape, min(CRYSTAL_GRAIN_UM, self._matter.grain_um))
        path_nm = 1e3 * spread(path, net, fine.rows, fine.columns)
        for patch in patches:
            crystals = self._crystals.near(patch.site, patch.box)
            contamination.add_path_nm(path_nm, crystals, pose, fine)
        passed = np.exp(path_nm / -self._profile.ice_mean_free_path_nm)
        distance = np.hypot(fine.x_um, fine.y_um)
        if float(distance.max()) > 0.95 * beam_radius_um:
            passed *= 1.0 / (1.0 + np.exp(np.clip((distance / beam_radius_um - 1.0) / 0.008, -50.0, 50.0)))
        rows, columns = (np.arange(size, dtype=np.float64) for size in shape)
        return spread(passed, fine, rows, columns)

    def _scattered(self, pose: Pose, shape: tuple[int, int], patches: list[Patch]) -> Floats32:
        """Half the contrast of the fine structure, seen through the lens."""
        canvas = (
            scipy.fft.next_fast_len(shape[0] + 2 * MARGIN_PX, real=False),
            scipy.fft.next_fast_len(shape[1] + 2 * MARGIN_PX, real=True),
        )
        projected, weights = self._project(pose, shape, patches)
        slabs, defocus_um = stamp(projected, weights, canvas, pose)
        spectra = scipy.fft.rfft2(slabs, workers=WORKERS, overwrite_x=True)
        pixel_nm = pose.pixel_um * 1e3
        index = ctf.table_index(*canvas)
        for spectrum, defocus in zip(spectra, defocus_um):
            spectrum *= ctf.table(defocus, pixel_nm, self._profile)[index]
        total = spectra[0] if len(spectra) == 1 else spectra.sum(axis=0)
        image = scipy.fft.irfft2(total, canvas, workers=WORKERS, overwrite_x=True)
        seen: Floats32 = image[MARGIN_PX : MARGIN_PX + shape[0], MARGIN_PX : MARGIN_PX + shape[1]]
        return seen

    def _project(self, pose: Pose, shape: tuple[int, int], patches: list[Patch]) -> tuple[Floats32, Floats32]:
        """Canvas column, canvas row and lab height (um) of all scattering points, and their weights (rad)."""
        pixel_nm = pose.pixel_um * 1e3
        to_camera = plane_rotation(pose.rotation_deg) / pose.pixel_um
        to_canvas = np.array(
            [
                [to_camera[0, 0], to_camera[0, 1], 0.0],
                [-to_camera[1, 0], -to_camera[1, 1], 0.0],
                [0.0, 0.0, 1.0],
            ]
        )
        middle = np.array([(shape[1] - 1) / 2.0 + MARGIN_PX, (shape[0] - 1) / 2.0 + MARGIN_PX, 0.0])
        matrix = (to_canvas @ pose.rotation).astype(np.float32)
        lean = self._lean_um(pose) + MARGIN_PX * pose.pixel_um
        projected, weights = [], []
        for patch in patches:
            from_u, from_v, to_u, to_v = patch.box
            box = (from_u - lean, from_v - lean, to_u + lean, to_v + lean)
            start = to_canvas @ (pose.rotation @ self._sheet.origin_um(patch.site) + pose.offset_um) + middle
            for cloud in self._features.within(patch.site, box, pixel_nm):
                projected.append(cloud.points_um @ matrix.T + start.astype(np.float32))
                weights.append(cloud.weights)
        if not projected:
            return np.zeros((0, 3), np.float32), np.zeros(0, np.float32)
        return np.concatenate(projected), np.concatenate(weights) * np.float32(pixel_nm**-2)

    def _lean_um(self, pose: Pose) -> float:
        """How far from the mid-surface's place points at the faces of the sample can appear."""
        along_u, along_v, _ = self._sheet.beam(pose.rotation)
        return 0.5e-3 * self._sheet.spec.thickness_nm * max(abs(along_u), abs(along_v))


def stamp(
    projected: Floats32, weights: Floats32, canvas: tuple[int, int], pose: Pose
) -> tuple[Floats32, list[float]]:
    """Add points to slabs by height, each point shared by the four pixels around it.

    Parameters
    ----------
    projected : (n, 3) array
        Column, row, lab height (um).
    weights : (n,) array
    canvas : (rows, columns)
    pose : Pose

    Returns
    -------
    slabs : (slabs, rows, columns) array
    defocus_um : list
        Of each slab.
    """
    rows, columns = canvas
    column, row = np.floor(projected[:, 0]), np.floor(projected[:, 1])
    inside = (column >= 0) & (row >= 0) & (column < columns - 1) & (row < rows - 1)
    projected, weights, column, row = projected[inside], weights[inside], column[inside], row[inside]
    if not weights.size:
        return np.zeros((1, rows, columns), np.float32), [pose.defocus_um]
    height = projected[:, 2]
    low, high = float(height.min()), float(height.max()) + 1e-6
    count = min(max(math.ceil((high - low) / SLAB_UM), 1), SLABS)
    slab = ((height - low) * (count / (high - low))).astype(np.int64)
    np.minimum(slab, count - 1, out=slab)
    right, down = projected[:, 0] - column, projected[:, 1] - row
    first = (slab * rows + row.astype(np.int64)) * columns + column.astype(np.int64)
    lower = weights * down
    upper = weights - lower
    shares = (upper * (1.0 - right), upper * right, lower * (1.0 - right), lower * right)
    corners = np.concatenate([first, first + 1, first + columns, first + columns + 1])
    stamped = np.bincount(corners, np.concatenate(shares), minlength=count * rows * columns)
    steps = (np.arange(count) + 0.5) / count * (high - low) + low
    return (
        stamped.astype(np.float32).reshape(count, rows, columns),
        [pose.defocus_at(float(step)) for step in steps],
    )
