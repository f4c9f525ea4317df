"""Choosing the targets of an area at the microscope: what `scripts/selectTargets.py` calls."""

from __future__ import annotations

from pathlib import Path

from pacetomo.area_files import AreaFiles
from pacetomo.desk_script import CancelledError, borrowed, run_at_desk
from pacetomo.errors import PaceError, PlanError, ScopeError, TargetFileError
from pacetomo.scope.desk import Desk, Place
from pacetomo.scope.protocol import Area, Level
from pacetomo.script_tables import SelectionSettings
from pacetomo.selection.bench import Bench
from pacetomo.selection.copy_session import copy_to_acquire, require_free_points
from pacetomo.selection.draft import Draft, target_file_of
from pacetomo.selection.dragging import Dragging
from pacetomo.selection.groups import group_of, take_group
from pacetomo.selection.names import trouble_with_name
from pacetomo.selection.outlines import draw_outlines
from pacetomo.selection.patterns import PatternWay
from pacetomo.selection.person import Person
from pacetomo.selection.polygons import fill
from pacetomo.settings import SettingValue

MOST_NAMES = 3
"""Names asked for before giving up."""


def select_targets_here(settings_file: str | None = None, **settings: SettingValue) -> None:
    """Choose the targets of an area; for a script that a person starts in SerialEM.

    Parameters
    ----------
    settings_file : str, optional
        A facility's settings in TOML form; relative to the session folder.
    **settings
        Settings of this script (`pacetomo.script_tables.SelectionSettings`), over those of the file.

    Raises
    ------
    SystemExit
        After a problem that a user can cure; the log says what it is.
    """
    run_at_desk(SelectionSettings, select_targets, settings_file, settings)


def select_targets(desk: Desk, wanted: SelectionSettings) -> tuple[Path, ...]:
    """Choose targets and put the microscope back as it was.

    Returns
    -------
    tuple of Path
        The target files written.

    Raises
    ------
    CancelledError
        When the person does not go on; nothing was written.
    PaceError
        When it cannot be done.
    """
    if desk.items_to_come() is not None:
        raise PlanError(
            "targets are chosen by a person: start this script from the script window. At Acquire at Items "
            "targetsFromMontage makes targets of points, and copyToAcquire copies a pattern to them beforehand"
        )
    desk.places()  # a closed Navigator is said before anything is exposed
    if wanted.copyToAcquire:
        require_free_points(desk)
    existing = _area_of_selected(desk)
    if (
        existing is not None
        and desk.ask(
            f"The selected item is that of {existing.name}, which has its targets. Choose the targets of another area? "
            "No opens the target editor"
        )
        is False
    ):
        edit_targets(desk, existing)
        return (existing,)
    files = _new_area(desk, wanted.outputName)
    with borrowed(desk, wanted.imageShiftLimit):
        written = _Selection(desk, wanted, files).run()
    if wanted.edit:  # it borrows the microscope itself where it needs it
        edit_targets(desk, written[0])
    return written


