"""Where the geometry is measured: at a Navigator group, at a target file's points, or at places put for the user."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from pacetomo.area_files import AreaFiles
from pacetomo.desk_script import CancelledError
from pacetomo.errors import PlanError, TargetFileError
from pacetomo.files.target_file import read_targets
from pacetomo.frames import XY
from pacetomo.geo_points import FEWEST_PLACES
from pacetomo.job import make_job
from pacetomo.measuring import geo_places
from pacetomo.scope.desk import Desk, Place
from pacetomo.scope.protocol import Level
from pacetomo.selection.groups import group_of
from pacetomo.settings import SCRIPT_ORIGIN, ResolvedSettings, SettingsLayer, resolve_settings
from pacetomo.targets import TargetSet

RING_UM = 5.0
RING_PLACES = 6
"""Places around the selected item where there are no targets to keep clear of: so many, so far from it."""

HERE_UM = 1.0
"""The stage is at an item when it is no farther from it than this."""

GROUP, FILE, PLACED = "group", "file", "placed"


class Spot(NamedTuple):
    """A point to measure at: name for people, and specimen shift (µm) that centres it where the stage will be."""

    name: str
    shift_um: XY


@dataclass(frozen=True)
class Area:
    """An area near the points.

    Attributes
    ----------
    files : AreaFiles
        Its files.
    targets : TargetSet
        Its targets, as in the file.
    resolved : ResolvedSettings
        Its settings.
    place : Place
        The Navigator item of its first target.
    """

    files: AreaFiles
    targets: TargetSet
    resolved: ResolvedSettings
    place: Place


@dataclass(frozen=True)
class Survey:
    """What there is to measure at.

    Attributes
    ----------
    selected : Place
        The selected Navigator item.
    group : tuple of Place
        Points of its group; none without a group.
    area : Area or None
        The area whose target file the item's note names, or else the nearest one; None where there is none.
    """

    selected: Place
    group: tuple[Place, ...]
    area: Area | None

    @property
    def result_name(self) -> str:
        """Beginning of the names of result files."""
        if self.area is not None:
            return self.area.files.root
        label = "".join(sign if sign.isalnum() or sign in "-." else "_" for sign in self.selected.label)
        return f"item{label}"


def survey(desk: Desk, facility: SettingsLayer | None, image_shift_limit_um: float) -> Survey:
    """Look at the selected Navigator item, its group and its target file.

    Parameters
    ----------
    desk : Desk
        Nothing is moved.
    facility : SettingsLayer or None
        The facility's settings.
    image_shift_limit_um : float
        In place of the area's own.

    Raises
    ------
    PaceError
        When the Navigator is closed or empty, or the target file cannot be read.
    """
    selected = desk.selected()
    group = group_of(desk)
    files, place = _files_of(desk, selected), selected
    if files is None:
        files, place = _files_near(desk, selected, image_shift_limit_um)
    if files is None:
        return Survey(selected, group, None)
    targets, note = read_targets(files.target_file, desk.wait), files.target_file.name
    limit = SettingsLayer(SCRIPT_ORIGIN, {"imageShiftLimit": image_shift_limit_um})
    layers = [layer for layer in (facility, targets.settings_layer(note), limit) if layer is not None]
    return Survey(selected, group, Area(files, targets, resolve_settings(*layers), place))


def _files_of(desk: Desk, place: Place) -> AreaFiles | None:
    """Files of the area that an item's note names; None where the note is none of a target file."""
    try:
        files = AreaFiles(desk.folder() / place.note.strip())
    except TargetFileError:
        return None  # a note of another kind, or none
    if not files.target_file.is_file():
        raise TargetFileError(
            f"{files.target_file} is not there, and the note of Navigator item {place.label} names it: put the file "
            "into the session folder or clear the note"
        )
    return files


def _files_near(desk: Desk, selected: Place, reach_um: float) -> tuple[AreaFiles | None, Place]:
    """Files and item of the nearest area within reach: points added beside targets carry no note themselves."""
    near = []
    for place in desk.places():
        apart_um = place.stage_um.minus(selected.stage_um).length
        if place.note.strip() and apart_um <= reach_um:
            near.append((apart_um, place))
    for _, place in sorted(near):
        try:
            files = _files_of(desk, place)
        except TargetFileError:
            continue  # another item's missing file is no concern of this measurement
        if files is not None:
            return files, place
    return None, selected


