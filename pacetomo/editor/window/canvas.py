"""The plot: layers of outlines, shades, markers and labels in µm, redrawn by handing over new numbers.

Where there is no graphics card, each figure of its own costs more than the pixels it covers. So all figures of one
colour are one series, and nothing is made anew when targets change.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import dearpygui.dearpygui as dpg

from pacetomo.editor.looks import Colour, Look
from pacetomo.editor.shapes import Lines, Shade, ticks
from pacetomo.editor.viewing import Orientation, View
from pacetomo.editor.window.theme import Tag, line_theme, marker_theme, shade_theme
from pacetomo.frames import XY

_TINT = (205, 205, 205, 255)
"""White of a map: white lines and texts can still be seen on it."""


class Label(NamedTuple):
    """A text in the plot, its upper left corner so many pixels right of and below a place (µm, plot plane)."""

    place_um: XY
    text: str
    offset_px: tuple[float, float]


class Canvas:
    """A plot without axes of its own: scale, ticks and texts are drawn into it."""

    def __init__(self, parent: Tag, text_px: int) -> None:
        self.view = View()
        self.text_px = text_px
        self.plot = dpg.add_plot(
            parent=parent,
            width=-1,
            height=-1,
            no_title=True,
            no_menus=True,
            no_mouse_pos=True,
            no_inputs=True,
        )
        bare = {"no_tick_labels": True, "no_tick_marks": True, "no_label": True, "no_highlight": True}
        self._x = dpg.add_plot_axis(dpg.mvXAxis, parent=self.plot, **bare)
        self._y = dpg.add_plot_axis(dpg.mvYAxis, parent=self.plot, **bare)
        # Pictures come before these two, so that they lie behind everything and in two layers.
        self._above_coarse = dpg.add_line_series([], [], parent=self._y)
        self._above_pictures = dpg.add_line_series([], [], parent=self._y)
        self._series: dict[str, Tag] = {}
        self._texts = _Texts(dpg.add_draw_layer(parent=self.plot))
        self._scale = _Texts(dpg.add_draw_layer(parent=self.plot))
        self._labels: Sequence[Label] = ()

    def add_picture(
        self, texture: Tag, low_um: XY, high_um: XY, below_others: bool, edge: float = 0.0
    ) -> Tag:
        """Show a picture behind everything, in the lower or upper of two layers; its corners in the plot plane.

        `edge` is the share of its width that lies beyond them at each side.
        """
        before = self._above_coarse if below_others else self._above_pictures
        series: Tag = dpg.add_image_series(
            texture,
            low_um,
            high_um,
            parent=self._y,
            before=before,
            tint_color=_TINT,
            uv_min=(edge, edge),
            uv_max=(1.0 - edge, 1.0 - edge),
        )
        return series

    # --- series; later ones are drawn over earlier ones

    def add_lines(self, name: str, colour: Colour, weight_px: float) -> None:
        """Make a layer of lines."""
        self._series[name] = dpg.add_line_series([], [], parent=self._y, segments=True)
        dpg.bind_item_theme(self._series[name], line_theme(colour, weight_px))

    def add_shade(self, name: str, colour: Colour) -> None:
        """Make a layer of shaded regions."""
        self._series[name] = dpg.add_shade_series([], [], y2=[], parent=self._y)
        dpg.bind_item_theme(self._series[name], shade_theme(colour))

    def add_markers(self, name: str, look: Look, size_px: float) -> None:
        """Make a layer of markers."""
        self._series[name] = dpg.add_scatter_series([], [], parent=self._y)
        dpg.bind_item_theme(self._series[name], marker_theme(look, size_px))

    def draw_lines(self, name: str, lines: Lines) -> None:
        """Draw these lines in a layer in place of those that are there."""
        dpg.set_value(self._series[name], [lines.x, lines.y])

    def draw_shade(self, name: str, shade: Shade) -> None:
        """Draw these regions in a layer in place of those that are there."""
        dpg.set_value(self._series[name], [shade.x, shade.low, shade.high, [], []])

    def draw_markers(self, name: str, places_um: Sequence[XY]) -> None:
        """Draw markers at these places in a layer in place of those that are there."""
        dpg.set_value(self._series[name], [[p.x for p in places_um], [p.y for p in places_um]])

    def draw_labels(self, labels: Sequence[Label]) -> None:
        """Draw these texts in place of those that are there."""
        self._labels = labels
        self._texts.draw(labels, self.view, self.text_px)

    # --- view

    @property
    def corner_px(self) -> tuple[float, float]:
        """Upper left corner of the plot in the window."""
        x, y = dpg.get_item_rect_min(self.plot)
        return float(x), float(y)

    def follow_size(self) -> bool:
        """Take over the size that the plot has on the screen; whether it is another one."""
        width, height = dpg.get_item_rect_size(self.plot)
        if (width, height) == self.view.size_px or width < 2 or height < 2:
            return False
        self.view = self.view.resized(width, height)
        return True

    def show(self, view: View, orientation: Orientation) -> None:
        """Show a view; `orientation` tells which numbers the ticks have."""
        rescaled = view.um_per_px != self.view.um_per_px
        self.view = view
        left, right, bottom, top = view.limits
        dpg.set_axis_limits(self._x, left, right)
        dpg.set_axis_limits(self._y, bottom, top)
        if rescaled:
            self._texts.draw(self._labels, view, self.text_px)
        self._draw_scale(orientation)

    def _draw_scale(self, orientation: Orientation) -> None:
        """Grid, numbers along the lower and the left edge, and names of the axes."""
        view, em = self.view, self.text_px
        left, right, bottom, top = view.limits
        x_ticks, x_decimals = ticks(left, right, max(int(view.size_px[0] / (7 * em)), 2))
        y_ticks, y_decimals = ticks(bottom, top, max(int(view.size_px[1] / (5 * em)), 2))
        dpg.set_axis_ticks(self._x, tuple((" ", value) for value in x_ticks) or ((" ", left),))
        dpg.set_axis_ticks(self._y, tuple((" ", value) for value in y_ticks) or ((" ", bottom),))
        across, up = orientation.to_specimen(XY(1.0, 0.0)), orientation.to_specimen(XY(0.0, 1.0))
        sign_x, sign_y = across.x + across.y, up.x + up.y
        across_name, up_name = ("SSY", "SSX") if orientation.swap else ("SSX", "SSY")
        low_px, right_px = view.size_px[1] - 1.5 * em, view.size_px[0] - 6.5 * em
        labels = [
            Label(XY(value, bottom), _number(sign_x * value, x_decimals), (-0.6 * em, -1.4 * em))
            for value in x_ticks
            if 4 * em < view.pixel(XY(value, bottom))[0] < right_px - 6 * em
        ]
        labels += [
            Label(XY(left, value), _number(sign_y * value, y_decimals), (0.3 * em, -0.6 * em))
            for value in y_ticks
            if 2.5 * em < view.pixel(XY(left, value))[1] < low_px - em
        ]
        labels.append(
            Label(XY(left, top), f"{up_name} µm {'↑' if sign_y > 0 else '↓'}", (0.3 * em, 0.3 * em))
        )
        labels.append(
            Label(XY(right, bottom), f"{across_name} µm {'→' if sign_x > 0 else '←'}", (-5.6 * em, -1.4 * em))
        )
        self._scale.draw(labels, view, em)


class _Texts:
    """Texts of a layer, each with a dark shadow that keeps it legible on a map; made once and then moved."""

    def __init__(self, layer: Tag) -> None:
        self._layer = layer
        self._made: list[tuple[Tag, Tag]] = []
        self._shown = 0

    def draw(self, labels: Sequence[Label], view: View, size_px: float) -> None:
        size = size_px * view.um_per_px
        for label, (shadow, text) in zip(labels, self._enough(len(labels))):
            x, y = label.place_um
            x, y = x + label.offset_px[0] * view.um_per_px, y - label.offset_px[1] * view.um_per_px
            off = 1.2 * view.um_per_px
            dpg.configure_item(shadow, pos=(x + off, y - off), text=label.text, size=size, show=True)
            dpg.configure_item(text, pos=(x, y), text=label.text, size=size, show=True)
        for shadow, text in self._made[len(labels) : self._shown]:
            dpg.configure_item(shadow, show=False)
            dpg.configure_item(text, show=False)
        self._shown = len(labels)

    def _enough(self, count: int) -> list[tuple[Tag, Tag]]:
        while len(self._made) < count:
            shadow = dpg.draw_text((0, 0), "", color=(0, 0, 0, 220), parent=self._layer, show=False)
            text = dpg.draw_text((0, 0), "", color=(245, 245, 245, 255), parent=self._layer, show=False)
            self._made.append((shadow, text))
        return self._made


def _number(value: float, decimals: int) -> str:
    return f"{value + 0.0:.{decimals}f}"
