"""Whether a window can be opened here at all.

The window library ends the whole program where it finds no display, so that must be known before it is asked.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import importlib.util
import os
import sys

from pacetomo.errors import PaceError

_HAVE_A_DISPLAY = ("win32", "cygwin", "darwin")


class NoDisplayError(PaceError):
    """There is no display to open a window on."""


def require_display() -> None:
    """Make sure that a window can be opened.

    Raises
    ------
    NoDisplayError
        When there is no display, it cannot be reached, or the window library is not installed.
    """
    if importlib.util.find_spec("dearpygui") is None:
        raise NoDisplayError(
            "the target editor needs the package dearpygui, which is not installed in this Python "
            f"({sys.executable}): python -m pip install dearpygui"
        )
    if sys.platform in _HAVE_A_DISPLAY:
        return
    name = os.environ.get("DISPLAY")
    if not name:
        wayland = (
            " (Wayland alone is not enough, XWayland is needed)" if "WAYLAND_DISPLAY" in os.environ else ""
        )
        raise NoDisplayError(
            f"the target editor needs a display, and there is none: DISPLAY is not set{wayland}; work at a screen, "
            "with ssh -X, or change the target file as a text"
        )
    if not _can_be_opened():
        raise NoDisplayError(
            f"the target editor needs a display, and the one in DISPLAY ({name}) cannot be opened: it does not "
            "answer or refuses this user"
        )


def _can_be_opened() -> bool:
    """Whether the X server of DISPLAY lets us in."""
    library = ctypes.util.find_library("X11") or "libX11.so.6"
    try:
        x11 = ctypes.CDLL(library)
    except OSError:  # without this library the window library has none to open a window with, either
        return False
    x11.XOpenDisplay.restype = ctypes.c_void_p
    x11.XOpenDisplay.argtypes = [ctypes.c_char_p]
    x11.XCloseDisplay.argtypes = [ctypes.c_void_p]
    connection = x11.XOpenDisplay(None)
    if not connection:
        return False
    x11.XCloseDisplay(connection)
    return True
