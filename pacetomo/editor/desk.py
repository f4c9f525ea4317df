"""What the window works on: the open document with its steps, what is shown of it, and what has to be said.

No window is in here: each method is what one action of the user comes to, and `revision` tells the window that
something else is to be drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pacetomo.editor import adding, edits, picking, rows, saving
from pacetomo.editor.actions import Situation
from pacetomo.editor.history import History
from pacetomo.editor.looks import State
from pacetomo.editor.model import ConfirmationNeededError, Document, Known, Lock
from pacetomo.editor.saving import ChangedOnDiskError, Opened
from pacetomo.editor.wording import sentence
from pacetomo.errors import PaceError

Edit = Callable[[Document], Document]


@dataclass(frozen=True)
class Question:
    """Something that the user has to answer before anything else.

    Attributes
    ----------
    title, text : str
        What it is about, and the question.
    answers : tuple of (str, callable or None)
        What each button says and does; the first is that of Enter, the last that of Escape.
    is_error : bool
        Whether something has gone wrong.
    """

    title: str
    text: str
    answers: tuple[tuple[str, Callable[[], None] | None], ...] = (("OK", None),)
    is_error: bool = False


@dataclass(eq=False)
class Desk:
    """The document on the desk.

    Attributes
    ----------
    history : History
        The document, and what it was before.
    stamp : str or None
        What tells the file as it was read or written last.
    has_microscope : bool
        Whether there is a microscope.
    revision : int
        Higher by one whenever something else is to be drawn.
    questions : list of Question
        What waits to be answered, the first first.
    status : str
        What has been done last, for the lower edge of the window.
    filter_text, sort_column, is_descending
        What of the list is shown, and in which order.
    states : mapping of int to State
        What has become of targets in a run, by number.
    is_closing : bool
        Whether the window may close.
    """

    history: History
    stamp: str | None
    has_microscope: bool = False
    revision: int = 0
    questions: list[Question] = field(default_factory=list)
    status: str = ""
    filter_text: str = ""
    sort_column: str = "number"
    is_descending: bool = False
    states: Mapping[int, State] = field(default_factory=dict)
    is_closing: bool = False
    _told_of_disk: str | None = None
    _source: tuple[object, ...] | None = None
    _rows: list[rows.Row] = field(default_factory=list)

    @classmethod
    def of(cls, opened: Opened, has_microscope: bool = False) -> Desk:
        """The desk with a file just opened; offers unsaved work."""
        desk = cls(opened.history, opened.stamp, has_microscope)
        desk.status = (
            f"{len(opened.history.present.numbers)} targets read from {opened.history.present.path.name}"
        )
        if opened.warnings:
            desk.ask(Question("Odd in this file", "\n".join(map(sentence, opened.warnings))))
        if opened.unsaved is not None:
            desk._offer(opened)
        return desk

    def _offer(self, opened: Opened) -> None:
        def take_up() -> None:
            self._show(
                saving.recovered(opened).history, "unsaved work recovered; Undo shows the file as it was"
            )

        def throw_away() -> None:
            saving.forget_unsaved(self.document.path)

        text = opened.unsaved.text if opened.unsaved is not None else ""
        answers = (("Recover it", take_up), ("Throw it away", throw_away), ("Decide later", None))
        self.ask(Question("Unsaved work", sentence(text), answers))

    # --- what there is

    @property
    def document(self) -> Document:
        """The document as it is now."""
        return self.history.present

    def situation(self, has_map: bool = False) -> Situation:
        """What decides which actions are possible."""
        document = self.document
        return Situation(
            selected=len(document.selected),
            selected_points=len(document.selected_points),
            points=len(document.targets.geo_points),
            lock=None if document.lock is None else document.lock.reason,
            microscope_refusal=None if self.has_microscope else Situation().microscope_refusal,
            can_undo=self.history.undo_label is not None,
            can_redo=self.history.redo_label is not None,
            is_changed=self.history.is_changed,
            has_map=has_map,
            has_scores=any(target.score is not None for target in document.targets.targets),
        )

    def all_rows(self) -> list[rows.Row]:
        """Rows of all targets in order of acquisition; made anew only when something they show has changed."""
        source = (self.document.targets, self.document.known, self.states)
        if self._source is None or any(a is not b for a, b in zip(source, self._source)):
            self._source, self._rows = source, rows.rows_of(self.document, self.states)
        return self._rows

    def shown_rows(self) -> list[rows.Row]:
        """Rows of the list, filtered and sorted."""
        shown = rows.filtered(self.all_rows(), self.filter_text)
        return shown if self.is_in_order else rows.sorted_rows(shown, self.sort_column, self.is_descending)

    @property
    def is_in_order(self) -> bool:
        """Whether the list shows the order of acquisition, so that it can be changed by dragging."""
        return self.sort_column == "number" and not self.is_descending

    # --- saying

    def ask(self, question: Question) -> None:
        """Have a question answered."""
        self.questions.append(question)
        self.revision += 1

    def tell(self, text: str) -> None:
        """Say something at the lower edge of the window."""
        self.status = text
        self.revision += 1

    def complain(self, error: PaceError | str, title: str = "That cannot be done") -> None:
        """Say in a box of its own what has gone wrong."""
        self.ask(Question(title, sentence(str(error)), is_error=True))

    # --- changing

    def edit(self, label: str, change: Edit, confirmed: Edit | None = None) -> bool:
        """Change the document, as a step that can be undone; whether it was.

        Parameters
        ----------
        label : str
            What the step is called.
        change : callable
            Gets the document and returns the new one.
        confirmed : callable, optional
            The same, for when the user has agreed to what `change` asks about.
        """
        try:
            changed = change(self.document)
        except ConfirmationNeededError as err:
            answers: list[tuple[str, Callable[[], None] | None]] = [("Cancel", None)]
            if confirmed is not None:
                answers.insert(0, ("Do it", lambda: self._confirmed(label, confirmed)))
            self.ask(Question(label, sentence(str(err)), tuple(answers)))
            return False
        except PaceError as err:
            self.complain(err)
            return False
        self._show(self.history.done(label, changed), label)
        return True

    def _confirmed(self, label: str, change: Edit) -> None:
        self.edit(label, change)

    def _show(self, history: History, status: str) -> None:
        self.history = history
        self.tell(status)

    def undo(self) -> None:
        """Take back the last step."""
        label = self.history.undo_label
        self._show(self.history.undone(), "nothing to undo" if label is None else f"undone: {label}")

    def redo(self) -> None:
        """Do again the step that was taken back."""
        label = self.history.redo_label
        self._show(self.history.redone(), "nothing to redo" if label is None else f"done again: {label}")

    def select(self, numbers: Collection[int] = (), points: Collection[int] = ()) -> None:
        """Select these targets and geometry points only."""
        document = self.document
        if document.selected == frozenset(numbers) and document.selected_points == frozenset(points):
            return
        self.history = self.history.showing(document.with_selected(numbers, points))
        self.revision += 1

    def select_too(self, number: int) -> None:
        """Select a target beside those that are, or no more if it is selected."""
        document = self.document
        self.select(document.selected ^ {number}, document.selected_points)

    def select_range(self, number: int) -> None:
        """Select all rows of the list from the first selected one to this target."""
        shown = [row.number for row in self.shown_rows()]
        self.select(picking.range_to(shown, self.document.selected, number))

    def step_selection(self, step: int, extend: bool = False) -> None:
        """Select the row of the list that is so many rows below the selected one."""
        shown = [row.number for row in self.shown_rows()]
        if shown:
            self.select(picking.stepped(shown, self.document.selected, step, extend))

    def delete(self) -> None:
        """Delete the selected targets and geometry points."""
        document = self.document
        numbers, points = document.selected, document.selected_points

        def change(document: Document) -> Document:
            left = edits.delete_points(document, points) if points else document
            return edits.delete(left, numbers) if numbers else left

        self.edit(f"Delete {_counted(len(numbers), len(points))}", change)

    def toggle_skip(self, numbers: Collection[int]) -> None:
        """Leave targets out, or take them in again."""
        named = _counted(len(numbers), 0)
        self.edit(f"Skip or not: {named}", lambda document: edits.toggle_skip(document, numbers))

    def shift_rows(self, step: int) -> None:
        """Record the selected targets earlier (-1) or later (1) by one."""
        document = self.document
        order = picking.shifted(document.numbers, document.selected, step)
        self.edit("Change the order", lambda document: edits.reorder(document, order))

    def drop_rows(self, moving: int, before: int | None) -> None:
        """Bring a dragged row, and all selected ones if it is one of them, in front of another one."""
        if not self.is_in_order:
            self.tell("the list is sorted: click the heading of the numbers to drag rows")
            return
        document = self.document
        numbers = document.selected if moving in document.selected else {moving}
        self.edit("Change the order", lambda document: edits.move_in_list(document, numbers, before))

    # --- files

    def save(self, then: Callable[[], None] | None = None) -> None:
        """Write the file; asks where somebody else has written it."""
        self._save(False, then)

    def _save(self, overwrite: bool, then: Callable[[], None] | None) -> None:
        try:
            saved = saving.save(self.history, self.stamp, overwrite)
        except ChangedOnDiskError as err:
            answers: tuple[tuple[str, Callable[[], None] | None], ...] = (
                ("Overwrite it", lambda: self._save(True, then)),
                ("Reload it", self.reload),
                ("Cancel", None),
            )
            self.ask(Question("Changed by another program", sentence(str(err)), answers))
            return
        except PaceError as err:
            self.complain(err, "Not saved")
            return
        self.stamp = saved.stamp
        kept = "" if saved.backup is None else f"; the one before is {saved.backup.name}"
        self._show(saved.history, f"saved {self.document.path.name}{kept}")
        if then is not None:
            then()

    def save_as(self, path: Path, overwrite: bool = False) -> None:
        """Write another file and go on with that one."""
        try:
            saved = saving.save_as(self.history, path, overwrite)
        except ChangedOnDiskError as err:
            answers = (("Overwrite it", lambda: self.save_as(path, True)), ("Cancel", None))
            self.ask(Question("Save as", sentence(str(err)), answers))
            return
        except PaceError as err:
            self.complain(err, "Not saved")
            return
        self.stamp = saved.stamp
        self._show(saved.history, f"saved as {path.name}")

    def reload(self) -> None:
        """Read the file again, as a step that can be undone."""
        try:
            history, self.stamp = saving.reloaded(self.history)
        except PaceError as err:
            self.complain(err, "Not reloaded")
            return
        self._told_of_disk = None
        self._show(history, f"{self.document.path.name} read again")

    def reset(self) -> None:
        """Go back to the targets as they were opened."""
        self.edit("Reset", edits.reset)

    def note_disk(self, is_changed: bool) -> None:
        """Ask what to do about a file that somebody else has changed, once for each of our versions of it."""
        if not is_changed or self._told_of_disk == self.stamp:
            return
        self._told_of_disk = self.stamp
        name = self.document.path.name
        gone = not self.document.path.exists()
        text = (
            f"{name} is gone: another program has removed or renamed it. Saving writes it again."
            if gone
            else f"{name} has been changed by another program. Reloading can be undone."
        )
        answers: tuple[tuple[str, Callable[[], None] | None], ...] = (("Keep mine", None),)
        if not gone:
            answers = (("Reload it", self.reload), *answers)
        self.ask(Question("Changed on the disk", text, answers))

    def close(self) -> None:
        """Close the window; unsaved work is asked about."""
        if not self.history.is_changed:
            self._let_close()
            return
        answers = (
            ("Save and close", lambda: self.save(self._let_close)),
            ("Close without saving", self._forget_and_close),
            ("Cancel", None),
        )
        self.ask(Question("Not saved", f"{self.document.path.name} has changes that are not saved.", answers))

    def _forget_and_close(self) -> None:
        try:
            saving.forget_own_work(self.history)
        except PaceError as err:
            self.complain(err)
            return
        self._let_close()

    def _let_close(self) -> None:
        self.is_closing = True
        self.revision += 1

    # --- what becomes known

    def learn(self, known: Known) -> None:
        """Take note of what is known beside the targets."""
        self.history = self.history.showing(self.document.with_known(known))
        self.revision += 1

    def learn_names(self, names: frozenset[str]) -> None:
        """Take note of the names of the files in the folder, in lower case."""
        if names != self.document.known.names:
            self.learn(replace(self.document.known, names=names))

    def take_lock(self, lock: Lock | None) -> None:
        """Take note of what a run keeps from being edited."""
        if lock != self.document.lock:
            self.history = self.history.showing(replace(self.document, lock=lock))
            self.tell("the area can be edited again" if lock is None else lock.reason)

    def note_kept(self) -> None:
        """After unsaved work was kept in the background: a save may have overtaken that."""
        if not self.history.is_changed:
            saving.forget_own_work(self.history)

    def give_view(self, number: int, name: str) -> None:
        """Note a View image taken of a target."""
        self.edit("Save views", lambda document: adding.with_images(document, number, None, name))


def _counted(targets: int, points: int) -> str:
    """How many of what."""
    said = [
        f"{count} {noun}{'' if count == 1 else 's'}"
        for count, noun in ((targets, "target"), (points, "geometry point"))
        if count
    ]
    return " and ".join(said) or "nothing"
