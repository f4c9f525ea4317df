"""Showing a figure that has been saved, where there is a display.

The script goes on at once: what shows the picture is another program, so that no toolkit of windows is loaded into a
script of the microscope, and closing the picture or failing to show it concerns nobody.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def has_display() -> bool:
    """Whether somebody could see a window."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def show_figure(path: Path) -> bool:
    """Show a picture in a window of its own and return at once; False where there is no display or no window came up.

    On Windows the program that opens such files shows it, elsewhere Matplotlib in a process of its own.
    """
    if not has_display():
        return False
    try:
        if sys.platform == "win32":
            os.startfile(path)
        else:
            subprocess.Popen(
                [sys.executable, "-m", __name__, str(path)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
    except OSError:
        return False
    return True


def _window(path: Path) -> None:
    """Show a picture until its window is closed."""
    import matplotlib.pyplot as plt

    picture = plt.imread(path)
    rows, columns = picture.shape[:2]
    figure = plt.figure(path.name, figsize=(columns / 150, rows / 150))
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.imshow(picture)
    axes.set_axis_off()
    plt.show()


if __name__ == "__main__":
    _window(Path(sys.argv[1]))
