"""Wrong calls of every command: refused before anything happens, as by the real module."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mock_serialem.commands import REGISTRY, TABLE, CommandInfo, check_arguments
from mock_serialem.session import Session

SIMULATED = sorted(info.name for info in TABLE.values() if info.canonical in REGISTRY)
GOOD = {"D": 1.5, "I": 1, "S": "A"}
WRONG = {
    "D": ["1", None, [1.0], (1.0, 2.0), np.zeros(2), b"1", {}, 1j],
    "I": [1.0, 2.5, np.float64(1.0), "1", None, [1], np.zeros(1, int), b"1"],
    "S": [1, 1.0, None, b"A", ["A"], True],
}


def state(session: Session) -> tuple[object, ...]:
    world = session.world
    return (
        world.clock_s,
        world.stage_position_um(),
        world.image_shift,
        world.focus_um,
        len(session.log.entries),
    )


def good(info: CommandInfo, count: int) -> list[object]:
    return [GOOD[letter.upper()] for letter in info.letters[:count]]


@pytest.mark.parametrize("group", range(8))
def test_wrong_calls_fail(sem: ModuleType, session: Session, group: int) -> None:
    before = state(session)
    for name in SIMULATED[group::8]:
        info, call = TABLE[name], getattr(sem, name)
        most = len(info.letters)
        with pytest.raises(TypeError, match=f"^{name}"):
            call(*good(info, most), 1)
        if info.min_args:
            with pytest.raises(TypeError, match=f"^{name}"):
                call(*good(info, info.min_args - 1))
        with pytest.raises(TypeError, match=f"^{name}"):
            call(*good(info, info.min_args), keyword=1)
        for place, letter in enumerate(info.letters):
            for bad in WRONG[letter.upper()]:
                arguments = good(info, most)
                arguments[place] = bad
                with pytest.raises(TypeError, match=f"^{name}"):
                    call(*arguments)
            if letter in "Ii":
                arguments = good(info, most)
                for bad_integer in (2**31, -(2**31) - 1):
                    arguments[place] = bad_integer
                    with pytest.raises(OverflowError):
                        call(*arguments)
    assert state(session) == before


ANYTHING = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.binary(max_size=3),
    st.lists(st.integers(), max_size=2), st.just(np.float32(2.0)), st.just(np.int16(3)), st.just(np.str_("A")),
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(SIMULATED), arguments=st.lists(ANYTHING, max_size=8))
def test_arguments_are_legal_or_refused_in_the_usual_ways(name: str, arguments: list[object]) -> None:
    letters = TABLE[name].letters
    try:
        values = check_arguments(name, letters, arguments)
    except (TypeError, OverflowError, ValueError) as err:
        assert str(err).startswith(f"{name}()")
        return
    assert len(values) == len(arguments) <= len(letters)
    for letter, value in zip(letters, values):
        expected = {"D": float, "I": int, "S": str}[letter.upper()]
        assert isinstance(value, expected)
