"""Illumination and dose, beams in images, lattices."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest

from mock_serialem.image import Image
from mock_serialem.lattice import lattice_vectors
from mock_serialem.module import make_module
from mock_serialem.session import Session

MakeSession = Callable[..., Session]


def dose(sem: ModuleType) -> float:
    sem.R()
    return float(sem.ImageConditions("A")[0])


def test_spot_and_illuminated_area_change_the_dose_rate(sem: ModuleType) -> None:
    sem.GoToLowDoseArea("R")
    first, spot, area = dose(sem), int(sem.ReportSpotSize()), sem.ReportPercentC2()[0]
    sem.SetPercentC2(2 * area)
    assert dose(sem) == pytest.approx(first / 4)
    sem.SetPercentC2(area)
    sem.SetSpotSize(spot + 1)
    assert dose(sem) == pytest.approx(first / 1.6)
    sem.SetSpotSize(spot - 1)
    assert dose(sem) == pytest.approx(first * 1.6)
    sem.GoToLowDoseArea("V")
    sem.GoToLowDoseArea("R")
    assert dose(sem) == pytest.approx(first)


def test_a_copied_area_keeps_its_dose(sem: ModuleType) -> None:
    sem.CopyLowDoseArea("V", "F")
    sem.F()
    focus = sem.ImageConditions("A")[0] / sem.ReportExposure("F")[0]
    sem.V()
    assert focus == pytest.approx(sem.ImageConditions("A")[0] / sem.ReportExposure("V")[0])


def test_intensity_for_a_mean(sem: ModuleType) -> None:
    sem.R()
    first = sem.ReportMeanCounts()
    sem.SetIntensityForMean(first / 2)
    sem.R()
    assert sem.ReportMeanCounts() == pytest.approx(first / 2, rel=0.1)
    sem.SetDoseRate(5.0)
    sem.R()
    assert sem.ElectronStats()[4] == pytest.approx(5.0, rel=0.1)
    with pytest.raises(sem.SEMerror):
        sem.SetIntensityForMean(0)


def test_the_size_of_the_beam(sem: ModuleType, session: Session) -> None:
    sem.V()
    image = session.buffers.get("A")
    assert image.shot is not None
    if image.shot.setup.beam_radius_um > 0.5 * np.hypot(*image.size_px) * image.pixel_um:
        with pytest.raises(sem.SEMerror):
            sem.MeasureBeamSize()
    sem.GoToLowDoseArea("R")
    sem.SetPercentC2(0.3 * sem.ReportPercentC2()[0])
    sem.R()
    diameter = sem.MeasureBeamSize()[0]
    assert diameter == pytest.approx(0.6 * session.low_dose.areas["R"].beam_radius_um)
    assert sem.MeasureBeamEllipse()[2:4] == (diameter, diameter)
    assert sem.MeasureBeamPosition()[:2] == (0.0, 0.0)


def test_moving_the_beam_by_the_field(sem: ModuleType, session: Session) -> None:
    x, y = sem.ReportBeamShift()
    sem.MoveBeamByFieldFraction(0.5, -0.25)
    dx, dy = np.subtract(sem.ReportBeamShift(), (x, y))
    assert dx > 0 and dy == pytest.approx(-0.5 * dx)


def grating(angle_deg: float, spacing: float, size: int = 256) -> Image:
    y, x = np.mgrid[:size, :size].astype(float)
    c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    u, v = c * x - s * y, s * x + c * y  # Y down: the angle is counter-clockwise on the screen
    pattern = 100 * (np.cos(2 * np.pi * u / spacing) + np.cos(2 * np.pi * v / spacing))
    noise = np.random.default_rng(5).normal(0, 30, (size, size))
    return Image((1000 + pattern + noise).astype(np.int16), (size, size), pixel_um=0.02)


def test_lattice_vectors() -> None:
    found = lattice_vectors(grating(20.0, 24.0), 23.0)
    assert found is not None
    for vector in found:
        assert np.hypot(*vector) == pytest.approx(24.0, abs=1.0)
    angles = sorted(np.degrees(np.arctan2(-y, x)) % 90 for x, y in found)
    assert angles == pytest.approx([20.0, 20.0], abs=3.0)
    assert lattice_vectors(grating(20.0, 24.0), 8.0) is None
    rng = np.random.default_rng(1)
    noise = Image(rng.normal(0, 1, (128, 128)).astype(np.float32), (128, 128), pixel_um=0.02)
    assert lattice_vectors(noise, 20.0) is None


def test_lattices_in_buffers(sem: ModuleType, session: Session) -> None:
    session.buffers.push(grating(0.0, 23.0))
    spacing, *vectors = sem.AutoCorrPeakVectors("A", 0.45)
    assert spacing == pytest.approx(0.46, abs=0.02) and len(vectors) == 4
    pixel, angle = sem.FindPixelSize()
    assert pixel == pytest.approx(462.9 / 23.0, rel=0.04) and abs((angle + 45) % 90 - 45) < 2.0
    sem.R()
    with pytest.raises(sem.SEMerror):
        sem.AutoCorrPeakVectors("A", 0.45)


def test_the_shift_offset_of_view(make_session: MakeSession) -> None:
    session = make_session(stage="ideal")
    sem = make_module(session)
    sem.SetLowDoseShiftOffset(0, 0.0, 0.0)
    sem.FindLowDoseShiftOffset(0)

    def difference() -> float:
        sem.V()
        view = session.buffers.get("A").shot
        sem.R()
        record = session.buffers.get("A").shot
        assert view is not None and record is not None
        return float(np.hypot(*view.pose.where(record.pose.centre_um)[:2]))

    found = difference()
    sem.SetLowDoseShiftOffset(0, 1.0, -1.0)
    assert found < 0.3 < difference()


def test_changing_the_intensity(sem: ModuleType) -> None:
    sem.SetLowDoseMode(0)
    sem.T()
    before = sem.ReportMeanCounts()
    sem.ChangeIntensityBy(0.5)
    sem.T()
    assert sem.ReportMeanCounts() == pytest.approx(0.5 * before, rel=0.1)
    with pytest.raises(sem.SEMerror):
        sem.ChangeIntensityBy(0.0)
