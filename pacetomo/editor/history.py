"""Undo and redo: the documents before and after, each step with a label. Frozen, like the documents themselves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from pacetomo.editor.model import Document
from pacetomo.targets import TargetSet


class Step(NamedTuple):
    """A document and what was done to it next (in `History.past`) or last (in `History.future`)."""

    label: str
    document: Document


@dataclass(frozen=True)
class History:
    """A document with what it was before.

    Attributes
    ----------
    present : Document
        What is shown.
    past, future : tuple of Step
        Steps to undo, the latest last, and to redo, the next one last.
    saved : TargetSet or None
        What stands in the file.
    found : str or None
        What tells unsaved work that was found on opening, as long as nobody has decided about it.
    """

    present: Document
    past: tuple[Step, ...] = ()
    future: tuple[Step, ...] = ()
    saved: TargetSet | None = None
    found: str | None = None

    def done(self, label: str, document: Document) -> History:
        """Return the history after an edit; one that changed the selection only is no step."""
        if document.targets is self.present.targets or document.targets == self.present.targets:
            return self.showing(document)
        return replace(self, present=document, past=(*self.past, Step(label, self.present)), future=())

    def showing(self, document: Document) -> History:
        """Return the history with another selection, or something else known, and no step to undo."""
        return replace(self, present=document)

    def undone(self) -> History:
        """Return the history one step back; itself where there is none."""
        if not self.past:
            return self
        label, document = self.past[-1]
        return replace(
            self,
            present=self._with_present_knowledge(document),
            past=self.past[:-1],
            future=(*self.future, Step(label, self.present)),
        )

    def redone(self) -> History:
        """Return the history with the last undone step done again; itself where there is none."""
        if not self.future:
            return self
        label, document = self.future[-1]
        return replace(
            self,
            present=self._with_present_knowledge(document),
            past=(*self.past, Step(label, self.present)),
            future=self.future[:-1],
        )

    def _with_present_knowledge(self, document: Document) -> Document:
        """What has become known since, or the file's new name, is not undone."""
        present = self.present
        return replace(
            document, path=present.path, known=present.known, lock=present.lock, original=present.original
        )

    def after_saving(self, document: Document) -> History:
        """Return the history with the present targets in the file; `document` may have another path."""
        return replace(self, present=document, saved=document.targets)

    @property
    def undo_label(self) -> str | None:
        """What undo would take back, None for nothing."""
        return self.past[-1].label if self.past else None

    @property
    def redo_label(self) -> str | None:
        """What redo would do again, None for nothing."""
        return self.future[-1].label if self.future else None

    @property
    def is_changed(self) -> bool:
        """Whether the file says something else than the present document."""
        return self.saved is not self.present.targets and self.saved != self.present.targets
