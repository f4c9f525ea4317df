"""A SerialEM program in front of one simulated microscope: everything it keeps, and where a script begins and ends."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mock_serialem import hands, maps, shifts
from mock_serialem.answers import Operator
from mock_serialem.camera_sets import CameraSets
from mock_serialem.column_state import ColumnState
from mock_serialem.commands import Value
from mock_serialem.errors import USER_STOP, CommandError, SEMexited, UnansweredError
from mock_serialem.faults import FaultPlan
from mock_serialem.frame_mdoc import FrameMdoc
from mock_serialem.frame_series import FrameOptions
from mock_serialem.frames import FrameNames
from mock_serialem.hole_finder import HoleFinder
from mock_serialem.image import Buffers, Image
from mock_serialem.image_files import FileOptions, ImageFiles
from mock_serialem.imaging_states import ColumnSnapshot, default_states
from mock_serialem.injector import Injector
from mock_serialem.keeping import Keeper
from mock_serialem.log import Log
from mock_serialem.low_dose import LowDose
from mock_serialem.montage_settings import MontageSettings
from mock_serialem.nav_acquire import AcquireParams
from mock_serialem.navigator import Navigator
from mock_serialem.registry import Registry
from mock_serialem.regular_script import ScriptLibrary
from mock_serialem.script_state import ScriptState
from mock_serialem.settings import CAMERA_PROPERTIES, PROPERTIES, USER_SETTINGS, Numbers
from mock_serialem.sim.profiles import MicroscopeProfile
from mock_serialem.sim.world import World
from mock_serialem.state_file import StateFile
from mock_serialem.text_files import TextFiles
from mock_serialem.variables import Variables
from mock_serialem.waiting import RealClock, Waiting

LONGEST_WAIT_S = 1e8

FRAME_FOLDER = "X:\\frames"
"""Folder on the camera's computer: the same wherever the session runs, so that the same seed gives the same bytes."""


@dataclass(frozen=True)
class SessionOptions:
    """How the program behaves.

    Attributes
    ----------
    line_end : str
        Of mdoc, Navigator, log and text files; Windows by default.
    version : int
        As in ``IsVersionAtLeast``: 40300 is 4.3.0.
    build_date : int
        YYYYMMDD.
    version_text : str
        As in the mdoc.
    title : str
        Title of image files.
    log_reports : bool
        Write the values of ``Report`` commands to the log, as SerialEM does.
    """

    line_end: str = "\r\n"
    version: int = 40300
    build_date: int = 20260110
    version_text: str = "SerialEM Version 4.3.0 64-bit,  built Jan 10 2026  12:00:00"
    title: str = "Simulated microscope"
    log_reports: bool = True


@dataclass
class FocusState:
    """Autofocus as the program remembers it.

    Attributes
    ----------
    target_um : float
        Target defocus.
    last : tuple of float
        Measured defocus (µm) and code of the last autofocus.
    drift_nm_s : tuple of float or None
        From the last measurement.
    axis_offset_um : float or None
        From the last fine eucentricity.
    rough_failed : bool
    wait_drift : tuple of float
        Rate (nm/s) and failure flag of the last drift wait.
    """

    target_um: float = -5.0
    last: tuple[float, int] = (0.0, -1)
    drift_nm_s: tuple[float, float] | None = None
    axis_offset_um: float | None = None
    rough_failed: bool = False
    wait_drift: tuple[float, float] = (0.0, 0.0)


