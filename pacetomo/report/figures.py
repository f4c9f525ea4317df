"""The report's figures over tilt, over time and per target; each also works with missing data.

Figures are drawn without pyplot, so that no display is touched and no state is left behind.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pacetomo.report.records import RunLog
from pacetomo.report.series import KINDS, Series, SeriesImage
from pacetomo.report.summary import GOOD_RESIDUAL_NM, duration

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH_IN = 11.6
CSS_DPI = 100
"""Inches and dots an inch at which a figure fills the page; it is stored finer to stay sharp on paper."""

GOOD_DEFOCUS_UM = 0.3
"""Errors of defocus below this do no harm to tomograms of the usual resolution."""

MOST_NAMED = 20
"""With more targets than this, figures no longer name each of them."""

Value = Callable[[Series, SeriesImage], float]
"""What to draw of an image."""

_GREY = "#7a828c"
_SHADES = (
    "#56b4e9",
    "#e69f00",
    "#009e73",
    "#f0e442",
    "#cc79a7",
    "#bbbbbb",
    "#d55e00",
    "#8da0cb",
    "#a6761d",
    "#66c2a5",
)
_MARKERS = "osD^vPX<>*"
_STYLE: dict[Any, Any] = {
    "font.size": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e3e6ea",
    "axes.edgecolor": _GREY,
    "legend.frameon": False,
    "legend.fontsize": 10,
    "figure.facecolor": "white",
}


def png(draw: Callable[[], Figure]) -> bytes:
    """Return a figure as PNG; the same figure gives the same bytes.

    The user's own matplotlib settings have no influence.
    """
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # Some pairs of matplotlib and pyparsing releases complain about each other; a reader cannot act on that.
        warnings.simplefilter("ignore", DeprecationWarning)
        import matplotlib as mpl

        with mpl.rc_context():
            mpl.rcdefaults()
            mpl.rcParams.update(_STYLE)
            draw().savefig(buffer, format="png", dpi=1.5 * CSS_DPI, metadata={"Software": None})
    return buffer.getvalue()


def colours(series: Sequence[Series]) -> dict[int, tuple[float, float, float, float]]:
    """Return a colour for each target: black for the tracking target, else from dark to light by number."""
    from matplotlib import cm

    others = [entry.number for entry in series if not entry.tracking]
    # The light end is left out: yellow on white cannot be read.
    shades = {
        number: cm.viridis(0.88 * place / max(len(others) - 1, 1)) for place, number in enumerate(others)
    }
    return {entry.number: shades.get(entry.number, (0.0, 0.0, 0.0, 1.0)) for entry in series}


def residual_figure(series: Sequence[Series]) -> Figure:
    """Residual in x and y over tilt, true where known, else as the run measured it."""
    true = any(image.true_nm.is_finite for entry in series for image in entry.images)

    def value(axis: int) -> Value:
        return lambda _, image: (image.true_nm if true else image.measured_nm)[axis]

    fig, axes = _panels(2, 6.4)
    for axis, ax in enumerate(axes):
        _over_tilt(ax, series, value(axis))
        ax.axhline(0, color=_GREY, lw=0.8, zorder=1)
        ax.axhspan(-GOOD_RESIDUAL_NM, GOOD_RESIDUAL_NM, color="#d9f0e3", zorder=0)
        ax.set_ylabel(f"{'true' if true else 'measured'} residual {'xy'[axis]} (nm)")
    axes[0].set_title("x: along the tilt axis, y: across it", loc="left", fontsize=11, color="#55606c")
    _limit(axes, [value(axis)(entry, image) for axis in (0, 1) for entry in series for image in entry.images])
    _finish(fig, axes, series)
    return fig


def eucentric_figure(series: Sequence[Series]) -> Figure:
    """Eucentric offset z0 over tilt."""
    fig, axes = _panels(1, 4.2)
    _over_tilt(axes[0], series, lambda _, image: image.z0_um)
    axes[0].axhline(0, color=_GREY, lw=0.8, zorder=1)
    axes[0].set_ylabel("eucentric offset z0 (µm)")
    _finish(fig, axes, series)
    return fig


def defocus_figure(series: Sequence[Series]) -> Figure:
    """Defocus over tilt: the true one at the image centre, against the wanted one and minus it."""
    fig, axes = _panels(2, 6.4)
    shades = colours(series)
    _over_tilt(axes[0], series, lambda _, image: image.defocus_um)
    for entry in series:
        if not math.isnan(entry.defocus_um):
            axes[0].axhline(entry.defocus_um, color=shades[entry.number], lw=1, ls=(0, (6, 4)), alpha=0.7)
    axes[0].set_ylabel("true defocus (µm)\nwanted: dashed")
    _over_tilt(axes[1], series, lambda entry, image: image.defocus_um - entry.defocus_um)
    axes[1].axhline(0, color=_GREY, lw=0.8, zorder=1)
    axes[1].axhspan(-GOOD_DEFOCUS_UM, GOOD_DEFOCUS_UM, color="#d9f0e3", zorder=0)
    axes[1].set_ylabel("true minus wanted (µm)")
    _finish(fig, axes, series)
    return fig


def dose_figure(series: Sequence[Series]) -> Figure:
    """Dose of each target inside and outside its series, as stacked bars."""
    fig, axes = _panels(1, 4.2)
    ax = axes[0]
    places = range(len(series))
    bottom = [entry.dose_inside for entry in series]
    ax.bar(places, bottom, color="#33506e", width=0.75, label="its own series")
    shades = ("#d55e00", "#e69f00", "#f0e442", "#cc79a7", "#999999")
    for kind, shade in zip(KINDS, shades):
        heights = [(entry.dose_outside or {}).get(kind, 0.0) for entry in series]
        if any(heights):
            ax.bar(
                places, heights, bottom=bottom, color=shade, width=0.75, label=kind, edgecolor="white", lw=0.5
            )
            bottom = [low + height for low, height in zip(bottom, heights)]
    if len(series) <= MOST_NAMED:
        for place, entry in enumerate(series):
            if entry.dose_outside is not None and entry.dose_inside > 0:
                extra = sum(entry.dose_outside.values()) / entry.dose_inside
                ax.annotate(
                    f"+{extra:.0%}", (place, bottom[place]), (0, 3), textcoords="offset points", ha="center"
                )
        ax.set_xticks(list(places), [str(entry.number) for entry in series])
    if not any(bottom):
        _no_data(ax)
    ax.grid(axis="x", visible=False)
    ax.set_xlim(-0.6, max(len(series), 1) - 0.4)
    ax.set_ylim(0, 1.12 * max([*bottom, 1.0]))
    ax.set_xlabel("target")
    ax.set_ylabel("dose (e/Å²)")
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), title="dose from")
    fig.subplots_adjust(left=0.075, right=0.86, top=0.96, bottom=0.14)
    return fig


def timeline_figure(runlog: RunLog, timeline: Mapping[str, float] | None) -> Figure:
    """Microscope time: the steps of the run in their order, and seconds by activity where known."""
    from matplotlib.figure import Figure

    bars: list[tuple[str, list[tuple[str, float]]]] = [
        ("steps", [(step.name, step.seconds) for step in runlog.steps])
    ]
    if timeline:
        bars.append(("activities", sorted(timeline.items(), key=lambda item: (-item[1], item[0]))))
    height_in = 1.75 * len(bars)
    fig = Figure(figsize=(WIDTH_IN, height_in))
    for place, (title, entries) in enumerate(bars, start=1):
        ax = fig.add_axes((0.085, 1 - (1.75 * place - 1.05) / height_in, 0.9, 0.6 / height_in))
        _time_bar(ax, title, [(name, seconds) for name, seconds in entries if seconds > 0])
    return fig


def _time_bar(ax: Axes, title: str, entries: Sequence[tuple[str, float]]) -> None:
    """Draw one bar of parts laid end to end, with a legend below that names and counts them."""
    names = list(dict.fromkeys(name for name, _ in entries))
    shades = {name: _SHADES[place % len(_SHADES)] for place, name in enumerate(names)}
    total = sum(seconds for _, seconds in entries)
    left = 0.0
    seen: set[str] = set()
    for name, seconds in entries:
        whole = sum(other for label, other in entries if label == name)
        label = "_" if name in seen else f"{_plain(name)}  {duration(whole)}, {whole / total:.0%}"
        seen.add(name)
        ax.barh(0, seconds / 60, left=left / 60, color=shades[name], edgecolor="white", lw=0.8, label=label)
        if seconds > 0.08 * total:
            ax.text((left + seconds / 2) / 60, 0, _plain(name), ha="center", va="center")
        left += seconds
    ax.set_yticks([0], [title])
    ax.xaxis.set_major_formatter(lambda minutes, _: f"{minutes:g} min")
    ax.grid(visible=False)
    ax.set_xlim(0, max(total / 60, 1e-3))
    if entries:
        ax.legend(loc="upper left", bbox_to_anchor=(-0.01, -0.5), ncol=5, fontsize=9.5, handlelength=1.0)
    else:
        _no_data(ax)


def _panels(count: int, height_in: float) -> tuple[Figure, list[Axes]]:
    from matplotlib.figure import Figure

    fig = Figure(figsize=(WIDTH_IN, height_in))
    axes = fig.subplots(count, 1, sharex=True, squeeze=False)
    return fig, list(axes[:, 0])


def _over_tilt(ax: Axes, series: Sequence[Series], value: Value) -> None:
    """Draw a line for each branch of each target, the tracking target thick, black and on top."""
    shades = colours(series)
    for entry in series:
        look: dict[str, Any] = {"lw": 1.2, "ms": 4.0, "marker": _marker(entry), "zorder": 3}
        if entry.tracking:
            look.update(lw=2.6, ms=4.5, zorder=4)
        for branch in entry.branches():
            points = [(image.tilt_deg, value(entry, image)) for image in branch]
            points = [point for point in points if all(map(math.isfinite, point))]
            if points:
                ax.plot(*zip(*points), color=shades[entry.number], **look)
    if not ax.lines:
        _no_data(ax)


def _marker(entry: Series) -> str:
    return "o" if entry.tracking else _MARKERS[entry.number % len(_MARKERS)]


def _limit(axes: Sequence[Axes], values_nm: Iterable[float]) -> None:
    """Give all panels one scale that keeps the good band in sight; logarithmic outside if a target was lost."""
    most = 1.1 * max([1.5 * GOOD_RESIDUAL_NM, *(abs(value) for value in values_nm if math.isfinite(value))])
    for ax in axes:
        if most > 10 * GOOD_RESIDUAL_NM:
            ax.set_yscale("symlog", linthresh=2 * GOOD_RESIDUAL_NM)
            ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        ax.set_ylim(-most, most)


def _finish(fig: Figure, axes: Sequence[Axes], series: Sequence[Series]) -> None:
    """Add the tilt axis and the legend of targets to panels over tilt."""
    from matplotlib.lines import Line2D
    from matplotlib.ticker import MultipleLocator

    tilts = [image.tilt_deg for entry in series for image in entry.images if math.isfinite(image.tilt_deg)]
    if tilts:
        axes[-1].set_xlim(min(tilts) - 2, max(tilts) + 2)
        if 40 <= max(tilts) - min(tilts) <= 200:
            axes[-1].xaxis.set_major_locator(MultipleLocator(10))
    axes[-1].set_xlabel("tilt (°)")
    shades = colours(series)
    shown = series if len(series) <= MOST_NAMED else [*series[:2], series[len(series) // 2], series[-1]]
    handles = []
    for entry in shown:
        label = f"{entry.number} tracking" if entry.tracking else str(entry.number)
        width = 2.6 if entry.tracking else 1.2
        handles.append(
            Line2D([], [], color=shades[entry.number], lw=width, marker=_marker(entry), label=label)
        )
    if handles:
        axes[0].legend(handles=handles, title="target", loc="upper left", bbox_to_anchor=(1.0, 1.02))
    fig.subplots_adjust(left=0.085, right=0.88, top=0.95, bottom=0.09 if len(axes) > 1 else 0.13, hspace=0.1)
    fig.align_ylabels(list(axes))


def _no_data(ax: Axes) -> None:
    ax.text(0.5, 0.5, "no data", transform=ax.transAxes, ha="center", va="center", color=_GREY)


def _plain(text: str) -> str:
    """Return a label that matplotlib neither takes for a formula nor lacks the letters of."""
    return text.encode("ascii", "replace").decode("ascii").replace("$", r"\$").replace("_", " ")
