"""What each action of the editor does in the window."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pacetomo.editor import edits, references
from pacetomo.editor.actions import ACTIONS, BY_NAME, found
from pacetomo.editor.desk import Question
from pacetomo.editor.model import Document, EditError
from pacetomo.editor.window.forms import Forms
from pacetomo.editor.window.mouse import Mode

if TYPE_CHECKING:
    from pacetomo.editor.window.window import EditorWindow

_PAN_PX = 80.0

MOUSE_HELP = """Left click: select; with Ctrl: select too; with Shift: add to the selection
Shift and drag: select in a box; with Ctrl too: add to the selection
Drag a target or geometry point: move it (and all that are selected with it)
Drag the empty plot, or with the middle button: move the view; wheel: zoom
Right click on a target: skip it, or take it in again
Middle click: add a geometry point

◆ tracking target   ■ to do   ✕ skipped (dashed)   ▲ being exposed   ▼ ended early   ● finished
+ geometry point   yellow circle: image-shift limit   dashed line: tilt axis
Rectangles are the fields of Record, at the tilt at which the targets were picked.
Red shades: fields that neighbours' beams expose; the darker, the more dose is added."""


class Commands:
    """The actions, by name."""

    def __init__(self, window: EditorWindow) -> None:
        self.window = window
        self.desk = window.desk
        self.forms = Forms(window)
        self.handlers: Mapping[str, Callable[[], None]] = {
            **self._of_files(),
            **self._of_targets(),
            **self._of_view(),
        }

    def do(self, name: str) -> None:
        """Do an action, or say why it cannot be done now."""
        action = BY_NAME[name]
        reason = action.refusal(self.window.situation())
        if reason is not None:
            self.desk.tell(f"{action.title.rstrip(' .')}: {reason}")
            return
        before = self.desk.status
        self.handlers[name]()
        if self.desk.status == before:  # what was said of something else is over
            self.desk.status = ""

    def _of_files(self) -> dict[str, Callable[[], None]]:
        desk, window = self.desk, self.window
        return {
            "save": desk.save,
            "save_as": self.forms.save_as,
            "reload": self._reload,
            "reset": desk.reset,
            "load_map": window.maps.choose,
            "quit": desk.close,
            "undo": desk.undo,
            "redo": desk.redo,
            "save_views": window.scope_work.save_views,
            "to_acquire": window.scope_work.copy_to_acquire,
            "measure_geometry": window.scope_work.measure_geometry,
            "commands": self._all_actions,
            "mouse_help": lambda: desk.ask(Question("Mouse and signs", MOUSE_HELP)),
        }

    def _of_targets(self) -> dict[str, Callable[[], None]]:
        desk, mouse = self.desk, self.window.mouse
        return {
            "select_all": lambda: desk.select([row.number for row in desk.shown_rows()]),
            "select_none": self._leave,
            "invert": lambda: desk.select(set(desk.document.numbers) - desk.document.selected),
            "delete": desk.delete,
            "skip": lambda: desk.toggle_skip(desk.document.selected),
            "make_track": self._make_track,
            "add_click": lambda: mouse.set_mode(Mode.ADD),
            "add_at": self.forms.add_at,
            "add_pattern": self.forms.add_pattern,
            "add_polygon": lambda: mouse.set_mode(Mode.POLYGON),
            "move_to": self.forms.move_to,
            "earlier": lambda: desk.shift_rows(-1),
            "later": lambda: desk.shift_rows(1),
            "defocus": self.forms.set_defocus,
            "area": self.forms.set_area,
            "add_point": self._add_point,
            "split": self.forms.split,
            "reference": lambda: self._open_image(references.reference_path, "reference image"),
            "stack": lambda: self._open_image(references.series_path, "tilt series"),
        }

    def _of_view(self) -> dict[str, Callable[[], None]]:
        window, plot, maps = self.window, self.window.plot, self.window.maps
        panels = ("targets", "settings", "plan", "run")
        return {
            "fit": window.fit,
            "fit_limit": lambda: window.fit(with_limit=True),
            "fit_map": maps.fit,
            "zoom_in": lambda: plot.zoom(1.25),
            "zoom_out": lambda: plot.zoom(0.8),
            "pan_left": lambda: plot.pan(_PAN_PX, 0),
            "pan_right": lambda: plot.pan(-_PAN_PX, 0),
            "pan_up": lambda: plot.pan(0, _PAN_PX),
            "pan_down": lambda: plot.pan(0, -_PAN_PX),
            "swap_axes": lambda: self._turn("swap"),
            "mirror_x": lambda: self._turn("mirror_x"),
            "mirror_y": lambda: self._turn("mirror_y"),
            "beams": lambda: window.set_shown(with_beams=not plot.shown.with_beams),
            "tilt_down": lambda: window.step_tilt(-1),
            "tilt_up": lambda: window.step_tilt(1),
            "scores": lambda: window.set_shown(by_score=not plot.shown.by_score),
            "show_map": lambda: window.set_shown(with_map=not plot.shown.with_map),
            "darker": lambda: window.nudge_contrast(brighter=-0.1),
            "brighter": lambda: window.nudge_contrast(brighter=0.1),
            "more_contrast": lambda: window.nudge_contrast(contrast=0.25),
            "less_contrast": lambda: window.nudge_contrast(contrast=-0.25),
            "larger_text": lambda: window.change_text(1),
            "smaller_text": lambda: window.change_text(-1),
            "search": window.go_to_search,
            **{f"show_{name}": lambda name=name: window.show_panel(name) for name in panels},  # type: ignore[misc]
        }

    # --- files

    def _reload(self) -> None:
        if not self.desk.history.is_changed:
            self.desk.reload()
            return
        answers = (("Reload", self.desk.reload), ("Cancel", None))
        text = "There are changes that are not saved. Reloading can be undone."
        self.desk.ask(Question("Reload", text, answers))

    # --- targets

    def _leave(self) -> None:
        mouse = self.window.mouse
        if mouse.mode is not Mode.SELECT:
            mouse.set_mode(Mode.SELECT)
        else:
            self.desk.select()

    def _make_track(self) -> None:
        number = min(self.desk.document.selected)
        self.desk.edit(
            f"Make target {number} the tracking target", lambda document: edits.make_track(document, number)
        )

    def _add_point(self) -> None:
        place = self.forms.middle()
        self.desk.edit("Add geometry point", lambda document: edits.add_point(document, place))

    def _open_image(self, path_of: Callable[[Document, int], Path | None], what: str) -> None:
        number = min(self.desk.document.selected)
        path = path_of(self.desk.document, number)
        if path is None:
            self.desk.tell(f"target {number} has no {what} in the folder")
            return
        open_in_viewer(path)
        self.desk.tell(f"opened {path.name}")

    # --- view

    def _turn(self, what: str) -> None:
        orientation = self.window.plot.shown.orientation
        self.window.turn(replace(orientation, **{what: not getattr(orientation, what)}))

    def _all_actions(self) -> None:
        def entries(typed: str) -> list[tuple[str, str, bool]]:
            situation = self.window.situation()
            return [
                (
                    f"{action.menu}: {action.title.rstrip(' .')}",
                    ", ".join(action.keys),
                    action.refusal(situation) is None,
                )
                for action in found(typed, ACTIONS)
            ]

        self.window.dialogs.choice(
            "All actions", entries, lambda place, typed: self.do(found(typed, ACTIONS)[place].name)
        )


def open_in_viewer(path: Path) -> None:
    """Open a file with the program that the system has for it.

    Raises
    ------
    EditError
        When there is none.
    """
    try:
        if sys.platform == "win32":
            os.startfile(path)
        else:
            subprocess.Popen(
                ["open" if sys.platform == "darwin" else "xdg-open", str(path)],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
    except OSError as err:
        raise EditError(
            f"{path.name} cannot be opened: this system has no program for it ({err.strerror})"
        ) from err
