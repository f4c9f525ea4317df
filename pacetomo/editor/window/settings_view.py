"""The settings of the area: a line for each, checked while typing."""

from __future__ import annotations

from dataclasses import dataclass, field

import dearpygui.dearpygui as dpg

from pacetomo.editor import settings_panel
from pacetomo.editor.desk import Desk
from pacetomo.editor.settings_panel import PanelRow
from pacetomo.editor.window.theme import ERROR, TEXT, TEXT_DIM, TEXT_DISABLED, Fonts, Tag, text_theme
from pacetomo.editor.wording import cut
from pacetomo.scope.protocol import Missing

_OVERRIDE = (240, 228, 66, 255)


@dataclass(eq=False)
class _Line:
    """The widgets of a setting, and what they show."""

    name: str
    row: Tag
    heading: Tag
    label: Tag
    entry: Tag
    origin: Tag
    clear: Tag
    tooltip: Tag
    shown: PanelRow | None = None
    is_wrong: bool = False


@dataclass(eq=False)
class SettingsView:
    """The settings in a window."""

    desk: Desk
    fonts: Fonts
    inputs: list[Tag] = field(default_factory=list)
    _lines: dict[str, _Line] = field(default_factory=dict)
    _current: str = ""
    _filter: str = ""
    _only_changed: bool = False
    _visible: list[str] = field(default_factory=list)

    def build(self, parent: Tag) -> None:
        """Make all lines."""
        em = self.fonts.em
        self._wrong = text_theme(ERROR)
        with dpg.group(horizontal=True, parent=parent):
            self.search = dpg.add_input_text(
                hint="find a setting", width=em(15), callback=self._filter_changed
            )
            self.inputs.append(self.search)
            only = dpg.add_checkbox(label="of this file only", callback=self._only_changed_toggled)
        with dpg.tooltip(self.search):
            dpg.add_text("Shows settings whose name or help has these words  [Ctrl+F]", wrap=em(22))
        with dpg.tooltip(only):
            dpg.add_text("Shows only what this target file gives itself", wrap=em(22))
        with dpg.child_window(parent=parent, height=-em(8.2)) as listing:
            self._listing = listing
            rows = settings_panel.panel_rows(self.desk.document)
            for row in rows:
                self._lines[row.name] = self._made(listing, row)
        with dpg.child_window(parent=parent, height=-1) as box:
            self._title = dpg.add_text("", parent=box)
            self._explained = dpg.add_text("", parent=box, wrap=em(35), color=TEXT_DIM)
            self._problem = dpg.add_text("", parent=box, wrap=em(35), color=ERROR)

    def _made(self, parent: Tag, row: PanelRow) -> _Line:
        em = self.fonts.em
        with dpg.group(parent=parent) as whole:
            head = dpg.add_text(row.group, color=(120, 190, 235, 255), show=False)
            with dpg.group(horizontal=True):
                label = dpg.add_text(row.name)
                if row.kind == "bool":
                    entry = dpg.add_checkbox(indent=em(13.5), callback=self._ticked, user_data=row.name)
                elif row.kind == "choice":
                    entry = dpg.add_combo(
                        row.choices, indent=em(13.5), width=em(9), callback=self._chosen, user_data=row.name
                    )
                else:
                    entry = dpg.add_input_text(
                        indent=em(13.5), width=em(9), callback=self._typed, user_data=row.name
                    )
                    self.inputs.append(entry)
                    dpg.bind_item_handler_registry(entry, self._when_left(row.name))
                dpg.add_text(row.unit, color=TEXT_DIM, indent=em(23))
                origin = dpg.add_text("", color=TEXT_DIM, indent=em(26.5))
                clear = dpg.add_button(
                    label="×", small=True, callback=lambda _s, _a, name: self.clear(name), user_data=row.name
                )
            with dpg.tooltip(label, delay=0.4):
                tooltip = dpg.add_text("", wrap=em(28))
            with dpg.tooltip(clear):
                dpg.add_text(
                    "Takes it out of this target file, so that it is what it is without  [Delete]",
                    wrap=em(22),
                )
        return _Line(row.name, whole, head, label, entry, origin, clear, tooltip)

    def _when_left(self, name: str) -> Tag:
        registry: Tag
        with dpg.item_handler_registry() as registry:
            dpg.add_item_deactivated_after_edit_handler(callback=lambda: self._apply_text(name))
            dpg.add_item_activated_handler(callback=lambda: self.go_to(name))
        return registry

    # --- drawing

    def redraw(self) -> None:
        """Show the settings as they are now."""
        words = self._filter.casefold().split()
        self._visible = []
        group = ""
        for row in settings_panel.panel_rows(self.desk.document):
            line = self._lines[row.name]
            text = f"{row.name} {row.help} {row.group}".casefold()
            is_visible = all(word in text for word in words) and (row.is_override or not self._only_changed)
            dpg.configure_item(line.row, show=is_visible)
            if is_visible:
                self._visible.append(row.name)
                dpg.configure_item(line.heading, show=row.group != group)
                group = row.group
            if row != line.shown:
                self._write(line, row)
        if self._current not in self._visible:
            self._current = self._visible[0] if self._visible else ""
        self._explain()

    def _write(self, line: _Line, row: PanelRow) -> None:
        line.shown = row
        value: object = row.value.strip().casefold() in ("true", "1") if row.kind == "bool" else row.value
        if row.kind in ("bool", "choice") or not dpg.is_item_active(line.entry):
            dpg.set_value(line.entry, value)
        dpg.configure_item(line.entry, enabled=row.locked is None)
        dpg.set_value(line.origin, "this file" if row.is_override else cut(row.origin, 12))
        dpg.configure_item(line.origin, color=_OVERRIDE if row.is_override else TEXT_DIM)
        dpg.configure_item(line.clear, show=row.is_override and row.locked is None)
        dpg.set_value(line.tooltip, _explanation(row))
        self._mark(line, row.problem is not None)

    def _mark(self, line: _Line, is_wrong: bool) -> None:
        row = line.shown
        line.is_wrong = is_wrong
        locked = row is not None and row.locked is not None
        is_current = line.name == self._current
        mark = "✖ " if is_wrong else "▸ " if is_current else ""
        dpg.set_value(line.label, f"{mark}{line.name}")
        colour = (
            ERROR if is_wrong else TEXT_DISABLED if locked else (150, 210, 250, 255) if is_current else TEXT
        )
        dpg.configure_item(line.label, color=colour)
        dpg.bind_item_theme(line.entry, self._wrong if is_wrong else 0)

    def _explain(self, problem: str | None = None) -> None:
        line = self._lines.get(self._current)
        if line is None or line.shown is None:
            for item in (self._title, self._explained, self._problem):
                dpg.set_value(item, "")
            return
        row = line.shown
        dpg.set_value(self._title, row.name)
        dpg.set_value(self._explained, _explanation(row))
        problem = problem or row.problem
        dpg.set_value(self._problem, "" if problem is None else f"✖ {problem}")

    # --- what the user does

    def go_to(self, name: str) -> None:
        """Make a setting the one that keys act on and that is explained."""
        before, self._current = self._current, name
        for changed in (before, name):
            if changed in self._lines:
                self._mark(self._lines[changed], self._lines[changed].is_wrong)
        self._explain()

    def take_key(self, key: str) -> bool:
        """Do what a key means for the settings; whether it means anything."""
        steps = {"Up": -1, "Down": 1, "PageUp": -10, "PageDown": 10, "Home": -10_000, "End": 10_000}
        if key in steps and self._visible:
            place = self._visible.index(self._current) if self._current in self._visible else 0
            self.go_to(self._visible[min(max(place + steps[key], 0), len(self._visible) - 1)])
            self._scroll()
        elif key in ("Enter", "Space") and self._current:
            self._begin(self._lines[self._current])
        elif key == "Delete" and self._current:
            self.clear(self._current)
        else:
            return False
        return True

    def _scroll(self) -> None:
        """Bring the current setting into sight."""
        first, current = (self._lines[name].row for name in (self._visible[0], self._current))
        place = dpg.get_item_rect_min(current)[1] - dpg.get_item_rect_min(first)[1]
        height = dpg.get_item_rect_size(self._listing)[1]
        scroll = dpg.get_y_scroll(self._listing)
        if not scroll < place < scroll + height - 3 * self.fonts.size_px:
            dpg.set_y_scroll(self._listing, max(place - height / 2, 0.0))

    def _begin(self, line: _Line) -> None:
        """Change the current setting: turn it over, take the next word, or go into its field."""
        row = line.shown
        if row is None:
            return
        if row.locked is not None:
            self.desk.tell(f"{row.name} cannot be changed: {row.locked}")
        elif row.kind == "bool":
            self._set(row.name, str(row.value.strip().casefold() not in ("true", "1")))
        elif row.kind == "choice":
            place = row.choices.index(row.value) if row.value in row.choices else -1
            self._set(row.name, row.choices[(place + 1) % len(row.choices)])
        else:
            dpg.focus_item(line.entry)

    def clear(self, name: str) -> None:
        """Take a setting out of the file."""
        line = self._lines[name]
        if line.shown is not None and line.shown.is_override:
            self.desk.edit(f"Clear {name}", lambda document: settings_panel.clear_setting(document, name))

    def _set(self, name: str, text: str) -> None:
        done = self.desk.edit(
            f"Set {name} = {text}", lambda document: settings_panel.set_setting(document, name, text)
        )
        if not done:
            self._lines[name].shown = None
            self.desk.revision += 1

    def _typed(self, _sender: Tag, text: str, name: str) -> None:
        checked = settings_panel.check(self.desk.document, name, text.strip())
        self._current = name
        self._mark(self._lines[name], isinstance(checked, Missing))
        self._explain(checked.reason if isinstance(checked, Missing) else None)

    def _apply_text(self, name: str) -> None:
        line = self._lines[name]
        text = str(dpg.get_value(line.entry)).strip()
        checked = settings_panel.check(self.desk.document, name, text)
        if isinstance(checked, Missing):
            self.desk.tell(f"not taken over: {checked.reason}")
            line.shown = None
            return
        self._set(name, text)

    def _ticked(self, _sender: Tag, value: bool, name: str) -> None:
        self.go_to(name)
        self._set(name, str(value))

    def _chosen(self, _sender: Tag, value: str, name: str) -> None:
        self.go_to(name)
        self._set(name, value)

    def _filter_changed(self, _sender: Tag, text: str) -> None:
        self._filter = text
        self.redraw()

    def _only_changed_toggled(self, _sender: Tag, value: bool) -> None:
        self._only_changed = value
        self.redraw()


def _explanation(row: PanelRow) -> str:
    unit = f" {row.unit}" if row.unit else ""
    lines = [
        row.help[:1].upper() + row.help[1:],
        f"default {row.default}{unit}; allowed: {row.allowed}",
        f"now {row.value}{unit}, from: {row.origin}",
    ]
    if row.is_override and row.inherited != row.value:
        lines[-1] += f" (without it {row.inherited}{unit})"
    if row.locked is not None:
        lines.append(f"Locked: {row.locked}")
    return "\n".join(lines)
