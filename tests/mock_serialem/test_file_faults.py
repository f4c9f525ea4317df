from __future__ import annotations

from types import ModuleType

import pytest

from mock_serialem.commands import TABLE
from mock_serialem.file_faults import _CURRENT, _NAMED, touched
from mock_serialem.session import Session


def test_the_table_fits_the_commands() -> None:
    for name, (place, _) in _NAMED.items():
        assert TABLE[name].letters[place] in "Ss", name
    assert all(name in TABLE for name in _CURRENT)


def test_files_of_commands(sem: ModuleType, session: Session) -> None:
    folder = session.directory
    assert touched(session, "Save", ()) is None
    assert touched(session, "TiltTo", (3.0,)) is None
    assert touched(session, "SaveNavigator", ()) is None
    sem.OpenNewFile("a.mrc")
    sem.OpenNewFile("b.mrc")
    sem.OpenTextFile("id", "W", 0, "t.txt")
    stack, beside = folder / "b.mrc", folder / "b.mrc.mdoc"
    first = (folder / "a.mrc", folder / "a.mrc.mdoc")
    cases = [
        ("OpenNewFile", ("x.mrc",), (folder / "x.mrc",), True),
        ("ReadOtherFile", (0, "A", "x.mrc"), (folder / "x.mrc",), False),
        ("Save", ("A",), (stack, beside), True),
        ("Save", ("A", 1), first, True),
        ("ReadFile", (0,), (stack, beside), False),
        ("WriteLineToFile", ("ID", "text"), (folder / "t.txt",), True),
        ("OpenTextFile", ("i", "a", 0, "u.txt"), (folder / "u.txt",), True),
        ("OpenTextFile", ("i", "r", 0, "u.txt"), (folder / "u.txt",), False),
        ("SaveNavigator", ("n.nav",), (folder / "n.nav",), True),
    ]
    for name, args, paths, writes in cases:
        assert touched(session, name, args) == (paths, writes), name
    sem.CloseTextFile("id")
    assert touched(session, "WriteLineToFile", ("id", "text")) is None


@pytest.mark.parametrize("name", ["SaveLog", "SaveLogOpenNew"])
def test_the_log_once_it_has_a_name(sem: ModuleType, session: Session, name: str) -> None:
    assert touched(session, name, ()) is None
    sem.SaveLog(0, "log.txt")
    assert touched(session, name, ()) == ((session.directory / "log.txt",), True)


def test_files_that_are_written_by_the_way(sem: ModuleType, session: Session) -> None:
    folder = session.directory
    sem.OpenNavigator()
    assert touched(session, "NewMap", ()) is None and touched(session, "MultipleRecords", ()) is None
    sem.OpenNewFile("a.mrc")
    stack = (folder / "a.mrc", folder / "a.mrc.mdoc")
    sem.R()
    assert touched(session, "NewMap", ()) == (stack, True)
    assert touched(session, "MultipleRecords", (2,)) == (stack, True)
    assert touched(session, "MultipleRecords", (2, 1, 0.5, 0.0, 0)) is None
    sem.S()
    assert touched(session, "NewMap", ()) is None
    assert touched(session, "AddTitleToFile", (1, "text")) == (stack, True)
    assert touched(session, "SetupFullMontage", (0.1, "m.mrc")) == ((folder / "m.mrc",), True)
    assert touched(session, "SetupPolygonMontage", (1, 0.1, "p.mrc")) == ((folder / "p.mrc",), True)
    assert touched(session, "OpenNavigator", ("n.nav",)) == ((folder / "n.nav",), False)
    assert touched(session, "WriteFrameMdoc", ()) is None
    sem.OpenFrameMdoc("f.mdoc")
    assert touched(session, "WriteFrameMdoc", ()) == ((folder / "f.mdoc",), True)
