from dataclasses import replace

import pytest
from editing import FILE, document

from pacetomo.editor.model import EditError, Known, Lock
from pacetomo.editor.settings_panel import (
    GROUPS,
    check,
    clear_setting,
    odd_overrides,
    panel_rows,
    set_setting,
    text_of,
)
from pacetomo.files.target_file import format_targets, parse_targets
from pacetomo.scope.protocol import Missing
from pacetomo.settings import SettingsLayer, parse_setting_text
from pacetomo.settings_table import SETTING_ROWS

FACILITY = SettingsLayer("facility krios.toml", {"maxTilt": 54, "addAF": True, "watchdogFactor": 2.0})
AREA = replace(document(parse_targets(FILE)), known=Known(layers=(FACILITY,)))


def row(document, name):
    return next(row for row in panel_rows(document) if row.name == name)


def changed_lines(before, after):
    old, new = (format_targets(d.targets).splitlines() for d in (before, after))
    return sorted(set(new) - set(old)), sorted(set(old) - set(new))


def test_every_setting_has_a_row_in_its_group():
    rows = panel_rows(AREA)
    assert [r.name for r in rows] == list(SETTING_ROWS)
    assert all(r.group and r.help and r.allowed for r in rows)
    first = {}
    for r in rows:
        first.setdefault(r.group, r.name)
    assert {name: group for group, name in first.items()} == GROUPS


def test_a_row_says_where_its_value_comes_from():
    start, highest, lowest = row(AREA, "startTilt"), row(AREA, "maxTilt"), row(AREA, "minTilt")
    assert (start.value, start.origin, start.is_override) == ("9.0", "target file L3_tgts.txt", True)
    assert (start.default, start.inherited, start.unit) == ("0.0", "0.0", "deg")
    assert (highest.value, highest.origin, highest.inherited) == ("54.0", "facility krios.toml", "54.0")
    assert (lowest.value, lowest.origin, lowest.is_override) == ("-60.0", "default", False)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("addAF", "bool"),
        ("scheme", "choice"),
        ("step", "number"),
        ("stageProfile", "text"),
        ("tgtMntSize", "text"),
    ],
)
def test_how_a_setting_is_entered(name, kind):
    assert row(AREA, name).kind == kind


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("step", "three", "step is 'three', a number in deg is needed"),
        ("step", "90", "step is 90, 0.01 to 60 deg is allowed"),
        ("step", "", "a number in deg is needed"),
        ("groupSize", "2.5", "whole number"),
        ("scheme", "spiral", "dose-symmetric or"),
        ("addAF", "perhaps", "True or False"),
        ("tgtMntSize", "3", None),
        (
            "minTilt",
            "60",
            "minTilt must be below maxTilt: minTilt 60 (typed), maxTilt 54 (facility krios.toml)",
        ),
        ("maxTilt", "6", "startTilt must lie between"),
        ("tgtMntSize", "2 2", "odd"),
    ],
)
def test_what_is_typed_is_judged_at_once(name, text, reason):
    found = check(AREA, name, text)
    if reason is None:
        assert not isinstance(found, Missing)
    else:
        assert isinstance(found, Missing)
        assert reason in found.reason
        assert not found.reason.startswith("typed")
        with pytest.raises(EditError):
            set_setting(AREA, name, text)


def test_a_wrong_value_in_the_file_is_shown_with_what_is_wrong_and_keeps_no_other_from_being_judged():
    wrong = document(parse_targets("_set step = x\n" + FILE))
    shown = row(wrong, "step")
    assert (shown.value, shown.problem) == ("x", "step is 'x', a number in deg is needed")
    assert check(wrong, "minTilt", "-42") == -42.0
    assert row(wrong, "minTilt").problem is None
    assert row(set_setting(wrong, "step", "2"), "step").problem is None


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("minTilt", "-42", "_set minTilt = -42.0"),
        ("addAF", "no", "_bset addAF = False"),
        ("scheme", "bidirectional", "_set scheme = bidirectional"),
        ("tgtMntSize", "3,5", "_set tgtMntSize = 3 5"),
        ("groupSize", "4", "_set groupSize = 4"),
        ("trackTwice", "yes", "_set trackTwice = always"),
    ],
)
def test_only_what_differs_is_written_and_read_back_as_the_same(name, text, line):
    changed = set_setting(AREA, name, text)
    assert changed_lines(AREA, changed) == ([line], [])
    again = replace(AREA, targets=parse_targets(format_targets(changed.targets)))
    assert row(again, name) == row(changed, name)
    assert row(changed, name).is_override
    assert clear_setting(changed, name).targets == AREA.targets


def test_a_value_that_holds_anyway_is_not_written():
    assert set_setting(AREA, "maxTilt", "54").targets == AREA.targets
    assert changed_lines(AREA, set_setting(AREA, "startTilt", "0")) == ([], ["_set startTilt = 9"])


def test_settings_that_mean_nothing_in_a_target_file_are_locked():
    assert "no effect in a target file" in row(AREA, "watchdogCommand").locked
    with pytest.raises(EditError, match="watchdogCommand cannot be changed"):
        set_setting(AREA, "watchdogCommand", "mail")


def test_a_run_that_has_begun_leaves_some_settings_free():
    begun = replace(AREA, lock=Lock("a run has begun", frozenset({"minTilt"}), "the run has begun with it"))
    assert set_setting(begun, "minTilt", "-30").settings.minTilt == -30.0
    for change in (lambda: set_setting(begun, "step", "2"), lambda: clear_setting(begun, "startTilt")):
        with pytest.raises(EditError, match="the run has begun with it"):
            change()


def test_names_that_are_no_settings_are_listed_and_can_be_taken_out():
    odd = document(parse_targets("_set size = 3\n_set foo = bar\n" + FILE))
    assert odd_overrides(odd) == ["size", "foo"]
    assert odd_overrides(clear_setting(odd, "foo")) == ["size"]


@pytest.mark.parametrize("name", list(SETTING_ROWS))
def test_every_default_reads_back_from_its_text(name):
    assert parse_setting_text(name, text_of(SETTING_ROWS[name].default)) == SETTING_ROWS[name].default
