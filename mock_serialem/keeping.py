"""Keeping a session's state on disk while it lasts, so that a killed simulator can be gone on with.

Before a command its name and arguments are written, after it what it has changed; only then does the script get its
answer. The truth log and the image files are written by the command itself. So after a death at any instant, either the
state is complete, or it is that before the last command, whose traces in the truth log and in the open image files tell
whether it has done anything: `restoring` does it once more then, and finds it do the same.

Most commands only ask, or move something inside the program. For those the name is enough: given again in the same
state they do the same, so what they have changed is written with the next command that exposes or has to do with files.
``ReadFile`` is one of them: it reads a file that is open, which no other program changes.

Nothing is forced to the disk but the whole states written now and then: what a program has written survives its own
death, if not that of the computer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mock_serialem.commands import Value
from mock_serialem.state_file import Record, StateError, StateFile
from mock_serialem.state_pickle import Store, are_same, leaves

if TYPE_CHECKING:
    from mock_serialem.session import Session

OBJECT, PARTS, CALL = b"O", b"P", b"C"
"""Kinds of records: number and pickle of an object; parts of the state by name; name and arguments of a command."""

LEAST_APPENDED, TIMES_WHOLE = 16 * 2**20, 4
"""The whole state is written anew when so many bytes, and so many times its own size, have been appended."""

OWN_PARTS = ("script", "buffers", "column", "variables", "cameras", "low_dose", "navigator", "frames")
"""Attributes of a session that often change and so are written by themselves."""

SELDOM = frozenset(("cameras", "low_dose", "column", "variables", "frames", "montage files", "rest"))
"""Parts that most commands leave alone: looking whether they have changed takes less time than pickling them."""

MOST_REPEATED = 64
"""So many commands are done again at most."""

_REPEATABLE = frozenset(
    """
    AccumulateRecordDose AddToAutodoc AdjustBeamTiltforIS AlignTo AreaForCumulRecordDose AreDewarsFilling Copy CtfFind
    Ctfplotter Delay DewarsRemainingTime Echo GetVariable GoToLowDoseArea ImageConditions ImageProperties
    ImageShiftByMicrons ISToSpecimenMatrix IsVariableDefined IsVersionAtLeast LimitNextAutoAlign NoMessageBoxOnError
    ReadFile RestoreBeamTilt SetBeamTilt SetDefocus SetExposure SetFrameBaseName SetImageShift SetNextLogOutputStyle
    SetStatusLine SetTargetDefocus SetVariable SpecimenToISMatrix SpecimenToStageMatrix StageToSpecimenMatrix TiltTo
    """.split()
)


def is_repeatable(name: str) -> bool:
    """Tell whether a command neither exposes nor changes a file, so that it can be done again."""
    return name in _REPEATABLE or name.startswith("Report")


NOT_KEPT = frozenset(
    "world lock waiting end_process real_clock keeper files text_files log registry faults directory".split()
)
"""Attributes of a session that another one has of its own, or that are kept in another form."""


class Keeper:
    """Keeps the state of one session in a file.

    Parameters
    ----------
    session : Session
        Its world must have a truth log on disk.
    file : StateFile
        What it holds is replaced.

    Raises
    ------
    StateError
        The state cannot be kept; the file is closed then.
    """

    def __init__(self, session: Session, file: StateFile) -> None:
        self._session = session
        self._file = file
        self._written: dict[str, bytes] = {}
        self._leaves: dict[str, list[Any]] = {}
        self._store = Store(session)
        self._clock_s = -1.0
        self._repeated = 0
        self._failing = False
        try:
            if session.world.truth.path is None:
                raise StateError("the state of a session without a truth log on disk cannot be kept")
            self._begin()
        except OSError as err:
            file.close()
            raise StateError(f"{file.path} cannot be written: {err.strerror or err}") from err
        except StateError:
            file.close()
            raise

    @property
    def path(self) -> Path:
        """The file."""
        return self._file.path

    def close(self) -> None:
        """End keeping; the file stays as it is."""
        self._file.close()

    def discard(self) -> None:
        """End keeping and delete the file; OSError if that fails."""
        self._file.remove()

    @contextmanager
    def command(self, name: str, args: Sequence[Value]) -> Iterator[None]:
        """Keep that a command begins and, at its end, what it has changed, whether it succeeds or not."""
        world = self._session.world
        # Something may have happened outside commands, as the move of the stage to a Navigator item.
        moved = world.clock_s != self._clock_s
        call = Record(CALL, self._store.pickled((name, tuple(args))))
        self._write(lambda: [*(self._changes() if moved else ()), call])
        self._repeated += 1
        events = len(world.truth.events)
        try:
            yield
        finally:
            # A fault may have struck, which the truth log shows.
            if is_repeatable(name) and len(world.truth.events) == events and self._repeated < MOST_REPEATED:
                self._clock_s = world.clock_s
            else:
                self.keep()

    def keep(self) -> None:
        """Keep the present state."""
        self._write(self._changes)
        self._repeated = 0

    # --- writing

    def _write(self, records: Callable[[], list[Record]]) -> None:
        """Append records; a full disk ends neither the session nor the attempts to keep its state."""
        try:
            if not self._file.is_begun or self._file.appended > self._most:
                self._begin()
            self._file.append(records())
        except (OSError, StateError) as err:
            # What was to be appended counts as written by now, so the next attempt is to write everything.
            self._file.end_records()
            if not self._failing:
                self._session.log.add(
                    f"WARNING: the state is no longer kept in {self.path}: {err}", color=(7,)
                )
            self._failing = True
            return
        self._failing = False

    def _begin(self) -> None:
        """Write the whole state."""
        self._written, self._leaves = {}, {}
        self._store = Store(self._session)
        registry = self._session.registry
        registry.changed = set(registry)
        records = [Record(PARTS, self._store.pickled(self._header())), *self._changes()]
        self._most = max(LEAST_APPENDED, TIMES_WHOLE * sum(len(record.data) for record in records))
        self._file.begin(records)

    def _header(self) -> dict[str, bytes]:
        """What never changes."""
        world = self._session.world
        fixed = (world.config, self._session.directory, world.truth.path)
        return {"fixed": self._store.pickled(fixed)}

    def _changes(self) -> list[Record]:
        """Records of what is not in the file yet."""
        parts: dict[str, bytes] = {}
        for name, value in self._parts():
            if name in SELDOM:
                now = leaves(value)
                if are_same(now, self._leaves.get(name, [])):
                    continue
                self._leaves[name] = now
            data = self._store.pickled(value)
            if self._written.get(name) != data:
                parts[name] = self._written[name] = data
        registry = self._session.registry
        if registry.changed:
            changes = [(key, registry.get(key)) for key in registry if key in registry.changed]
            gone = [(key, None) for key in registry.changed if key not in registry]
            parts["registry"] = self._store.pickled(gone + changes)
            registry.changed = set()
        self._clock_s = self._session.world.clock_s
        objects = [Record(OBJECT, b"%d " % number + data) for number, data in self._store.take_new()]
        return [*objects, Record(PARTS, self._store.pickled(parts))] if parts else []

    def _parts(self) -> Iterator[tuple[str, Any]]:
        session, world = self._session, self._session.world
        state = world.state()
        for name in ("clock", "streams"):
            yield name, state.pop(name)
        yield "world", state
        yield "truth", len(world.truth.events)
        yield "faults", (session.faults, world.mishaps)
        yield "files", (session.files.files, session.files.index, session.files.options)
        yield "montage files", session.files.montage_options
        yield "text files", session.text_files.state()
        yield "log", self._log()
        attributes = session.__dict__
        for name in OWN_PARTS:
            yield name, attributes[name]
        yield "rest", {name: attributes[name] for name in attributes if name not in _APART}

    def _log(self) -> tuple[Any, ...]:
        log = self._session.log
        runs, rest = self._store.runs(log.entries, least=64)
        numbers = [self._store.number(run) for run in runs]
        return numbers, [tuple(entry) for entry in rest], log.path, log.next_style, log.has_open_line


_APART = NOT_KEPT | frozenset(OWN_PARTS)
