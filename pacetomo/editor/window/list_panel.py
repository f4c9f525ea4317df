"""The list of targets: rows that are made once and then written over."""

from __future__ import annotations

from dataclasses import dataclass, field

import dearpygui.dearpygui as dpg

from pacetomo.editor.desk import Desk
from pacetomo.editor.looks import LOOKS, State
from pacetomo.editor.rows import COLUMNS, Row
from pacetomo.editor.window.keyboard import Held
from pacetomo.editor.window.theme import TEXT, TEXT_DIM, Fonts, Tag, table_theme
from pacetomo.editor.wording import cut

SYMBOLS = {
    State.TRACKING: "◆",
    State.WAITING: "■",
    State.SKIPPED: "✕",
    State.RUNNING: "▲",
    State.ENDED: "▼",
    State.FINISHED: "●",
}
_HEADINGS = {
    "number": "No.",
    "files": "Files",
    "defocus": "Defocus",
    "area": "Area",
    "skip": "Skip",
    "state": "State",
    "score": "Score",
}
_HELP = {
    "number": "Order of acquisition; drag rows to change it, the tracking target stays first",
    "files": "Tilt series; hover over a row for all file names",
    "SSX": "µm along the tilt axis, from the tracking target",
    "SSY": "µm across the tilt axis, from the tracking target",
    "score": "Of an automatic picker",
    "defocus": "µm, underfocus negative; in brackets: its share of the settings' range",
    "area": "Low-dose area to record in: R(ecord), V(iew), S(earch)",
    "skip": "Targets that are left out",
    "state": "What it is, or what has become of it in a run",
}
_WIDTHS_EM = {
    "number": 2.7,
    "SSX": 3.6,
    "SSY": 3.6,
    "score": 2.9,
    "defocus": 4.2,
    "area": 2.6,
    "skip": 2.3,
    "state": 6.5,
}
_LONGEST_NAME, _LONGEST_WITH_SCORES = 17, 12


@dataclass(eq=False)
class _Line:
    """The widgets of a row, and what they show."""

    row: Tag
    selectable: Tag
    tooltip: Tag
    cells: dict[str, Tag]
    shown: Row | None = None
    is_visible: bool = True
    is_selected: bool = False


