"""Choosing a map, loading it with progress, and keeping it under the targets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pacetomo.editor.map_items import MapChoice, choices_in, choices_of, item_of
from pacetomo.editor.maps import MapImage, MapItem, read_map, stage_matrix
from pacetomo.editor.model import Document
from pacetomo.editor.tiles import Contrast, TiledMap
from pacetomo.editor.window.dialogs import Field
from pacetomo.editor.window.map_layer import MapLayer
from pacetomo.editor.wording import sentence
from pacetomo.editor.workers import CancelledError, Work
from pacetomo.errors import PaceError
from pacetomo.frames import XY, Matrix2

if TYPE_CHECKING:
    from pacetomo.editor.window.window import EditorWindow

_FROM_ELSEWHERE = "another Navigator file ..."


class Maps:
    """The map of a window."""

    def __init__(self, window: EditorWindow) -> None:
        self.window = window
        self.image: MapImage | None = None
        self.layer: MapLayer | None = None
        self._laid_out: tuple[Matrix2, bool, bool, bool] | None = None
        self.usual = Contrast(0.0, 1.0)
        self.contrast = self.usual

    # --- choosing and loading

    def choose(self) -> None:
        """Let a map of the folder's Navigator files be chosen."""
        folder = self.window.desk.document.path.parent

        def fail(error: PaceError) -> None:
            self._ask_for_file(folder, str(error))

        self.window.workers.start("Reading the Navigator", lambda work: choices_in(folder), self._offer, fail)

    def _offer(self, choices: Sequence[MapChoice]) -> None:
        def matching(typed: str) -> list[MapChoice]:
            words = typed.casefold().split()
            return [
                c
                for c in choices
                if all(word in f"{c.label} {c.note} {c.navigator.name}".casefold() for word in words)
            ]

        def entries(typed: str) -> list[tuple[str, str, bool]]:
            lines = [(f"{c.label}   {c.note}", c.navigator.name, True) for c in matching(typed)]
            return [*lines, (_FROM_ELSEWHERE, "", True)]

        def chosen(place: int, typed: str) -> None:
            found = matching(typed)
            if place < len(found):
                self.load(found[place])
            else:
                self._ask_for_file(self.window.desk.document.path.parent, "")

        self.window.dialogs.choice("Load map", entries, chosen, "Maps of the Navigator files in this folder")

    def _ask_for_file(self, folder: Path, text: str) -> None:
        def accept(values: dict[str, str]) -> None:
            choices = choices_of(folder / values["path"].strip('"'))
            self.window.dialogs.close()
            self._offer(choices)

        field = Field(
            "path", "Navigator file", "", "Path of a .nav file; its maps are looked for beside it, too"
        )
        self.window.dialogs.form("Load map", [field], accept, sentence(text) if text else "", "Read")

    def load(self, choice: MapChoice) -> None:
        """Load a map of a Navigator file in the background."""
        self._load(choice.label, lambda: item_of(choice))

    def load_item(self, item: MapItem) -> None:
        """Load a map in the background."""
        self._load(item.label, lambda: item)

    def _load(self, label: str, find: Callable[[], MapItem]) -> None:
        document = self.window.desk.document

        def read(work: Work) -> tuple[MapImage, TiledMap, Contrast, Document]:
            item = find()
            known = document.known
            if document.stage_to_specimen is None:
                known = replace(known, stage_to_specimen=stage_matrix(item))
            placed = document.with_known(known)
            image = read_map(
                item, lambda share: work.tell(int(100 * share), 110), lambda: not work.is_cancelled
            )
            if image is None:
                raise CancelledError("loading the map was given up")
            tiled = TiledMap.of(image.image.pixels, self._corners(image, placed))
            tiled.make_levels()
            return image, tiled, Contrast(*image.image.limits()), placed

        def take(found: tuple[MapImage, TiledMap, Contrast, Document]) -> None:
            image, tiled, contrast, placed = found
            desk = self.window.desk
            if desk.document.known.stage_to_specimen is None and placed.known.stage_to_specimen is not None:
                desk.learn(replace(desk.document.known, stage_to_specimen=placed.known.stage_to_specimen))
            self.image = image
            self.usual = self.contrast = contrast
            self._show(tiled)
            self.window.set_shown(with_map=True)
            columns, rows = image.image.full_px
            desk.tell(f"map {image.item.label}: {columns} x {rows} pixels from {image.item.path.name}")

        def fail(error: PaceError) -> None:
            self.window.desk.complain(error, "The map cannot be shown")

        self.window.workers.start(f"Loading map {label}", read, take, fail, lane="map")

    # --- showing

    def _corners(self, image: MapImage, document: Document) -> list[XY]:
        matrix = self.window.plot.shown.orientation.matrix()
        return [matrix.apply(corner) for corner in image.corners_um(document)]

    def _show(self, tiled: TiledMap | None) -> None:
        if self.layer is None or self.image is None or tiled is None:
            return
        document, orientation = self.window.desk.document, self.window.plot.shown.orientation
        corners = self._corners(self.image, document)
        self.layer.show(tiled.laid(corners), corners[0], self.contrast)
        matrix = document.stage_to_specimen or Matrix2(1.0, 0.0, 0.0, 1.0)
        self._laid_out = (matrix, orientation.swap, orientation.mirror_x, orientation.mirror_y)

    def attach(self, layer: MapLayer) -> None:
        """Show the map in a canvas made anew."""
        tiled = None if self.layer is None else self.layer.tiled
        self.layer = layer
        self._show(tiled)

    def follow(self) -> None:
        """Keep the map under the targets, whatever is the tracking target and whichever way round they are."""
        if self.image is None or self.layer is None or self.layer.tiled is None:
            return
        document, orientation = self.window.desk.document, self.window.plot.shown.orientation
        try:
            corners = self._corners(self.image, document)
        except PaceError as err:
            self.window.desk.tell(str(err))
            return
        matrix = document.stage_to_specimen or Matrix2(1.0, 0.0, 0.0, 1.0)
        laid_out = (matrix, orientation.swap, orientation.mirror_x, orientation.mirror_y)
        if laid_out != self._laid_out:
            self._show(self.layer.tiled)
        else:
            self.layer.move(corners[0])

    def fit(self) -> None:
        """Show the whole map."""
        if self.image is None:
            return
        plot = self.window.plot
        corners = self._corners(self.image, self.window.desk.document)
        plot.canvas.show(plot.canvas.view.fitted(corners, 0.5), plot.shown.orientation)
        plot.redraw_labels()

    def set_contrast(self, contrast: Contrast) -> None:
        """Show other values black and white."""
        self.contrast = contrast
        if self.layer is not None:
            self.layer.contrast = contrast
