from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from pacetomo.frames import XY
from pacetomo.report import figures
from pacetomo.report.predicted import MOST_ROWS, NOT_BELIEVED, calibration, measured, predicted_figure
from pacetomo.report.records import read_journal
from pacetomo.report.series import join


@pytest.fixture
def series(make_run):
    return join(read_journal(make_run(targets=3, reach=4, size=None, predicts=True).journal), None)


def changed(series, number, section, **values):
    """The same series, one image of one of them other than it was."""
    return tuple(
        replace(
            entry,
            images=tuple(
                replace(image, **values) if (entry.number, image.section) == (number, section) else image
                for image in entry.images
            ),
        )
        for entry in series
    )


def drawn(series):
    kept = []

    def keep():
        kept.append(predicted_figure(series))
        return kept[0]

    assert figures.png(keep).startswith(b"\x89PNG")
    return kept[0]


def dots(ax, marker="o"):
    return [
        (line.get_xdata()[0], line.get_ydata()[0], line.get_markerfacecolor())
        for line in ax.lines
        if line.get_marker() == marker
    ]


def test_calibration_counts_what_lies_within_two_sigma(series):
    on_the_edge = changed(
        series, 2, 1, measured_nm=XY(27.9, -3.0), expected_nm=XY(2.0, -3.0), sigma_nm=XY(13.0, 13.0)
    )
    outside = changed(
        series, 2, 1, measured_nm=XY(28.1, -3.0), expected_nm=XY(2.0, -3.0), sigma_nm=XY(13.0, 13.0)
    )
    counts = []
    for each in (on_the_edge, outside):
        columns = [measured(entry) for entry in each]
        residuals = [one for x, y, _ in columns for one in (*x, *y)]
        assert len(residuals) == 3 * 8 * 2  # start images are left out
        counts.append(sum(one.is_within for one in residuals))
        assert calibration(each)[0].startswith(f"{counts[-1] / 48:.0%} of 48 measured residuals")
    assert counts[0] == counts[1] + 1


def test_false_peaks_are_counted_by_themselves(series):
    lost = changed(series, 3, 2, measured_nm=XY(400.0, 0.0), believed=False)
    assert "of 46 measured residuals" in calibration(lost)[0]
    assert "one alignment not believed" in calibration(lost)[0]
    assert "none not believed" in calibration(series)[0]


def test_journals_without_expectations_have_no_calibration(make_run):
    older = join(read_journal(make_run(targets=2, reach=2, size=None).journal), None)
    assert calibration(older) == []
    assert drawn(older).axes == []


def test_each_value_is_a_dot_over_its_band(series):
    fig = drawn(series)
    assert len(fig.axes) == 3 * 3
    for row, entry in enumerate(series):
        for column, values in enumerate(measured(entry)):
            ax = fig.axes[3 * row + column]
            inside = [one for one in values if abs(one.value) <= ax.get_ylim()[1]]
            shown = {(round(tilt, 6), round(value, 6)) for tilt, value, _ in dots(ax)}
            assert shown == {(round(one.tilt_deg, 6), round(one.value, 6)) for one in inside}
            bands = list(ax.collections)
            assert len(bands) == 2  # a branch each
            edges = np.concatenate([path.vertices for band in bands for path in band.get_paths()])
            for one in values:
                there = edges[np.isclose(edges[:, 0], one.tilt_deg), 1]
                assert there.max() == pytest.approx(one.expected + 2 * one.sigma)
                assert there.min() == pytest.approx(one.expected - 2 * one.sigma)


def test_what_is_not_believed_has_a_shape_and_colour_of_its_own(series):
    lost = changed(series, 3, 2, measured_nm=XY(-900.0, 5.0), believed=False)
    fig = drawn(lost)
    x, y = fig.axes[6], fig.axes[7]
    ((tilt, value, colour),) = dots(x, "X")
    assert colour == NOT_BELIEVED and x.get_ylim()[0] < value < 0 and value < 0.9 * x.get_ylim()[0]
    assert [value for _, value, _ in dots(y, "X")] == [5.0]
    assert tilt == next(image.tilt_deg for image in lost[2].images if image.section == 2)
    assert all(not dots(ax, "X") for ax in fig.axes[:6])


def test_one_stray_value_does_not_hide_the_others(make_run):
    run = make_run(targets=2, reach=20, size=None, predicts=True)
    wild = changed(join(read_journal(run.journal), None), 2, 8, measured_nm=XY(5000.0, -5000.0))
    x, y = drawn(wild).axes[3:5]
    assert x.get_ylim()[1] < 200 and len(dots(x, "^")) == len(dots(y, "v")) == 1
    assert 0 < dots(x, "^")[0][1] < x.get_ylim()[1] and y.get_ylim()[0] < dots(y, "v")[0][1] < 0


def test_without_fits_there_are_two_columns(series):
    bare = tuple(
        replace(entry, images=tuple(replace(image, fitted_um=math.nan) for image in entry.images))
        for entry in series
    )
    assert len(drawn(bare).axes) == 2 * 3
    assert len(calibration(bare)) == 1 and len(calibration(series)) == 2


def test_of_many_targets_the_worst_are_shown_with_the_tracking_target(make_run):
    many = join(read_journal(make_run(targets=20, reach=2, size=None, predicts=True).journal), None)
    many = changed(many, 17, 1, measured_nm=XY(700.0, 0.0))
    fig = drawn(many)
    names = {text.get_text().split()[0] for text in fig.texts}
    assert len(names) == MOST_ROWS and {"1", "17"} <= names
    assert len(fig.axes) == 3 * MOST_ROWS
