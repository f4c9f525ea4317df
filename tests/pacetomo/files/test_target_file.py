from __future__ import annotations

import os
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import small_shifts_um, target_file_texts, target_sets

from pacetomo.errors import PaceError, TargetFileError
from pacetomo.files.target_file import format_targets, parse_targets, read_targets, write_targets
from pacetomo.frames import XY
from pacetomo.targets import GeoPoint, Override, Target, TargetSet

AREA = """\
_set startTilt = 9
_set pretilt = -9.5

_tgt = 001
tgtfile = L3_tgt_001.mrc
tsfile = L3_ts_001.mrc
viewfile = L3_tgt_001_view.mrc
SSX = 0
SSY = 0
stageX = -213.402
stageY = 88.117
skip = False

_tgt = 002
colour = light blue
tsfile = lamella 3 ts_002.mrc
viewfile = None
SSX = 2.4103
SSY = -1.0921
skip = True
_bset addAF = yes
LDArea = V
SPACEscore = 0.7

_geo = 1
SSX = 1.2
SSY = 3.4
"""


def unordered(area):
    """The set without the order of settings and of unknown keys, which says nothing."""
    return replace(
        area,
        targets=tuple(replace(target, extra=tuple(sorted(target.extra))) for target in area.targets),
        overrides=tuple(sorted(area.overrides, key=lambda override: override.name)),
    )


def changed_lines(old, new):
    """Lines that only the old and only the new text has."""
    old_lines, new_lines = old.splitlines(), new.splitlines()
    return (
        [line for line in old_lines if line not in new_lines],
        [line for line in new_lines if line not in old_lines],
    )


def test_what_the_file_says():
    area = parse_targets(AREA)
    assert area.targets == (
        Target(
            1,
            "L3_ts_001.mrc",
            "L3_tgt_001.mrc",
            "L3_tgt_001_view.mrc",
            XY(0.0, 0.0),
            XY(-213.402, 88.117),
        ),
        Target(
            2,
            "lamella 3 ts_002.mrc",
            shift_um=XY(2.4103, -1.0921),
            skip=True,
            area="V",
            score=0.7,
            extra=(("colour", "light blue"),),
        ),
    )
    assert area.overrides == (
        Override("startTilt", "9"),
        Override("pretilt", "-9.5"),
        Override("addAF", "yes", "bset"),
    )
    assert [override.line for override in area.overrides] == [1, 2, 21]
    assert area.geo_points == (GeoPoint(XY(1.2, 3.4)),)
    assert len(area.warnings) == 1
    assert "target 2: the file name 'lamella 3 ts_002.mrc' holds a blank" in area.warnings[0]


