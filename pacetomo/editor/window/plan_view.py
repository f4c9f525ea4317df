"""What the document would acquire, and what speaks against it."""

from __future__ import annotations

from dataclasses import dataclass

import dearpygui.dearpygui as dpg

from pacetomo.editor.plan_panel import Findings, Summary
from pacetomo.editor.window.theme import ERROR, GOOD, TEXT_DIM, WARNING, Fonts, Tag
from pacetomo.editor.wording import sentence
from pacetomo.overlap import Overlap

_MOST_PROBLEMS, _MOST_OVERLAPS = 40, 12


@dataclass(eq=False)
class PlanView:
    """The plan in a window."""

    fonts: Fonts

    def build(self, parent: Tag) -> None:
        """Make the panel."""
        em = self.fonts.em
        self._summary = dpg.add_text("", parent=parent, wrap=em(36))
        self._figures = dpg.add_table(
            parent=parent, header_row=False, policy=dpg.mvTable_SizingFixedFit, row_background=True
        )
        for _ in range(2):
            dpg.add_table_column(parent=self._figures)
        dpg.add_spacer(height=em(0.3), parent=parent)
        dpg.add_text("Tilts in order of acquisition", parent=parent, color=TEXT_DIM)
        with dpg.plot(
            parent=parent,
            height=em(11),
            width=-1,
            no_menus=True,
            no_title=True,
            no_mouse_pos=True,
            no_inputs=True,
        ):
            self._x = dpg.add_plot_axis(dpg.mvXAxis, label="image of the series")
            with dpg.plot_axis(dpg.mvYAxis, label="tilt (°)") as self._y:
                self._tilts = dpg.add_scatter_series([], [])
        dpg.add_spacer(height=em(0.3), parent=parent)
        self._state = dpg.add_text("", parent=parent)
        self._problems = dpg.add_child_window(parent=parent, height=-1)

    def show(self, summary: Summary) -> None:
        """Show the figures of a plan."""
        dpg.set_value(self._summary, summary.describe())
        dpg.configure_item(self._summary, color=ERROR if summary.missing else (230, 232, 236, 255))
        dpg.delete_item(self._figures, children_only=True, slot=1)
        for name, value in _figures(summary):
            with dpg.table_row(parent=self._figures):
                dpg.add_text(name, color=TEXT_DIM)
                dpg.add_text(value, wrap=self.fonts.em(26))
        numbers = [float(number) for number in range(1, len(summary.tilts_deg) + 1)]
        dpg.set_value(self._tilts, [numbers, list(summary.tilts_deg)])
        dpg.fit_axis_data(self._x)
        dpg.fit_axis_data(self._y)

    def show_findings(self, findings: Findings | None, text: str = "checking ...") -> None:
        """Show what a check has found; None while it is under way."""
        if findings is None:
            dpg.set_value(self._state, text)
            dpg.configure_item(self._state, color=TEXT_DIM)
            return
        fatal = sum(problem.fatal for problem in findings.problems)
        said = (
            "✔ nothing speaks against it" if not findings.problems else f"{len(findings.problems)} findings"
        )
        if fatal:
            said += f", {fatal} of which must be put right first"
        dpg.set_value(self._state, said)
        dpg.configure_item(self._state, color=ERROR if fatal else WARNING if findings.problems else GOOD)
        dpg.delete_item(self._problems, children_only=True)
        for problem in findings.problems[:_MOST_PROBLEMS]:
            self._entry("✖" if problem.fatal else "▲", problem.text, problem.cure, problem.fatal)
        for overlap in findings.overlaps[:_MOST_OVERLAPS]:
            self._entry("◐", _said(overlap), "", False)
        more = len(findings.problems) - _MOST_PROBLEMS, len(findings.overlaps) - _MOST_OVERLAPS
        if max(more) > 0:
            counted = [f"{n} more {noun}" for n, noun in zip(more, ("findings", "overlaps")) if n > 0]
            dpg.add_text(" and ".join(counted), parent=self._problems, color=TEXT_DIM)

    def _entry(self, mark: str, text: str, cure: str, is_fatal: bool) -> None:
        with dpg.group(horizontal=True, parent=self._problems):
            dpg.add_text(mark, color=ERROR if is_fatal else WARNING)
            with dpg.group():
                dpg.add_text(sentence(text), wrap=self.fonts.em(33))
                if cure:
                    dpg.add_text(f"→ {cure}", wrap=self.fonts.em(33), color=TEXT_DIM)


def _said(overlap: Overlap) -> str:
    return (
        f"beam on target {overlap.by} adds {overlap.dose_e_per_a2:.1f} e/Å² to target {overlap.target} "
        f"({100 * overlap.share:.0f} % of its image at most)"
    )


def _figures(summary: Summary) -> list[tuple[str, str]]:
    if summary.missing is not None:
        return []
    doses = sorted(set(summary.dose_e_per_a2.values()))
    dose = " to ".join(f"{value:.0f}" for value in dict.fromkeys((doses[0], doses[-1]))) if doses else "0"
    tilts = sorted(summary.tilts_deg)
    rows = [
        ("Targets", str(summary.targets)),
        ("Tilts", f"{summary.tilts} from {tilts[0]:g}° to {tilts[-1]:g}°, first {summary.tilts_deg[0]:g}°"),
        ("Exposures", str(summary.exposures)),
        ("Dose per target", f"{dose} e/Å² (3 e/Å² per image, where no microscope tells)"),
        ("Time", f"{summary.total_s / 60:.0f} min"),
    ]
    if summary.images > summary.exposures:
        rows.insert(3, ("Images", f"{summary.images} with all tiles"))
    return rows + [("Note", warning) for warning in summary.warnings]
