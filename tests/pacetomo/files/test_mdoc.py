from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import numbers, one_line_texts

from pacetomo.errors import MetadataError
from pacetomo.files.mdoc import Mdoc, MdocSection, format_mdoc, parse_mdoc, read_mdoc, write_mdoc

SERIES = """\
PixelSpacing = 2.14
Voltage = 300
ImageFile = lam1_ts_001.mrc

[T = SerialEM: Example = microscope                 15-Aug-26  12:30:01    ]

[T =     Tilt axis angle = 85.3, binning = 1  spot = 8  camera = 0]

[ZValue = 0]
TiltAngle = 9.99751
StagePosition = 152.3 -84.21
SubFramePath = X:\\session 1\\frames\\a = b.tif
FrameDosesAndNumber = 0 7  0 3
ChannelName =
CameraLength = NaN
Intensity = 9.37679e-005

[ZValue = 1]
TiltAngle = 12.9978
DateTime = 15-Aug-2026  12:31:10
"""


def test_values():
    mdoc = parse_mdoc(SERIES)
    first, second = mdoc.need_images()
    assert mdoc.head.get_float("PixelSpacing") == 2.14
    assert mdoc.titles[0] == "SerialEM: Example = microscope                 15-Aug-26  12:30:01    "
    assert (first.kind, first.name, second.name) == ("ZValue", "0", "1")
    assert (first.tilt_deg, second.tilt_deg) == (9.99751, 12.9978)
    assert first.get_floats("StagePosition") == (152.3, -84.21)
    assert first.need_floats("StagePosition", 2) == (152.3, -84.21)
    assert first.text("SubFramePath") == "X:\\session 1\\frames\\a = b.tif"
    assert first.get_floats("FrameDosesAndNumber") == (0.0, 7.0, 0.0, 3.0)
    assert first.get_float("Intensity") == 9.37679e-05
    assert second.text("DateTime") == "15-Aug-2026  12:31:10"
    assert second.keys == ("TiltAngle", "DateTime")


@pytest.mark.parametrize("key", ["ChannelName", "CameraLength", "Missing"])
def test_absent_values(key):
    first = parse_mdoc(SERIES).images[0]
    assert first.get_float(key) is None
    with pytest.raises(MetadataError, match=f"mdoc, line 9: there is no {key}"):
        first.need_float(key)


@pytest.mark.parametrize("word", ["NaN", "nan", "-nan(ind)", "1.#QNAN", "-1.#IND"])
def test_values_that_are_no_number_by_several_compilers(word):
    assert parse_mdoc(f"Defocus = {word}\n").head.get_float("Defocus") is None


def test_values_that_are_wrong_are_named_with_their_section():
    first = parse_mdoc(SERIES, "ts.mdoc").images[0]
    with pytest.raises(MetadataError, match=r"ts.mdoc, line 9: SubFramePath is .*numbers are needed"):
        first.get_floats("SubFramePath")
    with pytest.raises(MetadataError, match=r"ts.mdoc, line 9: StagePosition is .*one number is needed"):
        first.get_float("StagePosition")
    with pytest.raises(MetadataError, match=r"ts.mdoc, line 9: StagePosition is .*3 numbers are needed"):
        first.need_floats("StagePosition", 3)
    with pytest.raises(MetadataError, match="2 numbers are needed"):
        first.need_floats("Missing", 2)


def test_of_two_values_the_later_one_holds():
    assert parse_mdoc("A = 1\nA = 2\n").head.text("A") == "2"


VARIANTS = {
    "as written by SerialEM": SERIES,
    "Windows line ends": SERIES.replace("\n", "\r\n"),
    "no line end at the end": SERIES.rstrip("\n"),
    "no empty lines": SERIES.replace("\n\n", "\n"),
    "many empty lines": SERIES.replace("\n\n", "\n\n \n") + "\n\n",
    "byte order mark": "\ufeff" + SERIES,
    "keys with blanks": SERIES.replace("Voltage", "High tension"),
    "no blanks around =": SERIES.replace(" = ", "=")
    .replace("[T=", "[T = ")
    .replace("[ZValue=", "[ZValue = "),
    "frame set": "T = SerialEM: Example    \nVoltage = 300\n\n[FrameSet = 0]\nTiltAngle = 3\n",
    "only a head": "Voltage = 300\n",
    "empty": "",
}


@pytest.mark.parametrize("name", VARIANTS)
def test_unchanged_metadata_comes_back_byte_by_byte(tmp_path, name):
    path = tmp_path / "ts.mrc.mdoc"
    path.write_bytes(VARIANTS[name].encode())
    assert write_mdoc(path, read_mdoc(path)) is None
    assert path.read_bytes() == VARIANTS[name].encode()
    assert os.listdir(tmp_path) == [path.name]


def test_a_byte_order_mark_does_not_hide_the_first_key():
    assert parse_mdoc("\ufeff" + SERIES).head.get_float("PixelSpacing") == 2.14


