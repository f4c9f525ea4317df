"""What is drawn, and where: single points against hand-computed pixels, then whole images."""

import numpy as np
import pytest
import scipy.fft

from mock_serialem.sim.contamination import Crystals
from mock_serialem.sim.features import Cloud
from mock_serialem.sim.matter import make_matter
from mock_serialem.sim.pose import Pose, rotation_about_x
from mock_serialem.sim.profiles import KRIOS_SCOPE
from mock_serialem.sim.render import Renderer, stamp
from mock_serialem.sim.sample import HoleySpec, LamellaSpec, Sheet

EMPTY_SPEC = LamellaSpec(
    pretilt_deg=0.0, rotation_deg=0.0, curvature_um=(0.0, 0.0), contamination_per_um2=0.0
)
PIXEL_UM = 1e-3


class OnePoint:
    """A layer of a single heavy point."""

    number, cell_um, reach_um, coarsest_nm = 9, 1.0, 1.0, 10.0

    def __init__(self, u_um: float, v_um: float, depth_um: float) -> None:
        self._point = np.array([[u_um, v_um, depth_um]], np.float32)

    def make(self, rng, site, corner_um, thinning) -> Cloud:
        inside = all(corner <= place < corner + 1.0 for corner, place in zip(corner_um, self._point[0]))
        return Cloud(self._point[:inside], np.full(int(inside), 40.0, np.float32))


def make_pose(tilt_deg: float = 0.0, rotation_deg: float = 0.0, defocus_um: float = -2.0) -> Pose:
    rotation = rotation_about_x(tilt_deg)
    return Pose(rotation, np.zeros(3), (0.0,) * 3, tilt_deg, tilt_deg, defocus_um, PIXEL_UM, rotation_deg)


def darkest(point: tuple[float, float, float], pose: Pose) -> tuple[float, float]:
    """Column and row at which a single point of the sample shows, from its dark centre."""
    sheet = Sheet(EMPTY_SPEC, 0)
    matter, _ = make_matter(EMPTY_SPEC, 0)
    renderer = Renderer(KRIOS_SCOPE, sheet, matter, [OnePoint(*point)], Crystals(sheet, 0), 0)
    image = renderer.electrons(pose, (200, 300), 100.0, 50.0)
    row, column = np.unravel_index(np.argmin(image), image.shape)
    rows, columns = np.mgrid[row - 8 : row + 9, column - 8 : column + 9]
    # Only the dark middle counts, not the fringes.
    depth = 100.0 * np.exp(-150.0 / 320.0) - image[rows, columns]
    patch = np.maximum(depth - 0.3 * depth.max(), 0.0)
    return float(np.average(columns, weights=patch)), float(np.average(rows, weights=patch))


def test_plus_x_is_right_and_plus_y_up_without_rotation():
    assert darkest((0.050, 0.030, 0.0), make_pose()) == pytest.approx((149.5 + 50.0, 99.5 - 30.0), abs=0.1)


def test_image_rotation_is_counter_clockwise():
    # At 90 degrees the tilt axis points up in the image.
    assert darkest((0.050, 0.030, 0.0), make_pose(rotation_deg=90.0)) == pytest.approx(
        (149.5 - 30.0, 99.5 - 50.0), abs=0.1
    )
    assert darkest((0.050, 0.030, 0.0), make_pose(rotation_deg=180.0)) == pytest.approx(
        (149.5 - 50.0, 99.5 + 30.0), abs=0.1
    )


def test_depth_shows_as_parallax():
    # At +30 degrees a point 60 nm above the sheet moves by 30 nm towards -y: down.
    high = darkest((0.0, 0.0, 0.060), make_pose(30.0))
    assert high == pytest.approx((149.5, 99.5 + 30.0), abs=0.15)


def test_subpixel_positions_are_kept():
    column, row = darkest((0.0103, 0.0206, 0.0), make_pose())
    assert (column, row) == pytest.approx((149.5 + 10.3, 99.5 - 20.6), abs=0.15)


def test_points_go_to_slabs_by_height():
    projected = np.array([[10.0, 10.0, -0.4], [20.25, 10.5, 0.0], [30.0, 10.0, 0.4]], np.float32)
    slabs, defocus_um = stamp(projected, np.ones(3, np.float32), (32, 64), make_pose(defocus_um=-3.0))
    assert slabs.shape == (3, 32, 64)
    assert defocus_um == pytest.approx([-3.0 - 0.8 / 3.0, -3.0, -3.0 + 0.8 / 3.0], abs=1e-3)
    assert slabs[0, 10, 10] == slabs[2, 10, 30] == 1.0
    assert slabs[1, 10:12, 20:22] == pytest.approx(np.array([[0.375, 0.125], [0.375, 0.125]]))


