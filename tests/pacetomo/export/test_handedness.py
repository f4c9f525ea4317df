"""Tilt axis, tilt signs and alignment as exported, judged by where known points come out in the reconstruction.

The sample carries beads at known places. It is tilted and recorded on the simulated microscope; the series is exported,
and what is reconstructed by weighted back-projection from the exported files alone must show the beads at their places
and not at those of the mirror image. How the places lie in a tomogram follows from the sample alone: with the tilt axis,
the sample's x, turned to the image's y, what lies across it, at y, comes to -x, and heights stay heights.
"""

import dataclasses

import numpy as np
import pytest
import scipy.ndimage
import starfile
from simulated import acquire_on, saved

from mock_serialem.module import make_module
from mock_serialem.session import Session
from mock_serialem.sim.profiles import IDEAL, PROFILES
from mock_serialem.sim.sample import LamellaSpec
from mock_serialem.sim.truth import TruthLog
from mock_serialem.sim.world import World, WorldConfig
from pacetomo.cli import main
from pacetomo.files.exchange import mdoc_of
from pacetomo.files.stack import read_section

PLACES_UM = np.array(
    [
        (0.10, -0.05, 0.06),
        (-0.11, 0.08, -0.05),
        (0.02, 0.11, 0.02),
        (-0.06, -0.10, 0.09),
        (0.09, 0.07, -0.08),
    ]
)
"""Along the tilt axis, across it, towards the electron source; no mirror image of it fits onto it."""

BEADS = LamellaSpec(
    pretilt_deg=0.0,
    rotation_deg=0.0,
    curvature_um=(0.0, 0.0),
    thickness_nm=20.0,
    contamination_per_um2=0.0,
    vesicles_per_um2=0.0,
    particles_per_um2=0.0,
    fiducials_um=tuple(map(tuple, PLACES_UM)),
)
BINNED_PX_UM = 1.06e-3
VOXEL_PX = 4
HALF = 40
"""Voxels on either side of the centre of the volume."""


def record_series(folder, microscope, tilts):
    """Record the sample at tilts on an ideal stage, through SerialEM's commands and nothing of pacetomo's."""
    stage = dataclasses.replace(IDEAL, eucentric_error_um=0.0)
    scope = dataclasses.replace(microscope, area_misalignment_um={})
    session = Session(World(WorldConfig(BEADS, stage, scope, 5, "rendered"), TruthLog(None)), folder)
    sem = make_module(session)
    sem.SetLowDoseMode(1)
    sem.GoToLowDoseArea("R")
    sem.SetDefocus(-6.0)
    pixels_um = {mag.index: mag.pixel_nm * 1e-3 for mag in microscope.magnifications}
    sem.SetBinning("R", round(BINNED_PX_UM / pixels_um[microscope.area_mag_index["R"]]))
    sem.SetExposure("R", 4)
    sem.OpenNewFile("beads_ts_001.mrc")
    for tilt in tilts:
        sem.TiltTo(tilt)
        sem.R()
        sem.S()
    return folder / "beads_ts_001.mrc"


def aligned(image, line):
    """An image after IMOD's transformation ``X' = A (X - centre) + d + centre``; rows count upwards."""
    matrix, shift = line[:4].reshape(2, 2), line[4:]
    centre = (np.array(image.shape[::-1]) - 1) / 2
    back = np.linalg.inv(matrix)
    start = centre - back @ (centre + shift)
    flip = slice(None, None, -1)  # scipy counts (row, column), IMOD (x, y)
    return scipy.ndimage.affine_transform(
        image, back[flip, flip], start[flip], order=1, mode="constant", cval=float(np.median(image))
    )


def back_projected(stack, folder):
    """The volume (z, y, x) by plain weighted back-projection with the tilt axis along y, dark matter positive."""
    tilts = np.loadtxt(folder / f"{stack.stem}.tlt")
    transformations = np.loadtxt(folder / f"{stack.stem}.xf")
    grid = np.arange(-HALF, HALF + 1) * VOXEL_PX
    volume = np.zeros((len(grid),) * 3)
    for section, tilt in enumerate(np.radians(tilts)):
        image = aligned(read_section(stack, section).astype(float), transformations[section])
        image = scipy.ndimage.gaussian_filter(np.median(image) - image, VOXEL_PX)
        ramp = np.abs(np.fft.rfftfreq(image.shape[1]))
        image = np.fft.irfft(np.fft.rfft(image, axis=1) * ramp, image.shape[1], axis=1)
        rows, columns = ((size - 1) / 2 for size in image.shape)
        seen = grid[None, :] * np.cos(tilt) + grid[:, None] * np.sin(tilt)  # (z, x)
        y, x = np.broadcast_arrays(grid[None, :, None] + rows, seen[:, None, :] + columns)
        volume += scipy.ndimage.map_coordinates(image, [y, x], order=1)
    return volume


def in_voxels(places_um, pixel_um):
    """Places of the sample as (z, y, x) in the volume."""
    along, across, height = places_um.T / (pixel_um * VOXEL_PX)
    return np.stack([height, along, -across], axis=1) + HALF


def density(volume, places):
    return scipy.ndimage.map_coordinates(volume, places.T, order=1).mean()


def brightest(volume, near):
    """Place of the largest value within 4 voxels."""
    z, y, x = near.round().astype(int)
    box = volume[z - 4 : z + 5, y - 4 : y + 5, x - 4 : x + 5]
    return np.array(np.unravel_index(box.argmax(), box.shape)) - 4 + near.round()


@pytest.mark.parametrize("name", ["krios", "cryoarm", "side-entry"])
def test_what_is_reconstructed_from_the_export_has_its_places_and_its_hand(tmp_path, name):
    microscope = PROFILES[name][1]
    stack = record_series(tmp_path, microscope, np.arange(-60, 61, 5))
    assert main(["export", "--for", "imod", str(stack)]) == 0
    volume = back_projected(stack, tmp_path / "export_imod")
    places = in_voxels(PLACES_UM, BINNED_PX_UM)
    for place in places:
        assert np.abs(brightest(volume, place) - place).max() < 2.0
    own = density(volume, places)
    for mirror in ([1, 1, -1], [1, -1, 1], [-1, 1, 1]):
        assert density(volume, in_voxels(PLACES_UM * mirror, BINNED_PX_UM)) < 0.2 * own
