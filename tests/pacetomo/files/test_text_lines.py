from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacetomo.errors import PaceError, TargetFileError
from pacetomo.files.text_lines import common_newline, decode_utf8, is_one_line, join_lines, split_lines


@pytest.mark.parametrize(
    "text, contents",
    [
        ("", []),
        ("a", ["a"]),
        ("a\n", ["a"]),
        ("a\r\nb", ["a", "b"]),
        ("\n\n", ["", ""]),
        ("a\r\r\nb\n", ["a", "b"]),
        ("a\u2028b\x85c\n", ["a\u2028b\x85c"]),
    ],
)
def test_lines_end_at_line_feeds_only(text, contents):
    lines = split_lines(text, "f", PaceError)
    assert [line.text for line in lines] == contents
    assert [line.number for line in lines] == list(range(1, len(contents) + 1))


@given(st.text(st.characters(exclude_categories=("Cc",)) | st.sampled_from("\n\t")))
def test_lines_join_to_the_text_they_came_from(text):
    lines = split_lines(text, "f", PaceError)
    assert join_lines([line.raw for line in lines], "\n") == text


def test_a_line_that_is_no_longer_the_last_gets_a_line_end():
    assert join_lines(["a", "b\n", "c"], "\r\n") == "a\r\nb\nc"


@pytest.mark.parametrize(
    "letter, code", [("\x00", "0x00"), ("\x1b", "0x1b"), ("\x7f", "0x7f"), ("\r", "0x0d")]
)
def test_control_characters_are_found_with_their_line(letter, code):
    with pytest.raises(TargetFileError, match=f"tgts.txt, line 2: .*{code}"):
        split_lines(f"a\nb{letter}c\n", "tgts.txt", TargetFileError)


def test_bytes_that_are_no_text_are_found_with_their_line():
    with pytest.raises(TargetFileError, match=r"tgts.txt, line 3: byte 0xe9"):
        decode_utf8(b"a\n\xc3\xa9\nlam\xe9\n", "tgts.txt", TargetFileError)
    assert decode_utf8("lamé".encode(), "tgts.txt", TargetFileError) == "lamé"


@pytest.mark.parametrize(
    "text, newline", [("a\nb\r\n", "\n"), ("a\r\nb\n", "\r\n"), ("a", "\n"), ("", "\n"), ("\n", "\n")]
)
def test_new_lines_end_as_the_first_one(text, newline):
    assert common_newline(text) == newline


@pytest.mark.parametrize(
    "text, fits",
    [("a b", True), ("", True), ("a\tb", True), ("a\nb", False), ("a\r", False), ("\ud800", False)],
)
def test_what_fits_into_a_line(text, fits):
    assert is_one_line(text) is fits
