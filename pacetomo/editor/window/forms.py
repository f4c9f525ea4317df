"""Forms that ask for what an edit needs: coordinates, lattices, names, limits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pacetomo.editor import adding, drawing, edits, filling
from pacetomo.editor.model import Document, EditError
from pacetomo.editor.window.dialogs import Field
from pacetomo.frames import ORIGIN, XY
from pacetomo.number_text import format_float, parse_float
from pacetomo.pattern import Lattice
from pacetomo.selection.polygon import PACKINGS
from pacetomo.targets import AREAS

if TYPE_CHECKING:
    from pacetomo.editor.window.window import EditorWindow

_AREA_NAMES = {"R": "R (Record)", "V": "V (View)", "S": "S (Search)"}


class Forms:
    """The forms of a window."""

    def __init__(self, window: EditorWindow) -> None:
        self.window = window
        self.desk = window.desk

    def save_as(self) -> None:
        """Ask for another name of the file."""
        path = self.desk.document.path

        def accept(values: dict[str, str]) -> None:
            wanted = Path(values["name"])
            self.window.dialogs.close()
            self.desk.save_as(wanted if wanted.is_absolute() else path.parent / wanted)

        fields = [
            Field("name", "File name", path.name, "Ends in _tgts.txt; in the same folder, or with a path")
        ]
        self.window.dialogs.form("Save as", fields, accept, action="Save")

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

    def middle(self) -> XY:
        """What is under the mouse, or in the middle of the view."""
        plot = self.window.plot
        at_um = self.window.mouse.at_um
        return at_um if at_um is not None else plot.shown.orientation.to_specimen(plot.canvas.view.centre_um)

    def _edit_from_form(self, label: str, change: Callable[[Document], Document]) -> None:
        """As `Desk.edit`, with errors left to the form."""
        self.desk.history = self.desk.history.done(label, change(self.desk.document))
        self.desk.tell(label)

    def add_at(self) -> None:
        """Ask for the place of a new target."""

        def add(place: XY) -> None:
            self._edit_from_form("Add target", lambda document: adding.add_at(document, [place]))

        self._place_form("Add a target", self.middle(), add)

    def move_to(self) -> None:
        """Ask where the selected target is to be."""
        number = min(self.desk.document.selected)

        def move(place: XY) -> None:
            self.window.dialogs.close()
            self.desk.edit(
                f"Move target {number}",
                lambda document: edits.move(document, {number: place}),
                lambda document: edits.move(document, {number: place}, confirmed=True),
            )

        self._place_form(f"Move target {number}", self.desk.document.places_um[number], move)

    def add_pattern(self) -> None:
        """Ask for the vectors and the size of a pattern."""
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

    def set_defocus(self) -> None:
        """Ask for the defocus of the selected targets."""
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

    def set_area(self) -> None:
        """Ask in which low-dose area the selected targets are recorded."""
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

    def split(self) -> None:
        """Ask for the limit by which the area is split."""

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


def _number(text: str, name: str) -> float:
    value = parse_float(text)
    if value is None:
        raise EditError(f"{name} must be a number, not {text!r}")
    return value
