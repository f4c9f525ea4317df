"""What the mouse does on the plot: selecting, dragging, boxes, polygons, pan and zoom."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Optional

import dearpygui.dearpygui as dpg

from pacetomo.editor import adding, drawing, edits
from pacetomo.editor.desk import Desk
from pacetomo.editor.drawing import Hit
from pacetomo.editor.window.keyboard import Held
from pacetomo.editor.window.plot_panel import PlotPanel
from pacetomo.frames import XY

_DRAG_PX = 4.0
_REACH_PX = 9.0
_ZOOM_STEP = 1.2
_LEFT, _RIGHT, _MIDDLE = dpg.mvMouseButton_Left, dpg.mvMouseButton_Right, dpg.mvMouseButton_Middle


class Mode(enum.Enum):
    """What a click on the empty plot does; the value says so to the user."""

    SELECT = "select"
    ADD = "click to add targets, Escape to end"
    POLYGON = "click corners; Enter or right click to fill, Escape to give up"


@dataclass(frozen=True)
class _Press:
    """A button that is held down since it was pressed on the plot."""

    button: int
    at_px: XY
    at_um: XY
    hit: Optional[Hit]  # noqa: UP045 - evaluated at run time on Python 3.9
    is_box: bool


@dataclass(eq=False)
class Mouse:
    """The mouse on a plot.

    Attributes
    ----------
    held : Held
        Keys beside it.
    mode : Mode
        What a click on the empty plot does.
    corners_um : list of XY
        Corners of the polygon so far.
    finish_polygon : callable
        Gets the corners of a finished polygon.
    at_um : XY or None
        Specimen coordinates under the mouse; None when it is elsewhere.
    """

    desk: Desk
    plot: PlotPanel
    held: Held
    finish_polygon: Callable[[Sequence[XY]], None]
    mode: Mode = Mode.SELECT
    corners_um: list[XY] = field(default_factory=list)
    at_um: Optional[XY] = None  # noqa: UP045
    _press: Optional[_Press] = None  # noqa: UP045
    _last_px: XY = XY(0.0, 0.0)  # noqa: RUF009 - a tuple
    _is_dragging: bool = False
    _wheel: float = 0.0

    def set_mode(self, mode: Mode) -> None:
        """Let clicks do something else."""
        self.mode, self.corners_um = mode, []
        self.plot.draw_ghost()
        self.desk.tell("" if mode is Mode.SELECT else mode.value)

    def take_wheel(self, turns: float) -> None:
        """Note that the wheel was turned."""
        self._wheel += turns

    def update(self) -> bool:
        """Do what the mouse has done since the last frame; whether it did anything."""
        x, y = dpg.get_mouse_pos(local=False)
        at_px = XY(float(x), float(y))
        over = self.plot.is_under_mouse()
        self.at_um = self.plot.specimen_at(at_px.x, at_px.y) if over else None
        moved = at_px != self._last_px
        if self._wheel and over:
            fixed = self.plot.shown.orientation.to_plot(self.plot.specimen_at(at_px.x, at_px.y))
            self.plot.zoom(_ZOOM_STEP**self._wheel, fixed)
        acted = moved or bool(self._wheel) or self._press is not None
        self._wheel = 0.0
        if self._press is None and over:
            for button in (_LEFT, _RIGHT, _MIDDLE):
                if dpg.is_mouse_button_clicked(button):
                    self._begin(button, at_px)
                    break
        if self._press is not None:
            self._follow(self._press, at_px)
            if not dpg.is_mouse_button_down(self._press.button):
                press, self._press = self._press, None
                self._end(press, at_px)
        elif moved and self.mode is Mode.POLYGON and self.corners_um and self.at_um is not None:
            self.plot.draw_ghost([[*self.corners_um, self.at_um]], closed=len(self.corners_um) > 1)
        self._last_px = at_px
        return acted

    def _begin(self, button: int, at_px: XY) -> None:
        at_um = self.plot.specimen_at(at_px.x, at_px.y)
        hit = drawing.hit(self.desk.document, at_um, _REACH_PX * self.plot.canvas.view.um_per_px)
        is_box = button == _LEFT and self.held.is_held("Shift")
        self._press, self._is_dragging = _Press(button, at_px, at_um, hit, is_box), False

    def _follow(self, press: _Press, at_px: XY) -> None:
        """Show what a held button would do if it were let go here."""
        if not self._is_dragging and at_px.minus(press.at_px).length < _DRAG_PX:
            return
        if not self._is_dragging:
            self._is_dragging = True
            self._last_px = press.at_px
        at_um = self.plot.specimen_at(at_px.x, at_px.y)
        if press.is_box:
            self.plot.draw_ghost([_box(press.at_um, at_um)])
        elif press.button == _LEFT and press.hit is not None and self.mode is Mode.SELECT:
            self.plot.draw_ghost(self._ghosts(press, at_um))
        elif press.button != _RIGHT:
            step = at_px.minus(self._last_px)
            self.plot.pan(step.x, step.y)

    def _ghosts(self, press: _Press, at_um: XY) -> list[Sequence[XY]]:
        step = at_um.minus(press.at_um)
        hit = press.hit
        if hit is None:
            return []
        if hit.target is None:
            reach = 0.15
            return [drawing.circle(self.desk.document.point_places_um[hit.point or 0].plus(step), reach, 12)]
        return [self.plot.field_at(n, place) for n, place in self._moved(hit.target, step).items()]

    def _moved(self, number: int, step_um: XY) -> dict[int, XY]:
        """Places of the dragged target, and of all selected ones if it is one of them."""
        document = self.desk.document
        numbers = document.selected if number in document.selected else {number}
        return {n: document.places_um[n].plus(step_um) for n in sorted(numbers)}

    def _end(self, press: _Press, at_px: XY) -> None:
        at_um = self.plot.specimen_at(at_px.x, at_px.y)
        if self._is_dragging:
            self._drop(press, at_um)
        elif press.button == _LEFT:
            self._click(press)
        elif press.button == _MIDDLE:
            self.desk.edit("Add geometry point", lambda document: edits.add_point(document, press.at_um))
        elif self.mode is Mode.POLYGON:
            self.close_polygon()
        elif press.hit is not None and press.hit.target is not None:
            self.desk.toggle_skip([press.hit.target])

    def _drop(self, press: _Press, at_um: XY) -> None:
        """End a drag."""
        self.plot.draw_ghost()
        hit, step = press.hit, at_um.minus(press.at_um)
        if press.is_box:
            self._select_box(press.at_um, at_um)
        elif press.button != _LEFT or hit is None or self.mode is not Mode.SELECT:
            return
        elif hit.target is not None:
            places = self._moved(hit.target, step)
            named = f"target {hit.target}" if len(places) == 1 else f"{len(places)} targets"
            self.desk.edit(
                f"Move {named}",
                lambda document: edits.move(document, places),
                lambda document: edits.move(document, places, confirmed=True),
            )
        elif hit.point is not None:
            point, place = hit.point, self.desk.document.point_places_um[hit.point].plus(step)
            self.desk.edit(
                f"Move geometry point {point + 1}", lambda document: edits.move_point(document, point, place)
            )

    def _select_box(self, one_um: XY, other_um: XY) -> None:
        document = self.desk.document
        numbers = drawing.in_box(document.places_um, one_um, other_um)
        points = drawing.in_box(dict(enumerate(document.point_places_um)), one_um, other_um)
        if self.held.is_held("Ctrl"):
            numbers, points = numbers | document.selected, points | document.selected_points
        self.desk.select(numbers, points)

    def _click(self, press: _Press) -> None:
        """A click with the left button."""
        hit, document = press.hit, self.desk.document
        if self.mode is Mode.POLYGON:
            self.corners_um.append(press.at_um)
            self.plot.draw_ghost([self.corners_um], closed=False)
        elif self.mode is Mode.ADD and (hit is None or hit.target is None):
            self.desk.edit("Add target", lambda document: adding.add_at(document, [press.at_um]))
        elif hit is None:
            if not self.held.is_held("Ctrl"):
                self.desk.select()
        elif hit.target is not None:
            if self.held.is_held("Ctrl"):
                self.desk.select_too(hit.target)
            elif self.held.is_held("Shift"):
                self.desk.select(document.selected | {hit.target}, document.selected_points)
            else:
                self.desk.select([hit.target])
        elif hit.point is not None:
            points = (
                document.selected_points ^ {hit.point}
                if self.held.is_held("Ctrl")
                else frozenset({hit.point})
            )
            self.desk.select(document.selected if self.held.is_held("Ctrl") else (), points)

    def close_polygon(self) -> None:
        """Fill the polygon clicked so far."""
        corners = list(self.corners_um)
        self.set_mode(Mode.SELECT)
        if len(corners) < 3:
            self.desk.tell("a polygon needs three corners")
            return
        self.finish_polygon(corners)


def _box(one: XY, other: XY) -> list[XY]:
    return [one, XY(other.x, one.y), other, XY(one.x, other.y)]
