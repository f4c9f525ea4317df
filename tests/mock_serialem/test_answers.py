from __future__ import annotations

from collections.abc import Callable

import pytest

from mock_serialem.answers import Operator
from mock_serialem.module import make_module
from mock_serialem.session import Session

MakeSession = Callable[..., Session]


def test_without_answers_yes_and_the_default(make_session: MakeSession) -> None:
    session = make_session()
    sem = make_module(session)
    assert sem.YesNoBox("Start?") == 1.0
    assert sem.OKBox("Ready") is None
    assert sem.Pause() == 1.0
    assert sem.EnterDefaultedNumber(4.5, 2, "How many?") == 4.5
    assert sem.UserSetDirectory("Where?") == str(session.directory)
    assert sem.KeyBreak() == 0.0
    assert sem.ChooserForTextFile(0) == "NONE"
    assert session.world.activities["wait"] > 10


def test_a_free_question_without_answer_fails_with_its_text(make_session: MakeSession) -> None:
    sem = make_module(make_session())
    sem.NoMessageBoxOnError()
    with pytest.raises(sem.SEMerror, match="no answer to: Name of the lamella"):
        sem.EnterString("name", "Name of the lamella")
    with pytest.raises(sem.SEMerror, match="no answer to: Which"):
        sem.EnterOneNumber("Which")


def test_prepared_answers(make_session: MakeSession) -> None:
    answers = {
        "EnterString.*name": "L3",
        "OneNumber": 7,
        "really": False,
        "how many": "12",
        "enterdefaulted.*bad": "many",
        "UserSetDirectory": "deeper",
        "Pause": False,
    }
    session = make_session(operator=Operator(answers, keys="bx"))
    sem = make_module(session)
    sem.EnterString("v", "the Name")
    assert sem.GetVariable("v") == "L3"
    assert sem.EnterOneNumber("x") == 7.0
    assert sem.YesNoBox("Really?") == 0.0
    assert sem.EnterDefaultedNumber(1, 0, "How many?") == 12.0
    with pytest.raises(sem.SEMerror):
        sem.EnterDefaultedNumber(1, 0, "bad")
    with pytest.raises(sem.SEMerror):
        sem.EnterDefaultedNumber(1, 0, "really")
    with pytest.raises(sem.SEMerror):
        sem.Pause("go on?")
    sem.MakeDirectory("deeper")
    assert sem.UserSetDirectory("x") == str(session.directory)
    assert session.directory.name == "deeper"
    assert [sem.KeyBreak(key) for key in ("B", "B", "x", "q")] == [1.0, 0.0, 1.0, 0.0]


def test_choices(make_session: MakeSession) -> None:
    session = make_session(operator=Operator({"two ways": "Right", "many": 3, "number": 2}))
    sem = make_module(session)
    for name, text in (("h", "Two ways"), ("a", "first"), ("b", "second"), ("n", "number"), ("m", "so many")):
        sem.SetVariable(name, text)
    sem.SetVariable("buttons", "Left\nRight\nBoth")
    assert sem.ThreeChoiceBox("h", "a", "b", "buttons") == 2.0
    assert sem.ThreeChoiceBox("n", "a", "b", "buttons") == 2.0
    assert sem.ThreeChoiceBox("a", "a", "b", "buttons") == 1.0
    assert sem.ManyChoiceBox(1, "m", "buttons", "buttons") == (3.0, 0.0)


def test_a_cancelled_directory(make_session: MakeSession) -> None:
    sem = make_module(make_session(operator=Operator({"UserSetDirectory": False})))
    assert sem.UserSetDirectory() == "Cancel"


def test_status_lines(make_session: MakeSession) -> None:
    session = make_session()
    sem = make_module(session)
    assert sem.SetStatusLine(2, "two") is None
    assert sem.SetStatusLine(0, "free") == (1.0, 0.0)
    assert session.status_lines == {1: "free", 2: "two"}
    sem.ClearStatusLine(2)
    sem.ClearStatusLine(0)
    assert session.status_lines == {}
    with pytest.raises(sem.SEMerror):
        sem.SetStatusLine(7, "x")
