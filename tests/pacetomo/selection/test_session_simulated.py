"""Choosing targets by hand, from points and by shifts, on the simulator."""

from __future__ import annotations

import numpy as np
import pytest
from choosing import SHORT, Choosing
from simulated import saved

from mock_serialem.answers import Drag, Rule
from mock_serialem.errors import SEMexited
from mock_serialem.faults import Fault, FaultPlan
from mock_serialem.script_window import ScriptWindow
from pacetomo.acquire import acquire_area
from pacetomo.desk_script import CancelledError
from pacetomo.errors import PlanError, ScopeError, TargetFileError
from pacetomo.files.navigator import read_navigator
from pacetomo.files.stack import section_count
from pacetomo.files.target_file import read_targets
from pacetomo.frames import XY
from pacetomo.scope.desk import MAP
from pacetomo.scope.protocol import Area
from pacetomo.script_tables import SelectionSettings
from pacetomo.scripts import script_path
from pacetomo.selection.session import select_targets
from pacetomo.settings import SettingsLayer, resolve_table


@pytest.fixture
def choosing(tmp_path):
    def make(**world):
        return Choosing(tmp_path, **world)

    return make


@pytest.mark.parametrize(("stage", "guidance"), [("krios", True), ("side-entry", False)])
def test_dragged_targets_are_acquired_where_they_were_dragged(choosing, stage, guidance):
    here = choosing(stage=stage)
    holes = here.holes(3)
    files = here.choose([*here.drags(holes, guidance), here.another(3)], guidance=guidance)
    # One Preview each and one more of the first: until then nobody knows how View and Record differ.
    assert len(here.exposures("P")) <= 4
    assert [path.name for path in files] == ["lam_tgts.txt"]
    targets = read_targets(files[0]).targets
    assert [target.reference for target in targets] == [f"lam_tgt_{n:03d}.mrc" for n in (1, 2, 3)]
    assert targets[0].view == "lam_tgt_001_view.mrc"
    assert here.acquired_from_um(holes).max() < 0.05


def test_the_navigator_has_a_map_of_each_image_and_the_first_is_set_to_acquire(choosing):
    here = choosing(fidelity="kinematic")
    points = here.places((0, 0), (2.0, 1.0))
    here.choose([*here.drags(points), here.another(2)], drawBeam=False)
    items = read_navigator(here.desk.save_navigator()).items
    assert [(item.label, item.note, item.acquire) for item in items] == [
        ("lam_tgt_001", "lam_tgts.txt", True),
        ("lam_view_001", "lam_tgt_001_view.mrc", False),
        ("lam_tgt_002", "lam_tgt_002.mrc", False),
    ]
    assert all(item.item_kind == MAP and (here.folder / item.map_data.file).is_file() for item in items)
    first, second = (read_targets(here.folder / "lam_tgts.txt").targets[n].stage_um for n in (0, 1))
    # SerialEM's stage and specimen frames have opposite signs.
    assert second.minus(first) == pytest.approx((-2.0, -1.0), abs=0.1)


def test_all_positions_first_needs_few_view_images_and_one_preview_each(choosing):
    here = choosing()
    holes = here.holes(4)
    here.choose([*here.drags(holes), here.another(4)], allViewsFirst=True)
    kinds = [line["set"] for line in here.exposures()]
    assert kinds.count("P") <= 5
    # View for choosing, before and after the move onto the axis, and as a reference: no more changes of the area.
    assert kinds.count("V") <= 5
    assert sum(a != b for a, b in zip(kinds, kinds[1:])) <= 3
    assert here.acquired_from_um(holes).max() < 0.05


def test_one_of_several_previews_is_chosen_by_its_number(choosing):
    here = choosing(fidelity="kinematic")
    points = here.places((0, 0), (2.0, 1.0))
    numbers = Rule("EnterDefaultedNumber", "which of the 3 Previews in buffers F G H", (1, 0), repeat=False)
    here.choose([*here.drags(points), here.another(2), numbers], allViewsFirst=True, previewsPerTarget=3)
    assert len(read_targets(here.folder / "lam_tgts.txt").targets) == 1
    assert (here.folder / "lam_tgt_001_choices.mrc").is_file()


def test_shifts_that_are_typed_lead_where_they_say(choosing):
    here = choosing(sample="lamella")
    points = here.places((0.3, -0.2), (2.3, 0.9), (-1.4, -1.6))
    steps = [here.seen_um(point) - here.seen_um(points[0]) for point in points[1:]]
    typed = ("to the left", *(f"{x:.3f}, {y:.3f}" for x, y in steps), "")
    rules = [Rule("EnterString", "SSX and SSY", typed, repeat=False), *here.drags(points)]
    here.choose(rules, targetByShift=True)
    assert any("'to the left' is not two numbers" in line for line in here.session.log.lines)
    shifts = [target.shift_um for target in read_targets(here.folder / "lam_tgts.txt").targets]
    assert np.array(shifts[1:]) == pytest.approx(np.array(steps), abs=0.15)
    assert here.acquired_from_um(points).max() < 0.05


