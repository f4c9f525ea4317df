from __future__ import annotations

from types import ModuleType

import pytest

from mock_serialem.low_dose import default_areas
from mock_serialem.session import Session
from mock_serialem.sim.profiles import KRIOS_SCOPE


def test_view_and_search_add_their_defocus_offset(sem: ModuleType, session: Session) -> None:
    sem.GoToLowDoseArea("R")
    sem.SetDefocus(-3)
    sem.GoToLowDoseArea("V")
    assert sem.ReportDefocus() == pytest.approx(-63)
    sem.GoToLowDoseArea("S")
    assert sem.ReportDefocus() == pytest.approx(-203)
    sem.GoToLowDoseArea("F")
    assert sem.ReportDefocus() == pytest.approx(-3)
    sem.GoToLowDoseArea("V")
    sem.SetLDDefocusOffset("V", -80)
    assert sem.ReportDefocus() == pytest.approx(-83)
    sem.SetLowDoseMode(0)
    assert sem.ReportDefocus() == pytest.approx(-3)


@pytest.mark.parametrize("area", ["v", "", "X", "P", "1"])
def test_names_of_areas(sem: ModuleType, area: str) -> None:
    sem.GoToLowDoseArea("View")
    assert sem.ReportLowDose() == (1.0, 0.0)
    with pytest.raises(sem.SEMerror):
        sem.GoToLowDoseArea(area)


def test_low_dose_must_be_on(sem: ModuleType) -> None:
    sem.SetLowDoseMode(0)
    for call in (lambda: sem.GoToLowDoseArea("R"), lambda: sem.UpdateLowDoseParams("R"), sem.OppositeTrial):
        with pytest.raises(sem.SEMerror):
            call()


def test_optics_follow_only_when_asked(sem: ModuleType, session: Session) -> None:
    sem.GoToLowDoseArea("R")
    sem.SetSpotSize(5)
    assert session.low_dose.areas["R"].spot == 8
    sem.GoToLowDoseArea("V")
    sem.GoToLowDoseArea("R")
    assert sem.ReportSpotSize() == 8.0
    sem.UpdateLowDoseParams("R")
    sem.SetSpotSize(6)
    sem.SetEnergyLoss(15)
    assert session.low_dose.areas["R"].spot == 6 and session.low_dose.areas["R"].energy_loss_ev == 15
    sem.RestoreLowDoseParams()
    assert session.low_dose.areas["R"].spot == 8
    sem.UpdateLowDoseParams("R", 1)
    sem.SetSpotSize(7)
    sem.Exit(1)
    assert session.low_dose.areas["R"].spot == 7


def test_continuous_update(sem: ModuleType, session: Session) -> None:
    sem.GoToLowDoseArea("V")
    sem.SetLDContinuousUpdate(1)
    sem.SetMagIndex(18)
    assert session.low_dose.areas["V"].mag_index == 18


def test_the_line_of_parameters(sem: ModuleType) -> None:
    with pytest.raises(sem.SEMerror):
        sem.GetLowDoseAreaParams("R", "line")
    sem.SetLowDoseMode(0)
    sem.GetLowDoseAreaParams("R", "line")
    words = sem.GetVariable("line").split()
    assert len(words) == 21
    assert words[:9] == ["3", "27", "8", "0.481200", "0.000000", "1", "1", "20.000000", "0.000000"]


def test_copying_an_area_keeps_its_place(sem: ModuleType, session: Session) -> None:
    sem.CopyLowDoseArea("R", "F")
    sem.CopyLowDoseArea("R", "V")
    areas = session.low_dose.areas
    assert areas["F"].axis_um == 2.5 and areas["V"].defocus_um == -60
    assert areas["V"].mag_index == areas["R"].mag_index


def test_shift_offsets(sem: ModuleType) -> None:
    sem.SetLowDoseShiftOffset(0, 0.5, -0.25)
    assert sem.ReportLDShiftOffset(0) == (0.5, -0.25)
    assert sem.ReportLDShiftOffset(1) == (0.0, 0.0)
    with pytest.raises(sem.SEMerror):
        sem.SetLowDoseShiftOffset(3, 0, 0)
    with pytest.raises(sem.SEMerror):
        sem.ReportLDDefocusOffset("R")


def test_focus_and_trial_lie_clear_of_the_record_beam() -> None:
    areas = default_areas(KRIOS_SCOPE)
    for letter in "FT":
        assert areas[letter].axis_um > areas[letter].beam_radius_um + areas["R"].beam_radius_um
