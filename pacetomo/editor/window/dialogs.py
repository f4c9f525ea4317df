"""Boxes in front of the window: questions, forms to fill in, and lists to choose from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Optional

import dearpygui.dearpygui as dpg

from pacetomo.editor.desk import Question
from pacetomo.editor.window.theme import ERROR, TEXT_DIM, WARNING, Fonts
from pacetomo.errors import PaceError

Done = Callable[[], None]


@dataclass(frozen=True)
class Field:
    """A line of a form.

    Attributes
    ----------
    name : str
        For the program.
    label, hint : str
        What is asked for, with its unit, and what it means.
    value : str
        What stands there at first.
    choices : tuple of str
        Words to choose from; empty for any text.
    """

    name: str
    label: str
    value: str = ""
    hint: str = ""
    choices: tuple[str, ...] = ()


@dataclass(eq=False)
class Dialogs:
    """The boxes of a window; one is open at a time."""

    fonts: Fonts
    inputs: list[int | str] = field(default_factory=list)
    _window: Optional[int | str] = None  # noqa: UP045 - evaluated at run time on Python 3.9
    _accept: Done = lambda: None
    _cancel: Done = lambda: None
    _move: Callable[[int], None] = lambda step: None

    @property
    def is_open(self) -> bool:
        """Whether a box is open."""
        return self._window is not None

    def close(self) -> None:
        """Close the box that is open."""
        if self._window is not None:
            dpg.delete_item(self._window)
        self._window, self.inputs = None, []
        self._accept = self._cancel = lambda: None
        self._move = lambda step: None

    def take_key(self, key: str) -> None:
        """Do what a key means in the box that is open."""
        if key in ("Enter", "Keypad Enter"):
            self._accept()
        elif key == "Escape":
            self._cancel()
        elif key in ("Up", "Down"):
            self._move(1 if key == "Down" else -1)

    def _open(self, title: str, width_em: float, height_em: float = 0.0) -> int | str:
        self.close()
        em = self.fonts.em
        width = min(em(width_em), dpg.get_viewport_client_width() - em(2))
        height = min(em(height_em), dpg.get_viewport_client_height() - em(2))
        top = max((dpg.get_viewport_client_height() - max(height, em(14))) // 3, em(1))
        self._window = dpg.add_window(
            label=title,
            modal=True,
            no_collapse=True,
            no_resize=True,
            autosize=not height,
            width=width,
            height=height,
            min_size=(width, em(4)),
            pos=((dpg.get_viewport_client_width() - width) // 2, top),
            on_close=lambda: self._cancel(),
        )
        return self._window

    def _buttons(self, parent: int | str, answers: Sequence[tuple[str, Done]]) -> None:
        dpg.add_spacer(height=self.fonts.em(0.4), parent=parent)
        with dpg.group(horizontal=True, parent=parent):
            for place, (said, does) in enumerate(answers):
                key = " [Enter]" if place == 0 else " [Esc]" if place == len(answers) - 1 else ""
                dpg.add_button(label=f"{said}{key}", callback=does)

    def question(self, question: Question) -> None:
        """Ask a question."""
        window = self._open(question.title, 34)
        colour = ERROR if question.is_error else WARNING if len(question.answers) > 1 else None
        mark = "✖" if question.is_error else "?" if len(question.answers) > 1 else "ℹ"
        with dpg.group(parent=window, horizontal=True):
            dpg.add_text(mark, color=colour or TEXT_DIM)
            dpg.add_text(question.text, wrap=self.fonts.em(31))

        def answer(does: Done | None) -> Done:
            def act() -> None:
                self.close()
                if does is not None:
                    does()

            return act

        answers = [(said, answer(does)) for said, does in question.answers]
        self._accept, self._cancel = answers[0][1], answers[-1][1]
        self._buttons(window, answers)

    def form(
        self,
        title: str,
        fields: Sequence[Field],
        accept: Callable[[dict[str, str]], None],
        text: str = "",
        action: str = "OK",
    ) -> None:
        """Ask for some values; what is wrong with them (a `PaceError` of `accept`) is shown in the form."""
        window = self._open(title, 36)
        em = self.fonts.em
        if text:
            dpg.add_text(text, wrap=em(34), parent=window)
            dpg.add_spacer(height=em(0.3), parent=window)
        made: dict[str, int | str] = {}
        for line in fields:
            with dpg.group(horizontal=True, parent=window):
                label = dpg.add_text(line.label)
                if line.choices:
                    item = dpg.add_combo(line.choices, default_value=line.value, width=em(16), indent=em(16))
                else:
                    item = dpg.add_input_text(default_value=line.value, width=em(16), indent=em(16))
                    self.inputs.append(item)
                made[line.name] = item
            if line.hint:
                with dpg.tooltip(item):
                    dpg.add_text(line.hint, wrap=em(26))
                with dpg.tooltip(label):
                    dpg.add_text(line.hint, wrap=em(26))
        trouble = dpg.add_text("", color=ERROR, wrap=em(34), parent=window, show=False)

        def try_it() -> None:
            values = {name: str(dpg.get_value(item)).strip() for name, item in made.items()}
            try:
                accept(values)
            except PaceError as err:
                said = str(err)
                dpg.configure_item(trouble, show=True)
                dpg.set_value(trouble, f"✖ {said[:1].upper()}{said[1:]}.")
                return
            if self._window == window:
                self.close()

        self._accept, self._cancel = try_it, self.close
        self._buttons(window, [(action, try_it), ("Cancel", self.close)])
        if self.inputs:
            dpg.focus_item(self.inputs[0])

    def choice(
        self,
        title: str,
        entries: Callable[[str], Sequence[tuple[str, str, bool]]],
        chosen: Callable[[int, str], None],
        text: str = "",
        with_search: bool = True,
    ) -> None:
        """Let one of a list be chosen, by typing, arrows and Enter, or a click.

        Parameters
        ----------
        title : str
        entries : callable
            Gets what is typed and returns (left, right, whether possible) texts for each line.
        chosen : callable
            Gets the place in that list and what is typed.
        text : str
            What it is about.
        with_search : bool
            Whether there is a line to type into.
        """
        em = self.fonts.em
        window = self._open(title, 46, 30)
        if text:
            dpg.add_text(text, wrap=em(44), parent=window)
        search = dpg.add_input_text(parent=window, width=-1, hint="type to search", show=with_search)
        self.inputs = [search]
        listing = dpg.add_child_window(parent=window, height=-em(2.6))
        state = {"place": 0, "count": 0, "typed": ""}

        def choose(place: int) -> None:
            typed = str(dpg.get_value(search))
            if place < int(state["count"]):
                self.close()
                chosen(place, typed)

        def fill() -> None:
            dpg.delete_item(listing, children_only=True)
            found = entries(str(dpg.get_value(search)))[:60]
            state["count"], state["place"] = len(found), min(int(state["place"]), max(len(found) - 1, 0))
            for place, (left, right, is_possible) in enumerate(found):
                with dpg.group(horizontal=True, parent=listing):
                    dpg.add_selectable(
                        label=left,
                        default_value=place == state["place"],
                        width=em(31),
                        callback=lambda _s, _a, p: choose(p),
                        user_data=place,
                    )
                    dpg.add_text(right, color=TEXT_DIM if is_possible else WARNING)

        def move(step: int) -> None:
            state["place"] = min(max(int(state["place"]) + step, 0), max(int(state["count"]) - 1, 0))
            fill()

        def typed() -> None:
            state["place"] = 0
            fill()

        dpg.configure_item(search, callback=typed)
        fill()
        self._accept, self._cancel, self._move = lambda: choose(int(state["place"])), self.close, move
        self._buttons(window, [("Choose", lambda: choose(int(state["place"]))), ("Cancel", self.close)])
        if with_search:
            dpg.focus_item(search)
