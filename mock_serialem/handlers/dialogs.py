"""Dialogs for files and windows, and other programs that run beside."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Sequence

from mock_serialem.commands import command
from mock_serialem.errors import CommandError
from mock_serialem.image_files import OpenFile
from mock_serialem.session import Session
from mock_serialem.storage import forget

_MAIN_VIEW = "Main Window"


def _open_new(session: Session, name: str) -> OpenFile:
    path = session.path(name)
    file = session.files.open_new(path, session.script.allow_overwrite)
    forget(session, path)
    return file


@command("EnterNameOpenFile")
def enter_name_open(session: Session, prompt: str = "") -> None:
    """Ask for the name of a new file and open it."""
    _open_new(session, session.ask_text("EnterNameOpenFile", prompt or "Name of the new file"))


@command("ChooserForNewFile")
def choose_new_file(session: Session, kind: int, variable: str) -> None:
    """Ask for the name of a new file and put it into a variable."""
    if kind not in (0, 1):
        raise CommandError(f"{kind} is not a kind of file")
    name = session.ask_text("ChooserForNewFile", "Name of the new file")
    session.variables.set(variable, str(session.path(name)))


@command("UserOpenOldFile")
def user_open_old(session: Session) -> None:
    """Ask for an existing file and open it."""
    session.files.open_old(session.path(session.ask_text("UserOpenOldFile", "File to open")))


@command("WaitForNewMarkerPoint")
def wait_for_marker(session: Session) -> None:
    """Wait until the operator clicks into the image; the answer is ``x y`` in pixels, Y down."""
    image = session.buffers.get(session.buffers.current)
    text = session.ask_text("WaitForNewMarkerPoint", "Click to place a marker point")
    try:
        x, y = (float(word) for word in text.replace(",", " ").split())
    except ValueError as err:
        raise CommandError(f"WaitForNewMarkerPoint: {text!r} is not a position in pixels") from err
    image.marker_px = (x, y)


@command("ReportActiveViewTitle")
def report_view(session: Session) -> str:
    """There is one view."""
    return _MAIN_VIEW


@command("SetActiveViewByTitle")
def set_view(session: Session, title: str) -> float:
    """1 if there is a view whose title has this text, else 0."""
    return float(title.lower() in _MAIN_VIEW.lower())


@command("SetNextEmailAddress")
def set_email(session: Session, which: int, address: str = "") -> None:
    """Mail is not sent; the address goes to the log."""
    session.log.add(f"Mail address {which}: {address}")


@command("LoadSettingsFile")
def load_settings(session: Session, name: str) -> None:
    """Read user settings, lines of a name and a number; others are passed over, as they may be any of hundreds."""
    try:
        lines = session.path(name).read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as err:
        raise CommandError(f"Cannot read settings file {name}: {err}") from err
    for words in (line.split() for line in lines):
        if len(words) == 2 and session.settings.knows(words[0]):
            try:
                session.change_setting(words[0], float(words[1]), keep=True)
            except ValueError as err:
                raise CommandError(f"Setting {words[0]} in {name} is not a number") from err


@command("NextProcessArgs")
def next_process_args(session: Session, first: str, *more: str) -> None:
    """Arguments of the next program to be run."""
    session.script.process_args = [first, *more]


def take_arguments(session: Session) -> str:
    """Arguments set for the next program, quoted for a command line, which are then used up."""
    arguments: Sequence[str] = session.script.process_args
    session.script.process_args = []
    return "".join(" " + shlex.quote(word) for word in arguments)


@command("CreateProcess")
def create_process(session: Session, text: str) -> None:
    """Start a program without waiting for it."""
    try:
        subprocess.Popen(
            text + take_arguments(session),
            shell=True,
            cwd=session.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
    except OSError as err:
        raise CommandError(f"Cannot run {text}: {err}") from err