class _Selection:
    """One area from its name to its Navigator item."""

    def __init__(self, desk: Desk, wanted: SelectionSettings, files: AreaFiles) -> None:
        self._desk = desk
        self._wanted = wanted
        low_mag = Area.SEARCH if wanted.useSearch else Area.VIEW
        self._bench = Bench(desk, files, wanted.imageShiftLimit, low_mag)
        self._person = Person(desk, wanted.guidance)
        self._draft = Draft(desk, files, self._bench.tilt_deg)
        self._drafts = [self._draft]
        self._dragging = Dragging(self._bench, self._person, self._draft, wanted)

    def run(self) -> tuple[Path, ...]:
        drafts = [draft for draft in self._choose_and_tell() if draft.chosen]
        self._desk.tell(f"Images for choosing targets: {self._bench.tally.describe()}")
        if not drafts:
            self._draft.discard()
            raise CancelledError("No target was chosen: no target file is written")
        names = ", ".join(draft.files.target_file.name for draft in drafts)
        count = sum(len(draft.chosen) for draft in drafts)
        if not self._person.agrees(f"Keep {count} {'target' if count == 1 else 'targets'} as {names}?"):
            for draft in reversed(drafts):
                draft.discard()
            raise CancelledError(
                "The targets were dropped: no target file is written. Images that were taken are still there "
                f"({self._draft.files.root}_*.mrc)"
            )
        written: list[Path] = []
        for draft in drafts:
            draft.finish()
            written.append(draft.files.target_file)
            if self._wanted.drawBeam:
                draw_outlines(self._desk, self._bench, draft, self._wanted)
                self._desk.save_navigator()
        if self._wanted.copyToAcquire:
            written.extend(copy_to_acquire(self._desk, drafts[0].files, drafts[0].targets()))
        return tuple(written)

    def _choose_and_tell(self) -> list[Draft]:
        """Choose; where that ends with an error, what has been chosen until then is said."""
        try:
            return self._choose()
        except PaceError:
            for draft in self._drafts:
                count = len(draft.chosen)
                if count:
                    self._desk.tell(
                        f"{count} {'target' if count == 1 else 'targets'} chosen until then: "
                        f"{draft.files.target_file.name}. To use them, make that name the note of the item of target 1 "
                        "and set it to Acquire; to begin anew, delete the file",
                        Level.WARNING,
                    )
            raise

    def _choose(self) -> list[Draft]:
        """Choose in the way that is wanted; the areas that came of it."""
        if self._wanted.targetPolygon:
            return fill(self._bench, self._person, self._draft_numbered, self._wanted)
        self._choose_one_area()
        return [self._draft]

    def _draft_numbered(self, number: int) -> Draft:
        """Draft of an area of several: the first has the name that was given, the second ``NAME_a2``."""
        if number == 1:
            return self._draft
        name = f"{self._draft.files.root}_a{number}"
        trouble = trouble_with_name(self._desk.folder(), name)
        if trouble is not None:
            raise TargetFileError(trouble)
        self._drafts.append(
            Draft(self._desk, target_file_of(self._desk.folder(), name), self._bench.tilt_deg)
        )
        return self._drafts[-1]

    def _choose_one_area(self) -> None:
        wanted = self._wanted
        if wanted.targetPattern:
            PatternWay(self._bench, self._person, self._draft, self._dragging, wanted).choose()
            return
        if wanted.targetByShift:
            self._dragging.by_shift()
            return
        group = group_of(self._desk) if wanted.fromGroup != "no" else ()
        if len(group) < 2 and wanted.fromGroup in ("refine", "as they are"):
            raise TargetFileError(
                f"fromGroup is {wanted.fromGroup!r}, but the selected Navigator item belongs to no group of two "
                "or more points: select one of the points"
            )
        if len(group) > 1:
            by_hand = self._by_hand(group)
            if by_hand is not None:
                take_group(self._bench, self._person, self._draft, self._dragging, group, by_hand)
                return
        if wanted.allViewsFirst:
            self._dragging.views_first()
        else:
            self._dragging.one_by_one()

    def _by_hand(self, group: tuple[Place, ...]) -> bool | None:
        """Whether the points of a group are refined by hand or taken as they are; None for neither."""
        if self._wanted.fromGroup != "ask":
            return self._wanted.fromGroup == "refine"
        choice = self._desk.choose(
            f"The selected item belongs to a group of {len(group)} points. Refine takes a Preview of each to be "
            "centred by hand, As is takes the Previews without asking, No chooses targets by dragging.",
            ["Refine", "As is", "No"],
        )
        return {0: True, 1: False}.get(-1 if choice is None else choice)


def _area_of_selected(desk: Desk) -> Path | None:
    """Target file that the selected item's note names, if it is there."""
    try:
        note = desk.selected().note.strip() if desk.places() else ""
    except ScopeError:
        # Nothing is selected, and nothing needs to be.
        return None
    try:
        path = AreaFiles(desk.folder() / note).target_file
    except TargetFileError:
        return None
    return path if path.is_file() else None


def _new_area(desk: Desk, name: str) -> AreaFiles:
    """Names of the files of an area that is not there yet.

    Raises
    ------
    CancelledError
        When the person gives no name.
    TargetFileError
        When the name in the settings cannot be used.
    """
    if name:
        trouble = trouble_with_name(desk.folder(), name)
        if trouble is not None:
            raise TargetFileError(f"outputName: {trouble}")
        return target_file_of(desk.folder(), name)
    for _ in range(MOST_NAMES):
        answer = desk.enter_text("Name of the area (beginning of all its files, without blanks)")
        if not answer:
            raise CancelledError("No name was given: nothing is done")
        trouble = trouble_with_name(desk.folder(), answer)
        if trouble is None:
            return target_file_of(desk.folder(), answer)
        desk.tell(f"Warning: {trouble}", Level.WARNING)
        desk.show(trouble)
    raise CancelledError(f"{MOST_NAMES} names could not be used: nothing is done")


def edit_targets(desk: Desk, path: Path) -> None:
    """Open the target editor, with the microscope."""
    # Acquisition must start without a display, and so must all that needs none.
    from pacetomo.editor import edit
    from pacetomo.selection.editor_side import EditorSide

    side = EditorSide(desk)
    edit(path, side.known(), side)
