"""Boxes in front of the window: questions, forms to fill in, and lists to choose from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Optional

import dearpygui.dearpygui as dpg

from pacetomo.editor.desk import Question
from pacetomo.editor.window.theme import ERROR, TEXT_DIM, TEXT_DISABLED, WARNING, Fonts, Tag
from pacetomo.editor.wording import sentence
from pacetomo.errors import PaceError

Done = Callable[[], None]

_MOST_LINES = 80
_LETTERS_OF_A_LINE, _LINES_OF_A_LONG_TEXT, _MOST_TEXT_LINES = 60, 8, 24


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
    inputs: list[Tag] = field(default_factory=list)
    _window: Optional[Tag] = None  # noqa: UP045 - evaluated at run time on Python 3.9
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

    def _open(self, title: str, width_em: float, height_em: float = 0.0) -> Tag:
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
            no_scrollbar=not height,
            width=width,
            height=height,
            min_size=(width, em(4)),
            pos=((dpg.get_viewport_client_width() - width) // 2, top),
            on_close=lambda: self._cancel(),
        )
        return self._window

    def _buttons(self, parent: Tag, answers: Sequence[tuple[str, Done]]) -> None:
        dpg.add_spacer(height=self.fonts.em(0.4), parent=parent)
        with dpg.group(horizontal=True, parent=parent):
            for place, (said, does) in enumerate(answers):
                key = " [Enter]" if place == 0 else " [Esc]" if place == len(answers) - 1 else ""
                dpg.add_button(label=f"{said}{key}", callback=does)

    def question(self, question: Question) -> None:
        """Ask a question."""
        lines = question.text.count("\n") + len(question.text) // _LETTERS_OF_A_LINE
        width_em = 34 if lines < _LINES_OF_A_LONG_TEXT else 46
        window = self._open(question.title, width_em, 34 if lines > _MOST_TEXT_LINES else 0)
        colour = ERROR if question.is_error else WARNING if len(question.answers) > 1 else None
        mark = "✖" if question.is_error else "?" if len(question.answers) > 1 else "ℹ"
        with dpg.group(parent=window, horizontal=True):
            dpg.add_text(mark, color=colour or TEXT_DIM)
            dpg.add_text(question.text, wrap=self.fonts.em(width_em - 3))

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
        made: dict[str, Tag] = {}
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
                dpg.configure_item(trouble, show=True)
                dpg.set_value(trouble, f"✖ {sentence(str(err))}")
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
        """
        em = self.fonts.em
        window = self._open(title, 46, 30)
        if text:
            dpg.add_text(text, wrap=em(44), parent=window)
        search = dpg.add_input_text(parent=window, width=-1, hint="type to search")
        self.inputs = [search]
        lines = _Lines(dpg.add_child_window(parent=window, height=-em(2.6)), em(31))

        def choose(place: int) -> None:
            typed = str(dpg.get_value(search))
            if place < lines.count:
                self.close()
                chosen(place, typed)

        def fill() -> None:
            lines.show(entries(str(dpg.get_value(search))), choose)

        def move(step: int) -> None:
            lines.place += step
            fill()

        def typed() -> None:
            lines.place = 0
            fill()

        dpg.configure_item(search, callback=typed)
        fill()
        self._accept, self._cancel, self._move = lambda: choose(lines.place), self.close, move
        self._buttons(window, [("Choose", lambda: choose(lines.place)), ("Cancel", self.close)])
        dpg.focus_item(search)


@dataclass(eq=False)
class _Lines:
    """The lines of a list to choose from, one of them marked."""

    parent: Tag
    width_px: int
    place: int = 0
    count: int = 0

    def show(self, entries: Sequence[tuple[str, str, bool]], choose: Callable[[int], None]) -> None:
        """Show other lines; one that is clicked is chosen."""
        dpg.delete_item(self.parent, children_only=True)
        found = entries[:_MOST_LINES]
        self.count = len(found)
        self.place = min(max(self.place, 0), max(self.count - 1, 0))
        for place, (left, right, is_possible) in enumerate(found):
            with dpg.group(horizontal=True, parent=self.parent):
                dpg.add_selectable(
                    label=left,
                    default_value=place == self.place,
                    width=self.width_px,
                    callback=lambda _s, _a, chosen: choose(chosen),
                    user_data=place,
                )
                dpg.add_text(right, color=TEXT_DIM if is_possible else TEXT_DISABLED)
