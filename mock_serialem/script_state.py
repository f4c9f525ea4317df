"""What SerialEM keeps for the running script and forgets or puts back at its end."""

from __future__ import annotations

from dataclasses import dataclass, field

from mock_serialem.frame_series import FrameStep
from mock_serialem.image_files import FileOptions


@dataclass
class ScriptState:
    """State of one script run.

    Attributes
    ----------
    running : bool
    name : str
        Variable ``SCRIPTNAME``.
    clock_start_s : float
        Simulated time that ``ReportClock`` counts from.
    try_level : int
        Depth of ``StartTry``.
    silent_levels : list of bool
        For each level, whether messages stay out of the log.
    no_message_box : bool
    errors_to_log, suppress_reports, suppress_info, allow_overwrite : bool
    tuples : bool
        ``ReturnAllValuesAsTuples``.
    align_limit_um : float or None
        One-shot limit of the next alignment.
    accumulated_px : tuple of float
        ``ReportAccumShift``.
    last_shift_px : tuple of float or None
        Shift seen by the last ``ReportShiftDiffFrom``.
    focus_change_limits_um, focus_absolute_limits_um : tuple of float
        (0, 0) is off.
    saved_beam_tilt : tuple of float or None
    saved_stigmator : tuple of float or None
    saved_focus_um : float or None
    saved_settings : dict
        Old values of user settings changed without *keep*.
    camera_matrix_binning : float
        0 is off.
    dose_sums : dict of int to float
        Sums of ``AccumulateRecordDose`` by accumulator.
    dose_index : int
        Accumulator in use.
    """

    running: bool = False
    clock_start_s: float = 0.0
    try_level: int = 0
    silent_levels: list[bool] = field(default_factory=list)
    no_message_box: bool = False
    errors_to_log: bool = False
    suppress_reports: bool = False
    suppress_info: bool = False
    allow_overwrite: bool = False
    tuples: bool = False
    align_limit_um: float | None = None
    accumulated_px: tuple[float, float] = (0.0, 0.0)
    last_shift_px: tuple[float, float] | None = None
    focus_change_limits_um: tuple[float, float] = (0.0, 0.0)
    focus_absolute_limits_um: tuple[float, float] = (0.0, 0.0)
    autofocus_offset_um: float = 0.0
    saved_beam_tilt: tuple[float, float] | None = None
    saved_focus_um: float | None = None
    saved_settings: dict[str, float] = field(default_factory=dict)
    saved_frame_name: tuple[bool, str, bool] | None = None
    saved_frame_format: int | None = None
    saved_cds: bool | None = None
    saved_file_options: dict[int, FileOptions] = field(default_factory=dict)
    camera_matrix_binning: float = 0.0
    dose_sums: dict[int, float] = field(default_factory=dict)
    dose_index: int = -1
    opposite_side: bool = False
    frame_steps: list[FrameStep] = field(default_factory=list)
    defer_sum: bool = False
    process_args: list[str] = field(default_factory=list)
    error: str | None = None
    exit_code: float | None = None
    reported: tuple[float | str, ...] = ()
    name: str = "External Script"

    @property
    def boxes_suppressed(self) -> bool:
        """No message box is shown on an error."""
        return self.no_message_box or self.try_level > 0

    @property
    def prior_dose(self) -> float | None:
        """Sum of the accumulator in use, None when it is off."""
        return self.dose_sums.get(self.dose_index)
