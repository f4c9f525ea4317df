"""The selected target in detail: its files, its place, and small pictures of reference and last tilt image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, Optional

import dearpygui.dearpygui as dpg
import numpy as np

from pacetomo.editor import references
from pacetomo.editor.desk import Desk
from pacetomo.editor.model import Document
from pacetomo.editor.small import SmallImage
from pacetomo.editor.tiles import Floats
from pacetomo.editor.window.theme import TEXT_DIM, Fonts, Tag
from pacetomo.editor.wording import cut
from pacetomo.editor.workers import Work, Workers
from pacetomo.errors import PaceError

_PX = references.THUMBNAIL_PX
_REFRESH_S = 5.0
_LONGEST_NAME = 34


class _Square(NamedTuple):
    """A picture with four values a pixel, and how far it reaches from the middle as a share of the square's side."""

    pixels: Floats
    reach: float


@dataclass(eq=False)
class Details:
    """The panel in a window."""

    desk: Desk
    fonts: Fonts
    workers: Workers
    _shown: Optional[tuple[int, str, str]] = None  # noqa: UP045 - evaluated at run time on Python 3.9
    _pictures: list[Tag] = field(default_factory=list)
    _images: list[Tag] = field(default_factory=list)
    _captions: list[Tag] = field(default_factory=list)
    _work: Optional[Work] = None  # noqa: UP045
    _loaded_at: float = 0.0

    def build(self, parent: Tag) -> None:
        """Make the panel."""
        em = self.fonts.em
        blank = np.zeros(_PX * _PX * 4, np.float32)
        registry = dpg.add_texture_registry()
        with dpg.group(horizontal=True, parent=parent):
            for _ in range(2):
                with dpg.group():
                    self._captions.append(dpg.add_text("", color=TEXT_DIM))
                    self._pictures.append(dpg.add_dynamic_texture(_PX, _PX, blank, parent=registry))
                    self._images.append(dpg.add_image(self._pictures[-1], width=em(8.6), height=em(8.6)))
            with dpg.group():
                self._title = dpg.add_text("")
                self._text = dpg.add_text("", wrap=0)
            with dpg.tooltip(self._text):
                self._names = dpg.add_text("")

    def redraw(self) -> None:
        """Show the selected target, or how many there are."""
        document = self.desk.document
        if len(document.selected) != 1:
            count = len(document.selected)
            dpg.set_value(self._title, f"{count} targets selected" if count else "No target selected")
            dpg.set_value(self._text, "Click one on the plot or in the list.")
            dpg.set_value(self._names, "")
            self._show_nothing()
            return
        number = min(document.selected)
        target = document.target(number)
        place = document.places_um[number]
        stage = (
            "" if target.stage_um is None else f"\nstage {target.stage_um.x:.2f}, {target.stage_um.y:.2f} µm"
        )
        names = [name for name in (target.series, target.reference, target.view) if name]
        dpg.set_value(self._title, f"Target {number}")
        dpg.set_value(
            self._text,
            "\n".join(cut(name, _LONGEST_NAME) for name in names)
            + f"\nSSX {place.x:.3f}, SSY {place.y:.3f} µm{stage}\n{place.length:.2f} µm from the tracking target",
        )
        dpg.set_value(self._names, "\n".join(names))
        key = (number, target.series, target.reference or "")
        if key != self._shown:
            self._shown = key
            self._load(number)

    def _show_nothing(self) -> None:
        self._shown = None
        for place in range(2):
            dpg.set_value(self._captions[place], "")
            dpg.configure_item(self._images[place], show=False)

    def refresh(self, now_s: float) -> None:
        """Load the pictures once more, as a series grows in a run; not too often."""
        if self._shown is not None and self._work is None and now_s - self._loaded_at > _REFRESH_S:
            self._loaded_at = now_s
            self._load(self._shown[0])

    def _load(self, number: int) -> None:
        """Read both pictures in a thread."""
        document = self.desk.document
        if self._work is not None:
            self._work.cancel()

        def read(work: Work) -> list[_Square | str]:
            loaders = (references.reference_picture, references.latest_picture)
            return [_read(load, document, number) for load in loaders]

        def take(found: list[_Square | str]) -> None:
            self._work = None
            for place, (name, picture) in enumerate(zip(("Reference", "Last tilt image"), found)):
                if isinstance(picture, str):
                    dpg.set_value(self._captions[place], f"{name}: {picture}")
                    dpg.configure_item(self._images[place], show=False)
                else:
                    pixels, shown = picture
                    dpg.set_value(self._captions[place], name)
                    dpg.set_value(self._pictures[place], pixels.ravel())
                    dpg.configure_item(
                        self._images[place], show=True, uv_min=(0.5 - shown,) * 2, uv_max=(0.5 + shown,) * 2
                    )

        def fail(error: PaceError) -> None:
            self._work = None
            self.desk.tell(str(error))

        self._work = self.workers.start("", read, take, fail, lane="thumbnails")


def _read(
    load: Callable[[Document, int], SmallImage | None], document: Document, number: int
) -> _Square | str:
    """A picture, or in a word why there is none."""
    try:
        image = load(document, number)
    except PaceError:
        return "cannot be read"
    return "none" if image is None else _square(image)


def _square(image: SmallImage) -> _Square:
    """An image in the middle of a square, opaque where it is."""
    shades = image.shades(*image.limits())[:_PX, :_PX]
    rows, columns = shades.shape
    top, left = (_PX - rows) // 2, (_PX - columns) // 2
    square = np.zeros((_PX, _PX, 4), np.float32)
    square[top : top + rows, left : left + columns, :3] = shades[..., None] / np.float32(255)
    square[top : top + rows, left : left + columns, 3] = 1.0
    return _Square(square, max(rows, columns) / _PX / 2)
