"""Lattices of holes, found in made-up images with every fault and in real ones; and none where there is none."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from pathlib import Path

import mrcfile
import numpy as np
import pytest
from foil_images import WITHOUT_LATTICE, Foil
from numpy.typing import NDArray

from pacetomo.errors import PaceError
from pacetomo.frames import XY, Matrix2
from pacetomo.selection.lattice import FoundLattice, LatticeKind, NoLattice
from pacetomo.selection.lattice_finding import find_lattice, hole_diameter_px

FOILS = {
    "plain": Foil(),
    "small holes": Foil(ratio=0.2, seed=2),
    "large holes": Foil(ratio=0.8, rotation_deg=-31.0, seed=3),
    "hexagonal": Foil(kind="hexagonal", spacing=70.0, rotation_deg=41.0, seed=4),
    "hexagonal, large holes": Foil(kind="hexagonal", ratio=0.78, spacing=55.0, rotation_deg=-88.0, seed=5),
    "rectangular": Foil(kind="rectangular", spacing=52.0, rotation_deg=100.0, seed=6),
    "dark holes": Foil(inverted=True, ratio=0.7, rotation_deg=77.0, seed=7),
    "four holes": Foil(size=256, spacing=112.0, ratio=0.45, rotation_deg=5.0, seed=2),
    "noise as strong as the contrast": Foil(contrast=0.25, noise=0.3, rotation_deg=170.0, seed=8),
    "holes missing, ice and tears": Foil(missing=0.35, blobs=10, tears=4, noise=0.15, seed=9),
    "bar, vignette and gradient": Foil(bar=0.3, vignette=0.6, gradient=0.4, rotation_deg=-12.0, seed=10),
    "compressed": Foil(jpeg=40, contrast=0.2, noise=0.2, rotation_deg=23.0, seed=12),
    "fine lattice": Foil(size=256, spacing=15.0, ratio=0.5, blur=0.6, seed=13),
    "fine lattice in a large image": Foil(size=1600, spacing=16.0, ratio=0.5, blur=0.6, seed=14),
    "large image": Foil(size=2048, spacing=390.0, ratio=0.6, blobs=5, seed=15),
}


@functools.cache
def found_in(foil: Foil) -> FoundLattice:
    lattice = find_lattice(foil.image())
    assert isinstance(lattice, FoundLattice), lattice
    return lattice


@pytest.mark.parametrize("foil", FOILS.values(), ids=FOILS.keys())
def test_vectors_are_right_to_a_percent(foil: Foil) -> None:
    lattice = found_in(foil)
    true = np.array(foil.vectors)
    steps = np.array([lattice.a_px, lattice.b_px]) @ np.linalg.inv(true)
    assert abs(abs(np.linalg.det(np.rint(steps))) - 1) < 1e-9, "a cell of another size"
    errors = np.hypot(*((steps - np.rint(steps)) @ true).T)
    assert errors.max() < 0.01 * foil.spacing
    assert lattice.sigma_px.x < 0.01 * foil.spacing
    assert lattice.kind.value == foil.kind
    assert lattice.holes_are_bright is not foil.inverted
    assert lattice.diameter_px == pytest.approx(foil.ratio * foil.spacing, rel=0.12, abs=1.0)


@pytest.mark.parametrize("foil", FOILS.values(), ids=FOILS.keys())
def test_holes_are_found_where_they_are(foil: Foil) -> None:
    lattice = found_in(foil)
    true = foil.holes()
    seen = np.array([hole.at_px for hole in lattice.seen])
    off = np.hypot(*(seen[:, None] - true[None]).transpose(2, 0, 1)).min(axis=1)
    assert np.median(off) < 0.02 * foil.spacing + 0.3
    assert off.max() < 0.3 * foil.spacing
    middle = (foil.size - 1) / 2
    nearest = min(np.hypot(*(place - middle)) for place in seen)
    assert lattice.middle_hole.at_px.minus(XY(middle, middle)).length == pytest.approx(nearest)
    assert lattice.centre_px.minus(lattice.middle_hole.at_px).length < 0.2 * foil.spacing


@pytest.mark.parametrize("make", WITHOUT_LATTICE, ids=lambda make: make.__name__)
def test_nothing_is_found_where_there_is_no_lattice(
    make: Callable[[int, int], NDArray[np.float32]],
) -> None:
    for seed in (1, 2):
        lattice = find_lattice(make(384, seed))
        assert not lattice
        assert isinstance(lattice, NoLattice) and lattice.reason


def test_missing_and_iced_holes_show_in_their_brightness() -> None:
    foil = Foil(size=512, spacing=64.0, thickness=0.0, noise=0.05, rotation_deg=3.0)
    image = foil.image()
    iced = foil.holes(margin=40.0)[:3]
    y, x = np.mgrid[0:512, 0:512]
    for column, row in iced:
        image[np.hypot(x - column, y - row) < 17.0] = 1.0
    lattice = find_lattice(image)
    assert isinstance(lattice, FoundLattice)
    for column, row in iced:
        hole = min(lattice.holes, key=lambda one: one.at_px.minus(XY(column, row)).length)
        assert not hole.is_seen
        assert abs(hole.brightness) < 0.4
    assert all(0.7 < hole.brightness < 1.3 for hole in lattice.seen)
    assert len(lattice.seen) >= len(foil.holes(margin=20.0)) - 3


def test_specimen_coordinates_follow_from_the_matrix_of_the_image() -> None:
    foil = Foil(rotation_deg=0.0, spacing=64.0)
    turned = Matrix2(0.0, -0.05, 0.05, 0.0)  # X of the image is Y of the specimen
    lattice = find_lattice(foil.image(), turned)
    assert isinstance(lattice, FoundLattice)
    assert lattice.vectors_um.a_um == pytest.approx((0.0, 3.2), abs=0.03)
    assert lattice.vectors_um.b_um == pytest.approx((-3.2, 0.0), abs=0.03)
    column, row = lattice.middle_hole.at_px
    assert lattice.offset_um == pytest.approx((-0.05 * (255.5 - row), 0.05 * (column - 255.5)))
    assert lattice.diameter_um == pytest.approx(0.05 * lattice.diameter_px)
    with pytest.raises(PaceError, match="pixels only"):
        _ = found_in(foil).vectors_um


def test_turning_the_image_turns_the_lattice() -> None:
    foil = Foil(rotation_deg=20.0, noise=0.03)
    here, turned = found_in(foil), find_lattice(np.rot90(foil.image()))
    assert isinstance(turned, FoundLattice)
    # A quarter turn counter-clockwise takes (x, y) to (y, -x); the canonical vectors of a square lattice swap roles.
    assert (turned.b_px.x, turned.b_px.y) == pytest.approx((here.a_px.y, -here.a_px.x), abs=0.3)
    assert (turned.a_px.x, turned.a_px.y) == pytest.approx((-here.b_px.y, here.b_px.x), abs=0.3)


@pytest.mark.parametrize("rotation_deg", [-40.0, -20.0, 0.0, 25.0, 44.0, 50.0, 91.0])
@pytest.mark.parametrize("kind", ["square", "hexagonal"])
def test_the_first_vector_points_right_and_the_second_is_counter_clockwise(
    rotation_deg: float, kind: str
) -> None:
    lattice = found_in(Foil(size=300, kind=kind, rotation_deg=rotation_deg, noise=0.03))
    a, b = lattice.a_px, lattice.b_px
    between = {"square": 90.0, "hexagonal": 60.0}[kind]
    angles = [np.degrees(np.arctan2(-vector.y, vector.x)) for vector in (a, b)]
    assert abs(angles[0]) <= between / 2 + 0.5
    assert (angles[1] - angles[0]) % 360 == pytest.approx(between, abs=1.0)


def test_images_without_content_are_refused() -> None:
    assert "same everywhere" in _reason(np.full((256, 256), 7.0))
    assert "same everywhere" in _reason(np.full((256, 256), np.nan))
    assert "at least 64" in _reason(np.zeros((40, 256)))
    with pytest.raises(ValueError, match="two dimensions"):
        find_lattice(np.zeros((3, 256, 256)))


def _reason(pixels: NDArray[np.float64]) -> str:
    lattice = find_lattice(pixels)
    assert isinstance(lattice, NoLattice)
    return lattice.reason


def real_image(samples: Path, name: str) -> NDArray[np.float32]:
    image = pytest.importorskip("PIL.Image", reason="Pillow reads the sample images")
    image.MAX_IMAGE_PIXELS = None
    return np.asarray(image.open(samples / "images" / name).convert("L"), dtype=np.float32)


def test_the_lattice_of_a_real_grid_square(samples: Path) -> None:
    lattice = find_lattice(real_image(samples, "leginon_sq_example.jpg"))
    assert isinstance(lattice, FoundLattice)
    assert lattice.a_px == pytest.approx((67.4, 28.9), abs=1.0)
    assert lattice.b_px == pytest.approx((29.3, -68.4), abs=1.0)
    assert lattice.kind is LatticeKind.SQUARE
    assert len(lattice.seen) >= 60
    # The hole next to the dark patch, and the empty ones, as seen by eye.
    places = [hole.at_px for hole in lattice.seen if hole.brightness > 1.4]
    for at in (XY(597, 308), XY(664, 337), XY(732, 365), XY(770, 461), XY(411, 554), XY(711, 599)):
        assert min(place.minus(at).length for place in places) < 4.0


def test_the_lattice_of_a_real_hole_image(samples: Path) -> None:
    lattice = find_lattice(real_image(samples, "leginon_hl_example.jpg"))
    assert isinstance(lattice, FoundLattice)
    # Distances read off the image by eye differ by so much among themselves.
    assert lattice.a_px == pytest.approx((175.0, 126.5), abs=6.0)
    assert lattice.b_px == pytest.approx((125.0, -175.0), abs=4.0)
    assert lattice.diameter_px == pytest.approx(104.0, abs=10.0)
    for at in (XY(250, 203), XY(425, 327), XY(125, 378), XY(375, 28)):
        assert min(hole.at_px.minus(at).length for hole in lattice.seen) < 10.0


def test_four_real_holes_are_enough_also_on_a_tilted_sample(samples: Path) -> None:
    level, tilted = (
        find_lattice(mrcfile.read(samples / "images" / f"leginon_tilt{number}.mrc")) for number in (1, 2)
    )
    assert isinstance(level, FoundLattice) and isinstance(tilted, FoundLattice)
    assert level.kind is LatticeKind.SQUARE
    # Read off the images by eye.
    assert level.a_px == pytest.approx((260.0, -98.0), abs=4.0)
    assert level.b_px == pytest.approx((-98.0, -258.0), abs=4.0)
    assert tilted.a_px == pytest.approx((227.0, -104.0), abs=6.0)
    assert tilted.b_px == pytest.approx((-79.0, -256.0), abs=6.0)


@pytest.mark.parametrize("with_template", [False, True])
def test_the_lattice_of_a_real_montage(samples: Path, with_template: bool) -> None:
    expected = [
        *[(2149, 1904), (2637, 1448), (1732, 1229), (2239, 1535), (2293, 2128), (2897, 1120), (2111, 2088)],
        *[(1769, 1044), (2819, 1488), (2019, 1680), (2095, 1311), (2598, 1633)],
    ]
    diameter_px = None
    if with_template:
        diameter_px = hole_diameter_px(real_image(samples, "semmatch_T.jpg"))
        assert diameter_px == pytest.approx(116.0, abs=5.0)
    lattice = find_lattice(real_image(samples, "semmatch_MMM.jpg"), diameter_px=diameter_px)
    assert isinstance(lattice, FoundLattice)
    assert lattice.kind is LatticeKind.SQUARE
    assert len(lattice.seen) >= 80
    for x, up in expected:
        y = 3544 - up  # they are counted from the lower border
        assert min(hole.at_px.minus(XY(x, y)).length for hole in lattice.seen) < 10.0
    for one, other in itertools.combinations(lattice.seen, 2):
        assert one.at_px.minus(other.at_px).length > 120.0
