from __future__ import annotations

import string

from hypothesis import given
from hypothesis import strategies as st

from mock_serialem.files.autodoc import (
    Autodoc,
    Section,
    autodoc_text,
    month_name,
    number,
    numbers,
    parse_autodoc,
    section_text,
)

names = st.text(string.ascii_letters + string.digits, min_size=1, max_size=8)
values = st.text(string.ascii_letters + string.digits + " =.-:[]\\", max_size=20).map(str.strip)
sections = st.builds(
    Section,
    st.sampled_from(["ZValue", "Item", "MontSection"]),
    names,
    st.dictionaries(names, values, max_size=4),
)
autodocs = st.builds(Autodoc, st.dictionaries(names, values, max_size=4), st.lists(sections, max_size=4))


@given(autodocs, st.sampled_from(["\n", "\r\n"]))
def test_what_is_written_is_read(autodoc: Autodoc, line_end: str) -> None:
    assert parse_autodoc(autodoc_text(autodoc, line_end)) == autodoc


def test_the_form_of_the_text() -> None:
    autodoc = Autodoc(
        {"PixelSpacing": "2.14"}, [Section("T", "a title = x  "), Section("ZValue", "0", {"A": "1 2"})]
    )
    assert autodoc_text(autodoc, "\r\n") == (
        "PixelSpacing = 2.14\r\n\r\n[T = a title = x  ]\r\n\r\n[ZValue = 0]\r\nA = 1 2\r\n"
    )
    assert section_text(autodoc.sections[1], "\n") == "\n[ZValue = 0]\nA = 1 2\n"


def test_odd_lines_are_understood_or_ignored() -> None:
    autodoc = parse_autodoc("# comment\nA=1\nB =  two words = three \nnonsense\n[Item = x]\n\nC = \n")
    assert autodoc.entries == {"A": "1", "B": " two words = three "}
    assert autodoc.sections == [Section("Item", "x", {"C": ""})]
    assert parse_autodoc("") == Autodoc()


def test_numbers_have_six_digits() -> None:
    assert [number(v) for v in (9.99751, 0.0012, 1.23456789e-5, -3.0, 1234567.0, 2)] == [
        "9.99751", "0.0012", "1.23457e-05", "-3", "1.23457e+06", "2",
    ]  # fmt: skip
    assert numbers((1.0, -0.5)) == "1 -0.5"


def test_month_names_do_not_follow_the_locale() -> None:
    assert [month_name(n) for n in (1, 5, 12)] == ["Jan", "May", "Dec"]
