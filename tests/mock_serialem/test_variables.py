from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_serialem.errors import CommandError
from mock_serialem.variables import Variables

names = st.text("abcXYZ_1", min_size=1, max_size=8)


@given(names, st.text(max_size=20).filter(lambda text: not text.startswith("$")))
def test_texts_come_back_whatever_the_case_of_the_name(name: str, text: str) -> None:
    variables = Variables()
    variables.set(name.upper(), text)
    assert variables.get(name.lower()) == text


def test_kinds_do_not_mix() -> None:
    variables = Variables()
    variables.set("a", "1")
    variables.set("b", "2", persistent=True)
    for name, persistent in (("A", True), ("B", False)):
        with pytest.raises(CommandError):
            variables.set(name, "3", persistent)
        with pytest.raises(CommandError):
            variables.set_number(name, 3.0, persistent)
    variables.clear(persistent=False)
    assert not variables.is_defined("a") and variables.get("B") == "2"
    variables.make_persistent("b", False)
    variables.clear(persistent=False)
    with pytest.raises(CommandError):
        variables.get("b")
    with pytest.raises(CommandError):
        variables.make_persistent("b", True)


def test_dollars_are_refused() -> None:
    for name, text in (("$a", "1"), ("a", "$b")):
        with pytest.raises(CommandError):
            Variables().set(name, text)


def test_numbers() -> None:
    variables = Variables()
    variables.set_number("a", 1.5)
    variables.report("b", 3.0)
    variables.report("c", "3")
    assert (variables.get("a"), variables.get("b"), variables.get("c")) == (1.5, 3.0, "3")
    assert variables.listing() == ["A = 1.500000", "B = 3.0", "C = 3"]
    assert variables.listing(persistent=True) == []
