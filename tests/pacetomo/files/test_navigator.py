from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_serialem.files.nav_file import parse_nav
from pacetomo.errors import NavigatorError
from pacetomo.files.navigator import (
    ItemKind,
    format_navigator,
    new_item,
    new_navigator,
    parse_navigator,
    read_navigator,
    write_navigator,
)
from pacetomo.frames import XY, Matrix2

EXAMPLE = """\
AdocVersion = 2.00
LastSavedAs = X:\\session1\\lam.nav

[Item = 1]
Color = 2
StageXYZ = 12.5 -33.25 8.4
NumPts = 5
Regis = 1
Type = 2
Note = Sec 0 - lam1_map.mrc
MapFile = X:\\session1\\lam1_map.mrc
MapID = 210034
MapMontage = 0
MapSection = 0
MapBinning = 4
MapMagInd = 18
MapCamera = 0
MapScaleMat = -1.91445 23.2859 23.2859 1.91445
MapWidthHeight = 1024 1024
MapFramesXY = 0 0
MontBinning = 0
DefocusOffset = -60
MapLDConSet = 0
MapTiltAngle = 10
PtsX = -7.54435 -11.1355 32.5443 36.1355 -7.54435
PtsY = -56.8855 -13.2057 -9.61452 -53.2943 -56.8855

[Item = 2]
Color = 0
StageXYZ = 14.1 -30.8 8.4
NumPts = 1
Regis = 1
Type = 0
Note = lam1_tgts.txt
GroupID = 210051
DrawnID = 210034
KeyOfTomorrow = a = b
Acquire = 1
MapID = 210035
PtsX = 14.1
PtsY = -30.8

[MontParam = 0]
XpieceSize = 4096
"""
XML = """\
<?xml version="1.0" encoding="utf-8"?>
<navigator>
  <PreData>
    <AdocVersion>2.00</AdocVersion>
    <LastSavedAs>B:\\nav.nav</LastSavedAs>
  </PreData>
  <Item name="a &amp; b">
    <Color>0</Color>
    <StageXYZ>1 2 3</StageXYZ>
    <NumPts>1</NumPts>
    <Regis>1</Regis>
    <Type>0</Type>
    <Note>x &lt; y</Note>
    <MapID>100001</MapID>
    <PtsX>1</PtsX>
    <PtsY>2</PtsY>
  </Item>
</navigator>
"""


def test_real_files_come_back_byte_by_byte(samples, tmp_path):
    paths = sorted((samples / "nav").glob("*.nav"))
    assert len(paths) >= 5
    for path in paths:
        navigator = read_navigator(path)
        copy = tmp_path / path.name
        assert write_navigator(copy, navigator) is None
        assert copy.read_bytes() == path.read_bytes()
        for item in navigator.items:
            assert len(item.points_um) == item.get_int("NumPts") > 0
            assert not item.is_map or item.map_data.size[0] > 0


def test_real_files_hold_what_is_known_of_them(samples):
    semmatch = read_navigator(samples / "nav" / "semmatch_nav.nav").items
    kinds = [item.item_kind for item in semmatch]
    assert [kinds.count(kind) for kind in ItemKind] == [1616, 22, 33]
    assert len({item.group for item in semmatch if item.item_kind is ItemKind.POINT} - {0}) == 125
    first = read_navigator(samples / "nav" / "pyem_sort_xml.nav").items[0]
    assert (first.label, first.map_data.frames, first.map_data.is_montage) == ("12-A", (2, 2), True)
    assert (first.map_data.binning, first.map_data.montage_binning) == (16, 4)


def test_a_changed_item_changes_only_its_lines(samples):
    for path in sorted((samples / "nav").glob("*.nav")):
        navigator = read_navigator(path)
        place = len(navigator.items) // 2
        item = navigator.items[place].with_value("UserValue3", "7")
        made = format_navigator(navigator.with_item(place, item)).splitlines(keepends=True)
        added = [line for line in made if "UserValue3" in line]
        made.remove(*added)
        assert made == format_navigator(navigator).splitlines(keepends=True), path