@dataclass(eq=False)
class ListPanel:
    """The list in a window."""

    desk: Desk
    fonts: Fonts
    held: Held
    _lines: list[_Line] = field(default_factory=list)
    _rows: list[Row] = field(default_factory=list)
    _has_scores: bool = True

    def build(self, parent: Tag, height: int) -> None:
        """Make the filter line and the table; `height` is negative, as much as is to be left below."""
        em = self.fonts.em
        self._parent, self._height = parent, height
        with dpg.group(horizontal=True, parent=parent):
            self.search = dpg.add_input_text(
                hint="filter: words, score>0.5, ssx<-2 ...", width=em(20), callback=self._filter_changed
            )
            self._count = dpg.add_text("", color=TEXT_DIM)
        with dpg.tooltip(self.search):
            dpg.add_text(
                "Shows rows with all these words, or with score>0.5, ssx<=-2, defocus<-4, number>10 ...  [Ctrl+F]",
                wrap=em(26),
            )
        self.table = dpg.add_table(
            parent=parent,
            height=height,
            clipper=True,
            scrollY=True,
            freeze_rows=1,
            row_background=True,
            borders_innerV=True,
            resizable=True,
            sortable=True,
            sort_tristate=False,
            callback=self._sort_changed,
            policy=dpg.mvTable_SizingFixedFit,
            no_saved_settings=True,
        )
        dpg.bind_item_theme(self.table, table_theme(self.fonts.size_px))
        self._columns = {}
        for column in COLUMNS:
            self._columns[column] = dpg.add_table_column(
                parent=self.table,
                label=_HEADINGS.get(column, column),
                width_stretch=column == "files",
                width_fixed=column != "files",
                init_width_or_weight=1.0 if column == "files" else em(_WIDTHS_EM[column]),
                default_sort=column == "number",
                prefer_sort_ascending=True,
            )
            with dpg.tooltip(self._columns[column]):
                dpg.add_text(_HELP[column], wrap=em(22))

    def redraw(self) -> None:
        """Show the rows as they are now."""
        self._rows = self.desk.shown_rows()
        document = self.desk.document
        while len(self._lines) < len(self._rows):
            self._lines.append(self._made(len(self._lines)))
        has_scores = any(target.score is not None for target in document.targets.targets)
        if has_scores is not self._has_scores:
            self._has_scores = has_scores
            dpg.configure_item(self._columns["score"], enabled=has_scores)
            for line in self._lines:
                line.shown = None
        for place, line in enumerate(self._lines):
            row = self._rows[place] if place < len(self._rows) else None
            self._write(line, row, row is not None and row.number in document.selected)
        total, skipped = len(document.numbers), sum(t.skip for t in document.targets.targets)
        shown = "" if len(self._rows) == total else f"{len(self._rows)} of "
        left_out = f", {skipped} skipped" if skipped else ""
        dpg.set_value(self._count, f"{shown}{total} targets{left_out}, {len(document.selected)} selected")

    def _made(self, place: int) -> _Line:
        """A row with empty cells."""
        row = dpg.add_table_row(parent=self.table)
        selectable = dpg.add_selectable(
            parent=row,
            label="",
            span_columns=True,
            callback=self._clicked,
            user_data=place,
            drop_callback=self._dropped,
            payload_type="target",
        )
        with dpg.drag_payload(parent=selectable, drag_data=place, payload_type="target"):
            dpg.add_text("move in the order of acquisition")
        with dpg.tooltip(selectable, delay=0.6):
            tooltip = dpg.add_text("")
        cells = {column: dpg.add_text("", parent=row) for column in COLUMNS if column != "number"}
        return _Line(row, selectable, tooltip, cells)

    def _write(self, line: _Line, row: Row | None, is_selected: bool) -> None:
        """Write over a row where it shows something else."""
        if (row is not None) != line.is_visible:
            line.is_visible = row is not None
            dpg.configure_item(line.row, show=line.is_visible)
        if row is None:
            return
        if is_selected != line.is_selected:
            line.is_selected = is_selected
        dpg.set_value(line.selectable, is_selected)
        if row == line.shown:
            return
        line.shown = row
        dpg.configure_item(line.selectable, label=str(row.number))
        names = [name for name in (row.series, row.reference, row.view) if name]
        dpg.set_value(line.tooltip, "\n".join(["tilt series, reference, view:", *names]))
        for column, item in line.cells.items():
            dpg.set_value(item, self._text(row, column))
        colour = TEXT if row.state is not State.SKIPPED else TEXT_DIM
        for column in ("files", "SSX", "SSY"):
            dpg.configure_item(line.cells[column], color=colour)
        dpg.configure_item(line.cells["state"], color=LOOKS[row.state].colour)

    def _text(self, row: Row, column: str) -> str:
        if column == "files":
            return cut(
                row.series.rpartition(".")[0] or row.series,
                _LONGEST_WITH_SCORES if self._has_scores else _LONGEST_NAME,
            )
        if column == "skip":
            return "✕" if row.skip else ""
        if column == "state":
            return f"{SYMBOLS[row.state]} {row.state.value}"
        return row.text(column)

    def scroll_to_selected(self) -> None:
        """Bring the first selected row into sight."""
        for place, row in enumerate(self._rows):
            if row.number in self.desk.document.selected:
                height = self.fonts.size_px * 1.43
                top = dpg.get_y_scroll(self.table)
                # A table does not tell its size; it fills its parent but for the filter above and what is below.
                visible = dpg.get_item_rect_size(self._parent)[1] + self._height - 3 * self.fonts.size_px
                at = place * height
                if at < top or at > top + visible - 3 * height:
                    dpg.set_y_scroll(self.table, max(at - visible / 2, 0.0))
                return

    # --- what the user does

    def _clicked(self, _sender: Tag, _value: bool, place: int) -> None:
        if place >= len(self._rows):
            return
        number = self._rows[place].number
        if self.held.is_held("Ctrl"):
            self.desk.select_too(number)
        elif self.held.is_held("Shift"):
            self.desk.select_range(number)
        else:
            self.desk.select([number])
        self.desk.revision += 1  # the widget has changed its own mark, whatever is selected

    def _dropped(self, sender: Tag, place: int) -> None:
        onto = next((i for i, line in enumerate(self._lines) if line.selectable == sender), None)
        if onto is None or onto >= len(self._rows) or place >= len(self._rows) or onto == place:
            return
        moving, target = self._rows[place].number, self._rows[onto].number
        after = self._rows[onto + 1].number if onto + 1 < len(self._rows) else None
        self.desk.drop_rows(moving, after if onto > place else target)

    def _filter_changed(self, _sender: Tag, text: str) -> None:
        self.desk.filter_text = text
        self.desk.revision += 1

    def _sort_changed(self, _sender: Tag, specs: list[list[int]] | None) -> None:
        if not specs:
            return
        column, direction = specs[0]
        name = next((name for name, item in self._columns.items() if item == column), "number")
        if (name, direction < 0) != (self.desk.sort_column, self.desk.is_descending):
            self.desk.sort_column, self.desk.is_descending = name, direction < 0
            self.desk.revision += 1
