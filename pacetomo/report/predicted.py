"""What the tracking model expected of each image against what was measured: figure and calibration in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pacetomo.report.figures import WIDTH_IN
from pacetomo.report.series import DOWN, START, UP, Series, SeriesImage

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIGMAS = 2.0
"""Half width of the bands, in standard deviations."""

EXPECTED_SHARE = 0.95
"""Share of measurements that lies within them if the standard deviations are right."""

MOST_ROWS = 12
"""Targets drawn: of more, the tracking target and those that fit the prediction worst."""

COLOURS = {UP: "#0072b2", DOWN: "#009e73"}
NOT_BELIEVED = "#d55e00"
"""Colours that people who do not tell red from green can tell apart; shapes say the same."""

_ROW_IN = 1.02
_TRACKING_IN = 1.35
_HEAD_IN = 0.78
_FOOT_IN = 0.52
_APART_IN = 0.24
_TITLES = ("x: along the tilt axis (nm)", "y: across it (nm)", "fitted less wanted defocus (µm)")


class Measured(NamedTuple):
    """One measured number: tilt, branch, value, what was expected, its standard deviation, and whether believed."""

    tilt_deg: float
    branch: str
    value: float
    expected: float
    sigma: float
    believed: bool

    @property
    def is_within(self) -> bool:
        """Whether it lies in the band."""
        return abs(self.value - self.expected) <= SIGMAS * self.sigma


def measured(series: Series) -> tuple[list[Measured], ...]:
    """Residual x and y (nm) and defocus (µm) of a series' images away from the start, in order of tilt, where expected.

    A value that was expected and not measured is nan.
    """
    images = [image for image in series.images if image.branch in COLOURS]
    images.sort(key=lambda image: image.tilt_deg)
    columns: tuple[list[Measured], ...] = ([], [], [])
    for image in images:
        for column, values in zip(columns, _values(image)):
            found = Measured(image.tilt_deg, image.branch, *values)
            if math.isfinite(found.tilt_deg) and math.isfinite(found.expected) and math.isfinite(found.sigma):
                column.append(found)
    return columns


def _values(image: SeriesImage) -> list[tuple[float, float, float, bool]]:
    residuals = zip(image.measured_nm, image.expected_nm, image.sigma_nm)
    defocus_um = image.fitted_um - image.wanted_um
    expected_um = math.nan if math.isnan(image.wanted_um) else 0.0
    return [
        *((value, expected, sigma, image.believed) for value, expected, sigma in residuals),
        (defocus_um, expected_um, image.sigma_defocus_um, True),
    ]


def calibration(series: Sequence[Series]) -> list[str]:
    """Sentences on how many measurements lie within the bands; none where the journal says nothing of expectations.

    Alignments that were not believed are false peaks and no test of the bands; they are counted by themselves.
    """
    sentences = []
    columns = [measured(entry) for entry in series]
    residuals = [one for x, y, _ in columns for one in (*x, *y) if math.isfinite(one.value)]
    believed = [one for one in residuals if one.believed]
    if believed:
        refused = (len(residuals) - len(believed)) // 2
        rest = {0: "none", 1: "one alignment"}.get(refused, f"{refused} alignments")
        sentences.append(
            f"{_share(believed)} of {len(believed)} measured residuals lie within {SIGMAS:g} sigma of what the "
            f"tracking model expected, {EXPECTED_SHARE:.0%} are to be expected; {rest} not believed."
        )
    fits = [one for _, _, defocus in columns for one in defocus if math.isfinite(one.value)]
    if fits:
        sentences.append(f"Of {len(fits)} fitted defocus values, {_share(fits)} lie within {SIGMAS:g} sigma.")
    return sentences


def _share(values: Sequence[Measured]) -> str:
    return f"{sum(one.is_within for one in values) / len(values):.0%}"


def predicted_figure(series: Sequence[Series]) -> Figure:
    """Residuals and defocus over tilt with the bands expected of them, a row per target, the tracking target apart."""
    from matplotlib.figure import Figure

    shown = _chosen(series)
    data = {entry.number: measured(entry) for entry in shown}
    columns = 3 if any(math.isfinite(one.value) for _, _, found in data.values() for one in found) else 2
    heights = [_TRACKING_IN if entry.tracking else _ROW_IN for entry in shown]
    apart_in = _APART_IN if len(shown) > 1 and shown[0].tracking else 0.0
    height_in = _HEAD_IN + sum(heights) + apart_in + _FOOT_IN
    fig = Figure(figsize=(WIDTH_IN, height_in))
    left, right, between = 0.095, 0.985, 0.045
    width = (right - left - between * (columns - 1)) / columns
    top_in = height_in - _HEAD_IN
    for row, (entry, row_in) in enumerate(zip(shown, heights)):
        alike = [other for other in shown if other.tracking == entry.tracking]
        for column in range(columns):
            box = (
                left + column * (width + between),
                (top_in - row_in) / height_in,
                width,
                (row_in - 0.14) / height_in,
            )
            ax = fig.add_axes(box)
            _draw(ax, data[entry.number][column], _limit([data[other.number][column] for other in alike]))
            _label(ax, entry, column, is_first=row == 0, is_last=row == len(shown) - 1)
        top_in -= row_in + (apart_in if row == 0 else 0.0)
    if shown:
        _legend(fig, 1.0 - 0.04 / height_in)
    return fig


def _chosen(series: Sequence[Series]) -> list[Series]:
    """Targets to draw: the tracking target first."""
    known = [entry for entry in series if any(measured(entry))]
    if len(known) > MOST_ROWS:
        known.sort(key=lambda entry: (not entry.tracking, -_misfit(entry)))
        known = known[:MOST_ROWS]
    return sorted(known, key=lambda entry: (not entry.tracking, entry.number))


def _misfit(series: Series) -> float:
    """Mean square of the deviations of x and y in standard deviations; false peaks count, as they should be seen."""
    x, y, _ = measured(series)
    apart = [((one.value - one.expected) / one.sigma) ** 2 for one in (*x, *y) if math.isfinite(one.value)]
    return float(np.mean(apart)) if apart else 0.0


def _limit(columns: Sequence[Sequence[Measured]]) -> float:
    """Half height of a panel: all bands and believed values but the farthest few."""
    reach = [abs(one.expected) + SIGMAS * one.sigma for column in columns for one in column]
    reach += [
        abs(one.value) for column in columns for one in column if one.believed and math.isfinite(one.value)
    ]
    return 1.15 * float(np.percentile(reach, 98)) if reach else 1.0


def _draw(ax: Axes, values: Sequence[Measured], limit: float) -> None:
    """Bands and measurements of one target; what lies beyond the panel sits on its edge as a triangle."""
    ax.axhline(0.0, color="#7a828c", lw=0.7, zorder=1)
    for branch, colour in COLOURS.items():
        own = [one for one in values if one.branch == branch]
        tilts = [one.tilt_deg for one in own]
        middle, half = (np.array([getattr(one, name) for one in own]) for name in ("expected", "sigma"))
        ax.fill_between(
            tilts, middle - SIGMAS * half, middle + SIGMAS * half, color=colour, alpha=0.22, lw=0, zorder=2
        )
        ax.plot(tilts, middle, color=colour, lw=0.9, alpha=0.8, zorder=3)
        seen = [one for one in own if math.isfinite(one.value)]
        for one in seen:
            far = abs(one.value) > limit
            edge = "^" if one.value > 0 else "v"
            marker = "X" if not one.believed else edge if far else "o"
            ax.plot(
                [one.tilt_deg],
                [math.copysign(min(abs(one.value), 0.93 * limit if far else limit), one.value)],
                marker=marker,
                ms=7.0 if not one.believed else 5.5 if far else 3.4,
                mfc=colour if one.believed else NOT_BELIEVED,
                mec="white" if not one.believed else colour,
                mew=0.6,
                ls="",
                zorder=5 if not one.believed else 4,
            )
    ax.set_ylim(-limit, limit)


def _label(ax: Axes, entry: Series, column: int, *, is_first: bool, is_last: bool) -> None:
    """Titles above the first row, target numbers beside the first column, tilts below the last row."""
    from matplotlib.ticker import MaxNLocator, MultipleLocator

    tilts = [
        image.tilt_deg for image in entry.images if image.branch != START and math.isfinite(image.tilt_deg)
    ]
    if tilts:
        ax.set_xlim(min(tilts) - 2, max(tilts) + 2)
        if 40 <= max(tilts) - min(tilts) <= 200:
            ax.xaxis.set_major_locator(MultipleLocator(20))
    ax.yaxis.set_major_locator(MaxNLocator(3, symmetric=True))
    ax.tick_params(labelsize=9, labelbottom=is_last, length=2)
    if is_first:
        ax.set_title(_TITLES[column], loc="left", fontsize=11, color="#55606c", pad=4)
    if is_last:
        ax.set_xlabel("tilt (°)", labelpad=1)
    if column == 0:
        name = f"{entry.number}\ntracking" if entry.tracking else str(entry.number)
        ax.set_ylabel(name, rotation=0, ha="right", va="center", labelpad=6, weight="bold")
        ax.yaxis.set_label_coords(-0.125, 0.5)


def _legend(fig: Figure, top: float) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    handles: list[Line2D | Patch] = []
    for branch, colour in COLOURS.items():
        handles.append(Patch(color=colour, alpha=0.22, label=f"expected ± {SIGMAS:g} sigma, {branch}"))
        handles.append(Line2D([], [], color=colour, marker="o", ms=4, ls="", label=f"measured, {branch}"))
    handles.append(
        Line2D([], [], marker="X", ms=7.5, ls="", mfc=NOT_BELIEVED, mec="white", label="not believed")
    )
    handles.append(Line2D([], [], color="#7a828c", marker="^", ms=6, ls="", label="beyond the panel"))
    fig.legend(
        handles=handles,
        loc="upper center",
        bbox_to_anchor=(0.54, top),
        ncol=6,
        columnspacing=1.3,
        handletextpad=0.4,
    )
