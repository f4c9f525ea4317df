"""Correcting a pattern's vectors: the order of looking, and what is done with it."""

import json
import math

import pytest
from fake_scope import FakeScope

from pacetomo.acquire import acquire_area
from pacetomo.files.run_file import read_run
from pacetomo.frames import XY
from pacetomo.pattern import Lattice, read_lattice
from pacetomo.scope.protocol import Missing

ASSUMED = Lattice(XY(2.0, 0.0), XY(0.0, 2.0))
SIZE = 3


def turned(lattice, angle_deg, stretch=1.0):
    c, s = (stretch * part(math.radians(angle_deg)) for part in (math.cos, math.sin))
    return lattice.mapped(lambda vector: XY(c * vector.x - s * vector.y, s * vector.x + c * vector.y))


def pattern_scope(folder, true, size=SIZE, extra=""):
    """A filled pattern whose holes truly lie on another lattice than the target file says."""
    values = (*ASSUMED.a_um, *ASSUMED.b_um)
    names = ("vecA0", "vecA1", "vecB0", "vecB1")
    text = f"_set size = {size}\n" + "".join(f"_set {name} = {value}\n" for name, value in zip(names, values))
    text += "_tgt = 001\ntsfile = area_ts_001.mrc\nSSX = 0\nSSY = 0\n" + extra
    (folder / "area_tgts.txt").write_text(text)
    side = range(-size, size + 1)
    indices = [(0, 0)] + [(i, j) for i in side for j in side if (i, j) != (0, 0)]
    points = {number: (*true.at(index), 0.0) for number, index in enumerate(indices, 1)}
    return FakeScope(folder, points, {folder / f"area_ts_{n:03d}.mrc": n for n in points})


def acquire(scope, **settings):
    settings = {"minTilt": -3, "maxTilt": 3, "tgtPattern": True, "refineVec": True, **settings}
    return acquire_area(scope, scope.item(), None, {"tracker": "single", **settings})


def farthest_um(scope):
    """Largest distance of a first image from the target's true place."""
    return max(images[0][1].minus(images[0][2]).length for path, images in scope.sections.items())


