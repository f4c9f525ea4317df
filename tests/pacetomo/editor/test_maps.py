import math
import struct

import numpy as np
import pytest
from editing import document
from stacks import stack_bytes

from mock_serialem.files.nav_file import NavItem
from mock_serialem.files.nav_pixels import stage_of_map_pixel
from pacetomo.editor.maps import MapItem, pieces_of, place_on_plot, read_map, stage_matrix
from pacetomo.errors import MetadataError, PaceError, StackError
from pacetomo.files.target_file import parse_targets
from pacetomo.frames import XY, Matrix2

THETA = math.radians(85.3)
PIXEL_UM = 0.0428
SCALE = Matrix2(-math.cos(THETA), math.sin(THETA), math.sin(THETA), math.cos(THETA))
# as in the description of Navigator files, for a specimen that moves against the stage
SCALE = Matrix2(*(value / PIXEL_UM for value in (SCALE.xpx, SCALE.xpy, SCALE.ypx, SCALE.ypy)))
AREA = document(
    parse_targets("_tgt = 001\ntsfile = a_ts_001.mrc\nSSX = 0\nSSY = 0\nstageX = 12.5\nstageY = -33.25\n")
)


def make_item(path, **changes):
    values = {
        "label": "1",
        "path": path,
        "section": 0,
        "is_montage": False,
        "stage_um": XY(12.5, -33.25),
        "scale": SCALE,
        "size_px": (64, 48),
    }
    return MapItem(**{**values, **changes})


def write_map(path, data, pixel_um=PIXEL_UM, angle="RotationAngle = 85.3\n", pieces=None):
    extended = (
        b""
        if pieces is None
        else b"".join(struct.pack("<hHHh", 0, *piece) for piece in pieces).ljust(1024, b"\0")
    )
    path.write_bytes(stack_bytes(data, extended, numbers=(8, 3) if pieces else (4, 17), pixel=1e4 * pixel_um))
    path.with_name(path.name + ".mdoc").write_text(f"ImageFile = {path.name}\n\n[ZValue = 0]\n{angle}")
    return path


def in_serialem(item, column, row):
    """Stage position of a place in the map's own pixels, Y down, by the simulator's reading of Navigator files."""
    nav = NavItem(item.label)
    scale = item.scale
    nav.set("Type", "2")
    nav.set("StageXYZ", f"{item.stage_um.x} {item.stage_um.y} 0")
    nav.set("MapScaleMat", f"{scale.xpx} {scale.xpy} {scale.ypx} {scale.ypy}")
    nav.set("MapWidthHeight", f"{item.size_px[0]} {item.size_px[1]}")
    return stage_of_map_pixel(nav, (column, item.size_px[1] - row))


@pytest.mark.parametrize("longest_px", [1000, 64, 32, 20])
def test_pixels_of_a_map_lie_where_serialem_has_them(tmp_path, longest_px):
    # The file holds twice the pixels of the map in the Navigator, as pieces of a montage do.
    path = write_map(tmp_path / "m.mrc", np.zeros((1, 96, 128), "i2"))
    shown = read_map(make_item(path), longest_px=longest_px)
    rows, columns = shown.image.pixels.shape
    factor = shown.image.factor / 2
    assert columns * factor >= 64
    beyond = rows * factor - 48  # cells at the top may reach beyond the map
    for column, row in ((0, rows), (columns, rows), (3, 2), (0, 0)):
        wanted = in_serialem(shown.item, column * factor, row * factor - beyond)
        assert shown.stage_at(column, row) == pytest.approx(wanted, abs=1e-6)


def test_a_landmark_of_the_sample_is_drawn_where_it_is(tmp_path):
    data = np.zeros((1, 48, 64), "i2")
    data[0, 40, 50] = 1000  # the 41st row from below
    path = write_map(tmp_path / "m.mrc", data)
    shown = read_map(make_item(path))
    row, column = np.unravel_index(int(np.argmax(shown.image.pixels)), shown.image.pixels.shape)
    assert (row, column) == (7, 50)
    known = document(AREA.targets, stage_matrix(shown.item))
    place = place_on_plot(known, shown.stage_at(column + 0.5, row + 0.5))
    right, up = (50.5 - 32) * PIXEL_UM, (40.5 - 24) * PIXEL_UM
    # the tilt axis, X of the specimen, lies 85.3° counter-clockwise of the image's X axis
    wanted = (
        right * math.cos(THETA) + up * math.sin(THETA),
        -right * math.sin(THETA) + up * math.cos(THETA),
    )
    assert place == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("tilt_deg", [0.0, 40.0])
def test_a_map_tells_how_the_stage_moves_the_sample(tmp_path, tilt_deg):
    path = write_map(tmp_path / "m.mrc", np.zeros((1, 96, 128), "i2"), pixel_um=PIXEL_UM / 2)
    seen = math.cos(math.radians(tilt_deg))
    tilted = Matrix2(SCALE.xpx, SCALE.xpy * seen, SCALE.ypx, SCALE.ypy * seen)
    found = stage_matrix(make_item(path, scale=tilted, tilt_deg=tilt_deg))
    assert (found.xpx, found.xpy, found.ypx, found.ypy) == pytest.approx((-1.0, 0.0, 0.0, -1.0), abs=1e-6)


