"""Fonts, sizes and colours of the window."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Union

import dearpygui.dearpygui as dpg

from pacetomo.editor.looks import Colour, Look
from pacetomo.errors import PaceError

BACKGROUND: Colour = (27, 29, 34, 255)
PANEL: Colour = (35, 38, 44, 255)
CONTROL: Colour = (52, 56, 64, 255)
CONTROL_HOVERED: Colour = (66, 72, 83, 255)
ACCENT: Colour = (38, 110, 163, 255)
TEXT: Colour = (230, 232, 236, 255)
TEXT_DIM: Colour = (160, 166, 176, 255)
TEXT_DISABLED: Colour = (115, 120, 130, 255)
GOOD: Colour = (86, 200, 160, 255)
WARNING: Colour = (240, 190, 70, 255)
ERROR: Colour = (255, 128, 100, 255)

Tag = Union[int, str]
"""What the window library calls an item by."""

SMALLEST_TEXT_PX, LARGEST_TEXT_PX = 11, 40
_DESIGN_HEIGHT, _DESIGN_TEXT_PX = 800, 15

_MARKERS = {
    "diamond": dpg.mvPlotMarker_Diamond,
    "square": dpg.mvPlotMarker_Square,
    "cross": dpg.mvPlotMarker_Cross,
    "circle": dpg.mvPlotMarker_Circle,
    "up": dpg.mvPlotMarker_Up,
    "down": dpg.mvPlotMarker_Down,
    "plus": dpg.mvPlotMarker_Plus,
}


def text_px(height_px: int) -> int:
    """Size of text (pixels) that suits a window of this height.

    >>> text_px(800), text_px(1440)
    (15, 24)
    """
    size = round(_DESIGN_TEXT_PX * (0.25 + 0.75 * height_px / _DESIGN_HEIGHT))
    return min(max(size, _DESIGN_TEXT_PX - 2), LARGEST_TEXT_PX)


class Fonts:
    """The font at the sizes asked for so far."""

    def __init__(self) -> None:
        self._registry = dpg.add_font_registry()
        self._path = str(font_path())
        self._made: dict[int, Tag] = {}
        self.size_px = _DESIGN_TEXT_PX

    def use(self, size_px: int) -> None:
        """Draw everything in this size."""
        self.size_px = min(max(size_px, SMALLEST_TEXT_PX), LARGEST_TEXT_PX)
        if self.size_px not in self._made:
            self._made[self.size_px] = dpg.add_font(self._path, self.size_px, parent=self._registry)
        dpg.bind_font(self._made[self.size_px])

    def em(self, count: float) -> int:
        """So many times the text's size, in pixels."""
        return round(count * self.size_px)


def font_path() -> Path:
    """The font that matplotlib brings along; it has µ, Å, ° and arrows."""
    found = importlib.util.find_spec("matplotlib")  # found without importing it, which takes a while
    if found is None or found.origin is None:
        raise PaceError("the editor's font comes with the package matplotlib, which is not installed")
    return Path(found.origin).parent / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"


