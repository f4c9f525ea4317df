"""The map behind the targets: tiles made in a thread, a few of them handed to the screen with each frame."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Optional

import dearpygui.dearpygui as dpg

from pacetomo.editor.tiles import Contrast, Floats, Tile, TiledMap
from pacetomo.editor.viewing import View
from pacetomo.editor.window.canvas import Canvas
from pacetomo.editor.window.theme import Tag
from pacetomo.editor.workers import Work, Workers
from pacetomo.errors import PaceError
from pacetomo.frames import ORIGIN, XY

_MOST_TILES = 160
_UPLOAD_S = 0.015


@dataclass(eq=False)
class _Shown:
    """A tile on the screen."""

    texture: Tag
    series: Tag
    contrast: Contrast


@dataclass(eq=False)
class MapLayer:
    """The map of a canvas.

    Attributes
    ----------
    tiled : TiledMap or None
        What is shown; None for no map.
    origin_um : XY
        Where the map's first corner lies in the plot plane.
    contrast : Contrast
        Values shown black and white.
    is_shown : bool
        Whether it is to be seen.
    """

    canvas: Canvas
    workers: Workers
    tiled: Optional[TiledMap] = None  # noqa: UP045 - evaluated at run time on Python 3.9
    origin_um: XY = ORIGIN
    contrast: Contrast = field(default_factory=lambda: Contrast(0.0, 1.0))
    is_shown: bool = True
    _registry: Optional[Tag] = None  # noqa: UP045
    _tiles: dict[Tile, _Shown] = field(default_factory=dict)
    _wanted: list[Tile] = field(default_factory=list)
    _ready: deque[tuple[TiledMap, Tile, Contrast, Floats]] = field(default_factory=deque)
    _work: Optional[Work] = None  # noqa: UP045
    _is_covered: bool = False

    def show(self, tiled: TiledMap | None, origin_um: XY, contrast: Contrast) -> None:
        """Show another map, or none."""
        self._clear()
        self.tiled, self.origin_um, self.contrast = tiled, origin_um, contrast

    def move(self, origin_um: XY) -> None:
        """Show the map at another place."""
        if origin_um == self.origin_um:
            return
        self.origin_um = origin_um
        for tile, shown in self._tiles.items():
            low, high = self._bounds(tile)
            dpg.configure_item(shown.series, bounds_min=low, bounds_max=high)

    def set_shown(self, is_shown: bool) -> None:
        """Show the map or hide it."""
        self.is_shown = is_shown
        self._is_covered = False
        for shown in self._tiles.values():
            dpg.configure_item(shown.series, show=is_shown)

    def _bounds(self, tile: Tile) -> tuple[XY, XY]:
        assert self.tiled is not None
        low, high = self.tiled.bounds(tile)
        return low.plus(self.origin_um), high.plus(self.origin_um)

    def _clear(self) -> None:
        for tile in list(self._tiles):
            self._drop(tile)
        self._ready.clear()
        if self._work is not None:
            self._work.cancel()
        self._work, self._wanted = None, []

    def _drop(self, tile: Tile) -> None:
        shown = self._tiles.pop(tile)
        dpg.delete_item(shown.series)
        dpg.delete_item(shown.texture)

    # --- each frame

    def update(self, view: View) -> bool:
        """Ask for the tiles that a view needs, and show those that are ready; whether anything is still to come."""
        if self.tiled is None or not self.is_shown:
            return False
        coarse = self.tiled.tiles_in(view, self.origin_um, self.tiled.coarsest)
        fine = self.tiled.tiles_in(view, self.origin_um, self.tiled.level_for(view.um_per_px))
        self._wanted = list(dict.fromkeys([*coarse, *fine]))
        end_s = time.perf_counter() + _UPLOAD_S
        while self._ready and time.perf_counter() < end_s:
            self._put(*self._ready.popleft())
        self._forget_old()
        self._hide_covered()
        waiting = {tile for _, tile, contrast, _ in self._ready if contrast == self.contrast}
        missing = [tile for tile in self._wanted if not self._is_up_to_date(tile) and tile not in waiting]
        if missing and self._work is None:
            self._start(missing)
        return bool(missing or self._ready)

    @property
    def is_complete(self) -> bool:
        """Whether all that the view needs is on the screen."""
        return bool(self._wanted) and all(self._is_up_to_date(tile) for tile in self._wanted)

    def _is_up_to_date(self, tile: Tile) -> bool:
        shown = self._tiles.get(tile)
        return shown is not None and shown.contrast == self.contrast

    def _start(self, tiles: list[Tile]) -> None:
        """Have tiles made in a thread; each is ready as soon as it is made."""
        tiled, contrast = self.tiled, self.contrast
        assert tiled is not None

        def make(work: Work) -> None:
            for tile in tiles:
                if work.is_cancelled or contrast != self.contrast or tile not in self._wanted:
                    continue
                self._ready.append((tiled, tile, contrast, tiled.picture(tile, contrast)))

        def done(_result: None) -> None:
            self._work = None

        def fail(error: PaceError) -> None:
            self._work = None
            raise error

        self._work = self.workers.start("", make, done, fail, lane="tiles")

    def _put(self, tiled: TiledMap, tile: Tile, contrast: Contrast, picture: Floats) -> None:
        """Show a tile, in place of an older picture of it."""
        if tiled is not self.tiled:
            return
        if tile in self._tiles:
            self._drop(tile)
        self._is_covered &= tile.level != tiled.coarsest
        if self._registry is None:
            self._registry = dpg.add_texture_registry()
        side = picture.shape[0]
        texture = dpg.add_static_texture(side, side, picture.ravel(), parent=self._registry)
        low, high = self._bounds(tile)
        series = self.canvas.add_picture(
            texture, low, high, below_others=tile.level == tiled.coarsest, edge=1 / side
        )
        self._tiles[tile] = _Shown(texture, series, contrast)

    def _hide_covered(self) -> None:
        """Hide coarse tiles while finer ones cover them, which saves drawing each pixel twice."""
        if self.tiled is None:
            return
        coarsest = self.tiled.coarsest
        is_covered = self.is_complete and any(tile.level != coarsest for tile in self._wanted)
        if is_covered == self._is_covered:
            return
        self._is_covered = is_covered
        for tile, shown in self._tiles.items():
            if tile.level == coarsest:
                dpg.configure_item(shown.series, show=not is_covered)

    def _forget_old(self) -> None:
        """Drop tiles of another level than is shown, once those are there, and the oldest ones of too many."""
        wanted = set(self._wanted)
        if all(tile in self._tiles for tile in wanted):
            level = min((tile.level for tile in wanted), default=0)
            for tile in [t for t in self._tiles if t not in wanted and t.level != level]:
                self._drop(tile)
        for tile in [t for t in self._tiles if t not in wanted][: max(len(self._tiles) - _MOST_TILES, 0)]:
            self._drop(tile)
