"""Heights measured at the geometry points, against the plane fitted to them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Optional

import dearpygui.dearpygui as dpg

from pacetomo.editor.microscope import MeasuredGeometry
from pacetomo.editor.window.theme import Fonts, Tag


@dataclass(eq=False)
class GeometryView:
    """A small window with a plot; it can be moved and closed."""

    fonts: Fonts
    measured: MeasuredGeometry
    _window: Optional[Tag] = None  # noqa: UP045 - evaluated at run time on Python 3.9

    def build(self) -> None:
        """Make the window."""
        em, measured = self.fonts.em, self.measured
        if not measured.points_um:
            return
        rotation = math.radians(measured.rotation_deg or 0.0)
        along = [y * math.cos(rotation) - x * math.sin(rotation) for x, y, _ in measured.points_um]
        heights = [height for _, _, height in measured.points_um]
        self._window = dpg.add_window(
            label="Measured geometry  [Esc]", width=em(30), height=em(22), pos=(em(3), em(5))
        )
        with dpg.plot(
            parent=self._window, width=-1, height=-1, no_menus=True, no_title=True, no_mouse_pos=True
        ):
            dpg.add_plot_legend()
            dpg.add_plot_axis(dpg.mvXAxis, label="distance up the slope (µm)")
            with dpg.plot_axis(dpg.mvYAxis, label="height (µm)"):
                dpg.add_scatter_series(along, heights, label="measured")
                if measured.pretilt_deg is not None:
                    slope = math.tan(math.radians(measured.pretilt_deg))
                    ends = [min(along), max(along)]
                    offset = sum(heights) / len(heights) - slope * sum(along) / len(along)
                    label = f"plane of {measured.pretilt_deg:.1f}°"
                    dpg.add_line_series(ends, [offset + slope * end for end in ends], label=label)

    def close(self) -> bool:
        """Close the window; whether it was open."""
        if self._window is None:
            return False
        was_open = bool(dpg.is_item_shown(self._window))
        dpg.delete_item(self._window)
        self._window = None
        return was_open