def journal(scope):
    text = (scope.folder_path / "area_tgts_run01.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def told_vectors(scope):
    return [line for line in journal(scope) if line.get("name") == "vectors"]


@pytest.mark.parametrize("angle_deg", [-12, 12])
def test_all_targets_follow_the_measured_vectors(tmp_path, angle_deg):
    """Three holes out, a lattice turned so far is off by nearly one third of a hole's distance."""
    true = turned(ASSUMED, angle_deg, 1.03)
    scope = pattern_scope(tmp_path, true)
    acquire(scope)
    assert farthest_um(scope) < 1e-3
    told = told_vectors(scope)[0]
    assert told["after_um"][0] == pytest.approx(true.a_um, abs=1e-3)
    assert told["after_um"][1] == pytest.approx(true.b_um, abs=1e-3)
    assert told["before_um"] == [[2.0, 0.0], [0.0, 2.0]]
    assert "Vectors refined with 6 holes" in "\n".join(scope.told)


def test_without_refining_they_are_off(tmp_path):
    scope = pattern_scope(tmp_path, turned(ASSUMED, 12))
    acquire(scope, refineVec=False)
    assert farthest_um(scope) > 1.5


def test_the_run_file_has_the_new_vectors_and_coordinates(tmp_path):
    true = turned(ASSUMED, 5)
    scope = pattern_scope(tmp_path, true, extra="_geo = 1\nSSX = 2\nSSY = 0\n")
    acquire(scope)
    targets = read_run(tmp_path / "area_tgts_run01.txt").targets
    lattice = read_lattice(targets)
    assert lattice.a_um == pytest.approx(true.a_um, abs=1e-3)
    assert lattice.b_um == pytest.approx(true.b_um, abs=1e-3)
    last = targets.targets[-1]
    assert last.shift_um == pytest.approx(true.at((SIZE, SIZE)), abs=1e-3)
    assert targets.geo_points[0].shift_um == pytest.approx(true.a_um, abs=1e-3)


def test_the_neighbour_is_looked_at_before_the_far_hole(tmp_path):
    scope = pattern_scope(tmp_path, turned(ASSUMED, 12))
    acquire(scope)
    looked = [
        scope.calls[place - 2][1].length
        for place, call in enumerate(scope.calls)
        if call[0] == "offset_from_hole"
    ]
    assert looked == pytest.approx([2, 4, 6, 2, 4, 6], rel=0.03)


@pytest.mark.parametrize(("tilt_deg", "pretilt"), [(20, 0), (-20, 0), (20, -20), (20, 10)])
def test_vectors_measured_at_a_tilt_are_those_of_the_untilted_sample(tmp_path, tilt_deg, pretilt):
    true = turned(ASSUMED, 6)
    scope = pattern_scope(tmp_path, true, size=2)
    slope = math.tan(math.radians(pretilt))
    scope.points = {n: (x, n0, slope * n0) for n, (x, n0, _) in scope.points.items()}
    tilts = {"startTilt": tilt_deg, "minTilt": tilt_deg - 3, "maxTilt": tilt_deg + 3}
    acquire(scope, pretilt=pretilt, **tilts)
    assert told_vectors(scope)[0]["after_um"][0] == pytest.approx(true.a_um, abs=1e-3)
    assert told_vectors(scope)[0]["after_um"][1] == pytest.approx(true.b_um, abs=1e-3)
    assert farthest_um(scope) < 2e-3


def test_vectors_picked_at_a_tilt_stay_in_their_frame(tmp_path):
    """At 40 degrees the lattice of the file is seen foreshortened; it is corrected as seen there."""
    flat = ASSUMED.mapped(lambda vector: XY(vector.x, vector.y / math.cos(math.radians(40))))
    true = turned(flat, 4)
    scope = pattern_scope(tmp_path, true, size=2)
    acquire(scope, tiltTargets=40)
    cosine = math.cos(math.radians(40))
    as_picked = true.mapped(lambda vector: XY(vector.x, vector.y * cosine))
    assert told_vectors(scope)[0]["after_um"][0] == pytest.approx(as_picked.a_um, abs=1e-3)
    assert told_vectors(scope)[0]["after_um"][1] == pytest.approx(as_picked.b_um, abs=1e-3)
    assert farthest_um(scope) < 2e-3


def test_a_hole_that_is_not_found_ends_the_way_out(tmp_path):
    scope = pattern_scope(tmp_path, turned(ASSUMED, 5))
    scope.fail["offset_from_hole", None, None] = Missing("no correlation peak")
    acquire(scope)
    # The neighbour along either vector.
    assert sum(call[0] == "offset_from_hole" for call in scope.calls) == 2
    assert not told_vectors(scope)
    assert any("stay as they are" in line["text"] for line in journal(scope) if line["event"] == "warning")


def test_holes_beyond_the_image_shift_limit_are_done_without(tmp_path):
    true = turned(ASSUMED, 5)
    scope = pattern_scope(tmp_path, true)
    acquire(scope, imageShiftLimit=5)
    assert sum(call[0] == "offset_from_hole" for call in scope.calls) == 4
    assert told_vectors(scope)[0]["after_um"][0] == pytest.approx(true.a_um, abs=1e-3)
    assert any("beyond the limit" in line["text"] for line in journal(scope) if line["event"] == "warning")


def test_a_file_without_a_lattice_is_told_of(tmp_path):
    scope = pattern_scope(tmp_path, ASSUMED)
    text = (tmp_path / "area_tgts.txt").read_text()
    (tmp_path / "area_tgts.txt").write_text(text[text.index("_tgt") :])
    acquire(scope)
    assert any("names no lattice" in line["text"] for line in journal(scope) if line["event"] == "warning")
