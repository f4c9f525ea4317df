"""Keys as they are pressed, by the names that the actions use: "Ctrl+Shift+S"."""

from __future__ import annotations

import string

import dearpygui.dearpygui as dpg

_NAMES: dict[int, str] = {
    **{getattr(dpg, f"mvKey_{letter}"): letter for letter in string.ascii_uppercase + string.digits},
    **{getattr(dpg, f"mvKey_F{number}"): f"F{number}" for number in range(1, 13)},
    dpg.mvKey_Up: "Up",
    dpg.mvKey_Down: "Down",
    dpg.mvKey_Left: "Left",
    dpg.mvKey_Right: "Right",
    dpg.mvKey_Home: "Home",
    dpg.mvKey_End: "End",
    517: "PageUp",  # DearPyGui's own names for these stand for other keys
    518: "PageDown",
    dpg.mvKey_Delete: "Delete",
    dpg.mvKey_Back: "Backspace",
    dpg.mvKey_Return: "Enter",
    dpg.mvKey_NumPadEnter: "Keypad Enter",
    dpg.mvKey_Escape: "Escape",
    dpg.mvKey_Spacebar: "Space",
    dpg.mvKey_Comma: ",",
    dpg.mvKey_Period: ".",
    dpg.mvKey_Minus: "-",
    602: "=",
    dpg.mvKey_Add: "+",
    dpg.mvKey_Subtract: "-",
}


_SIDES = (
    ("Ctrl", dpg.mvKey_LControl),
    ("Ctrl", dpg.mvKey_RControl),
    ("Alt", dpg.mvKey_LAlt),
    ("Alt", dpg.mvKey_RAlt),
    ("Shift", dpg.mvKey_LShift),
    ("Shift", dpg.mvKey_RShift),
)


class Held:
    """Which of Ctrl, Alt and Shift are held down, or were until the last frame.

    With slow frames a key and the release of Ctrl beside it come in the same frame; it was meant with Ctrl.
    """

    def __init__(self) -> None:
        self._before: frozenset[str] = frozenset()

    def is_held(self, name: str) -> bool:
        """Whether "Ctrl", "Alt" or "Shift" is held down."""
        return name in self._before or name in _now()

    def update(self) -> None:
        """Note what is held down in this frame."""
        self._before = _now()

    def pressed(self, code: int) -> str | None:
        """Name of a key with those that are held down beside it; None for keys that mean nothing here."""
        name = _NAMES.get(code)
        if name is None:
            return None
        return "+".join([*(said for said in ("Ctrl", "Alt", "Shift") if self.is_held(said)), name])


def _now() -> frozenset[str]:
    return frozenset(said for said, code in _SIDES if dpg.is_key_down(code))
