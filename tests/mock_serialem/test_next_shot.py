"""Series of frames, deferred sums, several Records at once, scripts that call scripts, states, dialogs."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest

from mock_serialem import nav_acquire
from mock_serialem.answers import Operator
from mock_serialem.frame_series import steps_from_values
from mock_serialem.module import make_module
from mock_serialem.session import Session

MakeSession = Callable[..., Session]


def test_a_frame_tilt_series(sem: ModuleType) -> None:
    focus, shift = sem.ReportDefocus(), sem.ReportImageShift()[:2]
    sem.QueueFrameTiltSeries(-6, 3, 5, 0.2, 0.1, 0.5, 0.01, 0.0)
    before = sem.ReportClock()
    sem.R()
    assert sem.ReportTiltAngle() == pytest.approx(6.0, abs=0.1)
    assert sem.ReportDefocus() == pytest.approx(focus) and sem.ReportImageShift()[:2] == pytest.approx(shift)
    assert sem.ReportClock() - before > 5 * 0.3 and sem.ReportNumFramesSaved() >= 5.0
    sem.TiltTo(0)
    sem.R()
    assert sem.ReportTiltAngle() == pytest.approx(0.0, abs=0.1)


def test_a_series_from_a_variable(sem: ModuleType) -> None:
    sem.SetVariable("steps", "3\n0.1\n-2\n6\n0.1\n2")
    sem.FrameSeriesFromVar("steps", 1 + 2 + 8)
    sem.R()
    assert sem.ReportTiltAngle() == pytest.approx(6.0, abs=0.1)
    step = steps_from_values([9.0, 0.5, 0.25, 1.0, 2.0, 3.0, 4.0, 5.0], 63)[0]
    assert (step.tilt_deg, step.open_s, step.wait_s, step.focus_um) == (9.0, 0.5, 0.25, 1.0)
    assert step.image_shift == (2.0, 3.0) and step.beam_shift == (4.0, 5.0)
    for flags in (0, 64, 4 + 1):
        with pytest.raises(sem.SEMerror):
            sem.FrameSeriesFromVar("steps" if flags != 5 else "missing", flags)
    with pytest.raises(sem.SEMerror):
        sem.QueueFrameTiltSeries(0, 30, 9)
    sem.SetDoseFracParams("R", 0)
    with pytest.raises(sem.SEMerror):
        sem.QueueFrameTiltSeries(0, 3, 3)


def test_tilting_while_recording(sem: ModuleType) -> None:
    sem.TiltDuringRecord(3.0, 100)
    sem.V()
    assert sem.ReportTiltAngle() == pytest.approx(0.0, abs=0.1)
    sem.R()
    assert sem.ReportTiltAngle() == pytest.approx(3.0, abs=0.1)
    sem.RecordAndTiltDown()
    assert sem.ReportTiltAngle() == pytest.approx(0.0, abs=0.1)
    sem.RecordAndTiltUp()
    assert sem.ReportTiltAngle() == pytest.approx(3.0, abs=0.1)


def test_a_queue_ends_with_its_script(sem: ModuleType, session: Session) -> None:
    sem.TiltDuringRecord(3.0, 100)
    session.begin_script()
    sem.R()
    assert sem.ReportTiltAngle() == pytest.approx(0.0, abs=0.1)


def test_a_deferred_sum(sem: ModuleType) -> None:
    with pytest.raises(sem.SEMerror):
        sem.GetDeferredSum()
    sem.DeferStackingNextShot()
    sem.R()
    first = np.array(sem.bufferImage("A"))
    sem.V()
    sem.GetDeferredSum()
    assert np.array_equal(sem.bufferImage("A"), first)


def test_multiple_records(make_session: MakeSession) -> None:
    session = make_session(stage="ideal")
    sem = make_module(session)
    sem.GoToLowDoseArea("R")
    sem.OpenNewFile("shots.mrc")
    before = sem.ReportSpecimenShift()
    assert sem.MultipleRecords(4, 1, 0.6) == 5.0 == sem.ReportFileZsize()
    assert sem.ReportSpecimenShift() == pytest.approx(before, abs=1e-6)
    places = []
    for section in range(5):
        sem.ReadFile(section, "Q")
        image = session.buffers.get("Q")
        assert image.shot is not None
        places.append(image.shot.pose.centre_um[:2])
    distances = [np.hypot(*np.subtract(place, places[0])) for place in places]
    assert distances == pytest.approx([0, 0.6, 0.6, 0.6, 0.6], abs=0.05)
    assert sem.MultipleRecords(0, 1, 0.5, 0, 0, 0, 0, 0, 3, 3, 2, 2.0) == 6.0
    assert sem.ReportFileZsize() == 5.0
    for bad in ((4, 1, 40.0), (-1,), (4, 1, -1.0)):
        with pytest.raises(sem.SEMerror):
            sem.MultipleRecords(*bad)


def test_options_of_frames(sem: ModuleType) -> None:
    old = sem.ReportFrameAliParams()
    sem.SetFrameAliParams(2, -1, 1)
    assert sem.ReportFrameAliParams() == (2.0, old[1], 1.0, *old[3:])
    sem.SetK2FileParams(1, 1)
    assert sem.ReportK2FileParams()[:2] == (1.0, 1.0)
    with pytest.raises(sem.SEMerror):
        sem.SetK2FileParams(9)


# --- scripts, states, dialogs

FACILITY = """ScriptName Facility
# moves and measures
Function Double 1 1 x label
y = $x * 2 + 1
MoveStage $y 0
Return $y $label
EndFunction
Echo from the facility
SetVariable seen yes
ReportStageXYZ
here = $repVal1
Return $here
"""


def test_calling_regular_scripts(sem: ModuleType, session: Session) -> None:
    number = session.scripts.add("Facility", FACILITY)
    assert sem.CallFunction("Facility::Double", "mark", 3) == ("7", "mark")
    assert sem.ReportStageXYZ()[0] == pytest.approx(7.0)
    assert sem.GetVariable("reportedValue1") != ""
    assert float(sem.Call("facility")) == pytest.approx(7.0)
    assert sem.GetVariable("seen") == "yes" and "from the facility" in session.log_lines
    assert sem.CallScript(number) == sem.CallMacro(number)
    for call in (
        lambda: sem.Call("missing"), lambda: sem.CallScript(9), lambda: sem.CallFunction("Facility::None"),
    ):  # fmt: skip
        with pytest.raises(sem.SEMerror):
            call()
    session.scripts.add("Py", "#!Python\nimport serialem")
    session.scripts.add("Branch", "If 1 == 1\nEcho no\nEndIf")
    session.scripts.add("Self", "Call Self")
    sem.NoMessageBoxOnError()
    for name, reason in (
        ("Py", "Python"),
        ("Branch", "If of the script language is not simulated"),
        ("Self", "deep"),
    ):
        with pytest.raises(sem.SEMerror, match=reason):
            sem.Call(name)


def test_scripts_in_arrays(sem: ModuleType) -> None:
    sem.SetVariable("lines", "ScriptName Made\nMoveStage 1 0\nReturn done")
    assert sem.CallStringArray("lines") == "done"
    sem.StringArrayToScript("lines", 7)
    assert sem.CallScript(7) == "done" and sem.Call("Made") == "done"
    assert sem.ReportStageXYZ()[0] == pytest.approx(3.0)
    with pytest.raises(sem.SEMerror):
        sem.CallStringArray("lines", 1)


def test_imaging_states(sem: ModuleType, session: Session) -> None:
    sem.GoToLowDoseArea("R")
    assert sem.GoToImagingState("nowhere") == 1.0 == sem.ImagingStateProperties("99")
    error, index, area, camera, mag, name = sem.ImagingStateProperties("Grid map")
    assert (error, index, area, camera, name) == (0.0, 1.0, -1.0, 1.0, "Grid map")
    assert sem.GoToImagingState("1") == 0.0
    assert sem.ReportLowDose()[0] == 0.0 and sem.ReportMagIndex()[0] == mag
    assert sem.GoToImagingState("view") == 0.0 and sem.ReportLowDose() == (1.0, 0.0)
    sem.RestoreState()
    assert sem.ReportLowDose() == (1.0, 3.0)
    sem.RestoreState()
    with pytest.raises(sem.SEMerror):
        sem.RestoreState(1)


def test_dialogs(make_session: MakeSession) -> None:
    session = make_session(operator=Operator({"NewFile|EnterName": "n.mrc", "Marker": "12 34"}))
    sem = make_module(session)
    sem.EnterNameOpenFile("name")
    assert sem.ReportCurrentFilename().endswith("n.mrc")
    sem.ChooserForNewFile(0, "chosen")
    assert sem.GetVariable("chosen") == str(session.directory / "n.mrc")
    with pytest.raises(sem.SEMerror):
        sem.UserOpenOldFile()
    sem.R()
    sem.WaitForNewMarkerPoint()
    assert sem.ImageMarkerPosition("A") == (12.0, 34.0)
    assert (
        sem.SetActiveViewByTitle(sem.ReportActiveViewTitle()) == 1.0 and sem.SetActiveViewByTitle("x") == 0.0
    )


def test_arguments_of_the_next_program(sem: ModuleType, session: Session) -> None:
    sem.NextProcessArgs("a b", "c")
    assert sem.RunProcess('python3 -c "import sys; sys.exit(len(sys.argv))"') == 3.0
    assert sem.RunProcess('python3 -c "import sys; sys.exit(len(sys.argv))"') == 1.0


def test_settings_from_a_file(sem: ModuleType, session: Session) -> None:
    (session.directory / "s.txt").write_text("BuffersToRollOnAcquire 5\nUnknownThing 3\nLongLine 1 2 3\n")
    sem.LoadSettingsFile("s.txt")
    assert sem.ReportUserSetting("BuffersToRollOnAcquire") == 5.0
    with pytest.raises(sem.SEMerror):
        sem.LoadSettingsFile("missing.txt")


def test_values_of_areas_and_sets(sem: ModuleType, session: Session) -> None:
    sem.GetAllLowDoseValues(1, "R", "all", "area", "mag")
    assert len(sem.GetVariable("all").split("\n")) == 21
    assert sem.GetVariable("mag") == str(session.low_dose.areas["R"].mag_index)
    sem.GetAllCameraSetValues(1, "R", "set", "exposure")
    assert float(sem.GetVariable("exposure")) == sem.ReportExposure("R")[0]


# --- Acquire at Items at the script's end


def test_maps_at_items_after_the_script(sem: ModuleType, session: Session) -> None:
    sem.OpenNavigator()
    sem.OpenNewFile("maps.mrc")
    with pytest.raises(sem.SEMerror):
        sem.StartNavAcquireAtEnd()
    for x in (10, 20, 30):
        sem.AddStagePosAsNavPoint(x, 0, 0, 5 if x > 10 else 0)
        sem.SetItemAcquire()
    sem.NavAcqAtEndUseParams("M")
    sem.SetNavAcqAtEndParams("scrp-b", 2)
    sem.StartNavAcquireAtEnd()
    seen = []

    def script(number: int) -> bool:
        item = int(sem.ReportNavItem()[0])
        seen.append((number, item, sem.ReportIfNavAcquiring()))
        if item == 2:
            sem.SkipAcquiringGroup()
            sem.SkipAcquiringNavItem()
        return True

    assert session.acquire_params.requested
    assert nav_acquire.run(session, script) == 1
    assert seen == [(2, 1, (1.0, 5.0)), (2, 2, (1.0, 5.0))]
    assert sem.ReportFileZsize() == 1.0 and sem.ReportOtherItem(4)[4] == 2.0
    assert [item.acquire for item in session.navigator.items[:3]] == [False, True, True]
    assert not session.acquire_params.requested and sem.ReportIfNavAcquiring() == (0.0, 0.0)
    for bad in (("prim", 9), ("other", 1), ("prim", 1, "scrp-a")):
        with pytest.raises(sem.SEMerror):
            sem.SetNavAcqAtEndParams(*bad)
    with pytest.raises(sem.SEMerror):
        sem.NavAcqAtEndUseParams("R", "file")


def test_tilt_series_marks(sem: ModuleType) -> None:
    sem.OpenNavigator()
    sem.AddStagePosAsNavPoint(1, 2, 3)
    assert sem.SetTiltSeriesAtItem(1) == 1.0 and sem.ReportTiltSeriesAtItem(1)[0] == 1.0
    with pytest.raises(sem.SEMerror):
        sem.SetItemAcquire(1)
    sem.SetTiltSeriesAtItem(1, 0)
    assert sem.ReportTiltSeriesAtItem(1)[0] == 0.0


def test_aligning_to_a_template(make_session: MakeSession) -> None:
    session = make_session(stage="ideal")
    sem = make_module(session)
    sem.OpenNavigator()
    sem.OpenNewFile("t.mrc")
    sem.V()
    sem.NewMap()
    first = session.buffers.get("A").shot
    sem.MoveStage(0.6, -0.4)
    sem.AlignToTemplate(-1, -1, -1, 1)
    sem.V()
    again = session.buffers.get("A").shot
    assert first is not None and again is not None
    assert np.hypot(*first.pose.where(again.pose.centre_um)[:2]) < 0.15
    with pytest.raises(sem.SEMerror):
        sem.AlignToTemplate(-1, -1, -1, -1, "none")


def test_only_a_script_before_can_skip_an_item(sem: ModuleType, session: Session) -> None:
    sem.OpenNavigator()
    for x in (10, 20):
        sem.AddStagePosAsNavPoint(x, 0, 0)
        sem.SetItemAcquire()
    sem.SetNavAcqAtEndParams("prim", 2, "scrp-p", 1)
    sem.StartNavAcquireAtEnd()

    def script(number: int) -> bool:
        sem.SkipAcquiringNavItem()
        return True

    assert nav_acquire.run(session, script) == 2
    assert sem.ReportNumNavAcquire() == (0.0, 0.0)


def test_marks_during_a_run(sem: ModuleType, session: Session) -> None:
    sem.OpenNavigator()
    for x in (10, 20, 30, 40):
        sem.AddStagePosAsNavPoint(x, 0, 0)
    for index in (1, 3):
        sem.SetItemAcquire(index)
    sem.SetNavAcqAtEndParams("prim", 2, "scrp-p", 1)
    sem.StartNavAcquireAtEnd()
    seen = []

    def script(number: int) -> bool:
        seen.append(sem.ReportNavItem()[0])
        for inside in (1, 2, 3):
            with pytest.raises(sem.SEMerror):
                sem.SetItemAcquire(inside)
        sem.SetItemAcquire(4)
        sem.SetItemAcquire(3, 0)
        return True

    assert nav_acquire.run(session, script) == 1 and seen == [1.0]
    assert [item.acquire for item in session.navigator.items] == [False, False, False, True]
    sem.SetItemAcquire(2)
    assert sem.ReportItemAcquire(2) == 1.0
