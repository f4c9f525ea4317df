from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import numbers

from pacetomo.number_text import format_float, parse_bool, parse_float, parse_int


@given(numbers)
def test_a_float_reads_back_exactly(number):
    assert parse_float(format_float(number)) == number


def test_numpy_numbers_are_written_without_their_type():
    assert format_float(np.float64(0.1)) == "0.1"


@pytest.mark.parametrize(
    "text, value",
    [("1", 1.0), ("-.5", -0.5), ("+2.", 2.0), (" 3e2\t", 300.0), ("9.37679e-005", 9.37679e-05), ("007", 7.0)],
)
def test_numbers(text, value):
    assert parse_float(text) == value


@pytest.mark.parametrize(
    "text",
    ["", "nan", "NaN", "inf", "1e999", "1_000", "1,5", "0x10", "1 2", "--1", "１２", "1e", ".", "True"],
)
def test_texts_that_are_no_number(text):
    assert parse_float(text) is None
    assert parse_int(text) is None


@pytest.mark.parametrize("text, value", [("3", 3), ("-12", -12), ("001", 1), ("2.0", None), ("9" * 19, None)])
def test_whole_numbers(text, value):
    assert parse_int(text) == value


@pytest.mark.parametrize(
    "text, value",
    [
        ("True", True),
        ("YES", True),
        ("y", True),
        ("on", True),
        ("no", False),
        ("Off", False),
        ("1", None),
        ("", None),
    ],
)
def test_yes_and_no(text, value):
    assert parse_bool(text) is value


@given(st.text())
def test_any_text_is_a_finite_number_or_none(text):
    number = parse_float(text)
    assert number is None or float("-inf") < number < float("inf")
