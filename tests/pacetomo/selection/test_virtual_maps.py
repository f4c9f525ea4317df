"""Virtual maps cut out of maps of a known scene."""

from __future__ import annotations

import math

import mrcfile
import numpy as np
import pytest
import scipy.ndimage
from maps_on_disk import COLUMNS, OVERLAP, PIXEL_UM, ROWS, montage, point_at, scene

from pacetomo.errors import MetadataError, NavigatorError
from pacetomo.files.mdoc import read_mdoc
from pacetomo.files.navigator import NavFile, format_navigator, new_item, new_navigator, parse_navigator
from pacetomo.files.navigator_maps import pixel_of_stage
from pacetomo.files.new_stack import is_virtual
from pacetomo.files.stack import read_section
from pacetomo.frames import XY, Matrix2
from pacetomo.scope.desk import Optics
from pacetomo.selection.virtual_maps_cut import STRUCTURED, cut, step_between, structure
from pacetomo.selection.virtual_maps_files import PREVIEW_SET, VIEW_SET, Kind, map_item, write_image
from pacetomo.selection.virtual_maps_group import already_made, group_of, map_of
from pacetomo.selection.virtual_maps_image import camera_to_specimen, read_map_image
from pacetomo.selection.virtual_maps_overlaps import aligned

SAME = Matrix2(1.0, 0.0, 0.0, 1.0)
MOVED = [(0, 0), (5, -3), (-7, 4), (2, 6)]


def optics(pixel_um=PIXEL_UM, rotation_deg=174.0, columns=120, rows=90, binning=4.0):
    return Optics(columns, rows, pixel_um, binning, rotation_deg, 17, 4200.0, 0.5)


def no_wait(seconds):
    raise AssertionError(f"waited {seconds} s")


def around(place, columns, rows):
    """The scene around a place of the planned montage."""
    x, y = round(place.x) + 20 - columns // 2, round(place.y) + 20 - rows // 2
    return np.rint(scene()[y : y + rows, x : x + columns])


@pytest.mark.parametrize("place", [XY(100.0, 80.0), XY(220.0, 140.0), XY(300.0, 210.0)])
def test_pixels_of_one_magnification_are_copied(tmp_path, place):
    source = montage(tmp_path)
    made = cut(source, source.spot_of(point_at(source, place)), 120, 90, SAME)
    assert made.padded == 0.0
    assert np.array_equal(made.pixels, around(place, 120, 90))


def test_pieces_that_serialem_has_aligned_fit_together(tmp_path):
    planned = [(0, 0), (0, ROWS - OVERLAP), (COLUMNS - OVERLAP, 0), (COLUMNS - OVERLAP, ROWS - OVERLAP)]
    placed = [f"{x + dx} {y + dy} 0" for (x, y), (dx, dy) in zip(planned, MOVED)]
    source = montage(tmp_path, MOVED, {"AlignedPieceCoordsVS": placed, "AlignedPieceCoords": ["9 9 0"] * 4})
    assert source.is_aligned and aligned(source, range(4)) is source
    # Piece 1 is the upper left one; the point is on it at the same place, wherever it was taken.
    spot = source.spot_of(point_at(source, XY(210.0, 150.0), piece=1))
    assert spot.piece == 1 and spot.local.minus(XY(210.0, 30.0)).length < 1e-6
    made = cut(source, spot, 120, 90, SAME)
    assert np.array_equal(made.pixels, around(XY(215.0, 147.0), 120, 90))
    assert made.pieces > 1


def test_pieces_are_aligned_by_what_their_overlaps_show(tmp_path):
    source = montage(tmp_path, MOVED, noise=15.0)
    found = aligned(source, range(4))
    shifts = np.array([piece.placed.minus(piece.nominal) for piece in found.pieces])
    # Only differences can be seen.
    apart = shifts - shifts[0] - (np.array(MOVED) - MOVED[0])
    assert np.abs(apart).max() <= 1.0
    assert aligned(source, [2]) is source


