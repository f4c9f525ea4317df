"""The checklist and the known discrepancies of the reference on SerialEM, item by item.

`COVERED` names for each item of the checklist (section 24) the tests that hold it, here or elsewhere; the discrepancies
(section 25) are tested here. Items are numbered in the order of the page.
"""

from __future__ import annotations

import ast
from pathlib import Path
from types import ModuleType

import pytest

from mock_serialem.commands import REGISTRY, TABLE
from mock_serialem.errors import SEMerror
from mock_serialem.session import Session

COVERED = {
    1: ["test_module.py::test_01_numbers_are_floats_single_scalar_several_tuple_none_none"],
    2: [
        "test_module.py::test_02_positional_arguments_with_checked_types",
        "test_fuzz.py::test_wrong_calls_fail",
    ],
    3: ["test_module.py::test_03_image_shift_over_the_limit_returns_one_and_changes_nothing"],
    4: ["test_module.py::test_04_a_focus_change_of_nothing_and_a_file_that_is_not_open"],
    5: ["test_module.py::test_05_align_to_moves_image_shift_by_itself"],
    6: ["test_module.py::test_06_searching_the_navigator"],
    7: ["test_module.py::test_07_variables", "test_module.py::test_07_reported_values_of_the_last_command"],
    8: ["test_module.py::test_08_files_and_their_metadata"],
    9: ["test_module.py::test_09_buffers_roll_and_references_stay"],
    10: ["test_module.py::test_10_arrays_have_the_top_row_first_and_files_the_bottom"],
    11: ["test_module.py::test_11_number_of_sections"],
    12: ["test_module.py::test_12_a_bad_measurement_of_focus_is_a_code_a_bad_ctf_fit_an_error"],
    13: ["test_module.py::test_13_beam_tilt"],
    14: ["test_module.py::test_14_nothing_refocuses_on_image_shift"],
    15: ["test_module.py::test_15_commands_take_simulated_time"],
    16: ["test_module.py::test_16_long_operations_that_are_not_due"],
    17: ["test_module.py::test_17_the_message_comes_only_when_boxes_are_suppressed"],
    18: ["test_module.py::test_18_questions_while_boxes_are_suppressed"],
    19: [
        "test_module.py::test_19_regular_variables_end_with_the_script",
        "test_script_window.py::test_acquire_at_items",
    ],
    20: ["test_module.py::test_20_stop_comes_from_any_command"],
    21: ["test_module.py::test_21_everything_is_put_back_at_the_end_of_the_script"],
}


@pytest.mark.parametrize("item", range(1, 22))
def test_every_item_of_the_checklist_has_its_test(item: int) -> None:
    folder = Path(__file__).parent
    for name in COVERED[item]:
        file, _, function = name.partition("::")
        tree = ast.parse((folder / file).read_text(encoding="utf-8"))
        assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, name


# --- section 25


def test_25_1_ctfplotter_reports_its_limit_before_its_correlation(sem: ModuleType) -> None:
    sem.SetTargetDefocus(-4)
    sem.G()
    sem.R()
    values = sem.Ctfplotter("A", -8, -0.5)
    if len(values) == 6:
        assert values[4] > 1.5 and -1.0 <= values[5] <= 1.0


def test_25_1_exit_without_code_raises(sem: ModuleType) -> None:
    with pytest.raises(sem.SEMexited, match="Normal exit"):
        sem.Exit()


def test_25_1_third_value_of_item_image_coords(sem: ModuleType, session: Session) -> None:
    sem.OpenNavigator()
    sem.AddStagePosAsNavPoint(0, 0, 0)
    sem.AddStagePosAsNavPoint(500, 0, 0)
    sem.V()
    assert sem.ReportItemImageCoords(1, "A")[2] == 1.0
    assert sem.ReportItemImageCoords(2, "A")[2] == 0.0
    session.buffers.get("A").stage_um = None
    assert sem.ReportItemImageCoords(1, "A")[2] == -1.0


