"""Items of the Navigator: what each of its keys means, and how items are made and changed."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from pacetomo.errors import NavigatorError
from pacetomo.files.navigator_text import NavSection
from pacetomo.frames import XY, Matrix2

LONGEST_LABEL = 16


class ItemKind(enum.IntEnum):
    """What an item is; the values are SerialEM's."""

    POINT = 0
    POLYGON = 1
    MAP = 2


class MapData(NamedTuple):
    """What an item says about the image of a map.

    Attributes
    ----------
    file : str
        Path as it stands in the file, often one of another computer; `navigator_maps.find_map_file` finds it.
    section : int
        Section of the file, or number of the montage in it, from 0.
    stage_to_pixel : Matrix2
        µm of stage to pixels of the map, Y down.
    size : tuple of int
        Width and height (pixels) of the image that the matrix belongs to; of a montage, its overview.
    is_montage : bool
        The file holds the pieces of a montage.
    frames : tuple of int
        Pieces of the montage in X and Y.
    binning, montage_binning : int
        Of the image or overview, and of the pieces; in units of the camera.
    magnification_index, camera : int
        SerialEM's magnification and camera index.
    low_dose_set : int
        Low-dose area (0 View, 3 Record, 5 Search); -1 without low dose.
    tilt_deg : float
        Stage tilt.
    defocus_offset_um : float
        Defocus offset of View or Search.
    """

    file: str
    section: int
    stage_to_pixel: Matrix2
    size: tuple[int, int]
    is_montage: bool
    frames: tuple[int, int]
    binning: int
    montage_binning: int
    magnification_index: int
    camera: int
    low_dose_set: int
    tilt_deg: float
    defocus_offset_um: float


