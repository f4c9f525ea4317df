"""Bringing new items into the Navigator, and leaving nothing behind where that fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from pacetomo.area_files import AreaFiles
from pacetomo.errors import NavigatorError, PaceError, TargetFileError
from pacetomo.files.atomic import backup_path, read_bytes, write_bytes_atomically
from pacetomo.files.navigator import NavFile, NavItem, new_navigator, read_navigator, write_navigator
from pacetomo.scope.desk import Desk
from pacetomo.scope.protocol import Level


@contextmanager
def nothing_half_written(desk: Desk) -> Iterator[list[Path]]:
    """Delete the files of the list if what follows does not come to its end, be it by STOP."""
    written: list[Path] = []
    try:
        yield written
    except BaseException as err:
        left = [path.name for path in written if not _is_deleted(path)]
        if left and isinstance(err, PaceError):  # after STOP nothing can be told
            desk.tell(
                f"Warning: could not be deleted, delete them yourself: {', '.join(left)}", Level.WARNING
            )
        raise


def _is_deleted(path: Path) -> bool:
    """Delete a file; False where another program holds it, which must not hide why it is deleted."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return False
    return True


def into_navigator(
    desk: Desk, items: Sequence[NavItem], files: AreaFiles, in_batch: bool, written: list[Path]
) -> None:
    """Bring the new items into the Navigator, whose file is kept as a backup.

    The table is saved anew, as items may have been added since work began. Its file is rewritten and read again. While
    a batch runs through the table that would end it; then the new items come in a file of their own, which is merged.

    Parameters
    ----------
    desk : Desk
    items : sequence of NavItem
        Maps; IDs they lack are given to them.
    files : AreaFiles
        Names of the area.
    in_batch : bool
        Whether Acquire at Items is running.
    written : list of Path
        What is to be deleted should this fail; emptied where the Navigator may need the files.

    Raises
    ------
    PaceError
        When the Navigator does not take them in; it is as it was.
    """
    nav_path = desk.save_navigator()
    navigator = read_navigator(nav_path, desk.wait)
    longer = navigator.with_added(items)
    if in_batch:
        _merge(desk, nav_path, longer.items[len(navigator.items) :], files, written)
    else:
        _read_again(desk, nav_path, longer, written)


def _merge(
    desk: Desk, nav_path: Path, added: Sequence[NavItem], files: AreaFiles, written: list[Path]
) -> None:
    own = nav_path.with_name(f"{files.root}_maps.nav")
    if own.exists():
        raise TargetFileError(f"{own} is there already: choose another prefix")
    backup = backup_path(nav_path)
    write_bytes_atomically(backup, read_bytes(nav_path, desk.wait), desk.wait)
    written.append(own)
    write_navigator(own, new_navigator(str(own)).with_added(added), desk.wait)
    try:
        desk.merge_navigator(own)
    except PaceError:
        raise
    except BaseException:
        written.clear()  # SerialEM may have taken the maps in before it came to STOP
        raise
    written.clear()
    desk.save_navigator()


def _read_again(desk: Desk, nav_path: Path, longer: NavFile, written: list[Path]) -> None:
    old = read_bytes(nav_path, desk.wait)
    backup = write_navigator(nav_path, longer, desk.wait)
    new_files = written.copy()
    written.clear()  # they stay as long as the file lists them
    try:
        desk.read_navigator(nav_path)
    except PaceError as err:
        try:
            write_bytes_atomically(nav_path, old, desk.wait)
        except PaceError as trouble:
            raise NavigatorError(
                f"{err}; and {trouble}. The Navigator file as it was is {backup}: load that"
            ) from err
        written.extend(new_files)
        raise
    except BaseException:
        # SerialEM may have read the file before it came to STOP, so the maps stay. Nothing may hold STOP up, and a
        # table that cannot be put back lists files that are there.
        with suppress(PaceError):
            write_bytes_atomically(nav_path, old)
        raise
    if backup is not None:
        desk.tell(f"The Navigator file as it was before is {Path(backup).name}", Level.DETAIL)