def test_without_metadata_the_titles_of_the_file_tell_the_tilt_axis(tmp_path):
    # "Tilt axis angle = 85.3" in IMOD's sense is a rotation of 175.3°
    path = write_map(tmp_path / "m.mrc", np.zeros((1, 48, 64), "i2"), angle="")
    a = math.radians(175.3)
    scale = Matrix2(*(v / PIXEL_UM for v in (-math.cos(a), math.sin(a), math.sin(a), math.cos(a))))
    found = stage_matrix(make_item(path, scale=scale))
    assert (found.xpx, found.xpy, found.ypx, found.ypy) == pytest.approx((-1.0, 0.0, 0.0, -1.0), abs=1e-6)


def test_a_file_that_tells_no_tilt_axis_tells_no_matrix(tmp_path):
    path = write_map(tmp_path / "m.mrc", np.zeros((1, 48, 64), "i2"), angle="")
    path.write_bytes(path.read_bytes().replace(b"Tilt axis angle", b"Some other angl"))
    assert stage_matrix(make_item(path)) is None


def test_a_map_is_seen_as_at_the_tilt_at_which_targets_were_picked(tmp_path):
    path = write_map(tmp_path / "m.mrc", np.zeros((1, 48, 64), "i2"))
    shown = read_map(make_item(path))
    flat = document(AREA.targets, Matrix2(-1.0, 0.0, 0.0, -1.0))
    tilted = document(AREA.targets.with_override("tiltTargets", "60"), Matrix2(-1.0, 0.0, 0.0, -1.0))
    for level, seen in zip(shown.corners_um(flat), shown.corners_um(tilted)):
        assert seen == pytest.approx((level.x, level.y / 2))


def test_the_corners_run_round_from_the_upper_left(tmp_path):
    path = write_map(tmp_path / "m.mrc", np.zeros((1, 48, 64), "i2"))
    shown = read_map(make_item(path))
    corners = shown.corners_um(document(AREA.targets, Matrix2(-1.0, 0.0, 0.0, -1.0)))
    width, height = corners[1].minus(corners[0]), corners[3].minus(corners[0])
    assert (width.length, height.length) == pytest.approx((64 * PIXEL_UM, 48 * PIXEL_UM))
    # along a row from left to right X of the specimen rises by cos 85.3°, Y falls by sin 85.3°
    assert (width.x / width.length, width.y / width.length) == pytest.approx(
        (math.cos(THETA), -math.sin(THETA))
    )


@pytest.mark.parametrize("in_mdoc", [False, True])
def test_a_montage_is_put_together_from_where_its_pieces_lie(tmp_path, in_mdoc):
    data = np.stack([np.full((10, 10), value, "i2") for value in (1, 2, 3, 4, 9)])
    pieces = [(8, 0, 0), (0, 0, 0), (0, 8, 0), (8, 8, 0), (0, 0, 1)]
    path = write_map(tmp_path / "m.mrc", data, pieces=None if in_mdoc else pieces)
    if in_mdoc:
        text = "".join(
            f"\n[ZValue = {n}]\nPieceCoordinates = {x} {y} {z}\n" for n, (x, y, z) in enumerate(pieces)
        )
        path.with_name("m.mrc.mdoc").write_text(f"Montage = 1\n{text}")
    shown = read_map(make_item(path, is_montage=True, size_px=(18, 18)))
    pixels = shown.image.pixels
    assert pixels.shape == (18, 18)
    assert [pixels[17, 0], pixels[17, 17], pixels[0, 0], pixels[0, 17]] == [2, 1, 3, 4]
    assert pixels[17, 8] == 1.5
    assert len(pieces_of(make_item(path, is_montage=True, section=1))) == 1


def test_a_montage_without_places_of_its_pieces_is_refused(tmp_path):
    path = write_map(tmp_path / "m.mrc", np.zeros((2, 8, 8), "i2"))
    with pytest.raises(MetadataError, match="pieces of montage 1"):
        read_map(make_item(path, is_montage=True))
    path = write_map(tmp_path / "m.mrc", np.zeros((2, 8, 8), "i2"), pieces=[(0, 0, 0), (0, 8, 0)])
    with pytest.raises(StackError, match="no montage 3"):
        read_map(make_item(path, is_montage=True, section=3))


def test_a_map_that_does_not_say_where_it_lies_is_refused(tmp_path):
    with pytest.raises(MetadataError, match="MapScaleMat"):
        make_item(tmp_path / "m.mrc", scale=Matrix2(1.0, 2.0, 2.0, 4.0))
    with pytest.raises(MetadataError, match="MapWidthHeight"):
        make_item(tmp_path / "m.mrc", size_px=(0, 10))


def test_where_a_map_lies_needs_the_stage():
    with pytest.raises(PaceError, match="neither the microscope nor the map's metadata"):
        place_on_plot(AREA, XY(0.0, 0.0))
    bare = document(parse_targets("_tgt = 001\ntsfile = a_ts_001.mrc\nSSX = 0\nSSY = 0\n"), SCALE)
    with pytest.raises(PaceError, match="target 1 has no stage coordinates"):
        place_on_plot(bare, XY(0.0, 0.0))
