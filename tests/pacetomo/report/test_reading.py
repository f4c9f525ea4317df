from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacetomo.errors import MetadataError
from pacetomo.frames import XY
from pacetomo.report.reading import Line, lines_of


def line(**values: object) -> Line:
    return Line(Path("run.jsonl"), 7, values)


def test_absent_and_null_numbers_are_nan():
    assert math.isnan(line().real("t_s")) and math.isnan(line(t_s=None).real("t_s"))
    assert not line().pair("shift_um").is_finite
    assert line(shift_um=[1, -2.5]).pair("shift_um") == XY(1.0, -2.5)


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (lambda entry: entry.real("x"), "3.0"),
        (lambda entry: entry.real("x"), True),
        (lambda entry: entry.integer("x"), 2.5),
        (lambda entry: entry.integer("x"), None),
        (lambda entry: entry.flag("x"), 1),
        (lambda entry: entry.pair("x"), [1.0]),
        (lambda entry: entry.reals("x"), {"a": 1}),
        (lambda entry: entry.table("x"), [1]),
        (lambda entry: entry.tables("x"), ["a"]),
    ],
)
def test_a_wrong_type_is_refused_with_file_and_line(read, value):
    with pytest.raises(MetadataError, match=r"run\.jsonl, line 7: 'x'"):
        read(line(x=value))


def test_numbers_too_large_for_a_float_are_unknown():
    assert math.isnan(line(x=10**400).real("x"))
    assert math.isnan(line(x=math.inf).real("x"))


def test_half_a_surrogate_pair_can_be_written_afterwards():
    assert line(text="a\ud800b").text("text").encode("utf-8") == b"a?b"


@pytest.mark.parametrize("tail", [b'{"event": "expo', b"\0\0\0", '{"text": "µ'.encode()[:-1], b"[" * 5000])
def test_a_last_line_cut_in_half_is_dropped(tmp_path, tail):
    path = tmp_path / "run.jsonl"
    path.write_bytes(b'{"event": "a"}\n\n{"event": "b"}\r\n' + tail)
    assert [entry.values["event"] for entry in lines_of(path)] == ["a", "b"]


@pytest.mark.parametrize("damage", ["no json", "[1, 2]", '{"event": "a"'])
def test_an_earlier_damaged_line_is_an_error(tmp_path, damage):
    path = tmp_path / "run.jsonl"
    path.write_text(f'{{"event": "a"}}\n{damage}\n{{"event": "b"}}\n', encoding="utf-8")
    with pytest.raises(MetadataError, match=r"run\.jsonl, line 2: damaged"):
        list(lines_of(path, restart="run_start"))


def test_a_line_cut_in_half_before_a_restart_is_dropped(tmp_path):
    path = tmp_path / "run.jsonl"
    path.write_text('{"event": "a"}\n{"ev\n{"event": "run_start"}\n', encoding="utf-8")
    assert [entry.values["event"] for entry in lines_of(path, restart="run_start")] == ["a", "run_start"]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(MetadataError, match=r"nowhere\.jsonl"):
        list(lines_of(tmp_path / "nowhere.jsonl"))


@given(st.lists(st.dictionaries(st.text(), st.integers() | st.text() | st.none())), st.integers(0, 10))
def test_objects_come_back_and_a_cut_loses_at_most_the_last(tmp_path_factory, objects, cut):
    path = tmp_path_factory.mktemp("cut") / "run.jsonl"
    content = "".join(json.dumps(values) + "\n" for values in objects).encode()
    path.write_bytes(content)
    assert [entry.values for entry in lines_of(path)] == objects
    last = len(json.dumps(objects[-1])) if objects else 0
    path.write_bytes(content[: len(content) - min(cut, last)])
    assert [entry.values for entry in lines_of(path)] in (objects, objects[:-1])
