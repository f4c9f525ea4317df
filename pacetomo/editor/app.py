"""Opening the target editor: what the command line and the target selection call."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pacetomo.editor.desk import Desk
from pacetomo.editor.display import require_display
from pacetomo.editor.model import Known
from pacetomo.editor.saving import open_document

if TYPE_CHECKING:
    from pacetomo.editor.microscope import MicroscopeSide

USUAL_SIZE_PX = (1280, 800)


def edit(
    path: Path,
    known: Known | None = None,
    microscope: MicroscopeSide | None = None,
    size_px: tuple[int, int] = USUAL_SIZE_PX,
) -> None:
    """Open a window on a target file; returns when it is closed.

    Parameters
    ----------
    path : Path
        The target file, or a run file or journal of its area.
    known : Known, optional
        What is known beside it, such as the settings of a facility.
    microscope : MicroscopeSide, optional
        The microscope, for actions that need one.
    size_px : (int, int)
        Width and height of the window.

    Raises
    ------
    NoDisplayError
        When no window can be opened here.
    TargetFileError
        When the file cannot be read or understood.
    """
    opened = open_document(path, known)
    require_display()
    from pacetomo.editor.window.window import EditorWindow

    desk = Desk.of(opened, has_microscope=microscope is not None)
    EditorWindow(desk, size_px, microscope).run()
