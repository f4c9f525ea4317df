"""Targets from a map: what `scripts/targetsFromMontage.py` calls.

The points of a group that was drawn on a map become the targets of an area. What View and Preview would show at each
is cut out of the map and saved as if it had been taken there, so that acquisition finds the targets without an image
having been exposed for choosing them. Nothing asks the microscope for more than how it would take such images, and in a
dummy instance not even that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pacetomo.area_files import AreaFiles
from pacetomo.desk_script import CancelledError, run_at_desk
from pacetomo.errors import NavigatorError
from pacetomo.files.atomic import write_text_atomically
from pacetomo.files.navigator import NavFile, NavItem, read_navigator
from pacetomo.files.navigator_maps import find_map_file
from pacetomo.files.target_file import format_targets
from pacetomo.frames import ORIGIN
from pacetomo.number_text import format_float
from pacetomo.scope.desk import Desk
from pacetomo.scope.protocol import Level
from pacetomo.script_tables import MontageTargetSettings
from pacetomo.selection.draft import LEVEL_DEG, rounded
from pacetomo.selection.names import label
from pacetomo.selection.virtual_maps_cut import STRUCTURED, Cut, cut, step_between, structure
from pacetomo.selection.virtual_maps_files import VIEW_SET, Kind, map_item, write_image
from pacetomo.selection.virtual_maps_group import already_made, group_of, map_of
from pacetomo.selection.virtual_maps_image import MapImage, Spot, read_map_image
from pacetomo.selection.virtual_maps_names import new_area
from pacetomo.selection.virtual_maps_optics import kinds_of
from pacetomo.selection.virtual_maps_overlaps import aligned
from pacetomo.selection.virtual_maps_saving import into_navigator, nothing_half_written
from pacetomo.settings import SettingValue
from pacetomo.targets import Target, TargetSet

TOLD_PADDING = 0.005

MOST_NUMBERS = 3
"""Numbers of the tracking target asked for before giving up."""


def targets_from_montage_here(settings_file: str | None = None, **settings: SettingValue) -> None:
    """Make targets of the selected item's group; for a script that SerialEM runs, also at Acquire at Items.

    Parameters
    ----------
    settings_file : str, optional
        A facility's settings in TOML form; relative to the session folder.
    **settings
        Settings of this script (`pacetomo.script_tables.MontageTargetSettings`), over those of the file.

    Raises
    ------
    SystemExit
        After a problem that a user can cure; the log says what it is.
    """
    run_at_desk(MontageTargetSettings, targets_from_montage, settings_file, settings)


@dataclass(frozen=True)
class Chosen:
    """A point of the group: its Navigator item, and where it lies on the map."""

    point: NavItem
    spot: Spot


def targets_from_montage(desk: Desk, wanted: MontageTargetSettings) -> Path | None:
    """Make targets of the selected item's group.

    Returns
    -------
    Path or None
        The target file; None where a batch comes to a group that has one already.

    Raises
    ------
    CancelledError
        When the person does not go on; nothing was written.
    PaceError
        When it cannot be done; nothing is left half written.
    """
    selected = desk.selected()
    in_batch = desk.items_to_come() is not None
    nav_path = desk.save_navigator()
    navigator = read_navigator(nav_path, desk.wait)
    group = group_of(navigator, navigator.items[selected.place - 1])
    made = already_made(navigator, group) if in_batch else None
    if made is not None:
        desk.tell(f"The group of item {selected.label} has its targets already ({made}): nothing is done")
        return None
    source = _source_of(navigator, nav_path, group)
    chosen = _on_the_map(desk, source, group)
    asks = not wanted.noUI and not in_batch
    first = navigator.items[selected.place - 1] if in_batch else None
    chosen = _tracking_first(desk, chosen, asks, first)
    files = new_area(desk, source.item, wanted.prefix, asks)
    kinds = kinds_of(desk, navigator, nav_path.parent, source, wanted)
    source = aligned(source, _seen_pieces(source, chosen, kinds))
    targets = _targets(desk, source, chosen, files, kinds, wanted.imageShiftLimit)
    with nothing_half_written(desk) as written:
        items = _write_maps(desk, source, chosen, files, kinds, written)
        written.append(files.target_file)
        write_text_atomically(files.target_file, format_targets(targets), desk.wait)
        into_navigator(desk, items, files, in_batch, written)
    count = len(chosen)
    desk.tell(
        f"{files.target_file.name}: {count} {'target' if count == 1 else 'targets'} from map {source.item.label}; item "
        f"{items[0].label} of the Navigator is set to Acquire; acquire it with viewAli=True, previewAli=True",
        Level.GOOD,
    )
    return files.target_file


def _source_of(navigator: NavFile, nav_path: Path, group: Sequence[NavItem]) -> MapImage:
    item = map_of(navigator, group)
    return read_map_image(item, find_map_file(navigator, nav_path.parent, item))


def _on_the_map(desk: Desk, source: MapImage, group: Sequence[NavItem]) -> list[Chosen]:
    """Points of the group that the map shows; those beside it are told about."""
    found = []
    for point in group:
        spot = source.spot_of(point)
        if spot is None:
            desk.tell(
                f"Warning: point {point.label} lies outside of map {source.item.label}: it is left out",
                Level.WARNING,
            )
        else:
            found.append(Chosen(point, spot))
    if not found:
        raise NavigatorError(
            f"no point of the group of item {group[0].label} lies on map {source.item.label}"
        )
    return found


def _seen_pieces(source: MapImage, chosen: Sequence[Chosen], kinds: Sequence[Kind]) -> set[int]:
    """Pieces that some of the images to be cut may show."""
    found: set[int] = set()
    for one in chosen:
        centre = source.placed(one.spot)
        for kind in kinds:
            diagonal_um = kind.optics.pixel_um * math.hypot(kind.optics.columns, kind.optics.rows)
            found.update(source.pieces_near(centre, 0.5 * diagonal_um / source.pixel_um))
    return found


def _tracking_first(
    desk: Desk, chosen: list[Chosen], asks: bool, in_progress: NavItem | None
) -> list[Chosen]:
    """Points with the tracking target before the others, which keep their order."""
    number = 1
    if in_progress is not None:  # whoever marks a point of a group has chosen it
        ids = [one.point.map_id for one in chosen]
        number = ids.index(in_progress.map_id) + 1 if in_progress.map_id in ids else 1
    elif asks and len(chosen) > 1:
        number = _ask_for_tracking_target(desk, chosen)
    first = chosen[number - 1]
    return [first, *(one for one in chosen if one is not first)]


def _ask_for_tracking_target(desk: Desk, chosen: Sequence[Chosen]) -> int:
    """Number, from 1, of the point that the person chooses."""
    labels = ", ".join(f"{place}: {one.point.label}" for place, one in enumerate(chosen, 1))
    question = f"Which point is the tracking target, 1 to {len(chosen)}? ({_shortened(labels)})"
    for _ in range(MOST_NUMBERS):
        answer = desk.enter_number(question, 1.0, 0)
        if answer is None:
            raise CancelledError("No tracking target was chosen: nothing is written")
        number = round(answer)
        if 1 <= number <= len(chosen):
            return number
        desk.show(f"There is no point {number}: the group has {len(chosen)} points")
    raise CancelledError(f"{MOST_NUMBERS} numbers were no point: nothing is written")


def _shortened(text: str) -> str:
    return text if len(text) <= 120 else f"{text[:117]}..."


def _name(files: AreaFiles, kind: Kind, number: int) -> Path:
    """File of a virtual map, named as target selection does."""
    preview = files.reference(number)
    return preview if kind.camera_set != VIEW_SET else preview.with_name(f"{preview.stem}_view.mrc")


def _targets(
    desk: Desk,
    source: MapImage,
    chosen: Sequence[Chosen],
    files: AreaFiles,
    kinds: Sequence[Kind],
    limit_um: float,
) -> TargetSet:
    """Targets with coordinates as the map shows them; those beyond the reach of image shift are skipped."""
    origin = source.placed(chosen[0].spot)
    preview = next((kind for kind in kinds if kind.camera_set != VIEW_SET), None)
    targets = []
    for number, one in enumerate(chosen, 1):
        shift = source.pixel_to_specimen.apply(source.placed(one.spot).minus(origin))
        is_far = shift.length > limit_um
        if is_far:
            desk.tell(
                f"Warning: target {number} (point {one.point.label}) is {shift.length:.1f} µm from the tracking "
                f"target, beyond the limit of {limit_um:g} µm (imageShiftLimit): it is set to be skipped",
                Level.WARNING,
            )
        reference = files.reference(number)
        targets.append(
            Target(
                number,
                f"{files.root}_ts_{number:03d}.mrc",
                reference=reference.name if _can_be_found(desk, source, one, number, preview) else None,
                view=f"{reference.stem}_view.mrc",
                shift_um=rounded(shift) if number > 1 else ORIGIN,
                stage_um=rounded(one.point.stage_um),
                skip=is_far,
            )
        )
    found = TargetSet(tuple(targets))
    tilt_deg = source.item.map_data.tilt_deg
    if abs(tilt_deg) > LEVEL_DEG:
        found = found.with_override("tiltTargets", format_float(round(tilt_deg, 2)))
    return found


def _can_be_found(desk: Desk, source: MapImage, one: Chosen, number: int, preview: Kind | None) -> bool:
    """Whether a target has a Preview that shows something to align by."""
    if preview is None:
        return False
    optics = preview.optics
    step = step_between(source, preview.to_specimen)
    if structure(source, one.spot, optics.columns, optics.rows, step) >= STRUCTURED:
        return True
    desk.tell(
        f"Warning: map {source.item.label} shows nothing to align by in the Preview of target {number} (point "
        f"{one.point.label}): it is written, but the target will be looked for in View only"
        + ("; a tracking target that shows something makes all targets more exact" if number == 1 else ""),
        Level.WARNING,
    )
    return False


def _write_maps(
    desk: Desk,
    source: MapImage,
    chosen: Sequence[Chosen],
    files: AreaFiles,
    kinds: Sequence[Kind],
    written: list[Path],
) -> list[NavItem]:
    """Cut and write all virtual maps; their items, that of the area (View of target 1) first."""
    items = []
    for number, one in enumerate(chosen, 1):
        desk.show_progress(f"Cutting target {number} of {len(chosen)} from map {source.item.label}")
        for kind in kinds:
            path = _name(files, kind, number)
            made = cut(
                source,
                one.spot,
                kind.optics.columns,
                kind.optics.rows,
                step_between(source, kind.to_specimen),
            )
            _tell_padding(desk, made, number, one.point, source, kind)
            written.extend((path, path.with_name(path.name + ".mdoc")))
            write_image(path, made, source, one.spot.piece, one.point, kind, desk.wait)
            what = "view" if kind.camera_set == VIEW_SET else "tgt"
            items.append(map_item(label(files.root, number, what), path, made, source, one.point, kind))
    items[0] = items[0].with_note(files.target_file.name).with_acquire(True)
    return items


def _tell_padding(desk: Desk, made: Cut, number: int, point: NavItem, source: MapImage, kind: Kind) -> None:
    if made.padded > TOLD_PADDING:
        desk.tell(
            f"Target {number} (point {point.label}) is near the edge of map {source.item.label}, or of a piece whose "
            f"overlaps show nothing alike: {100 * made.padded:.0f} % of its {kind.name} are filled with the mean of "
            "the rim",
            Level.WARNING,
        )