def bind_window_theme(size_px: int) -> Tag:
    """Colours and distances of everything, for a size of text."""
    space = max(round(size_px * 0.32), 3)
    theme: Tag
    with dpg.theme() as theme, dpg.theme_component(dpg.mvAll):
        for target, colour in _COLOURS.items():
            dpg.add_theme_color(target, colour)
        for target, (x, y) in _styles(space, size_px).items():
            dpg.add_theme_style(target, x, y)
        for target in (dpg.mvPlotCol_FrameBg, dpg.mvPlotCol_PlotBg):
            # Transparent: each layer that covers the plot costs as much as all targets where there is no graphics card.
            dpg.add_theme_color(target, (0, 0, 0, 0), category=dpg.mvThemeCat_Plots)
        dpg.add_theme_color(dpg.mvPlotCol_AxisGrid, (255, 255, 255, 60), category=dpg.mvThemeCat_Plots)
        dpg.add_theme_style(dpg.mvPlotStyleVar_PlotPadding, 0, 0, category=dpg.mvThemeCat_Plots)
        dpg.add_theme_style(dpg.mvPlotStyleVar_FitPadding, 0.04, 0.12, category=dpg.mvThemeCat_Plots)
        dpg.add_theme_style(dpg.mvPlotStyleVar_PlotBorderSize, 0, category=dpg.mvThemeCat_Plots)
    with dpg.theme_component(dpg.mvAll, enabled_state=False, parent=theme):
        dpg.add_theme_color(dpg.mvThemeCol_Text, TEXT_DISABLED)
    for kind in (dpg.mvButton, dpg.mvMenuItem, dpg.mvInputText, dpg.mvCheckbox, dpg.mvCombo):
        with dpg.theme_component(kind, enabled_state=False, parent=theme):
            dpg.add_theme_color(dpg.mvThemeCol_Text, TEXT_DISABLED)
            for target in (dpg.mvThemeCol_Button, dpg.mvThemeCol_ButtonHovered, dpg.mvThemeCol_ButtonActive):
                dpg.add_theme_color(target, PANEL)
    dpg.bind_theme(theme)
    return theme


_COLOURS: dict[int, Colour] = {
    dpg.mvThemeCol_WindowBg: BACKGROUND,
    dpg.mvThemeCol_ChildBg: (0, 0, 0, 0),
    dpg.mvThemeCol_PopupBg: (43, 47, 54, 255),
    dpg.mvThemeCol_MenuBarBg: PANEL,
    dpg.mvThemeCol_TitleBg: PANEL,
    dpg.mvThemeCol_TitleBgActive: ACCENT,
    dpg.mvThemeCol_Text: TEXT,
    dpg.mvThemeCol_TextDisabled: TEXT_DISABLED,
    dpg.mvThemeCol_Border: (70, 75, 85, 255),
    dpg.mvThemeCol_FrameBg: CONTROL,
    dpg.mvThemeCol_FrameBgHovered: CONTROL_HOVERED,
    dpg.mvThemeCol_FrameBgActive: CONTROL_HOVERED,
    dpg.mvThemeCol_Button: CONTROL,
    dpg.mvThemeCol_ButtonHovered: CONTROL_HOVERED,
    dpg.mvThemeCol_ButtonActive: ACCENT,
    dpg.mvThemeCol_Header: (28, 66, 98, 255),
    dpg.mvThemeCol_HeaderHovered: (52, 62, 74, 255),
    dpg.mvThemeCol_HeaderActive: ACCENT,
    dpg.mvThemeCol_Tab: CONTROL,
    dpg.mvThemeCol_TabHovered: ACCENT,
    dpg.mvThemeCol_TabActive: ACCENT,
    dpg.mvThemeCol_CheckMark: (130, 200, 245, 255),
    dpg.mvThemeCol_SliderGrab: (110, 170, 215, 255),
    dpg.mvThemeCol_SliderGrabActive: (150, 205, 245, 255),
    dpg.mvThemeCol_TableHeaderBg: CONTROL,
    dpg.mvThemeCol_TableRowBg: (0, 0, 0, 0),
    dpg.mvThemeCol_TableRowBgAlt: (255, 255, 255, 8),
    dpg.mvThemeCol_TableBorderLight: (55, 60, 68, 255),
    dpg.mvThemeCol_TableBorderStrong: (70, 75, 85, 255),
    dpg.mvThemeCol_ScrollbarBg: (0, 0, 0, 0),
    dpg.mvThemeCol_ScrollbarGrab: (75, 81, 92, 255),
    dpg.mvThemeCol_PlotHistogram: ACCENT,
    dpg.mvThemeCol_ModalWindowDimBg: (0, 0, 0, 110),
    dpg.mvThemeCol_DragDropTarget: (240, 228, 66, 255),
}


