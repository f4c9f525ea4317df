"""Whatever is done to an area, and in whatever order: what must hold of it afterwards."""

from dataclasses import replace

import pytest
from editing import TURNED, areas, places, stage_places
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from pacetomo.editor import adding, edits
from pacetomo.editor.history import History
from pacetomo.editor.model import EditError
from pacetomo.editor.settings_panel import clear_setting, set_setting
from pacetomo.files.target_file import format_targets, parse_targets
from pacetomo.frames import XY
from pacetomo.pattern import Lattice

NEAR_UM = 1e-4


class Editing(RuleBasedStateMachine):
    """Edits an area; `texts` are the files that undo must come back to."""

    @initialize(document=areas())
    def begin(self, document):
        self.history = History(document, saved=document.targets)
        self.texts = [format_targets(document.targets)]

    def number(self, data):
        return data.draw(st.sampled_from(self.history.present.numbers))

    def some(self, data):
        return data.draw(st.sets(st.sampled_from(self.history.present.numbers), min_size=1))

    def do(self, label, edit):
        """Do an edit that may be refused, in which case nothing may have changed."""
        before = self.history
        try:
            after = edit(before.present)
        except EditError:
            assert format_targets(before.present.targets) == self.texts[len(before.past)]
            return None
        self.history = before.done(label, after)
        if len(self.history.past) > len(before.past):
            self.texts = [*self.texts[: len(before.past) + 1], format_targets(after.targets)]
        return before.present, after

    def stays_on_stage(self, done, but=frozenset()):
        """Compare where all targets but some (series) lie on the stage before and after."""
        if done is None:
            return
        before, after = (stage_places(d.targets, TURNED, d.picked_at_deg) for d in done)
        for series in (before.keys() & after.keys()) - but:
            assert after[series] == pytest.approx(before[series], abs=NEAR_UM)

    @rule(data=st.data(), to=places)
    def move(self, data, to):
        number = self.number(data)
        series = self.history.present.target(number).series
        done = self.do("Move", lambda d: edits.move(d, {number: to}))
        self.stays_on_stage(done, but={series})
        if done is not None:
            before, after = done
            assert before.stage_at(to) == pytest.approx(
                stage_places(after.targets, TURNED, after.picked_at_deg)[series], abs=NEAR_UM
            )

    @rule(data=st.data())
    def make_track(self, data):
        number = self.number(data)
        series = self.history.present.target(number).series
        done = self.do("Make track", lambda d: edits.make_track(d, number))
        self.stays_on_stage(done)
        assert done[1].targets.tracking.series == series
        if number != done[0].numbers[0]:
            assert done[1].numbers == tuple(range(1, len(done[1].numbers) + 1))

    @rule(data=st.data())
    def toggle_skip(self, data):
        numbers = self.some(data)
        self.stays_on_stage(self.do("Skip", lambda d: edits.toggle_skip(d, numbers)))

    @rule(at=st.lists(places, min_size=1, max_size=2))
    def add(self, at):
        done = self.do("Add", lambda d: adding.add_at(d, at))
        self.stays_on_stage(done)
        if done is not None:
            before, after = done
            added = len(after.numbers) - len(before.numbers)
            assert len(after.selected) == added > 0
            for number in after.selected:
                assert any(after.places_um[number] == pytest.approx(place, abs=NEAR_UM) for place in at)

    @precondition(lambda self: len(self.history.present.numbers) < 20)
    @rule(centre=places)
    def add_pattern(self, centre):
        lattice = Lattice(XY(2.0, 0.3), XY(-0.2, 1.9))
        self.stays_on_stage(self.do("Pattern", lambda d: adding.add_pattern(d, lattice, 1, centre)))

    @rule(data=st.data())
    def delete(self, data):
        numbers = self.some(data)
        done = self.do("Delete", lambda d: edits.delete(d, numbers))
        self.stays_on_stage(done)
        if done is not None:
            gone = {done[0].target(number).series for number in numbers}
            left = [target.series for target in done[1].targets.targets]
            assert set(left) == {target.series for target in done[0].targets.targets} - gone

    @rule(data=st.data())
    def reorder(self, data):
        order = data.draw(st.permutations(self.history.present.numbers))
        done = self.do("Reorder", lambda d: edits.reorder(d, order))
        self.stays_on_stage(done)
        wanted = [done[0].target(n).series for n in order if n != done[0].targets.tracking.number]
        assert [target.series for target in done[1].targets.targets[1:]] == wanted

    @rule(data=st.data())
    def move_in_list(self, data):
        numbers, before = self.some(data), data.draw(st.none() | st.just(self.number(data)))
        self.stays_on_stage(self.do("Drag", lambda d: edits.move_in_list(d, numbers, before)))

    @rule(data=st.data(), defocus_um=st.none() | st.floats(-10, 0))
    def set_defocus(self, data, defocus_um):
        numbers = self.some(data)
        self.stays_on_stage(self.do("Defocus", lambda d: edits.set_defocus(d, numbers, defocus_um)))

    @rule(data=st.data(), area=st.sampled_from("RVSX"))
    def set_area(self, data, area):
        numbers = self.some(data)
        self.do("Area", lambda d: edits.set_area(d, numbers, area))

    @rule(at=places)
    def add_point(self, at):
        self.do("Point", lambda d: edits.add_point(d, at))

    @rule(data=st.data(), at=places)
    def move_point(self, data, at):
        place = data.draw(st.integers(0, 3))
        done = self.do("Move point", lambda d: edits.move_point(d, place, at))
        if done is not None:
            assert done[1].point_places_um[place] == pytest.approx(at, abs=NEAR_UM)

    @rule(places=st.sets(st.integers(0, 3)))
    def delete_points(self, places):
        self.do("Delete points", lambda d: edits.delete_points(d, places))

    @rule(
        name=st.sampled_from(["minTilt", "addAF", "scheme"]),
        text=st.sampled_from(["-42", "yes", "bidirectional"]),
    )
    def set_setting(self, name, text):
        self.do("Setting", lambda d: set_setting(d, name, text))

    @rule(name=st.sampled_from(["minTilt", "addAF", "size"]))
    def clear_setting(self, name):
        self.do("Clear", lambda d: clear_setting(d, name))

    @rule()
    def reset(self):
        self.do("Reset", edits.reset)
        assert self.history.present.targets == self.history.present.original

    @rule(data=st.data())
    def select(self, data):
        steps = self.history.past
        numbers, points = self.some(data), data.draw(st.sets(st.integers(-1, 4)))
        self.history = self.history.done("Select", self.history.present.with_selected(numbers, points))
        assert self.history.past == steps
        assert self.history.present.selected == numbers

    @rule()
    def undo(self):
        place = max(len(self.history.past) - 1, 0)
        self.history = self.history.undone()
        assert format_targets(self.history.present.targets) == self.texts[place]

    @rule()
    def redo(self):
        place = len(self.history.past) + bool(self.history.future)
        self.history = self.history.redone()
        assert format_targets(self.history.present.targets) == self.texts[place]

    @rule()
    def save_and_read(self):
        read = parse_targets(format_targets(self.history.present.targets))
        assert read == self.history.present.targets
        assert format_targets(read) == format_targets(self.history.present.targets)

    @invariant()
    def the_tracking_target_is_first_at_the_origin_and_not_skipped(self):
        document = self.history.present
        assert document.places_um[document.numbers[0]] == XY(0.0, 0.0)
        assert not document.targets.tracking.skip
        assert document.targets.tracking.stage_um is not None

    @invariant()
    def numbers_and_names_are_used_once(self):
        targets = self.history.present.targets.targets
        assert len({target.number for target in targets}) == len(targets)
        names = [name.casefold() for t in targets for name in (t.series, t.reference, t.view) if name]
        assert len(set(names)) == len(names)
        assert not self.history.present.targets.problems()

    @invariant()
    def what_is_selected_is_there(self):
        document = self.history.present
        assert document.selected <= set(document.numbers)
        assert all(0 <= place < len(document.targets.geo_points) for place in document.selected_points)

    @invariant()
    def both_kinds_of_coordinates_agree(self):
        document = self.history.present
        bare = tuple(
            target if index == 0 else replace(target, stage_um=None)
            for index, target in enumerate(document.targets.targets)
            if target.shift_um is not None
        )
        worked_out = stage_places(replace(document.targets, targets=bare), TURNED, document.picked_at_deg)
        for target in document.targets.targets:
            if target.stage_um is not None and target.shift_um is not None:
                assert worked_out[target.series] == pytest.approx(target.stage_um, abs=NEAR_UM)


TestEditing = Editing.TestCase
TestEditing.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
