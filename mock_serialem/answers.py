"""Who sits at the microscope: the answers to SerialEM's questions.

A simulated session has nobody to ask, so an `Operator` answers at once: by the first rule that fits the question, else
yes to questions, the default to numbers, the session folder to directories. A question without answer and without
default fails the run with its text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Union

from mock_serialem.errors import UnansweredError
from mock_serialem.tables import TableError, numbers_of, read_table, take

Answer = Union[bool, float, str]

NEAREST = "nearest"
"""Name of the feature nearest to the image centre."""


@dataclass(frozen=True)
class Drag:
    """What a person does to the image in A before answering.

    Attributes
    ----------
    by_um : tuple of float, optional
        Move the image's content by this: X along the tilt axis, Y across it and up, specimen plane.
    onto : str
        Else bring this into the centre: a target's name, or `NEAREST`.
    point_um : tuple of float, optional
        Where that target is: X, Y and perhaps Z in the sample's frame, as in the truth log.
    """

    by_um: tuple[float, float] | None = None
    onto: str = NEAREST
    point_um: tuple[float, ...] | None = None


@dataclass
class Rule:
    """Answer to a kind of question.

    Attributes
    ----------
    command : str
        Command that asks (any case), empty for all.
    prompt : str
        Regular expression searched in the prompt (any case); for ``KeyBreak`` the prompt is the key.
    values : tuple of answer
        With `repeat` the first is given each time; else one after the other, and then the rule is used up.
        ``False`` means No, Cancel or not pressed, ``True`` Yes, OK or pressed.
    drags : tuple of Drag
        Done with each answer that is not ``False``; the last one again when there are more answers.
    repeat : bool
    """

    command: str = ""
    prompt: str = ""
    values: tuple[Answer, ...] = (True,)
    drags: tuple[Drag, ...] = ()
    repeat: bool = True
    _given: int = field(default=0, init=False)
    _dragged: int = field(default=0, init=False)

    def fits(self, command: str, prompt: str) -> bool:
        """Tell whether the rule answers this question."""
        if not self.repeat and self._given >= len(self.values):
            return False
        if self.command and self.command.lower() != command.lower():
            return False
        return re.search(self.prompt, prompt, re.IGNORECASE | re.DOTALL) is not None

    def give(self) -> tuple[Answer, Drag | None]:
        """Answer, and what is done to the image before."""
        value = self.values[0 if self.repeat else self._given]
        self._given += 1
        if value is False or not self.drags:
            return value, None
        drag = self.drags[min(self._dragged, len(self.drags) - 1)]
        self._dragged += 1
        return value, drag


def _no_hands(drag: Drag) -> None:
    """Without a session there is no image to drag."""


@dataclass
class Operator:
    """A person with prepared answers.

    Attributes
    ----------
    answers : mapping of str to answer
        Regular expressions searched in ``COMMAND: prompt`` (any case), in order, with the answer, as a short form of
        `rules`, which are looked through first.
    yes : bool or None
        Answer to yes/no questions without a rule; None for no default.
    thinking_s : float
        Simulated time an answer takes.
    keys : str
        Keys that ``KeyBreak`` will find pressed, each once.
    asked : list of str
        Questions so far, as ``COMMAND: prompt``.
    rules : sequence of Rule
    folder : str or None
        Answer to ``UserSetDirectory`` without a rule; None is the session folder.
    strict : bool
        There are no defaults at all.
    hands : callable
        Drags the image; set by the session.
    """

    answers: Mapping[str, Answer] = field(default_factory=dict)
    yes: bool | None = True
    thinking_s: float = 3.0
    keys: str = ""
    asked: list[str] = field(default_factory=list)
    rules: Sequence[Rule] = ()
    folder: str | None = None
    strict: bool = False
    hands: Callable[[Drag], None] = _no_hands

    def answer(self, command: str, prompt: str) -> Answer | None:
        """Note a question and return the prepared answer to it, None for the default.

        Raises
        ------
        UnansweredError
            There is neither.
        CommandError
            The image cannot be dragged as the rule says.
        """
        question = f"{command}: {prompt}"
        self.asked.append(question)
        for rule in self.rules:
            if rule.fits(command, prompt):
                return self._by_rule(rule)
        for pattern, answer in self.answers.items():
            if re.search(pattern, question, re.IGNORECASE | re.DOTALL):
                return answer
        if self.strict:
            raise UnansweredError(question)
        return self.folder if command == "UserSetDirectory" else None

    def answer_yes_no(self, command: str, prompt: str) -> bool:
        """Answer Yes or No; raises as `answer` does."""
        answer = self.answer(command, prompt)
        if answer is not None:
            return bool(answer)
        if self.yes is None:
            raise UnansweredError(f"{command}: {prompt}")
        return self.yes

    def key_pressed(self, key: str) -> bool:
        """Tell whether `key` was pressed since the last check; raises CommandError as `answer` does."""
        for rule in self.rules:
            # A rule for all questions is none for keys, which are looked for all the time.
            if rule.command and rule.fits("KeyBreak", key):
                return bool(self._by_rule(rule))
        place = self.keys.upper().find(key.upper())
        if place < 0:
            return False
        self.keys = self.keys[:place] + self.keys[place + 1 :]
        return True

    def _by_rule(self, rule: Rule) -> Answer:
        answer, drag = rule.give()
        if drag is not None:
            self.hands(drag)
        return answer


# --- the operator's file

_OPERATOR = {
    "yes": (bool,),
    "thinking_s": (float,),
    "keys": (str,),
    "folder": (str,),
    "strict": (bool,),
    "targets": (str, dict),
    "answer": (list,),
}
_RULE: dict[str, tuple[type, ...]] = {
    "command": (str,),
    "prompt": (str,),
    "value": (bool, float, str),
    "values": (list,),
    "drag_um": (list,),
    "drag_onto": (str, list),
}

Targets = Mapping[str, tuple[float, ...]]


def read_operator(path: Path) -> Operator:
    """Operator of a TOML file.

    Raises
    ------
    TableError
        The file, or the file of targets it names, cannot be used.
    """
    table = read_table(path)
    targets = table.get("targets", {})
    if isinstance(targets, str):
        table = {**table, "targets": read_targets(path.parent / targets)}
    return operator_from(table, path.name)


def operator_from(table: Mapping[str, Any], where: str = "operator") -> Operator:
    """Operator of a table with the names of the file.

    Raises
    ------
    TableError
        Unknown names, values of the wrong type, patterns or targets that do not exist.
    """
    given = take(table, _OPERATOR, where)
    given_targets = given.pop("targets", {})
    if not isinstance(given_targets, Mapping):
        raise TableError(f"{where}: targets is not a table of coordinates")
    targets = {
        name: numbers_of(point, (2, 3), f"{where}, target {name}") for name, point in given_targets.items()
    }
    rules = []
    for count, entry in enumerate(given.pop("answer", ()), start=1):
        if not isinstance(entry, Mapping):
            raise TableError(f"{where}: answer is not a list of tables; write [[answer]]")
        rules.append(_rule(entry, targets, f"{where}, answer {count}"))
    return Operator(rules=rules, **given)


def _rule(entry: Mapping[str, Any], targets: Targets, where: str) -> Rule:
    given = take(entry, _RULE, where)
    if "value" in given and "values" in given:
        raise TableError(f"{where}: value and values exclude each other")
    prompt = given.get("prompt", "")
    try:
        re.compile(prompt)
    except re.error as err:
        raise TableError(f"{where}: {prompt!r} is not a regular expression: {err}") from err
    values = tuple(given.get("values", (given.get("value", True),)))
    if not values or not all(isinstance(value, (bool, int, float, str)) for value in values):
        raise TableError(f"{where}: values must be texts, numbers, true or false")
    drags = _drags(given, targets, where)
    return Rule(given.get("command", ""), prompt, values, drags, repeat="values" not in given)


def _drags(given: Mapping[str, Any], targets: Targets, where: str) -> tuple[Drag, ...]:
    if "drag_um" in given and "drag_onto" in given:
        raise TableError(f"{where}: drag_um and drag_onto exclude each other")
    if "drag_um" in given:
        steps = given["drag_um"]
        steps = steps if steps and isinstance(steps[0], list) else [steps]
        pairs = [numbers_of(step, (2,), where) for step in steps]
        return tuple(Drag(by_um=(x, y)) for x, y in pairs)
    names = given.get("drag_onto", [])
    drags = []
    for name in [names] if isinstance(names, str) else names:
        if name != NEAREST and name not in targets:
            raise TableError(f"{where}: there is no target {name!r}")
        drags.append(Drag(onto=name, point_um=targets.get(name)))
    return tuple(drags)


def read_targets(path: Path) -> dict[str, tuple[float, ...]]:
    """Read sample coordinates: lines of a name and X, Y and perhaps Z in µm; blank lines and ``#`` are skipped.

    Raises
    ------
    TableError
        The file cannot be read, or a line is something else.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as err:
        raise TableError(f"{path} cannot be read: {err}") from err
    found: dict[str, tuple[float, ...]] = {}
    for count, line in enumerate(lines, start=1):
        words = line.split("#")[0].split()
        if not words:
            continue
        try:
            found[words[0]] = numbers_of([float(word) for word in words[1:]], (2, 3), "")
        except ValueError as err:
            raise TableError(f"{path}, line {count}: a name and two or three numbers are needed") from err
    return found
