"""Images at the scale and rotation of others, and grid squares found in them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mock_serialem.handlers.transforms import transformed
from mock_serialem.image import Image
from mock_serialem.module import make_module
from mock_serialem.session import Session

MakeSession = Callable[..., Session]


def spot_image(pixel: tuple[int, int], rotation_deg: float = 10.0) -> Image:
    pixels = np.zeros((120, 160), np.float32)
    pixels[pixel[1] - 2 : pixel[1] + 3, pixel[0] - 2 : pixel[0] + 3] = 100.0
    return Image(pixels, (160, 120), pixel_um=0.2, rotation_deg=rotation_deg)


@pytest.mark.parametrize(("pixel_um", "turn_deg"), [(0.2, 0.0), (0.1, 0.0), (0.2, 30.0), (0.25, -75.0)])
def test_a_point_of_the_specimen_stays_the_same_point(pixel_um: float, turn_deg: float) -> None:
    image = spot_image((100, 45))
    made = transformed(image, pixel_um, 10.0 + turn_deg, (300, 300), (80.0, 60.0))
    brightest = np.unravel_index(np.argmax(made.pixels), made.pixels.shape)
    seen = made.specimen_um((brightest[1] + 0.5, brightest[0] + 0.5))
    assert seen == pytest.approx(image.specimen_um((100.5, 45.5)), abs=0.7)


def test_bringing_images_to_the_scale_of_others(make_session: MakeSession) -> None:
    session = make_session(fidelity="rendered", stage="ideal")
    sem = make_module(session)
    sem.R()
    sem.Copy("A", "Q")
    sem.V()
    record, view = session.buffers.get("Q"), session.buffers.get("A")
    sem.TransformToMatchBuffer("A", "Q", "P")
    made = session.buffers.get("P")
    assert made.pixel_um == pytest.approx(record.pixel_um) and made.size_px == record.size_px
    assert made.rotation_deg == pytest.approx(record.rotation_deg) and made.processed
    sem.TransformToOtherMag("Q", view.mag_index, "P")
    assert sem.ImageProperties("P")[4] == pytest.approx(view.pixel_um * 1000.0)
    with pytest.raises(sem.SEMerror):
        sem.TransformToOtherMag("Q", 999)


def test_grid_squares_become_polygons(make_session: MakeSession) -> None:
    session = make_session(stage="ideal")
    sem = make_module(session)
    sem.OpenNavigator()
    sem.Search()
    image = session.buffers.get("A")
    rows, columns = 400, 600
    pixels = np.full((rows, columns), 100, np.int16)
    pixels[50:150, 80:180] = 900
    pixels[220:320, 400:500] = 900
    pixels[10:14, 10:14] = 900
    bright = image.with_pixels(pixels, (columns, rows))
    session.buffers.put("Q", bright)
    size = 100 * bright.pixel_um
    with pytest.raises(sem.SEMerror):
        sem.MakePolygonsAtSquares()
    sem.AutoContourGridSquares("Q", 0, 0.5 * size, 2 * size)
    sem.MakePolygonsAtSquares()
    assert sem.ReportNumTableItems() == 2.0
    centres = sorted(sem.ReportItemImageCoords(n, "Q")[:2] for n in (1, 2))
    assert centres[0] == pytest.approx((130, 100), abs=5) and centres[1] == pytest.approx((450, 270), abs=5)
    sem.Search()
    with pytest.raises(sem.SEMerror):
        sem.AutoContourGridSquares("A")


def test_alignment_between_magnifications_leaves_the_scaled_reference_in_b(make_session: MakeSession) -> None:
    session = make_session(fidelity="rendered", stage="ideal")
    sem = make_module(session)
    sem.V()
    sem.Copy("A", "M")
    sem.R()
    sem.AlignBetweenMags("M", -1, -1, 3.0, 0, 0, 1)
    assert sem.ImageProperties("B")[:2] == sem.ImageProperties("A")[:2]
    assert sem.ImageProperties("B")[4] == pytest.approx(sem.ImageProperties("A")[4])
    assert sem.ImageProperties("M")[4] > 10 * sem.ImageProperties("B")[4]
