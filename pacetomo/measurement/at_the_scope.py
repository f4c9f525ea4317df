"""What the measuring scripts share: how they begin and end at the microscope, and where their results go."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pacetomo.acquire import ERROR_MARK
from pacetomo.errors import PaceError, ScopeError
from pacetomo.scope.desk import Desk
from pacetomo.scope.protocol import Level, Microscope
from pacetomo.scope.serialem_desk import connect_desk
from pacetomo.settings import SCRIPT_ORIGIN, SettingsLayer, SettingValue, read_settings_toml

MOVED_UM = 0.02
"""Stage positions that differ by less are the same."""

_ENDINGS = (".txt", ".png")


def run_here(body: Callable[[Desk], object]) -> None:
    """Do something at SerialEM's desk; for scripts that SerialEM runs.

    Raises
    ------
    SystemExit
        After a problem that a user can cure; the log says what it is.
    """
    try:
        desk = connect_desk()
    except PaceError as err:
        raise SystemExit(f"{ERROR_MARK}{err}") from None
    try:
        body(desk)
    except PaceError as err:
        desk.tell(f"{ERROR_MARK}{err}", Level.ERROR)
        raise SystemExit(1) from None


def layers(folder: Path, settings_file: str | None, script: dict[str, SettingValue]) -> list[SettingsLayer]:
    """Settings of the facility, if it has a file, and of the script over them.

    Raises
    ------
    SettingsError
        When the file cannot be read.
    """
    own = SettingsLayer(SCRIPT_ORIGIN, script)
    if settings_file is None:
        return [own]
    return [read_settings_toml(folder / settings_file), own]


@contextmanager
def put_back(scope: Microscope, image_shift_limit_um: float) -> Iterator[None]:
    """Use the microscope, and leave it as it was, however that ends: also the stage.

    STOP passes; SerialEM then takes no further command, so that tilt and shift stay where they are.
    """
    home_um = scope.stage_um()
    try:  # a beginning that fails half way is undone, too
        scope.begin(image_shift_limit_um)
        yield
    finally:
        reason = sys.exc_info()[1]
        trouble = _end(scope, home_um)
        if trouble is not None:
            # Failing to put things back must not hide why the measurement ended.
            scope.tell(f"Warning: {trouble}", Level.WARNING)
            if reason is None:
                raise trouble


def _end(scope: Microscope, home_um: tuple[float, float, float]) -> ScopeError | None:
    """Put everything back, the stage too if the rest fails; the first thing that went wrong."""
    trouble = None
    try:
        scope.end()
    except ScopeError as err:
        trouble = err
    try:
        if math.dist(scope.stage_um(), home_um) > MOVED_UM:
            scope.move_stage_to(home_um)
    except ScopeError as err:
        trouble = trouble or err
    return trouble


def free_stem(folder: Path, name: str) -> str:
    """Name for new results, without ending: itself, or the first of name_02, name_03 … of which there is no file."""
    number = 1
    while True:
        stem = name if number == 1 else f"{name}_{number:02d}"
        if not any((folder / f"{stem}{ending}").exists() for ending in _ENDINGS):
            return stem
        number += 1
