"""Signs and foreshortening of chosen targets: file, stage, Navigator and truth must agree, and none be symmetric."""

from __future__ import annotations

import math

import numpy as np
import pytest
from choosing import Choosing

from mock_serialem.answers import Drag, Rule
from mock_serialem.sim.sample import LamellaSpec
from pacetomo.area_files import AreaFiles
from pacetomo.files.navigator import read_navigator
from pacetomo.files.target_file import read_targets
from pacetomo.frames import XY
from pacetomo.pattern import read_lattice
from pacetomo.scope.protocol import Area
from pacetomo.selection import patterns
from pacetomo.selection.bench import Bench
from pacetomo.selection.copy_session import copy_to_acquire
from pacetomo.selection.footprint import beam_outline
from pacetomo.selection.lattice import NoLattice
from pacetomo.targets import Target, TargetSet

PIXEL_UM = 2e-3
"""More than a pixel of Preview, by which a dragged one is off at most."""

FLAT = LamellaSpec(pretilt_deg=0.0, rotation_deg=0.0, curvature_um=(0.0, 0.0))

L_SHAPE = [(-4.0, -4.0), (4.0, -4.0), (4.0, 0.0), (0.0, 0.0), (0.0, 4.0), (-4.0, 4.0)]
"""Corners on the stage: without the quarter that is positive in both coordinates."""


@pytest.fixture
def choosing(tmp_path):
    def make(tilt_deg=0.0, **world):
        here = Choosing(tmp_path, **{"sample": "lamella", "stage": "ideal", "fidelity": "kinematic", **world})
        here.desk.tilt_to(tilt_deg)
        return here

    return make


def on_stage(here, shifts_um, tilt_deg):
    """Steps on the stage of specimen shifts seen at a tilt, at which the stage's Y is foreshortened."""
    calibration = here.desk.calibration()
    steps = np.array([calibration.specimen_to_stage.apply(XY(*map(float, shift))) for shift in shifts_um])
    return steps / [1.0, math.cos(math.radians(tilt_deg))]


def shifts_and_steps(file):
    """Shifts of all targets, and their steps on the stage from the first, as a file has them."""
    targets = read_targets(file).targets
    shifts = np.array([target.shift_um for target in targets])
    stage = np.array([target.stage_um for target in targets])
    return shifts, stage - stage[0]


def drag(prompt, x_um, y_um):
    """An image's content dragged once: what lay the other way from the centre is then in it."""
    return Rule("OKBox", prompt, drags=(Drag(by_um=(x_um, y_um)),), repeat=False)


def sample_um(line):
    return np.array([line["sample_x_um"], line["sample_y_um"]])


@pytest.mark.parametrize("tilt_deg", [20.0, -35.0])
def test_a_target_dragged_at_a_tilt_has_its_shift_there_and_its_place_on_the_stage(choosing, tilt_deg):
    here = choosing(tilt_deg)
    (file,) = here.choose([drag("Target 2: close", -1.0, -2.0), here.another(2)], drawBeam=False)
    targets = read_targets(file)
    tilt = {override.name: float(override.value) for override in targets.overrides}["tiltTargets"]
    assert tilt == pytest.approx(tilt_deg, abs=0.1)
    shifts, steps = shifts_and_steps(file)
    assert shifts[1] == pytest.approx([1.0, 2.0], abs=PIXEL_UM)
    assert steps == pytest.approx(on_stage(here, shifts, tilt_deg), abs=5e-3)
    # SerialEM's stage and specimen frames have opposite signs, and their axes differ by a percent.
    assert steps[1] == pytest.approx([-1.0, -2.0 / math.cos(math.radians(tilt_deg))], abs=0.04)


def test_a_preview_dragged_at_a_tilt_and_used_is_where_it_was_dragged(choosing):
    here = choosing(25.0)
    rules = [
        drag("Target 2: close", -1.5, 2.0),
        drag("Target 2, Preview", 0.06, -0.09),
        here.another(2),
    ]
    (file,) = here.choose(rules, drawBeam=False)
    assert len(here.exposures("P")) == 2
    shifts, steps = shifts_and_steps(file)
    assert shifts[1] == pytest.approx([1.5 - 0.06, -2.0 + 0.09], abs=PIXEL_UM)
    assert steps == pytest.approx(on_stage(here, shifts, 25.0), abs=5e-3)


