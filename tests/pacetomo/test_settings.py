from __future__ import annotations

import re
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacetomo.errors import SettingsError
from pacetomo.settings import (
    SCRIPT_ORIGIN,
    Settings,
    SettingsLayer,
    describe_settings,
    format_settings,
    parse_assignment,
    parse_setting_text,
    read_settings_toml,
    resolve_settings,
)
from pacetomo.settings_table import SELECTION_NAMES


def script(**values):
    return SettingsLayer(SCRIPT_ORIGIN, values)


def target_file(**values):
    lines = {name: number for number, name in enumerate(values, start=2)}
    return SettingsLayer("target file L3_tgts.txt", values, lenient=True, lines=lines)


def refusal(*layers):
    with pytest.raises(SettingsError) as caught:
        resolve_settings(*layers)
    return str(caught.value)


PUBLISHED_DEFAULTS = {
    "startTilt": 0.0,
    "minTilt": -60.0,
    "maxTilt": 60.0,
    "step": 3.0,
    "groupSize": 2,
    "scheme": "dose-symmetric",
    "tiltTargets": 0.0,
    "minDefocus": -5.0,
    "maxDefocus": -5.0,
    "stepDefocus": 0.5,
    "zeroDefocus": 0.0,
    "focusSlope": 0.0,
    "delayIS": 0.3,
    "delayTilt": 0.3,
    "zeroExpTime": 0.0,
    "pretilt": 0.0,
    "rotation": 0.0,
    "beamTiltComp": True,
    "previewAli": True,
    "viewAli": False,
    "addAF": False,
    "imageShiftLimit": 20.0,
    "dataPoints": 4,
    "alignLimit": 0.5,
    "alignImages": 3,
    "minCounts": 0.0,
    "ignoreNegStart": True,
    "taOffsetPos": 0.0,
    "taOffsetNeg": 0.0,
    "autoStartTilt": False,
    "slowTilt": False,
    "trackExpTime": 0.0,
    "trackDefocus": 0.0,
    "trackMag": 0.0,
    "trackTwice": "auto",
    "trackUseTrial": False,
    "measureGeo": False,
    "tgtPattern": False,
    "alignToP": False,
    "refineVec": False,
    "refineGeo": False,
    "fitLimit": 30.0,
    "parabolTh": 9,
    "realignToItem": False,
    "refFromPreview": False,
    "noZeroRecAli": False,
    "sortByTilt": True,
    "binFinalStack": 1,
    "delFinalStack": False,
    "doCtfFind": False,
    "doCtfPlotter": True,
    "extendedMdoc": True,
    "checkDewar": True,
    "cryoARM": False,
    "coldFEG": False,
    "flashInterval": -1.0,
    "slitInterval": 0.0,
    "tgtMontage": False,
    "tgtMntSize": (1, 1),
    "tgtMntOverlap": 0.05,
    "tgtMntXOffset": 0.0,
    "tgtMntFocusCor": False,
    "tgtTrackMnt": False,
    "debug": False,
}


@pytest.mark.parametrize(
    ("value", "size"),
    [([3, 5], (3, 5)), ((1, 3), (1, 3)), (3, (3, 3)), (np.int64(5), (5, 5)), ([3.0, 1], (3, 1))],
)
def test_a_pair_is_two_whole_numbers_or_one_for_both(value, size):
    assert resolve_settings(script(tgtMntSize=value)).settings.tgtMntSize == size


@pytest.mark.parametrize("text", ["3,5", "3 5", "[3, 5]", "(3,5)"])
def test_a_pair_in_a_target_file_is_two_numbers_in_a_line(text):
    assert parse_setting_text("tgtMntSize", text) == (3, 5)


@pytest.mark.parametrize("value", [[3, 4], 2, [3], [3, 5, 7], "x", [3, 2.5], [17, 3], [-1, 3], True])
def test_what_is_no_pair_of_odd_numbers_is_refused(value):
    assert "tgtMntSize" in refusal(script(tgtMntSize=value))


def test_defaults_are_the_published_ones_in_value_and_type():
    values = resolve_settings().values()
    for name, default in PUBLISHED_DEFAULTS.items():
        assert (name, values[name], type(values[name])) == (name, default, type(default))