def chosen_way(desk: Desk, found: Survey, points: str) -> str:
    """Where to measure: as the settings say, or as the person at the desk does.

    Where nobody is there, the group is taken if it has points enough, else the file's points, else places are put.

    Raises
    ------
    CancelledError
        When the person cancels.
    """
    if points != "ask":
        return points
    given = 0 if found.area is None else len(found.area.targets.geo_points)
    usual = PLACED
    if len(found.group) >= FEWEST_PLACES:
        usual, text = GROUP, f"{len(found.group)} points of the group"
    elif given >= FEWEST_PLACES:
        usual, text = FILE, f"{given} points of the target file"
    ways = [] if usual == PLACED else [usual]
    names = [] if usual == PLACED else [text.capitalize()]
    what = "between the targets" if found.area is not None else "around the selected item"
    answer = desk.choose(
        f"Measure pretilt and rotation by autofocus at which points? Placed ones lie {what}.",
        [*names, "Placed", "Cancel"],
    )
    if answer is None:
        return usual
    if answer > len(ways):
        raise CancelledError("Cancelled: the geometry was not measured, nothing has changed")
    return [*ways, PLACED][answer]


def go_there(desk: Desk, found: Survey, way: str) -> tuple[Spot, ...]:
    """Move the stage to where the points are within reach, and say which image shift centres each.

    Raises
    ------
    PlanError
        When there are fewer than three.
    """
    if way == GROUP:
        _check_group(found)
        spots = _group_spots(desk, found)
    else:
        at = found.selected if found.area is None else found.area.place
        _go_to(desk, at.stage_um, at.height_um)
        spots = _file_spots(desk, found, way)
    if len(spots) < FEWEST_PLACES:
        raise PlanError(
            f"{len(spots)} places to measure at, at least {FEWEST_PLACES} are needed: add geometry points to the "
            "target file or a group of points in the Navigator, or raise imageShiftLimit"
        )
    return spots


def _check_group(found: Survey) -> None:
    label = found.selected.label
    if not found.group:
        raise PlanError(
            f"Navigator item {label} belongs to no group: add at least {FEWEST_PLACES} points as a group, and select "
            "one of them"
        )
    if len(found.group) < FEWEST_PLACES:
        raise PlanError(
            f"the group of Navigator item {label} has {len(found.group)} points, at least {FEWEST_PLACES} are needed"
        )


def _group_spots(desk: Desk, found: Survey) -> tuple[Spot, ...]:
    """Points of the group, from their middle."""
    count = len(found.group)
    middle = XY(
        sum(place.stage_um.x for place in found.group) / count,
        sum(place.stage_um.y for place in found.group) / count,
    )
    _go_to(desk, middle, found.selected.height_um)
    x_um, y_um, _ = desk.stage_um()
    matrix, foreshortening = desk.calibration().stage_to_specimen, math.cos(math.radians(desk.tilt_deg()))
    spots = []
    for place in found.group:
        step = place.stage_um.minus(XY(x_um, y_um))
        # Y of the stage lies in the tilted plane.
        spots.append(Spot(f"point {place.label}", matrix.apply(XY(step.x, step.y * foreshortening))))
    return tuple(spots)


def _file_spots(desk: Desk, found: Survey, way: str) -> tuple[Spot, ...]:
    """Geometry points of the target file, or places put between its targets or around the selected item."""
    area = found.area
    if way == FILE and (area is None or not area.targets.geo_points):
        raise PlanError(
            f"the note of Navigator item {found.selected.label} names no target file"
            if area is None
            else f"{area.files.target_file.name} has no geometry points (_geo): measure at placed points or at a group"
        )
    if area is None:
        turns = [2 * math.pi * number / RING_PLACES for number in range(RING_PLACES)]
        places = tuple(XY(RING_UM * math.cos(turn), RING_UM * math.sin(turn)) for turn in turns)
    else:
        targets = area.targets if way == FILE else area.targets.with_geo_points(())
        job = make_job(area.files, targets, area.resolved, desk.calibration().stage_to_specimen)
        places = geo_places(job, desk.tilt_deg())
        missing = len(targets.geo_points) - len(places) if way == FILE else 0
        if missing:
            desk.tell(
                f"Warning: {missing} geometry points of {area.files.target_file.name} are beyond image shift",
                Level.WARNING,
            )
    return tuple(Spot(f"place {number}", place) for number, place in enumerate(places, 1))


def _go_to(desk: Desk, stage_um: XY, height_um: float) -> None:
    """Move the stage, if it is not there already; then it keeps its height, which may have been found anew."""
    x_um, y_um, _ = desk.stage_um()
    if math.hypot(stage_um.x - x_um, stage_um.y - y_um) > HERE_UM:
        desk.move_stage_to((stage_um.x, stage_um.y, height_um))