def test_names_from_a_windows_code_page_survive(tmp_path):
    data = SERIES.replace("session 1", "Lam\xe9 \xb5").encode("latin-1")
    path = tmp_path / "ts.mrc.mdoc"
    path.write_bytes(data)
    mdoc = read_mdoc(path)
    assert write_mdoc(path, mdoc) is None
    changed = mdoc.with_image(1, mdoc.images[1].with_value("Note", "x"))
    assert write_mdoc(path, changed) == tmp_path / "ts.mrc.mdoc~1"
    assert path.read_bytes() == data + b"Note = x\n"
    assert (tmp_path / "ts.mrc.mdoc~1").read_bytes() == data


def test_real_files_come_back_byte_by_byte(samples):
    paths = sorted((samples / "mdoc").iterdir())
    assert len(paths) >= 15
    for path in paths:
        mdoc = read_mdoc(path)
        assert format_mdoc(mdoc).encode("utf-8", "surrogateescape") == path.read_bytes(), path.name
        for image in mdoc.need_images():
            assert -80 < image.tilt_deg < 80


def test_real_files_that_are_completed_keep_every_line(samples):
    """A key added to each image and taken away again leaves the file as it was, but for a line end at its very end."""
    for path in sorted((samples / "mdoc").iterdir()):
        old = read_mdoc(path)
        new = old
        for number in range(len(old.images)):
            new = new.with_image(number, new.images[number].with_value("PriorNeighbourDose", 1.5))
        assert all(image.get_float("PriorNeighbourDose") == 1.5 for image in new.images)
        back = new
        for number in range(len(old.images)):
            back = back.with_image(number, back.images[number].without("PriorNeighbourDose"))
        assert format_mdoc(back).rstrip() == format_mdoc(old).rstrip(), path.name


def test_real_specimen_shifts_keep_all_their_digits(samples):
    mdoc = read_mdoc(samples / "mdoc" / "aretomo3_L1_ts_001.mrc.mdoc")
    assert len(mdoc.images) == 41
    assert mdoc.images[0].get_floats("SpecimenShift") == (-0.040779743981150154, 0.09708426746044542)


@pytest.mark.parametrize(
    "value, text",
    [("a = b", "a = b"), (1.5, "1.5"), (3, "3"), ((0.1 + 0.2, -1.0), "0.30000000000000004 -1.0"), ("", "")],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_values_are_changed_in_place_or_added_at_the_end_of_their_section(value, text, newline):
    source = SERIES.replace("\n", newline)
    mdoc = parse_mdoc(source)
    added = mdoc.with_image(0, mdoc.images[0].with_value("SpecimenShift", value))
    assert format_mdoc(added) == source.replace(
        f"e-005{newline}", f"e-005{newline}SpecimenShift = {text}{newline}"
    )
    changed = mdoc.with_image(1, mdoc.images[1].with_value("TiltAngle", value))
    assert format_mdoc(changed) == source.replace("TiltAngle = 12.9978", f"TiltAngle = {text}")
    assert format_mdoc(mdoc) == source


def test_a_value_added_behind_a_last_line_without_end():
    mdoc = parse_mdoc("[ZValue = 0]\r\nA = 1")
    assert (
        format_mdoc(mdoc.with_image(0, mdoc.images[0].with_value("B", 2)))
        == "[ZValue = 0]\r\nA = 1\r\nB = 2\r\n"
    )


def test_values_are_removed():
    mdoc = parse_mdoc(SERIES)
    image = mdoc.images[1].without("TiltAngle")
    assert format_mdoc(mdoc.with_image(1, image)) == SERIES.replace("TiltAngle = 12.9978\n", "")


@pytest.mark.parametrize(
    "key, value",
    [("a", "1\n[ZValue = 1]"), ("a\n", "1"), ("", "1"), ("[a", "1"), ("a=b", "1"), ("a", "\x00")],
)
def test_values_that_would_break_the_file_are_refused(key, value):
    with pytest.raises(MetadataError, match="cannot be written"):
        parse_mdoc(SERIES).head.with_value(key, value)


@given(
    st.dictionaries(
        st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,8}", fullmatch=True), one_line_texts | numbers, max_size=4
    )
)
def test_any_values_read_back(values):
    mdoc = parse_mdoc(SERIES)
    image = mdoc.images[1]
    for key, value in values.items():
        image = image.with_value(key, value)
    again = parse_mdoc(format_mdoc(mdoc.with_image(1, image))).images[1]
    for key, value in values.items():
        if isinstance(value, float):
            assert again.get_float(key) == value
        else:
            assert again.text(key) == (value.strip() or None)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("ending", [0, 2])
def test_images_in_another_order_are_counted_anew_in_the_form_of_serialem(newline, ending):
    source = SERIES.replace("\n", newline)
    mdoc = parse_mdoc(source if ending == 0 else source[: -len(newline)])
    first, second = mdoc.images
    out = format_mdoc(mdoc.with_images([second, first]))
    head = source[: source.index("[ZValue = 0]")]
    tilts = [
        f"[ZValue = 0]{newline}TiltAngle = 12.9978{newline}DateTime = 15-Aug-2026  12:31:10{newline}",
        source[source.index("[ZValue = 0]") : source.index("[ZValue = 1]")].replace("Value = 0", "Value = 1"),
    ]
    assert out == head + tilts[0] + newline + tilts[1].rstrip() + newline