def _styles(space: int, size_px: int) -> dict[int, tuple[float, float]]:
    rounding = max(round(size_px * 0.2), 2)
    return {
        dpg.mvStyleVar_WindowPadding: (space * 1.5, space * 1.5),
        dpg.mvStyleVar_FramePadding: (space * 1.4, space * 0.7),
        dpg.mvStyleVar_ItemSpacing: (space * 1.4, space),
        dpg.mvStyleVar_ItemInnerSpacing: (space, space),
        dpg.mvStyleVar_CellPadding: (space, space * 0.4),
        dpg.mvStyleVar_ScrollbarSize: (size_px * 0.8, 0),
        dpg.mvStyleVar_GrabMinSize: (size_px * 0.8, 0),
        dpg.mvStyleVar_FrameRounding: (rounding, 0),
        dpg.mvStyleVar_ChildRounding: (rounding, 0),
        dpg.mvStyleVar_PopupRounding: (rounding, 0),
        dpg.mvStyleVar_GrabRounding: (rounding, 0),
        dpg.mvStyleVar_TabRounding: (rounding, 0),
        dpg.mvStyleVar_WindowBorderSize: (0, 0),
        dpg.mvStyleVar_ChildBorderSize: (0, 0),
        dpg.mvStyleVar_PopupBorderSize: (1, 0),
        dpg.mvStyleVar_IndentSpacing: (size_px, 0),
    }


def table_theme(size_px: int) -> Tag:
    """Theme of a table of texts: without the padding of frames, so that all cells of a row stand in one line."""
    theme: Tag
    with dpg.theme() as theme, dpg.theme_component(dpg.mvAll):
        dpg.add_theme_style(dpg.mvStyleVar_FramePadding, 0, 0)
        dpg.add_theme_style(dpg.mvStyleVar_CellPadding, size_px * 0.27, size_px * 0.13)
    return theme


def text_theme(colour: Colour) -> Tag:
    """Theme for text in this colour."""
    theme: Tag
    with dpg.theme() as theme, dpg.theme_component(dpg.mvAll):
        dpg.add_theme_color(dpg.mvThemeCol_Text, colour)
    return theme


def line_theme(colour: Colour, weight_px: float) -> Tag:
    """Theme of a series of lines."""
    theme: Tag
    with dpg.theme() as theme, dpg.theme_component(dpg.mvLineSeries):
        dpg.add_theme_color(dpg.mvPlotCol_Line, colour, category=dpg.mvThemeCat_Plots)
        dpg.add_theme_style(dpg.mvPlotStyleVar_LineWeight, weight_px, category=dpg.mvThemeCat_Plots)
    return theme


def shade_theme(colour: Colour) -> Tag:
    """Theme of a series of shaded regions."""
    theme: Tag
    with dpg.theme() as theme, dpg.theme_component(dpg.mvShadeSeries):
        dpg.add_theme_color(dpg.mvPlotCol_Fill, colour, category=dpg.mvThemeCat_Plots)
        dpg.add_theme_color(dpg.mvPlotCol_Line, (0, 0, 0, 0), category=dpg.mvThemeCat_Plots)
    return theme


def marker_theme(look: Look, size_px: float) -> Tag:
    """Theme of a series of markers."""
    fill = look.colour if look.is_filled else (0, 0, 0, 0)
    # Filled ones have no outline: where there is no graphics card it costs as much as all else of a marker.
    outline = (0, 0, 0, 0) if look.is_filled else look.colour
    theme: Tag
    with dpg.theme() as theme, dpg.theme_component(dpg.mvScatterSeries):
        for target, colour in ((dpg.mvPlotCol_MarkerFill, fill), (dpg.mvPlotCol_MarkerOutline, outline)):
            dpg.add_theme_color(target, colour, category=dpg.mvThemeCat_Plots)
        for style, value in (
            (dpg.mvPlotStyleVar_Marker, _MARKERS[look.shape]),
            (dpg.mvPlotStyleVar_MarkerSize, size_px),
            (dpg.mvPlotStyleVar_MarkerWeight, 1.0 if look.is_filled else size_px * 0.35),
        ):
            dpg.add_theme_style(style, value, category=dpg.mvThemeCat_Plots)
    return theme