def test_overlaps_that_show_nothing_leave_pieces_where_they_are(tmp_path):
    source = montage(tmp_path, MOVED)
    with mrcfile.mmap(source.path, "r+") as mrc:
        mrc.data[:] = 1000 + np.random.default_rng(2).normal(0.0, 20.0, mrc.data.shape)
    found = aligned(source, range(4))
    assert found.pieces == source.pieces
    # By stage they may lie anywhere, and are not shown in one image.
    spot = source.spot_of(point_at(source, XY(215.0, 80.0)))
    made = cut(found, spot, 120, 90, SAME)
    assert made.pieces == 1 and 0.1 < made.padded < 0.5
    by_shift = read_map_image(source.item.with_value("MontUseStage", 0), source.path)
    made = cut(aligned(by_shift, range(4)), spot, 120, 90, SAME)
    assert made.pieces == 2 and made.padded == 0.0


@pytest.mark.parametrize("rotation_deg", [174.0, 174.8, 84.0])
@pytest.mark.parametrize("finer", [1.0, 0.25, 2.0, 3.3])
def test_another_magnification_shows_the_same_places(tmp_path, rotation_deg, finer):
    source = montage(tmp_path)
    to_specimen = camera_to_specimen(PIXEL_UM * finer, rotation_deg)
    place = XY(74.0, 106.0) if finer < 1.0 else XY(220.0, 140.0)  # where there is something to be seen
    made = cut(source, source.spot_of(point_at(source, place)), 80, 60, step_between(source, to_specimen))
    # Of each pixel: to the specimen, and from there to the scene, of which the map shows means of its size.
    right, up = np.meshgrid(np.arange(80) - 39.5, np.arange(60) - 29.5)
    specimen = [to_specimen.apply(XY(x, y)) for x, y in zip(right.ravel(), up.ravel())]
    steps = np.array([camera_to_specimen(PIXEL_UM, 174.0).inverse().apply(at) for at in specimen])
    smooth = scipy.ndimage.gaussian_filter(scene(), 0.29 * math.floor(max(finer, 1.0)) if finer >= 2 else 0.0)
    at = [20.0 + place.y + steps[:, 1] - 0.5, 20.0 + place.x + steps[:, 0] - 0.5]
    wanted = scipy.ndimage.map_coordinates(smooth, at, order=3).reshape(60, 80)
    assert np.corrcoef(made.pixels.ravel(), wanted.ravel())[0, 1] > 0.99


def test_what_lies_outside_of_the_map_is_the_mean_of_the_rim(tmp_path):
    source = montage(tmp_path)
    spot = source.spot_of(point_at(source, XY(30.0, 20.0)))
    made = cut(source, spot, 120, 90, SAME)
    assert made.padded == pytest.approx(1.0 - 90 * 65 / (120 * 90), abs=0.001)
    outside = made.pixels[:25, :30]
    assert np.ptp(outside) == 0
    assert outside[0, 0] == pytest.approx(around(XY(92.5, 67.5), 125, 95)[:5].mean(), rel=0.05)
    assert source.spot_of(point_at(source, XY(-5.0, 20.0))) is None


def test_a_place_that_shows_nothing_is_told_from_one_that_does(tmp_path):
    source = montage(tmp_path, noise=15.0)
    spot = source.spot_of(point_at(source, XY(120.0, 80.0)))
    assert structure(source, spot, 100, 60, SAME) > STRUCTURED
    with mrcfile.mmap(source.path, "r+") as mrc:
        mrc.data[:] = 1000 + np.random.default_rng(2).normal(0.0, 20.0, mrc.data.shape)
    assert structure(source, spot, 100, 60, SAME) == pytest.approx(1.0, abs=0.4)
    assert structure(source, spot, 10, 10, SAME) == 0.0


