"""The module in this process, and the checklist of what a stand-in for SerialEM must get right, item by item."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import mrcfile
import numpy as np
import pytest

from mock_serialem.answers import Operator
from mock_serialem.module import make_module
from mock_serialem.session import Session


def test_01_numbers_are_floats_single_scalar_several_tuple_none_none(sem: ModuleType) -> None:
    tilt = sem.ReportTiltAngle()
    assert type(tilt) is float
    stage = sem.ReportStageXYZ()
    assert type(stage) is tuple and [type(value) for value in stage] == [float] * 3
    assert sem.TiltTo(3) is None
    sem.OpenNavigator()
    sem.AddStagePosAsNavPoint(1, 2, 3)
    assert sem.ReportNavItem() == (1.0, 1.0, 2.0, 3.0, 0.0)
    assert type(sem.ReportNavItem()[0]) is float
    assert type(sem.ReportDirectory()) is str


def test_01_tuples_on_request(sem: ModuleType) -> None:
    sem.ReturnAllValuesAsTuples()
    assert sem.ReportTargetDefocus() == (-5.0,)
    assert type(sem.ReportDirectory()) is str
    sem.ReturnAllValuesAsTuples(0)
    assert sem.ReportTargetDefocus() == -5.0


def test_02_positional_arguments_with_checked_types(sem: ModuleType) -> None:
    cases: list[Callable[[], object]] = [
        lambda: sem.TiltTo(),
        lambda: sem.TiltTo(1, 2.0),
        lambda: sem.TiltTo("1"),
        lambda: sem.TiltTo(1, 0, 0, 0, 0),
        lambda: sem.TiltTo(angle=1),
        lambda: sem.Echo(1),
        lambda: sem.Echo(None),
        lambda: sem.SetItemAcquire(1.0),
        lambda: sem.ReportTiltAngle(0),
        lambda: sem.ImageShiftByMicrons(np.array([1.0, 2.0])),
    ]
    for case in cases:
        with pytest.raises(TypeError, match=r"^[A-Z]\w+\(\)"):
            case()
    assert sem.ReportTiltAngle() == 0.0


def test_02_unknown_names_and_unsimulated_commands(sem: ModuleType) -> None:
    with pytest.raises(AttributeError):
        _ = sem.CLearPersistentVars
    with pytest.raises(
        sem.SEMerror, match="SetupWaffleMontage is a command of SerialEM that is not simulated"
    ):
        sem.SetupWaffleMontage(0.1, "x")


def test_03_image_shift_over_the_limit_returns_one_and_changes_nothing(sem: ModuleType) -> None:
    before = sem.ReportImageShift()
    assert sem.SetImageShift(50, 0) == 1.0
    assert sem.ImageShiftByUnits(0, -50) == 1.0
    assert sem.ImageShiftByMicrons(50, 0) == 1.0
    assert sem.ImageShiftByPixels(1000000, 0) == 1.0
    assert sem.ImageShiftByStageDiff(50, 0) == 1.0
    assert sem.ReportImageShift() == before
    assert sem.ImageShiftByMicrons(5, 0) == 0.0


def test_04_a_focus_change_of_nothing_and_a_file_that_is_not_open(sem: ModuleType) -> None:
    with pytest.raises(sem.SEMerror):
        sem.ChangeFocus(0)
    assert sem.CloseFile() is None
    with pytest.raises(sem.SEMerror):
        sem.CloseFile("1")


def test_05_align_to_moves_image_shift_by_itself(sem: ModuleType, session: Session) -> None:
    sem.R()
    sem.Copy("A", "O")
    sem.ImageShiftByMicrons(0.08, -0.05)
    sem.R()
    before = sem.ReportImageShift()
    assert sem.AlignTo("O", 1) == 0.0
    assert sem.ReportImageShift() == before
    change = sem.ReportISforBufferShift()
    assert sem.AlignTo("O") == 0.0
    change = sem.ReportISforBufferShift()
    after = sem.ReportImageShift()
    assert after[0] - before[0] == pytest.approx(change[0], abs=1e-9)
    assert after[1] - before[1] == pytest.approx(change[1], abs=1e-9)
    # Pixels of the report have Y up, those of the buffer Y down.
    x, y, *_ = sem.ReportAlignShift()
    buffer_x, buffer_y = session.buffers.get("A").shift_px
    assert (x, y) == pytest.approx((8 * buffer_x, -8 * buffer_y))
    assert abs(buffer_y) > 1


def test_06_searching_the_navigator(sem: ModuleType) -> None:
    sem.OpenNavigator()
    sem.AddStagePosAsNavPoint(0, 0, 0)
    sem.ChangeItemNote(1, "Lam1_tgts.txt")
    assert sem.NavIndexWithNote("lam1_TGTS.txt") == 1.0
    assert sem.NavIndexWithNote("lam1_tgts") == 0.0
    assert sem.NavIndexWithLabel("1") == 1.0
    assert sem.NavIndexWithLabel("11") == 0.0


def test_07_variables(sem: ModuleType) -> None:
    with pytest.raises(sem.SEMerror):
        sem.GetVariable("nothing")
    sem.SetVariable("Number", "3")
    assert sem.GetVariable("NUMBER") == "3"
    sem.SetFloatVariable("float", 2.5)
    assert sem.GetVariable("float") == 2.5
    sem.OpenNavigator()
    sem.AddStagePosAsNavPoint(1, 2, 3)
    sem.ChangeItemLabel(1, "12-A")
    sem.ReportNavItem()
    assert sem.GetVariable("navIndex") == 1.0
    assert sem.GetVariable("navLabel") == "12-A"
    assert sem.GetVariable("navNote") == ""
    assert sem.GetVariable("navIntLabel") == 12.0
    sem.SetPersistentVar("warned", "")
    assert sem.IsVariableDefined("warned") == 1.0
    sem.SetPersistentVar("warned", "")
    assert sem.IsVariableDefined("warned") == 0.0
    with pytest.raises(sem.SEMerror):
        sem.SetPersistentVar("number", "1")


def test_07_reported_values_of_the_last_command(sem: ModuleType) -> None:
    sem.MoveStageTo(3, 4, 5)
    sem.ReportStageXYZ()
    assert [sem.GetVariable(f"repVal{n}") for n in (1, 2, 3)] == [3.0, 4.0, 5.0]
    assert sem.GetVariable("reportedValue3") == 5.0
    sem.Echo("x")
    with pytest.raises(sem.SEMerror):
        sem.GetVariable("repVal1")


def test_08_files_and_their_metadata(sem: ModuleType, session: Session) -> None:
    path = session.directory / "a.mrc"
    sem.OpenNewFile("a.mrc")
    sem.AddToAutodoc("Before", "1")
    sem.R()
    sem.S()
    mdoc = session.directory / "a.mrc.mdoc"
    head, _, section = mdoc.read_text().partition("[ZValue = 0]")
    assert "Before = 1" in head and "Before" not in section
    sem.AddToAutodoc("After", "2")
    assert "After" not in mdoc.read_text()
    sem.WriteAutodoc()
    assert mdoc.read_text().partition("[ZValue = 0]")[2].rstrip().endswith("After = 2")
    sem.CloseFile()
    with pytest.raises(sem.SEMerror):
        sem.OpenNewFile(str(path))
    sem.AllowFileOverwrite(1)
    sem.OpenNewFile(str(path))
    assert (session.directory / "a.mrc.mdoc~").exists()
    with pytest.raises(sem.SEMerror):
        sem.S("Q")


def test_09_buffers_roll_and_references_stay(sem: ModuleType, session: Session) -> None:
    shots = []
    for number in range(6):
        sem.T()
        shots.append(session.buffers.get("A").shot)
        if number == 0:
            sem.Copy("A", "O")
    assert [session.buffers.get(letter).shot for letter in "ABCD"] == shots[:1:-1]
    assert session.buffers.peek("E") is None
    assert session.buffers.get("O").shot is shots[0]
    sem.CropCenterToSize("A", 100, 100)
    assert session.buffers.get("B").shot is shots[-1]
    sem.SetUserSetting("BuffersToRollOnAcquire", 1)
    sem.T()
    assert session.buffers.get("C").shot is shots[4]


def test_10_arrays_have_the_top_row_first_and_files_the_bottom(
    make_session: Callable[..., Session],
) -> None:
    session = make_session("rendered")
    sem = make_module(session)
    sem.SetBinning("T", 8)
    sem.T()
    array = np.asarray(sem.bufferImage("A"))
    assert array.shape == (511, 720) and array.dtype == np.int16
    assert not array.flags.writeable
    sem.OpenNewFile("a.mrc")
    sem.S()
    with mrcfile.open(session.directory / "a.mrc") as stack:
        np.testing.assert_array_equal(np.flipud(stack.data), array)
    sem.ReadFile(0, "P")
    np.testing.assert_array_equal(sem.bufferImage("P"), array)
    sem.PutImageInBuffer(np.ascontiguousarray(array[:100, :200]), "A", 200, 100)
    np.testing.assert_array_equal(sem.bufferImage("B"), array)
    assert sem.ImageProperties("A")[:2] == (200.0, 100.0)
    np.testing.assert_array_equal(sem.bufferImage("A"), array[:100, :200])


@pytest.mark.parametrize("name", ["Q", "a", "U", "AG", "IF", "", "1"])
def test_10_bad_or_empty_buffers_are_module_errors(sem: ModuleType, name: str) -> None:
    with pytest.raises(sem.SEMmoduleError):
        sem.bufferImage(name)


@pytest.mark.parametrize("dtype", [np.int32, np.float64, np.bool_])
def test_10_unsuitable_arrays_are_module_errors(sem: ModuleType, dtype: type) -> None:
    with pytest.raises(sem.SEMmoduleError):
        sem.PutImageInBuffer(np.zeros((4, 4), dtype), "A", 4, 4)
    with pytest.raises(sem.SEMmoduleError):
        sem.PutImageInBuffer(np.zeros((4, 4), np.int16), "A", 4, 5)


def test_10_an_image_put_with_a_base_keeps_its_coordinates(sem: ModuleType, session: Session) -> None:
    sem.V()
    _, _, binning, _, pixel, _ = sem.ImageProperties("A")
    array = np.asarray(sem.bufferImage("A"))[::2, ::2].astype(np.float32)
    sem.PutImageInBuffer(np.ascontiguousarray(array), "P", array.shape[1], array.shape[0], "A", 2)
    made = sem.ImageProperties("P")
    assert made[2] == 2 * binning and made[4] == pytest.approx(2 * pixel) and made[5] == -1.0
    assert session.buffers.get("P").stage_um == session.buffers.get("A").stage_um


def test_11_number_of_sections(sem: ModuleType) -> None:
    with pytest.raises(sem.SEMerror):
        sem.ReportFileZsize()
    sem.OpenNewFile("a.mrc")
    assert sem.ReportFileZsize() == 0.0
    sem.T()
    for section in range(3):
        sem.S()
        assert sem.ReportFileZsize() == section + 1


def test_12_a_bad_measurement_of_focus_is_a_code_a_bad_ctf_fit_an_error(
    make_session: Callable[..., Session],
) -> None:
    session = make_session(sample="holey")
    sem = make_module(session)
    sem.G()
    assert sem.ReportAutoFocus()[1] == 0.0
    session.low_dose.change("F", dose_rate_e_per_a2_s=1e-6)
    before = sem.ReportDefocus()
    assert sem.G() is None
    assert sem.ReportAutoFocus()[1] == -1.0
    assert sem.ReportDefocus() == pytest.approx(before)
    sem.R()
    with pytest.raises(sem.SEMerror):
        sem.CtfFind("A", -90, -80)
    assert sem.Ctfplotter("A", -90, -80) == (1.0, 1.0)
    assert len(sem.Ctfplotter("A", -12, -0.1)) == 6


def test_12_realigning_without_a_map_is_an_error(sem: ModuleType) -> None:
    sem.OpenNavigator()
    sem.AddStagePosAsNavPoint(0, 0, 0)
    with pytest.raises(sem.SEMerror):
        sem.RealignToOtherItem(1, 0)


def test_13_beam_tilt(sem: ModuleType, session: Session) -> None:
    with pytest.raises(sem.SEMerror):
        sem.RestoreBeamTilt()
    start = sem.ReportBeamTilt()
    sem.ImageShiftByMicrons(4, 3)
    sem.AdjustBeamTiltforIS()
    once = np.subtract(sem.ReportBeamTilt(), start)
    xpx, xpy, ypx, ypy = sem.ReportComaVsISmatrix()
    x, y = sem.ReportImageShift()[:2]
    assert once == pytest.approx((xpx * x + xpy * y, ypx * x + ypy * y))
    sem.AdjustBeamTiltforIS()
    assert np.subtract(sem.ReportBeamTilt(), start) == pytest.approx(2 * once)
    sem.RestoreBeamTilt()
    assert sem.ReportBeamTilt() == pytest.approx(start)
    sem.SaveBeamTilt()
    with pytest.raises(sem.SEMerror):
        sem.SaveBeamTilt()


def test_14_nothing_refocuses_on_image_shift(sem: ModuleType) -> None:
    sem.TiltTo(40)
    before = sem.ReportDefocus()
    sem.ImageShiftByMicrons(0, 5)
    assert sem.ReportDefocus() == before


def test_15_commands_take_simulated_time(sem: ModuleType, session: Session) -> None:
    sem.ResetClock()
    assert sem.ReportClock() < 0.1
    sem.TiltTo(30)
    after_tilt = sem.ReportClock()
    assert 5 < after_tilt < 60
    sem.R()
    assert sem.ReportClock() > after_tilt + 1.0
    before = sem.ReportTickTime()
    sem.Delay(90, "sec")
    sem.Delay(500, "ms")
    sem.Delay(1, "min")
    assert sem.ElapsedTickTime(before) == pytest.approx(150.5, abs=0.1)
    assert session.world.activities["wait"] == pytest.approx(150.5)


def test_16_long_operations_that_are_not_due(sem: ModuleType) -> None:
    assert sem.LongOperation("FF", "8") == (0.0, 0.0)
    assert sem.LongOperation("FF", "8") is None
    assert sem.LongOperation("FFlash", "0") == (0.0, 0.0)
    with pytest.raises(sem.SEMerror):
        sem.LongOperation("XX", "1")
    with pytest.raises(sem.SEMerror):
        sem.LongOperation("RE")


def test_17_the_message_comes_only_when_boxes_are_suppressed(sem: ModuleType, session: Session) -> None:
    with pytest.raises(sem.SEMerror) as caught:
        sem.ChangeFocus(0)
    assert str(caught.value) == "No message from command error"
    assert session.message_boxes == ["A focus change of 0 is not legal"]
    sem.NoMessageBoxOnError(1)
    with pytest.raises(sem.SEMerror) as caught:
        sem.ChangeFocus(0)
    lines = str(caught.value).split("\n")
    assert lines[:3] == ["", "SCRIPT ERROR WITH THIS MESSAGE:", "A focus change of 0 is not legal"]
    assert set(lines[3]) == {"*"} and len(lines) == 4
    sem.NoMessageBoxOnError(0)
    sem.StartTry(1)
    sem.StartTry(0)
    sem.EndTry()
    with pytest.raises(sem.SEMerror, match="SCRIPT ERROR"):
        sem.ChangeFocus(0)
    sem.EndTry()
    sem.EndTry()
    with pytest.raises(sem.SEMerror, match="No message from command error"):
        sem.ChangeFocus(0)
    assert len(session.message_boxes) == 2


def test_17_silent_levels_keep_the_message_out_of_the_log(sem: ModuleType, session: Session) -> None:
    sem.StartTry(1)
    with pytest.raises(sem.SEMerror):
        sem.ChangeFocus(0)
    assert not any("focus change" in line for line in session.log_lines)
    sem.EndTry()
    sem.StartTry()
    with pytest.raises(sem.SEMerror):
        sem.ChangeFocus(0)
    assert any("focus change" in line for line in session.log_lines)


def test_18_questions_while_boxes_are_suppressed(make_session: Callable[..., Session]) -> None:
    session = make_session(operator=Operator())
    sem = make_module(session)
    assert sem.YesNoBox("Go on?") == 1.0
    sem.NoMessageBoxOnError()
    assert sem.YesNoBox("Go on?") == 0.0
    assert sem.Pause("Ready?") == 1.0
    assert session.operator.asked == ["YesNoBox: Go on?", "Pause: Ready?"]


def test_19_regular_variables_end_with_the_script(sem: ModuleType, session: Session) -> None:
    sem.SetVariable("a", "1")
    sem.SetPersistentVar("b", "2")
    again = make_module(session)
    assert again.IsVariableDefined("a") == 0.0
    assert again.GetVariable("b") == "2"


def test_20_stop_comes_from_any_command(sem: ModuleType, session: Session) -> None:
    session.press_stop()
    for command in (sem.ReportTiltAngle, sem.R, sem.EndTry):
        with pytest.raises(sem.SEMexited, match=r"^User STOP$"):
            command()
    session.begin_script()
    assert sem.ReportTiltAngle() == 0.0


def test_21_everything_is_put_back_at_the_end_of_the_script(sem: ModuleType, session: Session) -> None:
    sem.ImageShiftByMicrons(2, 1)
    shift, beam_tilt, focus = sem.ReportImageShift()[:2], sem.ReportBeamTilt(), sem.ReportDefocus()
    sem.SetExposure("R", 7)
    sem.SetBinning("F", 2)
    sem.SetUserSetting("BuffersToRollOnAcquire", 1)
    sem.SetUserSetting("DriftProtection", 1, 1)
    sem.SetUserSetting("ShiftToTiltAxis", 0)
    sem.AdjustBeamTiltforIS()
    sem.SaveFocus()
    sem.SetDefocus(3)
    sem.SetFrameBaseName(0, 1, 0, "mine")
    sem.SetFrameNameFormat(0, -1, 0x40)
    sem.SetFileOptions(0, 0, 0, 1, 0, 0)
    sem.SetK3CDSmode(0)
    sem.UpdateLowDoseParams("R")
    sem.SetSlitWidth(33)
    sem.KeepCameraSetChanges("F")
    assert session.low_dose.areas["R"].slit_width_ev == 33
    sem.NoMessageBoxOnError()
    with pytest.raises(sem.SEMexited, match=r"^Normal exit$"):
        sem.Exit()
    assert not session.script.running and not session.script.no_message_box
    assert session.cameras.get("R").exposure_s == 1.0
    assert session.cameras.get("F").binning == 2
    assert session.buffers.roll == 3
    assert sem.ReportUserSetting("DriftProtection") == 1.0
    assert sem.ReportUserSetting("ShiftToTiltAxis") == 1.0
    assert sem.ReportImageShift()[:2] == pytest.approx(shift)
    assert sem.ReportBeamTilt() == pytest.approx(beam_tilt)
    assert sem.ReportDefocus() == pytest.approx(focus)
    assert sem.ReportFrameBaseName() == (0.0, "none", 0.0)
    assert sem.ReportFrameNameFormat() == 0x180
    assert session.files.options.use_mdoc
    assert sem.ReportK3CDSmode() == 1.0
    assert session.low_dose.areas["R"].slit_width_ev == 20


def test_exit_with_a_code_returns(sem: ModuleType, session: Session) -> None:
    assert sem.Exit(1, "text for the log") is None
    assert session.log_lines[-1] == "text for the log"


def test_module_level_names(sem: ModuleType) -> None:
    assert sem.__name__ == "serialem"
    assert sem.ConnectToSEM() is None and sem.ConnectToSEM(48888, "127.0.0.1") is None
    assert type(sem.ReportNumModuleFuncs()) is int
    assert sem.SetBufferImageTimeout(5) is None and sem.ScriptIsInitialized() is None
    for kind in (sem.SEMerror, sem.SEMmoduleError, sem.SEMexited):
        assert kind.__bases__ == (Exception,)
    assert sem.TiltTo.__name__ == "TiltTo"
    with pytest.raises(TypeError, match="ConnectToSEM"):
        sem.ConnectToSEM("127.0.0.1")


def test_absolute_and_relative_names(sem: ModuleType, session: Session, tmp_path: Path) -> None:
    sem.MakeDirectory("deep/er")
    sem.SetDirectory("deep")
    assert sem.ReportDirectory() == str(session.directory) == str(tmp_path / "session" / "deep")
    assert sem.DoesFileExist("er") == 1.0
    assert sem.DoesFileExist(str(tmp_path / "session" / "deep" / "er")) == 1.0
    with pytest.raises(sem.SEMerror):
        sem.SetDirectory("missing")


def test_an_array_with_gaps_is_refused(sem: ModuleType) -> None:
    whole = np.arange(48, dtype=np.int16).reshape(6, 8)
    with pytest.raises(sem.SEMmoduleError):
        sem.PutImageInBuffer(whole[::2, ::2], "P", 4, 3)
    sem.PutImageInBuffer(np.asfortranarray(whole), "P", 8, 6)
    assert np.array_equal(np.asarray(sem.bufferImage("P")), whole)


def test_a_question_within_try_is_asked(sem: ModuleType, session: Session) -> None:
    sem.StartTry()
    assert sem.YesNoBox("go on?") == 1.0
    sem.EndTry()
    sem.NoMessageBoxOnError(1)
    assert sem.YesNoBox("go on?") == 0.0
    assert session.operator.asked == ["YesNoBox: go on?"]


def test_a_setting_that_is_kept_after_all_stays(sem: ModuleType, session: Session) -> None:
    sem.SetUserSetting("DriftProtection", 1)
    sem.SetUserSetting("DriftProtection", 2, 1)
    sem.SetUserSetting("ShowStateNumbers", 1)
    session.end_script()
    assert session.settings.get("DriftProtection") == 2.0 and session.settings.get("ShowStateNumbers") == 0.0


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the time zone can be changed on POSIX systems only")
def test_minutes_do_not_depend_on_the_time_zone(sem: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        # 15 January 2026, 9:00, counted from the start of 1970.
        assert sem.ReportMinuteTime() == 20468 * 1440 + 9 * 60
    finally:
        monkeypatch.undo()
        time.tzset()
