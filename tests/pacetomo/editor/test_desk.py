"""What the window works on, without a window: what it notes in the background and what it does at the end."""

from __future__ import annotations

from pathlib import Path

import pytest
from editing import FILE

from pacetomo.editor import edits, saving
from pacetomo.editor.desk import Desk
from pacetomo.editor.model import Lock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "L3_tgts.txt"
    path.write_text(FILE)
    return path


def skip_third(desk: Desk) -> None:
    desk.edit("Skip", lambda document: edits.toggle_skip(document, [3]))


def answer(desk: Desk, button: str) -> None:
    """Press a button of the question that is asked."""
    question = desk.questions.pop(0)
    act = dict(question.answers)[button]
    if act is not None:
        act()


def test_closing_without_saving_leaves_older_work_that_was_to_be_decided_on_later(path: Path) -> None:
    first = Desk.of(saving.open_document(path))
    skip_third(first)
    saving.keep_unsaved(first.history, first.stamp)
    second = Desk.of(saving.open_document(path))
    answer(second, "Decide later")
    skip_third(second)
    second.edit("Delete", lambda document: edits.delete(document, [2]))
    second.close()
    answer(second, "Close without saving")
    assert second.is_closing
    third = Desk.of(saving.open_document(path))
    answer(third, "Recover it")
    assert third.document.targets == first.document.targets
    third.close()
    answer(third, "Close without saving")
    assert saving.open_document(path).unsaved is None


def test_unsaved_work_that_a_save_has_overtaken_is_not_offered_again(path: Path) -> None:
    desk = Desk.of(saving.open_document(path))
    skip_third(desk)
    stale, stamp = desk.history, desk.stamp
    desk.edit("Skip", lambda document: edits.toggle_skip(document, [3]))
    desk.edit("Delete", lambda document: edits.delete(document, [2]))
    desk.save()
    saving.keep_unsaved(stale, stamp)
    desk.note_kept()
    assert saving.open_document(path).unsaved is None


def test_a_run_that_begins_locks_the_targets_and_undo_does_not_unlock_them(path: Path) -> None:
    desk = Desk.of(saving.open_document(path))
    skip_third(desk)
    desk.take_lock(Lock("a run has begun"))
    desk.undo()
    assert desk.situation().lock == "a run has begun"
    assert not desk.edit("Delete", lambda document: edits.delete(document, [2]))
    desk.questions.clear()
    desk.take_lock(None)
    assert desk.edit("Delete", lambda document: edits.delete(document, [2]))


def test_images_that_appear_meanwhile_keep_their_targets_from_moving_unasked(path: Path) -> None:
    desk = Desk.of(saving.open_document(path))
    (path.parent / "L3_tgt_002.mrc").touch()
    desk.learn_names(saving.names_in(path.parent))
    half_way = desk.document.places_um[2].scaled(0.5)
    assert not desk.edit("Move", lambda document: edits.move(document, {2: half_way}))
    assert "old place of target 2" in desk.questions[0].text
    revision = desk.revision
    desk.learn_names(saving.names_in(path.parent))
    assert desk.revision == revision
