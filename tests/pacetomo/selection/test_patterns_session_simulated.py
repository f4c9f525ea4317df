"""Patterns found, measured and copied on the simulator, judged by where images were taken."""

from __future__ import annotations

import numpy as np
import pytest
from choosing import Choosing
from simulated import saved

from mock_serialem.answers import Drag, Rule
from mock_serialem.sim.holey import HoleyMatter
from pacetomo.desk_script import CancelledError
from pacetomo.errors import SettingsError
from pacetomo.files.navigator import read_navigator
from pacetomo.files.target_file import read_targets
from pacetomo.frames import XY
from pacetomo.pattern import read_lattice
from pacetomo.scope.protocol import Area


def hole_near(world, x_um, y_um):
    """Indices of the nearest hole of the sample, and the distance from its centre (µm)."""
    matter = HoleyMatter(world.config.sample, world.config.seed)
    here = world.sheet.at_centre(np.eye(3), np.array([-x_um, -y_um, 0.0]))
    i, j, distance = matter.nearest_hole(np.array([here.u_um]), np.array([here.v_um]))
    return (int(i[0]), int(j[0])), float(distance[0])


def test_a_pattern_is_found_measured_and_acquired_hole_by_hole(tmp_path):
    here = Choosing(tmp_path, stage="krios", seed=3)
    (file,) = here.choose([], targetPattern=True, size=1, drawBeam=False)
    targets = read_targets(file)
    assert len(targets.targets) == 9
    assert [override.name for override in targets.overrides] == ["size", "vecA0", "vecA1", "vecB0", "vecB1"]
    assert [target.reference is None for target in targets.targets] == [False] + [True] * 8
    assert (tmp_path / "lam_lattice.png").stat().st_size > 10_000
    # No Record or Preview image is taken at a target but the tracking target.
    places = [hole_near(here.world, line["sample_x_um"], line["sample_y_um"]) for line in here.exposures("P")]
    on_holes = [index for index, distance in places if distance < 0.3]
    assert on_holes == [(0, 0)]
    here.acquired_from_um([(0.0, 0.0)] * 9)
    first = [line for line in saved(tmp_path) if line["section"] == 0]
    found = [hole_near(here.world, line["sample_x_um"], line["sample_y_um"]) for line in first]
    assert {index for index, _ in found} == {(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)}
    assert max(distance for _, distance in found) < 0.05


def test_holes_are_compared_with_the_image_in_buffer_p(tmp_path):
    here = Choosing(tmp_path, stage="ideal", seed=5)
    here.desk.begin(20)
    here.desk.aim(XY(*map(float, here.seen_um(here.holes(1)[0]))), 0.0, compensate_beam_tilt=False)
    here.desk.take(Area.VIEW)
    here.desk._sem.Copy("A", "P")
    here.desk.end()
    (file,) = here.choose([], targetPattern=True, size=2, alignToP=True, vecA=(3.0, 0.3), vecB=(-0.3, 3.0))
    lattice = read_lattice(read_targets(file))
    true = here.world.config.sample.lattice_um
    for found, wanted in zip(lattice, true):
        assert (found.x, found.y) == pytest.approx(wanted, abs=0.02)
    assert any("Vectors measured at 4 holes" in line for line in here.session.log.lines)


def test_without_a_lattice_in_view_its_holes_are_dragged(tmp_path):
    here = Choosing(tmp_path, sample="lamella", stage="ideal")
    middle, a, b = here.places((0.2, 0.1), (2.2, 0.4), (-0.2, 2.1))
    rules = [
        Rule("OKBox", "Hole in the middle", drags=(Drag(point_um=middle),)),
        Rule("OKBox", "along vecA", drags=(Drag(point_um=a),)),
        Rule("OKBox", "along vecB", drags=(Drag(point_um=b),)),
    ]
    (file,) = here.choose(rules, targetPattern=True, size=1, drawBeam=False)
    assert any("no lattice of holes was found" in line for line in here.session.log.lines)
    vectors = np.array(read_lattice(read_targets(file)))
    true = [here.seen_um(point) - here.seen_um(middle) for point in (a, b)]
    assert vectors == pytest.approx(np.array(true), abs=0.06)


def test_a_cancelled_pattern_leaves_nothing(tmp_path):
    here = Choosing(tmp_path, sample="lamella", fidelity="kinematic")
    with pytest.raises(CancelledError):
        here.choose([Rule("ThreeChoiceBox", "Hole in the middle", ("Finish",))], targetPattern=True)
    assert not list(tmp_path.glob("lam*"))


def test_a_pattern_is_copied_to_each_point_set_to_acquire_with_own_files_and_points(tmp_path):
    here = Choosing(tmp_path, stage="ideal", seed=3)
    x_um, y_um, z_um = here.desk.stage_um()
    wanted = [XY(x_um + 12.0, y_um), XY(x_um, y_um - 12.0)]
    for place in wanted:
        here.desk.set_acquire(here.desk.add_point(place, z_um), True)
    here.session.navigator.current = 0
    files = here.choose([], targetPattern=True, size=1, copyToAcquire=True, drawBeam=False)
    assert [path.name for path in files] == ["lam_tgts.txt", "lam_tgts_p01.txt", "lam_tgts_p02.txt"]
    original = read_targets(files[0])
    items = read_navigator(here.desk.save_navigator()).items
    for number, (path, place) in enumerate(zip(files[1:], wanted), 1):
        copy = read_targets(path)
        assert copy.overrides == original.overrides
        assert copy.targets[8].series == f"lam_p{number:02d}_ts_009.mrc"
        assert all(target.reference is None and target.view is None for target in copy.targets)
        assert [target.shift_um for target in copy.targets] == [t.shift_um for t in original.targets]
        assert copy.tracking.stage_um == pytest.approx(place, abs=1e-3)
        step = copy.targets[4].stage_um.minus(copy.tracking.stage_um)
        assert step == pytest.approx(original.targets[4].stage_um.minus(original.tracking.stage_um), abs=1e-3)
        assert [item.acquire for item in items if item.note == path.name] == [True]
        assert sum(item.label.startswith(f"p{number:02d}_") for item in items) == 8


@pytest.mark.parametrize("vectors", [{"vecA": (3.0, 0.0)}, {"vecA": (3.0, 0.0), "vecB": (6.0, 0.1)}])
def test_vectors_that_are_no_lattice_are_refused_before_any_preview(tmp_path, vectors):
    here = Choosing(tmp_path, fidelity="kinematic")
    with pytest.raises(SettingsError, match="two neighbours in different directions"):
        here.choose([], targetPattern=True, **vectors)
    assert here.exposures("P") == [] and not list(tmp_path.glob("lam*"))


def test_three_holes_at_one_place_are_no_pattern(tmp_path):
    here = Choosing(tmp_path, sample="lamella", fidelity="kinematic")
    with pytest.raises(CancelledError, match="No target was chosen"):
        here.choose([], targetPattern=True)
    assert here.exposures("P") == []
