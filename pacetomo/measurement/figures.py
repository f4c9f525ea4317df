"""Figures of the measurements: what was measured, what was fitted, and what is left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pacetomo.measurement.axis_fit import AxisFit, FocusReading

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_GREY = "#7a828c"
_BAD = "#d55e00"


def axis_figure(readings: Sequence[FocusReading], fit: AxisFit, before_um: float) -> Figure:
    """Focus over tilt at each place with the fit, and the residuals.

    Parameters
    ----------
    readings, fit
        What was measured and fitted.
    before_um : float
        SerialEM's tilt axis offset at that time.
    """
    from matplotlib import cm
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 7.0))
    upper, lower = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": (3, 1.2)})
    places = sorted({reading.y_um for reading in readings})
    tilts = np.array([reading.tilt_deg for reading in readings])
    course = np.linspace(tilts.min(), tilts.max(), 61)
    for number, y_um in enumerate(places):
        colour = cm.viridis(0.88 * number / max(len(places) - 1, 1))
        upper.plot(course, [fit.expected_um(t, y_um) for t in course], color=colour, lw=1.5)
        if y_um == 0:
            unmoved = [fit.expected_um(t, y_um, off_um=0.0) for t in course]
            upper.plot(course, unmoved, color=colour, lw=1.2, ls="--", label="axis where it was set")
        _dots(upper, readings, fit.relative_um, fit, y_um, colour, f"{y_um:+g} µm" if y_um else "0 µm")
        _dots(lower, readings, fit.residuals_um, fit, y_um, colour, None)
    if not all(fit.used):
        upper.plot([], [], "x", color=_BAD, ms=8, mew=2, label="left out")
    off = fit.off_um
    upper.set_title(
        f"tilt axis offset {before_um + off.value:.2f} ± {off.sigma:.2f} µm "
        f"(set: {before_um:.2f} µm, off by {off.value:+.2f} µm)",
        loc="left",
    )
    upper.set_ylabel("focus, without drift (µm)")
    upper.legend(title="distance from the axis as set", loc="best", ncol=2)
    lower.axhline(0, color=_GREY, lw=0.8)
    lower.set_ylabel("residual (µm)")
    lower.set_xlabel("tilt (°)")
    figure.align_ylabels([upper, lower])
    figure.subplots_adjust(left=0.1, right=0.97, top=0.94, bottom=0.08, hspace=0.08)
    return figure


def _dots(
    axes: Any,
    readings: Sequence[FocusReading],
    values: Sequence[float],
    fit: AxisFit,
    y_um: float,
    colour: Any,
    label: str | None,
) -> None:
    """Draw what belongs to one place; what does not count is crossed out."""
    good = [(r.tilt_deg, v) for r, v, used in zip(readings, values, fit.used) if r.y_um == y_um and used]
    bad = [(r.tilt_deg, v) for r, v, used in zip(readings, values, fit.used) if r.y_um == y_um and not used]
    if good:
        axes.plot(*zip(*good), "o", color=colour, ms=4, label=label)
    if bad:
        axes.plot(*zip(*bad), "x", color=_BAD, ms=8, mew=2)
