from __future__ import annotations

from types import ModuleType

import pytest

from mock_serialem.session import Session


def test_writing_and_reading(sem: ModuleType, session: Session) -> None:
    assert sem.OpenTextFile("out", "W", 0, "a.txt") is None
    assert sem.IsTextFileOpen("OUT") == 1.0 and sem.IsTextFileOpen("out", "b.txt") == 0.0
    sem.WriteLineToFile("out", "one two")
    sem.WriteLineToFile("out")
    sem.FlushTextFile("out")
    assert (session.directory / "a.txt").read_text() == "one two\n\n"
    with pytest.raises(sem.SEMerror):
        sem.ReadLineToString("out", "v")
    sem.CloseTextFile("out")
    assert sem.OpenTextFile("in", "T", 0, "a.txt") == 1.0
    assert sem.OpenTextFile("none", "T", 0, "missing.txt") == 0.0
    assert sem.ReadLineToArray("in", "v") == 1.0 and sem.GetVariable("v") == "one\ntwo"
    assert sem.ReadLineToString("in", "v") == 1.0 and sem.GetVariable("v") == ""
    assert sem.ReadLineToString("in", "v") == 0.0
    sem.ReadTextFile("words", "a.txt")
    assert sem.GetVariable("words") == "one\ntwo"
    sem.ReadStringsFromFile("lines", "a.txt")
    assert sem.GetVariable("lines") == "one two\n"


def test_what_cannot_be_opened(sem: ModuleType, session: Session) -> None:
    (session.directory / "a.txt").write_text("x")
    cases = [("i", "W", "a.txt"), ("i", "R", "b.txt"), ("i", "X", "c.txt")]
    for identifier, mode, name in cases:
        with pytest.raises(sem.SEMerror):
            sem.OpenTextFile(identifier, mode, 0, name)
    sem.OpenTextFile("i", "A", 0, "a.txt")
    with pytest.raises(sem.SEMerror):
        sem.OpenTextFile("I", "R", 0, "a.txt")
    for call in (lambda: sem.CloseTextFile("j"), lambda: sem.ReadTextFile("v", "no.txt")):
        with pytest.raises(sem.SEMerror):
            call()


def test_persistent_files_stay_open_after_the_script(sem: ModuleType) -> None:
    sem.OpenTextFile("stay", "O", 1, "a.txt")
    sem.OpenTextFile("go", "O", 0, "b.txt")
    sem.Exit(1)
    assert sem.IsTextFileOpen("stay") == 1.0 and sem.IsTextFileOpen("go") == 0.0
    sem.CloseTextFile("stay")


def test_lines_end_as_the_program_ends_them(sem: ModuleType, session: Session) -> None:
    sem.OpenTextFile("id", "W", 0, "lines.txt")
    sem.WriteLineToFile("id", "one")
    sem.WriteLineToFile("id", "two")
    sem.CloseTextFile("id")
    assert (session.directory / "lines.txt").read_bytes() == b"one\r\ntwo\r\n"
    sem.OpenTextFile("id", "R", 0, "lines.txt")
    assert sem.ReadLineToString("id", "line") == 1.0 and sem.GetVariable("line") == "one"
