from editing import FILE, document

from pacetomo.editor import edits
from pacetomo.editor.history import History
from pacetomo.editor.model import Known
from pacetomo.files.target_file import parse_targets

AREA = document(parse_targets(FILE))
BEGUN = History(AREA, saved=AREA.targets)


def test_steps_are_undone_and_done_again_by_their_labels():
    skipped = BEGUN.done("Skip 3", edits.toggle_skip(AREA, [3]))
    tracked = skipped.done("Track 2", edits.make_track(skipped.present, 2))
    assert (tracked.undo_label, tracked.redo_label) == ("Track 2", None)
    back = tracked.undone()
    assert (back.undo_label, back.redo_label) == ("Skip 3", "Track 2")
    assert back.present == skipped.present
    assert back.redone().present == tracked.present
    assert back.undone().undone().present == AREA


def test_a_new_step_ends_what_could_be_redone():
    back = BEGUN.done("Skip", edits.toggle_skip(AREA, [3])).undone()
    other = back.done("Area", edits.set_area(AREA, [2], "V"))
    assert (other.redo_label, other.redone()) == (None, other)


def test_what_changes_nothing_is_no_step():
    same = BEGUN.done("Skip", edits.set_skip(AREA, [2], True))
    assert (same.past, same.is_changed) == ((), False)
    assert BEGUN.done("Select", AREA.with_selected([2])).past == ()


def test_undo_brings_back_the_selection_of_that_time():
    selected = BEGUN.showing(AREA.with_selected([2]))
    skipped = selected.done("Skip", edits.toggle_skip(selected.present, [3])).showing(AREA.with_selected([3]))
    skipped = skipped.done("Area", edits.set_area(skipped.present, [3], "V"))
    assert skipped.undone().present.selected == {3}
    assert skipped.undone().undone().present.selected in ({2}, {3})


def test_what_has_become_known_is_not_undone():
    skipped = BEGUN.done("Skip", edits.toggle_skip(AREA, [3]))
    taught = skipped.showing(skipped.present.with_known(Known(has_microscope=True)))
    assert taught.undone().present.known.has_microscope


def test_a_history_knows_whether_the_file_says_the_same():
    skipped = BEGUN.done("Skip", edits.toggle_skip(AREA, [3]))
    assert (skipped.is_changed, skipped.undone().is_changed) == (True, False)
    saved = skipped.after_saving(skipped.present)
    assert (saved.is_changed, saved.undone().is_changed) == (False, True)
    assert History(AREA).is_changed
