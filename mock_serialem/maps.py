"""Between image pixels and stage positions, and maps made of images."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from mock_serialem import montage, shifts
from mock_serialem.errors import CommandError
from mock_serialem.files.autodoc import number, numbers
from mock_serialem.files.nav_file import MAP, NavFileError, NavItem
from mock_serialem.image import SET_LETTERS, Image
from mock_serialem.shifts import BIN_DIVISOR, Matrix, Pair
from mock_serialem.storage import read_image, save_image

if TYPE_CHECKING:
    from mock_serialem.session import Session

_NO_REALIGN = 5
"""Colour of maps that are not to be realigned to."""


def stage_of_image_shift(session: Session, image_shift: Pair, mag_index: int, tilt_deg: float) -> Pair:
    """Stage move (µm) equivalent to a displayed image shift."""
    point = shifts.times(shifts.is_to_specimen(session, mag_index), image_shift)
    x, y = shifts.times(shifts.inverse(shifts.stage_to_specimen(session, mag_index)), point)
    return x, y / math.cos(math.radians(tilt_deg))


def image_centre_stage(session: Session, image: Image) -> Pair:
    """Stage position (µm) that would centre what is at the image's centre, at zero image shift.

    Raises
    ------
    CommandError
        The image does not say where it was taken.
    """
    if image.stage_um is None or image.mag_index <= 0 or image.pixel_um <= 0.0:
        raise CommandError("The image has no coordinate information")
    dx, dy = stage_of_image_shift(session, image.image_shift, image.mag_index, image.tilt_deg)
    matrix = shifts.inverse(shifts.stage_to_specimen(session, image.mag_index))
    x, y = shifts.times(matrix, image.aside_um)
    return image.stage_um[0] + dx + x, image.stage_um[1] + dy + y / math.cos(math.radians(image.tilt_deg))


def stage_to_image(session: Session, image: Image, adjust: bool = True) -> tuple[Matrix, Pair]:
    """Matrix and offset: pixel (Y down) = matrix . stage + offset.

    Parameters
    ----------
    session : Session
    image : Image
    adjust : bool
        Allow for the image shift at which the image was taken.

    Raises
    ------
    CommandError
        The image does not say where it was taken.
    """
    centre = image_centre_stage(session, image)
    if not adjust and image.stage_um is not None:
        centre = image.stage_um[:2]
    matrix = shifts.map_matrix(session, image.mag_index, image.pixel_um)
    matrix = matrix @ np.diag([1.0, math.cos(math.radians(image.tilt_deg))])
    x, y = shifts.times(matrix, centre)
    return matrix, (0.5 * image.size_px[0] - x, 0.5 * image.size_px[1] - y)


def pixel_of_stage(session: Session, image: Image, stage: Pair) -> Pair:
    """Pixel (Y down) of a stage position; errors as in `stage_to_image`."""
    matrix, offset = stage_to_image(session, image)
    x, y = shifts.times(matrix, stage)
    return x + offset[0], y + offset[1]


def stage_of_pixel(session: Session, image: Image, pixel: Pair) -> Pair:
    """Stage position (µm) of a pixel (Y down); errors as in `stage_to_image`."""
    matrix, offset = stage_to_image(session, image)
    return shifts.times(shifts.inverse(matrix), (pixel[0] - offset[0], pixel[1] - offset[1]))


def add_circle(session: Session, radius_um: float, x_um: float, y_um: float, z_um: float) -> int:
    """Add a polygon of 120 points around a stage position; return its index from 1."""
    angles = np.linspace(0.0, 2.0 * math.pi, 121)
    points = [(x_um + radius_um * math.cos(a), y_um + radius_um * math.sin(a)) for a in angles]
    return session.navigator.add_polygon(points, z_um)


def new_map(session: Session, where: int, text: str) -> int:
    """Make a map of A, saving it first if it is not saved; return its index from 1.

    Parameters
    ----------
    session : Session
    where : int
        0: `text` replaces the standard note; below 0 it goes before, above 0 after it.
    text : str

    Raises
    ------
    CommandError
        Navigator closed, no coordinates, or the image cannot be saved.
    """
    session.navigator.require_open()
    image = _image_for_map(session)
    centre = image_centre_stage(session, image)
    if image.saved is None:
        save_image(session, image, session.files.current)
    assert image.saved is not None
    path, section = image.saved
    note = f"Sec {section} - {path.name}"
    if text:
        note = text if where == 0 else f"{text} {note}" if where < 0 else f"{note} {text}"
    columns, rows = image.size_px
    corners = [(0.0, 0.0), (columns, 0.0), (columns, rows), (0.0, rows), (0.0, 0.0)]
    stage = [stage_of_pixel(session, image, corner) for corner in corners]
    raw = image.stage_um or (0.0, 0.0, 0.0)
    keys = {"Note": note, **map_keys(session, image, str(path), section)}
    index = session.navigator.add_map((*centre, raw[2]), stage, keys)
    item = session.navigator.items[index - 1]
    item.set("RawStageXY", numbers(raw[:2]))
    image.map_id = item.map_id
    return index


def _image_for_map(session: Session) -> Image:
    """Buffer A, or the overview in B while the current file is a montage."""
    image = session.buffers.get("A")
    overview = session.buffers.peek("B")
    files = session.files
    if files.index < 0 or files.current.montage is None or overview is None or overview.montage is None:
        return image
    return overview


def map_keys(session: Session, image: Image, path: str, section: int) -> dict[str, str]:
    """Keys of a map item that describe its image."""
    matrix, _ = stage_to_image(session, image)
    area = session.low_dose.areas.get(SET_LETTERS[image.camera_set] if image.camera_set >= 0 else "")
    pixels, shape = image.pixels, image.montage
    column = session.column
    return {
        "MapFile": path,
        "FitToPolygonID": str(shape.polygon_id if shape else 0),
        "MapMontage": str(int(shape is not None)),
        "MapSection": str(section),
        "MapBinning": str(int(image.binning * BIN_DIVISOR)),
        "MapMagInd": str(image.mag_index),
        "MapCamera": "0",
        "MapScaleMat": numbers(float(value) for value in matrix.ravel()),
        "MapWidthHeight": numbers(image.size_px),
        "MapMinMaxScale": numbers((float(np.percentile(pixels, 1)), float(np.percentile(pixels, 99)))),
        "MapFramesXY": f"{shape.nx} {shape.ny}" if shape else "0 0",
        "MontBinning": str(int(shape.binning * BIN_DIVISOR) if shape else 0),
        "MapExposure": number(image.exposure_s),
        "MapSettling": number(image.drift_s),
        "ShutterMode": "0",
        "MapSpotSize": str(column.spot),
        "MapIntensity": number(image.intensity),
        "MapSlitIn": str(int(column.slit_in)),
        "MapSlitWidth": number(column.slit_width_ev),
        "ImageType": "0",
        "MontUseStage": str(int(shape.by_stage) if shape else -1),
        "DefocusOffset": number(area.defocus_um if area else 0.0),
        "K2ReadMode": "1",
        "MapProbeMode": str(column.probe_mode),
        "MapLDConSet": str(min(image.camera_set, 5) if image.area >= 0 else -1),
        "MapTiltAngle": number(image.tilt_deg),
    }


def load_map(session: Session, item: NavItem) -> Image:
    """Read the image of a map.

    Raises
    ------
    CommandError
        The item is no map, or its file cannot be read.
    """
    if item.kind != MAP:
        raise CommandError(f"Navigator item {item.label} is not a map")
    path = map_path(session, item)
    section = item.integer("MapSection")
    if item.integer("MapMontage"):
        image = montage.read_montage(session, path, section)
    else:
        image = read_image(session, path, section)
    image.map_id = item.map_id
    return image


def map_path(session: Session, item: NavItem) -> Path:
    """Image file of a map: as named, or where the folder of the Navigator file has moved to."""
    name = item.entries.get("MapFile", "").replace("\\", "/")
    path, nav_path = session.path(name), session.navigator.path
    if path.exists() or nav_path is None:
        return path
    relative = nav_path.parent / name
    return relative if relative.exists() else nav_path.parent / name.rsplit("/", 1)[-1]


def piece_corner(session: Session, item: NavItem, number: int) -> Pair:
    """Lower left corner (pixels of the whole montage, Y up) of a piece of a montage map.

    Raises
    ------
    NavFileError
        The map's image file does not tell.
    """
    try:
        shape = montage.shape_of_file(session, map_path(session, item))
    except CommandError as err:
        raise NavFileError(err.message) from err
    if shape is None or number >= shape.pieces:
        raise NavFileError(f"the image file of map {item.label} does not tell where piece {number} lies")
    x, y = shape.corner(number // shape.ny, number % shape.ny)
    return float(x), float(y)


def map_containing(session: Session, stage: Pair, registration: int, skip_id: int = 0) -> int:
    """Index from 0 of the smallest-field map that contains a stage position, -1 if there is none.

    Maps of the colour that says so are left out.
    """
    best, best_area = -1, math.inf
    for place, item in enumerate(session.navigator.items):
        if item.kind != MAP or item.map_id == skip_id or item.integer("Regis", 1) != registration:
            continue
        if item.integer("Color") == _NO_REALIGN:
            continue
        points = item.points_um
        if len(points) < 4 or not _inside(points, stage):
            continue
        area = _area(points)
        if area < best_area:
            best, best_area = place, area
    return best


def _inside(points: list[Pair], point: Pair) -> bool:
    inside = False
    x, y = point
    for (x1, y1), (x2, y2) in zip(points, points[1:] + points[:1]):
        if (y1 > y) != (y2 > y) and x < (x2 - x1) * (y - y1) / (y2 - y1) + x1:
            inside = not inside
    return inside


def _area(points: list[Pair]) -> float:
    pairs = zip(points, points[1:] + points[:1])
    return 0.5 * abs(sum(x1 * y2 - x2 * y1 for (x1, y1), (x2, y2) in pairs))