def test_the_map_of_a_single_image_needs_no_pieces(tmp_path):
    source = montage(tmp_path, is_montage=False)
    made = cut(source, source.spot_of(point_at(source, XY(120.0, 80.0))), 100, 60, SAME)
    assert np.array_equal(made.pixels, around(XY(120.0, 80.0), 100, 60))


def test_an_overview_of_coarser_pixels_leads_to_the_same_places(tmp_path):
    source = montage(tmp_path)
    item = source.item.with_value("MapBinning", 16).with_value("MapWidthHeight", "220 140")
    half = [0.5 * number for number in item.need_floats("MapScaleMat", 4)]
    coarser = read_map_image(item.with_value("MapScaleMat", half), source.path)
    point = point_at(source, XY(150.0, 100.0))
    assert coarser.spot_of(point).local.minus(source.spot_of(point).local).length < 0.01


@pytest.mark.parametrize("tilt_deg", [0.0, 12.0])
@pytest.mark.parametrize(("camera_set", "finer"), [(VIEW_SET, 1.0), (PREVIEW_SET, 0.2)])
def test_files_and_items_of_a_virtual_map_say_where_it_lies(tmp_path, camera_set, finer, tilt_deg):
    source = montage(tmp_path, tilt_deg=tilt_deg)
    point = point_at(source, XY(150.0, 100.0))
    kind = Kind(camera_set, optics(PIXEL_UM * finer, 174.0 if camera_set == VIEW_SET else 175.2, binning=2.0))
    spot = source.spot_of(point)
    made = cut(source, spot, 120, 90, step_between(source, kind.to_specimen))
    path = tmp_path / "lam_tgt_001.mrc"
    write_image(path, made, source, spot.piece, point, kind, no_wait)
    assert np.array_equal(read_section(path, 0), made.pixels)
    assert is_virtual(path) and not is_virtual(source.path)
    with mrcfile.open(path) as mrc:
        assert mrc.voxel_size.x == pytest.approx(PIXEL_UM * finer * 1e4) and mrcfile.validate(path)
    section = read_mdoc(f"{path}.mdoc").need_images()[0]
    assert section.text("PieceCoordinates") is None and section.text("SubFramePath") is None
    assert section.get_float("LowDoseConSet") == camera_set + 1 and section.tilt_deg == tilt_deg
    assert section.need_floats("StagePosition", 2) == pytest.approx(point.stage_um, abs=1e-4)
    item = map_item("lam_tgt_001", path, made, source, point, kind)
    assert item.map_data.binning == 4  # in units of half a pixel, as that of the map
    assert (item.color == 5) == (camera_set == PREVIEW_SET)
    # A place of the sample is seen in the virtual map where the map shows it from the point.
    elsewhere = point.stage_um.plus(XY(0.1, -0.07))
    seen = pixel_of_stage(item, elsewhere).minus(XY(60.0, 45.0))
    nominal = source.nominal_of_stage(elsewhere).minus(source.nominal_of_stage(point.stage_um))
    step = step_between(source, kind.to_specimen)
    assert step.apply(XY(seen.x, -seen.y)).minus(nominal).length < 0.02
    corners = item.points_um
    assert pixel_of_stage(item, corners[1]).minus(XY(120.0, 0.0)).length < 0.3 and corners[4] == corners[0]


def test_without_an_mdoc_a_montage_is_refused_and_an_image_told_by_its_title(tmp_path):
    source = montage(tmp_path)
    (tmp_path / "map.mrc.mdoc").unlink()
    with pytest.raises(MetadataError, match=r"map\.mrc\.mdoc is not there; it says where the pieces"):
        read_map_image(source.item, source.path)
    source = montage(tmp_path, is_montage=False)
    (tmp_path / "map.mrc.mdoc").unlink()
    with pytest.raises(MetadataError, match="how the image is rotated"):
        read_map_image(source.item, source.path)
    with mrcfile.open(source.path, "r+") as mrc:
        mrc.add_label("    Tilt axis angle = 84.0, binning = 4  spot = 8  camera = 0")
    assert read_map_image(source.item, source.path).rotation_deg == 174.0


