import dataclasses

import numpy as np
import pytest
import scipy.ndimage

from mock_serialem.sim.pose import plane_rotation
from mock_serialem.sim.sample import LamellaSpec

PLACES = ((0.10, -0.05, 0.06), (-0.12, 0.08, -0.05), (0.02, 0.11, 0.0))
EMPTY = LamellaSpec(
    pretilt_deg=0.0,
    rotation_deg=0.0,
    curvature_um=(0.0, 0.0),
    thickness_nm=20.0,
    contamination_per_um2=0.0,
    vesicles_per_um2=0.0,
    particles_per_um2=0.0,
)
BEADS = dataclasses.replace(EMPTY, fiducials_um=PLACES)


@pytest.mark.parametrize("tilt", [0.0, 35.0, -60.0])
def test_beads_show_where_the_pose_says_and_nowhere_else(make_ideal, record, tilt):
    world = make_ideal(BEADS, fidelity="rendered")
    world.tilt_to(tilt)
    world.set_focus(-4.0)
    shot = world.expose(record(binning=8, size_px=(720, 512), exposure_s=10.0))
    calm = scipy.ndimage.gaussian_filter(shot.pixels.astype(float), 6)
    labels, count = scipy.ndimage.label(calm < 0.9 * np.median(calm))
    spots = scipy.ndimage.center_of_mass(np.median(calm) - calm, labels, range(1, count + 1))
    turn = plane_rotation(shot.pose.rotation_deg) / shot.pose.pixel_um
    seen = [turn @ np.array(shot.pose.where(place)[:2]) for place in PLACES]
    expected = sorted((255.5 - y, 359.5 + x) for x, y in seen)
    assert count == len(PLACES)
    assert np.abs(np.array(sorted(spots)) - expected).max() < 1.5


def test_beads_belong_to_the_first_site_only(make_ideal, record):
    """At the next site of the grid there is no bead at the same place."""
    world = make_ideal(BEADS, fidelity="rendered")
    world.move_stage_to(-BEADS.site_pitch_um, 0.0, 0.0)
    shot = world.expose(record(binning=8, size_px=(720, 512), exposure_s=10.0))
    calm = scipy.ndimage.gaussian_filter(shot.pixels.astype(float), 6)
    assert calm.min() > 0.97 * calm.mean()
