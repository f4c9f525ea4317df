"""Figures of the measurements: what was measured, what was fitted, and what is left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pacetomo.frames import XY
from pacetomo.measurement.axis_fit import AxisFit, FocusReading
from pacetomo.measurement.plane_fit import Geometry
from pacetomo.sample_geometry import HeightPoint

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
    used, relative, residuals = map(np.array, (fit.used, fit.relative_um, fit.residuals_um))
    course = np.linspace(tilts.min(), tilts.max(), 61)
    for number, y_um in enumerate(places):
        colour = cm.viridis(0.88 * number / max(len(places) - 1, 1))
        upper.plot(course, [fit.expected_um(t, y_um) for t in course], color=colour, lw=1.5)
        if y_um == 0:
            unmoved = [fit.expected_um(t, y_um, off_um=0.0) for t in course]
            upper.plot(course, unmoved, color=colour, lw=1.2, ls="--", label="axis where it was set")
        mine = np.array([reading.y_um == y_um for reading in readings])
        label = f"{y_um:+g} µm" if y_um else "0 µm"
        upper.plot(tilts[mine & used], relative[mine & used], "o", color=colour, ms=4, label=label)
        lower.plot(tilts[mine & used], residuals[mine & used], "o", color=colour, ms=4)
    for axes, values in ((upper, relative), (lower, residuals)):
        # What is left out may lie far out: it is shown at the edge.
        low, high = axes.get_ylim()
        axes.plot(
            tilts[~used], np.clip(values[~used], low, high), "x", color=_BAD, ms=8, mew=2, clip_on=False
        )
        axes.set_ylim(low, high)
    if not all(fit.used):
        upper.plot([], [], "x", color=_BAD, ms=8, mew=2, label="left out (at the edge: beyond it)")
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


def geometry_figure(names: Sequence[str], points: Sequence[HeightPoint], geometry: Geometry) -> Figure:
    """Map of the heights with the fitted surface, and the residual of each point.

    Parameters
    ----------
    names, points : sequences
        What was measured.
    geometry : Geometry
        What was fitted.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.0, 5.4))
    left, right = figure.subplots(1, 2, gridspec_kw={"width_ratios": (1.25, 1)})
    _height_map(figure, left, names, points, geometry)
    plane, surface = geometry.plane, geometry.surface
    kind = "paraboloid, in the middle: " if surface.is_paraboloid else ""
    figure.suptitle(
        f"{kind}pretilt {plane.pretilt_deg:.1f} ± {geometry.pretilt_error_deg:.1f}°, rotation "
        f"{plane.rotation_deg:.1f} ± {geometry.rotation_error_deg:.1f}°; level at stage tilt "
        f"{geometry.level_deg:+.1f}°",
        x=0.02,
        ha="left",
    )
    rows = np.arange(len(points))
    residuals, used = np.array(geometry.residuals_um), np.array(geometry.used)
    reach = 1.15 * max(0.15, float(np.abs(residuals[used]).max()))
    # What is left out may lie far out: it is cut at the edge, and its size stands with its name.
    right.barh(rows, np.clip(residuals, -reach, reach), color=np.where(used, _GREY, _BAD), height=0.6)
    labels = [
        _name(name, None if counts else residual)
        for name, counts, residual in zip(names, geometry.used, geometry.residuals_um)
    ]
    right.set_yticks(rows, labels)
    right.invert_yaxis()
    right.axvline(0, color=_GREY, lw=0.8)
    right.set_xlim(-reach, reach)
    right.set_xlabel("height off the fit (µm)")
    figure.subplots_adjust(left=0.08, right=0.97, top=0.9, bottom=0.12, wspace=0.55)
    return figure


def _name(name: str, left_out_um: float | None = None) -> str:
    """Name of a point as matplotlib does not take it for a formula; with what it is off by where it is left out."""
    text = name.replace("$", r"\$")
    return text if left_out_um is None else f"{text}\nleft out: {left_out_um:+.2f} µm"


def _height_map(
    figure: Figure, axes: Any, names: Sequence[str], points: Sequence[HeightPoint], geometry: Geometry
) -> None:
    """Draw the surface with lines of equal height, and the points on it in the colour of theirs."""
    surface = geometry.surface
    middle_um = surface.rise_um(surface.centre_um)
    xs, ys = np.array([point.seen_um for point in points]).T
    margin = 0.15 * max(float(np.ptp(xs)), float(np.ptp(ys)), 1.0)
    x = np.linspace(xs.min() - margin, xs.max() + margin, 80)
    y = np.linspace(ys.min() - margin, ys.max() + margin, 80)
    rises = np.array([[surface.rise_um(XY(a, b)) - middle_um for a in x] for b in y])
    used = np.array(geometry.used)
    heights = np.array([point.rise_um for point in points]) - middle_um
    shades = {
        "cmap": "viridis",
        "vmin": min(rises.min(), heights[used].min()),
        "vmax": max(rises.max(), heights[used].max()),
    }
    area = (x[0], x[-1], y[0], y[-1])
    image = axes.imshow(rises, origin="lower", extent=area, alpha=0.6, aspect="equal", **shades)
    lines = axes.contour(x, y, rises, levels=8, colors=_GREY, linewidths=0.7)
    axes.clabel(lines, fmt="%.2f", fontsize=8)
    dots = {"s": 70, "edgecolors": "black", "linewidths": 0.8, "zorder": 3}
    axes.scatter(xs[used], ys[used], c=heights[used], **dots, **shades)
    axes.plot(xs[~used], ys[~used], "x", color=_BAD, ms=10, mew=2.5, zorder=3)
    for name, at in zip(names, zip(xs, ys)):
        axes.annotate(_name(name.split()[-1]), at, (6, 5), textcoords="offset points", fontsize=9)
    axes.grid(False)
    axes.set_xlabel("x, along the tilt axis (µm)")
    axes.set_ylabel("y, across it (µm)")
    figure.colorbar(image, ax=axes, label="height along the beam (µm)", shrink=0.8)
