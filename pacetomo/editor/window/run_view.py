"""A run as its journal tells it: how far it is, each target, and courses over tilt."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import dearpygui.dearpygui as dpg

from pacetomo.editor.desk import Desk
from pacetomo.editor.live import Progress, TargetProgress
from pacetomo.editor.looks import LOOKS, ORANGE, SKY_BLUE, Look
from pacetomo.editor.window.list_panel import SYMBOLS
from pacetomo.editor.window.theme import ERROR, TEXT_DIM, WARNING, Fonts, Tag, marker_theme, table_theme
from pacetomo.editor.wording import sentence
from pacetomo.pace import describe_left

_MOST_NOTES = 6
_COURSE_LOOKS = (Look(SKY_BLUE, "circle", True), Look(ORANGE, "diamond", True))
_LEGEND = {"circle": "●", "diamond": "◆"}
_COURSES = ("Residual (nm)", "Defocus (µm)", "Mean counts")


@dataclass(eq=False)
class RunView:
    """The run in a window."""

    desk: Desk
    fonts: Fonts
    progress: Progress = field(default_factory=Progress)
    _rows: dict[int, list[Tag]] = field(default_factory=dict)
    _series: dict[str, Tag] = field(default_factory=dict)

    def build(self, parent: Tag) -> None:
        """Make the panel."""
        em = self.fonts.em
        self._step = dpg.add_text("no run yet", parent=parent, wrap=em(36))
        self._bar = dpg.add_progress_bar(parent=parent, width=-1, overlay="")
        self._lock = dpg.add_text("", parent=parent, wrap=em(36), color=WARNING)
        self._table = dpg.add_table(
            parent=parent,
            height=em(10),
            clipper=True,
            scrollY=True,
            freeze_rows=1,
            row_background=True,
            borders_innerV=True,
            policy=dpg.mvTable_SizingFixedFit,
            no_saved_settings=True,
        )
        dpg.bind_item_theme(self._table, table_theme(self.fonts.size_px))
        headings = (("No.", 3.0), ("State", 7.5), ("Images", 5.0), ("nm", 4.0), ("µm", 4.0), ("Remark", 10.0))
        for label, width_em in headings:
            dpg.add_table_column(
                parent=self._table,
                label=label,
                width_stretch=label == "Remark",
                width_fixed=label != "Remark",
                init_width_or_weight=1.0 if label == "Remark" else em(width_em),
            )
        self._whose = dpg.add_text("", parent=parent, color=TEXT_DIM)
        with dpg.child_window(parent=parent, height=-em(3.4)) as plots:
            for name in _COURSES:
                self._course(plots, name)
        self._notes = dpg.add_child_window(parent=parent, height=-1)

    def _course(self, parent: Tag, name: str) -> None:
        is_last = name == _COURSES[-1]
        labels = {"Residual (nm)": ("X", "Y"), "Defocus (µm)": ("fitted", "wanted")}.get(name, ("counts",))
        with dpg.group(horizontal=True, parent=parent):
            dpg.add_text(f"{name} over tilt (°)")
            for label, look in zip(labels, _COURSE_LOOKS):
                if len(labels) > 1:
                    dpg.add_text(f"{_LEGEND[look.shape]} {label}", color=look.colour)
        with dpg.plot(
            parent=parent,
            height=self.fonts.em(5.2 if is_last else 5.0),
            width=-1,
            no_menus=True,
            no_title=True,
            no_mouse_pos=True,
            no_inputs=True,
        ) as plot:
            dpg.add_plot_axis(dpg.mvXAxis, no_label=True, parent=plot, auto_fit=True)
            y = dpg.add_plot_axis(dpg.mvYAxis, no_label=True, parent=plot, auto_fit=True)
            for label, look in zip(labels, _COURSE_LOOKS):
                series = dpg.add_scatter_series([], [], parent=y, label=label)
                dpg.bind_item_theme(series, marker_theme(look, self.fonts.size_px * 0.22))
                self._series[f"{name} {label}"] = series

    def show(self, progress: Progress) -> None:
        """Show how far the run is."""
        self.progress = progress
        step = progress.step[:1].upper() + progress.step[1:]
        left = "" if progress.left_s is None else f", {describe_left(progress.left_s)}"
        dpg.set_value(self._step, f"{step}{left}")
        dpg.set_value(self._bar, progress.taken / progress.planned if progress.planned else 0.0)
        tilts = f", {progress.tilts_done} of {progress.tilts} tilts" if progress.tilts else ""
        dpg.configure_item(self._bar, overlay=f"{progress.taken} of {progress.planned} images{tilts}")
        for number, target in progress.targets.items():
            self._write(number, target)
        dpg.delete_item(self._notes, children_only=True)
        for note in progress.notes[-_MOST_NOTES:]:
            dpg.add_text(note, parent=self._notes, wrap=self.fonts.em(36), color=WARNING)
        self.redraw()

    def _write(self, number: int, target: TargetProgress) -> None:
        if number not in self._rows:
            with dpg.table_row(parent=self._table):
                choose = dpg.add_selectable(
                    label=str(number), span_columns=True, callback=lambda: self.desk.select([number])
                )
                self._rows[number] = [choose, *(dpg.add_text("") for _ in range(5))]
        cells = self._rows[number]
        residual = target.residuals_nm[-1].length if target.residuals_nm else math.nan
        fitted = target.fitted_um[-1] if target.fitted_um else math.nan
        for cell, text in zip(
            cells[1:],
            (
                f"{SYMBOLS[target.state]} {target.state.value}",
                f"{target.taken}/{target.planned}",
                _number(residual, 0),
                _number(fitted, 2),
                target.remark,
            ),
        ):
            dpg.set_value(cell, text)
        dpg.configure_item(cells[1], color=LOOKS[target.state].colour)
        dpg.configure_item(cells[5], color=ERROR if target.remark else TEXT_DIM)

    def redraw(self) -> None:
        """Show the courses of the selected target, or of the tracking target."""
        document = self.desk.document
        dpg.set_value(self._lock, "" if document.lock is None else sentence(document.lock.reason))
        chosen = min(document.selected, default=document.numbers[0])
        for number, cells in self._rows.items():
            dpg.set_value(cells[0], number in document.selected)
        target = self.progress.targets.get(chosen)
        if target is None:
            dpg.set_value(self._whose, "")
            return
        dpg.set_value(
            self._whose,
            f"Target {chosen}: {target.dose_e_per_a2:.0f} e/Å² so far; select another one in the list",
        )
        tilts = list(target.tilts_deg)
        courses = {
            "Residual (nm) X": [r.x for r in target.residuals_nm],
            "Residual (nm) Y": [r.y for r in target.residuals_nm],
            "Defocus (µm) fitted": list(target.fitted_um),
            "Defocus (µm) wanted": list(target.wanted_um),
            "Mean counts counts": list(target.counts),
        }
        for name, values in courses.items():
            there = [(tilt, value) for tilt, value in zip(tilts, values) if math.isfinite(value)]
            dpg.set_value(self._series[name], [[tilt for tilt, _ in there], [value for _, value in there]])


def _number(value: float, decimals: int) -> str:
    return f"{value:.{decimals}f}" if math.isfinite(value) else ""