def test_points_of_a_group_are_refined_and_those_too_far_left_out_by_name(choosing):
    here = choosing()
    holes = here.holes(3)
    places = here.add_points([*holes, *here.places((25.0, 0.0))])
    here.choose(here.drags(holes), fromGroup="refine")
    assert any("point 4 is 2" in line and "it is left out" in line for line in here.session.log.lines), places
    assert len(read_targets(here.folder / "lam_tgts.txt").targets) == 3
    assert here.acquired_from_um(holes).max() < 0.05


def test_points_of_a_group_taken_as_they_are_ask_nothing_and_cost_one_preview_each(choosing):
    here = choosing()
    holes = here.holes(3)
    here.add_points(holes)
    here.choose([], fromGroup="as they are", outputName="lam", guidance=False)
    assert here.session.operator.asked == []
    assert len(here.exposures("P")) == 3
    found = [np.array(target.shift_um) for target in read_targets(here.folder / "lam_tgts.txt").targets]
    true = [here.seen_um(hole) - here.seen_um(holes[0]) for hole in holes]
    assert np.array(found) == pytest.approx(np.array(true), abs=0.1)


def test_a_place_beyond_the_limit_is_said_and_another_one_asked_for(choosing):
    here = choosing(fidelity="kinematic")
    first, near, far = here.places((0, 0), (0.8, 0.5), (3.0, 0.0))
    rules = [
        Rule("OKBox", r"Target 2: close", drags=(Drag(point_um=far), Drag(point_um=near))),
        *here.drags([first]),
        here.another(2),
    ]
    here.choose(rules, imageShiftLimit=1.5, drawBeam=False)
    assert any("beyond the limit of 1.5 um" in line for line in here.session.log.lines)
    assert len(read_targets(here.folder / "lam_tgts.txt").targets) == 2


def test_a_cancelled_name_spends_and_writes_nothing(choosing):
    here = choosing(fidelity="kinematic")
    with pytest.raises(CancelledError, match="No name was given: nothing is done"):
        here.choose([Rule("EnterString", "Name", (False,))])
    assert here.exposures() == []
    assert [path.name for path in here.folder.iterdir()] == ["truth.jsonl"]


@pytest.mark.parametrize("name", ["a b", "lam/1", "x" * 61, "lam"])
def test_a_name_that_cannot_be_used_is_refused_before_any_image(choosing, name):
    here = choosing(fidelity="kinematic")
    (here.folder / "lam_tgts.txt").write_text("_tgt = 001\n")
    with pytest.raises(TargetFileError, match=r"outputName: .*choose"):
        here.choose([], outputName=name)
    assert here.exposures() == []
    assert (here.folder / "lam_tgts.txt").read_text() == "_tgt = 001\n"


def test_finishing_without_a_target_leaves_nothing_behind(choosing):
    here = choosing(fidelity="kinematic")
    with pytest.raises(CancelledError, match="No target was chosen"):
        here.choose([Rule("ThreeChoiceBox", "Target 1", ("Finish",))])
    assert not list(here.folder.glob("lam*"))
    assert here.desk.places() == ()


def test_targets_that_are_dropped_leave_their_images_and_nothing_else(choosing):
    here = choosing(fidelity="kinematic")
    rules = [*here.drags(here.places((0, 0))), here.another(1), Rule("YesNoBox", "Keep 1 target", (False,))]
    with pytest.raises(CancelledError, match="dropped"):
        here.choose(rules)
    assert not (here.folder / "lam_tgts.txt").exists()
    assert (here.folder / "lam_tgt_001.mrc").is_file()
    assert here.desk.places() == ()


def test_stop_keeps_the_targets_chosen_so_far_and_marks_nothing(choosing):
    here = choosing(fidelity="kinematic")
    here.session.inject(FaultPlan((Fault("stop", commands=("Preview",), call=3),)))
    with pytest.raises(SEMexited):
        here.choose([*here.drags(here.places((0, 0), (1.0, 1.0))), here.another(3)])
    assert len(read_targets(here.folder / "lam_tgts.txt").targets) == 1


def test_a_closed_navigator_is_said_before_any_image(choosing):
    here = choosing(fidelity="kinematic")
    here.session.navigator.close()
    with pytest.raises(ScopeError, match="the Navigator is not open: open it first"):
        here.choose([])
    assert here.exposures() == []


