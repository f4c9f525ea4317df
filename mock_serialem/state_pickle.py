"""Pickling a session's parts: what never changes once it is made is written once and referred to by number."""

from __future__ import annotations

import copyreg
import io
import operator
import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mock_serialem.files.autodoc import Autodoc
from mock_serialem.files.mdoc import MdocFile
from mock_serialem.image import Image
from mock_serialem.sim.shot import Shot
from mock_serialem.state_file import StateError

if TYPE_CHECKING:
    from mock_serialem.session import Session

PROTOCOL = 5

LARGE_BYTES = 512
"""Arrays from this size on are images, which are never changed in place."""

_HOMES = ("mock_serialem", "numpy", "pathlib")
_ALSO = {("functools", "partial"), ("random", "Random"), ("datetime", "datetime"), ("builtins", "set")}


def stored(number: int) -> Any:
    """Stand for the object of a number in a pickle."""
    raise pickle.UnpicklingError(f"object {number} of a state is nowhere but in that state")


def the_session() -> Session:
    """Stand for the session itself in a pickle."""
    raise pickle.UnpicklingError("a session is nowhere but in its state")


def mdoc_of(fields: dict[str, Any], entries: dict[str, str], *sections: Sequence[Any]) -> MdocFile:
    """Put an mdoc together from runs of its sections."""
    mdoc = MdocFile.__new__(MdocFile)
    mdoc.__dict__.update(fields)
    mdoc.autodoc = Autodoc(entries, [section for run in sections for section in run])
    return mdoc


_LEAVES = frozenset((bool, int, float, str, bytes, tuple, frozenset, type(None), type(Path())))


def leaves(value: Any) -> list[Any]:
    """All objects that a value consists of, in a fixed order; what has the very same ones has not changed.

    Tuples and frozen dataclasses are taken to hold nothing that can change.
    """
    found: list[Any] = []
    # A dictionary is taken for a list of things that belong together, and may be made for the occasion.
    _gather(value.values() if type(value) is dict else (value,), found)
    return found


def _gather(values: Iterable[Any], found: list[Any]) -> None:
    for value in values:
        found.append(value)
        kind = type(value)
        if kind in _LEAVES:
            continue
        if kind is dict:
            found.extend(value)
            _gather(value.values(), found)
        elif kind is list or kind is set:
            _gather(value, found)
        elif not _is_frozen(kind):  # type: ignore[arg-type]
            _gather(getattr(value, "__dict__", {}).values(), found)


@cache
def _is_frozen(kind: Any) -> bool:
    parameters = getattr(kind, "__dataclass_params__", None)
    return parameters is not None and bool(parameters.frozen)


def are_same(some: list[Any], others: list[Any]) -> bool:
    """Tell whether two lists have the very same objects."""
    return len(some) == len(others) and all(map(operator.is_, some, others))


