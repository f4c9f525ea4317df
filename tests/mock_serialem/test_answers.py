from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mock_serialem.answers import Drag, Operator, Rule, operator_from, read_operator, read_targets
from mock_serialem.module import make_module
from mock_serialem.session import Session
from mock_serialem.tables import TableError

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


def test_an_unanswered_question_is_quoted_even_with_message_boxes(make_session: MakeSession) -> None:
    session = make_session()
    sem = make_module(session)
    with pytest.raises(sem.SEMerror, match="EnterString: the operator has no answer to: Name of the lamella"):
        sem.EnterString("name", "Name of the lamella")
    assert session.script.error == "EnterString: the operator has no answer to: Name of the lamella"
    assert session.log_lines[-1] == session.script.error


def test_without_defaults(make_session: MakeSession) -> None:
    sem = make_module(make_session(operator=Operator(yes=None)))
    with pytest.raises(sem.SEMerror, match="no answer to: Start"):
        sem.YesNoBox("Start?")
    assert sem.EnterDefaultedNumber(4, 0, "How many?") == 4.0
    sem = make_module(make_session(operator=Operator(strict=True)))
    for ask in (
        lambda: sem.OKBox("Ready"),
        lambda: sem.EnterDefaultedNumber(4, 0, "Ready"),
        sem.UserSetDirectory,
    ):
        with pytest.raises(sem.SEMerror, match="no answer to"):
            ask()


def test_rules() -> None:
    rules = [
        Rule("KeyBreak", "^B$", (False, True), repeat=False),
        Rule("EnterString", "lamella", ("L3",)),
        Rule("", "again", (1, 2), repeat=False),
    ]
    operator = Operator({"again": 3}, rules=rules)
    assert [operator.key_pressed("b") for _ in range(3)] == [False, True, False]
    assert operator.answer("enterstring", "Name of the LAMELLA") == "L3"
    assert operator.answer("YesNoBox", "lamella") is None
    assert [operator.answer("EnterOneNumber", "and again") for _ in range(3)] == [1, 2, 3]
    assert not Operator(rules=[Rule()]).key_pressed("B")


def test_an_operator_file(tmp_path: Path, make_session: MakeSession) -> None:
    (tmp_path / "picked.txt").write_text("# name x y z\nt1 1.5 -2\n\nt2 0 1 0.5  # high\n", encoding="utf-8")
    path = tmp_path / "answers.toml"
    path.write_text(
        """
yes = false
thinking_s = 0
folder = "area1"
targets = "picked.txt"
[[answer]]
command = "ThreeChoiceBox"
value = "Skip"
[[answer]]
prompt = "tilt"
values = [1, 2.5, "3"]
[[answer]]
command = "OKBox"
drag_onto = ["t1", "nearest", "t2"]
[[answer]]
command = "Pause"
drag_um = [0.5, -0.2]
""",
        encoding="utf-8",
    )
    operator = read_operator(path)
    assert [rule.drags for rule in operator.rules[2:]] == [
        (Drag(onto="t1", point_um=(1.5, -2.0)), Drag(), Drag(onto="t2", point_um=(0.0, 1.0, 0.5))),
        (Drag(by_um=(0.5, -0.2)),),
    ]
    session = make_session(operator=operator)
    sem = make_module(session)
    assert sem.YesNoBox("Start?") == 0.0
    assert [sem.EnterOneNumber("Start tilt") for _ in range(3)] == [1.0, 2.5, 3.0]
    sem.MakeDirectory("area1")
    assert sem.UserSetDirectory() == str(session.directory) and session.directory.name == "area1"
    for name, text in (("h", "What now?"), ("a", "first"), ("b", "Go\nSkip")):
        sem.SetVariable(name, text)
    assert sem.ThreeChoiceBox("h", "a", "b") == 2.0


BAD = [
    ({"yes": 1}, "yes"),
    ({"maybe": True}, "maybe"),
    ({"answer": [{"command": "Pause", "valeu": 1}]}, "valeu"),
    ({"answer": [{"prompt": "("}]}, "regular expression"),
    ({"answer": [{"value": 1, "values": [1]}]}, "exclude"),
    ({"answer": [{"values": []}]}, "values"),
    ({"answer": [{"drag_onto": "nowhere"}]}, "nowhere"),
    ({"answer": [{"drag_um": [1]}]}, "2 numbers"),
    ({"answer": [{"drag_um": [1, 2], "drag_onto": "nearest"}]}, "exclude"),
    ({"answer": [3]}, r"\[\[answer\]\]"),
    ({"targets": {"t": [1]}}, "target t"),
]


@pytest.mark.parametrize(("table", "named"), BAD)
def test_bad_tables_are_refused_by_name(table: dict[str, object], named: str) -> None:
    with pytest.raises(TableError, match=named):
        operator_from(table)


def test_bad_files_of_targets(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    with pytest.raises(TableError, match=r"t\.txt"):
        read_targets(path)
    for text in ("a 1\n", "a b c\n", "a 1 2 3 4\n"):
        path.write_text("ok 1 2\n" + text, encoding="utf-8")
        with pytest.raises(TableError, match="line 2"):
            read_targets(path)
