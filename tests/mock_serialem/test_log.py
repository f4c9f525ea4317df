from __future__ import annotations

from types import ModuleType

import pytest

from mock_serialem.log import Log, LogLine
from mock_serialem.session import Session


def test_lines_and_breaks(sem: ModuleType, session: Session) -> None:
    sem.Echo("a\nb")
    sem.Echo("c\r\nd")
    sem.EchoBreakLines("e\nf\\ng")
    sem.EchoNoLineEnd("h")
    sem.Echo("i")
    sem.EchoReplaceLine("j")
    sem.Echo()
    assert session.log_lines == ["a  b", "c", "d", "e", "f", "g", "j", ""]


def test_a_style_is_for_the_next_output_only(sem: ModuleType, session: Session) -> None:
    sem.SetNextLogOutputStyle(1, 2)
    sem.Echo("bold and red")
    sem.Echo("plain")
    sem.SetNextLogOutputStyle(4, 10, 20, 30)
    sem.Echo("own colour")
    assert session.log.entries[-3:] == [
        LogLine("bold and red", 1, (2,)),
        LogLine("plain"),
        LogLine("own colour", 4, (10, 20, 30)),
    ]
    with pytest.raises(sem.SEMerror):
        sem.SetNextLogOutputStyle(9)


def test_saving(sem: ModuleType, session: Session) -> None:
    assert session.log_file is None
    with pytest.raises(sem.SEMerror):
        sem.SaveLog()
    sem.Echo("größe")
    sem.SaveLog(1, "run.log")
    assert session.log_file == session.directory / "run.log"
    content = (session.directory / "run.log").read_bytes().decode()
    assert content.endswith("größe\r\n")
    sem.Echo("more")
    sem.CloseLogOpenNew(1)
    assert (session.directory / "run.log").read_text().splitlines()[-1] == "more"
    assert session.log_lines == [] and session.log_file is None
    sem.SaveLogOpenNew("second.log")
    sem.Echo("again")
    sem.SaveLog()
    assert (session.directory / "second.log").read_text() == "again\n"
    with pytest.raises(sem.SEMerror):
        sem.SaveLog(1, "missing/x.log")


def test_a_listener_hears_every_line() -> None:
    log, heard = Log(), []
    log.listener = heard.append
    log.add("a\nb", 1)
    assert heard == [LogLine("a", 1), LogLine("b", 1)]
    assert log.lines == ["a", "b"]
