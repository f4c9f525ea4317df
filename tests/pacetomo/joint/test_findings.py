"""What is read off a belief, on data drawn from the model's own equations and on planes that are known."""

import math
import re

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from simulated_joint import Session, World, grid

from pacetomo.frames import XY
from pacetomo.geometry import SamplePlane
from pacetomo.joint import JointModel
from pacetomo.joint.contrast_findings import contrast
from pacetomo.joint.findings import _measured, findings
from pacetomo.joint.rows import AXIS, Geometry
from pacetomo.joint.seen_plane import SeenPlane
from pacetomo.schemes import Branch, DoseSymmetric
from pacetomo.tracking import Observation, Start


def starts_on(plane, start_deg, places):
    """Targets as they are set up when the sample is taken to be that plane."""
    return {
        number: Start(
            seen, plane.untilted(seen, start_deg).y, plane.height_um(plane.untilted(seen, start_deg)), True
        )
        for number, seen in places.items()
    }


degrees = st.floats(-25, 25)
turns = st.floats(-40, 40)


@given(
    true=st.tuples(degrees, turns),
    assumed=st.tuples(degrees, turns),
    start_deg=st.sampled_from([0.0, 12.0, -9.0]),
)
@settings(max_examples=60)
def test_the_plane_is_the_one_whose_heights_the_targets_have(true, assumed, start_deg):
    assume(abs(true[0]) > 2 and abs(assumed[0]) > 2)
    true, assumed = SamplePlane(*true), SamplePlane(*assumed)
    places = grid()
    starts = starts_on(assumed, start_deg, places)
    seen = SeenPlane.of(Geometry(starts, start_deg, 1), assumed)
    # p and q by their definition: what the truth lies higher along the beam, by X and distance from the axis.
    higher = [true.rise_um(at, start_deg) - assumed.rise_um(at, start_deg) for at in places.values()]
    centre = starts[1]
    arms = [(s.shift_um.x - centre.shift_um.x, s.n0_um - centre.n0_um) for s in starts.values()]
    added = np.linalg.lstsq(np.array(arms), np.array(higher), rcond=None)[0]
    found = seen.plane(added)
    assert tuple(found.slopes()) == pytest.approx(tuple(true.slopes()), abs=1e-6)


def test_targets_put_onto_another_surface_lie_on_that_one():
    assumed, measured = SamplePlane(-4.0, 0.0), SamplePlane(-9.0, 6.0)
    starts = starts_on(measured, 9.0, grid())
    found = SeenPlane.of(Geometry(starts, 9.0, 1), assumed).plane(np.zeros(2))
    assert (found.pretilt_deg, found.rotation_deg) == pytest.approx((-9.0, 6.0), abs=1e-4)


STOPS = DoseSymmetric(0.0, -51, 51, 3, 2).stops()


def level(world):
    """A world whose sample is the plane that it is taken to be."""
    world.higher_um = dict.fromkeys(world.higher_um, 0.0)
    world.height_um = 0.0
    return world


def belief_after(world, **given):
    model = JointModel(world.starts(), world.start_deg)
    Session(world, model, **given).run()
    return model


@pytest.mark.parametrize("axis_um", [1.5, -1.5])
def test_an_axis_offset_is_told_as_what_to_add_to_serialem_s(axis_um):
    world = level(World(4, grid(), 0.0, STOPS, axis_um=axis_um))
    (found,) = [one for one in belief_after(world).findings() if one.name == "axis"]
    # Targets that lie farther along Y from the axis than thought: the axis lies the other way.
    assert abs(found.value + axis_um) < 3 * found.sigma < 0.9
    assert f"add {found.value:+.2f} µm" in found.cure


def test_the_axis_offset_has_the_error_it_claims():
    apart = []
    for seed in range(12):
        world = level(World(seed, grid(2), 0.0, DoseSymmetric(0.0, -48, 48, 6, 2).stops()))
        belief = belief_after(world)._belief
        value, sigma = _measured(belief.motion.cautious(belief.stars), AXIS)
        apart.append((value - world.axis_um) / sigma)
    assert 0.5 < math.sqrt(np.mean(np.square(apart))) < 1.4


def test_without_defocus_nothing_is_said_of_the_axis():
    world = level(World(4, grid(), 0.0, STOPS, axis_um=1.5))
    assert not [one for one in belief_after(world, defocus=False).findings() if "axis" in one.name]


def test_before_the_first_tilt_nothing_is_said():
    model = JointModel(World(1, grid()).starts(), 0.0)
    assert model.findings() == findings(model._belief, SamplePlane()) == ()


def test_a_target_of_false_peaks_is_named_and_no_other():
    world = level(World(3, grid(), 0.0, STOPS, axis_um=0.0))
    rng = np.random.default_rng(5)
    lies = {(4, stop.tilt_deg): XY(*rng.uniform(-0.4, 0.4, 2)) for stop in STOPS if abs(stop.tilt_deg) > 10}
    named = {one.target for one in contrast(belief_after(world, lies=lies)._belief)}
    assert named == {4}


def test_alignments_that_all_targets_lack_are_nobody_s_fault():
    world = level(World(3, grid(), 0.0, STOPS, axis_um=0.0))
    model = JointModel(world.starts(), 0.0)
    for stop in STOPS:
        model.begin_tilt(stop.tilt_deg, stop.branch)
        for number, start in world.starts().items():
            model.observe(Observation(number, stop.tilt_deg, stop.branch, start.shift_um, None))
    assert model.findings() == ()


@pytest.mark.parametrize("jump_um", [XY(0.5, -0.3), XY(-0.4, 0.6)])
def test_a_slip_has_the_size_and_direction_of_the_jump(jump_um):
    world = level(World(7, grid(), 0.0, STOPS, axis_um=0.0))
    for stop in STOPS:
        if stop.branch is Branch.UP and stop.tilt_deg >= 24:
            world.motion[stop.tilt_deg] = world.motion[stop.tilt_deg] + np.array([jump_um.x, jump_um.y, 0.0])
    (slip,) = [one for one in belief_after(world).findings() if one.name == "slip"]
    assert (slip.tilt_deg, slip.branch) == (24.0, Branch.UP)
    assert abs(slip.value - jump_um.length) < 3 * slip.sigma < 0.4
    said = re.search(r"x ([-+.\d]+), y ([-+.\d]+)", slip.cause)
    assert [float(value) for value in said.groups()] == pytest.approx(tuple(jump_um), abs=0.1)
