"""Graphs of arrays, and fits to them."""

from __future__ import annotations

from types import ModuleType

import pytest


def test_arrays_of_a_graph_are_checked(sem: ModuleType) -> None:
    sem.SetVariable("x", "1\n2\n3")
    sem.SetVariable("y", "4\n5\n6")
    sem.SetVariable("short", "4\n5")
    sem.SetVariable("words", "a\nb\nc")
    sem.SetGraphAxisLabel("tilt")
    sem.SetGraphTypes(0, 1)
    sem.SetGraphOptions("title")
    sem.GraphValuesInArrays(0, "x", "y")
    sem.CloseAllGraphs()
    for name in ("short", "words", "nothing"):
        with pytest.raises(sem.SEMerror):
            sem.GraphValuesInArrays(0, "x", name)


def test_linear_fits(sem: ModuleType) -> None:
    sem.SetVariable("x", "0\n1\n2\n3")
    sem.SetVariable("falling", "5\n3\n1\n-1")
    sem.SetVariable("u", "0\n1\n0\n1")
    sem.SetVariable("plane", "1\n7\n5\n11")
    assert sem.LinearFitToVars("x", "falling") == pytest.approx((4.0, -2.0, 5.0, -1.0))
    # plane = 2 x + 4 u + 1
    assert sem.LinearFitToVars("x", "u", "plane") == pytest.approx((4.0, 2.0, 4.0, 1.0))
    sem.SetVariable("short", "1")
    for names in (("x", "short"), ("short", "short"), ("x", "nothing")):
        with pytest.raises(sem.SEMerror):
            sem.LinearFitToVars(*names)
