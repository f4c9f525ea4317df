"""Maps and the way between their pixels and the stage, against the true sample."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest

from mock_serialem import maps
from mock_serialem.module import make_module
from mock_serialem.session import Session

MakeSession = Callable[..., Session]


@pytest.fixture
def ideal(make_session: MakeSession) -> Session:
    return make_session(stage="ideal")


def with_map(session: Session) -> ModuleType:
    sem = make_module(session)
    sem.OpenNavigator()
    sem.OpenNewFile("maps.mrc")
    sem.V()
    sem.NewMap()
    return sem


def test_the_keys_of_a_map(ideal: Session) -> None:
    sem = with_map(ideal)
    entries = ideal.navigator.items[0].entries
    assert entries["Note"] == "Sec 0 - maps.mrc"
    assert sem.ReportFileZsize() == 1.0
    keys = list(entries)
    assert keys.index("MapFile") + 1 == keys.index("MapID") < keys.index("MapMontage") < keys.index("PtsX")
    assert entries["MapBinning"] == "8" and entries["MapMagInd"] == "17" and entries["MapLDConSet"] == "0"
    assert entries["MapWidthHeight"] == "1440 1023" and entries["DefocusOffset"] == "-60"
    theta = np.radians(ideal.world.rotation_deg(17))
    pixel = ideal.world.pixel_um(17) * 4
    c, s = np.cos(theta) / pixel, np.sin(theta) / pixel
    matrix = [float(word) for word in entries["MapScaleMat"].split()]
    # Specimen is about minus stage, Y of the image points down.
    assert matrix == pytest.approx([-c, s, s, c], abs=0.03 / pixel)
    corners = ideal.navigator.items[0].points_um
    assert len(corners) == 5 and corners[0] == corners[4]


@pytest.mark.parametrize(
    ("where", "note"), [(0, "mine"), (-1, "mine Sec 0 - maps.mrc"), (1, "Sec 0 - maps.mrc mine")]
)
def test_notes_of_maps(ideal: Session, where: int, note: str) -> None:
    sem = make_module(ideal)
    sem.OpenNavigator()
    sem.OpenNewFile("maps.mrc")
    sem.V()
    assert sem.NewMap(where, "mine") == 1.0
    assert ideal.navigator.items[0].note == note
    assert sem.ReportFileZsize() == 1.0


def test_a_map_needs_file_and_coordinates(ideal: Session) -> None:
    sem = make_module(ideal)
    sem.OpenNavigator()
    sem.V()
    with pytest.raises(sem.SEMerror):
        sem.NewMap()
    sem.PutImageInBuffer(np.zeros((3, 3), np.int16), "P", 3, 3)
    sem.Copy("P", "A")
    with pytest.raises(sem.SEMerror):
        sem.NewMap()


@pytest.mark.parametrize("tilt", [0.0, 35.0])
def test_the_stage_goes_where_the_pixel_says(make_session: MakeSession, tilt: float) -> None:
    session = make_session(stage="ideal")
    sem = make_module(session)
    sem.OpenNavigator()
    sem.TiltTo(tilt)
    sem.ImageShiftByMicrons(0.5, -0.3)
    sem.V()
    shot = session.buffers.get("A").shot
    assert shot is not None
    pixel = (1000.0, 300.0)
    point = session.buffers.get("A").specimen_um(pixel)
    x, y = maps.stage_of_pixel(session, session.buffers.get("A"), pixel)
    assert sem.StagePosToBufImagePos("A", 0, x, y) == pytest.approx(pixel)
    assert sem.BufImagePosToStagePos("A", 0, *pixel) == pytest.approx((x, y, -1.0, *pixel))
    sem.SetImageShift(0, 0)
    sem.MoveStageTo(x, y)
    sem.V()
    moved = session.buffers.get("A").shot
    assert moved is not None
    seen = np.array(shot.pose.where(moved.pose.centre_um)[:2])
    # Scale and rotation of stage and image shift are known to about one per cent.
    assert seen == pytest.approx(point, abs=0.03 * np.hypot(*point))


def test_matrices_between_image_and_stage(ideal: Session) -> None:
    sem = with_map(ideal)
    a, b, c, d, dx, dy = sem.StageToBufImageMatrix("A", 0)
    back = sem.BufImageToStageMatrix("A", 0)
    stage = (3.0, -2.0)
    pixel = (a * stage[0] + b * stage[1] + dx, c * stage[0] + d * stage[1] + dy)
    assert sem.StagePosToBufImagePos("A", 0, *stage) == pytest.approx(pixel)
    again = (
        back[0] * pixel[0] + back[1] * pixel[1] + back[4],
        back[2] * pixel[0] + back[3] * pixel[1] + back[5],
    )
    assert again == pytest.approx(stage)


def test_points_on_an_image(ideal: Session) -> None:
    sem = with_map(ideal)
    index = int(sem.AddImagePosAsNavPoint("A", 700, 500, -1000, 100099))
    item = ideal.navigator.items[index - 1]
    assert item.integer("DrawnID") == ideal.navigator.items[0].map_id
    assert sem.NavIndexItemDrawnOn(index) == 1.0
    assert sem.ReportItemImageCoords(index, "A") == pytest.approx((700, 500, 1), abs=0.01)
    assert sem.GetNavGroupImageCoords(100099, "A", "x", "y") == 1.0
    assert float(sem.GetVariable("x")) == pytest.approx(700, abs=0.01)
    sem.AddStagePosAsNavPoint(500, 500, 0)
    assert sem.ReportItemImageCoords(-1, "A")[2] == 0.0
    sem.SetVariable("px", "100\n800\n800")
    sem.SetVariable("py", "100\n100\n900")
    index = int(sem.AddImagePointsAsPolygon("A", "px", "py"))
    assert sem.ReportOtherItem(index)[4] == 1.0
    sem.GetMapIndexes("maps")
    assert sem.GetVariable("maps") == "1\n"


def test_loading_a_map(ideal: Session) -> None:
    sem = with_map(ideal)
    sem.LoadOtherMap(1)
    assert ideal.buffers.get(ideal.buffers.read_letter).map_id == ideal.navigator.items[0].map_id
    sem.LoadOtherMap(1, "N")
    assert sem.ImageProperties("N")[5] == -1.0
    sem.AlignTo("N", 1)
    assert max(map(abs, sem.ReportAlignShift()[4:])) < 50
    sem.AddStagePosAsNavPoint(0, 0, 0)
    with pytest.raises(sem.SEMerror):
        sem.LoadOtherMap(2)
    with pytest.raises(sem.SEMerror):
        sem.LoadOtherMap(0)


def test_stage_positions_adjusted_for_image_shift(ideal: Session) -> None:
    sem = make_module(ideal)
    sem.GoToLowDoseArea("R")
    sem.ImageShiftByMicrons(1, 2)
    shift = sem.ReportImageShift()
    x, y = sem.AdjustStagePosForNav(10, 20, shift[0], shift[1])
    assert (x - 10, y - 20) == pytest.approx(shift[4:])
    with pytest.raises(sem.SEMerror):
        sem.AdjustStagePosForNav(0, 0, 0, 0, 0, 2)


def test_the_marker(ideal: Session) -> None:
    sem = with_map(ideal)
    assert sem.ImageMarkerPosition("A") == (-1.0, -1.0)
    with pytest.raises(sem.SEMerror):
        sem.MoveToMarker()
    image = ideal.buffers.get("A")
    image.marker_px = (900.0, 400.0)
    assert sem.ImageMarkerPosition("0") == (900.0, 400.0)
    point = image.specimen_um(image.marker_px)
    sem.MoveToMarker()
    assert sem.ReportSpecimenShift() == pytest.approx(point)
    sem.SetImageShift(0, 0)
    sem.NavGoToMarker()
    assert sem.StagePosToBufImagePos("A", 0, *sem.ReportStageXYZ()[:2]) == pytest.approx((900, 400))
