"""Whatever a file says, it is refused in a sentence, or opened and shown."""

import tempfile
from pathlib import Path

import pytest
from editing import FILE
from hypothesis import example, given
from hypothesis import strategies as st
from strategies import target_file_texts, target_sets

from pacetomo.editor import adding, drawing, edits, plan_panel, rows, saving, settings_panel
from pacetomo.errors import PaceError, TargetFileError
from pacetomo.files.target_file import format_targets, write_targets
from pacetomo.frames import XY

EXTREMES = st.sampled_from(
    [
        "_set tiltTargets = 80",
        "_set tiltTargets = 90",
        "_set tiltTargets = nan",
        "_set pretilt = 80",
        "_set pretilt = -80\n_set rotation = 90",
        "_set minTilt = 70",
        "_set step = 0",
        "_set step = 60",
        "_set imageShiftLimit = x",
        "_set tgtMntSize = 15 15\n_bset tgtMontage = yes",
        "_bset tgtPattern = yes\n_set size = 3\n_set vecA0 = 1\n_set vecA1 = 0\n_set vecB0 = 0\n_set vecB1 = 1",
        "_set vecA0 = 1",
        "_set totalDose = 1e9",
        "_bset autoStartTilt = yes",
        "",
    ]
)


BARE = FILE[FILE.index("_tgt = 001") :]


def show(document):
    """Do all that a window does to show a document; what it may refuse it refuses as a `PaceError`."""
    shown = rows.rows_of(document)
    for column in rows.COLUMNS:
        rows.sorted_rows(shown, column)
    rows.filtered(shown, "ssx>0 ts")
    settings_panel.panel_rows(document)
    plan_panel.summarise(document).describe()
    found = plan_panel.findings(document)
    drawing.bounds_of(document)
    drawing.limit_circle(document)
    drawing.hit(document, XY(0.0, 0.0), 0.1)
    try:
        drawing.footprints(document, drawing.steepest_deg(document))
        drawing.shaded_overlaps(document, drawing.steepest_deg(document), found.overlaps)
    except PaceError as err:
        assert "edge-on" in str(err)


def change(document):
    """Do some of each kind of edit; what cannot be done is refused as a `PaceError`."""
    last = document.numbers[-1]
    for edit in (
        lambda: edits.move(document, {last: XY(1.0, 2.0)}, confirmed=True),
        lambda: edits.make_track(document, last),
        lambda: edits.delete(document, document.numbers[:1]),
        lambda: adding.add_at(document, [XY(0.3, 0.4)]),
        lambda: edits.add_point(document, XY(0.3, 0.4)),
        lambda: edits.toggle_skip(document, [last]),
        lambda: settings_panel.set_setting(document, "step", "2"),
    ):
        try:
            format_targets(edit().targets)
        except PaceError as err:
            assert str(err)


@given(target_file_texts, st.lists(EXTREMES, max_size=3, unique=True).map("\n".join))
def test_any_text_is_refused_or_shown_and_edited(text, extremes):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "L3_tgts.txt"
        path.write_bytes(f"{extremes}\n{text}".encode(errors="replace"))
        try:
            document = saving.open_document(path).history.present
        except TargetFileError as err:
            assert str(path) in str(err)
            return
        show(document)
        change(document)


@example("_set pretilt = 80\n_set tiltTargets = 80")
@given(st.lists(EXTREMES, max_size=4, unique=True).map("\n".join))
def test_odd_settings_are_shown_with_what_is_wrong_and_edited(extremes):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "L3_tgts.txt"
        path.write_text(f"{extremes}\n{BARE}")
        try:
            document = saving.open_document(path).history.present
        except TargetFileError as err:
            assert "already has another value" in str(err)
            return
        show(document)
        change(document)


@given(target_sets())
def test_any_targets_are_refused_or_shown_and_edited(targets):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "L3_tgts.txt"
        write_targets(path, targets)
        try:
            document = saving.open_document(path).history.present
        except TargetFileError as err:
            assert "coordinates" in str(err)
            return
        show(document)
        change(document)


@pytest.mark.parametrize("line", ["stageX = -213.402", "SSX = 2.4103", "SSX = 1.2"])
def test_coordinates_that_no_stage_reaches_are_refused(line, tmp_path):
    path = tmp_path / "L3_tgts.txt"
    path.write_text(FILE.replace(line, f"{line.split()[0]} = 1e300"))
    with pytest.raises(
        TargetFileError, match=r"(target|geometry point) \d lies at \(1e\+300, .* farther than any stage"
    ):
        saving.open_document(path)


@pytest.mark.parametrize("name", ["x" * 300 + ".mrc", "a b/c\\d.mrc", "ä" * 90 + ".mrc", "no_ending"])
def test_names_that_no_file_system_takes_are_shown_and_named_as_a_problem(name, tmp_path):
    path = tmp_path / "L3_tgts.txt"
    path.write_text(FILE.replace("L3_ts_003.mrc", name), encoding="utf-8")
    document = saving.open_document(path).history.present
    show(document)
    if name.startswith("ä"):
        assert plan_panel.summarise(document).missing is None
    else:
        assert "target 3 would write" in plan_panel.summarise(document).missing