def test_a_section_that_is_not_there_is_named(tmp_path):
    source = montage(tmp_path, is_montage=False)
    with pytest.raises(
        NavigatorError, match=r"map 7-A: section 4 is not in map\.mrc, which ends with section 0"
    ):
        read_map_image(source.item.with_value("MapSection", 4), source.path)


# which points, and which map


def table(source, *points) -> NavFile:
    made = new_navigator("lam.nav").with_added([source.item, *points])
    return parse_navigator(format_navigator(made))


def test_points_of_a_group_lie_on_the_map_that_they_were_drawn_on(tmp_path):
    source = montage(tmp_path)
    one, two, other = (point_at(source, XY(100.0 * n, 100.0)) for n in (1, 2, 3))
    polygon = new_item("poly", 1, one.stage_um, 0.0, [one.stage_um, two.stage_um]).with_value("GroupID", 5)
    navigator = table(source, one.with_value("GroupID", 5), polygon, two.with_value("GroupID", 5), other)
    group = group_of(navigator, navigator.items[1])
    assert [item.map_id for item in group] == [navigator.items[n].map_id for n in (1, 3)]
    assert group_of(navigator, navigator.items[2]) == group
    assert group_of(navigator, navigator.items[4]) == (navigator.items[4],)
    assert map_of(navigator, group) is navigator.items[0]
    with pytest.raises(NavigatorError, match="item 7-A is not a point: select a point"):
        group_of(navigator, navigator.items[0])


def test_points_that_name_no_map_lie_on_the_smallest_that_is_no_reference_of_a_target(tmp_path):
    source = montage(tmp_path)
    point = point_at(source, XY(150.0, 100.0)).with_value("DrawnID", None)
    larger = source.item.with_value("MapID", 100002).with_value("MapWidthHeight", "900 900").renamed("large")
    reference = source.item.with_value("MapID", 100003).with_value("MapFile", "X:\\a\\lam_tgt_001_view.mrc")
    small = reference.with_value("MapWidthHeight", "30 30").renamed("view")
    beside = point_at(source, XY(-60.0, 100.0)).with_value("DrawnID", 4711)
    far = point_at(source, XY(-6000.0, 100.0)).with_value("DrawnID", 4711)
    navigator = table(source, larger, small, point, beside, far)
    *_, point, beside, far = navigator.items
    assert map_of(navigator, [point]).label == "7-A"
    assert map_of(navigator, [point, beside]).label == "large"
    with pytest.raises(NavigatorError, match=r"lie on no map \(the map with the ID 4711 is no longer"):
        map_of(navigator, [far])


def test_a_group_on_two_maps_is_refused(tmp_path):
    source = montage(tmp_path)
    other = source.item.with_value("MapID", 100002).renamed("8-A")
    one = point_at(source, XY(100.0, 100.0))
    navigator = table(source, other, one, one.with_value("DrawnID", 100002))
    with pytest.raises(NavigatorError, match=r"different maps \(7-A, 8-A\)"):
        map_of(navigator, navigator.items[2:])


def test_a_group_with_targets_is_known_again(tmp_path):
    source = montage(tmp_path)
    one, two = (point_at(source, XY(100.0 * n, 100.0)) for n in (1, 2))
    made = map_item("v", tmp_path / "a.mrc", cut(source, source.spot_of(two), 20, 20, SAME), source, two,
                    Kind(VIEW_SET, optics()))  # fmt: skip
    navigator = table(source, one, two, made.with_note("lam_tgts_p01.txt"))
    assert already_made(navigator, navigator.items[1:3]) == "lam_tgts_p01.txt"
    assert already_made(navigator, navigator.items[1:2]) is None
    assert already_made(table(source, one, two, made), navigator.items[1:3]) is None
