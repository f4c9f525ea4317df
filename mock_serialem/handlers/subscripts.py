"""Calling the program's own scripts."""

from __future__ import annotations

from mock_serialem import regular_script
from mock_serialem.commands import Value, command
from mock_serialem.errors import CommandError
from mock_serialem.regular_script import StoredScript
from mock_serialem.session import Session

Values = tuple[Value, ...]


@command("Call")
def call(session: Session, name: str) -> Values:
    """Run a script by name, or ``script::function``."""
    return regular_script.call(session, name)


@command("CallScript", "CallMacro")
def call_script(session: Session, number: int) -> Values:
    """Run a script by number."""
    return regular_script.call(session, str(number))


@command("CallFunction")
def call_function(session: Session, name: str, text: str = "", *numbers: float) -> Values:
    """Run a function of a script with a text and numbers."""
    if "::" not in name:
        raise CommandError(f"{name} does not name the script of the function, as in script::function")
    return regular_script.call(session, name, text, numbers)


@command("CallStringArray")
def call_string_array(session: Session, variable: str, python: int = 0) -> Values:
    """Run the lines in a variable as a script."""
    text = str(session.variables.get(variable))
    if python or StoredScript("", text).is_python:
        raise CommandError("A Python script cannot run another one from an array")
    return regular_script.run(session, text.splitlines(), {})


@command("StringArrayToScript")
def string_array_to_script(session: Session, variable: str, number: int) -> None:
    """Store the lines in a variable as a script."""
    if not 1 <= number <= 80:
        raise CommandError(f"There is no script number {number}")
    lines = str(session.variables.get(variable))
    name = next(
        (line.split(None, 1)[1] for line in lines.splitlines() if _is_title(line)), f"Script {number}"
    )
    session.scripts.scripts[number] = StoredScript(name.strip(), lines)


def _is_title(line: str) -> bool:
    words = line.lstrip("#").split(None, 1)
    return len(words) == 2 and words[0].lower() in ("scriptname", "macroname")
