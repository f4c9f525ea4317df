"""Codes packed into bits."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mock_serialem.files.bits import bits_of

codes = st.lists(st.integers(1, 32).flatmap(lambda n: st.tuples(st.integers(0, 2**n - 1), st.just(n))))


@given(codes)
def test_the_highest_bit_comes_first(pairs: list[tuple[int, int]]) -> None:
    made = bits_of(np.array([c for c, _ in pairs], np.int64), np.array([n for _, n in pairs], np.int64))
    assert "".join(map(str, made)) == "".join(format(c, f"0{n}b") for c, n in pairs)
