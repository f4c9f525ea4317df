"""Virtual maps as files and Navigator items, which SerialEM takes for images of the area that they stand for."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

from pacetomo.files.atomic import Wait, write_bytes_atomically
from pacetomo.files.exchange import mdoc_of
from pacetomo.files.mdoc import Mdoc, MdocSection, format_mdoc, parse_mdoc
from pacetomo.files.navigator import ItemKind, NavItem, new_item
from pacetomo.files.new_stack import VIRTUAL, image_bytes
from pacetomo.frames import XY, Matrix2
from pacetomo.scope.desk import Optics
from pacetomo.selection.virtual_maps_cut import Cut
from pacetomo.selection.virtual_maps_image import MapImage, camera_to_specimen

VIEW_SET, PREVIEW_SET = 0, 4
"""SerialEM's numbers of the camera sets."""

NO_REALIGN_COLOUR = 5
"""Items of this colour are no maps to realign to: a Preview shows too little to be met by the stage."""

_OF_PIECES = """PieceCoordinates AlignedPieceCoords AlignedPieceCoordsVS XedgeDxy YedgeDxy XedgeDxyVS YedgeDxyVS
StageOffsets SuperMontCoords NominalStageXY SubFramePath NumSubFrames FrameDosesAndNumber UncroppedSize CenteredCrop
NavigatorLabel PriorRecordDose""".split()
_OF_IMAGES = ("MapCamera", "ShutterMode", "K2ReadMode", "MapProbeMode", "MapTiltAngle", "MapAlpha")
_OF_VIEW = ("MapSpotSize", "MapIntensity", "MapSlitIn", "MapSlitWidth", "DefocusOffset", "NetViewShiftXY")


class Kind(NamedTuple):
    """View or Preview: SerialEM's number of its camera set, and how its images are taken."""

    camera_set: int
    optics: Optics

    @property
    def name(self) -> str:
        """Name for people."""
        return "View" if self.camera_set == VIEW_SET else "Preview"

    @property
    def to_specimen(self) -> Matrix2:
        """Pixels of its images (Y up) to µm in the specimen frame."""
        return camera_to_specimen(self.optics.pixel_um, self.optics.rotation_deg)


def write_image(
    path: Path, made: Cut, source: MapImage, piece: int, point: NavItem, kind: Kind, wait: Wait
) -> None:
    """Write a virtual map and its mdoc.

    Raises
    ------
    PaceError
        If a file cannot be written.
    """
    axis_deg = (kind.optics.rotation_deg - 90.0 + 180.0) % 360.0 - 180.0
    labels = [
        f"{VIRTUAL} cut from {source.path.name}",
        f"    Tilt axis angle = {axis_deg:.1f}, binning = {kind.optics.binning:g}  spot = 0  camera = 0",
    ]
    write_bytes_atomically(path, image_bytes(made.pixels, kind.optics.pixel_um * 1e4, labels), wait)
    text = format_mdoc(_mdoc(path, made, source, piece, point, kind, labels))
    write_bytes_atomically(mdoc_of(path), text.encode("utf-8", "surrogateescape"), wait)


def _mdoc(
    path: Path, made: Cut, source: MapImage, piece: int, point: NavItem, kind: Kind, labels: list[str]
) -> Mdoc:
    rows, columns = made.pixels.shape
    mdoc = parse_mdoc("", path.name)
    head = mdoc.head.with_value("PixelSpacing", f"{kind.optics.pixel_um * 1e4:g}")
    voltage = None if source.mdoc is None else source.mdoc.head.text("Voltage")
    if voltage is not None:
        head = head.with_value("Voltage", voltage)
    head = head.with_value("ImageFile", path.name).with_value("ImageSize", f"{columns} {rows}")
    mdoc = Mdoc(head.with_value("DataMode", 1), (), path.name)
    for label in labels:
        mdoc = mdoc.with_title(label)
    return mdoc.with_images([_mdoc_section(made, source, piece, point, kind)])