def test_every_setting_explains_itself():
    for row in describe_settings():
        assert row.help and row.help[0].islower() and not row.help.endswith("."), row.name
        if row.kind in (int, float):
            assert row.low is not None and row.high is not None and row.low <= row.default <= row.high, (
                row.name
            )
        if row.kind is str:
            assert row.choices is None or row.default in row.choices, row.name
        assert row.allowed, row.name
    assert [row.name for row in describe_settings()] == [item.name for item in fields(Settings)]


def test_names_of_target_selection_are_no_settings():
    names = {row.name for row in describe_settings()}
    assert not names & SELECTION_NAMES


def test_later_layers_win_and_origins_tell_which():
    resolved = resolve_settings(
        SettingsLayer("facility site.toml", {"step": 2, "delayIS": 0.5, "pretilt": 1}),
        script(step=4, pretilt=2),
        target_file(pretilt=-9.5),
    )
    assert (resolved.settings.step, resolved.settings.delayIS, resolved.settings.pretilt) == (4.0, 0.5, -9.5)
    assert resolved.origins["step"] == "script"
    assert resolved.origins["delayIS"] == "facility site.toml"
    assert resolved.origins["pretilt"] == "target file L3_tgts.txt, line 2"
    assert resolved.origins["maxTilt"] == "default"
    assert resolved.warnings == ()


@pytest.mark.parametrize(
    "name, given_value, value",
    [
        ("groupSize", 2.0, 2),
        ("groupSize", np.float64(4.0), 4),
        ("groupSize", np.int64(4), 4),
        ("step", 2, 2.0),
        ("addAF", True, True),
        ("scheme", "bidirectional", "bidirectional"),
        ("imageShiftLimit", 100, 100.0),
    ],
)
def test_values_take_the_type_of_their_setting(name, given_value, value):
    taken = getattr(resolve_settings(script(**{name: given_value})).settings, name)
    assert (taken, type(taken)) == (value, type(value))


@pytest.mark.parametrize(
    "name, value, needed",
    [
        ("groupSize", 2.5, "a whole number"),
        ("groupSize", 0, "1 to 1000 tilts"),
        ("groupSize", True, "a number in tilts"),
        ("step", "3", "a number in deg"),
        ("step", 0, "0.01 to 60 deg"),
        ("step", -3, "0.01 to 60 deg"),
        ("maxTilt", 81, "-80 to 80 deg"),
        ("maxTilt", float("nan"), "a number in deg"),
        ("maxTilt", float("inf"), "a number in deg"),
        ("maxTilt", 10**400, "a number in deg"),
        ("pretilt", None, "a number in deg"),
        ("imageShiftLimit", [20], "a number in µm"),
        ("addAF", 1, "True or False"),
        ("addAF", "yes", "True or False"),
        ("scheme", "spiral", "dose-symmetric or bidirectional or unidirectional"),
        ("scheme", 1, "dose-symmetric or bidirectional or unidirectional"),
    ],
)
@pytest.mark.parametrize("layer", [script, target_file])
def test_wrong_values_are_refused_with_place_and_need(layer, name, value, needed):
    message = refusal(layer(**{name: value}))
    assert message.startswith(layer(**{name: value}).place(name) + f": {name} is ")
    assert needed in message


def test_a_number_too_long_to_be_shown_is_refused():
    assert refusal(script(groupSize=10**5000)) == (
        "script: groupSize is a number of too many digits, a number in tilts is needed"
    )


@pytest.mark.parametrize(
    "values, words",
    [
        ({"minTilt": 60, "maxTilt": -60}, ["minTilt must be below maxTilt", "minTilt 60 (script)"]),
        ({"minTilt": 10, "maxTilt": 10, "startTilt": 10}, ["minTilt must be below maxTilt"]),
        ({"startTilt": 61}, ["startTilt must lie between", "61 (script)", "60 (default)"]),
        ({"minTilt": 3}, ["startTilt must lie between", "0 (default)"]),
        ({"minTilt": -2, "maxTilt": 2}, ["no second tilt fits", "step 3 (default)"]),
        ({"minDefocus": -2, "stepDefocus": 0}, ["stepDefocus must be above 0"]),
    ],
)
def test_settings_that_exclude_each_other_are_refused(values, words):
    message = refusal(script(**values))
    for word in words:
        assert word in message


