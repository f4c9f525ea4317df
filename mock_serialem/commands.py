"""The table of SerialEM's commands, the registry of simulated ones, and the checks on arguments.

`TABLE` has every command of the ``serialem`` module as facts: argument letters, alias, first release, code on the
socket. A handler registers itself with `command`; a name in the table without handler is known but not simulated.

Argument letters: ``D`` number, ``I`` integer, ``S`` text; capitals are required, lower-case ones optional.
This module needs the standard library only, because the socket client imports it in every script.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Optional, Union

Value = Union[float, str]
Result = Optional[Union[float, str, tuple[Value, ...]]]
Handler = Callable[..., Result]

NOT_GIVEN = -9e7
"""Numbers below this stand for an argument that is not given."""

_INT32_MAX = 2**31 - 1
_INT32_MIN = -(2**31)


class CommandInfo(NamedTuple):
    """One row of the command table.

    Attributes
    ----------
    name : str
        As SerialEM spells it.
    letters : str
        One letter per argument.
    same_as : str
        The long name that this one-letter name stands for, or empty.
    since : str
        Release series in which the command appeared, such as ``"4.1"``.
    code : int or None
        Index of the command on the socket; None if the published module does not have it.
    """

    name: str
    letters: str
    same_as: str
    since: str
    code: int | None

    @property
    def min_args(self) -> int:
        """Number of required arguments."""
        return sum(letter.isupper() for letter in self.letters)

    @property
    def canonical(self) -> str:
        """The name under which the handler is registered."""
        return self.same_as or self.name


class Registered(NamedTuple):
    """A simulated command: its handler and the handler's defaults by argument position."""

    handler: Handler
    defaults: tuple[Any, ...]


def _read_table() -> dict[str, CommandInfo]:
    table: dict[str, CommandInfo] = {}
    path = Path(__file__).with_name("data") / "commands.tsv"
    for line in path.read_text(encoding="ascii").splitlines():
        if line.startswith("#"):
            continue
        name, letters, same_as, since, code = line.split("\t")
        table[name] = CommandInfo(name, letters, same_as, since, int(code) if code else None)
    return table


TABLE: dict[str, CommandInfo] = _read_table()
BY_CODE: dict[int, CommandInfo] = {info.code: info for info in TABLE.values() if info.code is not None}
REGISTRY: dict[str, Registered] = {}


def command(*names: str) -> Callable[[Handler], Handler]:
    """Register a handler under one or more long command names.

    The handler takes the session and then the command's arguments; each argument with a lower-case letter needs a
    default, which also replaces an argument that is "not given" in the middle of the list.

    Raises
    ------
    KeyError
        SerialEM has no such command, or the name is an alias.
    ValueError
        The handler's signature does not fit the argument letters, or the name is taken.
    """

    def register(handler: Handler) -> Handler:
        parameters = list(inspect.signature(handler).parameters.values())[1:]
        variadic = bool(parameters) and parameters[-1].kind is inspect.Parameter.VAR_POSITIONAL
        fixed = parameters[:-1] if variadic else parameters
        defaults = tuple(parameter.default for parameter in fixed)
        required = sum(default is inspect.Parameter.empty for default in defaults)
        for name in names:
            info = TABLE[name]
            if info.same_as or name in REGISTRY:
                raise ValueError(f"{name} cannot be registered (again)")
            fits = required == info.min_args and len(fixed) == len(info.letters)
            if not (fits or (variadic and required <= info.min_args)):
                raise ValueError(f"{name} has letters {info.letters!r}; its handler does not fit")
            REGISTRY[name] = Registered(handler, defaults)
        return handler

    return register


def is_simulated(name: str) -> bool:
    """Tell whether the command of this name (alias or long) has a handler."""
    info = TABLE.get(name)
    return info is not None and info.canonical in REGISTRY


