from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mock_serialem.dispatch  # noqa: F401 - registers the handlers
from mock_serialem.commands import (
    BY_CODE,
    REGISTRY,
    TABLE,
    Registered,
    check_arguments,
    command,
    fill_defaults,
    is_simulated,
    python_result,
)

FACTS = Path(os.environ.get("PACETOMO_SHARED", Path(__file__).resolve().parents[3] / "shared")) / "serialem"


def test_the_table_has_every_command_of_serialem() -> None:
    assert len(TABLE) == 791
    assert TABLE["TiltTo"].letters == "Didd"
    assert TABLE["R"].canonical == "Record"
    assert TABLE["Echo"].since == "3.9"
    # These three are in the program but not in the published module.
    missing = {info.name for info in TABLE.values() if info.code is None}
    assert missing == {"AssessPolygonMontage", "GetAllLowDoseValues", "GetAllCameraSetValues"}
    assert BY_CODE[4].name == "GetVariable"


def test_the_table_agrees_with_the_published_facts() -> None:
    if not FACTS.is_dir():
        pytest.skip(f"the facts about SerialEM are not at hand: no folder {FACTS} (set PACETOMO_SHARED)")
    facts = json.loads((FACTS / "commands.json").read_text(encoding="utf-8"))["commands"]
    assert {(c["name"], c["args"], c.get("same_as") or "") for c in facts} == {
        (info.name, info.letters, info.same_as) for info in TABLE.values()
    }
    lines = (FACTS / "function_codes.tsv").read_text(encoding="utf-8").splitlines()
    codes = {line.split("\t")[0]: int(line.split("\t")[1]) for line in lines if line and line[0] != "#"}
    assert codes == {info.name: info.code for info in TABLE.values() if info.code is not None}


def test_more_than_420_commands_are_simulated() -> None:
    assert len(REGISTRY) > 420
    assert is_simulated("R") and is_simulated("Record")
    assert not is_simulated("SetupWaffleMontage")
    assert not is_simulated("NoSuchCommand")


GOOD = [
    ("D", (1,), [1.0]),
    ("D", (np.float32(0.5),), [0.5]),
    ("D", (np.int64(4),), [4.0]),
    ("D", (True,), [1.0]),
    ("I", (7,), [7]),
    ("I", (np.int16(-3),), [-3]),
    ("Sii", ("A",), ["A"]),
    ("Didd", (1.5, 0, 2), [1.5, 0, 2.0]),
]


@pytest.mark.parametrize(("letters", "args", "values"), GOOD)
def test_legal_arguments_are_converted(letters: str, args: tuple[object, ...], values: list[object]) -> None:
    assert check_arguments("F", letters, args) == values


BAD = [
    ("", (1,), "F() takes no arguments (1 given)"),
    ("DD", (1.0,), "F() takes exactly 2 arguments (1 given)"),
    ("D", (), "F() takes exactly 1 argument (0 given)"),
    ("Dd", (), "F() takes at least 1 argument (0 given)"),
    ("Dd", (1, 2, 3), "F() takes at most 2 arguments (3 given)"),
    ("I", (2.0,), "F() argument 1: 'float' object cannot be interpreted as an integer"),
    ("I", (np.float64(2.0),), "F() argument 1: 'float64' object cannot be interpreted as an integer"),
    ("I", ("2",), "F() argument 1: 'str' object cannot be interpreted as an integer"),
    ("S", (1,), "F() argument 1 must be str, not int"),
    ("S", (None,), "F() argument 1 must be str, not NoneType"),
    ("S", (b"A",), "F() argument 1 must be str, not bytes"),
    ("D", ("1",), "F() argument 1 must be real number, not str"),
    ("D", (None,), "F() argument 1 must be real number, not NoneType"),
    ("DD", (np.array([1.0, 2.0]), 1), "F() argument 1 must be real number, not ndarray"),
    ("I", (np.array([1]),), "F() argument 1: 'ndarray' object cannot be interpreted as an integer"),
]


@pytest.mark.parametrize(("letters", "args", "text"), BAD)
def test_illegal_arguments_raise_with_the_commands_name(
    letters: str, args: tuple[object, ...], text: str
) -> None:
    with pytest.raises(TypeError) as caught:
        check_arguments("F", letters, args)
    assert str(caught.value) == text


@given(st.integers())
def test_integers_are_accepted_exactly_within_32_bits(value: int) -> None:
    if -(2**31) <= value < 2**31:
        assert check_arguments("F", "I", (value,)) == [value]
    else:
        with pytest.raises(OverflowError, match=r"^F\(\)"):
            check_arguments("F", "I", (value,))


def test_a_text_with_a_null_character_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^F\(\) argument 1: embedded null"):
        check_arguments("F", "S", ("a\0b",))


def test_arguments_not_given_take_the_handlers_defaults() -> None:
    def handler(session: object, angle: float, name: str = "x", count: int = 5) -> None: ...

    registered = Registered(handler, (None, "x", 5))
    assert fill_defaults(registered, "Dsi", [1.0, "", -99999999]) == [1.0, "x", 5]
    # A required argument is passed on as it is.
    assert fill_defaults(registered, "DSi", [-1e8, "", 2]) == [-1e8, "", 2]


RESULTS = [
    (None, None),
    ((), None),
    ((3,), 3.0),
    ((True,), 1.0),
    (("a",), "a"),
    ((1, "a"), (1.0, "a")),
    ((1.0, -1e8), 1.0),
    (tuple(range(8)), (0.0, 1.0, 2.0, 3.0, 4.0, 5.0)),
]


@pytest.mark.parametrize(("values", "expected"), RESULTS)
def test_reported_values_become_python_values(values: tuple[float, ...] | None, expected: object) -> None:
    result = python_result(values)
    assert result == expected
    assert type(result) is type(expected)


def test_single_numbers_may_be_asked_for_as_tuples() -> None:
    assert python_result((3,), always_tuple=True) == (3.0,)
    assert python_result(("a",), always_tuple=True) == "a"


def test_a_handler_must_fit_the_commands_letters() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        command("SetHelperParams")(lambda session: None)
    with pytest.raises(ValueError, match="again"):
        command("TiltTo")(lambda session, angle, a=0, b=0, c=0: None)
    with pytest.raises(KeyError):
        command("NoSuchCommand")
        command("NoSuchCommand")(lambda session: None)
