"""What scripts that a person starts at the desk have in common: connecting, settings, telling errors, putting back."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pacetomo.acquire import ERROR_MARK
from pacetomo.errors import PaceError
from pacetomo.scope.desk import Desk
from pacetomo.scope.protocol import Level, Microscope
from pacetomo.scope.serialem_desk import connect_desk
from pacetomo.settings import SCRIPT_ORIGIN, SettingsLayer, read_settings_toml, resolve_table

Table = TypeVar("Table")


class CancelledError(PaceError):
    """The person at the desk does not want to go on; everything is as it was."""


def run_at_desk(
    table: type[Table],
    action: Callable[[Desk, Table], object],
    settings_file: str | None,
    settings: Mapping[str, object],
) -> None:
    """Connect, check the settings, and do what a script is for.

    Parameters
    ----------
    table : dataclass
        The settings of the script.
    action : callable
        Gets the desk and the settings in force.
    settings_file : str or None
        A facility's settings in TOML form; relative to the session folder.
    settings : mapping
        Those of the script, over those of the file.

    Raises
    ------
    SystemExit
        After a problem that a user can cure; the log says what it is. Nothing is raised where the person cancelled.
    """
    try:
        desk = connect_desk()
    except PaceError as err:
        raise SystemExit(f"{ERROR_MARK}{err}") from None
    try:
        action(desk, settings_in_force(table, desk.folder(), settings_file, settings))
    except CancelledError as err:
        desk.tell(str(err), Level.WARNING)
    except PaceError as err:
        desk.tell(f"{ERROR_MARK}{err}", Level.ERROR)
        raise SystemExit(1) from None


def settings_in_force(
    table: type[Table], folder: Path, settings_file: str | None, settings: Mapping[str, object]
) -> Table:
    """Settings of a script, checked; SettingsError for all that is wrong with them."""
    layers = []
    if settings_file is not None:
        path = Path(settings_file)
        layers.append(read_settings_toml(path if path.is_absolute() else folder / path))
    layers.append(SettingsLayer(SCRIPT_ORIGIN, settings))
    return resolve_table(table, *layers)


@contextmanager
def borrowed(desk: Microscope, image_shift_limit_um: float) -> Iterator[None]:
    """Have the microscope for a while, and put it back as it was however that ends.

    STOP passes; SerialEM then takes no further command, so that tilt and shift stay where they are.
    """
    try:  # a beginning that fails half way is undone, too
        desk.begin(image_shift_limit_um)
        yield
    finally:
        reason = sys.exc_info()[1]
        try:
            desk.end()
        except PaceError as err:
            # Failing to put things back must not hide what went wrong before.
            desk.tell(f"Warning: {err}", Level.WARNING)
            if reason is None:
                raise
