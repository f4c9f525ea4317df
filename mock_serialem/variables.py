"""SerialEM's script variables: regular ones live for a script, persistent ones until the program ends."""

from __future__ import annotations

from dataclasses import dataclass

from mock_serialem.errors import CommandError


@dataclass(frozen=True)
class Variable:
    """One variable.

    Attributes
    ----------
    text : str
        Value; elements of an array are separated by newlines.
    numeric : bool
        The program stored it as a number, so that Python gets a float.
    persistent : bool
    """

    text: str
    numeric: bool = False
    persistent: bool = False


class Variables:
    """All script variables; names are case-insensitive."""

    def __init__(self) -> None:
        self._table: dict[str, Variable] = {}

    def set(self, name: str, text: str, persistent: bool = False) -> None:
        """Set a variable from a script.

        Raises
        ------
        CommandError
            Name or value starts with ``$``, or the name is in use as the other kind.
        """
        if name.startswith("$") or text.startswith("$"):
            raise CommandError(f"The name or value of a variable cannot start with $: {name} = {text}")
        old = self._table.get(name.lower())
        if old is not None and old.persistent != persistent:
            kind = "persistent" if old.persistent else "regular"
            raise CommandError(f"Variable {name} is already defined as a {kind} variable")
        if persistent and old is not None and text == "":
            del self._table[name.lower()]
            return
        self._table[name.lower()] = Variable(text, persistent=persistent)

    def set_number(self, name: str, value: float, persistent: bool = False) -> None:
        """Set a numeric variable, stored as ``%f`` text.

        Raises
        ------
        CommandError
            The name is in use as the other kind.
        """
        old = self._table.get(name.lower())
        if old is not None and old.persistent != persistent:
            raise CommandError(f"Variable {name} is already defined as the other kind")
        self._table[name.lower()] = Variable(f"{value:f}", numeric=True, persistent=persistent)

    def report(self, name: str, value: float | str) -> None:
        """Set a variable by the program itself: numbers stay numbers, texts are texts."""
        if isinstance(value, str):
            self._table[name.lower()] = Variable(value)
        else:
            self._table[name.lower()] = Variable(repr(float(value)), numeric=True)

    def get(self, name: str) -> float | str:
        """Value as Python gets it.

        Raises
        ------
        CommandError
            The variable is not defined.
        """
        variable = self._table.get(name.lower())
        if variable is None:
            raise CommandError(f"The variable {name} is not defined")
        return float(variable.text) if variable.numeric else variable.text

    def is_defined(self, name: str) -> bool:
        """Tell whether a variable of this name exists."""
        return name.lower() in self._table

    def make_persistent(self, name: str, flag: bool) -> None:
        """Turn a regular variable into a persistent one, or back.

        Raises
        ------
        CommandError
            The variable is not defined.
        """
        old = self._table.get(name.lower())
        if old is None:
            raise CommandError(f"The variable {name} is not defined")
        self._table[name.lower()] = Variable(old.text, old.numeric, flag)

    def clear(self, persistent: bool) -> None:
        """Remove all variables of one kind."""
        self._table = {k: v for k, v in self._table.items() if v.persistent != persistent}

    def listing(self, persistent: bool | None = None) -> list[str]:
        """Lines ``NAME = value`` of all variables or of one kind, by name."""
        return [
            f"{name.upper()} = {variable.text}"
            for name, variable in sorted(self._table.items())
            if persistent is None or variable.persistent == persistent
        ]
