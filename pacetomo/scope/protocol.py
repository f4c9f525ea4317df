"""The microscope in the library's own words: what the engine may ask of it, and nothing more.

`SerialEMScope` implements this on SerialEM; tests use a scripted stand-in. Shifts are specimen shifts in µm (X along
the tilt axis, Y across it) in the frame of the Record area; focus values are SerialEM's defocus readout in µm
(underfocus negative); tilts are degrees.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Optional, Protocol, Union

from pacetomo.frames import ORIGIN, XY, Calibration, Matrix2
from pacetomo.policies import Policies

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pacetomo.scope.facts import Facts
    from pacetomo.scope.watchdog import Watchdog


class Level(enum.Enum):
    """How a message to the operator is to stand out."""

    DETAIL = "detail"
    INFO = "info"
    GOOD = "good"
    WARNING = "warning"
    ERROR = "error"


class Area(enum.Enum):
    """Kinds of images, by low-dose area; Preview uses the beam of Record at its own exposure."""

    VIEW = "view"
    PREVIEW = "preview"
    RECORD = "record"
    TRIAL = "trial"
    SEARCH = "search"


class Imaging(NamedTuple):
    """How an image of a series is taken: low-dose area, and nominal magnification (None for the area's own)."""

    area: Area = Area.RECORD
    magnification: Optional[float] = None  # noqa: UP045 - evaluated at run time on Python 3.9


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


class PresentImage(NamedTuple):
    """What tells one image from another: a text that no other image has, its stage tilt, and its kind if known."""

    identity: str
    tilt_deg: float
    area: Optional[Area] = None  # noqa: UP045 - evaluated at run time on Python 3.9


@dataclass(frozen=True)
class Missing:
    """A measurement that could not be had, with the reason; false in a condition."""

    reason: str

    def __bool__(self) -> bool:
        return False


class CtfProgram(enum.Enum):
    """What fits a CTF: SerialEM's own CtfFind, or IMOD's Ctfplotter, which has to be installed beside it."""

    CTFFIND = "CtfFind"
    CTFPLOTTER = "Ctfplotter"


class CtfFit(NamedTuple):
    """The CTF of one image, as a program fitted it.

    `defocus_um` is the mean over all directions (underfocus negative), `astigmatism_um` the difference between the
    strongest and the weakest, not negative, `angle_deg` the direction of the first of the two against the image's X
    axis as the program gives it, `phase_deg` an additional phase shift (0 without a phase plate),
    `resolution_angstrom` how far the fit reaches, `score` its correlation with the image, `program` what made it.
    """

    defocus_um: float
    astigmatism_um: float
    angle_deg: float
    phase_deg: float
    resolution_angstrom: float
    score: float
    program: Optional[CtfProgram] = None  # noqa: UP045 - evaluated at run time on Python 3.9


@dataclass(frozen=True, eq=False)
class Picture:
    """The pixels of an image, and how they lie on the sample.

    Attributes
    ----------
    pixels : array (rows, columns)
        Top row first.
    to_specimen : Matrix2
        Pixels (X right, Y up) to µm in the specimen frame; no tilt is in it.
    tilt_deg : float
        Stage tilt at which it was taken.
    """

    pixels: NDArray[Any]
    to_specimen: Matrix2
    tilt_deg: float


ShiftOrMissing = Union[XY, Missing]
PictureOrMissing = Union[Picture, Missing]
FocusOrMissing = Union[float, Missing]
FitOrMissing = Union[CtfFit, Missing]


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

    def log_commands(self, path: Path | None) -> None:
        """Append every command from here on, with its answer, to a file; None to stop. Never fails."""

    def watch_commands(self, watchdog: Watchdog | None) -> None:
        """Have a watchdog look at each command from here on; None for no longer."""

    def show_progress(self, text: str) -> None:
        """Show a line that replaces the previous one."""

    def recall_s(self, name: str) -> float | None:
        """What `remember_s` was last given under a name, in this script or an earlier one."""

    def remember_s(self, name: str, seconds: float) -> None:
        """Keep a clock time until the control program ends."""

    # facts
    def version(self) -> str:
        """Control program and version, for the journal."""

    def folder(self) -> Path:
        """The session folder, where relative file names belong."""

    def item(self) -> Item:
        """The Navigator item in progress."""

    def items_to_come(self) -> int | None:
        """Items set to Acquire that follow in the Navigator's table; None outside of Acquire at Items."""

    def limits(self) -> Limits:
        """Image-shift and tilt limits."""

    def facts(self) -> Facts:
        """What a check before the run wants to know; what cannot be told is None in it."""

    def calibration(self) -> Calibration:
        """Matrices between stage, image shift and specimen at the Record magnification."""

    # beginning and end
    def begin(self, image_shift_limit_um: float) -> None:
        """Remember the state to come back to, and prepare for unattended commands."""

    def end(self) -> None:
        """Put the microscope back as it was before `begin`, as far as possible; files closed."""

    def ask(self, question: str) -> bool | None:
        """What the operator answers, yes or no; None where nobody is there to answer (Acquire at Items)."""

    def heed(self, policies: Policies, note: Callable[[str, str], None]) -> None:
        """Be told how often to try what fails, and whom to tell of it: `note` gets a name and a text."""

    def end_batch(self) -> None:
        """Let no further item of the batch be acquired; nothing outside of Acquire at Items."""

    def low_dose_change(self) -> str | None:
        """What has become of low dose or of the Record magnification since `begin`, in words; None if nothing has."""

    def restore_low_dose(self) -> None:
        """Put back what `low_dose_change` tells of, as far as possible."""

    # stage
    def move_to_item(self, item: Item) -> None:
        """Move the stage to an item."""

    def stage_um(self) -> tuple[float, float, float]:
        """Stage position x, y, z as read back."""

    def move_stage_to(self, stage_um: tuple[float, float, float]) -> None:
        """Move the stage to a position."""

    def realign_to_item(self) -> None:
        """Find the item in progress by means of the map on which it lies; height is kept, image shift may remain."""

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

    def aim(
        self, shift_um: XY, focus_um: float, compensate_beam_tilt: bool, imaging: Imaging | None = None
    ) -> bool:
        """Go where an image is to be taken; False (no image can be taken there) if the shift is beyond the limit.

        Shift and focus are those of Record, whatever the area: a point that `shift_um` centres in Record is in the
        centre of the area's image, and the area's own defocus offset comes on top of `focus_um`. None images in Record.
        """

    def release(self) -> None:
        """Put back at once what `aim` changed beyond shift, focus and area (magnification); nothing if nothing was."""

    def set_wanted_defocus(self, defocus_um: float) -> None:
        """Defocus that the next images are meant to have; written with them."""

    def autofocus(self, wanted_um: float) -> FocusOrMissing:
        """Focus so that the true defocus at the present shift is `wanted_um`; the new focus, or why not.

        What is measured is the place of `focus_place_um`. Where nothing was measured the focus is left as it was.
        """

    def focus_place_um(self) -> XY:
        """Where the Focus area lies when Record is centred (specimen frame, µm from there)."""

    def tilt_axis_offset_um(self) -> float:
        """Where the control program takes the tilt axis to lie across the beam (specimen Y, µm).

        Where image shift keeps to the tilt axis, a shift of zero brings this place into the centre.
        """

    def set_tilt_axis_offset(self, offset_um: float) -> None:
        """Tell the control program where the tilt axis lies; this stays after the script."""

    def can_compensate_beam_tilt(self) -> bool:
        """Whether coma against image shift is calibrated."""

    # images
    def record_exposure_s(self) -> float:
        """Exposure of Record images as set now."""

    def focus_exposure_s(self) -> float:
        """Exposure of each image of an autofocus."""

    def set_exposure(self, area: Area, seconds: float | None) -> None:
        """Exposure of the images of a kind; None for the operator's own."""

    def take(self, area: Area) -> Shot:
        """Expose one image; it becomes the present image."""

    def record(self, frame_name: str, floor_per_s: float = 0.0) -> tuple[Shot, int | None]:
        """Expose an image as aimed for and append it to the current stack at once; the image and its section from 0.

        `frame_name` is the base name of its frame file. An image of less than `floor_per_s` mean counts per second is
        not saved: its section is None, and it stays the present image until `save_section` or `set_aside`.
        ImageNotSavedError when it was exposed and cannot be saved; NotExposedError when it provably was not exposed.
        While the disk is full it is waited for room, the image kept meanwhile.
        """

    def present_image(self) -> PresentImage | None:
        """What the present image is; None if there is none."""

    def load_section(self, path: Path, section: int) -> None:
        """Make a section of a stack, which is not open, the present image."""

    def set_aside(self, path: Path) -> None:
        """Append the present image to another stack than the current one, which stays current.

        ImageNotSavedError when it cannot be saved there; ScopeError when the current stack is no longer open.
        """

    def offset_from_file(
        self, reference: Path, section: int, limit_um: float | None, centre_um: XY = ORIGIN
    ) -> ShiftOrMissing:
        """Where the content of a saved image's centre lies in the present image (specimen plane, µm from its centre).

        The shift has to grow by this to centre it again. Nothing is moved. Missing when no correlation peak lies
        within the limit around `centre_um`, where it is expected, or the alignment fails.
        """

    def picture(self, longest_px: int) -> PictureOrMissing:
        """Present image, reduced by a whole number to at most so many pixels along its longer side."""

    def saved_picture(self, path: Path, section: int, longest_px: int) -> PictureOrMissing:
        """As `picture`, of a section of a stack."""

    def camera_axes(self) -> Matrix2:
        """Camera's axes (X right, Y up) to the specimen's at the present magnification, without magnification."""

    def hole_field_um(self) -> ShiftOrMissing:
        """Field (µm, X by Y) of the operator's View image of a hole; Missing when there is none that can be used."""

    def offset_from_hole(self, limit_um: float) -> ShiftOrMissing:
        """Where the nearest place that looks like the centre of the operator's image lies in the present image.

        As `offset_from_file`.
        """

    def fit_ctf(self, program: CtfProgram, search_um: tuple[float, float], slope_deg: float) -> FitOrMissing:
        """CTF of the present image; Missing when the program found none.

        `search_um` are the ends of the range of defocus to search (underfocus negative), `slope_deg` what the sample
        is inclined by across the tilt axis at stage tilt 0. ScopeError when the program cannot be run.
        """

    # series
    def close_left_open(self, paths: Collection[Path]) -> None:
        """Close those of these stacks that a script which died has left open."""

    def open_series(self, path: Path) -> int:
        """Make a stack current, creating it if it is not there; number of sections in it.

        StackHeldError when it cannot be opened.
        """

    def save_section(self) -> int:
        """Append the present image to the current stack; its section number from 0."""

    def annotate(self, entries: Mapping[str, str]) -> None:
        """Add keys to the metadata of the section just saved, on disk."""

    def close_series(self) -> None:
        """Close the current stack."""

    def set_prior_dose(self, account: int, e_per_a2: float) -> None:
        """Dose that a target has had so far; written with the next image as its prior dose."""

    # upkeep: all of it fails with ScopeError where a column has no such thing

    def dewars_filling(self) -> int:
        """Dewars being filled: 0 none, 1 the stage's (or any, where they are not told apart), 2 transfer, 3 both."""

    def next_dewar_fill_s(self) -> float | None:
        """Seconds to the next automatic filling; None if none is scheduled."""

    def fill_stage_dewar(self) -> None:
        """Fill the stage's dewar now and wait until it is full."""

    def fill_transfer_dewar(self) -> None:
        """Fill the transfer dewar now and wait until it is full."""

    def valves_open(self) -> bool | None:
        """Whether the beam can pass the column valves; None if the column cannot tell."""

    def open_valves(self) -> None:
        """Open the column valves; at the end they are closed again if they were when first asked for."""

    def flash_advised(self, hot: bool) -> bool:
        """Whether the gun advises a flash, of low or of high temperature."""

    def hours_since_flash(self) -> float:
        """Hours since the control program last flashed the gun; infinite if it never has."""

    def flash_gun(self, hot: bool) -> None:
        """Flash the gun and wait until it is done."""

    def has_energy_filter(self) -> bool:
        """True; fails without an energy filter."""

    def refine_slit(self, shift_um: XY) -> None:
        """Centre the energy slit on the zero-loss peak with the beam at a specimen shift; shift and focus come back."""

    def beam_radius_um(self) -> float:
        """Radius of the area that Record images light, as seen along the beam."""