def test_values():
    navigator = parse_navigator(EXAMPLE, "lam.nav")
    on, point = navigator.items
    assert navigator.saved_as == "X:\\session1\\lam.nav"
    assert (on.label, on.item_kind, on.map_id, on.is_map) == ("1", ItemKind.MAP, 210034, True)
    assert (on.stage_um, on.stage_z_um) == (XY(12.5, -33.25), 8.4)
    assert on.points_um[1] == XY(-11.1355, -13.2057)
    data = on.map_data
    assert data.file == "X:\\session1\\lam1_map.mrc"
    assert data.stage_to_pixel == Matrix2(-1.91445, 23.2859, 23.2859, 1.91445)
    assert (data.size, data.binning, data.tilt_deg, data.defocus_offset_um) == ((1024, 1024), 4, 10.0, -60.0)
    assert (data.low_dose_set, data.is_montage, data.frames) == (0, False, (0, 0))
    assert (point.item_kind, point.note, point.group) == (ItemKind.POINT, "lam1_tgts.txt", 210051)
    assert (point.acquire, point.drawn_on, point.text("KeyOfTomorrow")) == (True, 210034, "a = b")
    assert navigator.by_id(210034) is on and navigator.by_id(5) is None
    assert navigator.in_group(210051) == (point,) and navigator.in_group(0) == ()
    assert on.piece_on is None


def test_changed_items():
    navigator = parse_navigator(EXAMPLE)
    point = (
        navigator.items[1].moved_to(XY(1.0, 2.5)).with_acquire(False).renamed("a much longer label than 16")
    )
    assert (point.stage_um, point.stage_z_um, point.points_um) == (XY(1.0, 2.5), 8.4, (XY(1.0, 2.5),))
    assert (point.label, point.acquire) == ("a much longer la", False)
    assert point.with_note("").text("Note") is None
    again = parse_navigator(format_navigator(navigator.with_item(1, point))).items
    assert [item.entries for item in again] == [navigator.items[0].entries, point.entries]
    assert again[1].text("KeyOfTomorrow") == "a = b"


def test_new_keys_stand_where_serialem_writes_them():
    point = parse_navigator(EXAMPLE).items[1].with_value("PieceOn", 3).with_value("Draw", 0)
    keys = [key for key, _ in point.entries]
    assert keys.index("NumPts") + 1 == keys.index("Draw") and keys.index("PieceOn") == keys.index("MapID") - 1


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("text", [EXAMPLE, XML])
def test_added_items_stand_before_the_parameter_sections(text, newline):
    navigator = parse_navigator(text.replace("\n", newline))
    points = [
        new_item(f"n{number}", ItemKind.POINT, XY(-1234.56789, 3.0), 4.5, note="lam_tgts.txt", acquire=True)
        for number in (1, 2)
    ]
    square = [XY(0.0, 0.0), XY(1.0, 0.0), XY(1.0, 1.0), XY(0.0, 0.0)]
    added = navigator.with_added([*points, new_item("p", ItemKind.POLYGON, XY(0.5, 0.5), 0.0, square)])
    made = format_navigator(added)
    assert made.count("\r") == (made.count("\n") if newline == "\r\n" else 0)
    again = parse_navigator(made)
    ids = [item.map_id for item in again.items]
    assert len(set(ids)) == len(ids) and min(ids) >= 100000
    assert [item.entries for item in again.items] == [item.entries for item in added.items]
    assert again.items[-2].stage_um == XY(-1234.5679, 3.0)
    assert again.items[-1].points_um == tuple(square)
    # The simulator's reader is another program: it finds the same.
    other = parse_nav(made)
    assert [item.label for item in other.items] == [item.label for item in again.items]
    assert other.items[-3].acquire and other.items[-3].note == "lam_tgts.txt"
    if text is EXAMPLE:
        assert made.endswith(newline.join(["", "", "[MontParam = 0]", "XpieceSize = 4096", ""]))
        assert made.startswith(EXAMPLE.replace("\n", newline).split("[MontParam")[0])


def test_a_file_made_from_nothing_is_read_by_the_simulator():
    navigator = new_navigator("X:\\new.nav").with_added([new_item("1", ItemKind.POINT, XY(1.0, 2.0), 3.0)])
    made = format_navigator(navigator)
    assert made.startswith("AdocVersion = 2.00\r\nLastSavedAs = X:\\new.nav\r\n\r\n[Item = 1]\r\n")
    assert parse_nav(made).items[0].stage_um == (1.0, 2.0, 3.0)
    assert format_navigator(parse_navigator(made)) == made


def test_an_id_is_kept_where_it_is_free():
    navigator = parse_navigator(EXAMPLE)
    item = new_item("x", ItemKind.POINT, XY(0.0, 0.0), 0.0)
    added = navigator.with_added([item.with_value("MapID", 210099), item.with_value("MapID", 210051)])
    assert added.items[2].map_id == 210099
    assert added.items[3].map_id not in (210051, 210034, 210035, 210099)
    assert added.without([210099]).items == (*navigator.items, added.items[3])


