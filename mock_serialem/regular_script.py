"""SerialEM's own scripts, as far as a Python script calls them: lines of commands, assignments, functions, Return.

Branches and loops of the script language are refused by name: a part of a script that silently did not run would be
worse than none.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mock_serialem.commands import REGISTRY, TABLE, CommandInfo, Value, fill_defaults
from mock_serialem.errors import CommandError

if TYPE_CHECKING:
    from mock_serialem.session import Session

_CONTROL = frozenset(
    "if elseif else endif loop endloop while dowhile repeat break continue skipto goto try catch endtry until".split()
)
_TITLES = frozenset("scriptname macroname longname readonly toolbarfillcolor toolbaroutlinecolor".split())
_VARIABLE = re.compile(r"\$\{(\w+)\}|\$(\w+)")
_ASSIGNMENT = re.compile(r"^\s*(\w+)\s+(:?@?=)\s*(.*)$")
_OPERATORS = {ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv}
_MOST_LEVELS = 20


@dataclass
class StoredScript:
    """One script of the program."""

    name: str
    text: str

    @property
    def is_python(self) -> bool:
        """It is a Python script."""
        lines = (line.strip() for line in self.text.splitlines())
        return next((line for line in lines if line.strip("# ")), "").lower().startswith("#!python")


@dataclass
class ScriptLibrary:
    """The numbered scripts that SerialEM keeps.

    Attributes
    ----------
    scripts : dict of int to StoredScript
        By number from 1.
    level : int
        Depth of calls at present.
    """

    scripts: dict[int, StoredScript] = field(default_factory=dict)
    level: int = 0

    def add(self, name: str, text: str) -> int:
        """Store a script under the next free number, and return that."""
        number = max(self.scripts, default=0) + 1
        self.scripts[number] = StoredScript(name, text)
        return number

    def find(self, name: str) -> StoredScript:
        """Script by name (any case) or number; CommandError if there is none."""
        for number, script in self.scripts.items():
            if script.name.lower() == name.strip().lower() or name.strip() == str(number):
                return script
        raise CommandError(f"There is no script {name}")


def call(session: Session, name: str, text: str = "", numbers: Sequence[float] = ()) -> tuple[Value, ...]:
    """Run a script, or ``script::function``, and return what it returns.

    Raises
    ------
    CommandError
        No such script or function, a Python script, or an error in it.
    """
    script_name, _, function = name.partition("::")
    if not function and numbers:
        script_name, function = "", name
    library = session.scripts
    candidates = [library.find(script_name)] if script_name else list(library.scripts.values())
    for script in candidates:
        if script.is_python:
            if script_name:
                raise CommandError(f"A Python script cannot call the Python script {script.name}")
            continue
        body = _body(script.text, function)
        if body is not None:
            return run(session, body, _parameters(script.text, function, text, numbers))
    raise CommandError(f"There is no function {function or name}")


def _function_line(line: str) -> list[str]:
    words = line.split()
    return words if words and words[0].lower() == "function" else []


def _body(text: str, function: str) -> list[str] | None:
    """Lines of a function, or those outside all functions for an empty name."""
    found: list[str] | None = None if function else []
    inside = ""
    for line in text.splitlines():
        words = _function_line(line)
        if words:
            inside = words[1].lower() if len(words) > 1 else ""
            found = [] if inside == function.lower() and function else found
        elif line.strip().lower() == "endfunction":
            inside = ""
        elif inside == function.lower() and found is not None:
            found.append(line)
    return found


def _parameters(text: str, function: str, string: str, numbers: Sequence[float]) -> dict[str, str]:
    """Names of a function's arguments (numbers first, then one text) with their values."""
    values = [f"{value:.12g}" for value in numbers] + ([string] if string else [])
    for line in text.splitlines():
        words = _function_line(line)
        if len(words) > 1 and words[1].lower() == function.lower():
            return dict(zip(words[4:], values))
    return {}


def run(session: Session, lines: Sequence[str], parameters: dict[str, str]) -> tuple[Value, ...]:
    """Run the lines of a script; return the values of its ``Return``.

    Raises
    ------
    CommandError
        A line fails, or needs something that is not simulated.
    """
    library = session.scripts
    if library.level >= _MOST_LEVELS:
        raise CommandError("Scripts call each other too deeply")
    library.level += 1
    try:
        for name, value in parameters.items():
            session.variables.report(name, value)
        for line in lines:
            returned = _line(session, line)
            if returned is not None:
                return returned
        return ()
    finally:
        library.level -= 1


def _line(session: Session, line: str) -> tuple[Value, ...] | None:
    """Run one line; the values of a ``Return`` end the script."""
    line = line.strip()
    if not line or line.startswith("#"):
        return None
    assignment = _ASSIGNMENT.match(line)
    if assignment and assignment.group(1).lower() not in _CONTROL:
        name, kind, value = assignment.groups()
        value = _substituted(session, value)
        session.variables.report(name, value if "@" in kind else _evaluated(value))
        return None
    word, _, rest = line.partition(" ")
    rest = _substituted(session, rest.strip())
    if word.lower() in _TITLES:
        return None
    if word.lower() in _CONTROL:
        raise CommandError(f"{word} of the script language is not simulated")
    if word.lower() == "return":
        return tuple(rest.split()[:6])
    _command(session, word, rest)
    return None


def _substituted(session: Session, text: str) -> str:
    return _VARIABLE.sub(lambda match: _shown(session, match.group(1) or match.group(2)), text)


def _shown(session: Session, name: str) -> str:
    value = session.variables.get(name)
    return value if isinstance(value, str) else f"{value:.12g}"


def _evaluated(text: str) -> str:
    """Value of an arithmetic expression; anything else is a text."""
    try:
        return f"{_arithmetic(ast.parse(text.strip(), mode='eval').body):.12g}"
    except (SyntaxError, ValueError, ZeroDivisionError):
        return text


def _arithmetic(node: ast.expr) -> float:
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        return float(node.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_arithmetic(node.operand)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return float(_OPERATORS[type(node.op)](_arithmetic(node.left), _arithmetic(node.right)))
    raise ValueError("not arithmetic")


def _command(session: Session, word: str, rest: str) -> None:
    info = next((each for each in TABLE.values() if each.name.lower() == word.lower()), None)
    if info is None:
        raise CommandError(f"{word} is not a command")
    registered = REGISTRY.get(info.canonical)
    if registered is None:
        raise CommandError(f"{info.canonical} is a command of SerialEM that is not simulated")
    arguments = fill_defaults(registered, info.letters, _arguments(info, rest))
    result = registered.handler(session, *arguments)
    values = () if result is None else result if isinstance(result, tuple) else (result,)
    for place, value in enumerate(values[:6], start=1):
        session.variables.report(f"reportedValue{place}", value)
        session.variables.report(f"repVal{place}", value)


def _arguments(info: CommandInfo, rest: str) -> list[Value]:
    """Split the rest of a line by the command's letters; a final text takes all that is left."""
    out: list[Value] = []
    for place, letter in enumerate(info.letters):
        rest = rest.strip()
        if not rest:
            break
        if letter in "Ss" and place == len(info.letters) - 1:
            out.append(rest)
            rest = ""
            break
        word, _, rest = rest.partition(" ")
        if letter in "Ss":
            out.append(word)
            continue
        try:
            out.append(int(float(word)) if letter in "Ii" else float(word))
        except ValueError as err:
            raise CommandError(f"{info.name}: {word} is not a number") from err
    if len(out) < info.min_args:
        raise CommandError(f"{info.name} needs {info.min_args} values")
    return out
