"""Image files, mdoc, frames and folders."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

from mock_serialem.commands import command
from mock_serialem.errors import CommandError
from mock_serialem.image_files import OpenFile
from mock_serialem.session import Session
from mock_serialem.snapshots import write_jpeg, write_tiff
from mock_serialem.storage import forget, save_image


def path_report(path: str, parts: int) -> str | tuple[str, ...]:
    """The path, or with `parts` its root, extension, directory and file root."""
    if not parts:
        return path
    root, extension = os.path.splitext(path)
    return root, extension, os.path.dirname(path), os.path.basename(root)


@command("OpenNewFile")
def open_new_file(session: Session, name: str) -> None:
    """Open a new file."""
    path = session.path(name)
    session.files.open_new(path, session.script.allow_overwrite)
    forget(session, path)


@command("OpenFrameSumFile")
def open_frame_sum(session: Session, suffix: str) -> None:
    """Open a new file named after the last frame file."""
    if session.frames.last is None:
        raise CommandError("No frame file was saved")
    open_new_file(session, Path(session.frames.last[1]).stem + suffix)


@command("OpenOldFile")
def open_old_file(session: Session, name: str) -> None:
    """Open a file to append to."""
    session.files.open_old(session.path(name))


@command("CloseFile")
def close_file(session: Session, flag: str = "") -> None:
    """Close the current file; without one only an error if `flag` is not empty."""
    if session.files.index < 0:
        if flag:
            raise CommandError("There is no image file open to close")
        return
    session.files.close_current()


@command("SwitchToFile")
def switch_to_file(session: Session, number: int) -> None:
    """Make a file current."""
    session.files.by_number(number)
    session.files.index = number - 1


@command("ReportFileNumber")
def report_file_number(session: Session) -> float:
    """Number of the current file, -1 without one."""
    return float(session.files.index + 1) if session.files.index >= 0 else -1.0


@command("ReportNumOpenFiles")
def report_open_files(session: Session) -> float:
    """How many files are open."""
    return float(len(session.files.files))


@command("IsImageFileOpen")
def is_file_open(session: Session, name: str) -> float:
    """Number of the open file of that name, or 0."""
    return float(session.files.number_of(session.path(name)))


@command("ReportOpenImageFile")
def report_open_file(session: Session, number: int, parts: int = 0) -> str | tuple[str, ...]:
    """Path of an open file."""
    return path_report(str(session.files.by_number(number).path), parts)


@command("ReportCurrentFilename")
def report_current_file(session: Session, parts: int = 0) -> str | tuple[str, ...]:
    """Path of the current file."""
    return path_report(str(session.files.current.path), parts)


@command("ReportFileZsize")
def report_z_size(session: Session) -> float | tuple[float, float]:
    """Number of sections; of a montage also the number of montages."""
    file = session.files.current
    if file.montage is None:
        return float(file.count)
    return float(file.count), float(-(-file.count // file.montage.pieces))


def save_buffer(session: Session, buffer: str, file: OpenFile) -> int:
    """Append a buffer to an open file.

    Raises
    ------
    CommandError
        The buffer is empty, or the image does not fit.
    """
    if file.montage is not None:
        raise CommandError("A single image cannot be saved into a montage file")
    return save_image(session, session.buffers.get(buffer), file)


@command("Save")
def save(session: Session, buffer: str = "A", number: int = 0) -> None:
    """Save a buffer to the current or a given file."""
    save_buffer(session, buffer, session.files.by_number(number) if number else session.files.current)


@command("SaveToOtherFile")
def save_to_other(session: Session, buffer: str, kind: str, compression: str, name: str) -> None:
    """Save one image into a file of its own."""
    image = session.buffers.get(buffer)
    kind = kind.strip().upper()
    path = session.path(name)
    if kind in ("TIF", "TIFF"):
        write_tiff(path, image, compression)
        return
    if kind in ("JPG", "JPEG"):
        write_jpeg(path, image)
        return
    if kind not in ("MRC", "CUR", "-1"):
        raise CommandError(f"Files of type {kind} cannot be written")
    files = session.files
    index = files.index
    saved = image.saved
    file = files.open_new(path, session.script.allow_overwrite)
    try:
        save_image(session, image, file)
    finally:
        files.close_current()
        files.index = index
        image.saved = saved or image.saved


@command("SetNewFileType")
def set_new_file_type(session: Session, kind: int, montage: int = 0) -> None:
    """Only MRC stacks are written."""
    if kind != 0:
        raise CommandError("The simulated program writes MRC files only")


@command("SetFileOptions")
def set_file_options(
    session: Session,
    which: int,
    keep: int,
    kind: int = -1,
    mode: int = -1,
    unsigned: int = -1,
    mdoc: int = -1,
    low: float = -1.0,
    high: float = -1.0,
    tiff: int = -1,
    hdf: int = -1,
    montage_type: int = -1,
    montage_mdoc: int = -1,
) -> None:
    """Options of new files: 0 single images, 1 montages; -1 leaves a value as it is."""
    if kind > 0 or mode not in (-1, 0, 1, 2, 6):
        raise CommandError("The file type or data mode is not simulated")
    old = session.files.montage_options if which else session.files.options
    if not keep:
        session.script.saved_file_options.setdefault(which, old)
    new = replace(
        old,
        mode=mode if mode >= 0 else old.mode,
        unsigned_option=unsigned if unsigned >= 0 else old.unsigned_option,
        use_mdoc=bool(mdoc) if mdoc >= 0 else old.use_mdoc,
        low_percent=low if low >= 0 else old.low_percent,
        high_percent=high if high >= 0 else old.high_percent,
    )
    session.put_file_options(which, new)


@command("ReportFileOptions")
def report_file_options(session: Session, which: int) -> tuple[float, ...]:
    """Type, mode, unsigned option, mdoc, truncation percentages."""
    o = session.files.montage_options if which else session.files.options
    return (o.file_type, o.mode, o.unsigned_option, o.use_mdoc, o.low_percent, o.high_percent)


@command("AddTitleToFile")
def add_title(session: Session, number: int, text: str) -> None:
    """Add a title to a file that has images."""
    file = session.files.by_number(number) if number else session.files.current
    if file.stack is None or not file.count:
        raise CommandError("There are no images in the file yet")
    file.stack.add_title(text)
    if file.mdoc is not None:
        file.mdoc.add_title(text)


@command("AllowFileOverwrite")
def allow_overwrite(session: Session, on: int) -> None:
    """Let new files replace old ones during this script."""
    session.script.allow_overwrite = bool(on)


@command("AddToAutodoc")
def add_to_autodoc(session: Session, key: str, value: str) -> None:
    """Add a key to the last section, or to the global part if there is none."""
    mdoc = session.files.current.mdoc
    if mdoc is None:
        raise CommandError("The current image file has no mdoc file")
    mdoc.set_key(key, value)


@command("WriteAutodoc")
def write_autodoc(session: Session) -> None:
    """Write what was added."""
    mdoc = session.files.current.mdoc
    if mdoc is None:
        raise CommandError("The current image file has no mdoc file")
    try:
        mdoc.write()
    except OSError as err:
        raise CommandError(f"Error writing the mdoc file: {err}") from err


# --- folders


@command("SetDirectory")
def set_directory(session: Session, name: str) -> None:
    """Change the current directory."""
    path = session.path(name)
    if not path.is_dir():
        raise CommandError(f"Cannot change to directory {path}")
    session.directory = path


@command("ReportDirectory")
def report_directory(session: Session) -> str:
    """Current directory."""
    return str(session.directory)


@command("MakeDirectory")
def make_directory(session: Session, name: str) -> None:
    """Make a directory with its parents."""
    try:
        session.path(name).mkdir(parents=True, exist_ok=True)
    except OSError as err:
        raise CommandError(f"Cannot make directory {name}: {err}") from err


@command("DoesFileExist")
def does_file_exist(session: Session, name: str) -> float:
    """Whether a file or directory is there."""
    return float(session.path(name).exists())


@command("RemoveFile")
def remove_file(session: Session, name: str) -> None:
    """Remove a file; a failure is only a warning."""
    try:
        session.path(name).unlink()
    except OSError as err:
        session.log.add(f"WARNING: cannot remove {name}: {err}", color=(8,))
    else:
        forget(session, session.path(name))


@command("IsDirectoryWritable")
def is_writable(session: Session, name: str) -> tuple[float, float]:
    """Whether a directory can be written to, and an error code of the test."""
    path = session.path(name)
    good = path.is_dir() and os.access(path, os.W_OK)
    return float(good), 0.0


@command("ReportFreeDiskSpace")
def free_space(session: Session, name: str) -> float:
    """Free space (MB)."""
    try:
        return shutil.disk_usage(session.path(name)).free / 2.0**20
    except OSError as err:
        raise CommandError(f"Cannot find the free space of {name}: {err}") from err


@command("UserSetDirectory")
def user_set_directory(session: Session, prompt: str = "") -> str:
    """Let the operator choose a directory; the present one is taken unless the answer is another."""
    answer = session.operator.answer("UserSetDirectory", prompt)
    session.spend(session.operator.thinking_s, "wait")
    if answer is False:
        return "Cancel"
    if isinstance(answer, str):
        set_directory(session, answer)
    return str(session.directory)
