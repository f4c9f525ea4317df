from dataclasses import replace

import pytest
from editing import FILE, TURNED, document

from pacetomo.editor import edits
from pacetomo.editor.model import ConfirmationNeededError, EditError, Lock
from pacetomo.editor.stage import fitted_matrix
from pacetomo.files.target_file import format_targets, parse_targets
from pacetomo.frames import XY, Matrix2

AREA = document(parse_targets(FILE))
ON_STAGE_ONLY = """_tgt = 001
tsfile = a_ts_001.mrc
stageX = 10
stageY = 20

_tgt = 002
tsfile = a_ts_002.mrc
stageX = 12
stageY = 21
"""
LOCKED = replace(AREA, lock=Lock("a run has begun"))


def changed_lines(before, after):
    old, new = (format_targets(d.targets).splitlines() for d in (before, after))
    return [line for line in new if line not in old]


def test_a_moved_target_changes_its_own_lines_only():
    moved = edits.move(AREA, {3: XY(-2.5, 2.0)})
    assert changed_lines(AREA, moved) == ["SSX = -2.5", "SSY = 2.0"]


def test_stage_coordinates_follow_a_move_by_the_inverse_of_the_matrix():
    known = document(AREA.targets, Matrix2(0.0, -2.0, 1.0, 0.0))
    # a step of (1, 0.5) µm of the specimen is one of (0.5, -0.5) µm of that stage
    moved = edits.move(known, {2: AREA.places_um[2].plus(XY(1.0, 0.5))})
    assert moved.target(2).stage_um == pytest.approx((-215.8123 + 0.5, 89.2091 - 0.5))


def test_stage_coordinates_that_cannot_follow_are_dropped():
    assert AREA.stage_to_specimen is None
    moved = edits.move(AREA, {2: XY(2.0, -1.0)})
    assert (moved.target(2).shift_um, moved.target(2).stage_um) == (XY(2.0, -1.0), None)


def test_when_the_tracking_target_moves_the_others_stay_on_the_sample():
    known = document(AREA.targets, Matrix2(-1.0, 0.0, 0.0, -1.0))
    moved = edits.move(known, {1: XY(0.5, -0.25)})
    assert moved.places_um == {1: XY(0.0, 0.0), 2: XY(1.9103, -0.8421), 3: XY(-3.5, 2.75)}
    assert moved.point_places_um == (XY(0.7, 3.65),)
    assert moved.target(1).stage_um == pytest.approx((-213.902, 88.367))
    assert moved.target(2).stage_um == known.target(2).stage_um


def test_the_tracking_target_is_not_moved_where_its_stage_position_cannot_follow():
    with pytest.raises(EditError, match="stage position cannot follow"):
        edits.move(AREA, {1: XY(0.5, 0.0)})


def test_several_targets_are_moved_together():
    known = document(AREA.targets, TURNED)
    moved = edits.move(known, {1: XY(1.0, 1.0), 2: XY(4.0, 0.0)})
    assert moved.places_um == {1: XY(0.0, 0.0), 2: XY(3.0, -1.0), 3: XY(-4.0, 1.5)}


def test_a_target_with_a_reference_image_is_moved_only_when_that_is_agreed_to():
    there = document(AREA.targets, names=("L3_TGT_002.mrc",))
    with pytest.raises(ConfirmationNeededError, match=r"old place of target 2 \(L3_tgt_002.mrc\)"):
        edits.move(there, {2: XY(0.0, 3.0)})
    assert edits.move_warning(there, [3]) is None
    moved = edits.move(there, {2: XY(0.0, 3.0)}, confirmed=True)
    assert (moved.target(2).reference, moved.target(2).shift_um) == (None, XY(0.0, 3.0))


def test_a_reference_that_is_not_there_does_not_keep_a_target_from_moving():
    assert edits.move(AREA, {2: XY(0.0, 3.0)}).target(2).reference == "L3_tgt_002.mrc"


def test_the_new_tracking_target_comes_first_and_is_the_origin():
    tracked = edits.make_track(AREA.with_selected([3]), 2)
    assert [target.series for target in tracked.targets.targets] == [f"L3_ts_00{n}.mrc" for n in (2, 1, 3)]
    assert tracked.numbers == (1, 2, 3)
    assert [target.shift_um for target in tracked.targets.targets] == [
        XY(0.0, 0.0),
        XY(-2.4103, 1.0921),
        XY(-5.4103, 3.5921),
    ]
    assert tracked.targets.geo_points[0].shift_um == XY(-1.2103, 4.4921)
    assert tracked.targets.tracking.stage_um == AREA.target(2).stage_um
    assert not tracked.targets.tracking.skip
    assert tracked.selected == {3}


def test_what_a_file_says_beyond_our_keys_goes_with_its_target():
    known = document(AREA.targets, TURNED)
    tracked = edits.make_track(known, 3)
    assert tracked.targets.tracking.extra == (("colour", "red"),)
    assert tracked.targets.tracking.defocus_um == -4.0


def test_a_target_without_stage_position_cannot_track_where_it_cannot_be_found():
    with pytest.raises(EditError, match="target 3 has no stage coordinates"):
        edits.make_track(AREA, 3)
    tracked = edits.make_track(document(AREA.targets, Matrix2(-1.0, 0.0, 0.0, -1.0)), 3)
    assert tracked.targets.tracking.stage_um == pytest.approx((-213.402 + 3.0, 88.117 - 2.5))


