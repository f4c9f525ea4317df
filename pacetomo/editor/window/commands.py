"""What each action of the editor does in the window."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pacetomo.editor import adding, drawing, edits, filling, references
from pacetomo.editor.actions import ACTIONS, BY_NAME, found
from pacetomo.editor.desk import Question
from pacetomo.editor.model import Document, EditError
from pacetomo.editor.window.dialogs import Field
from pacetomo.editor.window.mouse import Mode
from pacetomo.frames import ORIGIN, XY
from pacetomo.number_text import format_float, parse_float
from pacetomo.pattern import Lattice
from pacetomo.selection.polygon import PACKINGS
from pacetomo.targets import AREAS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pacetomo.editor.window.window import EditorWindow

_PAN_PX = 80.0
_AREA_NAMES = {"R": "R (Record)", "V": "V (View)", "S": "S (Search)"}

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
        self.handlers[name]()

    def _of_files(self) -> dict[str, Callable[[], None]]:
        desk, window = self.desk, self.window
        return {
            "save": desk.save,
            "save_as": self._save_as,
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
            "add_at": self._add_at,
            "add_pattern": self._add_pattern,
            "add_polygon": lambda: mouse.set_mode(Mode.POLYGON),
            "move_to": self._move_to,
            "earlier": lambda: desk.shift_rows(-1),
            "later": lambda: desk.shift_rows(1),
            "defocus": self._set_defocus,
            "area": self._set_area,
            "add_point": self._add_point,
            "split": self._split,
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

    def _save_as(self) -> None:
        path = self.desk.document.path

        def accept(values: dict[str, str]) -> None:
            wanted = Path(values["name"])
            self.window.dialogs.close()
            self.desk.save_as(wanted if wanted.is_absolute() else path.parent / wanted)

        fields = [
            Field("name", "File name", path.name, "Ends in _tgts.txt; in the same folder, or with a path")
        ]
        self.window.dialogs.form("Save as", fields, accept, action="Save")

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

    def _place_form(self, title: str, at_um: XY, accept: Callable[[XY], None]) -> None:
        def read(values: dict[str, str]) -> None:
            accept(XY(_number(values["x"], "SSX"), _number(values["y"], "SSY")))

        fields = [
            Field(
                "x",
                "SSX (µm)",
                format_float(round(at_um.x, 4)),
                "Along the tilt axis, from the tracking target",
            ),
            Field(
                "y",
                "SSY (µm)",
                format_float(round(at_um.y, 4)),
                "Across the tilt axis, from the tracking target",
            ),
        ]
        self.window.dialogs.form(title, fields, read)

    def _middle(self) -> XY:
        """What is under the mouse, or in the middle of the view."""
        plot = self.window.plot
        at_um = self.window.mouse.at_um
        return at_um if at_um is not None else plot.shown.orientation.to_specimen(plot.canvas.view.centre_um)

    def _edit_from_form(self, label: str, change: Callable[[Document], Document]) -> None:
        """As `Desk.edit`, with errors left to the form."""
        self.desk.history = self.desk.history.done(label, change(self.desk.document))
        self.desk.tell(label)

    def _add_at(self) -> None:
        def add(place: XY) -> None:
            self._edit_from_form("Add target", lambda document: adding.add_at(document, [place]))

        self._place_form("Add a target", self._middle(), add)

    def _move_to(self) -> None:
        number = min(self.desk.document.selected)

        def move(place: XY) -> None:
            self.window.dialogs.close()
            self.desk.edit(
                f"Move target {number}",
                lambda document: edits.move(document, {number: place}),
                lambda document: edits.move(document, {number: place}, confirmed=True),
            )

        self._place_form(f"Move target {number}", self.desk.document.places_um[number], move)

    def _add_point(self) -> None:
        place = self._middle()
        self.desk.edit("Add geometry point", lambda document: edits.add_point(document, place))

    def _add_pattern(self) -> None:
        document = self.desk.document
        lattice = document.lattice or Lattice(XY(3.0, 0.0), XY(0.0, 3.0))
        text = (
            "Vectors from a hole to its neighbours. Select three targets beforehand to take them from there."
        )
        if len(document.selected) == 3:
            lattice = adding.lattice_through(document, sorted(document.selected))
            text = "Vectors between the three selected targets."

        def accept(values: dict[str, str]) -> None:
            a = XY(_number(values["ax"], "vecA0"), _number(values["ay"], "vecA1"))
            b = XY(_number(values["bx"], "vecB0"), _number(values["by"], "vecB1"))
            size = _number(values["size"], "size")
            if size != int(size):
                raise EditError("the size must be a whole number of holes")
            limit = document.settings.imageShiftLimit if values["limit"] == "yes" else None
            self._edit_from_form(
                "Add pattern", lambda doc: adding.add_pattern(doc, Lattice(a, b), int(size), ORIGIN, limit)
            )

        vectors = (
            ("ax", "A along X", lattice.a_um.x),
            ("ay", "A along Y", lattice.a_um.y),
            ("bx", "B along X", lattice.b_um.x),
            ("by", "B along Y", lattice.b_um.y),
        )
        fields = [
            Field(name, f"{label} (µm)", format_float(round(value, 4))) for name, label, value in vectors
        ]
        fields.append(Field("size", "Holes to each side", "2", "1 gives 3 x 3 targets, 2 gives 5 x 5 ..."))
        fields.append(
            Field(
                "limit",
                "Within image shift only",
                "yes",
                "Leave out what image shift does not reach",
                ("yes", "no"),
            )
        )
        self.window.dialogs.form("Add pattern", fields, accept, text, "Add")

    def fill_polygon(self, corners: Sequence[XY]) -> None:
        """Ask how to fill a polygon, and fill it."""
        document = self.desk.document
        steepest = drawing.steepest_deg(document)

        def accept(values: dict[str, str]) -> None:
            spacing, tilt = _number(values["spacing"], "spacing"), _number(values["tilt"], "tilt")
            packing = values["packing"]
            self._edit_from_form(
                "Fill polygon", lambda doc: filling.fill_polygon(doc, corners, spacing, tilt, packing)
            )

        beam = format_float(round(drawing.beam_um(document), 3))
        fields = [
            Field(
                "spacing", "Spacing (µm)", beam, "Between neighbours along the tilt axis; the beam's diameter"
            ),
            Field(
                "tilt",
                "No overlap up to (°)",
                "0",
                f"Stretched across the tilt axis by 1/cos; the plan tilts to {steepest:g}°",
            ),
            Field("packing", "Packing", PACKINGS[0], "", PACKINGS),
        ]
        self.window.dialogs.form(
            "Fill polygon", fields, accept, f"A polygon of {len(corners)} corners.", "Fill"
        )

    def _set_defocus(self) -> None:
        numbers = self.desk.document.selected
        own = {self.desk.document.target(number).defocus_um for number in numbers}
        value = own.pop() if len(own) == 1 else None

        def accept(values: dict[str, str]) -> None:
            text = values["defocus"]
            defocus = _number(text, "defocus") if text else None
            self._edit_from_form(
                "Set defocus", lambda document: edits.set_defocus(document, numbers, defocus)
            )

        said = "Underfocus negative; empty for the share of the settings' range"
        field = Field("defocus", "Defocus (µm)", "" if value is None else format_float(value), said)
        self.window.dialogs.form(f"Defocus of {len(numbers)} targets", [field], accept)

    def _set_area(self) -> None:
        numbers = self.desk.document.selected
        now = self.desk.document.target(min(numbers)).area

        def entries(typed: str) -> list[tuple[str, str, bool]]:
            return [
                (_AREA_NAMES[area], "now" if area == now else "", True)
                for area in AREAS
                if area.startswith(typed.upper())
            ]

        def chosen(place: int, typed: str) -> None:
            area = [area for area in AREAS if area.startswith(typed.upper())][place]
            self.desk.edit(f"Record in {area}", lambda document: edits.set_area(document, numbers, area))

        self.window.dialogs.choice(
            "Low-dose area", entries, chosen, f"In which {len(numbers)} targets are recorded."
        )

    def _split(self) -> None:
        def accept(values: dict[str, str]) -> None:
            parts = filling.split(self.desk.document, _number(values["limit"], "limit"))
            self.window.dialogs.close()
            names = ", ".join(part.path.name for part in parts[1:])
            self.window.save_parts(parts)
            self.desk.tell(f"split: {len(parts[0].numbers)} targets stay, the others are in {names}")

        limit = format_float(self.desk.document.settings.imageShiftLimit)
        field = Field(
            "limit", "Image-shift limit (µm)", limit, "Largest distance from the tracking target of each area"
        )
        text = (
            "Targets beyond the limit go to target files of their own, which are written at once. "
            "This file keeps the others; save it afterwards."
        )
        self.window.dialogs.form("Split by image-shift limit", [field], accept, text, "Split")

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


def _number(text: str, name: str) -> float:
    value = parse_float(text)
    if value is None:
        raise EditError(f"{name} must be a number, not {text!r}")
    return value