VARIANTS = {
    "as made by the original program": AREA,
    "Windows line ends": AREA.replace("\n", "\r\n"),
    "mixed line ends": AREA.replace("False\n", "False\r\n"),
    "byte order mark": "\ufeff" + AREA,
    "byte order mark before the first target": "\ufeff" + AREA[AREA.index("_tgt") :],
    "no line end at the end": AREA.rstrip("\n"),
    "many empty lines": "\n\n" + AREA.replace("\n\n", "\n \t\n\n") + "\n\n",
    "no empty lines": AREA.replace("\n\n", "\n"),
    "indented": AREA.replace("SSX", "   SSX"),
    "non-ASCII names": AREA.replace("L3", "Lamelle-µ-ü-片"),
    "numbers spelled otherwise": AREA.replace("SSX = 2.4103", "SSX = +2.41030e0").replace("= 9", "= 9.00"),
    "None for absent values": AREA.replace("SSX = 0", "SSX = None").replace("SSY = 0", "SSY = None"),
    "markers of a later version": AREA.replace("_geo", "_xgeo = 1\nany thing\n\n_geo"),
    "settings at the end": AREA + "_set step = 2\n",
    "geometry points first": "_geo = 1\nSSX = 3\nSSY = 4\n" + AREA,
    "the state of a run": AREA.replace("\n_tgt", "_spos = 3,1\n\n_tgt", 1).replace(
        "\n_geo", "_pbr\nz0 = 1\n_nbr\n\n_geo"
    ),
    "trailing blanks": AREA.replace("skip = True", "skip = True  ").replace("blue", "blue  "),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_unchanged_content_comes_back_byte_by_byte(tmp_path, name):
    path = tmp_path / "my L3_tgts.txt"
    path.write_bytes(VARIANTS[name].encode())
    area = read_targets(path)
    assert [target.number for target in area.targets] == [1, 2]
    assert format_targets(area) == VARIANTS[name]
    assert write_targets(path, area) is None
    assert path.read_bytes() == VARIANTS[name].encode()
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize(
    "edit, gone, new",
    [
        (lambda area: area.with_skip(1), ["skip = False"], []),
        (lambda area: area.with_skip(2, False), ["skip = True"], []),
        (lambda area: area.with_shift(2, XY(2.4103, 0.5)), ["SSY = -1.0921"], ["SSY = 0.5"]),
        (lambda area: area.with_stage(2, XY(1.5, -2.5)), [], ["stageX = 1.5", "stageY = -2.5"]),
        (lambda area: area.with_override("pretilt", "8"), ["_set pretilt = -9.5"], ["_set pretilt = 8"]),
        (lambda area: area.with_override("addAF", "no", "bset"), ["_bset addAF = yes"], ["_bset addAF = no"]),
        (lambda area: area.with_override("step", "2"), [], ["_set step = 2"]),
        (lambda area: area.without_override("startTilt"), ["_set startTilt = 9"], []),
        (lambda area: area.without_override("addAF"), ["_bset addAF = yes"], []),
        (lambda area: area.with_target(replace(area.targets[1], area="R")), ["LDArea = V"], ["LDArea = R"]),
        (lambda area: area.with_target(replace(area.targets[1], score=None)), ["SPACEscore = 0.7"], []),
        (
            lambda area: area.with_target(replace(area.targets[1], view="v.mrc")),
            ["viewfile = None"],
            ["viewfile = v.mrc"],
        ),
        (lambda area: area.with_target(replace(area.targets[1], extra=())), ["colour = light blue"], []),
        (
            lambda area: area.with_target(replace(area.targets[1], extra=(("colour", "red"), ("size", "2")))),
            ["colour = light blue"],
            ["colour = red", "size = 2"],
        ),
        (
            lambda area: area.with_target(replace(area.targets[0], stage_um=None)),
            ["stageX = -213.402", "stageY = 88.117"],
            [],
        ),
        (lambda area: area.with_geo_points((GeoPoint(XY(1.2, 9.0)),)), ["SSY = 3.4"], ["SSY = 9.0"]),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_an_edit_changes_its_lines_only(edit, gone, new, newline):
    text = AREA.replace("\n", newline)
    area = edit(parse_targets(text))
    out = format_targets(area)
    assert changed_lines(text, out) == (gone, new)
    assert unordered(parse_targets(out)) == unordered(area)
    assert out.count("\n") == out.count(newline)


def test_new_targets_stand_behind_the_old_ones_with_an_empty_line_between():
    area = parse_targets(AREA).with_target(Target(3, "L3_ts_003.mrc", shift_um=XY(1.0, 2.0)))
    assert format_targets(area) == AREA.replace(
        "_geo", "_tgt = 003\ntsfile = L3_ts_003.mrc\nSSX = 1.0\nSSY = 2.0\n\n_geo"
    )
    ends_early = AREA[: AREA.index("\n_geo")].rstrip("\n")
    area = parse_targets(ends_early).with_target(Target(3, "L3_ts_003.mrc", shift_um=XY(1.0, 2.0)))
    assert (
        format_targets(area) == ends_early + "\n\n_tgt = 003\ntsfile = L3_ts_003.mrc\nSSX = 1.0\nSSY = 2.0\n"
    )


def test_removing_a_target_removes_its_lines_but_no_setting():
    area = parse_targets(AREA).without_target(2)
    out = format_targets(area)
    assert parse_targets(out) == area
    assert "_bset addAF = yes" in out
    assert "002" not in out and "light blue" not in out


def test_a_copy_with_another_number_is_another_target():
    area = parse_targets(AREA)
    copied = area.with_target(replace(area.targets[0], number=3, series="L3_ts_003.mrc"))
    out = format_targets(copied)
    assert parse_targets(out) == copied
    assert "_tgt = 003\ntgtfile = L3_tgt_001.mrc\ntsfile = L3_ts_003.mrc\n" in out


def test_a_set_made_from_nothing():
    area = TargetSet(
        (Target(1, "a.mrc", shift_um=XY(0.0, 0.0)), Target(2, "b.mrc", stage_um=XY(1.5, 2.0), skip=True)),
        (Override("step", "2"), Override("addAF", "True", "bset")),
        (GeoPoint(XY(1.0, -1.0)),),
    )
    assert format_targets(area) == (
        "_set step = 2\n_bset addAF = True\n\n"
        "_tgt = 001\ntsfile = a.mrc\nSSX = 0.0\nSSY = 0.0\n\n"
        "_tgt = 002\ntsfile = b.mrc\nstageX = 1.5\nstageY = 2.0\nskip = True\n\n"
        "_geo = 1\nSSX = 1.0\nSSY = -1.0\n"
    )


@given(target_sets())
def test_any_set_reads_back_as_itself(area):
    text = format_targets(area)
    again = parse_targets(text)
    assert again == area
    assert format_targets(again) == text


@given(target_sets(), target_sets())
def test_any_set_can_take_the_lines_of_another(area, other):
    read = parse_targets(format_targets(other))
    sources = [target.source for target in read.targets]
    mixed = tuple(
        replace(target, source=sources[index % len(sources)]) for index, target in enumerate(area.targets)
    )
    changed = replace(area, targets=mixed, layout=read.layout)
    assert unordered(parse_targets(format_targets(changed))) == unordered(area)


@given(target_sets(), small_shifts_um, st.booleans())
def test_edits_survive_the_file(area, shift_um, skip):
    read = parse_targets(format_targets(area))
    number = area.targets[-1].number
    edited = read.with_shift(number, shift_um).with_skip(number, skip)
    assert parse_targets(format_targets(edited)) == edited


@given(target_file_texts)
def test_any_lines_are_targets_or_an_error_with_a_place(text):
    try:
        area = parse_targets(text, "L3_tgts.txt")
    except TargetFileError as err:
        assert str(err).startswith("L3_tgts.txt")
    else:
        assert format_targets(area) == text


@given(st.binary(max_size=100))
def test_any_bytes_are_targets_or_an_error(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any_tgts.txt"
    path.write_bytes(data)
    with pytest.raises(TargetFileError, match="any_tgts"):
        read_targets(path)


@given(st.text(max_size=40))
def test_any_text_in_place_of_a_value_is_targets_or_an_error(text):
    for key in ("tsfile", "SSX", "skip", "LDArea", "SPACEscore", "colour"):
        lines = [f"{key} = {text}" if line.startswith(f"{key} = ") else line for line in AREA.splitlines()]
        whole = "\n".join(lines) + "\n"
        try:
            area = parse_targets(whole)
        except TargetFileError as err:
            assert str(err).startswith("target file")
        else:
            assert format_targets(area) == whole


@given(st.integers(0, len(AREA)))
def test_a_file_cut_short_is_an_error_a_warning_or_still_whole(length):
    try:
        area = parse_targets(AREA[:length])
    except TargetFileError as err:
        assert str(err).startswith("target file")
    else:
        whole = parse_targets(AREA)
        assert any("cut short" in warning for warning in area.warnings) or AREA[:length].endswith("\n")
        assert [target.number for target in area.targets] == [
            target.number for target in whole.targets[: len(area.targets)]
        ]


@pytest.mark.parametrize(
    "data, words",
    [
        (b"", ["no target in this file", "_tgt = 001"]),
        (b"\n\n", ["no target in this file"]),
        (b"_set step = 3\n", ["no target in this file"]),
        (AREA.encode("utf-16"), ["line 1", "UTF-8"]),
        (AREA.replace("L3", "Lä").encode("latin-1"), ["line 5", "UTF-8"]),
        (bytes(range(256)), ["line 2", "0x80"]),
        (b"MRC\x00\x01", ["line 1", "0x00"]),
        (AREA.replace("tsfile = L3_ts_001.mrc\n", "").encode(), ["line 4", "target 1 has no tsfile"]),
        (
            AREA.replace("SSX = 2.4103", "SSX = nan").encode(),
            ["target 2, line 18", "SSX is 'nan'", "number in µm"],
        ),
        (
            AREA.replace("SSX = 2.4103\nSSY = -1.0921\n", "").encode(),
            ["line 14", "target 2 has no coordinates"],
        ),
        (AREA.replace("_tgt = 002", "_tgt = 001").encode(), ["line 14", "target 1 already stands in line 4"]),
        (AREA.replace("SSY = 3.4", "").encode(), ["_geo", "SSX without SSY"]),
    ],
)
def test_bad_files_are_refused_by_name_and_nothing_is_written(tmp_path, data, words):
    path = tmp_path / "L3 ü_tgts.txt"
    path.write_bytes(data)
    with pytest.raises(TargetFileError) as caught:
        read_targets(path)
    assert str(caught.value).startswith(str(path))
    for word in words:
        assert word in str(caught.value)
    assert os.listdir(tmp_path) == [path.name]
    assert path.read_bytes() == data


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(TargetFileError, match=r"none_tgts\.txt: cannot be read"):
        read_targets(tmp_path / "none_tgts.txt")


@pytest.mark.parametrize(
    "area, word",
    [
        (TargetSet(()), "at least one"),
        (TargetSet((Target(1, "a.mrc"),)), "no coordinates"),
        (TargetSet((Target(0, "a.mrc", shift_um=XY(0.0, 0.0)),)), "count from 1"),
        (TargetSet((Target(1, "a.mrc", shift_um=XY(0.0, 0.0)),) * 2), "each once"),
        (TargetSet((Target(1, "a\n_tgt = 002", shift_um=XY(0.0, 0.0)),)), "tsfile cannot be"),
        (TargetSet((Target(1, "a.mrc", shift_um=XY(float("nan"), 0.0)),)), "SSX cannot be"),
        (TargetSet((Target(1, "a.mrc", shift_um=XY(0.0, 0.0)),), (Override("step", "1\n2"),)), "_set step"),
        (TargetSet((Target(1, "a.mrc", shift_um=XY(0.0, 0.0)),), (Override("step", ""),)), "_set step"),
        (
            TargetSet((Target(1, "a.mrc", shift_um=XY(0.0, 0.0)),), (Override("step", "1"),) * 2),
            "there already",
        ),
        (
            TargetSet((Target(1, "a.mrc", shift_um=XY(0.0, 0.0)),), (Override("step", "1", "wset"),)),
            "_wset step",
        ),
        (
            TargetSet((Target(1, "a.mrc", shift_um=XY(0.0, 0.0)),), (), (GeoPoint(XY(0.0, float("inf"))),)),
            "geometry",
        ),
    ],
)
def test_sets_that_no_file_can_hold_are_refused_and_nothing_is_written(tmp_path, area, word):
    path = tmp_path / "a_tgts.txt"
    with pytest.raises(TargetFileError, match=word):
        write_targets(path, area)
    assert os.listdir(tmp_path) == []


def test_writing_keeps_the_old_file_as_a_backup(tmp_path):
    path = tmp_path / "L3_tgts.txt"
    path.write_bytes(AREA.replace("\n", "\r\n").encode())
    backup = write_targets(path, read_targets(path).with_skip(1))
    assert backup == tmp_path / "L3_tgts.txt~1"
    assert backup.read_bytes() == AREA.replace("\n", "\r\n").encode()
    assert path.read_bytes() == AREA.replace("False", "True").replace("\n", "\r\n").encode()


def test_errors_are_of_the_family():
    with pytest.raises(PaceError):
        parse_targets("")
