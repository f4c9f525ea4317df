from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import pytest

from mock_serialem.module import make_module
from mock_serialem.session import Session


def true_defocus(session: Session) -> float:
    return session.world.pose("R").defocus_um


def test_autofocus_reaches_the_target(sem: ModuleType, session: Session) -> None:
    sem.SetTargetDefocus(-4)
    sem.F()
    sem.SetDefocus(-9)
    before = session.world.pose("F").defocus_um
    sem.G()
    # The Focus area lies beside the target, on a slightly different height.
    assert true_defocus(session) == pytest.approx(-4, abs=0.6)
    measured, code = sem.ReportAutoFocus()
    assert code == 0.0 and measured == pytest.approx(before, abs=0.3)


def test_measuring_only_changes_nothing(sem: ModuleType) -> None:
    before = sem.ReportDefocus()
    sem.G(-1)
    assert sem.ReportDefocus() == pytest.approx(before)
    assert sem.ReportAutoFocus()[1] == 0.0
    assert sem.ReportFocusDrift() == (0.0, 0.0)


def test_limits_of_the_focus_change(sem: ModuleType) -> None:
    sem.SetDefocus(-20)
    sem.FocusChangeLimits(-3, 3)
    sem.G()
    assert sem.ReportAutoFocus()[1] == 3.0 and sem.ReportDefocus() == pytest.approx(-20)
    sem.FocusChangeLimits(0, 0)
    sem.AbsoluteFocusLimits(-30, -15)
    sem.G()
    assert sem.ReportAutoFocus()[1] == 2.0 and sem.ReportDefocus() == pytest.approx(-20)
    sem.AbsoluteFocusLimits(0, 0)
    sem.G()
    assert sem.ReportAutoFocus()[1] == 0.0


def test_autofocus_in_view(sem: ModuleType) -> None:
    sem.SetDefocus(-5)
    sem.G(-1, 1)
    in_view = sem.ReportAutoFocus()[0]
    sem.GoToLowDoseArea("R")
    assert sem.ReportDefocus() == pytest.approx(-5)
    sem.G(-1, 2)
    corrected = sem.ReportAutoFocus()[0]
    assert in_view - corrected == pytest.approx(-60, abs=1)
    with pytest.raises(sem.SEMerror):
        sem.G(3)


def test_the_offset_counts_only_during_the_measurement(sem: ModuleType, session: Session) -> None:
    sem.SetTargetDefocus(-4)
    sem.SetAutofocusOffset(-10)
    assert sem.ReportAutofocusOffset() == -10.0
    sem.G()
    assert true_defocus(session) == pytest.approx(-4, abs=0.6)


@pytest.mark.parametrize("stage", ["krios", "cryoarm"])
def test_eucentricity_brings_the_sample_onto_the_axis(
    make_session: Callable[..., Session], stage: str
) -> None:
    session = make_session(stage=stage)
    sem = make_module(session)
    error = session.world.config.stage.eucentric_error_um
    sem.Eucentricity(3)
    # Calibrations of the side shift apart, the stage has moved by the error it had.
    assert sem.ReportStageXYZ()[2] == pytest.approx(-error, abs=0.7)
    assert sem.ReportRoughEucenFailed() == 0.0
    assert sem.ReportLastAxisOffset() == session.world.config.stage.measured_axis_offset_um
    for mode in (0, 8):
        with pytest.raises(sem.SEMerror):
            sem.Eucentricity(mode)


def test_eucentricity_by_focus(make_session: Callable[..., Session]) -> None:
    session = make_session(stage="ideal")
    sem = make_module(session)
    sem.MoveStage(0, 0, 6)
    sem.Eucentricity(-1)
    assert abs(session.world.pose("R").defocus_um - session.world.focus_um) < 8


def test_walking_up_keeps_the_target(make_session: Callable[..., Session]) -> None:
    session = make_session()
    sem = make_module(session)
    sem.Eucentricity(3)
    sem.GoToLowDoseArea("R")
    first = session.world.pose("R")
    sem.WalkUpTo(20)
    assert sem.ReportTiltAngle() == pytest.approx(20, abs=0.1)
    sem.GoToLowDoseArea("R")
    x, y, _ = session.world.pose("R").where(first.centre_um)
    assert abs(x) < 0.5 and abs(y) < 0.8
    with pytest.raises(sem.SEMerror):
        sem.WalkUpTo(89)