def check_count(name: str, letters: str, given: int) -> None:
    """Raise the TypeError of the real module for a wrong number of positional arguments."""
    lowest = sum(letter.isupper() for letter in letters)
    highest = len(letters)
    if lowest <= given <= highest:
        return
    if highest == 0:
        raise TypeError(f"{name}() takes no arguments ({given} given)")
    bound = "exactly" if lowest == highest else ("at least" if given < lowest else "at most")
    limit = lowest if given < lowest else highest
    raise TypeError(f"{name}() takes {bound} {limit} argument{'' if limit == 1 else 's'} ({given} given)")


def check_arguments(name: str, letters: str, args: Sequence[object]) -> list[Value]:
    """Check and convert positional arguments as the real module does before anything is sent.

    Returns
    -------
    list of float, int or str
        Numbers for ``D``, real ints for ``I``, text for ``S``.

    Raises
    ------
    TypeError
        Wrong count or type; the text starts with the command's name.
    OverflowError
        An integer outside 32 bits.
    """
    check_count(name, letters, len(args))
    values: list[Value] = []
    for place, (letter, arg) in enumerate(zip(letters, args), start=1):
        if letter in "Dd":
            values.append(_number(name, place, arg))
        elif letter in "Ii":
            values.append(_integer(name, place, arg))
        else:
            if not isinstance(arg, str):
                raise TypeError(f"{name}() argument {place} must be str, not {type(arg).__name__}")
            if "\0" in arg:
                raise ValueError(f"{name}() argument {place}: embedded null character")
            values.append(arg)
    return values


def _number(name: str, place: int, arg: object) -> float:
    if type(arg) is float:
        return arg
    if not (hasattr(type(arg), "__float__") or hasattr(type(arg), "__index__")):
        raise TypeError(f"{name}() argument {place} must be real number, not {type(arg).__name__}")
    # An array has __float__ too, but only one with a single value and no axis is a number; a NumPy text is none.
    if getattr(arg, "ndim", 0) != 0 or isinstance(arg, (str, bytes)):
        raise TypeError(f"{name}() argument {place} must be real number, not {type(arg).__name__}")
    try:
        return float(arg)  # type: ignore[arg-type]
    except (TypeError, OverflowError) as err:
        raise type(err)(f"{name}() argument {place}: {err}") from err


def _integer(name: str, place: int, arg: object) -> int:
    index = getattr(type(arg), "__index__", None)
    if index is None or getattr(arg, "ndim", 0) != 0:
        kind = type(arg).__name__
        raise TypeError(f"{name}() argument {place}: '{kind}' object cannot be interpreted as an integer")
    try:
        value = int(index(arg))
    except TypeError as err:
        raise TypeError(f"{name}() argument {place}: {err}") from err
    if value > _INT32_MAX:
        raise OverflowError(f"{name}() argument {place}: signed integer is greater than maximum")
    if value < _INT32_MIN:
        raise OverflowError(f"{name}() argument {place}: signed integer is less than minimum")
    return value


def fill_defaults(registered: Registered, letters: str, args: Sequence[Value]) -> list[Any]:
    """Replace optional arguments that stand for "not given" by the handler's defaults.

    A number below -9e7 and an empty text count as not given.
    """
    filled: list[Any] = list(args)
    for place, (letter, arg) in enumerate(zip(letters, args)):
        if letter.isupper() or place >= len(registered.defaults):
            continue
        if arg == "" or (not isinstance(arg, str) and arg < NOT_GIVEN):
            filled[place] = registered.defaults[place]
    return filled


def python_result(values: tuple[Value, ...] | None, always_tuple: bool = False) -> Result:
    """Turn reported values into what Python gets: None, float, str, or a tuple of floats and texts.

    Numbers at or below -9e7 are dropped, and there are at most six values. With `always_tuple` a single number
    becomes a 1-tuple; a single text stays a text.
    """
    if values is None:
        return None
    kept = tuple(v if isinstance(v, str) else float(v) for v in values if isinstance(v, str) or v > NOT_GIVEN)
    if not kept:
        return None
    if len(kept) == 1:
        if always_tuple and not isinstance(kept[0], str):
            return kept
        return kept[0]
    return kept[:6]
