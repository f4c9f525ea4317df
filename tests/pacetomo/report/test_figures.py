from __future__ import annotations

import math
import re

import pytest

from pacetomo.report import figures
from pacetomo.report.records import RunLog, Step, read_journal
from pacetomo.report.series import join
from pacetomo.report.truth import read_truth


def drawn(draw):
    """Draw to the end, and return the figure for a look at what is in it."""
    kept = []

    def keep():
        kept.append(draw())
        return kept[0]

    assert figures.png(keep).startswith(b"\x89PNG")
    return kept[0]


@pytest.fixture
def series(make_run):
    run = make_run(targets=3, reach=2, size=None)
    return join(read_journal(run.journal), read_truth(run.truth))


def points(ax):
    """(tilt, value) of all markers."""
    return {
        (round(float(x), 6), round(float(y), 6))
        for line in ax.lines
        if line.get_marker() not in ("None", None)
        for x, y in zip(line.get_xdata(), line.get_ydata())
    }


def test_residuals_x_above_y(series):
    above, below = drawn(lambda: figures.residual_figure(series)).axes
    images = [image for entry in series for image in entry.images]
    assert points(above) == {(image.tilt_deg, round(image.true_nm.x, 6)) for image in images}
    assert points(below) == {(image.tilt_deg, round(image.true_nm.y, 6)) for image in images}
    assert "true" in above.get_ylabel()
    assert above.get_ylim() == below.get_ylim()


def test_a_lost_target_stays_in_the_picture(make_run):
    run = make_run(targets=2, reach=1, size=None)
    text = re.sub(
        r'"residual_y_um": [-.e0-9]+', '"residual_y_um": -9.0', run.truth.read_text(encoding="utf-8")
    )
    run.truth.write_text(text, encoding="utf-8")
    fig = drawn(lambda: figures.residual_figure(join(read_journal(run.journal), read_truth(run.truth))))
    assert fig.axes[1].get_yscale() == "symlog"
    assert min(y for _, y in points(fig.axes[1])) == -9000.0 > fig.axes[1].get_ylim()[0]


def test_measured_residuals_without_truth(make_run):
    series = join(read_journal(make_run(targets=2, reach=1, size=None).journal), None)
    above, below = drawn(lambda: figures.residual_figure(series)).axes
    assert "measured" in above.get_ylabel()
    assert points(below) == {
        (i.tilt_deg, round(i.measured_nm.y, 6)) for entry in series for i in entry.images
    }


def test_eucentric_offset_and_defocus(series):
    (z0,) = drawn(lambda: figures.eucentric_figure(series)).axes
    assert points(z0) == {
        (image.tilt_deg, round(image.z0_um, 6)) for entry in series for image in entry.images
    }
    true, error = drawn(lambda: figures.defocus_figure(series)).axes
    assert points(true) == {
        (image.tilt_deg, round(image.defocus_um, 6)) for entry in series for image in entry.images
    }
    assert points(error) == {(tilt, round(defocus + 4.0, 6)) for tilt, defocus in points(true)}


def test_dose_bars_add_up(series):
    (ax,) = drawn(lambda: figures.dose_figure(series)).axes
    for place, entry in enumerate(series):
        bars = [bar for bar in ax.patches if abs(bar.get_x() + bar.get_width() / 2 - place) < 0.1]
        assert bars[0].get_height() == pytest.approx(entry.dose_inside)
        assert max(bar.get_y() + bar.get_height() for bar in bars) == pytest.approx(
            entry.dose_inside + sum(entry.dose_outside.values())
        )


def test_timeline_bars_show_the_seconds():
    log = RunLog(
        steps=(Step("move", "", 0, 60.0), Step("acquire", "", 60, 540.0), Step("move", "", 600, 0.0))
    )
    fig = drawn(
        lambda: figures.timeline_figure(log, {"tilt": 30.0, "expose_$x$": 90.0, "π": 6.0, "idle": 0.0})
    )
    steps, activities = fig.axes
    assert [bar.get_width() for bar in steps.patches] == [1.0, 9.0]
    assert [bar.get_width() for bar in activities.patches] == pytest.approx([1.5, 0.5, 0.1])
    assert steps.get_xlim()[1] == 10.0
    assert len(drawn(lambda: figures.timeline_figure(log, None)).axes) == 1


def test_colours_tell_targets_apart(make_run):
    series = join(read_journal(make_run(targets=12, reach=1, size=None).journal), None)
    kept = {}

    def draw():
        kept.update(figures.colours(series))
        return figures.eucentric_figure(series)

    drawn(draw)
    assert kept[1] == (0.0, 0.0, 0.0, 1.0)
    assert min(math.dist(kept[a], kept[b]) for a in kept for b in kept if a < b) > 0.04


def test_figures_without_data_say_so():
    for draw in (
        figures.residual_figure,
        figures.eucentric_figure,
        figures.defocus_figure,
        figures.dose_figure,
    ):
        for ax in drawn(lambda draw=draw: draw(())).axes:
            assert [text.get_text() for text in ax.texts] == ["no data"]
    (ax,) = drawn(lambda: figures.timeline_figure(RunLog(), None)).axes
    assert ax.texts[0].get_text() == "no data"


def test_many_targets_get_a_short_legend(make_run):
    series = join(read_journal(make_run(targets=30, reach=1, size=None).journal), None)
    fig = drawn(lambda: figures.eucentric_figure(series))
    names = [text.get_text() for text in fig.axes[0].get_legend().get_texts()]
    assert names == ["1 tracking", "2", "16", "30"]
