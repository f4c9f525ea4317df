import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacetomo.errors import TargetFileError
from pacetomo.files.target_file import format_targets, parse_targets
from pacetomo.frames import XY
from pacetomo.pattern import (
    Lattice,
    filled,
    hole_reach_um,
    moved_along,
    read_lattice,
    refit,
    way_out,
    without_foreign_references,
)

FILE = """_set size = 1
_set vecA0 = 3
_set vecA1 = 0.5
_set vecB0 = -0.5
_set vecB1 = 3

_tgt = 001
tgtfile = grid_tgt_001.mrc
tsfile = grid_p01_ts_001.mrc
SSX = 0
SSY = 0
"""
LATTICE = Lattice(XY(3.0, 0.5), XY(-0.5, 3.0))


def targets_with(text):
    return parse_targets(FILE + text)


@st.composite
def lattices(draw):
    """Vectors of 1 to 6 µm, 40 to 140 degrees apart."""
    length, other = (draw(st.floats(1, 6)) for _ in range(2))
    turn = draw(st.floats(-180, 180))
    between = draw(st.floats(40, 140))
    a, b = (math.radians(angle) for angle in (turn, turn + between))
    return Lattice(
        XY(length * math.cos(a), length * math.sin(a)), XY(other * math.cos(b), other * math.sin(b))
    )


def test_the_vectors_of_a_file():
    assert read_lattice(targets_with("")) == LATTICE


def test_no_lattice_without_vectors():
    assert read_lattice(parse_targets(FILE.split("\n\n")[1])) is None
    assert read_lattice(parse_targets("_set size = 2\n" + FILE.split("\n\n")[1])) is None


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("_set vecB1 = 3\n", "", "vecB1 must be a number"),
        ("_set vecB1 = 3", "_set vecB1 = None", "vecB1"),
        ("_set vecA0 = 3", "_set vecA0 = three", "vecA0"),
        ("_set vecB0 = -0.5\n_set vecB1 = 3", "_set vecB0 = 6\n_set vecB1 = 1", "one line"),
        ("_set vecB0 = -0.5\n_set vecB1 = 3", "_set vecB0 = 0\n_set vecB1 = 0", "zero"),
    ],
)
def test_a_lattice_that_makes_no_sense_is_refused(old, new, message):
    with pytest.raises(TargetFileError, match=message):
        read_lattice(parse_targets(FILE.replace(old, new)))


@given(lattices(), st.integers(-5, 5), st.integers(-5, 5))
def test_a_lattice_point_is_nearest_to_itself(lattice, i, j):
    assert lattice.nearest(lattice.at((i, j))) == (i, j)


@given(lattices())
def test_no_two_lattice_points_are_nearer_than_the_spacing(lattice):
    others = [lattice.at((i, j)).length for i in range(-4, 5) for j in range(-4, 5) if (i, j) != (0, 0)]
    assert lattice.spacing_um <= min(others) + 1e-9


def test_a_file_with_vectors_and_one_target_is_filled():
    targets = filled(targets_with(""))
    assert [target.number for target in targets.targets] == list(range(1, 10))
    assert [target.series for target in targets.targets[:3]] == [
        f"grid_p01_ts_{n:03d}.mrc" for n in (1, 2, 3)
    ]
    assert targets.targets[1].shift_um == XY(-3.0 + 0.5, -0.5 - 3.0)  # hole (-1, -1)
    assert targets.targets[8].shift_um == XY(2.5, 3.5)  # hole (1, 1)
    assert len({target.shift_um for target in targets.targets}) == 9
    assert not targets.problems()
    assert parse_targets(format_targets(targets)) == targets


def test_listed_targets_are_left_alone():
    text = "\n_tgt = 002\ntsfile = grid_p01_ts_002.mrc\nSSX = 3\nSSY = 0.5\n"
    assert filled(targets_with(text)) == targets_with(text)
    no_size = parse_targets(FILE.replace("_set size = 1\n", ""))
    assert filled(no_size) == no_size