@pytest.mark.parametrize(
    "values",
    [
        {"minTilt": 0, "maxTilt": 3},
        {"minTilt": -0.3, "maxTilt": 0.3, "step": 0.1},
        {"minTilt": -3, "maxTilt": 0},
        {"minDefocus": -3, "maxDefocus": -5},
        {"minDefocus": -5, "maxDefocus": -3},
        {"stepDefocus": 0},
        {"startTilt": 60},
    ],
)
def test_unusual_but_possible_settings_are_taken(values):
    settings = resolve_settings(script(**values)).settings
    for name, value in values.items():
        assert getattr(settings, name) == value


@pytest.mark.parametrize(
    "name, hint", [("stepp", "step"), ("STARTTILT", "startTilt"), ("imageshiftlimit", "imageShiftLimit")]
)
def test_an_unknown_name_is_refused_with_a_hint(name, hint):
    assert refusal(script(**{name: 1})) == f"script: there is no setting {name!r}; did you mean {hint}?"


def test_a_name_like_no_other_is_refused_without_a_hint():
    assert refusal(script(qqqq=1)) == "script: there is no setting 'qqqq'"


def test_a_name_that_is_no_text_is_refused():
    assert "there is no setting 3" in refusal(SettingsLayer("script", {3: 1}))


def test_an_unknown_name_in_a_target_file_is_a_warning_with_its_line():
    resolved = resolve_settings(target_file(step=2, stepp=3))
    assert resolved.settings.step == 2.0
    assert resolved.warnings == (
        "target file L3_tgts.txt, line 3: there is no setting 'stepp'; it has no effect; did you mean step?",
    )


def test_what_target_selection_leaves_in_target_files_is_no_cause_to_warn():
    names = dict.fromkeys(SELECTION_NAMES, 1.0)
    assert resolve_settings(target_file(**names)).warnings == ()
    assert "5 settings cannot be used" in refusal(script(**names))


def test_all_problems_are_reported_at_once():
    message = refusal(script(stepp=1, maxTilt="x"), target_file(groupSize=0))
    assert message.startswith("3 settings cannot be used:\n- ")
    for word in ("stepp", "maxTilt", "groupSize"):
        assert word in message


def test_the_file_of_a_facility(tmp_path):
    path = tmp_path / "site ü.toml"
    path.write_bytes(
        '\ufeff# our microscope\r\nstep = 2\r\nscheme = "bidirectional"\r\naddAF = true\r\n'.encode()
    )
    resolved = resolve_settings(read_settings_toml(path))
    assert (resolved.settings.step, resolved.settings.scheme, resolved.settings.addAF) == (
        2.0,
        "bidirectional",
        True,
    )
    assert resolved.origins["step"] == "facility site ü.toml"


@pytest.mark.parametrize(
    "data, word",
    [
        (b"step = ", "TOML"),
        (b"step = 3\nstep = 4\n", "TOML"),
        (b"\xff\xfes\x00", "UTF-8"),
        (b"step = " + b"[" * 5000, "TOML"),
        (b"step = " + b"9" * 6000, "site.toml"),
        (b"[scope]\nstep = 3\n", "scope"),
        (b"step = 2020-99-99\n", "TOML"),
        (b"step = 2020-01-01\n", "a number in deg is needed"),
    ],
)
def test_a_broken_file_of_a_facility_is_refused_by_name(tmp_path, data, word):
    path = tmp_path / "site.toml"
    path.write_bytes(data)
    with pytest.raises(SettingsError, match=re.escape(word)) as caught:
        resolve_settings(read_settings_toml(path))
    assert "site.toml" in str(caught.value)


def test_a_missing_file_of_a_facility_is_refused_by_name(tmp_path):
    with pytest.raises(SettingsError, match=re.escape("none.toml")):
        read_settings_toml(tmp_path / "none.toml")


