from __future__ import annotations

import pytest

from pacetomo.errors import PaceError, TargetFileError
from pacetomo.files.target_keys import (
    UnreadableError,
    check_writable,
    make_geo_point,
    make_target,
    target_values,
    text_of,
    value_of,
)
from pacetomo.files.target_text import Block, Entry
from pacetomo.frames import XY


def block(*entries, kind="target", number=2):
    lines = [Entry(line, key, value) for line, (key, value) in enumerate(entries, start=5)]
    return Block(kind, 4, number, entries=lines)


NEEDED = (("tsfile", "a.mrc"), ("SSX", "1"), ("SSY", "2"))


@pytest.mark.parametrize(
    "key, text, value",
    [
        ("tsfile", " my ts.mrc ", "my ts.mrc"),
        ("viewfile", "None", None),
        ("viewfile", "", None),
        ("SSX", "-1.5e-3", -0.0015),
        ("stageY", "88", 88.0),
        ("skip", "true", True),
        ("skip", "No", False),
        ("skip", "1", True),
        ("LDArea", "V", "V"),
        ("SPACEscore", "0.7", 0.7),
        ("defocus", "-3.5", -3.5),
        ("defocus", "None", None),
        ("SPACEscore", "None", None),
        ("SPACEscore", "nan", None),
    ],
)
def test_values(key, text, value):
    assert value_of(key, text) == value


@pytest.mark.parametrize(
    "key, text, needed",
    [
        ("SSX", "nan", "number in µm"),
        ("SSX", "1,5", "number in µm"),
        ("stageX", "inf", "number in µm"),
        ("skip", "maybe", "True or False"),
        ("LDArea", "Record", "R, V or S"),
        ("SPACEscore", "good", "a number"),
        ("defocus", "under", "a number in µm"),
    ],
)
def test_texts_that_mean_nothing(key, text, needed):
    with pytest.raises(UnreadableError, match=needed):
        value_of(key, text)
    with pytest.raises(TargetFileError, match=rf"f, target 2, line 8: {key} is '{text}', .*{needed}"):
        entries = [pair for pair in (*NEEDED, ("x", "0")) if pair[0] != key]
        make_target(block(*entries[:3], (key, text)), "f", TargetFileError)


def test_everything_that_a_target_may_hold():
    target = make_target(
        block(
            *NEEDED,
            ("tgtfile", "r.mrc"),
            ("viewfile", "None"),
            ("colour", " light blue"),
            ("stageX", "-3"),
            ("stageY", "4"),
            ("skip", "True"),
            ("LDArea", "S"),
            ("SPACEscore", "0.25"),
        ),
        "f",
        PaceError,
    )
    assert (target.number, target.series, target.reference, target.view) == (2, "a.mrc", "r.mrc", None)
    assert (target.shift_um, target.stage_um) == (XY(1.0, 2.0), XY(-3.0, 4.0))
    assert (target.skip, target.area, target.score) == (True, "S", 0.25)
    assert target.extra == (("colour", " light blue"),)


@pytest.mark.parametrize(
    "entries, needed",
    [
        ((("SSX", "1"), ("SSY", "2")), "no tsfile"),
        ((("tsfile", "None"), ("SSX", "1"), ("SSY", "2")), "no tsfile"),
        ((("tsfile", "a.mrc"),), "no coordinates"),
        ((("tsfile", "a.mrc"), ("SSX", "None"), ("SSY", "None")), "no coordinates"),
        ((("tsfile", "a.mrc"), ("SSX", "1")), "SSX without SSY"),
        ((("tsfile", "a.mrc"), ("SSY", "1")), "SSY without SSX"),
        ((*NEEDED, ("stageX", "1")), "stageX without stageY"),
    ],
)
def test_targets_that_lack_something(entries, needed):
    with pytest.raises(TargetFileError, match=f"f, line 4: target 2 has .*{needed}"):
        make_target(block(*entries), "f", TargetFileError)


def test_geometry_points():
    point = make_geo_point(block(("SSX", "1"), ("SSY", "2"), ("note", "edge"), kind="geo"), "f", PaceError)
    assert (point.shift_um, point.extra) == (XY(1.0, 2.0), (("note", "edge"),))
    with pytest.raises(TargetFileError, match="f, line 4: _geo has no coordinates"):
        make_geo_point(block(kind="geo"), "f", TargetFileError)


@pytest.mark.parametrize(
    "value, text", [(None, "None"), (True, "True"), (0.1 + 0.2, "0.30000000000000004"), ("a", "a")]
)
def test_texts_of_values(value, text):
    assert text_of(value) == text


@pytest.mark.parametrize(
    "changes, extra",
    [
        ({"tsfile": "two\nlines.mrc"}, ()),
        ({"tsfile": None}, ()),
        ({"tsfile": "None"}, ()),
        ({"tsfile": ""}, ()),
        ({"tsfile": " a.mrc"}, ()),
        ({"tsfile": "\ud800.mrc"}, ()),
        ({"SSX": float("nan")}, ()),
        ({"SSX": float("inf")}, ()),
        ({"LDArea": "X"}, ()),
        ({}, (("two words", "1"),)),
        ({}, (("", "1"),)),
        ({}, (("_tgt", "001"),)),
        ({}, (("SSX", "1"),)),
        ({}, (("a", "1"), ("a", "2"))),
        ({}, (("a", "1\n_tgt = 002"),)),
    ],
)
def test_what_could_not_be_read_back_is_not_written(changes, extra):
    values = target_values(make_target(block(*NEEDED), "f", PaceError))
    if "tsfile" in changes and changes["tsfile"] is None:
        # A missing name is found on reading, by the target as a whole.
        changes = {"tsfile": "None"}
    with pytest.raises(TargetFileError, match="target 2: "):
        check_writable({**values, **changes}, extra, "target 2", TargetFileError)


def test_what_can_be_read_back_is_written():
    values = target_values(make_target(block(*NEEDED, ("LDArea", "V")), "f", PaceError))
    assert check_writable(values, (("note", " a = b "),), "target 2", PaceError) is None