def test_sections_that_are_no_images_stay_behind_the_images():
    text = SERIES + "\n[MontSection = 0]\nTiltAngle = 1\n"
    mdoc = parse_mdoc(text)
    assert len(mdoc.images) == 2
    assert format_mdoc(mdoc.with_images(mdoc.images)) == text
    assert [section.kind for section in mdoc.with_images(mdoc.images[:1]).sections] == [
        "T",
        "T",
        "ZValue",
        "MontSection",
    ]


def test_images_named_by_files_keep_their_names():
    mdoc = parse_mdoc("ImageSeries = 1\n\n[Image = a.tif]\nTiltAngle = 3\n\n[Image = b.tif]\nTiltAngle = 0\n")
    assert format_mdoc(mdoc.with_images(reversed(mdoc.images))) == (
        "ImageSeries = 1\n\n[Image = b.tif]\nTiltAngle = 0\n\n[Image = a.tif]\nTiltAngle = 3\n"
    )


def test_titles_are_added_behind_titles():
    mdoc = parse_mdoc(SERIES).with_title("sorted by tilt  ")
    assert mdoc.titles[-1] == "sorted by tilt  "
    assert format_mdoc(mdoc) == SERIES.replace("\n[ZValue = 0]", "\n[T = sorted by tilt  ]\n\n[ZValue = 0]")
    assert format_mdoc(parse_mdoc("A = 1\n").with_title("x")) == "A = 1\n\n[T = x]\n"
    with pytest.raises(MetadataError, match="does not fit"):
        mdoc.with_title("a\nb")


@pytest.mark.parametrize("text", ["", "Voltage = 300\n", "[T = only a title]\n", "[MontSection = 0]\n"])
def test_an_mdoc_without_sections_is_refused_where_they_are_needed(text):
    mdoc = parse_mdoc(text, "ts.mrc.mdoc")
    with pytest.raises(MetadataError, match=r"ts\.mrc\.mdoc: there is no section.*\[ZValue = 0\]"):
        mdoc.need_images()


@pytest.mark.parametrize(
    "text, line",
    [
        ("Voltage\n", 1),
        ("A = 1\n[ZValue\n", 2),
        ("A = 1\n[ZValue = 0\nB = 1\n", 2),
        ("[]\n", 1),
        ("[ZValue = 0]\nTiltAngle = 1\nMagnif", 3),
        ("A = 1\n= 3\n", 2),
        ("A = 1\nB = \x00\n", 2),
    ],
)
def test_broken_files_are_refused_with_their_line(text, line):
    with pytest.raises(MetadataError, match=rf"^ts\.mdoc, line {line}: "):
        parse_mdoc(text, "ts.mdoc")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(MetadataError, match=r"none\.mdoc: cannot be read"):
        read_mdoc(tmp_path / "none.mdoc")


@given(st.binary(max_size=80))
def test_any_bytes_are_an_mdoc_or_an_error(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any.mdoc"
    path.write_bytes(data)
    try:
        mdoc = read_mdoc(path)
    except MetadataError as err:
        assert "any.mdoc" in str(err)
    else:
        assert format_mdoc(mdoc).encode("utf-8", "surrogateescape") == data


MDOC_LINES = (
    "[ZValue = 0]",
    "[T = a ]",
    "[FrameSet = 1]",
    "[x",
    "TiltAngle = 3",
    "A =",
    "B=1",
    "",
    "TiltAngle",
    "\x00",
)


@given(
    st.lists(st.sampled_from(MDOC_LINES) | st.text(max_size=8), max_size=12), st.sampled_from(["\n", "\r\n"])
)
def test_any_lines_are_an_mdoc_or_an_error(lines, newline):
    text = newline.join(lines)
    try:
        mdoc = parse_mdoc(text)
    except MetadataError as err:
        assert str(err).startswith("mdoc, line ")
    else:
        assert format_mdoc(mdoc) == text
        again = parse_mdoc(format_mdoc(mdoc.with_images(mdoc.images)))
        assert [image.keys for image in again.images] == [image.keys for image in mdoc.images]


def test_an_mdoc_made_from_nothing():
    image = MdocSection("ZValue", "0", ("[ZValue = 0]\n",)).with_value("TiltAngle", 3.0)
    head = MdocSection("", "", ()).with_value("Voltage", 300)
    mdoc = Mdoc(head).with_title("made up").with_images([image, image])
    assert format_mdoc(mdoc) == (
        "Voltage = 300\n\n[T = made up]\n\n[ZValue = 0]\nTiltAngle = 3.0\n\n[ZValue = 1]\nTiltAngle = 3.0\n"
    )
