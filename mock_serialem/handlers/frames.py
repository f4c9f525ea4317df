"""Names of frame files and frame mdocs."""

from __future__ import annotations

from mock_serialem import frames as naming
from mock_serialem.commands import command
from mock_serialem.errors import CommandError
from mock_serialem.files.mdoc import mdoc_path
from mock_serialem.frame_mdoc import FrameMdoc
from mock_serialem.session import Session
from mock_serialem.storage import first_title


@command("SetFolderForFrames")
def set_folder(session: Session, path: str) -> None:
    """Folder for frames, an absolute path of the camera's computer."""
    if not (path.startswith(("/", "\\")) or path[1:2] == ":"):
        raise CommandError("The folder for frames must be an absolute path")
    session.frames.folder = path.rstrip("/\\") or path


@command("ReportFrameSavingPath")
def report_path(session: Session) -> str:
    """Folder for frames."""
    return session.frames.folder


@command("SetFrameBaseName")
def set_base_name(session: Session, keep: int, in_file: int, in_folder: int, name: str) -> None:
    """Base name and where it goes; -1 leaves a flag as it is."""
    names = session.frames
    old = (bool(names.flags & naming.BASE), names.base, bool(names.flags & naming.FOLDER_BASE))
    if not keep and session.script.saved_frame_name is None:
        session.script.saved_frame_name = old
    names.base = name
    names.set_base_flags(
        old[0] if in_file < 0 else bool(in_file), old[2] if in_folder < 0 else bool(in_folder)
    )


@command("ReportFrameBaseName")
def report_base_name(session: Session) -> tuple[float, str, float]:
    """In file name, name, in folder name."""
    names = session.frames
    return (
        float(bool(names.flags & naming.BASE)),
        names.base or "none",
        float(bool(names.flags & naming.FOLDER_BASE)),
    )


@command("SetFrameNameFormat")
def set_format(session: Session, keep: int, mode: int, bits: int) -> None:
    """Set (1), clear (0) or replace (-1) bits of the name format."""
    names = session.frames
    if not keep and session.script.saved_frame_format is None:
        session.script.saved_frame_format = names.flags
    if mode == 1:
        names.flags |= bits
    elif mode == 0:
        names.flags &= ~bits
    elif mode == -1:
        names.flags = bits
    else:
        raise CommandError("The mode must be 1, 0 or -1")


@command("ReportFrameNameFormat")
def report_format(session: Session) -> float:
    """Bits of the name format."""
    return float(session.frames.flags)


@command("ReportLastFrameFile")
def report_last(session: Session) -> tuple[str, str, str]:
    """Full path, directory, file name."""
    if session.frames.last is None:
        raise CommandError("No frame file was saved")
    folder, name = session.frames.last
    return session.frames.last_path, folder, name


@command("OpenFrameMdoc")
def open_frame_mdoc(session: Session, name: str) -> None:
    """Open an mdoc for the frames of a session."""
    if session.frame_mdoc is not None:
        raise CommandError("There is already a frame mdoc file open")
    path = session.path(name)
    if path.suffix.lower() != ".mdoc":
        path = mdoc_path(path)
    header = {"T": first_title(session), "Voltage": f"{session.scope.voltage_kv:g}"}
    session.frame_mdoc = FrameMdoc(path, session.options.line_end, header)


def _open_mdoc(session: Session) -> FrameMdoc:
    if session.frame_mdoc is None:
        raise CommandError("There is no frame mdoc file open")
    return session.frame_mdoc


@command("AddToFrameMdoc")
def add_to_frame_mdoc(session: Session, key: str, value: str) -> None:
    """Add a key to the last exposure."""
    _open_mdoc(session).set_key(key, value)


@command("WriteFrameMdoc")
def write_frame_mdoc(session: Session) -> None:
    """Write it."""
    _open_mdoc(session).write()


@command("DeferWritingFrameMdoc")
def defer_frame_mdoc(session: Session) -> None:
    """Write only on request from now on."""
    _open_mdoc(session).deferred = True


@command("CloseFrameMdoc")
def close_frame_mdoc(session: Session, error: int = 0) -> None:
    """Write and close it."""
    if session.frame_mdoc is None and not error:
        return
    _open_mdoc(session).write()
    session.frame_mdoc = None


@command("ReportFrameMdocOpen")
def report_frame_mdoc(session: Session) -> float:
    """Whether one is open."""
    return float(session.frame_mdoc is not None)


@command("StartNextFrameStackMdoc", "AddToNextFrameStackMdoc")
def next_frame_mdoc(session: Session, key: str, value: str) -> None:
    """Give a key in advance for the next exposure."""
    if session.frame_mdoc is not None:
        session.frame_mdoc.next_keys[key] = value
