"""Text files opened by scripts."""

from __future__ import annotations

from mock_serialem.commands import command
from mock_serialem.errors import CommandError
from mock_serialem.session import Session


@command("OpenTextFile")
def open_text_file(session: Session, identifier: str, mode: str, persistent: int, name: str) -> float | None:
    """Open a file; only mode T tells whether that succeeded."""
    opened = session.text_files.open(
        identifier, mode, bool(persistent), session.path(name), session.script.allow_overwrite
    )
    return None if opened is None else float(opened)


@command("WriteLineToFile")
def write_line(session: Session, identifier: str, text: str = "") -> None:
    """Write a line."""
    session.text_files.get(identifier, reading=False).stream.write(text + "\n")


def _read(session: Session, identifier: str) -> str | None:
    line = session.text_files.get(identifier, reading=True).stream.readline()
    return line.rstrip("\r\n") if line else None


@command("ReadLineToString")
def read_line(session: Session, identifier: str, variable: str) -> float:
    """Read a line into a variable; 0 at the end."""
    line = _read(session, identifier)
    if line is None:
        return 0.0
    session.variables.set(variable, line)
    return 1.0


@command("ReadLineToArray")
def read_line_array(session: Session, identifier: str, variable: str) -> float:
    """Read a line into an array of its words; 0 at the end."""
    line = _read(session, identifier)
    if line is None:
        return 0.0
    session.variables.set(variable, "\n".join(line.split()))
    return 1.0


@command("CloseTextFile")
def close_text_file(session: Session, identifier: str) -> None:
    """Close a file."""
    session.text_files.close(identifier)


@command("FlushTextFile")
def flush_text_file(session: Session, identifier: str) -> None:
    """Write out what was buffered."""
    session.text_files.flush(identifier)


@command("IsTextFileOpen")
def is_text_file_open(session: Session, identifier: str, name: str = "") -> float:
    """Whether an identifier, and that file, is open."""
    return float(session.text_files.is_open(identifier, session.path(name) if name else None))


def _content(session: Session, name: str) -> list[str]:
    try:
        return session.path(name).read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError as err:
        raise CommandError(f"Cannot read text file {name}: {err}") from err


@command("ReadTextFile")
def read_text_file(session: Session, variable: str, name: str) -> None:
    """All words of a file as an array."""
    session.variables.set(
        variable, "\n".join(word for line in _content(session, name) for word in line.split())
    )


@command("ReadStringsFromFile")
def read_strings(session: Session, variable: str, name: str) -> None:
    """All lines of a file as an array."""
    session.variables.set(variable, "\n".join(_content(session, name)))