class Session:
    """The state of the program.

    Parameters
    ----------
    world : World
        The microscope.
    directory : Path
        SerialEM's current directory; made if missing.
    options : SessionOptions, optional
    operator : Operator, optional
        Answers questions.

    Raises
    ------
    OSError
        The directory cannot be made.
    """

    def __init__(
        self,
        world: World,
        directory: Path,
        options: SessionOptions | None = None,
        operator: Operator | None = None,
    ) -> None:
        self.world = world
        self.options = options or SessionOptions()
        self.operator = operator or Operator()
        self.operator.hands = partial(hands.perform, self)
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = Path(os.path.abspath(directory))
        self.log = Log()
        self.variables = Variables()
        self.buffers = Buffers()
        self.files = ImageFiles(self.options.line_end)
        self.text_files = TextFiles(self.options.line_end)
        self.navigator = Navigator(self.options.line_end)
        self.navigator.piece_finder = partial(maps.piece_corner, self)
        self.cameras = CameraSets(self.scope.camera)
        self.low_dose = LowDose(self.scope)
        self.buffers.low_dose = True
        self.properties = Numbers("property", PROPERTIES)
        self.properties.set("ImageShiftLimit", self.scope.image_shift_limit_um)
        self.properties.set("MaximumTiltAngle", world.config.stage.maximum_tilt_deg)
        self.properties.set("StageLimits", world.config.stage.xy_limit_um)
        self.properties.set("TiltAxisOffset", world.config.stage.measured_axis_offset_um)
        self.camera_properties = Numbers("camera property", CAMERA_PROPERTIES)
        self.camera_properties.set("CountsPerElectron", self.scope.camera.counts_per_electron)
        self.camera_inserted = True
        self.settings = Numbers("user setting", USER_SETTINGS)
        self.axis_offset_um = world.config.stage.measured_axis_offset_um
        self.column = ColumnState()
        self.focus = FocusState()
        self.frames = FrameNames(FRAME_FOLDER)
        self.frame_mdoc: FrameMdoc | None = None
        self.montage = MontageSettings()
        self.script = ScriptState()
        self.status_lines: dict[int, str] = {}
        self.message_boxes: list[str] = []
        self.registry = Registry()
        self.imaging_states = default_states(self.scope)
        self.saved_state: ColumnSnapshot | None = None
        self.scripts = ScriptLibrary()
        self.grid_squares: list[list[tuple[float, float]]] = []
        self.hole_finder = HoleFinder.for_sample(world.sheet.spec)
        self.deferred_sum: Image | None = None
        self.frame_options = FrameOptions()
        self.acquire_params = AcquireParams()
        self.realign_error: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
        self.cds_mode = True
        self.custom_times: dict[str, float] = {}
        self.returned: tuple[str, ...] = ()
        self.lock = threading.RLock()
        self.waiting = Waiting()
        self.faults: Injector | None = None
        self.real_clock: RealClock | None = None
        self.keeper: Keeper | None = None
        # Ends the running script's process and says what was done; None if the script runs in this process.
        self.end_process: Callable[[], str] | None = None
        # The operator has left the column with the displayed image shift at zero, that is, on the tilt axis.
        world.set_image_shift(shifts.axis_part(self, world.mag_index), settle=0.0)

    @property
    def scope(self) -> MicroscopeProfile:
        """Profile of the column."""
        return self.world.config.microscope

    @property
    def log_lines(self) -> list[str]:
        """Lines of the log window."""
        return self.log.lines

    @property
    def log_file(self) -> Path | None:
        """Where the log was last saved, None if it was not."""
        return self.log.path

    def spend(self, seconds: float, activity: str) -> None:
        """Let simulated time pass."""
        if seconds > 0.0:
            self.world.advance(seconds, activity)

    def path(self, name: str) -> Path:
        """Absolute path of a file name given to a command, relative to the current directory."""
        return Path(os.path.abspath(self.directory / name.strip()))

    def close(self) -> None:
        """End the program: the running script ends and all files are closed, which a state that is kept shows."""
        self.end_script()
        self.files.close_all()
        self.text_files.close_all()
        self.keep()
        if self.keeper is not None:
            self.keeper.close()
            self.keeper = None

    def suspend(self) -> None:
        """Let go of everything on disk; whoever goes on with the state finds the files open that are open now."""
        self.end_script()
        self.keep()
        if self.keeper is not None:
            self.keeper.close()
            self.keeper = None
        self.files.close_all()
        self.text_files.close_all()

    # --- state on disk

    def keep_state(self, path: Path) -> None:
        """Keep the state in a file from now on, see `mock_serialem.keeping`; `restoring` goes on with it.

        Raises
        ------
        StateError
            It cannot be kept.
        """
        self.keeper = Keeper(self, StateFile(path))

    def keep(self) -> None:
        """Keep what has changed outside commands, if the state is kept at all."""
        with self.lock:
            if self.keeper is not None:
                self.keeper.keep()

    def keeping(self, name: str, args: Sequence[Value]) -> AbstractContextManager[None]:
        """Context of a command, for keeping that it has begun and what it has changed."""
        return nullcontext() if self.keeper is None else self.keeper.command(name, args)

    # --- scripts

    def press_stop(self) -> None:
        """Press STOP: every further command of the running script raises ``SEMexited``. Thread-safe."""
        self.waiting.press_stop()

    @property
    def stop_pressed(self) -> bool:
        """STOP was pressed during this script."""
        return self.waiting.stop_pressed

    def check_stop(self) -> None:
        """Raise ``SEMexited("User STOP")`` if STOP was pressed."""
        if self.waiting.stop_pressed:
            raise SEMexited(USER_STOP)

    def begin_script(self) -> None:
        """Start a script: regular variables are cleared, switches are off, its clock is at zero."""
        if self.script.running:
            self.end_script()
        self.waiting.clear()
        self.variables.clear(persistent=False)
        self.script = ScriptState(running=True, clock_start_s=self.world.clock_s)
        self.keep()

    def end_script(self) -> None:
        """End the script: what it changed for itself is put back."""
        script = self.script
        if not script.running:
            return
        script.running = False
        for name, value in list(script.saved_settings.items()):
            self.change_setting(name, value, keep=True)
        self.cameras.restore()
        self.low_dose.restore()
        if script.saved_beam_tilt is not None:
            self.world.set_beam_tilt(script.saved_beam_tilt)
        if script.saved_focus_um is not None:
            self.world.set_focus(script.saved_focus_um)
        if script.saved_frame_format is not None:
            self.frames.flags = script.saved_frame_format
        if script.saved_frame_name is not None:
            in_file, base, in_folder = script.saved_frame_name
            self.frames.base = base
            self.frames.set_base_flags(in_file, in_folder)
        if script.saved_cds is not None:
            self.cds_mode = script.saved_cds
        for which, options in script.saved_file_options.items():
            self.put_file_options(which, options)
        self.text_files.close_temporary()
        self.script = ScriptState()
        self.keep()

    def apply_setting(self, name: str, value: float) -> float:
        """Change a user setting and what depends on it; return the old value.

        Raises
        ------
        CommandError
            There is no such setting.
        """
        old = self.settings.set(name, value)
        if name.lower() == "bufferstorollonacquire":
            self.buffers.roll = int(value)
        elif name.lower() == "autofocustargetdefocus":
            self.focus.target_um = value
        return old

    def change_setting(self, name: str, value: float, keep: bool) -> None:
        """Change a user setting for a script, which puts it back at its end unless it is kept.

        Switching ``ShiftToTiltAxis`` keeps the displayed image shift, so the raw one follows.

        Raises
        ------
        CommandError
            There is no such setting.
        """
        shift = shifts.displayed(self)
        old = self.apply_setting(name, value)
        if keep:
            self.script.saved_settings.pop(name.lower(), None)
        else:
            self.script.saved_settings.setdefault(name.lower(), old)
        if name.lower() == "shifttotiltaxis" and old != value:
            shifts.set_displayed(self, shift)

    def inject(self, plan: FaultPlan) -> None:
        """Let go wrong what a plan says, from now on."""
        self.faults = Injector(self, plan)

    def run_in_real_time(self) -> None:
        """Let every action take the time it takes on a real column, from now on."""
        self.real_clock = RealClock(self)

    def hang(self) -> None:
        """Do not come back until STOP is pressed or the script has vanished.

        Raises
        ------
        SEMexited
            When that happens.
        """
        self.waiting.wait(None)
        raise SEMexited(USER_STOP)

    def wait(self, seconds: float) -> None:
        """Wait as a script asks to; STOP ends the wait.

        Raises
        ------
        CommandError
            It would be years.
        SEMexited
            STOP was pressed.
        """
        if not seconds <= LONGEST_WAIT_S:
            raise CommandError(f"A wait of {seconds:g} seconds is not legal")
        self.spend(seconds, "wait")
        self.check_stop()

    def put_file_options(self, which: int, options: FileOptions) -> None:
        """Set the options for new files: 0 single images, 1 montages."""
        if which:
            self.files.montage_options = options
        else:
            self.files.options = options

    # --- questions

    def ask_yes_no(self, command: str, prompt: str) -> bool:
        """Ask a question that is answered Yes or No."""
        self._note_box(command, prompt)
        return self.operator.answer_yes_no(command, prompt)

    def ask_number(self, command: str, prompt: str, default: float | None) -> float:
        """Ask for a number.

        Raises
        ------
        CommandError
            The operator cancelled, or has no answer and there is no default.
        """
        self._note_box(command, prompt)
        answer = self.operator.answer(command, prompt)
        if answer is False:
            raise CommandError(f"{command} was cancelled: {prompt}")
        if answer is None or answer is True:
            if default is None:
                raise UnansweredError(f"{command}: {prompt}")
            return default
        try:
            return float(answer)
        except ValueError as err:
            raise CommandError(f"{command}: {answer!r} is not a number, asked: {prompt}") from err

    def ask_text(self, command: str, prompt: str) -> str:
        """Ask for a text.

        Raises
        ------
        CommandError
            The operator cancelled or has no answer.
        """
        self._note_box(command, prompt)
        answer = self.operator.answer(command, prompt)
        if answer is False:
            raise CommandError(f"{command} was cancelled: {prompt}")
        if answer is None or answer is True:
            raise UnansweredError(f"{command}: {prompt}")
        return str(answer)

    def show_box(self, text: str) -> None:
        """Show a message box; the operator closes it."""
        self.message_boxes.append(text)
        self.log.add(f"Message box: {text}")
        self.spend(self.operator.thinking_s, "wait")

    def _note_box(self, command: str, prompt: str) -> None:
        self.log.add(f"{command}: {prompt}")
        self.spend(self.operator.thinking_s, "wait")
