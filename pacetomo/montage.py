"""Targets imaged as a small montage at every tilt: which tiles, where, in which order, under which names. Pure.

Tiles lie side by side as images do on the screen: along the camera's X (right) and Y (up), not along the tilt axis.
``Tile(1, 0)`` is the right neighbour of the centre tile, ``Tile(0, 1)`` the one above it. The step from one to the
next is the image's own size less the overlap, at every tilt: it is measured in the image, where nothing is
foreshortened, so tiles abut in every image and cover more of an inclined sample across the tilt axis than along it.

The centre tile is taken first and shows the target, so it alone is aligned and tracks. The others are taken around the
place that the centre tile was aimed at, whatever its alignment finds: tiles of one tilt abut, and the next tilt is
corrected as a whole.

With a travel the whole montage moves along the tilt axis during a series, in proportion to the tilt: from
``-travel_um`` at the lowest tilt through 0 in the middle to ``+travel_um`` at the highest. The strips of sample that
two tiles expose are then other ones at each tilt.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import NamedTuple

from pacetomo.frames import ORIGIN, XY, Matrix2
from pacetomo.settings_table import Settings
from pacetomo.targets import Target


class Tile(NamedTuple):
    """A place in a montage: columns to the right of the centre tile, and rows above it."""

    x: int
    y: int

    @property
    def name(self) -> str:
        """As in the names of stacks.

        >>> Tile(-1, 0).name
        '-1_0'
        """
        return f"{self.x}_{self.y}"


CENTRE = Tile(0, 0)


@dataclass(frozen=True)
class Montage:
    """Tiles of a target.

    Attributes
    ----------
    columns, rows : int
        Tiles along the camera's X and Y; odd.
    overlap : float
        Of neighbouring tiles, as a share of the image.
    travel_um : float
        Largest distance that all tiles move along the tilt axis.
    """

    columns: int = 1
    rows: int = 1
    overlap: float = 0.0
    travel_um: float = 0.0

    @property
    def is_single(self) -> bool:
        """Whether there is the centre tile only: an ordinary series."""
        return self.columns == 1 and self.rows == 1

    @property
    def tiles(self) -> tuple[Tile, ...]:
        """All tiles in order of acquisition: the centre, then row by row from the lowest, to and fro.

        >>> [tile.name for tile in Montage(3, 1).tiles]
        ['0_0', '-1_0', '1_0']
        """
        right, up = self.columns // 2, self.rows // 2
        rest = [
            Tile(x if (y + up) % 2 == 0 else -x, y)
            for y in range(-up, up + 1)
            for x in range(-right, right + 1)
            if (x, y) != CENTRE
        ]
        return (CENTRE, *rest)

    def offset_um(self, tile: Tile, field_um: XY, camera_axes: Matrix2) -> XY:
        """Where a tile lies from the centre tile, in the specimen frame as seen along the beam (µm).

        Parameters
        ----------
        tile : Tile
            Which.
        field_um : XY
            Size of an image along the camera's X and Y.
        camera_axes : Matrix2
            Camera's axes (X right, Y up) to the specimen's, without magnification.

        >>> Montage(3, 3, overlap=0.1).offset_um(Tile(1, -1), XY(1.2, 0.8), Matrix2(0.0, -1.0, 1.0, 0.0))
        XY(x=0.7200000000000001, y=1.08)
        """
        step_um = field_um.scaled(1 - self.overlap)
        return camera_axes.apply(XY(tile.x * step_um.x, tile.y * step_um.y))

    def reach_um(self, field_um: XY) -> float:
        """Distance of the farthest tile from the centre tile."""
        step_um = field_um.scaled(1 - self.overlap)
        return XY(self.columns // 2 * step_um.x, self.rows // 2 * step_um.y).length

    def travelled_um(self, tilt_deg: float, tilts_deg: Iterable[float]) -> XY:
        """How far all tiles have moved at one of the tilts of a series, in the specimen frame (µm).

        >>> montage = Montage(3, 1, travel_um=0.4)
        >>> [montage.travelled_um(tilt, (-60.0, 60.0)).x for tilt in (-60.0, 0.0, 30.0, 60.0)]
        [-0.4, 0.0, 0.2, 0.4]
        """
        tilts = list(tilts_deg)
        lowest, highest = min(tilts), max(tilts)
        if self.is_single or self.travel_um == 0 or highest == lowest:
            return ORIGIN
        return XY(self.travel_um * (2 * (tilt_deg - lowest) / (highest - lowest) - 1), 0.0)

    def series(self, series: str, tile: Tile) -> str:
        """Name of a tile's stack for a target with that `series`; a single tile has the series' own.

        >>> Montage(3, 1).series("area_ts_001.mrc", Tile(-1, 0)), Montage().series("area_ts_001.mrc", CENTRE)
        ('area_ts_001_-1_0.mrc', 'area_ts_001.mrc')
        """
        return series if self.is_single else tile_series(series, tile)


def montage_of(settings: Settings, is_tracking: bool) -> Montage:
    """Tiles that the settings ask for of a target; the tracking target may be left a single image."""
    if not settings.tgtMontage or (is_tracking and not settings.tgtTrackMnt):
        return Montage()
    columns, rows = settings.tgtMntSize
    return Montage(columns, rows, settings.tgtMntOverlap, settings.tgtMntXOffset)


def series_files(target: Target, settings: Settings, is_tracking: bool) -> tuple[str, ...]:
    """Names of all stacks of a target, as its file spells folders; the one that is aligned first."""
    montage = montage_of(settings, is_tracking)
    return tuple(montage.series(target.series, tile) for tile in montage.tiles)


def tile_series(series: str, tile: Tile) -> str:
    """Name of a tile's stack beside a target's series.

    >>> tile_series("area_ts_001.mrc", CENTRE)
    'area_ts_001_0_0.mrc'
    """
    suffix = PureWindowsPath(series).suffix
    return f"{series[: len(series) - len(suffix)]}_{tile.name}{suffix}"


def tile_stacks(series: Path) -> list[Path]:
    """Stacks of tiles that are there beside a target's series, of whatever montage, by name."""
    pattern = re.compile(re.escape(series.stem) + r"_-?\d+_-?\d+" + re.escape(series.suffix))
    if not series.parent.is_dir():
        return []
    return sorted(path for path in series.parent.iterdir() if pattern.fullmatch(path.name))


def aligned_stack(series: Path) -> Path:
    """The stack that a target was aligned by: its series, or the centre tile of a montage if only that is there."""
    centre = series.with_name(tile_series(series.name, CENTRE))
    return centre if not series.is_file() and centre.is_file() else series
