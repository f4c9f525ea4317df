"""Targets chosen by hand: dragged in View, refined in Preview."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from pacetomo.frames import ORIGIN, XY
from pacetomo.scope.protocol import Area, Level, Missing, Picture
from pacetomo.script_tables import SelectionSettings
from pacetomo.selection.bench import NEAR_UM, Bench, Chosen
from pacetomo.selection.choices import best_of
from pacetomo.selection.draft import Draft
from pacetomo.selection.person import Person, Verdict
from pacetomo.selection.registration import FEWEST_PAIRS, NoRegistration, Registration, register

FAR_IN_PREVIEW = 0.25
"""Share of the Preview's shorter side beyond which a dragged one shows too little of the target's surroundings."""

SAME_PLACE = 0.4
"""Share of Record's shorter side: a place nearer to a target is that target, and nobody means to expose it twice."""

FAR_IN_VIEW = 0.3
"""Share of a View image's shorter side beyond which another one is taken to choose the next position in."""


class Dragging:
    """Choosing targets with a person at the desk.

    Parameters
    ----------
    bench, person, draft, wanted
        Where images are taken, who chooses, what grows, and the settings.
    """

    def __init__(self, bench: Bench, person: Person, draft: Draft, wanted: SelectionSettings) -> None:
        self._bench = bench
        self._desk = bench.desk
        self._person = person
        self._draft = draft
        self._wanted = wanted
        self._low_mag = bench.low_mag.value.capitalize()
        self.exposed_at = ORIGIN
        self._apart: list[XY] = []

    # ways

    def one_by_one(self) -> None:
        """Position in View, refinement in Preview, one target after the other."""
        if not self.tracking_target():
            return
        while self._person.wants_another(len(self._draft.chosen)):
            number = self._draft.next_number
            position = self.centred(f"Target {number}", self._draft.chosen[-1].shift_um)
            if position is None:
                return
            if self.preview_of(position) is Verdict.FINISH:
                return

    def views_first(self) -> None:
        """All positions in View, then all Previews: the fewest changes of the low-dose area."""
        positions = self._positions()
        while positions and not self._begun_with(positions[0]):
            # The positions that are left are not to be lost with the first one.
            positions = positions[1:]
        if not positions or not self._draft.chosen:
            return
        self.view_reference()
        self.previews([position.minus(positions[0]) for position in positions[1:]], by_hand=True)

    def _begun_with(self, position: XY) -> bool:
        """Make a position the tracking target; whether that was wanted."""
        self._bench.go(position)
        self._bench.look(self._bench.low_mag)
        shift = self.onto_axis(position, self._bench.picture(), ORIGIN)
        return shift is not None and self.preview_of(shift) is Verdict.ACCEPT

    def by_shift(self) -> None:
        """The tracking target by hand, the others at shifts that are typed."""
        if not self.tracking_target():
            return
        while True:
            number = self._draft.next_number
            text = self._desk.enter_text(
                f"Target {number}: SSX and SSY from target 1 in um, for example 2.4 -1.1; empty to finish"
            )
            if not text:
                return
            shift = parse_shift(text)
            if shift is None:
                self._person.warn(f"{text!r} is not two numbers in µm, for example 2.4 -1.1")
            elif self.preview(self._draft.chosen[0].shift_um.plus(shift)) is Verdict.FINISH:
                return

    # steps

    def tracking_target(self) -> bool:
        """Target 1, brought onto the tilt axis, with its Preview and View; whether there is one."""
        while True:
            position = self.centred("Target 1, the tracking target", self._desk.shift_um())
            if position is None:
                return False
            picture = self._bench.picture()
            shift = self.onto_axis(position, picture, position.minus(self.exposed_at))
            if shift is None:
                return False
            verdict = self.preview_of(shift)
            if verdict is Verdict.ACCEPT:
                self.view_reference()
            if verdict is not Verdict.BACK:
                return verdict is Verdict.ACCEPT

    def centred(self, what: str, start: XY) -> XY | None:
        """Have a position chosen in View, beginning at a shift; None to finish."""
        if not self._bench.go(start):
            return None
        self._look_in_view()
        while True:
            verdict = self._person.centre(what, self._low_mag)
            now = self._desk.shift_um()
            if verdict is Verdict.FINISH:
                return None
            if now.length > self._wanted.imageShiftLimit:
                self._too_far(now)
            elif verdict is Verdict.ACCEPT:
                return now
            elif self._bench.go(now):
                self._look_in_view()

    def _look_in_view(self) -> None:
        self._bench.look(self._bench.low_mag)
        self.exposed_at = self._desk.shift_um()

    def _too_far(self, shift: XY) -> None:
        self._person.warn(
            f"this place needs an image shift of {shift.length:.1f} µm, beyond the limit of "
            f"{self._wanted.imageShiftLimit:g} µm (imageShiftLimit): drag another one into the centre"
        )

    def _positions(self) -> list[XY]:
        """All positions, chosen in as few View images as show them."""
        self._bench.go(self._desk.shift_um())
        self._look_in_view()
        reach_um = FAR_IN_VIEW * self._bench.field_um()
        positions: list[XY] = []
        while True:
            verdict = self._person.centre(f"Position {len(positions) + 1}", self._low_mag)
            now = self._desk.shift_um()
            if verdict is Verdict.FINISH:
                return positions
            if now.length > self._wanted.imageShiftLimit:
                self._too_far(now)
                continue
            if verdict is Verdict.ACCEPT:
                positions.append(now)
                if not self._person.wants_another(len(positions)):
                    return positions
            if verdict is Verdict.AGAIN or now.minus(self.exposed_at).length > reach_um:
                self._bench.go(now)
                self._look_in_view()

    def onto_axis(self, shift: XY, before: Picture, off_centre: XY) -> XY | None:
        """Bring a target from an image shift onto the tilt axis by the stage; the small shift that is left.

        None when it was not found again and the person does not go on.

        `before` is a View image in which the target lies at `off_centre` (µm from its centre). The stage is not exact:
        another View image tells where the target came to lie.
        """
        if shift.length < NEAR_UM:
            return shift
        self._bench.go(shift)
        self._desk.recentre_stage()
        left = self._desk.shift_um()
        self._bench.go(left)
        self._look_in_view()
        found = self._bench.displacement(before, self._bench.picture(), off_centre.scaled(-1.0))
        if not isinstance(found, Missing):
            return left.plus(found).plus(off_centre)
        self._desk.tell(f"Warning: the tracking target was not found again ({found.reason})", Level.WARNING)
        return self.centred("Target 1, the tracking target, after a move of the stage", left)

    def preview_of(self, position: XY) -> Verdict:
        """Preview of a position that was centred in View.

        View and Record have not quite the same centre. By how much the targets before were off is taken into account,
        so that no second Preview is needed.
        """
        known = len(self._apart)
        apart = ORIGIN if not known else functools.reduce(XY.plus, self._apart).scaled(1.0 / known)
        verdict = self.preview(position.plus(apart))
        if verdict is Verdict.ACCEPT:
            self._apart.append(self._draft.chosen[-1].shift_um.minus(position))
        return verdict

    def preview(self, shift: XY, by_hand: bool = True) -> Verdict:
        """Take the Preview of the next target, have it refined, and save it; BACK and FINISH leave the target out."""
        near = [
            number
            for number, one in enumerate(self._draft.chosen, 1)
            if one.shift_um.minus(shift).length < SAME_PLACE * self._bench.record_um
        ]
        if near:
            self._person.warn(
                f"this is where target {near[0]} is, which is not exposed again: choose another place"
            )
            return Verdict.BACK
        if not self._bench.go(shift):
            return Verdict.BACK
        number = self._draft.next_number
        shot = self._bench.look(Area.PREVIEW)
        if by_hand and self._wanted.allViewsFirst and self._wanted.previewsPerTarget > 1:
            best = best_of(
                self._bench, self._draft, shift, min(shot.field_um), self._wanted.previewsPerTarget
            )
            if best is None or not self._bench.go(best):
                return Verdict.BACK
            shift = best
        off = ORIGIN
        while by_hand:
            verdict = self._person.refine(f"Target {number}")
            now = self._desk.shift_um()
            if verdict in (Verdict.BACK, Verdict.FINISH):
                return verdict
            off = now.minus(shift)
            is_far = off.length > FAR_IN_PREVIEW * min(shot.field_um)
            if verdict is Verdict.ACCEPT and not is_far:
                break
            if is_far and verdict is Verdict.ACCEPT:
                self._desk.tell(f"The Preview was dragged by {off.length:.2f} µm: another one is taken there")
            if not self._bench.go(now):
                return Verdict.BACK
            shift, off = now, ORIGIN
            shot = self._bench.look(Area.PREVIEW)
        stage = self._desk.image_centre_um()
        moved = self._bench.centre_present(off)
        reference = self._draft.reference(number)
        place = self._bench.save(reference, self._draft.label(number), reference)
        stage = stage.plus(self._bench.stage_step_um(moved))
        self._draft.add(Chosen(shift.plus(moved), stage, reference, place))
        return Verdict.ACCEPT

    def view_reference(self) -> None:
        """View image of the tracking target, by which the area is found again."""
        name = self._draft.view_name(1)
        self._bench.go(self._draft.chosen[0].shift_um)
        self._bench.look(Area.VIEW)
        self._draft.note_item(self._bench.save(name, self._draft.label(1, "view"), name))
        self._draft.view = name
        self._draft.write()

    def previews(self, steps: Sequence[XY], by_hand: bool) -> None:
        """Previews at positions chosen in View (µm from the tracking target).

        From the fifth refined one on, what View and Record differ in is known and taken into account.
        """
        first = self._draft.chosen[0].shift_um
        chosen: list[XY] = []
        found: list[XY] = []
        registration: Registration | None = None
        for step in steps:
            expected = step if registration is None else registration.apply(step)
            verdict = self.preview(first.plus(expected), by_hand)
            if verdict is Verdict.FINISH:
                return
            if verdict is not Verdict.ACCEPT or not by_hand:
                continue
            chosen.append(step)
            found.append(self._draft.chosen[-1].shift_um.minus(first))
            if len(chosen) >= FEWEST_PAIRS:
                answer = register(chosen, found)
                if isinstance(answer, NoRegistration):
                    self._desk.tell(f"View and Record are not registered: {answer.reason}")
                else:
                    registration = answer
                    self._desk.tell(registration.describe())


def parse_shift(text: str) -> XY | None:
    """Two numbers of a text as a shift in µm; None if there are none.

    >>> parse_shift("2.4, -1.1"), parse_shift("left")
    (XY(x=2.4, y=-1.1), None)
    """
    words = text.replace(",", " ").replace(";", " ").split()
    try:
        x, y = map(float, words)
    except ValueError:
        return None
    return XY(x, y) if XY(x, y).is_finite else None