def test_25_1_area_parameters_need_low_dose_off_and_are_one_line(sem: ModuleType) -> None:
    with pytest.raises(sem.SEMerror):
        sem.GetLowDoseAreaParams("R", "p")
    sem.SetLowDoseMode(0)
    sem.GetLowDoseAreaParams("R", "p")
    text = sem.GetVariable("p")
    assert len(text.split(" ")) == 21 and "\n" not in text


def test_25_1_the_mdoc_key_is_the_one_of_the_code(sem: ModuleType) -> None:
    sem.R()
    assert float(sem.ReportMetadataValues("A", "FrameDosesAndNumber")[0]) > 0.0
    with pytest.raises(sem.SEMerror):
        sem.ReportMetadataValues("A", "FrameDosesAndNumbers")


@pytest.mark.parametrize(("last", "legal"), [(120.0, True), (125.0, True), (126.0, False)])
def test_25_1_the_phase_range_of_ctffind_is_that_of_the_code(
    sem: ModuleType, last: float, legal: bool
) -> None:
    sem.SetTargetDefocus(-3)
    sem.G()
    sem.R()
    sem.NoMessageBoxOnError()
    try:
        sem.CtfFind("A", -8, -0.5, 1, 0, 0.0, last)
    except SEMerror as err:
        assert ("phase" in str(err).lower()) == (not legal)
    else:
        assert legal


@pytest.mark.parametrize("index", [-1, 0, 254])
def test_25_1_the_range_of_dose_accumulators_is_that_of_the_code(sem: ModuleType, index: int) -> None:
    sem.AreaForCumulRecordDose(index)
    for bad in (-2, 255):
        with pytest.raises(sem.SEMerror):
            sem.AreaForCumulRecordDose(bad)


def test_25_2_arguments_that_python_cannot_reach(sem: ModuleType) -> None:
    sem.OpenNavigator()
    unreachable = [
        lambda: sem.ReportMinuteTime("var"),
        lambda: sem.ReportTickTime("var"),
        lambda: sem.RealignToNavItem(1, 0, -1, -1, -1, 1),
        lambda: sem.RealignToOtherItem(1, 1, 0, -1, -1, -1, 1),
        lambda: sem.SetMontageParams(1, -1, -1, -1, -1, -1, -1, -1, 1),
        lambda: sem.SkipAcquiringNavItem(1),
        lambda: sem.StartNavAcquireAtEnd(1),
        lambda: sem.M(1),
        lambda: sem.Montage(1),
        lambda: sem.SetTiltIncrement(1.5),
        lambda: sem.SetProperty("ImageShiftLimit", 15.5),
        lambda: sem.AdjustBeamTiltforIS(1.0, 1.0),
        lambda: sem.ReportApertureSize("OA"),
        lambda: sem.DeleteNavigatorItem(1, 1),
    ]
    for call in unreachable:
        with pytest.raises(TypeError):
            call()


@pytest.mark.parametrize("name", ["AssessPolygonMontage", "GetAllLowDoseValues", "GetAllCameraSetValues"])
def test_25_3_the_newest_commands_have_no_code_of_the_published_module(name: str) -> None:
    assert TABLE[name].code is None and name in REGISTRY


def test_25_5_slips_of_public_scripts_show(sem: ModuleType) -> None:
    with pytest.raises(AttributeError):
        sem.CLearPersistentVars()
    state = sem.ImagingStateProperties("View")
    assert state[0] == 0.0 and state[5] == "View"
    with pytest.raises(TypeError):
        sem.CameraProperties(state[3], state[4])
    with pytest.raises(TypeError):
        sem.ImageShiftByMicrons([0.1, 0.2])


def test_25_6_bugs_of_the_program_are_not_relied_on(sem: ModuleType) -> None:
    assert sem.ReportLongOperations()[0] == 0.0
    with pytest.raises(sem.SEMerror):
        sem.ReportXLensMode()
    sem.OpenNavigator()
    sem.ImageShiftByMicrons(0.4, -0.7)
    sem.V()
    # With adj = 1 each axis is adjusted by its own amount.
    x, y = sem.BufImagePosToStagePos("A", 1, 300, 200)[:2]
    assert sem.StagePosToBufImagePos("A", 1, x, y) == pytest.approx((300, 200))
