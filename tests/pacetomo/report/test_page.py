from __future__ import annotations

import dataclasses
import html.parser
import re

import pytest

from pacetomo.errors import PaceError
from pacetomo.report import read_journal, read_truth, write_report
from pacetomo.report.page_style import CAPTIONS
from pacetomo.report.records import Note, NotedFinding, RunEnd, RunLog, Setting
from pacetomo.report.truth import TruthLog


class Outline(html.parser.HTMLParser):
    """Checks that tags close in order, and collects what the page holds."""

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.images, self.text, self.tags = [], [], [], [], set()

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.tags.add(tag)
        if tag == "section":
            self.ids.append(values["id"])
        if tag == "img":
            self.images.append(values["src"])
        elif tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text.append(data)


def outline(path):
    page = Outline()
    page.feed(path.read_text(encoding="utf-8"))
    page.close()
    assert page.open == []
    return page


def report_of(run, out, **changes):
    log = dataclasses.replace(read_journal(run.journal), **changes)
    return write_report(out, log, read_truth(run.truth), run.stacks, run.timeline)


def test_the_page_holds_every_figure_and_needs_nothing_else(make_run, tmp_path):
    run = make_run(targets=2, reach=2)
    path = report_of(run, tmp_path / "out")
    assert path == tmp_path / "out" / "report.html"
    page = outline(path)
    assert page.ids == [
        "findings", "summary", "sample", "residual", "predicted", "eucentric", "defocus", "timeline", "dose",
        "contact", "notes", "settings",
    ]  # fmt: skip
    assert set(page.ids) == set(CAPTIONS)
    assert len(page.images) == 6 + 2 * 3
    assert all(source.startswith("data:image/png;base64,") for source in page.images)
    source = path.read_text(encoding="utf-8")
    assert "http" not in source and not page.tags & {"script", "link", "iframe"}
    assert not re.search(r"url\(|@import", source)


def test_the_page_says_what_a_microscopist_asks_first(make_run, tmp_path):
    text = " ".join(outline(report_of(make_run(targets=2, reach=2), tmp_path)).text)
    for fact in (
        "lam",
        "finished",
        "15-Jan-2026 09:12:44",
        "pacetomo 0.1.0",
        "10 / 10",
        "lam_ts_002.mrc",
        "5/5",
    ):
        assert fact in text
    assert "startTilt" in text and "target file" in text


def test_the_same_input_gives_the_same_bytes(make_run, tmp_path):
    run = make_run(targets=2, reach=1)
    first = report_of(run, tmp_path / "a.html").read_bytes()
    assert report_of(run, tmp_path / "b.html").read_bytes() == first


def test_an_earlier_report_is_kept(make_run, tmp_path):
    run = make_run(targets=1, reach=1, size=None)
    out = tmp_path / "mine.html"
    out.write_text("older", encoding="utf-8")
    assert report_of(run, out) == out
    kept = [path for path in tmp_path.glob("mine.html*") if path != out]
    assert [path.read_text(encoding="utf-8") for path in kept] == ["older"]


def test_everything_foreign_is_escaped(make_run, tmp_path):
    run = make_run(targets=2, reach=1, size=None)
    evil = '<script>alert("1")</script>&amp;'
    log = read_journal(run.journal)
    targets = tuple(dataclasses.replace(target, series=evil) for target in log.targets)
    path = report_of(
        run, tmp_path, area=evil, version=evil, target_file=evil, targets=targets, end=RunEnd(evil, evil),
        findings=(NotedFinding(1.0, evil, 1.0, 1.0, evil, evil, evil),),
        notes=(Note("skip", 1.0, evil, 1, 3.0), Note(evil, 1.0, evil, None, 3.0)),
        settings=(Setting(evil, evil, evil), Setting("a", [evil], evil)),
        steps=tuple(dataclasses.replace(step, name=evil) for step in log.steps),
    )  # fmt: skip
    assert "script" not in outline(path).tags
    assert "<script" not in path.read_text(encoding="utf-8")
    assert "".join(outline(path).text).count(evil) > 10


@pytest.mark.parametrize("truth", [None, TruthLog()])
def test_an_empty_run_gives_a_page(tmp_path, truth):
    page = outline(write_report(tmp_path, RunLog(), truth, tmp_path / "nowhere", None))
    assert set(page.ids) == set(CAPTIONS) and len(page.images) == 6
    assert "unfinished" in " ".join(page.text)


@pytest.mark.parametrize("stops", [0, 1, 3])
def test_a_run_stopped_early_gives_a_page(make_run, tmp_path, stops):
    run = make_run(targets=3, reach=2, stops=stops)
    log = read_journal(run.journal)
    for truth in (None, read_truth(run.truth)):
        page = outline(write_report(tmp_path, log, truth, run.stacks, None))
        assert f"{3 * stops} / 15" in page.text
        assert set(page.ids) == set(CAPTIONS)


def test_a_journal_cut_anywhere_gives_a_page(make_run, tmp_path):
    run = make_run(targets=2, reach=1, size=None)
    content = run.journal.read_bytes()
    for part in (0.2, 0.55, 0.9):
        run.journal.write_bytes(content[: int(part * len(content))])
        assert "unfinished" in outline(report_of(run, tmp_path / "cut.html")).text


def test_frames_without_content_are_noted(make_run, tmp_path):
    page = outline(report_of(make_run(targets=2, reach=1, size=(32, 32)), tmp_path))
    assert len(page.images) == 6
    assert "kinematic" in " ".join(page.text)


def test_values_far_from_good_are_marked(make_run, tmp_path):
    run = make_run(targets=2, reach=2, size=None)
    assert '<td class="poor">' not in report_of(run, tmp_path / "good.html").read_text(encoding="utf-8")
    text = re.sub(
        r'"residual_x_um": [-.e0-9]+', '"residual_x_um": 9.0', run.truth.read_text(encoding="utf-8")
    )
    run.truth.write_text(text, encoding="utf-8")
    assert '<td class="poor">' in report_of(run, tmp_path / "bad.html").read_text(encoding="utf-8")


def test_a_place_that_cannot_be_written_is_named(make_run, tmp_path):
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    with pytest.raises(PaceError, match="report"):
        report_of(make_run(targets=1, reach=1, size=None), tmp_path / "file" / "report.html")


FOUND = NotedFinding(5.0, "axis", 0.6, 0.1, "µm", "the axis is <elsewhere>", "add +0.60 µm")


def test_findings_are_told_with_cause_and_cure(make_run, tmp_path):
    run = make_run(targets=2, reach=1, size=None)
    path = report_of(run, tmp_path, findings=(FOUND,))
    text = " ".join(outline(path).text)
    assert "The axis is <elsewhere>" in text and "Add +0.60 µm" in text
    assert "<elsewhere>" not in path.read_text(encoding="utf-8")


def test_predictions_are_drawn_where_the_journal_has_them(make_run, tmp_path):
    page = outline(report_of(make_run(targets=2, reach=2, predicts=True), tmp_path))
    assert len(page.images) == 7 + 2 * 3
    assert any("of 16 measured residuals lie within 2 sigma" in text for text in page.text)


def test_an_older_journal_says_that_it_has_none(make_run, tmp_path):
    page = outline(report_of(make_run(targets=2, reach=2), tmp_path))
    assert "The journal does not tell what was expected." in page.text
