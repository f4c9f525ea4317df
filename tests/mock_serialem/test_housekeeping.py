from __future__ import annotations

from types import ModuleType

import pytest

from mock_serialem.session import Session


def test_dewars_fill_by_the_clock(sem: ModuleType, session: Session) -> None:
    assert sem.AreDewarsFilling() == 0.0
    left = sem.DewarsRemainingTime()
    assert left == pytest.approx(3 * 3600, abs=1)
    level = sem.RefrigerantLevel(1)
    session.world.advance(left + 5, "wait")
    assert sem.AreDewarsFilling() == 1.0
    assert sem.RefrigerantLevel(1) > level
    sem.ManageDewarsAndPumps()
    assert sem.AreDewarsFilling() == 0.0
    assert sem.DewarsRemainingTime() == pytest.approx(6 * 3600 - 480, abs=30)
    sem.LongOperation("RE", "0")
    assert sem.DewarsRemainingTime() == pytest.approx(6 * 3600, abs=1)
    session.column.dewar_period_s = 0.0
    assert sem.DewarsRemainingTime() == -1.0 and sem.AreDewarsFilling() == 0.0
    with pytest.raises(sem.SEMerror):
        sem.RefrigerantLevel(9)


def test_long_operations(sem: ModuleType, session: Session) -> None:
    before = session.world.clock_s
    assert sem.LongOperation("RE", "4", "IN") == (0.0, 0.0)
    assert session.world.clock_s - before > 600
    assert sem.LongOperation("RE", "4") is None
    session.world.advance(5 * 3600, "wait")
    assert sem.LongOperation("RE", "-2") == pytest.approx(5.17, abs=0.1)
    assert sem.LongOperation("RE", "-1") is None
    assert sem.LongOperation("RE", "4") is None
    session.column.flash_advised[1] = True
    assert sem.IsFEGFlashingAdvised(1) == 1.0
    sem.NextFEGFlashHighTemp()
    sem.LongOperation("FF", "0")
    assert sem.IsFEGFlashingAdvised(1) == 0.0


def test_the_zero_loss_peak(sem: ModuleType, session: Session) -> None:
    assert sem.RefineZLP(30) == 0.0
    assert sem.RefineZLP(30) is None
    session.world.advance(31 * 60, "wait")
    assert sem.RefineZLP(30) == 0.0
    assert sem.RefineZLP() == 0.0


def test_filter_and_apertures(sem: ModuleType) -> None:
    sem.SetSlitWidth(15)
    sem.SetSlitIn(0)
    sem.ChangeEnergyLoss(10)
    assert sem.ReportEnergyFilter() == (15.0, 10.0, 0.0)
    sem.SetSlitIn()
    assert sem.ReportEnergyFilter()[2] == 1.0
    assert sem.ReportApertureSize(2) == 100.0
    sem.RemoveAperture(2)
    assert sem.ReportApertureSize(2) == 0.0
    sem.ReInsertAperture(2)
    assert sem.ReportApertureSize(2) == 100.0
    sem.SetApertureSize(1, 70)
    assert sem.ReportApertureSize(1) == 70.0
    for bad in (
        lambda: sem.ReportApertureSize(7),
        lambda: sem.ReInsertAperture(3),
        lambda: sem.SetSlitWidth(0),
    ):
        with pytest.raises(sem.SEMerror):
            bad()


def test_the_loader(sem: ModuleType) -> None:
    assert sem.ReportSlotStatus(1) == (1.0, "Grid1")
    assert sem.ReportSlotStatus(9) == 0.0
    assert sem.ReportSlotStatus(0) is None
    assert sem.GetVariable("autoloaderInfo").splitlines()[0] == "1 Grid1"
    assert sem.LoadCartridge(2) == (0.0, 0.0)
    assert sem.ReportLoadedSlot() == (2.0, 0.0)
    assert sem.UnloadCartridge() == (0.0, 0.0)
    assert sem.ReportLoadedSlot()[0] == 0.0
    for bad in (lambda: sem.LoadCartridge(9), lambda: sem.ReportSlotStatus(13)):
        with pytest.raises(sem.SEMerror):
            bad()


