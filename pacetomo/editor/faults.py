"""Defects of the program, kept where somebody who can cure them finds them."""

from __future__ import annotations

import tempfile
import traceback
from datetime import datetime
from pathlib import Path

FAULT_FILE = "pacetomo_editor_faults.txt"


def write_fault(fault: BaseException) -> Path:
    """Add a defect with its traceback to a file in the folder for temporary files; its path."""
    path = Path(tempfile.gettempdir()) / FAULT_FILE
    lines = traceback.format_exception(type(fault), fault, fault.__traceback__)
    try:
        with path.open("a", encoding="utf-8") as stream:
            stream.write(f"{datetime.now():%Y-%m-%d %H:%M:%S}\n{''.join(lines)}\n")
    except OSError:  # telling the user goes before keeping the details
        return path
    return path
