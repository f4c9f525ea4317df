"""Going on with a session whose state was kept, whatever ended the simulator."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from mock_serialem.commands import Value
from mock_serialem.dispatch import execute
from mock_serialem.errors import ScriptExit, ScriptKilled, SEMerror, SEMexited
from mock_serialem.keeping import CALL, OBJECT, PARTS, Keeper, is_repeatable
from mock_serialem.log import LogLine
from mock_serialem.session import Session
from mock_serialem.sim.truth import TruthLog, TruthLogError
from mock_serialem.sim.world import World, WorldConfig
from mock_serialem.state_file import StateError, StateFile, read_records
from mock_serialem.state_pickle import Reader

CONTINUED = "continued"
"""Event in the truth log that says that a session went on."""


_Call = tuple[str, tuple[Value, ...]]


class _State(NamedTuple):
    """What a file holds: pickles of objects and parts, changes of the registry, and the commands given since then."""

    objects: dict[int, bytes]
    parts: dict[str, bytes]
    registry: list[bytes]
    calls: list[bytes]


class Beginning(NamedTuple):
    """What a session has had from its first moment on: world, current directory, truth log."""

    config: WorldConfig
    directory: Path
    truth: Path


def began_with(path: Path) -> Beginning:
    """Tell how the session of a state file began; nothing is changed.

    Raises
    ------
    StateError
        The file cannot be used.
    """
    state = _read(path)
    return _beginning(state, Reader(state.objects))


def go_on(path: Path) -> Session:
    """Session as it was when its simulator ended, which keeps its state in the same file again.

    A script that was running counts as running until the next one begins, which puts back what it had changed, as when
    a script dies under SerialEM. Files are open and buffers filled as they were. The truth log gets a line that says
    that the session went on, with the number of exposures so far.

    A command that was under way and has left traces, in the truth log or in an open image file, is brought to its
    end; one that has left none was never given.

    Raises
    ------
    StateError
        There is no state that could be gone on with, or another process still has the session.
    """
    file = StateFile(path)
    try:
        session = _session(_read(path))
        truth = session.world.truth
        truth.write(CONTINUED, t_s=round(session.world.clock_s, 3), exposures=session.world.exposures)
        session.log.add(f"The session goes on after {session.world.exposures} exposures")
    except OSError as err:
        file.close()
        raise StateError(f"the session of {path} cannot go on: {err}") from err
    except StateError:
        file.close()
        raise
    session.keeper = Keeper(session, file)
    return session


def _read(path: Path) -> _State:
    state = _State({}, {}, [], [])
    for record in read_records(path):
        if record.kind == OBJECT:
            number, _, data = record.data.partition(b" ")
            state.objects[int(number)] = data
        elif record.kind == PARTS:
            parts: dict[str, bytes] = Reader({}).value(record.data)
            if "registry" in parts:
                state.registry.append(parts.pop("registry"))
            state.parts.update(parts)
            state.calls.clear()
        elif record.kind == CALL:
            state.calls.append(record.data)
    return state


def _session(state: _State) -> Session:
    reader = Reader({})
    calls: list[_Call] = [reader.value(data) for data in state.calls]
    # The script has had the answers of all but the last; of those the last may be, too, that can be repeated.
    under_way = calls.pop() if calls and not is_repeatable(calls[-1][0]) else None
    session = _as_kept(state)
    torn, truth = under_way is not None, session.world.truth
    undo = torn and (bool(_unknown(session)) or truth.was_cut or _files_have_grown(session))
    lost = session.files.reopen(undo, torn)
    try:
        _give(session, calls + ([under_way] if under_way is not None and undo else []))
    except TruthLogError:
        truth.close()
        session = _as_kept(state)
        lost = session.files.reopen(undo=False, torn=True)
        _give(session, calls)
    left = _unknown(session)
    session.world.truth.accept_ahead()
    if left:
        session.world.acknowledge(left)
    for line in lost:
        session.log.add(f"WARNING: {line}", color=(7,))
    return session


def _unknown(session: Session) -> list[dict[str, Any]]:
    """Events in the truth log that the session knows nothing of."""
    return [line for line in session.world.truth.ahead if line["event"] != CONTINUED]


def _files_have_grown(session: Session) -> bool:
    return any(file.has_grown() for file in session.files.files)


def _give(session: Session, calls: list[_Call]) -> None:
    """Give commands once more; TruthLogError if one does not do the same as the first time."""
    # Nobody is there to be killed or to press STOP.
    session.waiting.gone = lambda: True
    for name, args in calls:
        # Some end with an error, as they did or would have done the first time; the script is dead.
        with suppress(SEMerror, SEMexited, ScriptExit, ScriptKilled):
            execute(session, name, args)
    session.waiting.nobody_there()


def _beginning(state: _State, reader: Reader) -> Beginning:
    if "fixed" not in state.parts or "rest" not in state.parts:
        raise StateError("the state is not complete")
    return Beginning(*reader.value(state.parts["fixed"]))


def _as_kept(state: _State) -> Session:
    """Session with the state that was kept, but for its image files, which are not open."""
    reader = Reader(state.objects)
    config, directory, truth_path = _beginning(state, reader)
    parts = dict(state.parts)

    def part(name: str) -> Any:
        return reader.value(parts.pop(name))

    known: int = part("truth")
    try:
        world = World(config, TruthLog.reopened(truth_path, known))
    except TruthLogError as err:
        raise StateError(str(err)) from err
    del parts["fixed"]
    session = reader.session = Session(world, directory)
    world.restore({**part("world"), "clock": part("clock"), "streams": part("streams")})
    session.faults, world.mishaps = part("faults")
    session.files.files, session.files.index, session.files.options = part("files")
    session.files.montage_options = part("montage files")
    for line in session.text_files.restore(part("text files")):
        session.log.add(f"WARNING: {line}", color=(7,))
    _restore_log(session, reader, part("log"))
    for changes in state.registry:
        for key, image in reader.value(changes):
            if image is None:
                session.registry.pop(key, None)
            else:
                session.registry[key] = image
    session.__dict__.update(part("rest"))
    for name in list(parts):
        setattr(session, name, part(name))
    return session


def _restore_log(session: Session, reader: Reader, kept: tuple[Any, ...]) -> None:
    runs, rest, path, next_style, has_open_line = kept
    entries = [entry for number in runs for entry in reader.stored(number)]
    entries.extend(LogLine(*entry) for entry in rest)
    session.log.restore(entries, path, next_style, has_open_line)