def test_targets_with_stage_coordinates_only_change_their_order():
    tracked = edits.make_track(document(parse_targets(ON_STAGE_ONLY)), 2)
    assert [target.stage_um for target in tracked.targets.targets] == [XY(12.0, 21.0), XY(10.0, 20.0)]
    assert all(target.shift_um is None for target in tracked.targets.targets)


def test_guessed_places_are_not_edited():
    guessed = document(parse_targets(ON_STAGE_ONLY))
    assert guessed.is_nominal
    with pytest.raises(EditError, match="target 2 has stage coordinates only"):
        edits.move(guessed, {2: XY(1.0, 1.0)})
    assert not document(parse_targets(ON_STAGE_ONLY), TURNED).is_nominal


def test_the_matrix_of_the_stage_follows_from_targets_that_have_both_coordinates():
    places = {1: XY(0.0, 0.0), 2: XY(3.0, 1.0), 3: XY(-2.0, 4.0)}
    seen = {n: TURNED.apply(place) for n, place in places.items()}
    text = "".join(
        f"_tgt = {n:03d}\ntsfile = a_{n}.mrc\nSSX = {seen[n].x}\nSSY = {seen[n].y * 0.5}\n"
        f"stageX = {places[n].x + 7}\nstageY = {places[n].y - 9}\n"
        for n in places
    )
    found = fitted_matrix(parse_targets(text), picked_at_deg=60.0)
    assert (found.xpx, found.xpy, found.ypx, found.ypy) == pytest.approx(
        (TURNED.xpx, TURNED.xpy, TURNED.ypx, TURNED.ypy)
    )
    assert fitted_matrix(parse_targets(text.replace("stageX = 10", "stageX = 11")), 60.0) is None
    assert fitted_matrix(parse_targets(text.split("_tgt = 003")[0]), 60.0) is None


def test_the_tracking_target_is_never_skipped():
    with pytest.raises(EditError, match="target 1 is the tracking target"):
        edits.set_skip(AREA, [3, 1], True)


def test_skips_toggle_together():
    assert [t.skip for t in edits.toggle_skip(AREA, [2, 3]).targets.targets] == [False, True, True]
    assert [t.skip for t in edits.toggle_skip(AREA, [2]).targets.targets] == [False, False, False]


def test_when_the_tracking_target_is_deleted_the_next_one_takes_its_place():
    left = edits.delete(document(AREA.targets, TURNED), [1])
    # target 2 is skipped, and so not the next
    assert [target.series for target in left.targets.targets] == ["L3_ts_003.mrc", "L3_ts_002.mrc"]
    assert left.targets.targets[1].shift_um == XY(5.4103, -3.5921)
    assert left.numbers == (1, 2)


def test_the_last_target_is_not_deleted():
    with pytest.raises(EditError, match="at least one"):
        edits.delete(AREA, [1, 2, 3])


def test_targets_are_dragged_in_the_list_and_never_before_the_tracking_target():
    series = lambda d: [target.series[3:-4] for target in d.targets.targets]  # noqa: E731
    assert series(edits.move_in_list(AREA, [3], before=2)) == ["ts_001", "ts_003", "ts_002"]
    assert series(edits.move_in_list(AREA, [3], before=1)) == ["ts_001", "ts_003", "ts_002"]
    assert series(edits.move_in_list(AREA, [2], before=None)) == ["ts_001", "ts_003", "ts_002"]


@pytest.mark.parametrize(
    "edit",
    [
        lambda d: edits.set_area(d, [2], "T"),
        lambda d: edits.set_defocus(d, [2], 101.0),
        lambda d: edits.set_score(d, [2], float("nan")),
        lambda d: edits.move(d, {2: XY(float("inf"), 0.0)}),
        lambda d: edits.move(d, {2: XY(1e6, 0.0)}),
        lambda d: edits.move(d, {7: XY(0.0, 0.0)}),
        lambda d: edits.make_track(d, 4),
        lambda d: edits.delete(d, [2, 9]),
        lambda d: edits.reorder(d, [1, 2]),
        lambda d: edits.move_point(d, 1, XY(0.0, 0.0)),
        lambda d: edits.add_point(d, XY(0.0, float("nan"))),
    ],
)
def test_what_makes_no_sense_is_refused(edit):
    with pytest.raises(EditError):
        edit(AREA)


def test_values_of_a_target():
    edited = edits.set_defocus(edits.set_area(edits.set_score(AREA, [2], 0.5), [2, 3], "V"), [2, 3], None)
    assert changed_lines(AREA, edited) == ["LDArea = V", "SPACEscore = 0.5", "LDArea = V"]
    assert "defocus" not in format_targets(edited.targets)


@pytest.mark.parametrize(
    "edit",
    [
        lambda d: edits.move(d, {2: XY(0.0, 0.0)}),
        lambda d: edits.make_track(d, 2),
        lambda d: edits.delete(d, [2]),
        lambda d: edits.reorder(d, [1, 3, 2]),
        lambda d: edits.set_defocus(d, [2], -3.0),
        lambda d: edits.add_point(d, XY(0.0, 0.0)),
    ],
)
def test_a_run_that_has_begun_keeps_targets_as_they_are(edit):
    with pytest.raises(EditError, match="a run has begun"):
        edit(LOCKED)


def test_skips_may_change_after_a_run_has_begun():
    assert edits.toggle_skip(LOCKED, [3]).target(3).skip
