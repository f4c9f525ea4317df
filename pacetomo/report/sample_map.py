"""The figure of the targets on the sample: beam footprints from above, and heights along the slope."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pacetomo.frames import XY
from pacetomo.report.figures import MOST_NAMED, WIDTH_IN, colours
from pacetomo.report.records import RunLog
from pacetomo.report.series import Series
from pacetomo.report.truth import TruthLog

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_GREY = "#7a828c"


def places(series: Sequence[Series]) -> dict[int, XY]:
    """Return where targets lie on the sample relative to the tracking target, µm.

    Where they were really imaged if a truth log tells, else where the target file wanted them. Targets
    without any place are left out.
    """
    tracking = next((entry for entry in series if entry.tracking), None)
    if tracking is None:
        return {}
    origin_um = XY(*tracking.sample_um[:2]) if tracking.sample_um else XY(math.nan, math.nan)
    wanted_um = tracking.target.shift_um
    found = {}
    for entry in series:
        place = entry.target.shift_um.minus(wanted_um if wanted_um.is_finite else XY(0.0, 0.0))
        if entry.sample_um and origin_um.is_finite:
            place = XY(*entry.sample_um[:2]).minus(origin_um)
        if place.is_finite:
            found[entry.number] = place
    return found


def sample_figure(series: Sequence[Series], runlog: RunLog, truth: TruthLog | None) -> Figure:
    """Targets from above with their beam at tilt 0 and the largest tilt; their heights along the slope."""
    from matplotlib.figure import Figure

    fig = Figure(figsize=(WIDTH_IN, 6.4))
    if any(entry.sample_um for entry in series):
        above, side = fig.add_axes((0.065, 0.09, 0.545, 0.81)), fig.add_axes((0.69, 0.09, 0.3, 0.81))
        _heights(side, series, runlog)
    else:
        above = fig.add_axes((0.065, 0.09, 0.92, 0.83))
    spots = places(series)
    radius_um = _beam_um(truth)
    if truth:
        _other_beams(above, series, truth, radius_um)
    largest_deg = _largest_tilt_deg(series, runlog)
    _targets(above, series, spots, radius_um, largest_deg)
    above.set_xlabel("along the tilt axis, from the tracking target (µm)")
    above.set_ylabel("across the tilt axis (µm)")
    if spots:
        known = math.isfinite(radius_um)
        margin_um = XY(1.25 * radius_um, 1.15 * radius_um * _stretch(largest_deg)) if known else XY(1.0, 1.0)
        _frame(above, spots, margin_um)
    else:
        above.text(0.5, 0.5, "no data", transform=above.transAxes, ha="center", va="center", color=_GREY)
    return fig


def _targets(
    ax: Axes, series: Sequence[Series], spots: Mapping[int, XY], radius_um: float, tilt_deg: float
) -> None:
    """Draw beams and numbers; a target without images is a grey cross."""
    from matplotlib.patches import Ellipse

    shades = colours(series)
    ax.axhline(0, color=_GREY, lw=0.8, ls=(0, (8, 4)), label="direction of the tilt axis")
    stretch = _stretch(tilt_deg)
    labelled = False
    size_pt = 11 if len(series) <= MOST_NAMED else 8
    for entry in series:
        if entry.number not in spots:
            continue
        spot, shade = spots[entry.number], shades[entry.number]
        if not entry.images:
            ax.plot([spot.x], [spot.y], marker="x", ms=9, color=_GREY, label="_")
            ax.annotate(str(entry.number), spot, (7, 5), textcoords="offset points", color=_GREY)
            continue
        size = {"width": 2 * radius_um, "height": 2 * radius_um}
        width = 2.6 if entry.tracking else 1.6
        if math.isfinite(radius_um):
            names = ("_", "_") if labelled else ("beam at tilt 0°", f"beam at tilt {tilt_deg:.0f}°")
            labelled = True
            ax.add_patch(Ellipse(spot, **size, facecolor=(*shade[:3], 0.22), edgecolor="none"))
            ax.add_patch(Ellipse(spot, **size, fill=False, edgecolor=shade, lw=width, label=names[0]))
            size["height"] *= stretch
            ax.add_patch(
                Ellipse(spot, **size, fill=False, edgecolor=shade, lw=0.6 * width, ls="--", label=names[1])
            )
        else:
            ax.plot([spot.x], [spot.y], marker="o", ms=22, mfc="white", mec=shade, mew=width)
        ax.text(
            spot.x, spot.y, str(entry.number), ha="center", va="center", fontweight="bold", fontsize=size_pt
        )


def _other_beams(ax: Axes, series: Sequence[Series], truth: TruthLog, radius_um: float) -> None:
    """Draw where small beams (focus, trial, preview) hit the sample beside the targets."""
    from matplotlib.patches import Circle

    tracking = next((entry for entry in series if entry.tracking and entry.sample_um), None)
    if tracking is None or tracking.sample_um is None:
        return
    origin = XY(*tracking.sample_um[:2])
    imaged = [XY(*entry.sample_um[:2]) for entry in series if entry.sample_um]
    drawn: list[XY] = []
    for shot in truth.exposures:
        spot = XY(*shot.sample_um[:2])
        if shot.camera_set == "R" or not spot.is_finite or not shot.beam_radius_um <= 1.5 * radius_um:
            continue
        if all(spot.minus(other).length > 0.25 for other in (*imaged, *drawn)):
            label = "_" if drawn else "other beams (focus, trial, preview)"
            drawn.append(spot)
            place = spot.minus(origin)
            ax.add_patch(Circle(place, shot.beam_radius_um, fill=False, ec=_GREY, lw=1, ls=":", label=label))


def _heights(ax: Axes, series: Sequence[Series], runlog: RunLog) -> None:
    """Draw the true heights over the tracking target along the slope, with the plane that the run assumed."""
    shades = colours(series)
    turn = math.radians(0.0 if math.isnan(runlog.rotation_deg) else runlog.rotation_deg)
    tracking = next((entry.sample_um for entry in series if entry.tracking), None)
    reach = [0.0]
    for entry in series:
        if entry.sample_um is None or tracking is None:
            continue
        dx, dy, dz = (value - first for value, first in zip(entry.sample_um, tracking))
        along = math.cos(turn) * dy - math.sin(turn) * dx
        reach.append(along)
        ax.plot([along], [dz], marker="o", ms=9 if entry.tracking else 7, color=shades[entry.number])
        if len(series) <= MOST_NAMED:
            ax.annotate(str(entry.number), (along, dz), (6, 5), textcoords="offset points", fontsize=10)
    if not math.isnan(runlog.pretilt_deg):
        slope = math.tan(math.radians(runlog.pretilt_deg))
        ends = [min(reach) - 0.5, max(reach) + 0.5]
        label = f"assumed: pretilt {runlog.pretilt_deg:g}°, rotation {math.degrees(turn):g}°"
        ax.plot(ends, [slope * end for end in ends], color=_GREY, lw=1.4, label=label, zorder=1)
        ax.legend(loc="lower left", bbox_to_anchor=(-0.03, 1.0), fontsize=9.5)
    ax.set_xlabel("along the slope (µm)")
    ax.set_ylabel("true height over the tracking target (µm)")


def _frame(ax: Axes, spots: Mapping[int, XY], margin_um: XY) -> None:
    """Show all targets with a margin, both axes to the same scale and the panel filled."""
    middles, spans = [], []
    for axis in (0, 1):
        low, high = min(spot[axis] for spot in spots.values()), max(spot[axis] for spot in spots.values())
        middles.append((low + high) / 2)
        spans.append(high - low + 2 * margin_um[axis])
    box = ax.get_window_extent()
    scale = max(spans[0] / box.width, spans[1] / box.height)
    ax.set_xlim(middles[0] - scale * box.width / 2, middles[0] + scale * box.width / 2)
    ax.set_ylim(middles[1] - scale * box.height / 2, middles[1] + scale * box.height / 2)
    ax.set_aspect("equal", adjustable="box")
    # Above the panel: inside it would hide a target.
    ax.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), fontsize=9.5, ncol=2)


def _stretch(tilt_deg: float) -> float:
    """Return how much longer a round beam is on the sample across the tilt axis."""
    return 1 / max(math.cos(math.radians(tilt_deg)), 0.05)


def _beam_um(truth: TruthLog | None) -> float:
    """Return the median beam radius of the Record exposures, nan if there are none."""
    radii = sorted(shot.beam_radius_um for shot in truth.exposures if shot.camera_set == "R") if truth else []
    radii = [radius for radius in radii if math.isfinite(radius)]
    return radii[len(radii) // 2] if radii else math.nan


def _largest_tilt_deg(series: Sequence[Series], runlog: RunLog) -> float:
    """Return the tilt farthest from 0 that was imaged, or planned where nothing was."""
    tilts = [image.tilt_deg for entry in series for image in entry.images if math.isfinite(image.tilt_deg)]
    return max(tilts or runlog.tilts_deg or [0.0], key=abs)
