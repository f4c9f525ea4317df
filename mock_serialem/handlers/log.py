"""The log."""

from __future__ import annotations

from mock_serialem.commands import command
from mock_serialem.errors import CommandError
from mock_serialem.session import Session


@command("Echo")
def echo(session: Session, text: str = "") -> None:
    """A line; single newlines in it become two blanks."""
    pairs = text.split("\r\n")
    session.log.add("\n".join(part.replace("\n", "  ") for part in pairs))


@command("EchoBreakLines")
def echo_break_lines(session: Session, text: str = "") -> None:
    """Lines; newlines, and backslash with n, break them."""
    session.log.add(text.replace("\r\n", "\n").replace("\\n", "\n"))


@command("EchoReplaceLine")
def echo_replace(session: Session, text: str = "") -> None:
    """Replace the last line."""
    session.log.replace_last(text.replace("\n", "  "))


@command("EchoNoLineEnd")
def echo_no_end(session: Session, text: str) -> None:
    """Text without line end."""
    session.log.add_without_end(text.replace("\n", "  "))


@command("SetNextLogOutputStyle")
def set_style(session: Session, style: int, first: int = -1, green: int = -1, blue: int = -1) -> None:
    """Style and colour of the next output."""
    if not 0 <= style <= 7:
        raise CommandError(f"{style} is not a text style")
    color = (first, green, blue) if green >= 0 and blue >= 0 else (first,) if first >= 0 else ()
    session.log.next_style = (style, color)


def _save(session: Session, name: str) -> None:
    path = session.path(name) if name else session.log.path
    if path is None:
        answer = session.operator.answer("SaveLog", "name of the log file")
        if not isinstance(answer, str):
            raise CommandError("The log has no file name, and the operator gave none")
        path = session.path(answer)
    try:
        session.log.save(path, session.options.line_end)
    except OSError as err:
        raise CommandError(f"Cannot save log {path}: {err}") from err


@command("SaveLog")
def save_log(session: Session, overwrite: int = 0, name: str = "") -> None:
    """Save the log."""
    _save(session, name)


@command("SaveLogOpenNew")
def save_log_open_new(session: Session, name: str = "") -> None:
    """Save the log, start a new one and give it a name."""
    if session.log.path is not None:
        _save(session, "")
    session.log.start_new()
    if name:
        session.log.path = session.path(name)


@command("CloseLogOpenNew")
def close_log_open_new(session: Session, quiet: int = 0) -> None:
    """Start a new log; the old one is saved if it has a name."""
    if session.log.path is not None:
        _save(session, "")
    session.log.start_new()


@command("DeferLogUpdates")
def defer_updates(session: Session, on: int = 1) -> None:
    """The display is not simulated."""


@command("SuppressReports")
def suppress_reports(session: Session, on: int = 1) -> None:
    """Keep values of reports out of the log."""
    session.script.suppress_reports = bool(on)


@command("SuppressInfoOutput")
def suppress_info(session: Session, on: int = 1) -> None:
    """Keep other information out of the log."""
    session.script.suppress_info = bool(on)


@command("ErrorsToLog")
def errors_to_log(session: Session, on: int = 1) -> None:
    """Write error messages to the log."""
    session.script.errors_to_log = bool(on)


@command("Verbose")
def verbose(session: Session, level: float) -> None:
    """The simulated program has one level of output."""
