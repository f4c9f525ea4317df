"""A map cut into square tiles that lie straight in the plot, as fine as the screen can show. Pure.

Pixels of a map lie rotated on the sample; tiles do not, so that a picture of the plot is put together from few of them.
They are counted from the first corner of the map, so that it can be moved without making them anew.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pacetomo.editor.viewing import View
from pacetomo.frames import XY, Matrix2

TILE_PX = 256
"""Pixels of a tile along each side, one of them at each edge a repetition of its neighbour's: without that, a screen
that interpolates between pixels shows seams."""

INNER_PX = TILE_PX - 2
"""Pixels of a tile that no neighbour has."""

Floats = NDArray[np.float32]


class Tile(NamedTuple):
    """A square of the plot plane: level (twice as coarse each), and its place in the grid of that level."""

    level: int
    column: int
    row: int


class Contrast(NamedTuple):
    """Values shown black and white."""

    black: float
    white: float

    def changed(self, brighter: float = 0.0, contrast: float = 1.0) -> Contrast:
        """Another contrast: brighter by a share of the range, and the range narrower by a factor.

        >>> Contrast(0.0, 10.0).changed(brighter=0.1)
        Contrast(black=-1.0, white=9.0)
        >>> Contrast(0.0, 10.0).changed(contrast=2.0)
        Contrast(black=2.5, white=7.5)
        """
        middle, half = (self.black + self.white) / 2, (self.white - self.black) / 2 / contrast
        shift = -brighter * (self.white - self.black)
        return Contrast(middle - half + shift, middle + half + shift)


@dataclass(frozen=True, eq=False)
class TiledMap:
    """A map as it lies in the plot plane, up to its place.

    Attributes
    ----------
    pixels : ndarray of float32, shape (rows, columns)
        Row 0 at the top, nan where there is nothing.
    to_plot : Matrix2
        Columns to the right and rows down, to µm in the plot plane.
    """

    pixels: Floats
    to_plot: Matrix2

    @classmethod
    def of(cls, pixels: Floats, corners: Sequence[XY]) -> TiledMap:
        """The map whose upper left, upper right, lower right and lower left corners lie there in the plot plane."""
        rows, columns = pixels.shape
        right = corners[1].minus(corners[0]).scaled(1 / columns)
        down = corners[3].minus(corners[0]).scaled(1 / rows)
        return cls(pixels, Matrix2(right.x, down.x, right.y, down.y))

    def laid(self, corners: Sequence[XY]) -> TiledMap:
        """Return the same map with its corners elsewhere; averages made so far are kept."""
        laid = TiledMap.of(self.pixels, corners)
        laid.__dict__["_levels"] = self._levels
        return laid

    @property
    def um_per_px(self) -> float:
        """Size of its pixels."""
        return math.sqrt(abs(self.to_plot.determinant))

    @cached_property
    def _levels(self) -> list[Floats]:
        """Its pixels, and averages over 2, 4 ... of them along each side."""
        levels = [self.pixels]
        while min(levels[-1].shape) > TILE_PX // 2:
            finer = levels[-1]
            rows, columns = finer.shape[0] // 2, finer.shape[1] // 2
            even = finer[: 2 * rows, : 2 * columns]
            halved = even[0::2] + even[1::2]
            levels.append((halved[:, 0::2] + halved[:, 1::2]) * np.float32(0.25))
        return levels

    def make_levels(self) -> None:
        """Average beforehand what coarse tiles need; takes a fraction of a second for a large map."""
        _ = self._levels

    def level_for(self, um_per_px: float) -> int:
        """Level whose pixels are about as large as those of the screen, not smaller than those of the map."""
        finest = max(math.floor(math.log2(max(um_per_px / self.um_per_px, 1.0)) + 0.25), 0)
        return min(finest, self.coarsest)

    @property
    def coarsest(self) -> int:
        """Coarsest level: the whole map in few tiles."""
        return max(math.ceil(math.log2(max(self.pixels.shape) / (2 * TILE_PX))), 0)

    def bounds(self, tile: Tile) -> tuple[XY, XY]:
        """Lower left and upper right corner of a tile (µm from the map's first corner)."""
        side = INNER_PX * self.um_per_px * 2.0**tile.level
        return XY(tile.column * side, tile.row * side), XY((tile.column + 1) * side, (tile.row + 1) * side)

    @cached_property
    def _extent(self) -> tuple[float, float, float, float]:
        rows, columns = self.pixels.shape
        corners = [self.to_plot.apply(XY(c, r)) for c in (0, columns) for r in (0, rows)]
        x, y = [corner.x for corner in corners], [corner.y for corner in corners]
        return min(x), max(x), min(y), max(y)

    def tiles_in(self, view: View, origin_um: XY, level: int) -> list[Tile]:
        """Tiles of a level that a view shows of the map, those in its middle first."""
        left, right, bottom, top = view.limits
        low_x, high_x, low_y, high_y = self._extent
        side = INNER_PX * self.um_per_px * 2.0**level
        left, right = max(left - origin_um.x, low_x), min(right - origin_um.x, high_x)
        bottom, top = max(bottom - origin_um.y, low_y), min(top - origin_um.y, high_y)
        if left >= right or bottom >= top:
            return []
        columns = range(math.floor(left / side), math.ceil(right / side))
        rows = range(math.floor(bottom / side), math.ceil(top / side))
        tiles = [Tile(level, column, row) for column in columns for row in rows]
        tiles = [tile for tile in tiles if self._touches(tile)]
        middle = view.centre_um.minus(origin_um).scaled(1 / side).minus(XY(0.5, 0.5))
        return sorted(tiles, key=lambda tile: XY(tile.column, tile.row).minus(middle).length)

    def _touches(self, tile: Tile) -> bool:
        """Whether a tile may show something of the map, which lies rotated in the rectangle around it."""
        low, high = self.bounds(tile)
        corners = [self._back.apply(XY(x, y)) for x in (low.x, high.x) for y in (low.y, high.y)]
        rows, columns = self.pixels.shape
        x, y = [corner.x for corner in corners], [corner.y for corner in corners]
        return max(x) > 0 and min(x) < columns and max(y) > 0 and min(y) < rows

    @cached_property
    def _back(self) -> Matrix2:
        return self.to_plot.inverse()

    def picture(self, tile: Tile, contrast: Contrast) -> Floats:
        """Red, green, blue and opacity (0 to 1) of a tile and a pixel around it, upper row first.

        Shape (`TILE_PX`, `TILE_PX`, 4).
        """
        low, high = self.bounds(tile)
        step = (high.x - low.x) / INNER_PX
        source = self._levels[min(tile.level, len(self._levels) - 1)]
        shrunk = 2.0 ** min(tile.level, len(self._levels) - 1)
        back = self._back
        # Output row r, column c is the plot place (low.x + (c - 1/2) step, high.y - (r - 1/2) step).
        first = back.apply(XY(low.x - step / 2, high.y + step / 2))
        along, down = back.apply(XY(step, 0.0)), back.apply(XY(0.0, -step))
        matrix = np.array([[down.y, along.y], [down.x, along.x]]) / shrunk
        offset = np.array([first.y, first.x]) / shrunk - 0.5
        grey = ndimage.affine_transform(
            source, matrix, offset, output_shape=(TILE_PX, TILE_PX), order=1, mode="constant", cval=np.nan
        )
        there = np.isfinite(grey)
        scaled = (grey - contrast.black) / max(contrast.white - contrast.black, 1e-30)
        picture = np.empty((TILE_PX, TILE_PX, 4), np.float32)
        picture[..., :3] = np.clip(np.where(there, scaled, 0.0), 0.0, 1.0)[..., None]
        picture[..., 3] = there
        return picture
