"""Arrays out of buffers and into them."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest

from mock_serialem.module import make_module
from mock_serialem.session import Session


@pytest.mark.parametrize("fidelity", ["kinematic", "rendered"])
@pytest.mark.parametrize("shot", ["T", "V"])
def test_an_array_is_as_large_as_the_program_says(
    make_session: Callable[..., Session], fidelity: str, shot: str
) -> None:
    sem = make_module(make_session(fidelity=fidelity))
    getattr(sem, shot)()
    columns, rows = sem.ImageProperties("A")[:2]
    array = np.asarray(sem.bufferImage("A"))
    assert array.shape == (rows, columns) and array.flags.c_contiguous
    assert array.mean() == pytest.approx(sem.ReportMeanCounts("A"), rel=0.02)


def test_a_part_of_a_kinematic_image_is_as_large_as_it_was_cut(sem: ModuleType) -> None:
    sem.V()
    part = np.ascontiguousarray(np.asarray(sem.bufferImage("A"))[100:300, 50:450])
    sem.PutImageInBuffer(part, "P", 400, 200, "A")
    assert sem.ImageProperties("P")[:2] == (400.0, 200.0)
    assert sem.ImageProperties("P")[4] == sem.ImageProperties("A")[4]
    np.testing.assert_array_equal(sem.bufferImage("P"), part)
