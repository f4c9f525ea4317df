"""What is looked after while the window is open: the file on the disk, the run, unsaved work, and the plan.

Each of these is done in a thread of its own, one at a time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pacetomo.area_files import AreaFiles
from pacetomo.editor import plan_panel, saving
from pacetomo.editor.begun import lock_of
from pacetomo.editor.live import Follower, Progress
from pacetomo.editor.model import Document
from pacetomo.editor.plan_panel import Findings
from pacetomo.editor.workers import Work
from pacetomo.errors import PaceError

if TYPE_CHECKING:
    from pacetomo.editor.window.window import EditorWindow

Result = TypeVar("Result")

_CHECK_DISK_S = 2.0
_FOLLOW_RUN_S = 1.0
_KEEP_UNSAVED_S = 1.5
_CHECK_PLAN_S = 0.4
_NEVER = float("inf")


class Errands:
    """The errands of a window.

    Attributes
    ----------
    progress : Progress
        How far the area's run is, as its journal says.
    """

    def __init__(self, window: EditorWindow) -> None:
        self.window = window
        self.progress = Progress()
        self._follower = Follower(self._journal())
        self._due = {"disk": 0.0, "run": 0.0, "unsaved": _NEVER, "figures": _NEVER, "plan": _NEVER}
        self._busy: dict[str, Work] = {}

    def after_edit(self) -> None:
        """Have done what an edit calls for."""
        now_s = time.monotonic()
        self._due.update(figures=now_s, plan=now_s + _CHECK_PLAN_S, unsaved=now_s + _KEEP_UNSAVED_S)

    def run(self, now_s: float) -> None:
        """Begin what is due."""
        desk = self.window.desk
        document = desk.document
        if self._is_due("disk", now_s, _CHECK_DISK_S):
            path, stamp = document.path, desk.stamp
            self._in_turn(
                "disk",
                lambda work: (saving.is_changed_on_disk(path, stamp), saving.names_in(path.parent)),
                lambda found: self._note_disk(found[0], found[1], stamp),
            )
        if self._is_due("run", now_s, _FOLLOW_RUN_S):
            if self._follower.journal != self._journal():
                self._follower = Follower(self._journal())
            self._in_turn("run", lambda work: self._follow(), self._take_progress)
        if self._is_due("unsaved", now_s):
            history, stamp = desk.history, desk.stamp
            self._in_turn(
                "unsaved", lambda work: saving.keep_unsaved(history, stamp), lambda done: desk.note_kept()
            )
        if self._is_due("figures", now_s):
            self._in_turn("figures", lambda work: plan_panel.summarise(document), self.window.plan.show)
        if self._is_due("plan", now_s):
            self._in_turn(
                "plan",
                lambda work: plan_panel.findings(document),
                lambda found: self._take_findings(found, document),
            )

    def _is_due(self, what: str, now_s: float, every_s: float = _NEVER) -> bool:
        """Whether something is to be done now; it is due again after a time, or when somebody says so."""
        if now_s < self._due[what] or what in self._busy:
            return False
        self._due[what] = now_s + every_s
        return True

    def _in_turn(self, what: str, work: Callable[[Work], Result], take: Callable[[Result], None]) -> None:
        """Do work in the background, one of its kind at a time."""

        def done(result: Result) -> None:
            self._busy.pop(what, None)
            take(result)

        def failed(error: PaceError) -> None:
            self._busy.pop(what, None)
            self.window.desk.tell(str(error))

        self._busy[what] = self.window.workers.start("", work, done, failed, lane=what)

    # --- results

    def _note_disk(self, is_changed: bool, names: frozenset[str], stamp: str | None) -> None:
        desk = self.window.desk
        desk.learn_names(names)
        if stamp == desk.stamp:
            desk.note_disk(is_changed)

    def _journal(self) -> Path:
        files = AreaFiles(self.window.desk.document.path)
        return files.journal(files.latest_run)

    def _follow(self) -> Progress | None:
        return self._follower.progress() if self._follower.poll() else None

    def _take_progress(self, progress: Progress | None) -> None:
        if progress is None:
            return
        if self._follower.is_behind:
            self._due["run"] = 0.0
        self.progress = progress
        desk = self.window.desk
        if progress.is_over or desk.document.lock is None:
            files = AreaFiles(desk.document.path)
            self._in_turn("lock", lambda work: lock_of(files), desk.take_lock)
        desk.states = progress.states
        self.window.run_view.show(progress)
        self.window.details.refresh(time.monotonic())
        desk.revision += 1

    def _take_findings(self, findings: Findings, document: Document) -> None:
        window = self.window
        if document.targets is not window.desk.document.targets:
            return
        window.plan.show_findings(findings)
        window.plot.overlaps = findings.overlaps
        window.plot.redraw_beams()