def test_a_preview_dragged_and_used_is_acquired_where_it_was_dragged(choosing):
    here = choosing(fidelity="rendered")
    points = here.places((0, 0), (1.4, -2.2))
    beside = here.places((1.36, -2.14))
    rules = [
        Rule("OKBox", "Target 2: close", drags=(Drag(point_um=beside[0]),)),
        *here.drags(points),
        here.another(2),
    ]
    here.choose(rules, drawBeam=False)
    # That of target 1 was taken twice: nobody knew yet how View and Record differ.
    previews = here.exposures("P")
    assert len(previews) == 3
    assert np.hypot(*(sample_um(previews[-1]) - points[1][:2])) > 0.05
    assert here.acquired_from_um(points)[1] < 0.02


def test_what_is_brought_into_the_centre_of_the_pixels_was_where_the_answer_says(choosing):
    here = choosing()
    here.desk.begin(20)
    bench = Bench(here.desk, AreaFiles(here.folder / "lam_tgts.txt"), 15.0)
    bench.look(Area.PREVIEW)
    picture = here.desk.picture(100_000)
    rows, columns = picture.pixels.shape
    right, up = 60, -25
    pixels = np.zeros((rows, columns), dtype=np.int16)
    pixels[rows // 2 - up, columns // 2 + right] = 1000
    here.desk.put_picture(pixels)
    place = picture.to_specimen.apply(XY(right, up))
    assert bench.centre_present(place) == pytest.approx(place, abs=1e-6)
    row, column = np.unravel_index(np.argmax(here.desk.picture(100_000).pixels), (rows, columns))
    assert (row, column) == (rows // 2, columns // 2)


def test_a_typed_shift_that_is_used_as_it_is_stands_in_the_file(choosing):
    here = choosing()
    typed = Rule("EnterString", "SSX and SSY", ("2.4 -1.1", "-0.7, 1.9", ""), repeat=False)
    (file,) = here.choose(
        [drag("Target 1, the tracking", 0.06, 0.04), typed], targetByShift=True, drawBeam=False
    )
    shifts, steps = shifts_and_steps(file)
    assert shifts == pytest.approx(np.array([(0.0, 0.0), (2.4, -1.1), (-0.7, 1.9)]), abs=1e-3)
    assert steps == pytest.approx(on_stage(here, shifts, 0.0), abs=5e-3)


def test_the_last_of_several_previews_lies_up_and_right_of_the_first(choosing):
    here = choosing()
    numbers = Rule("EnterDefaultedNumber", "which of the 3 Previews", (1, 3), repeat=False)
    rules = [drag("Position 2", -2.0, 1.0), here.another(2), numbers]
    (file,) = here.choose(rules, allViewsFirst=True, previewsPerTarget=3, drawBeam=False)
    shifts, steps = shifts_and_steps(file)
    right, up = shifts[1] - [2.0, -1.0]
    assert right == pytest.approx(up, abs=1e-3) and right > 0.3
    assert steps == pytest.approx(on_stage(here, shifts, 0.0), abs=5e-3)


@pytest.mark.parametrize("tilt_deg", [0.0, 20.0])
def test_a_polygon_is_filled_inside_and_shifts_stage_and_outlines_agree(choosing, tilt_deg):
    here = choosing(tilt_deg)
    middle = here.desk.stage_um()
    corners = [XY(middle[0] + x, middle[1] + y) for x, y in L_SHAPE]
    here.session.navigator.current = here.desk.add_polygon(corners, middle[2]) - 1
    (file,) = here.choose([], targetPolygon=True, beamDiameter=1.2, maxTilt=45)
    shifts, steps = shifts_and_steps(file)
    assert steps == pytest.approx(on_stage(here, shifts, tilt_deg), abs=5e-3)
    stage = np.array([target.stage_um for target in read_targets(file).targets])
    places = stage - middle[:2]
    assert not ((places > 0.6).all(axis=1)).any()
    for signs in ((1, -1), (-1, 1), (-1, -1)):
        assert ((places * signs > 0.6).all(axis=1)).any()
    outlines = [item for item in read_navigator(here.desk.save_navigator()).items if "beam" in item.label]
    beam = on_stage(here, beam_outline(1.2, 45.0), 0.0)
    found = np.array([item.points_um[: len(beam)] for item in outlines])
    assert found == pytest.approx(stage[:, None] + beam, abs=2e-3)


def test_points_of_a_group_are_reached_at_a_tilt(choosing):
    here = choosing(sample=FLAT)
    points = here.places((0, 0), (1.5, 4.0), (-1.0, -3.5))
    here.add_points(points)
    here.desk.tilt_to(30.0)
    (file,) = here.choose([], fromGroup="as they are", outputName="lam", guidance=False, drawBeam=False)
    taken = np.array([sample_um(line) for line in here.exposures("P")])
    true = np.array(points)[:, :2]
    assert taken - taken[0] == pytest.approx(true - true[0], abs=0.1)
    shifts, steps = shifts_and_steps(file)
    assert shifts[1:, 1] == pytest.approx(np.array([4.0, -3.5]) * math.cos(math.radians(30.0)), abs=0.1)
    assert steps == pytest.approx(on_stage(here, shifts, 30.0), abs=5e-3)


def test_holes_of_a_pattern_have_their_places_on_the_stage_at_a_tilt(choosing, monkeypatch):
    # Looking for holes in an image that shows none takes seconds.
    monkeypatch.setattr(patterns, "find_lattice", lambda *_: NoLattice("there is none"))
    here = choosing(20.0)
    rules = [drag("along vecA", -2.0, -0.4), drag("along vecB", 0.3, -1.8)]
    (file,) = here.choose(rules, targetPattern=True, size=1, drawBeam=False)
    vectors = np.array(read_lattice(read_targets(file)))
    assert vectors == pytest.approx(np.array([(2.0, 0.4), (-0.3, 1.8)]), abs=1e-3)
    shifts, steps = shifts_and_steps(file)
    holes = {(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)}
    expected = {(round(2.0 * i - 0.3 * j, 1), round(0.4 * i + 1.8 * j, 1)) for i, j in holes}
    assert {(round(x, 1), round(y, 1)) for x, y in shifts} == expected
    assert steps == pytest.approx(on_stage(here, shifts, 20.0), abs=5e-3)


def test_a_place_beside_is_less_off_in_preview_once_view_and_record_are_registered(choosing):
    here = choosing(stage="krios", seed=4)
    steps = [(0, 0), (5.0, 0.5), (-0.5, 4.0), (-4.5, 1.0), (1.0, -4.0), (3.0, 3.0)]
    points = here.places(*steps, (5.4, 0.9), (-4.9, 1.4))
    here.choose([*here.drags(points), here.another(8)], allViewsFirst=True, drawBeam=False)
    assert any("learnt from 5 targets" in line for line in here.session.log.lines)
    previews = here.exposures("P")[-8:]
    off_um = [np.hypot(*(sample_um(line) - point[:2])) for line, point in zip(previews, points)]
    assert off_um[6] < 0.6 * off_um[1] and off_um[7] < 0.6 * off_um[3]


def test_where_the_first_preview_was_off_the_second_is_not(choosing):
    here = choosing(stage="krios")
    points = here.places((0.3, 0.2), (1.5, -1.0))
    here.choose([*here.drags(points), here.another(2)], drawBeam=False)
    first, *_, second = here.exposures("P")
    assert np.hypot(*(sample_um(first) - points[0][:2])) > 0.2
    assert np.hypot(*(sample_um(second) - points[1][:2])) < 0.08


def test_a_copy_of_targets_without_stage_coordinates_has_its_points_where_the_shifts_lead(choosing):
    here = choosing(stage="krios")
    x_um, y_um, z_um = here.desk.stage_um()
    point = XY(x_um + 20.0, y_um - 10.0)
    here.desk.set_acquire(here.desk.add_point(point, z_um), True)
    shifts = [(0.0, 0.0), (3.0, 1.0), (-2.0, 2.5)]
    targets = TargetSet(
        tuple(Target(n, f"lam_ts_{n:03d}.mrc", shift_um=XY(*shift)) for n, shift in enumerate(shifts, 1))
    )
    copy_to_acquire(here.desk, AreaFiles(here.folder / "lam_tgts.txt"), targets)
    added = np.array([place.stage_um for place in here.desk.places() if place.label.startswith("p01_")])
    assert added == pytest.approx(np.array(point) + on_stage(here, shifts[1:], 0.0), abs=1e-3)


def test_a_tracking_target_chosen_far_off_the_centre_is_found_again_after_the_stage_moved(choosing):
    here = choosing(stage="krios", fidelity="rendered")
    (point,) = here.places((3.5, -3.5))
    here.choose([*here.drags([point]), here.another(1)], drawBeam=False)
    assert not any("not found again" in line for line in here.session.log.lines)
    # But for what View and Record are apart, the first Preview shows it.
    assert np.hypot(*(sample_um(here.exposures("P")[0]) - point[:2])) < 0.4
