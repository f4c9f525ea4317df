"""The target editor: a pure model (everything here that opens no window) and a thin view that draws it.

Acquisition never imports this package.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pacetomo.editor.microscope import MicroscopeSide
    from pacetomo.editor.model import Known

__all__ = ["edit"]


def edit(path: Path, known: Known | None = None, microscope: MicroscopeSide | None = None) -> None:
    """Open a window on a target file; returns when it is closed. As `pacetomo.editor.app.edit`."""
    from pacetomo.editor.app import edit as open_window

    open_window(path, known, microscope)