def test_the_column(sem: ModuleType, session: Session) -> None:
    assert sem.ReportMag() == (64000.0, 0.0, 1.0)
    assert sem.ReportMagIndex() == (27.0, 0.0)
    sem.ImageShiftByMicrons(1, 2)
    sem.SetMag(33000)
    assert sem.ReportMagIndex()[0] == 24.0
    assert sem.ReportSpecimenShift() == pytest.approx((1, 2))
    sem.ChangeMag(-1)
    assert sem.ReportMagIndex()[0] == 22.0
    for bad in (lambda: sem.SetMag(40000), lambda: sem.SetMagIndex(3), lambda: sem.ChangeMag(50)):
        with pytest.raises(sem.SEMerror):
            bad()
    sem.SetMagIndex(5)
    assert sem.ReportMag() == (155.0, 1.0, 1.0)
    assert sem.ReportMaxImageShift(0)[0] == 150.0
    area, raw = sem.ReportPercentC2()
    sem.SetIlluminatedArea(area * 0.02)
    assert sem.ReportPercentC2() == pytest.approx((2 * area, 2 * raw))
    assert sem.ReportIlluminatedArea() == pytest.approx(area * 0.02)
    sem.SetProbeMode("micro")
    assert sem.ReportProbeMode() == 1.0
    sem.SetBeamShift(1, 2)
    sem.MoveBeamByMicrons(0.5, -0.5)
    assert sem.ReportBeamShift() == (1.5, 1.5)
    sem.ScreenDown()
    assert sem.ReportScreen() == 1.0 and sem.ReportScreenCurrent() > 0
    assert sem.ReportHighVoltage() == 300.0
    sem.GetFastScopeStatus()
    assert sem.GetVariable("FastMagIndex") == 5.0
    assert sem.CircleFromPoints(1, 0, 0, 1, -1, 0) == pytest.approx((0, 0, 1))


def test_program_facts(sem: ModuleType, session: Session) -> None:
    assert sem.IsVersionAtLeast("40200") == 1.0
    assert sem.IsVersionAtLeast("40300", "20991231") == 0.0
    assert sem.IsVersionAtLeast("50000") == 0.0
    with pytest.raises(TypeError):
        sem.IsVersionAtLeast(40200)
    assert sem.ReportDateTime() == (20260115.0, 900.0)
    assert sem.ReportProperty("dummyinstance") == 0.0
    sem.SetProperty("MaximumTiltAngle", 30)
    with pytest.raises(sem.SEMerror):
        sem.TiltTo(31)
    with pytest.raises(TypeError):
        sem.SetProperty("MaximumTiltAngle", 30.5)
    for bad in (lambda: sem.ReportProperty("NoSuch"), lambda: sem.ReportUserSetting("NoSuch")):
        with pytest.raises(sem.SEMerror):
            bad()
    sem.SetCustomTime("zlp")
    session.world.advance(120, "wait")
    assert sem.ReportCustomInterval("ZLP") == pytest.approx(2, abs=0.01)
    assert sem.ReportCustomInterval("other") > 1000
    assert sem.ReportNumExeFuncs() == 791.0


def test_hardware_dark_references(sem: ModuleType, session: Session) -> None:
    before = session.world.clock_s
    assert sem.UpdateHWDarkRef(4.0) == (0.0, 0.0)
    assert session.world.clock_s - before > 10.0
    assert sem.UpdateHWDarkRef(4.0) is None and sem.LongOperation("DA", "4") is None
    sem.Delay(5 * 60, "min")
    assert sem.UpdateHWDarkRef(4.0) == (0.0, 0.0)


def test_all_apertures_and_the_way_back(sem: ModuleType) -> None:
    assert sem.ReportApertureSize(0) > 0.0 == sem.ReportApertureSize(4)
    before = sem.ReportApertureSize(2)
    sem.SetApertureSize(2, 0)
    assert sem.ReportApertureSize(2) == 0.0
    sem.SetApertureSize(2, 1)
    assert sem.ReportApertureSize(2) == before
    sem.RemoveAperture(2)
    sem.ReInsertAperture(2)
    assert sem.ReportApertureSize(2) == before
    with pytest.raises(sem.SEMerror):
        sem.SetApertureSize(4, 1)


def test_the_truth_log_tells_of_upkeep(sem: ModuleType, session: Session) -> None:
    sem.SetLowDoseMode(1)
    sem.LongOperation("FF", "0")
    sem.GoToLowDoseArea("V")
    sem.ImageShiftByMicrons(3.0, -2.0)
    sem.TiltTo(10)
    sem.RefineZLP(0.0, -1)
    assert sem.ReportLowDose()[1] == 3.0
    assert sem.RefineZLP(30.0, -1) is None
    flash, slit = [line for line in session.world.truth.events if line["event"] == "upkeep"]
    assert (flash["operation"], slit["operation"], slit["tilt_nominal_deg"]) == ("FF", "RefineZLP", 10.0)
    assert flash["until_s"] - flash["t_s"] == 60.0
    centre = session.world.pose("R").centre_um
    assert (slit["sample_x_um"], slit["sample_y_um"]) == pytest.approx(centre[:2], abs=0.01)
    sem.SetColumnOrGunValve(0)
    sem.NoMessageBoxOnError()
    with pytest.raises(sem.SEMerror, match="valves"):
        sem.RefineZLP()
    assert sem.RefineZLP(0.0, 0, 0, 1) == 1.0
