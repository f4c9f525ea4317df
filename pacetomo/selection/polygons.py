"""Targets that fill a polygon drawn in the Navigator."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pacetomo.errors import TargetFileError
from pacetomo.files.navigator import NavFile, NavItem, read_navigator
from pacetomo.frames import XY
from pacetomo.scope.desk import POLYGON, Desk
from pacetomo.scope.protocol import Level
from pacetomo.script_tables import SelectionSettings
from pacetomo.selection.avoiding_on_map import kept_places
from pacetomo.selection.bench import Bench, Chosen
from pacetomo.selection.draft import Draft
from pacetomo.selection.dragging import Dragging
from pacetomo.selection.person import Person, Verdict
from pacetomo.selection.polygon import filled_polygon
from pacetomo.selection.splitting import split_places


class Filling(NamedTuple):
    """Areas that fill a polygon: stage positions (µm) of the targets of each, its tracking target first."""

    areas: tuple[tuple[XY, ...], ...]

    @property
    def total(self) -> int:
        """Targets of all areas."""
        return sum(map(len, self.areas))


def plan_filling(desk: Desk, bench: Bench, wanted: SelectionSettings) -> Filling:
    """Where targets go in the selected polygon, and in which areas; nothing is exposed.

    Raises
    ------
    TargetFileError
        When no polygon is selected.
    PlanError
        When it cannot be filled.
    """
    selected = desk.selected()
    if selected.kind != POLYGON:
        raise TargetFileError(
            f"Navigator item {selected.label} is no polygon: draw one around the area, select it and start again"
        )
    navigator = read_navigator(desk.save_navigator())
    item = navigator.items[selected.place - 1]
    to_specimen = bench.calibration.stage_to_specimen
    middle = selected.stage_um
    corners = [to_specimen.apply(corner.minus(middle)) for corner in item.points_um]
    beam_um = wanted.beamDiameter or 2 * desk.beam_radius_um()
    places = filled_polygon(corners, beam_um, wanted.maxTilt, wanted.packing, wanted.patternRot)
    to_stage = bench.calibration.specimen_to_stage

    def on_stage(place: XY) -> XY:
        return middle.plus(to_stage.apply(place))

    places = _without_what_to_avoid(desk, navigator, item, places, on_stage, beam_um, wanted.avoid)
    groups = split_places(places, bench.limit_um)
    return Filling(tuple(tuple(on_stage(places[n]) for n in group.members) for group in groups))


def _without_what_to_avoid(
    desk: Desk,
    navigator: NavFile,
    item: NavItem,
    places: tuple[XY, ...],
    on_stage: Callable[[XY], XY],
    beam_um: float,
    avoid: str,
) -> tuple[XY, ...]:
    if avoid == "nothing":
        return places
    stage = [on_stage(place) for place in places]
    kept = kept_places(navigator, desk.folder(), item, stage, beam_um, avoid)
    left_out = len(places) - len(kept)
    desk.tell(f"{left_out} of {len(places)} targets are left out by the brightness of the map ({avoid})")
    if not kept:
        raise TargetFileError(
            f"no target is left of {len(places)} when what is {avoid} in the map is avoided: choose another avoid, or "
            "another polygon"
        )
    return tuple(places[n] for n in kept)


def fill(
    bench: Bench, person: Person, make_draft: Callable[[int], Draft], wanted: SelectionSettings
) -> list[Draft]:
    """Fill the selected polygon; each area's tracking target gets View and Preview, the others nothing.

    `make_draft` gives the draft of an area by its number from 1. Empty when the person does not agree.
    """
    desk = bench.desk
    filling = plan_filling(desk, bench, wanted)
    areas = len(filling.areas)
    text = f"{filling.total} targets in {areas} {'area' if areas == 1 else 'areas'}"
    if not person.agrees(f"The polygon holds {text}. Take View and Preview of each area's tracking target?"):
        return []
    drafts = []
    # All names are looked at before anything is exposed.
    empty = [make_draft(number) for number in range(1, areas + 1)]
    for draft, stage in zip(empty, filling.areas):
        desk.tell(f"{draft.files.root}: {len(stage)} targets")
        desk.move_stage_to((stage[0].x, stage[0].y, desk.stage_um()[2]))
        dragging = Dragging(bench, person, draft, wanted)
        if dragging.preview(desk.shift_um(), by_hand=False) is not Verdict.ACCEPT:
            desk.tell(f"Warning: {draft.files.root} has no tracking target and is left out", Level.WARNING)
            continue
        dragging.view_reference()
        first = draft.chosen[0]
        steps = [place.minus(stage[0]) for place in stage[1:]]
        draft.add_all(
            [
                Chosen(first.shift_um.plus(bench.shift_of_stage(step)), first.stage_um.plus(step))
                for step in steps
            ],
            {},
        )
        drafts.append(draft)
    return drafts
