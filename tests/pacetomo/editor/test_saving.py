import json

import pytest
from editing import FILE

from pacetomo.editor import edits, saving
from pacetomo.editor.saving import ChangedOnDiskError
from pacetomo.errors import TargetFileError
from pacetomo.frames import XY


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "L3_tgts.txt"
    path.write_bytes(FILE.encode())
    return path


def moved(opened):
    """The open file after an edit."""
    document = edits.move(opened.history.present, {3: XY(-2.5, 2.0)})
    return opened.history.done("Move 3", document)


def test_saving_without_an_edit_leaves_the_file_and_makes_no_backup(path):
    opened = saving.open_document(path)
    saved = saving.save(opened.history, opened.stamp)
    assert (saved.backup, saved.stamp, path.read_text()) == (None, opened.stamp, FILE)


def test_an_edit_is_saved_and_the_old_file_kept(path):
    opened = saving.open_document(path)
    saved = saving.save(moved(opened), opened.stamp)
    assert path.read_text() == FILE.replace("SSX = -3", "SSX = -2.5").replace("SSY = 2.5", "SSY = 2.0")
    assert saved.backup == path.with_name("L3_tgts.txt~1")
    assert saved.backup.read_text() == FILE
    assert not saved.history.is_changed
    assert saving.save(saved.history, saved.stamp).backup is None


def test_names_in_the_folder_are_known(path):
    (path.parent / "L3_tgt_002.MRC").touch()
    document = saving.open_document(path).history.present
    assert document.existing_images(2) == ("L3_tgt_002.mrc",)


def test_a_file_that_somebody_else_has_changed_is_not_overwritten(path):
    opened = saving.open_document(path)
    theirs = FILE + "# theirs\n"
    path.write_text(theirs)
    assert saving.is_changed_on_disk(path, opened.stamp)
    with pytest.raises(ChangedOnDiskError, match=r"L3_tgts.txt has been changed.*reload.*overwrite"):
        saving.save(moved(opened), opened.stamp)
    assert path.read_text() == theirs
    saved = saving.save(moved(opened), opened.stamp, overwrite=True)
    assert saved.backup.read_text() == theirs
    assert "SSX = -2.5" in path.read_text()


def test_what_somebody_else_has_written_is_taken_up_as_a_step(path):
    opened = saving.open_document(path)
    ours = moved(opened)
    path.write_text(FILE.replace("SSX = -3", "SSX = -4"))
    again, stamp = saving.reloaded(ours)
    assert again.present.target(3).shift_um == XY(-4.0, 2.5)
    assert not again.is_changed
    assert again.undone().present.target(3).shift_um == XY(-2.5, 2.0)
    assert again.undone().is_changed
    assert not saving.is_changed_on_disk(path, stamp)


def test_a_file_that_is_gone_counts_as_changed_and_is_written_again(path):
    opened = saving.open_document(path)
    path.unlink()
    assert saving.is_changed_on_disk(path, opened.stamp)
    saving.save(opened.history, opened.stamp)
    assert path.read_text() == FILE


def test_a_document_goes_on_under_another_name(path):
    opened = saving.open_document(path)
    saving.keep_unsaved(moved(opened), opened.stamp)
    other = path.with_name("L4_tgts.txt")
    saved = saving.save_as(moved(opened), other)
    assert path.read_text() == FILE
    assert (saved.history.present.path, saved.backup) == (other, None)
    assert not saving.unsaved_path(path).exists()
    with pytest.raises(ChangedOnDiskError, match="there already"):
        saving.save_as(saved.history, path)
    assert saving.save_as(saved.history, path, overwrite=True).backup.read_text() == FILE


def test_a_name_that_is_none_of_a_target_file_is_refused(path):
    opened = saving.open_document(path)
    with pytest.raises(TargetFileError, match=r"_tgts\.txt"):
        saving.save_as(opened.history, path.with_name("L4.txt"))


def test_unsaved_work_is_offered_again_and_can_be_undone(path):
    opened = saving.open_document(path)
    ours = moved(opened)
    saving.keep_unsaved(ours, opened.stamp)
    again = saving.open_document(path)
    assert again.unsaved.fits
    taken_up = saving.recovered(again)
    assert taken_up.history.present.targets == ours.present.targets
    assert taken_up.history.undo_label == "Recover unsaved work"
    assert taken_up.history.is_changed
    assert taken_up.history.undone().present.targets == opened.history.present.targets
    saving.save(taken_up.history, again.stamp)
    assert saving.open_document(path).unsaved is None


def test_unsaved_work_on_a_file_that_was_changed_since_says_so(path):
    opened = saving.open_document(path)
    saving.keep_unsaved(moved(opened), opened.stamp)
    path.write_text(FILE.replace("startTilt = 9", "startTilt = 6"))
    unsaved = saving.open_document(path).unsaved
    assert not unsaved.fits
    assert "changed since" in unsaved.text


def test_nothing_is_kept_when_all_is_saved(path):
    opened = saving.open_document(path)
    saving.keep_unsaved(moved(opened), opened.stamp)
    saving.keep_unsaved(opened.history, opened.stamp)
    assert not saving.unsaved_path(path).exists()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", json.dumps({"began_with": "x", "text": "no target"}), "\xff"]
)
def test_damaged_unsaved_work_is_a_warning(path, text):
    saving.unsaved_path(path).write_bytes(text.encode("latin-1"))
    opened = saving.open_document(path)
    assert opened.unsaved is None
    assert len(opened.warnings) == 1
    assert "L3_tgts.txt.unsaved" in opened.warnings[0]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no target"),
        (b"\xff\xfe\x00", "UTF-8"),
        (FILE.replace("SSX = -3", "SSX = three").encode(), "target 3, line 2.: SSX is 'three'"),
        (
            b"_tgt = 001\ntsfile = a.mrc\nSSX = 0\nSSY = 0\n_tgt = 002\ntsfile = b.mrc\nstageX = 1\nstageY = 1\n",
            "stageX",
        ),
    ],
)
def test_a_damaged_file_is_one_clear_sentence(path, data, message):
    path.write_bytes(data)
    with pytest.raises(TargetFileError, match=message) as caught:
        saving.open_document(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_one_clear_sentence(tmp_path):
    with pytest.raises(TargetFileError, match="cannot be read"):
        saving.open_document(tmp_path / "L3_tgts.txt")


def test_crlf_and_byte_order_mark_stay(path):
    data = b"\xef\xbb\xbf" + FILE.replace("\n", "\r\n").encode()
    path.write_bytes(data)
    opened = saving.open_document(path)
    saving.save(moved(opened), opened.stamp)
    wanted = FILE.replace("SSX = -3", "SSX = -2.5").replace("SSY = 2.5", "SSY = 2.0").replace("\n", "\r\n")
    assert path.read_bytes() == b"\xef\xbb\xbf" + wanted.encode()
