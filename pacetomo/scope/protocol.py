"""The microscope in the library's own words: what the engine may ask of it, and nothing more.

`SerialEMScope` implements this on SerialEM; tests use a scripted stand-in. Shifts are specimen shifts in µm (X along
the tilt axis, Y across it) in the frame of the Record area; focus values are SerialEM's defocus readout in µm
(underfocus negative); tilts are degrees.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol, Union

from pacetomo.frames import XY, Calibration


class Level(enum.Enum):
    """How a message to the operator is to stand out."""

    DETAIL = "detail"
    INFO = "info"
    GOOD = "good"
    WARNING = "warning"
    ERROR = "error"


class Area(enum.Enum):
    """Low-dose areas in which references are compared; Preview uses the beam of Record at its own exposure."""

    VIEW = "view"
    PREVIEW = "preview"


class Item(NamedTuple):
    """The Navigator item of an area: place in the table from 1, label, note (target file), stage position in µm."""

    place: int
    label: str
    note: str
    stage_um: XY


class Limits(NamedTuple):
    """What the column can do: image shift on the specimen (µm) and stage tilt (degrees)."""

    image_shift_um: float
    max_tilt_deg: float


class Shot(NamedTuple):
    """An image just taken: mean counts, exposure (s), dose (e/Å², 0 when not calibrated), field (µm, X by Y)."""

    mean_counts: float
    exposure_s: float
    dose_e_per_a2: float
    field_um: XY


@dataclass(frozen=True)
class Missing:
    """A measurement that could not be had, with the reason; false in a condition."""

    reason: str

    def __bool__(self) -> bool:
        return False


ShiftOrMissing = Union[XY, Missing]
FocusOrMissing = Union[float, Missing]


class Microscope(Protocol):
    """A transmission electron microscope with a tilting stage, low-dose areas and open image files."""

    # talking and waiting
    def clock_s(self) -> float:
        """Seconds on the microscope's own clock."""

    def wait(self, seconds: float) -> None:
        """Let time pass; on a simulated microscope its clock advances."""

    def tell(self, text: str, level: Level = Level.INFO) -> None:
        """Write a line to the operator's log."""

    def save_log(self, path: Path) -> None:
        """Keep the operator's log in a file."""

    def show_progress(self, text: str) -> None:
        """Show a line that replaces the previous one."""

    # facts
    def version(self) -> str:
        """Control program and version, for the journal."""

    def folder(self) -> Path:
        """The session folder, where relative file names belong."""

    def item(self) -> Item:
        """The Navigator item in progress."""

    def limits(self) -> Limits:
        """Image-shift and tilt limits."""

    def calibration(self) -> Calibration:
        """Matrices between stage, image shift and specimen at the Record magnification."""

    # beginning and end
    def begin(self, image_shift_limit_um: float) -> None:
        """Remember the state to come back to, and prepare for unattended commands."""

    def end(self) -> None:
        """Put the microscope back as it was before `begin`, as far as possible; files closed."""

    # stage
    def move_to_item(self, item: Item) -> None:
        """Move the stage to an item."""

    def tilt_deg(self) -> float:
        """Stage tilt as read back."""

    def tilt_to(self, tilt_deg: float) -> float:
        """Tilt, wait for the stage, and return the tilt reached."""

    def walk_to(self, tilt_deg: float) -> float:
        """Tilt in steps and keep the present point centred; the tilt reached."""

    def find_eucentric_height(self) -> None:
        """Bring the sample to the tilt axis."""

    def recentre_stage(self) -> None:
        """Replace the present image shift by a stage move."""

    # optics
    def shift_um(self) -> XY:
        """Present specimen shift."""

    def focus_um(self) -> float:
        """Present focus in the Record area."""

    def aim(self, shift_um: XY, focus_um: float, compensate_beam_tilt: bool) -> bool:
        """Go to the Record area and set shift and focus; False (nothing changed) if the shift is beyond the limit."""

    def set_wanted_defocus(self, defocus_um: float) -> None:
        """Defocus that the next images are meant to have; written with them."""

    def autofocus(self, wanted_um: float) -> FocusOrMissing:
        """Focus at the present shift so that the true defocus is `wanted_um`; the new focus, or why not."""

    def can_compensate_beam_tilt(self) -> bool:
        """Whether coma against image shift is calibrated."""

    # images
    def set_record_exposure(self, seconds: float | None) -> None:
        """Exposure of Record images; None for the operator's own."""

    def take(self, area: Area) -> Shot:
        """Expose one image; it becomes the present image."""

    def record(self, frame_name: str) -> tuple[Shot, int]:
        """Expose a Record image and append it to the current stack at once; the image and its section from 0.

        `frame_name` is the base name of its frame file. ImageNotSavedError when it was exposed and cannot be saved.
        """

    def offset_from_file(self, reference: Path, section: int, limit_um: float | None) -> ShiftOrMissing:
        """Where the content of a saved image's centre lies in the present image (specimen plane, µm from its centre).

        The shift has to grow by this to centre it again. Nothing is moved. Missing when no correlation peak lies
        within the limit, or the alignment fails.
        """

    # series
    def open_series(self, path: Path) -> int:
        """Make a stack current, creating it if it is not there; number of sections in it."""

    def save_section(self) -> int:
        """Append the present image to the current stack; its section number from 0."""

    def annotate(self, entries: Mapping[str, str]) -> None:
        """Add keys to the metadata of the section just saved, on disk."""

    def close_series(self) -> None:
        """Close the current stack."""

    def set_prior_dose(self, account: int, e_per_a2: float) -> None:
        """Dose that a target has had so far; written with the next image as its prior dose."""
