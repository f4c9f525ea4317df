"""What can be done in the target editor: a name, what it does in words, its keys, and when it cannot be done. Pure."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Optional


class Need(enum.Enum):
    """What an action cannot do without; the value says so to the user."""

    SELECTION = "select a target first"
    ONE = "select one target first"
    THREE = "select three targets first: one and two of its neighbours in different directions"
    SELECTED = "select a target or geometry point first"
    UNLOCKED = "a run has begun: only skips, tilt range and what else a resume allows can be changed"
    MICROSCOPE = "there is no microscope: open the file from the script selectTargets in SerialEM"
    UNDO = "there is nothing to undo"
    REDO = "there is nothing to redo"
    CHANGES = "nothing has been changed since the last saving"
    POINTS = "three geometry points or more are needed: middle click or G adds one"
    MAP = "there is no map behind the targets: load one first"
    SCORES = "no target has a score"


class Situation(NamedTuple):
    """What decides which actions are possible.

    `selected` counts targets, `selected_points` geometry points, `points` all geometry points; `lock` says why a run
    keeps the targets from being edited, and `microscope_refusal` why there is no microscope (None where there is).
    """

    selected: int = 0
    selected_points: int = 0
    points: int = 0
    lock: Optional[str] = None  # noqa: UP045 - evaluated at run time on Python 3.9
    microscope_refusal: Optional[str] = Need.MICROSCOPE.value  # noqa: UP045
    can_undo: bool = False
    can_redo: bool = False
    is_changed: bool = False
    has_map: bool = False
    has_scores: bool = False

    def refusal(self, need: Need) -> str | None:
        """Why this need is not met; None if it is."""
        met = {
            Need.SELECTION: self.selected > 0,
            Need.ONE: self.selected == 1,
            Need.THREE: self.selected == 3,
            Need.SELECTED: self.selected + self.selected_points > 0,
            Need.UNLOCKED: self.lock is None,
            Need.MICROSCOPE: self.microscope_refusal is None,
            Need.UNDO: self.can_undo,
            Need.REDO: self.can_redo,
            Need.CHANGES: self.is_changed,
            Need.POINTS: self.points >= 3,
            Need.MAP: self.has_map,
            Need.SCORES: self.has_scores,
        }
        if met[need]:
            return None
        said = {Need.UNLOCKED: self.lock, Need.MICROSCOPE: self.microscope_refusal}.get(need)
        return said or need.value


@dataclass(frozen=True)
class Action:
    """Something that the user can have done.

    Attributes
    ----------
    name : str
        For the program.
    menu : str
        Menu in which it stands.
    title : str
        What the menu says.
    help : str
        One sentence about what it does.
    keys : tuple of str
        Keys that do it, the one that is shown first: "Ctrl+S".
    needs : tuple of Need
        What it cannot do without.
    """

    name: str
    menu: str
    title: str
    help: str
    keys: tuple[str, ...] = ()
    needs: tuple[Need, ...] = ()

    def refusal(self, situation: Situation) -> str | None:
        """Why it cannot be done now, None if it can."""
        for need in self.needs:
            reason = situation.refusal(need)
            if reason is not None:
                return reason
        return None

    def tooltip(self, situation: Situation) -> str:
        """What it does, its key, and why it cannot be done now."""
        key = f"  [{self.keys[0]}]" if self.keys else ""
        reason = self.refusal(situation)
        return f"{self.help}{key}" + ("" if reason is None else f"\nNot now: {reason}.")


_U, _S, _M = Need.UNLOCKED, Need.SELECTION, Need.MICROSCOPE

ACTIONS: tuple[Action, ...] = (
    Action("save", "File", "Save", "Write the target file; the one before is kept as a numbered backup", ("Ctrl+S",)),
    Action("save_as", "File", "Save as ...", "Write another target file and go on with that one", ("Ctrl+Shift+S",)),
    Action("reload", "File", "Reload", "Read the target file again as it is on the disk", ("F5",)),
    Action("reset", "File", "Reset", "Go back to the targets as they were opened (can be undone)", ("Ctrl+Shift+Z",)),
    Action("load_map", "File", "Load map ...", "Show a Navigator map behind the targets", ("Ctrl+M",)),
    Action("quit", "File", "Close", "Close the window; unsaved work is asked about", ("Ctrl+Q",)),
    Action("undo", "Edit", "Undo", "Take back the last change", ("Ctrl+Z",), (Need.UNDO,)),
    Action("redo", "Edit", "Redo", "Do again what was taken back", ("Ctrl+Y",), (Need.REDO,)),
    Action("select_all", "Edit", "Select all", "Select all targets that the list shows", ("Ctrl+A",)),
    Action("select_none", "Edit", "Select nothing", "Select nothing, or leave what is under way", ("Escape",)),
    Action("invert", "Edit", "Invert selection", "Select the targets that are not selected", ("Ctrl+I",)),
    Action(
        "delete", "Edit", "Delete", "Delete the selected targets and geometry points", ("Delete",),
        (Need.SELECTED, _U),
    ),
    Action("skip", "Targets", "Skip or not", "Leave the selected targets out, or take them in again", ("K",), (_S,)),
    Action(
        "make_track", "Targets", "Make track",
        "Make the selected target the tracking target: first in the list, origin of all coordinates",
        ("T",), (Need.ONE, _U),
    ),
    Action(
        "add_click", "Targets", "Add by clicks",
        "Each click on the plot adds a target, until Escape", ("A",), (_U,),
    ),
    Action("add_at", "Targets", "Add at ...", "Add a target at typed coordinates", ("Ctrl+T",), (_U,)),
    Action(
        "add_pattern", "Targets", "Add pattern ...",
        "Add targets on a lattice; three selected targets tell its vectors", ("Ctrl+P",), (_U,),
    ),
    Action(
        "add_polygon", "Targets", "Fill polygon",
        "Click the corners of a polygon; Enter or a right click fills it with targets", ("P",), (_U,),
    ),
    Action(
        "move_to", "Targets", "Move to ...",
        "Move the selected target to typed coordinates", ("M",), (Need.ONE, _U),
    ),
    Action("earlier", "Targets", "Earlier", "Record the selected targets earlier", ("Alt+Up",), (_S, _U)),
    Action("later", "Targets", "Later", "Record the selected targets later", ("Alt+Down",), (_S, _U)),
    Action(
        "defocus", "Targets", "Set defocus ...",
        "Give the selected targets a defocus of their own", ("D",), (_S, _U),
    ),
    Action(
        "area", "Targets", "Set low-dose area ...", "Record the selected targets in Record, View or Search", ("L",),
        (_S, _U),
    ),
    Action(
        "add_point", "Targets", "Add geometry point",
        "Add a point at which defocus is measured for the sample's geometry, under the mouse or at the view's middle",
        ("G",), (_U,),
    ),
    Action(
        "split", "Targets", "Split by image shift ...",
        "Write targets beyond the image-shift limit to target files of their own, each with a tracking target",
        ("Ctrl+Shift+L",), (_U,),
    ),
    Action(
        "reference", "Targets", "Open reference",
        "Open the reference image in the system's viewer", ("O",), (Need.ONE,),
    ),
    Action(
        "stack", "Targets", "Open tilt series",
        "Open the tilt series in the system's viewer", ("Shift+O",), (Need.ONE,),
    ),
    Action("fit", "View", "Show all", "Show all targets and geometry points", ("F",)),
    Action("fit_limit", "View", "Show limit", "Show all that image shift reaches", ("Shift+L",)),
    Action("fit_map", "View", "Show map", "Show the whole map", ("Shift+F",), (Need.MAP,)),
    Action("zoom_in", "View", "Zoom in", "Enlarge the plot; so does the wheel", ("=", "+")),
    Action("zoom_out", "View", "Zoom out", "Make the plot smaller; so does the wheel", ("-",)),
    Action(
        "pan_left", "View", "Look left",
        "Move the view to the left; so does dragging the empty plot", ("Ctrl+Left",),
    ),
    Action("pan_right", "View", "Look right", "Move the view to the right", ("Ctrl+Right",)),
    Action("pan_up", "View", "Look up", "Move the view up", ("Ctrl+Up",)),
    Action("pan_down", "View", "Look down", "Move the view down", ("Ctrl+Down",)),
    Action("swap_axes", "View", "Swap axes", "Exchange X and Y of the plot, to match SerialEM's view", ("X",)),
    Action("mirror_x", "View", "Mirror X", "Let SSX run the other way", ("H",)),
    Action("mirror_y", "View", "Mirror Y", "Let SSY run the other way", ("V",)),
    Action("beams", "View", "Beam footprints", "Show what the beam lights, and the added dose of overlaps", ("B",)),
    Action("tilt_down", "View", "Tilt -", "Show beam footprints a step nearer to tilt 0", (",",)),
    Action("tilt_up", "View", "Tilt +", "Show beam footprints a step farther tilted", (".",)),
    Action("scores", "View", "Colour by score", "Colour the targets by their score", ("C",), (Need.SCORES,)),
    Action("show_map", "View", "Map on or off", "Show or hide the map", ("Shift+M",), (Need.MAP,)),
    Action("darker", "View", "Map: darker", "Lower the brightness of the map", ("Shift+,",), (Need.MAP,)),
    Action("brighter", "View", "Map: brighter", "Raise the brightness of the map", ("Shift+.",), (Need.MAP,)),
    Action("more_contrast", "View", "Map: more contrast", "Raise the contrast of the map", ("Shift+=",), (Need.MAP,)),
    Action("less_contrast", "View", "Map: less contrast", "Lower the contrast of the map", ("Shift+-",), (Need.MAP,)),
    Action("larger_text", "View", "Larger text", "Make all text and controls larger", ("Ctrl+=",)),
    Action("smaller_text", "View", "Smaller text", "Make all text and controls smaller", ("Ctrl+-",)),
    Action("show_targets", "View", "Targets", "Show the list of targets", ("F2",)),
    Action("show_settings", "View", "Settings", "Show the settings of this area", ("F3",)),
    Action("show_plan", "View", "Plan", "Show exposures, dose, time and what would go wrong", ("F4",)),
    Action("show_run", "View", "Run", "Show the progress of a run", ("F6",)),
    Action("search", "View", "Search the list or settings", "Go to the search field of the panel", ("Ctrl+F",)),
    Action(
        "save_views", "Microscope", "Save views",
        "Take a View image of each selected target", ("Ctrl+Shift+V",), (_S, _U, _M),
    ),
    Action(
        "to_acquire", "Microscope", "Copy to Acquire points",
        "Copy the targets to all Navigator points marked with Acquire, a target file each", ("Ctrl+Shift+A",), (_M,),
    ),
    Action(
        "measure_geometry", "Microscope", "Measure geometry",
        "Measure defocus at the geometry points, and from it pretilt and rotation", ("Ctrl+G",), (_U, Need.POINTS, _M),
    ),
    Action("commands", "Help", "All actions ...", "Find an action by typing, and do it with Enter", ("F1", "Ctrl+K")),
    Action(
        "mouse_help", "Help", "Mouse and signs",
        "What the mouse does on the plot, and what the signs mean", ("Shift+F1",),
    ),
)  # fmt: skip

BY_NAME = {action.name: action for action in ACTIONS}


def action_for(key: str) -> Action | None:
    """Return the action of a key such as "Ctrl+S"; None where it has none."""
    return _BY_KEY.get(key)


_BY_KEY = {key: action for action in ACTIONS for key in action.keys}


def found(text: str, actions: Sequence[Action] = ACTIONS) -> list[Action]:
    """Actions whose words begin with all words typed, those whose title does first.

    >>> [action.name for action in found("mir x")]
    ['mirror_x']
    """
    wanted = text.casefold().split()

    def matches(words: str) -> bool:
        there = words.casefold().replace("-", " ").split()
        return all(any(word.startswith(part) for word in there) for part in wanted)

    by_title = [action for action in actions if matches(f"{action.menu} {action.title}")]
    return by_title + [action for action in actions if action not in by_title and matches(action.help)]