def _mdoc_section(made: Cut, source: MapImage, piece: int, point: NavItem, kind: Kind) -> MdocSection:
    section = source.section(piece) or MdocSection("ZValue", "0", ("[ZValue = 0]\n",))
    for key in _OF_PIECES:
        section = section.without(key)
    pixels, optics = made.pixels, kind.optics
    values: dict[str, str | float] = {
        "MinMaxMean": f"{pixels.min()} {pixels.max()} {pixels.mean():g}",
        "TiltAngle": source.item.map_data.tilt_deg,
        "StagePosition": f"{point.stage_um.x:.4f} {point.stage_um.y:.4f}",
        "StageZ": point.stage_z_um,
        "Magnification": f"{optics.magnification:g}",
        "ExposureDose": 0,
        "PixelSpacing": f"{optics.pixel_um * 1e4:g}",
        "ImageShift": "0 0",
        "RotationAngle": f"{optics.rotation_deg:g}",
        "ExposureTime": f"{optics.exposure_s:g}",
        "Binning": f"{optics.binning:g}",
        "MagIndex": optics.magnification_index,
        "LowDoseConSet": kind.camera_set + 1,
    }
    for key, value in values.items():
        section = section.with_value(key, value)
    return section


def map_item(label: str, path: Path, made: Cut, source: MapImage, point: NavItem, kind: Kind) -> NavItem:
    """Make the Navigator item of a virtual map."""
    rows, columns = made.pixels.shape
    matrix = _stage_to_pixel(source, kind)
    stage_um = point.stage_um
    item = new_item(
        label,
        ItemKind.MAP,
        stage_um,
        point.stage_z_um,
        _outline(matrix, columns, rows, stage_um),
        note=f"Sec 0 - {path.name}",
    )
    pixels, optics = made.pixels, kind.optics
    values: dict[str, str | float | tuple[float, ...]] = {
        "MapFile": str(path),
        "FitToPolygonID": 0,
        "MapMontage": 0,
        "MapSection": 0,
        "MapBinning": _map_binning(source, optics),
        "MapMagInd": optics.magnification_index,
        "MapScaleMat": " ".join(f"{x:.6g}" for x in (matrix.xpx, matrix.xpy, matrix.ypx, matrix.ypy)),
        "MapWidthHeight": f"{columns} {rows}",
        "MapMinMaxScale": f"{pixels.min()} {pixels.max()}",
        "MapFramesXY": "0 0",
        "MontBinning": 0,
        "MapExposure": float(optics.exposure_s),
        "MapSettling": 0,
        "ImageType": 0,
        "MontUseStage": -1,
        "MapLDConSet": kind.camera_set,
    }
    taken_over = _OF_IMAGES + (_OF_VIEW if kind.camera_set == VIEW_SET else ())
    for key in taken_over:
        text = source.item.text(key)
        if text is not None:
            values[key] = text
    for key, value in values.items():
        item = item.with_value(key, value)
    regis = source.item.text("Regis") or "1"
    item = item.with_value("Regis", regis)
    return item if kind.camera_set == VIEW_SET else item.with_value("Color", NO_REALIGN_COLOUR)


def _stage_to_pixel(source: MapImage, kind: Kind) -> Matrix2:
    """µm of stage to pixels of the virtual map, Y down as in MapScaleMat."""
    to_specimen = source.pixel_to_specimen.times(source.stage_to_pixel)
    up = kind.to_specimen.inverse().times(to_specimen)
    return Matrix2(up.xpx, up.xpy, -up.ypx, -up.ypy)


def _outline(matrix: Matrix2, columns: int, rows: int, centre_um: XY) -> list[XY]:
    """Corners on the stage in SerialEM's order: upper left, right, lower right, left, and the first again."""
    inverse = matrix.inverse()
    corners = [(-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1)]
    return [
        inverse.apply(XY(0.5 * right * columns, 0.5 * down * rows)).plus(centre_um) for right, down in corners
    ]


def _map_binning(source: MapImage, optics: Optics) -> int:
    """Binning in the units of the map's own, which for some cameras are half physical pixels."""
    data = source.item.map_data
    section = source.section(0)
    in_mdoc = None if section is None else section.get_float("Binning")
    own = data.montage_binning if data.is_montage and data.montage_binning > 0 else data.binning
    unit = own / in_mdoc if in_mdoc else 1.0
    return max(1, math.floor(optics.binning * unit + 0.5))