def test_low_dose_off_is_said_before_any_image(choosing):
    here = choosing(fidelity="kinematic")
    here.desk._sem.SetLowDoseMode(0)
    with pytest.raises(ScopeError, match="low dose mode is off"):
        here.choose([])
    assert here.exposures() == []


def test_the_microscope_is_put_back(choosing):
    here = choosing(fidelity="kinematic")

    def state():
        return (*here.desk.shift_um(), here.desk.focus_um(), here.desk.tilt_deg())

    before = state()
    here.choose([*here.drags(here.places((0, 0), (2.0, 1.0))), here.another(2)])
    assert state() == pytest.approx(before, abs=0.05)


def test_the_script_that_users_paste_chooses_targets(choosing, tmp_path):
    here = choosing(fidelity="kinematic")
    points = here.places((0, 0), (2.0, 1.0))
    here.session.operator.rules = [
        *here.drags(points),
        here.another(2),
        Rule("EnterString", "Name of the area", ("lam",)),
    ]
    result = ScriptWindow(here.session).run(script_path("selectTargets"))
    assert result.ok, result.log
    assert len(read_targets(tmp_path / "lam_tgts.txt").targets) == 2
    assert any("lam_tgts.txt: 2 targets; item lam_tgt_001" in line for line in result.log)


def test_the_script_ends_with_one_clear_line_where_it_cannot_go_on(choosing):
    here = choosing(fidelity="kinematic")
    here.session.navigator.close()
    result = ScriptWindow(here.session).run(script_path("selectTargets"))
    assert not result.ok
    said = [line for line in result.log if "ERROR: " in line]
    assert said == ["ERROR: the Navigator is not open: open it first"]
    assert not any("Traceback" in line for line in result.log)


def test_an_item_that_has_targets_is_not_chosen_anew_without_being_asked(choosing):
    here = choosing(fidelity="kinematic")
    here.choose([*here.drags(here.places((0, 0))), here.another(1)], drawBeam=False)
    before = (here.folder / "lam_tgts.txt").read_bytes()
    here.session.navigator.current = 0
    here.session.operator.rules = [
        Rule("YesNoBox", "is that of lam_tgts.txt, which has its targets", (True,)),
        Rule("EnterString", "Name of the area", ("lam", "next"), repeat=False),
        *here.drags(here.places((0, 0))),
        here.another(1),
    ]
    wanted = resolve_table(SelectionSettings, SettingsLayer("script", {"drawBeam": False}))
    (file,) = select_targets(here.desk, wanted)
    assert file.name == "next_tgts.txt"
    assert any("lam_tgts.txt is there already" in line for line in here.session.log.lines)
    assert (here.folder / "lam_tgts.txt").read_bytes() == before


def test_points_drawn_on_a_map_are_found_by_it_wherever_the_stage_was(choosing):
    here = choosing(stage="side-entry")
    holes = here.holes(3)
    desk = here.desk
    desk.begin(20)
    desk.take(Area.VIEW)
    desk.open_series(here.folder / "map.mrc")
    desk.save_section()
    drawn_on = here.session.navigator.items[desk.add_map("map.mrc") - 1].map_id
    desk.close_series()
    desk.end()
    for place in here.add_points(holes):
        here.session.navigator.items[place - 1].set("DrawnID", str(drawn_on))
    x_um, y_um, z_um = here.world.stage_position_um()
    here.world.move_stage_to(x_um + 25.0, y_um + 10.0, z_um)
    here.choose([], fromGroup="as they are", outputName="lam", guidance=False, drawBeam=False)
    first = here.exposures("P")[0]
    away_um = np.hypot(first["sample_x_um"] - holes[0][0], first["sample_y_um"] - holes[0][1])
    # By the map, but for what View and Record are apart; the stage alone would be off by more.
    assert away_um < 0.6