def test_tilting(sem: ModuleType, session: Session) -> None:
    sem.TiltBy(4)
    sem.TiltUp()
    assert sem.ReportTiltAngle() == pytest.approx(7, abs=0.1)
    sem.SetTiltIncrement(5)
    sem.D()
    assert sem.ReportTiltAngle() == pytest.approx(2, abs=0.1)
    sem.ReverseTilt()
    assert sem.ReportTiltAngle() == pytest.approx(2, abs=0.1)
    sem.TiltTo(10, 1, 3.0, -4.0)
    assert sem.ReportStageXYZ()[:2] == (3.0, -4.0)
    sem.TiltTo(0, 1)
    assert sem.ReportStageXYZ()[:2] == (3.0, -4.0)
    limit = session.properties.get("MaximumTiltAngle")
    sem.TiltTo(limit + 0.04)
    with pytest.raises(sem.SEMerror):
        sem.TiltTo(limit + 0.06)


def test_stage_limits(sem: ModuleType) -> None:
    with pytest.raises(sem.SEMerror):
        sem.MoveStageTo(5000, 0)
    with pytest.raises(sem.SEMerror):
        sem.MoveStage(0, 0, 1000)
    assert sem.ReportStageXYZ() == (0.0, 0.0, 0.0)
    sem.MoveStageTo(10, -20)
    sem.MoveStage(1, 1, 2.5)
    assert sem.ReportStageXYZ() == (11.0, -19.0, 2.5)


def test_waiting_for_drift(sem: ModuleType) -> None:
    sem.DriftWaitTask(50, "nm", 60, 5)
    rate, failed = sem.GetWaitTaskDrift()
    assert 0 <= rate <= 50 and failed == 0.0
    sem.DriftWaitTask(1e-9, "A", 20, 5, -1)
    assert sem.GetWaitTaskDrift()[1] == 1.0
    with pytest.raises(sem.SEMerror):
        sem.DriftWaitTask(1e-9, "A", 20, 5, 1)


def test_resetting_a_large_shift(make_session: Callable[..., Session]) -> None:
    session = make_session()
    sem = make_module(session)
    sem.ImageShiftByMicrons(2, 2)
    sem.ResetShiftIfAbove(5)
    assert sem.ReportSpecimenShift() == pytest.approx((2, 2))
    first = session.world.pose("R")
    sem.ResetShiftIfAbove(1)
    sem.GoToLowDoseArea("R")
    assert max(map(abs, sem.ReportSpecimenShift())) < 1.0
    x, y, _ = session.world.pose("R").where(first.centre_um)
    assert abs(x) < 0.15 and abs(y) < 0.15


def test_focus_commands(sem: ModuleType) -> None:
    sem.GoToLowDoseArea("R")
    sem.SetDefocus(-3)
    sem.ChangeFocus(0.5)
    assert sem.ReportDefocus() == pytest.approx(-2.5)
    for bad in (0, 1001, -1001):
        with pytest.raises(sem.SEMerror):
            sem.ChangeFocus(bad)
    with pytest.raises(sem.SEMerror):
        sem.SetDefocus(6000)
    sem.SaveFocus()
    with pytest.raises(sem.SEMerror):
        sem.SaveFocus()
    lens = sem.ReportFocus()
    sem.SetDefocus(4)
    sem.RestoreFocus()
    assert sem.ReportDefocus() == pytest.approx(-2.5)
    with pytest.raises(sem.SEMerror):
        sem.RestoreFocus()
    sem.ResetDefocus()
    assert sem.ReportDefocus() == 0.0 and sem.ReportFocus() == lens
    sem.ChangeFocus(2)
    assert sem.ReportDefocus() == pytest.approx(2.0)
    assert sem.SetEucentricFocus() == 0.0
    assert sem.ReportFocus() == 0.0


def test_target_defocus(sem: ModuleType) -> None:
    sem.SetTargetDefocus(-3)
    sem.IncTargetDefocus(-0.5)
    assert sem.ReportTargetDefocus() == -3.5
    for bad in (-201, 51):
        with pytest.raises(sem.SEMerror):
            sem.SetTargetDefocus(bad)
    sem.SetTargetDefocus(-2)
    seen = []
    for _ in range(4):
        sem.CycleTargetDefocus(-2, -4, 2)
        seen.append(sem.ReportTargetDefocus())
    assert seen == [-3.0, -4.0, -2.0, -3.0]
