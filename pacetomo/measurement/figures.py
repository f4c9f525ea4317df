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
    right.barh(
        rows, geometry.residuals_um, color=[_GREY if used else _BAD for used in geometry.used], height=0.6
    )
    right.set_yticks(rows, [_name(name, used) for name, used in zip(names, geometry.used)])
    right.invert_yaxis()
    right.axvline(0, color=_GREY, lw=0.8)
    reach = 1.15 * max(0.15, *(abs(residual) for residual in geometry.residuals_um))
    right.set_xlim(-reach, reach)
    right.set_xlabel("height off the fit (µm)")
    figure.subplots_adjust(left=0.08, right=0.97, top=0.9, bottom=0.12, wspace=0.55)
    return figure


def _name(name: str, used: bool) -> str:
    """Name of a point as matplotlib does not take it for a formula."""
    text = name.replace("$", r"\$")
    return text if used else f"{text} (left out)"


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
        axes.annotate(_name(name.split()[-1], True), at, (6, 5), textcoords="offset points", fontsize=9)
    axes.grid(False)
    axes.set_xlabel("x, along the tilt axis (µm)")
    axes.set_ylabel("y, across it (µm)")
    figure.colorbar(image, ax=axes, label="height along the beam (µm)", shrink=0.8)
