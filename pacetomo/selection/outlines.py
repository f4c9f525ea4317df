"""Beams or montages of chosen targets, drawn in the Navigator."""

from __future__ import annotations

from pacetomo.frames import XY
from pacetomo.montage import Montage
from pacetomo.scope.desk import Desk
from pacetomo.script_tables import SelectionSettings
from pacetomo.selection.bench import Bench
from pacetomo.selection.draft import Draft
from pacetomo.selection.footprint import beam_outline, montage_outline

OUTLINE_COLOUR = 3
"""Yellow: neither that of points nor that of maps."""


def draw_outlines(desk: Desk, bench: Bench, draft: Draft, wanted: SelectionSettings) -> None:
    """Draw around each target what its images expose, as a polygon of the Navigator."""
    montage = Montage(wanted.tgtMntSize[0], wanted.tgtMntSize[1], wanted.tgtMntOverlap)
    outline = (
        beam_outline(wanted.beamDiameter or 2 * desk.beam_radius_um(), wanted.maxTilt)
        if montage.is_single
        else montage_outline(montage, desk.record_field_um(), desk.camera_axes())
    )
    height_um = desk.stage_um()[2]
    for number, chosen in enumerate(draft.chosen, 1):
        corners = [chosen.stage_um.plus(_on_stage(bench, point)) for point in outline]
        place = desk.add_polygon(corners, height_um)
        desk.set_label(place, draft.label(number, "beam"))
        desk.set_colour(place, OUTLINE_COLOUR)
        draft.note_item(place)


def _on_stage(bench: Bench, point: XY) -> XY:
    """Step on the stage of one in the untilted sample."""
    return bench.calibration.specimen_to_stage.apply(point)