@dataclass(frozen=True)
class NavItem(NavSection):
    """One line of the Navigator's table; every other key is reached by `text`, `get_floats` and `with_value`."""

    @property
    def label(self) -> str:
        """Label, at most 16 characters."""
        return self.name

    @property
    def item_kind(self) -> ItemKind:
        """Point, polygon or map."""
        number = self.get_int("Type", -1)
        if number not in tuple(ItemKind):
            raise NavigatorError(f"{self.place}: Type is {self.text('Type')!r}, 0, 1 or 2 is needed")
        return ItemKind(number)

    @property
    def is_map(self) -> bool:
        """Whether the item is a map."""
        return self.item_kind is ItemKind.MAP

    @property
    def has_stage(self) -> bool:
        """Whether the item has a stage position; one placed by pixels has none (`navigator_maps.placed`)."""
        return self.text("StageXYZ") is not None

    @property
    def stage_um(self) -> XY:
        """Stage position; NavigatorError if the item has none."""
        x, y, _ = self.need_floats("StageXYZ", 3)
        return XY(x, y)

    @property
    def stage_z_um(self) -> float:
        """Stage Z; NavigatorError if the item has none."""
        return self.need_floats("StageXYZ", 3)[2]

    @property
    def note(self) -> str:
        """Note, "" if there is none."""
        return self.text("Note") or ""

    @property
    def group(self) -> int:
        """ID that the points of a group share, 0 for none."""
        return self.get_int("GroupID")

    @property
    def acquire(self) -> bool:
        """Whether the item is marked for Acquire at Items."""
        return self.get_int("Acquire") != 0

    @property
    def color(self) -> int:
        """Colour: 0 red, 1 green, 2 blue, 3 yellow, 4 magenta, 5 that of no realigning."""
        return self.get_int("Color")

    @property
    def is_drawn(self) -> bool:
        """Whether SerialEM draws the item."""
        return self.get_int("Draw", 1) != 0

    @property
    def map_id(self) -> int:
        """ID of the item, map or not; 0 if it has none yet."""
        return self.get_int("MapID")

    @property
    def drawn_on(self) -> int:
        """ID of the map that the item was drawn on, 0 for none."""
        return self.get_int("DrawnID")

    @property
    def piece_on(self) -> int | None:
        """Piece of the map's montage that the item was drawn on, counted up columns of Y from 0; None for none."""
        number = self.get_int("PieceOn", -1)
        return None if number < 0 else number

    @property
    def points_um(self) -> tuple[XY, ...]:
        """Points of a point, polygon or map outline (stage, µm)."""
        xs, ys = self.get_floats("PtsX") or (), self.get_floats("PtsY") or ()
        if len(xs) != len(ys):
            raise NavigatorError(f"{self.place}: PtsX has {len(xs)} numbers and PtsY {len(ys)}")
        return tuple(map(XY, xs, ys))

    @property
    def map_data(self) -> MapData:
        """What a map says about its image; NavigatorError if it is no map or lacks something."""
        file = self.text("MapFile")
        if not self.is_map or file is None:
            raise NavigatorError(f"{self.place}: this is no map with an image file")
        matrix = self.need_floats("MapScaleMat", 4)
        width, height = self.need_floats("MapWidthHeight", 2)
        frames = self.get_floats("MapFramesXY") or (0.0, 0.0)
        return MapData(
            file=file,
            section=self.get_int("MapSection"),
            stage_to_pixel=Matrix2(*matrix),
            size=(int(width), int(height)),
            is_montage=self.get_int("MapMontage") != 0,
            frames=(int(frames[0]), int(frames[-1])),
            binning=self.get_int("MapBinning", 1),
            montage_binning=self.get_int("MontBinning"),
            magnification_index=self.get_int("MapMagInd"),
            camera=self.get_int("MapCamera"),
            low_dose_set=self.get_int("MapLDConSet", -1),
            tilt_deg=(self.get_floats("MapTiltAngle") or (0.0,))[0],
            defocus_offset_um=(self.get_floats("DefocusOffset") or (0.0,))[0],
        )

    def renamed(self, label: str) -> NavItem:
        """Return the item with another label, cut to 16 characters."""
        return self if label == self.name else replace(self, name=label[:LONGEST_LABEL], source="")

    def with_note(self, note: str) -> NavItem:
        """Return the item with a note; "" takes it away."""
        return self.with_value("Note", note or None)

    def with_acquire(self, on: bool) -> NavItem:
        """Return the item marked for Acquire at Items, or no longer so."""
        return self.with_value("Acquire", 1 if on else None)

    def moved_to(self, stage_um: XY, z_um: float | None = None) -> NavItem:
        """Return the item at another stage position, its points along with it."""
        shift = stage_um.minus(self.stage_um)
        z_um = self.stage_z_um if z_um is None else z_um
        return self.with_value("StageXYZ", (*stage_um, z_um)).with_points(
            [point.plus(shift) for point in self.points_um]
        )

    def with_points(self, points_um: Sequence[XY]) -> NavItem:
        """Return the item with other points (stage, µm)."""
        item = self.with_value("NumPts", len(points_um))
        item = item.with_value("PtsX", [point.x for point in points_um])
        return item.with_value("PtsY", [point.y for point in points_um])


def new_item(
    label: str,
    kind: ItemKind,
    stage_um: XY,
    z_um: float,
    points_um: Sequence[XY] = (),
    note: str = "",
    group: int = 0,
    drawn_on: int = 0,
    acquire: bool = False,
) -> NavItem:
    """Make an item with the keys that SerialEM needs; `NavFile.with_added` gives it its ID.

    Parameters
    ----------
    label : str
        At most 16 characters are kept.
    kind : ItemKind
        It also gives the usual colour.
    stage_um : XY
        Stage position; of a polygon its centre.
    z_um : float
        Stage Z.
    points_um : sequence of XY
        Corners (stage, µm); a point needs none.
    note : str
        Text of the Note column.
    group, drawn_on : int
        IDs of the group, and of the map below it; 0 for none.
    acquire : bool
        Marked for Acquire at Items.
    """
    item = NavItem("Item", label[:LONGEST_LABEL], place=f"new Navigator item {label}")
    values: dict[str, str | int | float | tuple[float, ...] | None] = {
        "Color": int(kind),
        "StageXYZ": (*stage_um, z_um),
        "Regis": 1,
        "Type": int(kind),
        "Note": note or None,
        "GroupID": group or None,
        "DrawnID": drawn_on or None,
        "RawStageXY": tuple(stage_um),
        "Acquire": 1 if acquire else None,
    }
    for key, value in values.items():
        item = item.with_value(key, value)
    return item.with_points(points_um or [stage_um])
