"""What can be done, by which key, and when not."""

from __future__ import annotations

from collections import Counter

from pacetomo.editor.actions import ACTIONS, BY_NAME, Need, Situation, action_for, found


def test_no_key_and_no_name_is_given_twice() -> None:
    keys = Counter(key for action in ACTIONS for key in action.keys)
    assert [key for key, count in keys.items() if count > 1] == []
    assert len(BY_NAME) == len(ACTIONS)


def test_each_action_can_be_done_by_a_key_and_its_tooltip_says_which() -> None:
    for action in ACTIONS:
        assert action.keys, action.name
        assert f"[{action.keys[0]}]" in action.tooltip(Situation()), action.name


def test_each_need_has_its_own_reason() -> None:
    for need in Need:
        lacking = Situation(lock="a run has begun") if need is Need.UNLOCKED else Situation()
        assert lacking.refusal(need), need
    assert Situation(lock="run 3 has begun").refusal(Need.UNLOCKED) == "run 3 has begun"


def test_what_is_refused_says_why_and_what_is_possible_does_not() -> None:
    views = BY_NAME["save_views"]
    assert "select a target" in views.tooltip(Situation())
    assert "no microscope" in views.tooltip(Situation(selected=2))
    assert views.refusal(Situation(selected=2, microscope_refusal=None)) is None
    assert "Not now" not in views.tooltip(Situation(selected=2, microscope_refusal=None))


def test_actions_are_found_by_the_beginnings_of_their_words() -> None:
    assert [action.name for action in found("make tr")] == ["make_track"]
    assert found("image shift")[0].name == "split"
    assert len(found("")) == len(ACTIONS)
    assert found("nonsense") == []
    assert action_for("Ctrl+Z") is BY_NAME["undo"]
    assert action_for("Ctrl+Alt+Shift+Q") is None
