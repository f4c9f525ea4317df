"""Maps of a known scene on the disk: a montage whose pieces lie where a test wants them, and its Navigator item."""

from __future__ import annotations

import math

import mrcfile
import numpy as np
import scipy.ndimage

from pacetomo.files.navigator import ItemKind, new_item
from pacetomo.frames import XY, Matrix2
from pacetomo.selection.virtual_maps_image import read_map_image

COLUMNS, ROWS, OVERLAP = 240, 160, 40
PIXEL_UM = 0.012
STAGE_UM = XY(100.0, -50.0)


def scene(size=(420, 620), seed=1, noise=0.0):
    """Blobs on an even ground: rows by columns, row 0 lowest."""
    rng = np.random.default_rng(seed)
    spots = np.zeros(size)
    rows, columns = (rng.integers(0, n, 150) for n in size)
    spots[rows, columns] = rng.uniform(0.5, 1.0, 150)
    made = 1000.0 - 6000.0 * scipy.ndimage.gaussian_filter(spots, 2.0)
    return made + noise * rng.standard_normal(size)


def montage(folder, moved=None, keys=None, rotation_deg=174.0, noise=0.0, is_montage=True, tilt_deg=0.0):
    """A map of 2 x 2 pieces, or of one image; `moved` are pixels by which pieces lie off where they were planned.

    The scene is a margin of 20 px larger than the planned montage on all sides.
    """
    whole = scene(noise=noise)
    steps = (COLUMNS - OVERLAP, ROWS - OVERLAP)
    corners = [(x * steps[0], y * steps[1]) for x in (0, 1) for y in (0, 1)] if is_montage else [(0, 0)]
    moved = moved or [(0, 0)] * len(corners)
    images = [
        whole[20 + y + dy : 20 + y + dy + ROWS, 20 + x + dx : 20 + x + dx + COLUMNS]
        for (x, y), (dx, dy) in zip(corners, moved)
    ]
    path = folder / "map.mrc"
    with mrcfile.new(path, np.rint(images).astype(np.int16), overwrite=True) as mrc:
        mrc.voxel_size = PIXEL_UM * 1e4
    size = (steps[0] + COLUMNS, steps[1] + ROWS) if is_montage else (COLUMNS, ROWS)
    lines = [f"PixelSpacing = {PIXEL_UM * 1e4:g}", "Voltage = 300"]
    for number, corner in enumerate(corners):
        lines += [f"\n[ZValue = {number}]", f"TiltAngle = {tilt_deg}", f"PixelSpacing = {PIXEL_UM * 1e4:g}"]
        lines += [f"RotationAngle = {rotation_deg}", "Binning = 4", "MagIndex = 17", "ExposureTime = 0.5"]
        lines += ["SubFramePath = X:\\frames\\a.tif"]
        if is_montage:
            lines.append(f"PieceCoordinates = {corner[0]} {corner[1]} 0")
        lines += [f"{key} = {values[number]}" for key, values in (keys or {}).items()]
    if is_montage:
        lines += ["\n[MontSection = 0]", f"FullMontSize = {size[0]} {size[1]}"]
    (folder / "map.mrc.mdoc").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return read_map_image(map_item(size, rotation_deg, is_montage, tilt_deg), path)


def stage_to_pixel(rotation_deg, tilt_deg=0.0):
    """MapScaleMat where the specimen moves against the stage, as on most columns."""
    angle = math.radians(rotation_deg)
    shown = math.cos(math.radians(tilt_deg))
    c, s = math.cos(angle) / PIXEL_UM, math.sin(angle) / PIXEL_UM
    return Matrix2(-c, s * shown, s, c * shown)


def map_item(size, rotation_deg, is_montage, tilt_deg):
    """The Navigator item of the map."""
    matrix = stage_to_pixel(rotation_deg, tilt_deg)
    item = new_item("7-A", ItemKind.MAP, STAGE_UM, 3.0, note="Sec 0 - map.mrc").with_value("MapID", 100001)
    values = {
        "MapFile": "map.mrc",
        "MapMontage": int(is_montage),
        "MapSection": 0,
        "MapBinning": 8,
        "MapMagInd": 17,
        "MapCamera": 0,
        "MapScaleMat": f"{matrix.xpx!r} {matrix.xpy!r} {matrix.ypx!r} {matrix.ypy!r}",
        "MapWidthHeight": f"{size[0]} {size[1]}",
        "MapFramesXY": "2 2" if is_montage else "0 0",
        "MontBinning": 8 if is_montage else 0,
        "MapLDConSet": 0,
        "DefocusOffset": -60,
        "MapTiltAngle": tilt_deg,
    }
    for key, value in values.items():
        item = item.with_value(key, value)
    return item


def point_at(source, place, piece=None):
    """A Navigator point at a place of the planned montage (pixels of its pieces, Y up)."""
    offset = place.minus(XY(0.5 * source.size[0], 0.5 * source.size[1]))
    stage_um = source.stage_to_pixel.inverse().apply(offset).plus(source.item.stage_um)
    item = new_item("p", ItemKind.POINT, stage_um, 3.0, drawn_on=source.item.map_id)
    # All digits: a test wants the very place.
    item = item.with_value("StageXYZ", f"{stage_um.x!r} {stage_um.y!r} 3")
    return item if piece is None else item.with_value("PieceOn", piece)