def power_at(image: np.ndarray, pixel_nm: float, k2: float) -> float:
    """Mean power of an image in a narrow ring about a squared spatial frequency (1/nm^2)."""
    spectrum = np.abs(scipy.fft.rfft2(image - image.mean())) ** 2
    y = scipy.fft.fftfreq(image.shape[0], pixel_nm)[:, None]
    x = scipy.fft.rfftfreq(image.shape[1], pixel_nm)[None, :]
    ring = np.abs(np.hypot(x, y) - np.sqrt(k2)) < 0.006
    return float(spectrum[ring].mean())


@pytest.mark.parametrize("defocus_um", [-3.0, -5.0])
def test_thon_rings_lie_where_the_defocus_puts_them(make_ideal, record, defocus_um):
    world = make_ideal(HoleySpec(contamination_per_um2=0.0, beads_per_um2=0.0), fidelity="rendered")
    world.move_stage_to(-1.49, -0.17)
    world.set_focus(defocus_um)
    shot = world.expose(record(size_px=(512, 512), dose_rate_e_per_a2_s=200.0))
    pixel_nm = shot.pose.pixel_um * 1e3
    # Zero of the contrast where the phase is pi - asin(0.07); next maximum near 3/2 pi.
    per_k2 = np.pi * 0.0019687 * -shot.pose.defocus_um * 1e3
    zero, peak = (np.pi - 0.07) / per_k2, 1.5 * np.pi / per_k2
    first = 0.5 * np.pi / per_k2
    power = [power_at(shot.pixels.astype(float), pixel_nm, k2) for k2 in (first, zero, peak)]
    assert power[1] < 0.35 * power[0]
    assert power[1] < 0.5 * power[2]


def test_defocus_follows_height_across_a_tilted_image(make_ideal, record):
    """On film at 60 degrees the side that rose is less underfocused: its first zero lies farther out."""
    film = {"hole_radius_um": 0.01, "beads_per_um2": 0.0, "contamination_per_um2": 0.0}
    world = make_ideal(
        HoleySpec(pretilt_deg=0.0, curvature_um=(0.0, 0.0), **film),
        fidelity="rendered",
        scope={"magnifications": _unrotated()},
    )
    world.tilt_to(60.0)
    world.set_focus(-3.0)
    shot = world.expose(record(dose_rate_e_per_a2_s=200.0, beam_radius_um=3.0))
    upper, lower = shot.pixels[:300].astype(float), shot.pixels[-300:].astype(float)
    pixel_nm = shot.pose.pixel_um * 1e3
    # Centre of the upper part lies 0.19 um up, so 0.33 um nearer to the source.
    zeros = [(np.pi - 0.07) / (np.pi * 0.0019687 * under_nm) for under_nm in (2670.0, 3330.0)]
    assert power_at(upper, pixel_nm, zeros[0]) < power_at(upper, pixel_nm, zeros[1])
    assert power_at(lower, pixel_nm, zeros[1]) < power_at(lower, pixel_nm, zeros[0])


def _unrotated():
    mags = KRIOS_SCOPE.magnifications
    return tuple(
        type(mag)(mag.index, mag.magnification, mag.pixel_nm, 0.0, mag.is_rotation_deg, mag.low_mag)
        for mag in mags
    )


def test_it_is_dark_outside_the_beam(make_ideal, record):
    world = make_ideal(fidelity="rendered")
    shot = world.expose(record(beam_radius_um=0.2))
    rows, columns = shot.pixels.shape
    assert shot.pixels[rows // 2 - 50 : rows // 2 + 50, columns // 2 - 50 : columns // 2 + 50].mean() > 150
    assert shot.pixels[:, : columns // 2 - 420].mean() < 1.0
    assert shot.pixels[: rows // 2 - 420].mean() < 1.0


def test_the_rim_shadows_one_edge_at_high_tilt(make_ideal, record):
    spec = LamellaSpec(pretilt_deg=-9.0, rotation_deg=0.0, curvature_um=(0.0, 0.0), contamination_per_um2=0.0)
    world = make_ideal(spec, fidelity="rendered", scope={"magnifications": _unrotated()})
    view = record(camera_set="V", area="V", mag_index=17, dose_rate_e_per_a2_s=0.1, beam_radius_um=20.0)
    world.tilt_to(-60.0)
    rows = world.expose(view).pixels[:, 700:740].mean(axis=1)
    lit = np.flatnonzero(rows > 0.5 * rows.max())
    width_um = (lit[-1] - lit[0]) * 4 * 3.0e-3
    # 18 um of lamella at 69 degrees would measure 6.45 um; the rim takes most of 2 x 4 um of it on the sample.
    assert 2.5 < width_um < 5.0


def test_low_magnification_shows_several_sites(make_ideal, record):
    world = make_ideal(LamellaSpec(), fidelity="rendered")
    atlas = record(
        area="S", mag_index=5, dose_rate_e_per_a2_s=1e-3, beam_radius_um=900.0, size_px=(720, 512), binning=8
    )
    pixels = world.expose(atlas).pixels
    bright = pixels > 0.5 * pixels.max()
    # Lamellae of 24 x 18 um every 120 um: 3 % of the area.
    assert 0.015 < bright.mean() < 0.05
    assert bright[:, :120].any()
    assert bright[:, -120:].any()
