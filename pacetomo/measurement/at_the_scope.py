"""What measurements share: putting the stage back with everything else, and where results go."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pacetomo.desk_script import borrowed
from pacetomo.errors import ScopeError
from pacetomo.figure_showing import show_figure
from pacetomo.files.atomic import write_bytes_atomically, write_text_atomically
from pacetomo.report.figures import png
from pacetomo.scope.protocol import Level, Microscope

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOVED_UM = 0.05
"""Stage positions that differ by less are the same."""

_ENDINGS = (".txt", ".png")


@contextmanager
def put_back(scope: Microscope, image_shift_limit_um: float) -> Iterator[None]:
    """Use the microscope, and leave it as it was, however that ends: also the stage.

    STOP passes; SerialEM then takes no further command, so that tilt and shift stay where they are.
    """
    home_um = scope.stage_um()
    try:
        with borrowed(scope, image_shift_limit_um):
            yield
    finally:
        reason = sys.exc_info()[1]
        try:
            if math.dist(scope.stage_um(), home_um) > MOVED_UM:
                scope.move_stage_to(home_um)
        except ScopeError as err:
            # Failing to put things back must not hide why the measurement ended.
            scope.tell(f"Warning: {err}", Level.WARNING)
            if reason is None:
                raise


def keep(
    scope: Microscope,
    folder: Path,
    name: str,
    table: str,
    draw: Callable[[], Figure] | None,
    show: bool = True,
) -> tuple[Path, Path | None]:
    """Save a measurement's numbers and its figure, show the figure where there is a display, and say where they are.

    Parameters
    ----------
    scope : Microscope
        Tells the operator.
    folder : Path
        The session folder.
    name : str
        Of the files, without ending; a number is appended where there are such files.
    table : str
        What goes into the text file.
    draw : callable or None
        Makes the figure; None for no figure.
    show : bool
        Whether to show it where there is a display.

    Returns
    -------
    tuple of Path, and Path or None
        The text file and the figure.
    """
    stem = _free_stem(folder, name)
    text = folder / f"{stem}.txt"
    write_text_atomically(text, table, scope.wait)
    if draw is None:
        scope.tell(f"The measurements are in {text.name}")
        return text, None
    picture = folder / f"{stem}.png"
    write_bytes_atomically(picture, png(draw), scope.wait)
    scope.tell(f"The measurements are in {text.name}, the figure is {picture.name}")
    if show:
        show_figure(picture)
    return text, picture


def _free_stem(folder: Path, name: str) -> str:
    """Return the name itself, or the first of name_02, name_03 … of which there is no file."""
    number = 1
    while True:
        stem = name if number == 1 else f"{name}_{number:02d}"
        if not any((folder / f"{stem}{ending}").exists() for ending in _ENDINGS):
            return stem
        number += 1
