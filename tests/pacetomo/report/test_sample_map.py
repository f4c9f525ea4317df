from __future__ import annotations

import dataclasses

import pytest

from pacetomo.frames import XY
from pacetomo.report import figures
from pacetomo.report.records import RunLog, read_journal
from pacetomo.report.sample_map import places, sample_figure
from pacetomo.report.series import join
from pacetomo.report.truth import read_truth


def drawn(series, log, truth):
    kept = []

    def keep():
        kept.append(sample_figure(series, log, truth))
        return kept[0]

    assert figures.png(keep).startswith(b"\x89PNG")
    return kept[0]


@pytest.fixture
def run(make_run):
    run = make_run(targets=3, reach=10, size=None)
    return read_journal(run.journal), read_truth(run.truth)


def test_places_are_where_targets_were_imaged(run):
    log, truth = run
    found = places(join(log, truth))
    assert found[1] == XY(0.0, 0.0)
    for target in log.targets[1:]:
        assert found[target.number].minus(target.shift_um.minus(log.targets[0].shift_um)).length < 0.06
        assert found[target.number] != target.shift_um


def test_targets_never_imaged_keep_their_planned_place(run):
    log, truth = run
    truth = dataclasses.replace(truth, saved=tuple(s for s in truth.saved if "003" not in s.file))
    log = dataclasses.replace(log, images=tuple(image for image in log.images if image.target != 3))
    found = places(join(log, truth))
    assert found[3] == log.targets[2].shift_um.minus(log.targets[0].shift_um)
    assert len(drawn(join(log, truth), log, truth).axes) == 2


def test_beams_are_round_at_zero_and_stretched_across_the_axis_when_tilted(run):
    log, truth = run
    above = drawn(join(log, truth), log, truth).axes[0]
    shapes = [
        (patch.get_width(), patch.get_height()) for patch in above.patches if hasattr(patch, "get_angle")
    ]
    assert (1.6, 1.6) in shapes
    # The largest tilt is 10 + 10 * 3 = 40 degrees: 1.6 / cos 40 = 2.0887.
    assert any(width == 1.6 and height == pytest.approx(2.0887, abs=1e-4) for width, height in shapes)
    assert "beam at tilt 40°" in [text.get_text() for text in above.get_legend().get_texts()]


def test_heights_stand_beside_the_assumed_plane(run):
    log, truth = run
    side = drawn(join(log, truth), log, truth).axes[1]
    *dots, plane = side.lines
    slope = (plane.get_ydata()[1] - plane.get_ydata()[0]) / (plane.get_xdata()[1] - plane.get_xdata()[0])
    assert slope == pytest.approx(0.17633, abs=1e-5)
    for dot in dots:
        assert dot.get_ydata()[0] == pytest.approx(slope * dot.get_xdata()[0], abs=0.15)


def test_a_rotated_slope_falls_along_the_axis(run):
    # Height is tan(pretilt) * (cos(rotation) * y - sin(rotation) * x): at 90 degrees it rises towards -x.
    log, truth = run
    log = dataclasses.replace(log, rotation_deg=90.0)
    series = join(log, truth)
    *dots, _ = drawn(series, log, truth).axes[1].lines
    x_um = [entry.sample_um[0] - series[0].sample_um[0] for entry in series]
    assert [dot.get_xdata()[0] for dot in dots] == pytest.approx([-x for x in x_um])


def test_missing_data(run):
    log, truth = run
    assert len(drawn(join(log, None), log, None).axes) == 1
    assert drawn((), RunLog(), None).axes[0].texts[0].get_text() == "no data"
    assert drawn(join(RunLog(), truth), RunLog(), truth).axes[0].texts[0].get_text() == "no data"
