"""The window as a whole: what it is made of, and what it does with each frame."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import dearpygui.dearpygui as dpg

from pacetomo.editor import drawing, saving
from pacetomo.editor.actions import Situation, action_for
from pacetomo.editor.desk import Desk
from pacetomo.editor.faults import write_fault
from pacetomo.editor.microscope import MeasuredGeometry, MicroscopeSide
from pacetomo.editor.model import Document
from pacetomo.editor.references import known_from_references
from pacetomo.editor.viewing import Orientation, View
from pacetomo.editor.window import theme
from pacetomo.editor.window.canvas import Canvas
from pacetomo.editor.window.commands import Commands
from pacetomo.editor.window.details import Details
from pacetomo.editor.window.dialogs import Dialogs
from pacetomo.editor.window.errands import Errands
from pacetomo.editor.window.geometry_view import GeometryView
from pacetomo.editor.window.keyboard import Held
from pacetomo.editor.window.list_panel import ListPanel
from pacetomo.editor.window.map_layer import MapLayer
from pacetomo.editor.window.maps import Maps
from pacetomo.editor.window.mouse import Mode, Mouse
from pacetomo.editor.window.plan_view import PlanView
from pacetomo.editor.window.plot_panel import PlotPanel, Shown
from pacetomo.editor.window.run_view import RunView
from pacetomo.editor.window.scope_work import ScopeWork
from pacetomo.editor.window.settings_view import SettingsView
from pacetomo.editor.window.shell import Shell
from pacetomo.editor.workers import Workers
from pacetomo.errors import OWN_FAULTS, PaceError
from pacetomo.frames import XY
from pacetomo.targets import TargetSet

_IDLE_S = 0.03
_LIVELY_S = 0.5
_MOST_FAULTS = 5


class EditorWindow:
    """A window on a desk.

    Parameters
    ----------
    desk : Desk
        What is edited.
    size_px : (int, int)
        Width and height of the window at first.
    microscope : MicroscopeSide, optional
        The microscope, where there is one.
    """

    def __init__(
        self, desk: Desk, size_px: tuple[int, int], microscope: MicroscopeSide | None = None
    ) -> None:
        self.desk = desk
        self.workers = Workers()
        self.errands = Errands(self)
        self._drawn = -1
        self._drawn_targets: TargetSet | None = None
        self._drawn_selection: object = None
        self._lively_until = 0.0
        self._text_is_chosen = False
        self._faults = 0
        self._was_typing = False
        self._geometry: GeometryView | None = None
        dpg.create_context()
        dpg.configure_app(manual_callback_management=True)
        dpg.create_viewport(
            title="PACEtomo target editor",
            width=size_px[0],
            height=size_px[1],
            x_pos=0,
            y_pos=0,
            min_width=900,
            min_height=560,
            disable_close=True,
        )
        dpg.set_exit_callback(lambda: desk.close())
        dpg.set_viewport_resize_callback(lambda: self._resized())
        self.fonts = theme.Fonts()
        self.held = Held()
        self.dialogs = Dialogs(self.fonts)
        self.maps = Maps(self)
        self.scope_work = ScopeWork(self, microscope)
        self._shown = Shown(tilt_deg=round(drawing.steepest_deg(desk.document)))
        self._view: View | None = None
        with dpg.handler_registry():
            dpg.add_key_press_handler(callback=lambda _s, code: self._key(code))
            dpg.add_mouse_wheel_handler(callback=lambda _s, turns: self.mouse.take_wheel(turns))
        self._build(theme.text_px(size_px[1]))
        dpg.setup_dearpygui()
        dpg.show_viewport()
        self.scope_work.ask_what_it_knows()
        if microscope is None:
            self.workers.start(
                "", lambda work: known_from_references(desk.document), desk.learn, desk.complain
            )

    # --- making it

    def _build(self, text_px: int) -> None:
        """Make all widgets for a size of text."""
        desk = self.desk
        self.fonts.use(text_px)
        theme.bind_window_theme(self.fonts.size_px)
        self.shell = Shell(self, self.fonts)
        self.shell.build()
        canvas = Canvas(self.shell.areas["plot"], self.fonts.size_px)
        self.plot = PlotPanel(desk, canvas, self._shown)
        if self._view is not None:
            canvas.view, self.plot.is_fitted, self.plot.is_touched = self._view, True, True
        self.mouse = Mouse(
            desk, self.plot, self.held, lambda corners: self.commands.forms.fill_polygon(corners)
        )
        self.list = ListPanel(desk, self.fonts, self.held)
        self.list.build(self.shell.areas["targets"], -self.fonts.em(11.6))
        self.details = Details(desk, self.fonts, self.workers)
        self.details.build(self.shell.areas["targets"])
        self.settings = SettingsView(desk, self.fonts)
        self.settings.build(self.shell.areas["settings"])
        self.plan = PlanView(self.fonts)
        self.plan.build(self.shell.areas["plan"])
        self.run_view = RunView(desk, self.fonts)
        self.run_view.build(self.shell.areas["run"])
        self.commands = Commands(self)
        self.maps.attach(MapLayer(canvas, self.workers))
        self._drawn, self._drawn_targets = -1, None
        self._waits = 2  # frames until the plot knows its size

    def _rebuild(self, text_px: int) -> None:
        """Make all widgets anew in another size."""
        front = self.shell.front_panel()
        self._shown, self._view = self.plot.shown, self.plot.canvas.view if self.plot.is_touched else None
        overlaps = self.plot.overlaps
        self.dialogs.close()
        dpg.delete_item(self.shell.root)
        self._build(text_px)
        self.plot.overlaps = overlaps
        self.shell.show_panel(front)
        self.run_view.show(self.errands.progress)
        self.desk.revision += 1

    def change_text(self, step: int) -> None:
        """Make the text larger or smaller."""
        self._text_is_chosen = True
        self._rebuild(self.fonts.size_px + step)

    def _resized(self) -> None:
        size = theme.text_px(dpg.get_viewport_client_height())
        if not self._text_is_chosen and abs(size - self.fonts.size_px) > 1:
            self._rebuild(size)
        self._lively_until = time.monotonic() + _LIVELY_S

    # --- running

    def run(self) -> None:
        """Show the window until it is closed."""
        try:
            while self.frame():
                self.rest()
        finally:
            if not self.desk.is_closing:  # something else ends it, as STOP in SerialEM does
                saving.keep_unsaved(self.desk.history, self.desk.stamp)
            self.close()

    def rest(self) -> None:
        """Leave the processor to others for a moment where nobody does anything in the window."""
        if time.monotonic() > self._lively_until:
            self.workers.wait(_IDLE_S)

    def close(self) -> None:
        """Close the window and end all work."""
        self.workers.close()
        dpg.destroy_context()

    def frame(self) -> bool:
        """Draw one frame after doing what has come in since the last one; False when the window is to close.

        A defect of the program ends what was being done and is told in a box; one that comes with every frame ends
        the window (`PaceError`), with what was not saved kept.
        """
        if not dpg.is_dearpygui_running() or self.desk.is_closing:
            return False
        try:
            self._act()
            self._faults = 0
        except PaceError as err:
            self.desk.complain(err)
        except OWN_FAULTS as fault:
            self._confess(fault)
        except Exception as fault:
            # The window library raises Exception itself; whatever is derived from it, as SerialEM's STOP, passes.
            if type(fault) is not Exception:
                raise
            self._confess(fault)
        dpg.render_dearpygui_frame()
        return True

    def _confess(self, fault: Exception) -> None:
        """Tell of a defect of the program."""
        self._faults += 1
        where = write_fault(fault)
        text = f"a defect of the program, {type(fault).__name__}: {fault}; details are in {where}"
        if self._faults > _MOST_FAULTS:
            saving.keep_unsaved(self.desk.history, self.desk.stamp)
            raise PaceError(
                f"the editor cannot go on: {text}; what was not saved is offered when it opens again"
            )
        self.desk.complain(f"{text}. Save your work; please report it", "Something went wrong")

    def _act(self) -> None:
        """Do what has come in, and hand what has changed to the widgets."""
        dpg.run_callbacks(dpg.get_callback_queue())
        self._was_typing = self._is_typing()
        now_s = time.monotonic()
        self.workers.deliver()
        lively = False
        if not self.dialogs.is_open and self.desk.questions:
            self.dialogs.question(self.desk.questions.pop(0))
            lively = True
        if self._waits:
            self._waits -= 1
        elif self.plot.canvas.follow_size():
            if self.plot.is_touched:
                self.plot.canvas.show(self.plot.canvas.view, self.plot.shown.orientation)
            else:
                self.plot.fit()
                self.plot.redraw_labels()
        if not self._waits:
            lively |= self._redraw()
            lively |= self.mouse.update()
            if self.maps.layer is not None:
                lively |= self.maps.layer.update(self.plot.canvas.view)
        self.held.update()
        self.errands.run(now_s)
        self.shell.draw_lower_edge()
        if lively:
            self._lively_until = now_s + _LIVELY_S

    def situation(self) -> Situation:
        """What decides which actions are possible."""
        return self.desk.situation(self.maps.image is not None)

    def _redraw(self) -> bool:
        """Draw what has changed since the last frame; whether anything has."""
        if self._drawn == self.desk.revision:
            return False
        self._drawn = self.desk.revision
        document = self.desk.document
        self.plot.redraw()
        self.maps.follow()
        self.list.redraw()
        selection = (document.selected, document.selected_points)
        if selection != self._drawn_selection:
            self.list.scroll_to_selected()
            self._drawn_selection = selection
        self.details.redraw()
        self.run_view.redraw()
        if document.targets is not self._drawn_targets:
            self._drawn_targets = document.targets
            self.settings.redraw()
            self.plan.show_findings(None)
            steepest = max(drawing.steepest_deg(document), 1.0)
            dpg.configure_item(self.shell.tilt, max_value=steepest)
            self.errands.after_edit()
        dpg.set_value(self.shell.tilt, self.plot.shown.tilt_deg)
        self.shell.redraw(self.situation())
        return True

    def cancel_work(self) -> None:
        """Give up what is under way."""
        for work in self.workers.running:
            work.cancel()
            self.desk.tell(f"given up: {work.title}")

    def save_parts(self, parts: Sequence[Document]) -> None:
        """Write the further areas of a split, and go on with the first."""
        for part in parts[1:]:
            saving.save(replace(self.desk.history, present=part), None)
        self.desk.history = self.desk.history.done("Split by image shift", parts[0])

    # --- input

    def do(self, name: str) -> None:
        """Do an action."""
        if not self.dialogs.is_open:
            self.commands.do(name)

    def _key(self, code: int) -> None:
        key = self.held.pressed(code)
        if key is None:
            return
        self._lively_until = time.monotonic() + _LIVELY_S
        if self.dialogs.is_open:
            self.dialogs.take_key(key)
            return
        if self._was_typing or self._is_typing():  # Enter has left the field by now
            # Letters belong to the field; what cannot be typed still acts.
            if key not in ("Ctrl+S", "Ctrl+Q") and not (key.startswith("F") and key[1:].isdigit()):
                return
        if key == "Escape" and self._leave():
            return
        if key == "Enter" and self.mouse.mode is Mode.POLYGON:
            self.mouse.close_polygon()
            return
        if self._panel_key(key):
            return
        action = action_for(key)
        if action is not None:
            self.commands.do(action.name)

    def _leave(self) -> bool:
        """Close the figure of a measurement, or give up what is under way; whether there was any of them."""
        if self._geometry is not None and self._geometry.close():
            self._geometry = None
        elif self.workers.running:
            self.cancel_work()
        else:
            return False
        return True

    def _panel_key(self, key: str) -> bool:
        """What a key means for the panel in front; whether it means anything."""
        front = self.shell.front_panel()
        if front == "settings":
            return self.settings.take_key(key)
        steps = {"Up": -1, "Down": 1, "PageUp": -10, "PageDown": 10, "Home": -100_000, "End": 100_000}
        bare = key.removeprefix("Shift+")
        if bare in steps:
            self.desk.step_selection(steps[bare], extend=key != bare)
        elif key == "Space":
            self.commands.do("skip")
        else:
            return False
        return True

    def _is_typing(self) -> bool:
        fields = self.settings.inputs if self.shell.front_panel() == "settings" else [self.list.search]
        return any(dpg.is_item_active(item) for item in fields)

    # --- what actions do to the window

    def set_shown(self, **changes: bool) -> None:
        """Show or hide beams, scores or the map."""
        self.plot.shown = replace(self.plot.shown, **changes)  # type: ignore[arg-type]
        if self.maps.layer is not None:
            self.maps.layer.set_shown(self.plot.shown.with_map)
        self.desk.revision += 1

    def set_tilt(self, tilt_deg: float) -> None:
        """Draw beams at another tilt."""
        self.plot.shown = replace(self.plot.shown, tilt_deg=round(float(tilt_deg)), with_beams=True)
        self.desk.revision += 1

    def step_tilt(self, steps: int) -> None:
        """Draw beams at a tilt a step away."""
        document = self.desk.document
        tilt = self.plot.shown.tilt_deg + steps * max(document.settings.step, 1.0)
        self.set_tilt(min(max(tilt, 0.0), drawing.steepest_deg(document)))

    def turn(self, orientation: Orientation) -> None:
        """Show the specimen another way round."""
        self.plot.turn(orientation)
        self.desk.revision += 1

    def fit(self, with_limit: bool = False) -> None:
        """Show all targets, and the image-shift limit if that is wanted, too."""
        self.plot.fit(with_limit)
        self.plot.redraw_labels()

    def contrast_moved(self) -> None:
        """Take over the sliders of the map."""
        brightness, exponent = dpg.get_value(self.shell.brightness), dpg.get_value(self.shell.contrast)
        self.maps.set_contrast(self.maps.usual.changed(brightness, 2.0**exponent))

    def nudge_contrast(self, brighter: float = 0.0, contrast: float = 0.0) -> None:
        """Move the sliders of the map."""
        for slider, step in ((self.shell.brightness, brighter), (self.shell.contrast, contrast)):
            limits = dpg.get_item_configuration(slider)
            moved = float(dpg.get_value(slider)) + step
            dpg.set_value(slider, min(max(moved, limits["min_value"]), limits["max_value"]))
        self.contrast_moved()

    def show_panel(self, name: str) -> None:
        """Bring a panel to the front."""
        self.shell.show_panel(name)

    def go_to_search(self) -> None:
        """Go to the search field of the panel in front."""
        if self.shell.front_panel() == "settings":
            dpg.focus_item(self.settings.search)
        else:
            self.show_panel("targets")
            dpg.focus_item(self.list.search)

    def under_mouse(self, at_um: XY) -> str:
        """What is under the mouse, in words."""
        hit = drawing.hit(self.desk.document, at_um, 9.0 * self.plot.canvas.view.um_per_px)
        dose = self.plot.dose_at(at_um)
        named = (
            ""
            if hit is None
            else f"target {hit.target}"
            if hit.target is not None
            else f"G{(hit.point or 0) + 1}"
        )
        return ", ".join(part for part in (named, dose) if part)

    def show_geometry(self, measured: MeasuredGeometry) -> None:
        """Plot what a measurement of the geometry has found."""
        if self._geometry is not None:
            self._geometry.close()
        self._geometry = GeometryView(self.fonts, measured)
        self._geometry.build()
