"""The operator's desk in the library's own words: dialogs, the Navigator, and images to choose targets on.

What an acquisition never needs, because nobody sits there. Positions on the stage are µm as the Navigator shows them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from pacetomo.frames import XY
from pacetomo.scope.protocol import Area, Microscope

if TYPE_CHECKING:
    from numpy.typing import NDArray

POINT, POLYGON, MAP = 0, 1, 2
"""Kinds of Navigator items."""


class Place(NamedTuple):
    """An item of the Navigator's table.

    Attributes
    ----------
    place : int
        In the table, from 1; changes when items before it are removed.
    label, note : str
        As the table shows them.
    stage_um : XY
        Its position; of a polygon or a map its centre.
    height_um : float
        Its stage Z.
    kind : int
        `POINT`, `POLYGON` or `MAP`.
    """

    place: int
    label: str
    note: str
    stage_um: XY
    height_um: float
    kind: int


class Optics(NamedTuple):
    """How images of a kind are taken.

    Attributes
    ----------
    columns, rows : int
        Size (pixels, binned).
    pixel_um : float
        Binned pixel on the specimen.
    binning : float
        As the control program reports it.
    rotation_deg : float
        From the image's X axis counter-clockwise to the tilt axis.
    magnification_index : int
    magnification : float
    exposure_s : float
    """

    columns: int
    rows: int
    pixel_um: float
    binning: float
    rotation_deg: float
    magnification_index: int
    magnification: float
    exposure_s: float


class Desk(Microscope, Protocol):
    """A microscope with a person at it.

    Dialogs return None where the person cancels, or where nobody is there to answer (Acquire at Items).
    """

    def is_dummy(self) -> bool:
        """Whether this is a copy of the control program without a microscope, for work on files."""

    # dialogs
    def show(self, text: str) -> None:
        """Show a text until the person has read it; in a batch only in the log."""

    def enter_text(self, prompt: str) -> str | None:
        """Text that the person types, without blanks around it."""

    def enter_number(self, prompt: str, default: float, decimals: int = 2) -> float | None:
        """Number that the person types or leaves at its default."""

    def choose(self, header: str, choices: Sequence[str]) -> int | None:
        """Which of two or three buttons the person presses, from 0."""

    def wait_for_key(self, keys: str) -> str:
        """The first of these keys that is pressed; the image may be dragged meanwhile."""

    # navigator
    def selected(self) -> Place:
        """The item that is selected or in progress; ScopeError if the Navigator is closed or nothing is selected."""

    def places(self) -> tuple[Place, ...]:
        """All items in the order of the table."""

    def place(self, number: int) -> Place:
        """An item by its place in the table, from 1."""

    def marked_places(self) -> tuple[Place, ...]:
        """The items that are set to Acquire."""

    def save_navigator(self) -> Path:
        """Write the table to its file and return its path; into the session folder if it has none yet."""

    def read_navigator(self, path: Path) -> None:
        """Read a table in place of the present one."""

    def merge_navigator(self, path: Path) -> None:
        """Append the items of a file that are not in the table; also while a batch runs through it."""

    def unique_id(self) -> int:
        """A number for a group that no item has."""

    def add_point(self, stage_um: XY, height_um: float, group: int = 0) -> int:
        """Add a point and return its place."""

    def add_polygon(self, corners_um: Sequence[XY], height_um: float) -> int:
        """Add a closed polygon with these corners (stage), each given once, and return its place."""

    def add_map(self, note: str) -> int:
        """Make a map of the present image, which must have been saved, and return its place."""

    def set_label(self, place: int, label: str) -> None:
        """Change the label; cut where it is too long for the table."""

    def set_note(self, place: int, note: str) -> None:
        """Change the note; an empty one clears it."""

    def set_colour(self, place: int, colour: int) -> None:
        """Change the colour: 0 red, 1 green, 2 blue, 3 yellow, 4 magenta, 5 as of what cannot be realigned to."""

    def set_acquire(self, place: int, wanted: bool) -> None:
        """Set an item to Acquire, or not."""

    def remove_places(self, places: Collection[int]) -> None:
        """Remove items; the places of those behind them change."""

    def realign_to(self, place: int) -> None:
        """Find an item by means of the map on which it lies; height is kept, image shift may remain."""

    # images
    def image_centre_um(self) -> XY:
        """Stage position of what is in the centre of the present image."""

    def put_picture(self, pixels: NDArray[Any]) -> None:
        """Put changed pixels (top row first) in place of those of the present image, of the same size."""

    def save_present(self) -> None:
        """Append the present image to the current stack, however long its file is held or the disk is full.

        ImageNotSavedError when that is in vain; the image is still the present one then.
        """

    def keep_present(self, number: int) -> None:
        """Keep the present image in one of nine buffers, from 0, which nothing else is written into."""

    def bring_back(self, number: int) -> None:
        """Make a kept image the present one."""

    def keeping_buffers(self, count: int) -> str:
        """The first buffers of `keep_present`, for people."""

    def record_field_um(self) -> XY:
        """Field of Record's and Preview's images, X by Y of the camera."""

    def optics(self, area: Area) -> Optics:
        """How images of a kind are taken now; goes to their low-dose area and back to find out."""