def test_a_file_of_a_picker_with_stage_coordinates_and_scores_alone_is_acquired_as_it_is(choosing):
    here = choosing(stage="ideal", sample="lamella", fidelity="kinematic")
    steps = [(0.0, 0.0), (2.4, 1.1), (-1.8, 2.0)]
    x_um, y_um, z_um = here.desk.stage_um()
    blocks = []
    for number, (x, y) in enumerate(steps, 1):
        lines = [f"_tgt = {number:03d}", f"tsfile = pick_ts_{number:03d}.mrc"]
        lines += [f"stageX = {x_um + x}", f"stageY = {y_um + y}", f"SPACEscore = {0.9 - number / 10}"]
        blocks.append("\n".join([*lines, *(["LDArea = V"] if number == 3 else [])]))
    (here.folder / "pick_tgts.txt").write_text("\n\n".join(blocks) + "\n")
    here.session.navigator.add_point(x_um, y_um, z_um, note="pick_tgts.txt", acquire=True)
    here.session.navigator.current = 0
    acquire_area(here.desk, here.desk.item(), None, {**SHORT, "noZeroRecAli": True})
    first = [line for line in saved(here.folder) if line["section"] == 0]
    assert [line["set"] for line in first] == ["R", "R", "V"]
    places = np.array([(line["sample_x_um"], line["sample_y_um"]) for line in first])
    # The stage carries the sample: what lies at a further stage position is seen the other way.
    assert places[1:] - places[0] == pytest.approx(-np.array(steps[1:]), abs=0.25)
    kept = read_targets(here.folder / "pick_tgts_run01.txt").targets
    assert [target.score for target in kept] == pytest.approx([0.8, 0.7, 0.6])


def test_a_place_that_is_a_target_already_is_not_exposed_again(choosing):
    here = choosing(fidelity="kinematic", stage="ideal")
    (point,) = here.places((0, 0))
    # Target 2 is dragged where target 1 is, twice; then the person has enough.
    here.choose([*here.drags([point, point]), here.another(3)], drawBeam=False)
    assert len(read_targets(here.folder / "lam_tgts.txt").targets) == 1
    assert len(here.exposures("P")) <= 2
    assert any("this is where target 1 is" in line for line in here.session.log.lines)


@pytest.mark.parametrize(("keep", "left"), [(True, 4), (False, 1)])
def test_items_that_the_person_removes_and_adds_meanwhile_stay_theirs(choosing, keep, left):
    here = choosing(fidelity="kinematic")
    here.desk.add_point(XY(50.0, 0.0), 0.0)

    class Busy(Rule):
        def give(self):
            here.desk.remove_places([1])
            here.desk.set_label(here.desk.add_point(XY(60.0, 0.0), 0.0), "mine")
            return keep, None

    rules = [
        *here.drags(here.places((0, 0), (2.0, 1.0))),
        here.another(2),
        Busy("YesNoBox", "Keep 2 targets"),
    ]
    if keep:
        here.choose(rules, drawBeam=False)
    else:
        with pytest.raises(CancelledError):
            here.choose(rules, drawBeam=False)
    places = here.desk.places()
    assert len(places) == left and any(place.label == "mine" for place in places)
    noted = [place.label for place in places if place.note == "lam_tgts.txt"]
    assert noted == (["lam_tgt_001"] if keep else [])


def test_a_preview_is_kept_where_its_pixels_cannot_be_changed(choosing):
    here = choosing(fidelity="kinematic")

    def refuse(*_):
        raise here.desk._sem.SEMmoduleError("no memory")

    here.desk._sem.PutImageInBuffer = refuse
    here.choose([*here.drags(here.places((0, 0))), here.another(1)], drawBeam=False)
    assert (here.folder / "lam_tgt_001.mrc").is_file()


def test_a_full_disk_is_waited_for_with_the_image(choosing):
    here = choosing(fidelity="kinematic")
    here.session.inject(FaultPlan((Fault("disk_full", commands=("Save",), call=1, seconds=300.0),)))
    here.choose([*here.drags(here.places((0, 0))), here.another(1)], drawBeam=False)
    assert section_count(here.folder / "lam_tgt_001.mrc") == 1
    assert len(here.exposures("P")) <= 2


def test_nobody_is_there_to_choose_at_acquire_at_items(choosing):
    here = choosing(fidelity="kinematic")
    here.session.navigator.acquiring = here.session.navigator.add_point(0.0, 0.0, acquire=True) - 1
    with pytest.raises(PlanError, match="chosen by a person: start this script from the script window"):
        here.choose([], guidance=False, outputName="lam")
    assert here.exposures() == []


def test_a_group_that_is_none_is_said(choosing):
    here = choosing(fidelity="kinematic")
    here.add_points(here.places((0, 0)))
    with pytest.raises(TargetFileError, match="belongs to no group of two or more"):
        here.choose([], fromGroup="as they are")
    assert here.exposures() == []


def test_an_error_says_what_was_chosen_until_then_and_puts_the_microscope_back(choosing):
    here = choosing(fidelity="kinematic")
    here.session.inject(FaultPlan((Fault("error", commands=("Preview",), call=3),)))
    with pytest.raises(ScopeError):
        here.choose([*here.drags(here.places((0, 0), (2.0, 1.0))), here.another(2)])
    assert any("1 target chosen until then: lam_tgts.txt" in line for line in here.session.log.lines)
    assert here.desk.shift_um().length < 1e-3
