"""Tilt axis, tilt signs and alignment as exported, judged by where known points come out in the reconstruction.

The sample carries beads at known places. It is tilted and recorded on the simulated microscope; the series is exported,
and what is reconstructed by weighted back-projection from the exported files alone must show the beads at their places
and not at those of the mirror image. How the places lie in a tomogram follows from the sample alone: with the tilt
axis, the sample's x, turned to the image's y, what lies across it, at y, comes to -x, and heights stay heights.
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
from pacetomo.files.stack import read_header, read_section

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
TILTS = np.arange(-60, 61, 6)
VOXEL_UM = 5.3e-3
HALF = 32
"""Voxels on either side of the centre of the volume."""


def record_series(folder, microscope):
    """Record the sample at tilts on an ideal stage, through SerialEM's commands and nothing of pacetomo's."""
    stage = dataclasses.replace(IDEAL, eucentric_error_um=0.0)
    scope = dataclasses.replace(microscope, area_misalignment_um={})
    session = Session(World(WorldConfig(BEADS, stage, scope, 5, "rendered"), TruthLog(None)), folder)
    sem = make_module(session)
    sem.SetLowDoseMode(1)
    sem.GoToLowDoseArea("R")
    sem.SetDefocus(-6.0)
    sem.SetBinning("R", 8)
    sem.SetExposure("R", 4)
    sem.OpenNewFile("beads_ts_001.mrc")
    for tilt in TILTS:
        sem.TiltTo(float(tilt))
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
    voxel_px = VOXEL_UM / (read_header(stack).pixel_size_angstrom * 1e-4)
    grid = np.arange(-HALF, HALF + 1) * voxel_px
    volume = np.zeros((len(grid),) * 3)
    for section, tilt in enumerate(np.radians(tilts)):
        image = aligned(read_section(stack, section).astype(float), transformations[section])
        image = scipy.ndimage.gaussian_filter(np.median(image) - image, voxel_px)
        ramp = np.abs(np.fft.rfftfreq(image.shape[1]))
        image = np.fft.irfft(np.fft.rfft(image, axis=1) * ramp, image.shape[1], axis=1)
        rows, columns = ((size - 1) / 2 for size in image.shape)
        seen = grid[None, :] * np.cos(tilt) + grid[:, None] * np.sin(tilt)  # (z, x)
        y, x = np.broadcast_arrays(grid[None, :, None] + rows, seen[:, None, :] + columns)
        volume += scipy.ndimage.map_coordinates(image, [y, x], order=1)
    return volume


def in_voxels(places_um):
    """Places of the sample as (z, y, x) in the volume."""
    along, across, height = places_um.T / VOXEL_UM
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
    stack = record_series(tmp_path, PROFILES[name][1])
    assert main(["export", "--for", "imod", str(stack)]) == 0
    volume = back_projected(stack, tmp_path / "export_imod")
    places = in_voxels(PLACES_UM)
    for place in places:
        assert np.abs(brightest(volume, place) - place).max() < 1.6
    own = density(volume, places)
    for mirror in ([1, 1, -1], [1, -1, 1], [-1, 1, 1]):
        assert density(volume, in_voxels(PLACES_UM * mirror)) < 0.2 * own


def test_an_axis_that_is_off_by_six_degrees_would_be_noticed(tmp_path):
    stack = record_series(tmp_path, PROFILES["krios"][1])
    assert main(["export", "--for", "imod", str(stack)]) == 0
    places = in_voxels(PLACES_UM)
    own = density(back_projected(stack, tmp_path / "export_imod"), places)
    path = tmp_path / "export_imod" / f"{stack.stem}.xf"
    lines = np.loadtxt(path)
    lines[:, :4] = [(turn(6.0) @ line.reshape(2, 2)).ravel() for line in lines[:, :4]]
    np.savetxt(path, lines)
    assert density(back_projected(stack, tmp_path / "export_imod"), places) < 0.2 * own


def turn(angle_deg):
    c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    return np.array([[c, -s], [s, c]])


def relion_projection(view, size_px):
    """Projection of RELION 5: volume (Å from its centre) to columns and rows (px), rows counted upwards."""
    tilt, spin = np.radians(view.rlnTomoYTilt), view.rlnTomoZRot
    about_y = np.array([[np.cos(tilt), 0, np.sin(tilt)], [0, 1, 0]])
    shift = np.array([view.rlnTomoXShiftAngst, view.rlnTomoYShiftAngst])

    def project(places_angstrom, pixel_angstrom):
        seen = places_angstrom @ (turn(spin) @ about_y).T + shift
        return seen / pixel_angstrom + np.array(size_px) // 2

    return project


def test_relion_projects_the_beads_to_where_they_are_in_the_images(tmp_path):
    stack = record_series(tmp_path, PROFILES["krios"][1])
    assert main(["export", "--for", "relion5", str(stack)]) == 0
    tables = starfile.read(tmp_path / "export_relion5" / "tilt_series.star", always_dict=True)["global"]
    views = starfile.read(tmp_path / "export_relion5" / tables.rlnTomoTiltSeriesStarFile[0])
    pixel = tables.rlnTomoTiltSeriesPixelSize[0]
    along, across, height = PLACES_UM.T * 1e4
    places = np.stack([-across, along, height], axis=1)
    for section, (_, view) in enumerate(views.iterrows()):
        image = scipy.ndimage.gaussian_filter(read_section(stack, section).astype(float), 4)
        columns, rows = relion_projection(view, image.shape[::-1])(places, pixel).T
        dark = np.median(image) - scipy.ndimage.map_coordinates(image, [rows, columns], order=1)
        assert dark.min() > 0.1 * np.median(image)


def residuals_px(folder, number, microscope):
    """Where the target of section 0 truly lies in each image, in pixels from its centre, X right, Y up."""
    mag = {each.index: each for each in microscope.magnifications}[microscope.area_mag_index["R"]]
    binning = 4  # of the Record area in a fresh session
    away_um = np.array([(line["residual_x_um"], line["residual_y_um"]) for line in saved(folder, number)])
    return away_um @ turn(mag.rotation_deg).T / (mag.pixel_nm * 1e-3 * binning)


def rms(vectors):
    return float(np.sqrt((vectors**2).sum(axis=1).mean()))


@pytest.mark.parametrize(
    ("name", "fidelity"),
    [("krios", "kinematic"), ("cryoarm", "kinematic"), ("side-entry", "kinematic"), ("krios", "rendered")],
)
def test_what_tracking_has_measured_aligns_the_images(tmp_path, name, fidelity):
    stage, microscope = PROFILES[name]
    given = {"minTilt": -15, "maxTilt": 15} if fidelity == "rendered" else {"minTilt": -30, "maxTilt": 30}
    acquire_on(
        tmp_path, LamellaSpec(), stage, microscope, targets=1, alignLimit=0.8, fidelity=fidelity, **given
    )
    assert main(["export", "--for", "imod", str(tmp_path / "lamella_ts_001.mrc")]) == 0
    lines = np.loadtxt(tmp_path / "export_imod" / "lamella_ts_001.xf")
    raw = residuals_px(tmp_path, 1, microscope)
    assert len(raw) == len(lines)
    turned = np.array([line[:4].reshape(2, 2) @ seen for line, seen in zip(lines, raw)])
    assert rms(turned + lines[:, 4:]) < 0.4 * rms(raw)
    for wrong in ([-1, -1], [-1, 1], [1, -1]):
        assert rms(turned + lines[:, 4:] * wrong) > rms(turned + lines[:, 4:])
