import pytest
from editing import FILE, TURNED, document
from hypothesis import given
from hypothesis import strategies as st

from pacetomo.editor import adding
from pacetomo.editor.model import EditError
from pacetomo.files.target_file import parse_targets
from pacetomo.frames import XY
from pacetomo.pattern import Lattice, read_lattice

AREA = document(parse_targets(FILE))
SQUARE = Lattice(XY(3.0, 0.0), XY(0.0, 3.0))


def test_a_new_target_goes_on_with_names_and_numbers():
    added = adding.add_at(document(AREA.targets, TURNED), [XY(1.0, 5.0)])
    new = added.target(4)
    assert (new.series, new.shift_um, new.reference, new.skip) == ("L3_ts_004.mrc", XY(1.0, 5.0), None, False)
    assert added.selected == {4}
    # TURNED is a rotation: its inverse is its transpose
    assert new.stage_um == pytest.approx((-213.402 - 0.8 - 3.0, 88.117 + 0.6 - 4.0))


def test_names_pass_over_files_that_are_there():
    there = document(AREA.targets, names=("l3_ts_004.MRC", "L3_tgt_005.mrc", "L3_tgt_006_view.mrc"))
    added = adding.add_at(there, [XY(1.0, 5.0), XY(1.0, 8.0)])
    assert [added.target(n).series for n in (4, 5)] == ["L3_ts_007.mrc", "L3_ts_008.mrc"]


@given(st.lists(st.integers(1, 12), unique=True), st.integers(1, 5))
def test_new_names_never_meet_old_ones(numbers, count):
    names = tuple(f"L3_ts_{n:03d}.mrc" for n in numbers)
    series = adding.free_series(document(AREA.targets, names=names), count)
    assert len(set(series)) == count
    assert not {name.casefold() for name in series} & {name.casefold() for name in names}
    assert not set(series) & {target.series for target in AREA.targets.targets}


def test_a_place_that_has_a_target_gets_no_second_one():
    added = adding.add_at(AREA, [XY(2.4103, -1.0921), XY(7.0, 7.0), XY(7.0, 7.0)])
    assert added.numbers == (1, 2, 3, 4)
    with pytest.raises(EditError, match="already"):
        adding.add_at(AREA, [XY(0.0, 0.0)])


def test_coordinates_of_new_targets_refer_to_what_the_file_gives_the_tracking_target():
    shifted = document(parse_targets(FILE.replace("SSX = 0\nSSY = 0", "SSX = 1\nSSY = -2")))
    added = adding.add_at(shifted, [XY(0.5, 0.5)])
    assert added.target(4).shift_um == XY(1.5, -1.5)
    assert added.places_um[4] == XY(0.5, 0.5)


def test_a_pattern_leaves_out_points_that_have_a_target():
    added = adding.add_pattern(AREA, SQUARE, 1)
    new = {added.places_um[n] for n in added.selected}
    # target 1 is in the middle; 2 is 1.24 µm from (3, 0), and 3 is 0.5 µm from (-3, 3)
    assert new == {XY(x, y) for x in (-3.0, 0.0, 3.0) for y in (-3.0, 0.0, 3.0)} - {
        XY(0.0, 0.0),
        XY(3.0, 0.0),
        XY(-3.0, 3.0),
    }
    assert read_lattice(added.targets) == SQUARE
    assert [o.value for o in added.targets.overrides if o.name == "size"] == ["1"]


@pytest.mark.parametrize(
    ("centre", "names"),
    [
        (XY(0.1, -0.1), {"vecA0", "vecA1", "vecB0", "vecB1", "size"}),
        (XY(6.1, 3.0), {"vecA0", "vecA1", "vecB0", "vecB1"}),
        (XY(7.5, 3.0), set()),
    ],
)
def test_a_lattice_is_written_down_where_the_tracking_target_lies_on_it(centre, names):
    added = adding.add_pattern(AREA, SQUARE, 1, centre)
    assert {override.name for override in added.targets.overrides} - {"startTilt", "pretilt"} == names


def test_a_pattern_ends_at_the_image_shift_limit():
    added = adding.add_pattern(AREA, SQUARE, 4, centre_um=XY(6.0, 0.0), limit_um=7.0)
    assert all(added.places_um[n].length <= 7.0 for n in added.selected)
    assert XY(6.0, 3.0) in {added.places_um[n] for n in added.selected}


@pytest.mark.parametrize(
    ("lattice", "size"), [(SQUARE, -1), (SQUARE, 21), (Lattice(XY(1.0, 1.0), XY(2.0, 2.0)), 1)]
)
def test_a_pattern_that_makes_no_sense_is_refused(lattice, size):
    with pytest.raises(EditError):
        adding.add_pattern(AREA, lattice, size)


def test_more_targets_than_anybody_wants_are_refused():
    with pytest.raises(EditError, match="at most 2000"):
        adding.add_at(AREA, [XY(x / 10, y / 10) for x in range(50) for y in range(50)])


def test_three_targets_tell_a_lattice():
    assert adding.lattice_through(AREA, [1, 2, 3]) == Lattice(XY(2.4103, -1.0921), XY(-3.0, 2.5))
    with pytest.raises(EditError, match="three targets"):
        adding.lattice_through(AREA, [1, 2])


@pytest.mark.parametrize(
    ("series", "names"),
    [
        ("L3_ts_004.mrc", ("L3_tgt_004.mrc", "L3_tgt_004_view.mrc")),
        ("L3_p01_ts_012.st", ("L3_p01_tgt_012.mrc", "L3_p01_tgt_012_view.mrc")),
        ("a.mrc", ("a_tgt.mrc", "a_tgt_view.mrc")),
    ],
)
def test_names_of_reference_images(series, names):
    assert adding.image_names(series) == names


def test_images_taken_later_are_written_down():
    given_view = adding.with_images(AREA, 3, None, "L3_tgt_003_view.mrc")
    assert (given_view.target(3).reference, given_view.target(3).view) == (None, "L3_tgt_003_view.mrc")
    assert given_view.existing_images(3) == ("L3_tgt_003_view.mrc",)