@pytest.mark.parametrize("size", ["1.5", "-1", "21", "all"])
def test_a_size_that_makes_no_sense_is_refused(size):
    with pytest.raises(TargetFileError, match="size of the pattern"):
        filled(parse_targets(FILE.replace("size = 1", f"size = {size}")))


def test_references_of_the_original_position_do_not_belong_to_a_copy():
    targets = targets_with("viewfile = grid_p01_tgt_001_view.mrc\n")
    own = without_foreign_references(targets, "grid_p01").tracking
    assert (own.reference, own.view) == (None, "grid_p01_tgt_001_view.mrc")


@given(lattices(), lattices(), st.integers(1, 5))
def test_vectors_are_found_from_places_seen(old, true, size):
    seen = [((i, 0), true.at((i, 0))) for i in (1, size)] + [((0, -j), true.at((0, -j))) for j in (1, size)]
    found = refit(old, seen)
    assert found.a_um == pytest.approx(true.a_um, abs=1e-6)
    assert found.b_um == pytest.approx(true.b_um, abs=1e-6)


@given(lattices(), lattices())
def test_a_vector_that_was_not_measured_stays(old, true):
    found = refit(old, [((0, 2), true.at((0, 2)))])
    assert found.a_um == pytest.approx(old.a_um, abs=1e-6)
    assert found.b_um == pytest.approx(true.b_um, abs=1e-6)
    assert refit(old, []) == old


def test_far_holes_decide_where_measurements_disagree():
    near, far = ((1, 0), XY(3.1, 0.5)), ((4, 0), XY(12.0, 2.0))
    assert refit(LATTICE, [near, far]).a_um.x == pytest.approx(3 + 0.1 / 17)


@pytest.mark.parametrize(
    ("indices", "axis", "way"),
    [
        ([(0, 0), (4, 0), (-2, 0), (0, 3)], 0, ((1, 0), (2, 0), (4, 0))),
        ([(0, 0), (4, 0), (-2, 0), (0, -3)], 1, ((0, -1), (0, -2), (0, -3))),
        ([(0, 0), (0, 1)], 0, ()),
        ([(0, 0), (2, 2)], 0, ((1, 0), (2, 0))),
    ],
)
def test_the_way_out_begins_at_the_neighbour(indices, axis, way):
    assert way_out(indices, axis) == way


def test_targets_follow_their_lattice_and_keep_their_place_in_it():
    text = (
        "\n_tgt = 002\ntsfile = b_002.mrc\nSSX = 6.2\nSSY = 1\n\n"
        "_tgt = 003\ntsfile = b_003.mrc\nstageX = 1\nstageY = 2\n\n_geo = 1\nSSX = 3\nSSY = 0.5\n"
    )
    new = Lattice(XY(3.1, 0.4), XY(-0.5, 3.0))
    moved = moved_along(targets_with(text), LATTICE, new)
    assert moved.targets[0].shift_um == XY(0.0, 0.0)
    on_lattice = moved.targets[1].shift_um.minus(new.at((2, 0)))
    assert on_lattice == pytest.approx((0.2, 0.0), abs=0.02)
    assert moved.targets[2].shift_um is None
    assert moved.geo_points[0].shift_um == pytest.approx((3.1, 0.4))
    assert read_lattice(parse_targets(format_targets(moved))) == new


@given(lattices(), st.lists(st.builds(XY, st.floats(-9, 9), st.floats(-9, 9)), max_size=5))
def test_a_hole_is_looked_for_within_half_the_spacing(lattice, places):
    assert hole_reach_um(lattice, places) < 0.5 * lattice.spacing_um


def test_without_a_lattice_the_nearest_targets_tell_how_far_holes_are_apart():
    places = [XY(0.0, 0.0), XY(2.0, 0.0), XY(2.0, 1.2)]
    assert hole_reach_um(None, places) == pytest.approx(0.54)
    assert hole_reach_um(None, places[:1]) == 1.0
