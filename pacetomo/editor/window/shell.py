"""The frame of the window: menus, buttons, panels and the lower edge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import dearpygui.dearpygui as dpg

from pacetomo.editor import looks
from pacetomo.editor.actions import ACTIONS, BY_NAME, Action, Situation
from pacetomo.editor.looks import LOOKS
from pacetomo.editor.window.list_panel import SYMBOLS
from pacetomo.editor.window.theme import TEXT_DIM, WARNING, Fonts, Tag
from pacetomo.editor.wording import cut

if TYPE_CHECKING:
    from pacetomo.editor.window.window import EditorWindow

PANELS = ("targets", "settings", "plan", "run")
_PANEL_EM = 39.5
_BAR_STEPS = 40
_MENUS = ("File", "Edit", "Targets", "View", "Microscope", "Help")
_BUTTONS = (
    ("save", "undo", "redo"),
    ("skip", "make_track", "delete"),
    ("add_click", "add_pattern", "add_polygon", "add_point"),
    ("fit", "load_map", "commands"),
)
_SHORT = {
    "add_point": "Add point",
    "skip": "Skip",
    "commands": "Actions ...",
    "add_pattern": "Pattern ...",
    "load_map": "Map ...",
}


@dataclass(eq=False)
class _Placed:
    """A widget for an action: it and the text of its tooltip."""

    action: Action
    item: Tag
    tooltip: Tag
    shown: str = ""
    is_possible: bool = True


@dataclass(eq=False)
class Shell:
    """The widgets around the panels."""

    window: EditorWindow
    fonts: Fonts
    areas: dict[str, Tag] = field(default_factory=dict)
    _placed: list[_Placed] = field(default_factory=list)
    _said: tuple[object, ...] = ()
    _under: tuple[object, int] = (None, -1)
    _named: str = ""

    def build(self) -> None:
        """Make everything but what is in the panels."""
        em = self.fonts.em
        self.root = dpg.add_window(no_title_bar=True, no_move=True, no_resize=True, no_scrollbar=True)
        dpg.set_primary_window(self.root, True)
        self._menus()
        self._toolbar()
        with dpg.group(horizontal=True, parent=self.root):
            with dpg.child_window(width=-em(_PANEL_EM), height=-em(1.9), no_scrollbar=True):
                self.areas["plot"] = dpg.add_child_window(height=-em(3.9), no_scrollbar=True)
                self._controls(dpg.last_container() or self.areas["plot"])
                self._legend()
            with dpg.child_window(width=-1, height=-em(1.9), no_scrollbar=True), dpg.tab_bar() as tabs:
                self._tabs = tabs
                for name in PANELS:
                    action = BY_NAME[f"show_{name}"]
                    tab = dpg.add_tab(label=f"{action.title} [{action.keys[0]}]")
                    self.areas[f"tab {name}"] = tab
                    with dpg.child_window(parent=tab, height=-1, no_scrollbar=name != "plan") as area:
                        self.areas[name] = area
        self._lower_edge()

    def _menus(self) -> None:
        with dpg.menu_bar(parent=self.root):
            for menu in _MENUS:
                with dpg.menu(label=menu):
                    for action in ACTIONS:
                        if action.menu == menu:
                            item = dpg.add_menu_item(
                                label=action.title,
                                shortcut=action.keys[0] if action.keys else "",
                                callback=self._doing(action),
                            )
                            self._place(action, item)

    def _toolbar(self) -> None:
        with dpg.group(horizontal=True, parent=self.root):
            for place, names in enumerate(_BUTTONS):
                if place:
                    dpg.add_spacer(width=self.fonts.em(0.5))
                for name in names:
                    action = BY_NAME[name]
                    button = dpg.add_button(
                        label=_SHORT.get(name, action.title), callback=self._doing(action)
                    )
                    self._place(action, button)

    def _controls(self, _parent: Tag) -> None:
        """Switches and sliders under the plot."""
        em = self.fonts.em
        window = self.window
        self.toggles: dict[str, Tag] = {}
        with dpg.group(horizontal=True):
            self._toggle("beams", "Beams at")
            self.tilt = dpg.add_slider_float(
                width=em(8),
                max_value=60.0,
                format="%.0f°",
                clamped=True,
                callback=lambda _s, value: window.set_tilt(value),
            )
            self._explain(self.tilt, "Stage tilt at which the beam's footprints are drawn  [, and .]")
            dpg.add_spacer(width=em(0.3))
            self._toggle("scores", "Scores")
            dpg.add_spacer(width=em(0.3))
            self._toggle("show_map", "Map")
            self.brightness = dpg.add_slider_float(
                width=em(6),
                min_value=-1.0,
                max_value=1.0,
                format="light %.2f",
                callback=lambda: window.contrast_moved(),
            )
            self._explain(self.brightness, "Brightness of the map  [Shift+, and Shift+.]")
            self.contrast = dpg.add_slider_float(
                width=em(6.6),
                min_value=-2.0,
                max_value=3.0,
                format="contrast %.1f",
                callback=lambda: window.contrast_moved(),
            )
            self._explain(self.contrast, "Contrast of the map  [Shift+= and Shift+-]")

    def _toggle(self, name: str, label: str) -> None:
        action = BY_NAME[name]
        box = dpg.add_checkbox(label=label, callback=self._doing(action))
        self.toggles[name] = box
        self._place(action, box)

    def _legend(self) -> None:
        """What the signs of the plot mean, in its colours and shapes; or which scores the colours stand for."""
        em = self.fonts.em
        with dpg.group(horizontal=True) as self._signs:
            for state, look in LOOKS.items():
                dpg.add_text(SYMBOLS[state], color=look.colour)
                dpg.add_text(state.value, color=TEXT_DIM)
            dpg.add_text("+", color=looks.GEO_POINT.colour)
            dpg.add_text("geo point", color=TEXT_DIM)
        with dpg.group(horizontal=True, show=False) as self._scores:
            dpg.add_text("Score", color=TEXT_DIM)
            self._lowest = dpg.add_text("")
            with dpg.drawlist(em(14), em(1.2)):
                for step in range(_BAR_STEPS):
                    left, right = em(14) * step / _BAR_STEPS, em(14) * (step + 1) / _BAR_STEPS
                    colour = looks.scale_colour(step / (_BAR_STEPS - 1))
                    dpg.draw_rectangle((left, em(0.2)), (right, em(1.2)), color=colour, fill=colour)
            self._highest = dpg.add_text("")
            dpg.add_text("grey: none;  marker shapes as ever", color=TEXT_DIM)

    def _draw_scores(self) -> None:
        """Show the colour bar while targets are coloured by score."""
        scale = looks.score_scale(target.score for target in self.window.desk.document.targets.targets)
        is_shown = self.window.plot.shown.by_score and scale is not None
        dpg.configure_item(self._signs, show=not is_shown)
        dpg.configure_item(self._scores, show=is_shown)
        if scale is not None:
            dpg.set_value(self._lowest, f"{scale.low:.3g}")
            dpg.set_value(self._highest, f"{scale.high:.3g}")

    def _lower_edge(self) -> None:
        em = self.fonts.em
        with dpg.group(horizontal=True, parent=self.root):
            self._status = dpg.add_text("")
            self._work_bar = dpg.add_progress_bar(width=em(12), show=False)
            self._cancel = dpg.add_button(
                label="Cancel", small=True, show=False, callback=self.window.cancel_work
            )
            self._explain(self._cancel, "Gives up what is under way  [Escape]")
            self._where = dpg.add_text("", color=TEXT_DIM)
            self._file = dpg.add_text("")
            self._scope = dpg.add_text("", color=TEXT_DIM)
        with dpg.tooltip(self._status):
            self._whole_status = dpg.add_text("", wrap=em(34))
        with dpg.tooltip(self._file):
            self._path = dpg.add_text("", wrap=em(34))
        self._explain(
            self._scope,
            "Actions that need the microscope are possible when the script selectTargets opens this window in SerialEM",
        )

    def _explain(self, item: Tag, text: str) -> None:
        with dpg.tooltip(item, delay=0.4):
            dpg.add_text(text, wrap=self.fonts.em(26))

    def _doing(self, action: Action) -> Callable[[], None]:
        return lambda: self.window.do(action.name)

    def _place(self, action: Action, item: Tag) -> None:
        with dpg.tooltip(item, delay=0.4):
            tooltip = dpg.add_text("", wrap=self.fonts.em(26))
        self._placed.append(_Placed(action, item, tooltip))

    # --- drawing

    def redraw(self, situation: Situation) -> None:
        """Grey out what cannot be done now, with the reason in the tooltips."""
        desk = self.window.desk
        more = {"undo": desk.history.undo_label, "redo": desk.history.redo_label}
        for placed in self._placed:
            text = placed.action.tooltip(situation)
            label = more.get(placed.action.name)
            if label is not None:
                text = f"{text}\n{label}"
            if text != placed.shown:
                placed.shown = text
                dpg.set_value(placed.tooltip, text)
            is_possible = placed.action.refusal(situation) is None
            if is_possible != placed.is_possible:
                placed.is_possible = is_possible
                dpg.configure_item(placed.item, enabled=is_possible)
        shown = self.window.plot.shown
        for name, value in (
            ("beams", shown.with_beams),
            ("scores", shown.by_score),
            ("show_map", shown.with_map),
        ):
            dpg.set_value(self.toggles[name], value)
        self._draw_scores()

    def draw_lower_edge(self) -> None:
        """Say what was done last, what is under way, where the mouse is, and how the file stands."""
        window, desk = self.window, self.window.desk
        running = window.workers.running
        at_um = window.mouse.at_um
        # What is under the mouse takes a moment to find out among hundreds of targets.
        if (at_um, desk.revision) != self._under:
            self._under, self._named = (
                (at_um, desk.revision),
                "" if at_um is None else window.under_mouse(at_um),
            )
        where = "" if at_um is None else f"SSX {at_um.x:8.3f}  SSY {at_um.y:8.3f} µm  {self._named}"
        work = (running[0].title, running[0].done, running[0].total) if running else ("", 0, 0)
        file = desk.document.path.name
        said = (desk.status, work, where, file, desk.history.is_changed, desk.document.lock is not None)
        if said == self._said:
            return
        self._said = said
        em_of_window = dpg.get_viewport_client_width() / self.fonts.size_px
        dpg.set_value(self._status, cut(desk.status, max(int(em_of_window * 0.75), 20)))
        dpg.set_value(self._whole_status, desk.status)
        for item in (self._work_bar, self._cancel):
            dpg.configure_item(item, show=bool(running))
        if running:
            done = work[1] / work[2] if work[2] else 0.0
            dpg.set_value(self._work_bar, min(done, 1.0))
            dpg.configure_item(self._work_bar, overlay=cut(work[0], 22))
        dpg.set_value(self._where, where)
        mark = " (locked by a run)" if said[5] else " ● not saved" if said[4] else ""
        dpg.set_value(self._file, f"{cut(file, 28)}{mark}")
        dpg.configure_item(self._file, color=WARNING if mark else TEXT_DIM)
        dpg.set_value(self._path, str(desk.document.path))
        dpg.set_value(self._scope, "microscope" if desk.has_microscope else "no microscope")

    def show_panel(self, name: str) -> None:
        """Bring a panel to the front."""
        dpg.set_value(self._tabs, self.areas[f"tab {name}"])

    def front_panel(self) -> str:
        """Which panel is in front."""
        front = dpg.get_value(self._tabs)
        names = {
            dpg.get_alias_id(tab) if isinstance(tab, str) else tab: name
            for name in PANELS
            for tab in (self.areas[f"tab {name}"],)
        }
        return names.get(front, PANELS[0])