def test_xml_is_changed_as_xml():
    navigator = parse_navigator(XML)
    assert navigator.items[0].label == "a & b" and navigator.items[0].note == "x < y"
    made = format_navigator(navigator.with_item(0, navigator.items[0].with_note("y > x")))
    assert made == XML.replace("x &lt; y", "y &gt; x")
    moved = format_navigator(navigator.saved_at("C:\\b.nav"))
    assert moved == XML.replace("B:\\nav.nav", "C:\\b.nav")


def test_xml_laid_out_otherwise_is_read_all_the_same():
    navigator = parse_navigator(
        "".join(line.strip() + " " for line in XML.splitlines()).replace("<Item", "<!-- a --><Item")
    )
    assert [item.entries for item in navigator.items] == [item.entries for item in parse_navigator(XML).items]
    assert format_navigator(navigator) == XML


def test_writing_keeps_a_backup(tmp_path):
    path = tmp_path / "lam.nav"
    path.write_bytes(EXAMPLE.encode())
    navigator = read_navigator(path)
    assert write_navigator(path, navigator) is None
    backup = write_navigator(path, navigator.with_item(1, navigator.items[1].with_acquire(False)))
    assert backup == tmp_path / "lam.nav~1" and backup.read_bytes() == EXAMPLE.encode()
    assert path.read_bytes() == EXAMPLE.replace("Acquire = 1\n", "").encode()


def test_bytes_of_an_old_code_page_survive(tmp_path):
    path = tmp_path / "lam.nav"
    path.write_bytes(EXAMPLE.encode().replace(b"lam1_tgts", b"Fl\xe4che"))
    navigator = read_navigator(path)
    write_navigator(path, navigator.with_item(1, navigator.items[1].with_acquire(False)))
    assert b"Note = Fl\xe4che.txt\n" in path.read_bytes()


def cut(text: str, key: str) -> str:
    return "".join(line for line in text.splitlines(keepends=True) if not line.startswith(key))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no AdocVersion line"),
        ("holiday = yes\n", "no AdocVersion line"),
        ("VERSION 200\n1\t2\t3\t4\t5\t6\t7\t8\n", "older tab-separated form"),
        (
            EXAMPLE.replace("Regis = 1\nType = 0", "Type = 0"),
            r"lam.nav, line 28 \(item 2\): there is no Regis",
        ),
        (EXAMPLE.replace("StageXYZ = 14.1 -30.8 8.4\n", ""), "item 2.*no StageXYZ"),
        (XML.replace("</Item>", ""), "no well-formed XML"),
        (XML.replace("navigator>", "notebook>"), "a <navigator> is needed"),
        ("Adoc\x00Version", "control character"),
    ],
)
def test_what_is_no_navigator_file_is_refused(text, message):
    with pytest.raises(NavigatorError, match=message):
        parse_navigator(text, "lam.nav")


def test_what_an_item_lacks_is_named():
    on, point = parse_navigator(EXAMPLE, "lam.nav").items
    with pytest.raises(NavigatorError, match=r"item 2.*no map"):
        _ = point.map_data
    with pytest.raises(NavigatorError, match=r"line 4 \(item 1\): MapScaleMat is None, 4 numbers"):
        _ = on.with_value("MapScaleMat", None).map_data
    with pytest.raises(NavigatorError, match=r"PtsX is '1 x', numbers"):
        _ = on.with_value("PtsX", "1 x").points_um
    with pytest.raises(NavigatorError, match="PtsX has 2 numbers and PtsY 5"):
        _ = on.with_value("PtsX", "1 2").points_um
    with pytest.raises(NavigatorError, match="Type is '9'"):
        _ = on.with_value("Type", 9).item_kind
    with pytest.raises(NavigatorError, match="cannot be written"):
        on.with_value("Note", "two\nlines")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(NavigatorError, match=r"none\.nav: cannot be read"):
        read_navigator(tmp_path / "none.nav")


@given(st.floats(-2000.0, 2000.0), st.floats(-2000.0, 2000.0))
def test_positions_are_written_to_a_tenth_of_a_nm(x, y):
    navigator = new_navigator("n.nav").with_added([new_item("1", ItemKind.POINT, XY(x, y), 0.0)])
    item = parse_navigator(format_navigator(navigator)).items[0]
    assert item.stage_um.minus(XY(x, y)).length < 1e-4
    assert item.points_um[0].minus(XY(x, y)).length < 1e-4
