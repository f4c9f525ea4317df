"""Montages: files, overview, maps, and the way from a pixel to the stage, against the true sample."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import mdocfile
import numpy as np
import pytest

from mock_serialem.image_files import MontageShape
from mock_serialem.module import make_module
from mock_serialem.montage import stitch
from mock_serialem.session import Session

MakeSession = Callable[..., Session]
SETS = {"V": 2, "S": 3}


def taken(session: Session, letter: str = "V", nx: int = 2, ny: int = 3) -> ModuleType:
    sem = make_module(session)
    sem.OpenNavigator()
    sem.ParamSetToUseForMontage(SETS[letter])
    sem.OpenNewMontage(nx, ny, "mont.mrc")
    sem.M()
    sem.Copy("B", "Q")
    return sem


@pytest.mark.parametrize("letter", ["V", "S"])
@pytest.mark.parametrize("pixel", [(300.0, 400.0), (1100.0, 1250.0), (700.0, 1400.0)])
def test_a_pixel_of_the_overview_leads_to_the_stage_position_of_its_feature(
    make_session: MakeSession, letter: str, pixel: tuple[float, float]
) -> None:
    session = make_session(stage="ideal")
    session.world.move_stage_to(3.0, -4.0)
    sem = taken(session, letter)
    width, height = sem.ImageProperties("Q")[:2]
    x, y, piece, px, py = sem.BufImagePosToStagePos("Q", 0, *pixel)
    assert sem.StagePosToBufImagePos("Q", 0, x, y) == pytest.approx(pixel)
    sem.ReadMontagePiece(int(piece) // 3 + 1, int(piece) % 3 + 1, 0, "P")
    image = session.buffers.get("P")
    assert image.shot is not None
    feature = image.specimen_um((px, py))
    sem.MoveStageTo(x, y)
    getattr(sem, {"V": "View", "S": "Search"}[letter])()
    moved = session.buffers.get("A").shot
    assert moved is not None
    seen = np.array(image.shot.pose.where(moved.pose.centre_um)[:2])
    away = np.hypot(pixel[0] - width / 2, pixel[1] - height / 2) * image.pixel_um
    # Scale and rotation of the stage are known to about one per cent.
    assert seen == pytest.approx(np.array(feature), abs=0.03 * away + 0.05)


def test_the_map_of_a_montage(make_session: MakeSession) -> None:
    session = make_session(fidelity="rendered", stage="ideal")
    sem = taken(session, nx=2, ny=1)
    assert sem.NewMap() == 1.0
    entries = session.navigator.items[0].entries
    shape = session.files.current.montage
    assert shape is not None and shape.full_px == tuple(int(v) for v in sem.ImageProperties("Q")[:2])
    wanted = {"MapMontage": "1", "MapSection": "0", "MapFramesXY": "2 1", "MapBinning": "8", "MontBinning": "8",
              "MontUseStage": "1", "MapWidthHeight": "2736 1023", "MapLDConSet": "0"}  # fmt: skip
    assert {key: entries[key] for key in wanted} == wanted
    matrix = np.reshape([float(word) for word in entries["MapScaleMat"].split()], (2, 2))
    corner = np.array([-2736 / 2, -1023 / 2])
    assert session.navigator.items[0].points_um[0] == pytest.approx(np.linalg.solve(matrix, corner), rel=1e-4)
    sem.LoadOtherMap(1, "T")
    assert np.array_equal(session.buffers.get("T").pixels, session.buffers.get("Q").pixels)
    sem.AddImagePosAsNavPoint("T", 2000, 500)
    sem.LoadPieceAtNavPoint(2)
    number, x, y = sem.BufImagePosToStagePos("T", 0, 2000, 500)[2:]
    assert number == 1.0 and x == 2000 - 1296 and y == 500
    assert np.array_equal(session.buffers.get("A").pixels[:, 100:-100],
                          session.buffers.get("T").pixels[:, 1396 : 2736 - 100])  # fmt: skip


def test_the_files_of_a_montage(session: Session) -> None:
    sem = taken(session, nx=2, ny=2)
    sem.M()
    assert sem.ReportFileZsize() == (8.0, 2.0) and sem.ReportNumMontagePieces() == 4.0
    path = session.directory / "mont.mrc.mdoc"
    table = mdocfile.read(path)
    pieces = [tuple(int(v) for v in place) for place in table["PieceCoordinates"] if place]
    assert pieces[:4] == [(0, 0, 0), (0, 921, 0), (1296, 921, 0), (1296, 0, 0)] and pieces[4][2] == 1
    text = path.read_text()
    assert "Montage = 1" in text and text.count("[MontSection = ") == 2 and "FullMontSize = 2736 1944" in text
    sem.CloseFile()
    session.registry.clear()
    sem.OpenOldFile("mont.mrc")
    sem.ReadFile(1, "S")
    assert sem.ImageProperties("S")[:2] == (2736.0, 1944.0)
    assert session.buffers.get("S").stage_um == (0.0, 0.0, 0.0)
    with pytest.raises(sem.SEMerror):
        sem.ReadFile(2)
    with pytest.raises(sem.SEMerror):
        sem.S("A")


def test_seams_lie_in_the_middle_of_the_overlap_and_y_points_up() -> None:
    shape = MontageShape(2, 2, 4, 2, frame_px=(10, 6))
    pieces = {(x, y): np.full((6, 10), 10 * x + y, np.int16) for x in range(2) for y in range(2)}
    whole = stitch(shape, pieces)
    assert whole.shape == (10, 16)
    assert whole[0, 0] == 1 and whole[-1, 0] == 0 and whole[0, -1] == 11 and whole[-1, -1] == 10
    assert list(whole[0, 6:10]) == [1, 1, 11, 11] and list(whole[3:7, 0]) == [1, 1, 0, 0]
    del pieces[1, 0]
    assert stitch(shape, pieces)[-1, -1] == 4


def test_parameters_of_a_montage(sem: ModuleType, session: Session) -> None:
    with pytest.raises(sem.SEMerror):
        sem.SetMontageParams(1)
    with pytest.raises(sem.SEMerror):
        sem.M()
    assert sem.ReportNumMontagePieces() == 1.0
    sem.OpenNewMontage(2, 1, "m.mrc")
    assert session.files.current.montage is not None and not session.files.current.montage.by_stage
    sem.SetMontageParams(1, 200, 100, 1000, 800)
    assert session.files.current.montage.step_px == (800, 700) and session.files.current.montage.by_stage
    sem.SetMontageParams(0, -1, -1, -1, -1, -1, 8)
    assert session.files.current.montage.frame_px == (500, 400)
    for bad in ((0, 15), (0, 300), (3,), (0, -1, -1, 5000)):
        with pytest.raises(sem.SEMerror):
            sem.SetMontageParams(*bad)
    with pytest.raises(sem.SEMerror):
        sem.ParamSetToUseForMontage(2)
    sem.M()
    assert sem.ImageProperties("A")[:3] == (500.0, 400.0, 8.0)
    with pytest.raises(sem.SEMerror):
        sem.SetMontageParams(0, 100)


def test_image_shift_montages_stay_within_the_limit(sem: ModuleType) -> None:
    sem.OpenNewMontage(80, 80, "wide.mrc")
    before = sem.ReportImageShift()
    with pytest.raises(sem.SEMerror):
        sem.M()
    assert sem.ReportImageShift() == before and sem.ReportFileZsize()[0] == 0.0


def test_a_montage_over_a_polygon(make_session: MakeSession) -> None:
    session = make_session(stage="ideal")
    sem = make_module(session)
    sem.OpenNavigator()
    sem.GoToLowDoseArea("V")
    sem.ParamSetToUseForMontage(2)
    sem.SetVariable("x", "10\n40\n40\n10")
    sem.SetVariable("y", "20\n20\n30\n30")
    sem.AddStagePointsAsPolygon("x", "y", 0)
    pieces, nx, ny = sem.AssessPolygonMontage(1, 0)
    sem.SetupPolygonMontage(1, 0.1, "poly.mrc")
    shape = session.files.current.montage
    assert shape is not None and (shape.nx, shape.ny) == (nx, ny) and pieces == nx * ny
    assert sem.ReportStageXYZ()[:2] == pytest.approx((25.0, 25.0))
    size = session.world.pixel_um(17) * 4
    assert shape.full_px[0] * size >= 30.0 and shape.full_px[1] * size >= 10.0
    sem.M()
    for corner in ((10, 20), (40, 20), (40, 30), (10, 30)):
        x, y = sem.StagePosToBufImagePos("B", 0, *corner)
        assert 0 <= x <= shape.full_px[0] and 0 <= y <= shape.full_px[1]
    with pytest.raises(sem.SEMerror):
        sem.SetupPolygonMontage(1, 0.5, "no.mrc")


def test_a_montage_of_the_whole_grid(sem: ModuleType, session: Session) -> None:
    sem.ParamSetToUseForMontage(3, 1)
    sem.SetGridMapLimits(0, -100, 100, -50, 50)
    sem.SetupFullMontage(0, "grid.mrc")
    shape = session.files.current.montage
    assert shape is not None and shape.letter == "S"
    size = session.world.pixel_um(session.low_dose.areas["S"].mag_index) * 8
    assert shape.full_px[0] * size >= 190.0 and shape.full_px[1] * size >= 90.0
    with pytest.raises(sem.SEMerror):
        sem.SetGridMapLimits(0, 1, -1, 0, 5)