class Store:
    """Objects that are written once.

    Images in buffers roll from one to the next, and their pixels with them; the sections of an mdoc and the lines of
    the log stay as they are once others have followed. All of them are told by their identity, so each is held here.

    Parameters
    ----------
    session : Session
    """

    def __init__(self, session: Session) -> None:
        # A table of a few types costs far less than being asked about every object.
        self._table: dict[type, Callable[[Any], Any]] = {
            **copyreg.dispatch_table,
            Shot: self._once,
            np.ndarray: self._array,
            MdocFile: self._mdoc,
            Image: self._image,
            _Number: lambda value: (stored, (value.number,)),
            type(session): lambda value: (the_session, ()),
        }
        self._itself: object = None
        self._numbers: dict[int, int] = {}
        self._held: list[Any] = []
        self._images: dict[int, tuple[Image, list[Any], int]] = {}
        self._runs: dict[int, tuple[Sequence[Any], list[tuple[Any, ...]]]] = {}
        self._new: list[tuple[int, bytes]] = []

    def pickled(self, value: Any, itself: object = None) -> bytes:
        """Pickle a value; objects of the store become numbers, but for the one that is the value.

        Raises
        ------
        StateError
            Something in it cannot be pickled.
        """
        stream = io.BytesIO()
        pickler = pickle.Pickler(stream, PROTOCOL)
        pickler.dispatch_table = self._table
        outer, self._itself = self._itself, itself
        try:
            pickler.dump(value)
        except (pickle.PicklingError, TypeError, AttributeError) as err:
            raise StateError(f"the state cannot be kept: {err}") from err
        finally:
            self._itself = outer
        return stream.getvalue()

    def _once(self, value: Any) -> Any:
        if value is self._itself:
            return value.__reduce_ex__(PROTOCOL)
        return stored, (self.number(value),)

    def _array(self, value: Any) -> Any:
        return self._once(value) if value.nbytes >= LARGE_BYTES else value.__reduce_ex__(PROTOCOL)

    def _image(self, value: Any) -> Any:
        """Write an image anew only if it has changed, which the same one does not do often."""
        if value is self._itself:
            return value.__reduce_ex__(PROTOCOL)
        now = [*value.__dict__.values(), *value.keys.values()]
        _, then, number = self._images.get(id(value), (value, [], -1))
        if not are_same(now, then):
            number = self._add(value)
            self._images[id(value)] = value, now, number
        return stored, (number,)

    def _mdoc(self, value: Any) -> Any:
        fields = {name: field for name, field in value.__dict__.items() if name != "autodoc"}
        runs, rest = self.runs(value.autodoc.sections, least=1)
        numbers = [_Number(self.number(run)) for run in runs]
        return mdoc_of, (fields, value.autodoc.entries, *numbers, rest)

    def number(self, value: Any) -> int:
        """Number of an object, which is written if it is new."""
        known = self._numbers.get(id(value))
        if known is not None:
            return known
        number = self._numbers[id(value)] = self._add(value)
        return number

    def _add(self, value: Any) -> int:
        number = len(self._held)
        self._held.append(value)
        self._new.append((number, self.pickled(value, itself=value)))
        return number

    def runs(self, items: Sequence[Any], least: int) -> tuple[list[tuple[Any, ...]], list[Any]]:
        """Divide a list that grows at its end into runs that are written once, and the rest.

        Parameters
        ----------
        items : sequence
            Its last element may still change or go; one before that does so only together with the first.
        least : int
            Shortest run.
        """
        # The list is held with its runs, so that no other one comes to have its identity.
        _, runs = self._runs.setdefault(id(items), (items, []))
        count = sum(map(len, runs))
        if runs and not (len(items) > count and items[0] is runs[0][0] and items[count - 1] is runs[-1][-1]):
            runs.clear()
            count = 0
        fresh = tuple(items[count:-1])
        if len(fresh) >= least:
            runs.append(fresh)
            count += len(fresh)
        return runs, list(items[count:])

    def take_new(self) -> Iterator[tuple[int, bytes]]:
        """Numbers and pickles of objects written since the last call."""
        fresh, self._new = self._new, []
        return iter(fresh)


class _Number:
    """Number of an object that is to be put in its place."""

    def __init__(self, number: int) -> None:
        self.number = number


class Reader:
    """Unpickles what a `Store` has pickled.

    Parameters
    ----------
    objects : mapping of int to bytes
        Pickles by number.
    """

    def __init__(self, objects: Mapping[int, bytes]) -> None:
        self.session: Session | None = None
        self._pickles = objects
        self._made: dict[int, Any] = {}

    def value(self, data: bytes) -> Any:
        """Unpickle.

        Raises
        ------
        StateError
            It is no pickle of a `Store`.
        """
        try:
            return _Unpickler(io.BytesIO(data), self.stored, self._the_session).load()
        except (pickle.UnpicklingError, LookupError, TypeError, ValueError, EOFError, AttributeError) as err:
            raise StateError(f"the state cannot be understood: {err}") from err

    def stored(self, number: int) -> Any:
        """Object of a number; errors as in `value`."""
        if number not in self._made:
            self._made[number] = self.value(self._pickles[number])
        return self._made[number]

    def _the_session(self) -> Session:
        assert self.session is not None
        return self.session


class _Unpickler(pickle.Unpickler):
    """Makes nothing but what a session consists of, whatever the file says."""

    def __init__(
        self, stream: io.BytesIO, by_number: Callable[[int], Any], session: Callable[[], Session]
    ) -> None:
        super().__init__(stream)
        self._ours = {"stored": by_number, "the_session": session}

    def find_class(self, module: str, name: str) -> Any:
        if module == __name__ and name in self._ours:
            return self._ours[name]
        if module.partition(".")[0] in _HOMES or (module, name) in _ALSO:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is no part of a state")
