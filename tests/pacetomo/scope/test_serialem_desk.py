"""Dialogs and the Navigator through the simulated SerialEM."""

from __future__ import annotations

import pytest

from mock_serialem.answers import Drag, Operator, Rule
from mock_serialem.module import make_module
from mock_serialem.session import Session
from mock_serialem.sim.world import make_world
from pacetomo.errors import ScopeError
from pacetomo.frames import XY
from pacetomo.scope.desk import MAP, POINT, POLYGON
from pacetomo.scope.protocol import Area
from pacetomo.scope.serialem_desk import NAVIGATOR_NAME, SerialEMDesk


@pytest.fixture
def open_desk(tmp_path):
    def make(operator=None, **world):
        given = {"sample": "holey", "stage": "ideal", "seed": 3, "fidelity": "kinematic", **world}
        session = Session(make_world(**given), tmp_path, operator=operator or Operator())
        session.navigator.open_empty()
        desk = SerialEMDesk(make_module(session))
        desk.switch_off_message_boxes()
        return desk, session

    return make


def test_a_cancelled_text_or_number_is_none_and_no_error(open_desk):
    desk, _ = open_desk(
        Operator(rules=[Rule("EnterString", values=(False,)), Rule("EnterDefaultedNumber", values=(False,))])
    )
    assert desk.enter_text("Name?") is None
    assert desk.enter_number("How many?", 3) is None


def test_answers_come_back_as_given(open_desk):
    desk, session = open_desk(
        Operator(rules=[Rule("EnterString", values=("  L3 ",)), Rule("ThreeChoiceBox", values=("skip",))])
    )
    assert desk.enter_text("Name of the area (µm)?") == "L3"
    assert desk.enter_number("How many?", 3) == 3
    assert desk.choose("What now?", ["use", "again", "skip"]) == 2
    assert session.operator.asked[0] == "EnterString: Name of the area (um)?"


def test_a_key_is_waited_for_and_the_image_may_be_dragged_meanwhile(open_desk):
    desk, _ = open_desk(
        Operator(
            rules=[Rule("KeyBreak", "b", (False, False, True), (Drag(by_um=(0.5, -0.2)),), repeat=False)]
        )
    )
    desk.take(Area.VIEW)
    assert desk.wait_for_key("vb") == "b"
    assert desk.shift_um() == pytest.approx((-0.5, 0.2), abs=1e-3)


def test_items_are_made_changed_and_removed(open_desk):
    desk, _ = open_desk()
    group = desk.unique_id()
    first = desk.add_point(XY(1.0, 2.0), 3.0, group)
    corners = [XY(0, 0), XY(4, 0), XY(4, 2)]
    second = desk.add_polygon(corners, 3.0)
    desk.set_label(first, "a name that is too long for the table")
    desk.set_note(first, "L3_tgts.txt")
    desk.set_acquire(first, True)
    point, polygon = desk.places()
    assert (point.label, point.note, point.kind, point.stage_um) == (
        "a name that is t",
        "L3_tgts.txt",
        POINT,
        XY(1, 2),
    )
    assert (polygon.place, polygon.kind) == (second, POLYGON)
    assert [place.place for place in desk.marked_places()] == [first]
    desk.set_note(first, "")
    desk.remove_places([second])
    assert [(place.label, place.note) for place in desk.places()] == [("a name that is t", "")]


def test_a_map_of_a_saved_image_lies_where_the_image_was_taken(open_desk, tmp_path):
    desk, _ = open_desk()
    desk.begin(20)
    desk.aim(XY(2.0, -1.0), 0.0, False)
    desk.take(Area.PREVIEW)
    desk.open_series(tmp_path / "a.mrc")
    desk.save_section()
    desk.close_series()
    made = desk.place(desk.add_map("a.mrc"))
    assert (made.kind, made.note) == (MAP, "a.mrc")
    assert made.stage_um == pytest.approx(desk.image_centre_um(), abs=1e-3)
    # SerialEM's stage and specimen frames have opposite signs.
    assert made.stage_um.minus(XY(*desk.stage_um()[:2])) == pytest.approx((-2.0, 1.0), abs=0.05)


def test_a_table_without_a_name_is_saved_in_the_session_folder(open_desk, tmp_path):
    desk, _ = open_desk()
    desk.add_point(XY(1, 1), 0)
    assert desk.save_navigator() == tmp_path / NAVIGATOR_NAME
    assert (tmp_path / NAVIGATOR_NAME).read_text().count("[Item") == 1


def test_a_closed_navigator_is_said(open_desk):
    desk, session = open_desk()
    session.navigator.close()
    for action in (desk.selected, desk.places, desk.save_navigator):
        with pytest.raises(ScopeError, match="the Navigator is not open: open it first"):
            action()


def test_in_a_batch_nobody_is_asked(open_desk):
    desk, session = open_desk()
    session.navigator.acquiring = session.navigator.add_point(0, 0) - 1
    desk.show("read this")
    assert (desk.enter_text("Name?"), desk.enter_number("Number?", 1), desk.choose("?", ["a", "b"])) == (
        None,
    ) * 3
    assert session.operator.asked == []
    assert any("read this" in line for line in session.log.lines)


def test_changed_pixels_take_the_place_of_the_image(open_desk):
    desk, _ = open_desk(fidelity="rendered")
    desk.take(Area.VIEW)
    before = desk.picture(10000)
    desk.put_picture(before.pixels[::-1])
    after = desk.picture(10000)
    assert (after.pixels == before.pixels[::-1]).all()
    assert after.to_specimen == before.to_specimen