@given(st.binary(max_size=60))
def test_any_bytes_are_settings_or_an_error(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(data)
    try:
        resolved = resolve_settings(read_settings_toml(path))
    except SettingsError as err:
        assert "any.toml" in str(err)
    else:
        assert resolved.values() == resolve_settings().values()


@pytest.mark.parametrize(
    "text, name, value",
    [
        ("step=2", "step", 2),
        ("pretilt = -9.5", "pretilt", -9.5),
        ("addAF=yes", "addAF", True),
        ("addAF=0", "addAF", False),
        ("scheme=bidirectional", "scheme", "bidirectional"),
        ("groupSize=2.5", "groupSize", 2.5),
        ("step=a=b", "step", "a=b"),
        ("colour=blue", "colour", "blue"),
    ],
)
def test_assignments_of_the_command_line(text, name, value):
    assert parse_assignment(text) == (name, value)


@pytest.mark.parametrize("text", ["step", "=3", "step=", " = ", ""])
def test_assignments_without_name_or_value_are_refused(text):
    with pytest.raises(SettingsError, match="NAME=VALUE"):
        parse_assignment(text)


@pytest.mark.parametrize("name", ["krios stage.json", "D:/profiles/krios=2.json", ""])
def test_free_text_is_any_line(name):
    resolved = resolve_settings(script(stageProfile=f" {name} "))
    assert resolved.settings.stageProfile == name
    text = dict(line.split(" = ", 1) for line in format_settings(resolved).splitlines())["stageProfile"]
    assert parse_setting_text("stageProfile", text) == name


@pytest.mark.parametrize("value", [3, None, True, "two\nlines", ["a"]])
def test_what_is_no_line_of_text_is_refused(value):
    assert "stageProfile" in refusal(script(stageProfile=value))


def test_a_profile_to_be_updated_needs_a_name():
    assert "stageProfile is empty" in refusal(script(updateProfile=True))
    assert resolve_settings(script(updateProfile=True, stageProfile="a.json")).settings.updateProfile


@pytest.mark.parametrize("name", [row.name for row in describe_settings()])
def test_the_settings_file_reads_back(name):
    text = format_settings(resolve_settings(), "2026-08-15 12:30:01")
    lines = text.splitlines()
    assert lines[0] == "# 2026-08-15 12:30:01"
    values = dict(line.split(" = ", 1) for line in lines[1:])
    assert parse_setting_text(name, values[name]) == getattr(Settings(), name)


SENSIBLE = st.fixed_dictionaries(
    {},
    optional={
        "pretilt": st.floats(-30, 30),
        "groupSize": st.integers(1, 9),
        "step": st.floats(0.5, 5),
        "addAF": st.booleans(),
        "scheme": st.sampled_from(["dose-symmetric", "bidirectional"]),
        "minDefocus": st.floats(-9, 0),
    },
)


@given(SENSIBLE)
def test_formatted_settings_resolve_to_the_same_settings(values):
    resolved = resolve_settings(script(**values))
    pairs = (line.split(" = ", 1) for line in format_settings(resolved).splitlines())
    again = resolve_settings(script(**{name: parse_setting_text(name, text) for name, text in pairs}))
    assert again.settings == resolved.settings


ANYTHING = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.lists(st.integers()))


@given(
    st.dictionaries(
        st.sampled_from([row.name for row in describe_settings()]) | st.text(), ANYTHING, max_size=4
    )
)
def test_any_values_are_settings_or_an_error(values):
    try:
        settings = resolve_settings(SettingsLayer("script", values)).settings
    except SettingsError as err:
        assert "script" in str(err)
    else:
        assert set(values) <= {item.name for item in fields(Settings)}
        assert settings.minTilt <= settings.startTilt <= settings.maxTilt


@pytest.mark.parametrize("value", ["mail -s hangs me@site", "", "C:/tools/mail.exe --to=me"])
def test_a_command_line_is_any_line_of_text(value):
    resolved = resolve_settings(SettingsLayer("script", {"watchdogCommand": f" {value} "}))
    assert resolved.settings.watchdogCommand == value
    text = dict(line.split(" = ", 1) for line in format_settings(resolved).splitlines())["watchdogCommand"]
    assert parse_setting_text("watchdogCommand", text) == value


def test_a_target_file_starts_no_commands():
    """Other programs write them, and what a shell is given is for the facility and its script to say."""
    layer = SettingsLayer("target file a_tgts.txt", {"watchdogCommand": "format c:"}, lenient=True)
    resolved = resolve_settings(SettingsLayer("script", {"watchdogCommand": "mail"}), layer)
    assert resolved.settings.watchdogCommand == "mail" and "has no effect" in resolved.warnings[0]
