"""Bringing new items into the Navigator, and leaving nothing behind where that fails."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pacetomo.area_files import AreaFiles
from pacetomo.errors import PaceError, TargetFileError
from pacetomo.files.atomic import backup_path, read_bytes, write_bytes_atomically
from pacetomo.files.navigator import NavFile, NavItem, new_navigator, write_navigator
from pacetomo.scope.desk import Desk
from pacetomo.scope.protocol import Level


@contextmanager
def nothing_half_written() -> Iterator[list[Path]]:
    """Delete the files of the list if what follows does not come to its end, be it by STOP."""
    written: list[Path] = []
    try:
        yield written
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        raise


def into_navigator(
    desk: Desk,
    navigator: NavFile,
    nav_path: Path,
    items: Sequence[NavItem],
    files: AreaFiles,
    in_batch: bool,
    written: list[Path],
) -> None:
    """Bring the new items into the Navigator, whose file is kept as a backup.

    The file is rewritten and read again. While a batch runs through the table that would end it; then the new items
    come in a file of their own, which is merged.
    """
    longer = navigator.with_added(items)
    if in_batch:
        added = longer.items[len(navigator.items) :]
        own = nav_path.with_name(f"{files.root}_maps.nav")
        if own.exists():
            raise TargetFileError(f"{own} is there already: choose another prefix")
        backup = backup_path(nav_path)
        write_bytes_atomically(backup, read_bytes(nav_path, desk.wait), desk.wait)
        written.append(own)
        write_navigator(own, new_navigator(str(own)).with_added(added), desk.wait)
        desk.merge_navigator(own)
        desk.save_navigator()
        return
    old = read_bytes(nav_path, desk.wait)
    backup_made = write_navigator(nav_path, longer, desk.wait)
    try:
        desk.read_navigator(nav_path)
    except PaceError:
        write_bytes_atomically(nav_path, old, desk.wait)
        raise
    if backup_made is not None:
        desk.tell(f"The Navigator file as it was before is {Path(backup_made).name}", Level.DETAIL)
