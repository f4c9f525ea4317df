"""What the microscope is asked to do, in a thread of its own and with progress."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pacetomo.editor.desk import Question
from pacetomo.editor.microscope import MeasuredGeometry, MicroscopeSide
from pacetomo.editor.model import Document, Known
from pacetomo.editor.settings_panel import set_setting
from pacetomo.editor.window.commands import open_in_viewer
from pacetomo.editor.workers import CancelledError, Work
from pacetomo.errors import PaceError
from pacetomo.number_text import format_float

if TYPE_CHECKING:
    from pacetomo.editor.window.window import EditorWindow

Result = TypeVar("Result")


class ScopeWork:
    """The microscope of a window; its actions are refused where there is none."""

    def __init__(self, window: EditorWindow, microscope: MicroscopeSide | None) -> None:
        self.window = window
        self._microscope = microscope

    def ask_what_it_knows(self) -> None:
        """Take over limits, beam, field and matrices."""
        if self._microscope is None:
            return
        microscope = self._microscope

        def take(known: Known) -> None:
            desk = self.window.desk
            before = desk.document.known
            desk.learn(
                replace(known, names=before.names, layers=known.layers or before.layers, has_microscope=True)
            )

        self._start("Asking the microscope", lambda work: microscope.known(), take)

    def save_views(self) -> None:
        """Take a View image of each selected target."""
        document = self.window.desk.document
        numbers = sorted(document.selected)

        def take(names: Mapping[int, str]) -> None:
            for number, name in names.items():
                self.window.desk.give_view(number, name)
            self.window.desk.tell(f"{len(names)} View image{'' if len(names) == 1 else 's'} saved")

        self._run(
            f"Saving {len(numbers)} views", lambda side, tell: side.save_views(document, numbers, tell), take
        )

    def copy_to_acquire(self) -> None:
        """Write the targets for all Navigator points marked with Acquire."""
        document = self.window.desk.document

        def take(paths: Sequence[Path]) -> None:
            names = "\n".join(path.name for path in paths)
            self.window.desk.ask(Question("Copied to Acquire points", f"{len(paths)} target files:\n{names}"))

        self._run("Copying to Acquire points", lambda side, tell: side.copy_to_acquire(document, tell), take)

    def measure_geometry(self) -> None:
        """Measure defocus at the geometry points."""
        document = self.window.desk.document
        self._run(
            "Measuring geometry",
            lambda side, tell: side.measure_geometry(document, tell),
            self._take_geometry,
        )

    def _take_geometry(self, measured: MeasuredGeometry) -> None:
        """Show what was measured, and offer to take it over."""
        desk = self.window.desk
        answers: list[tuple[str, Callable[[], None] | None]] = []
        if measured.pretilt_deg is not None and measured.rotation_deg is not None:
            pretilt, rotation = measured.pretilt_deg, measured.rotation_deg

            def use() -> None:
                def change(document: Document) -> Document:
                    tilted = set_setting(document, "pretilt", format_float(round(pretilt, 2)))
                    return set_setting(tilted, "rotation", format_float(round(rotation, 2)))

                desk.edit(f"Set pretilt {pretilt:.2f}°, rotation {rotation:.2f}°", change)

            answers.append(("Use for this area", use))
        if measured.figure is not None:
            figure = measured.figure
            answers.append(("Open the figure", lambda: self._open(figure)))
        answers.append(("Close", None))
        desk.ask(Question("Geometry", measured.text, tuple(answers)))
        self.window.show_geometry(measured)

    def _open(self, path: Path) -> None:
        try:
            open_in_viewer(path)
        except PaceError as err:
            self.window.desk.complain(err)

    def _run(
        self,
        title: str,
        ask: Callable[[MicroscopeSide, Callable[[int, int], None]], Result],
        take: Callable[[Result], None],
    ) -> None:
        if self._microscope is None:
            return
        microscope = self._microscope

        def work(ticket: Work) -> Result:
            def tell(done: int, total: int) -> None:
                if ticket.is_cancelled:
                    raise CancelledError(f"{title}: given up after {done} of {total}")
                ticket.tell(done, total)

            return ask(microscope, tell)

        self._start(title, work, take)

    def _start(self, title: str, work: Callable[[Work], Result], take: Callable[[Result], None]) -> None:
        def fail(error: PaceError) -> None:
            self.window.desk.complain(error, title)

        self.window.workers.start(title, work, take, fail, lane="microscope")
