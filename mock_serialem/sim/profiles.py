"""Numbers of real stages and columns, as plain frozen dataclasses; every figure says where it comes from.

Figures "of sessions" are what public parallel tilt series show: displacement found at a tilt beyond the
geometric prediction, jumps between branches, drift after a tilt, time per target. Replace a field with
`dataclasses.replace` to ask "what if": a mirrored image-shift frame, a wrong tilt axis offset, a quiet stage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

Vector2 = tuple[float, float]
Vector3 = tuple[float, float, float]


@dataclass(frozen=True)
class StageProfile:
    """How a stage moves, and misses, when it tilts.

    Attributes
    ----------
    tilt_axis_offset_um : float
        True lab y of the tilt axis when the raw image shift is zero.
    measured_axis_offset_um : float
        What the operator measured and gave to SerialEM.
    eucentric_error_um : float
        Height of the sample's origin above the tilt axis at stage z = 0.
    wobble_um : (x, y, z)
        Root mean square over +-60 degrees of the smooth, repeatable motion over tilt.
    hysteresis_um : (x, y, z)
        Half the distance between the two ends of the mechanism's play, see `stage.Play`.
    play_deg : float
        Tilt over which that play is taken up: half of the dead band.
    jitter_um : (x, y, z)
        Standard deviation of what is drawn anew at each tilt.
    relaxation_um : (x, y, z)
        Standard deviation of the motion still to come right after a tilt; decays with `relaxation_tau_s`.
    drift_um_per_min : float
        Speed of the slow thermal drift, whose direction turns round once in `drift_period_s`.
    move_error_um, z_error_um : float
        Standard deviation of where a move in x and y, or in z, ends.
    tilt_error_deg : (mean, standard deviation)
        Angle reached minus angle asked for.
    motion_scale : (x, y), motion_rotation_deg : float
        True stage-to-specimen motion: near the identity.
    maximum_tilt_deg : float
        Largest tilt, either sign.
    xy_limit_um, z_limit_um : float
        Reach of the stage on either side.
    """

    name: str
    tilt_axis_offset_um: float = 0.0
    measured_axis_offset_um: float = 0.0
    eucentric_error_um: float = 0.0
    wobble_um: Vector3 = (0.0, 0.0, 0.0)
    hysteresis_um: Vector3 = (0.0, 0.0, 0.0)
    play_deg: float = 5.0
    jitter_um: Vector3 = (0.0, 0.0, 0.0)
    relaxation_um: Vector3 = (0.0, 0.0, 0.0)
    relaxation_tau_s: float = 20.0
    drift_um_per_min: float = 0.0
    drift_period_s: float = 5400.0
    move_error_um: float = 0.0
    z_error_um: float = 0.0
    tilt_error_deg: Vector2 = (0.0, 0.0)
    motion_scale: Vector2 = (1.0, 1.0)
    motion_rotation_deg: float = 0.0
    maximum_tilt_deg: float = 70.0
    xy_limit_um: float = 1000.0
    z_limit_um: float = 250.0


IDEAL = StageProfile(name="ideal")
"""A stage that goes where it is told: for checking geometry alone."""

KRIOS = StageProfile(
    name="krios",
    # Offsets of 1-2 um are usual and well measured on these columns; the rest is the measurement's error.
    tilt_axis_offset_um=1.30,
    measured_axis_offset_um=1.22,
    # First residual of a fine eucentricity on a Krios: 2.36 um.
    eucentric_error_um=2.4,
    # Sessions: alignment errors of 10-22 nm (x) and 25-50 nm (y) rms per 3 degrees; readback range 0.3 and 0.7 um;
    # heights fitted to the two branches of one series differ by 0.4-0.65 um.
    wobble_um=(0.10, 0.25, 0.12),
    # First image of the second branch: 0-30 nm in x, 9-86 nm in y.
    hysteresis_um=(0.02, 0.045, 0.04),
    # y about a smooth curve 7-116 nm rms including wobble; autofocus about a smooth curve 9-17 nm rms.
    jitter_um=(0.012, 0.020, 0.015),
    # Drift after a tilt: median 0.28, at most 0.5 nm/s some ten seconds after the tilt, so about 9 nm still to go.
    relaxation_um=(0.005, 0.009, 0.004),
    drift_um_per_min=0.003,
    # Lateral residuals of repeated stage moves: 0.03-0.5 um.
    move_error_um=0.15,
    z_error_um=0.05,
    # Tilt readback minus nominal: -0.006 to -0.012, sd 0.002-0.003 degrees.
    tilt_error_deg=(-0.010, 0.003),
    motion_scale=(1.004, 0.995),
    motion_rotation_deg=0.4,
)

CRYOARM = replace(
    KRIOS,
    name="cryoarm",
    tilt_axis_offset_um=-0.85,
    measured_axis_offset_um=-0.95,
    eucentric_error_um=-3.0,
    # Between the two sessions and the uncorrected Krios series: x at most 0.12 um, y 0.07-0.48 um per 3 degrees.
    wobble_um=(0.12, 0.35, 0.20),
    hysteresis_um=(0.04, 0.08, 0.06),
    jitter_um=(0.020, 0.032, 0.025),
    relaxation_um=(0.008, 0.015, 0.008),
    drift_um_per_min=0.004,
    move_error_um=0.25,
    z_error_um=0.08,
    motion_scale=(0.994, 1.006),
    motion_rotation_deg=-0.6,
)

SIDE_ENTRY = replace(
    KRIOS,
    name="side-entry",
    # Holders have axis offsets of 1-2 um that are known to half a micrometre at best.
    tilt_axis_offset_um=1.9,
    measured_axis_offset_um=1.3,
    eucentric_error_um=6.0,
    wobble_um=(0.20, 0.45, 0.40),
    # Jumps of 0.7 um in all between branches: 70 % of twice this is seen after a backlash move of 3 degrees.
    hysteresis_um=(0.20, 0.36, 0.30),
    jitter_um=(0.070, 0.120, 0.080),
    relaxation_um=(0.025, 0.045, 0.025),
    drift_um_per_min=0.015,
    move_error_um=0.8,
    z_error_um=0.3,
    tilt_error_deg=(-0.02, 0.03),
    motion_scale=(1.008, 0.990),
    motion_rotation_deg=0.8,
)


@dataclass(frozen=True)
class Magnification:
    """One line of the magnification table; `pixel_nm` is the physical camera pixel on the specimen."""

    index: int
    magnification: float
    pixel_nm: float
    rotation_deg: float
    is_rotation_deg: float
    low_mag: bool = False


@dataclass(frozen=True)
class CameraProfile:
    """A counting camera; sizes in physical pixels."""

    name: str = "K3"
    size_px: tuple[int, int] = (5760, 4092)
    pixel_um: float = 5.0
    counts_per_electron: float = 4.0
    binnings: tuple[int, ...] = (1, 2, 4, 8)
    # Half of an ideal square pixel's fall at Nyquist is what counting cameras reach in practice.
    mtf_at_nyquist: float = 0.55


@dataclass(frozen=True)
class MeasurementProfile:
    """How well things can be measured on images; see `measure` for the formulas that use these numbers."""

    shift_sigma_nm: float = 4.0
    shift_outlier: float = 1e-4
    autofocus_sigma_um: float = 0.07
    autofocus_failure: float = 0.001
    eucentric_fine_sigma_um: float = 0.10
    eucentric_rough_sigma_um: float = 0.8
    # Spread of fitted defocus about the target in a good session 0.07 um, in a bad one 1.07 um.
    ctf_sigma_um: float = 0.07
    ctf_wrong: float = 0.02


def _table() -> tuple[Magnification, ...]:
    """Magnifications of an energy-filtered column with a K3; rotation of image and image shift step with it."""
    rows = (
        (5, 155.0, 60.0, 88.0, 121.0, True),
        (9, 580.0, 16.0, 87.2, 120.0, True),
        (11, 1250.0, 7.5, 86.9, 119.5, True),
        (16, 2800.0, 4.4, 174.1, -152.0, False),
        (17, 4200.0, 3.0, 174.3, -152.3, False),
        (18, 6500.0, 1.95, 174.4, -152.5, False),
        (19, 8700.0, 1.42, 174.5, -152.6, False),
        (22, 19500.0, 0.43, 174.8, -153.2, False),
        (24, 33000.0, 0.266, 174.9, -153.4, False),
        (26, 53000.0, 0.166, 175.0, -153.6, False),
        (27, 64000.0, 0.133, 175.1, -153.8, False),
        (28, 81000.0, 0.107, 175.2, -153.9, False),
        (29, 105000.0, 0.083, 175.3, -154.1, False),
    )
    return tuple(Magnification(*row) for row in rows)


@dataclass(frozen=True)
class MicroscopeProfile:
    """The column: optics as they are, what the operator knows of them, and what each action costs.

    Attributes
    ----------
    is_scale : float
        Micrometres on the specimen per unit of raw image shift.
    is_mirrored : bool
        True where the image-shift axes form a left-handed pair seen in the specimen frame.
    image_shift_limit_um : float
        Largest distance on the specimen that image shift reaches from the raw zero.
    calibration_scale_error, calibration_rotation_error_deg : float
        Standard size of the errors of each measured matrix, pixel size and rotation.
    coma_mrad_per_um : float
        Beam tilt (mrad) needed per micrometre of image shift; unit of `World.beam_tilt`.
    area_mag_index : mapping
        Usual magnification index of each low-dose area.
    area_beam_radius_um : mapping
        Usual radius of the beam on the specimen in each area: it just covers the camera.
    area_misalignment_um : mapping
        True position of each area's image centre at the same image shift, relative to Record.
    area_defocus_error_um : mapping
        True defocus minus what readout and nominal offset of the area say.
    focus_zero_um : float
        True defocus of a point on the tilt axis when the focus readout is zero; wanders by
        `focus_wander_um` over `focus_wander_period_s`.
    """

    name: str
    camera: CameraProfile = field(default_factory=CameraProfile)
    measurement: MeasurementProfile = field(default_factory=MeasurementProfile)
    magnifications: tuple[Magnification, ...] = field(default_factory=_table)
    voltage_kv: float = 300.0
    spherical_aberration_mm: float = 2.7
    amplitude_contrast: float = 0.07
    ice_mean_free_path_nm: float = 320.0
    is_scale: float = 0.985
    is_mirrored: bool = False
    image_shift_limit_um: float = 20.0
    calibration_scale_error: float = 0.01
    calibration_rotation_error_deg: float = 0.3
    coma_mrad_per_um: float = 0.11
    area_mag_index: Mapping[str, int] = field(
        default_factory=lambda: {"V": 17, "S": 11, "R": 27, "P": 27, "T": 27, "F": 27}
    )
    area_beam_radius_um: Mapping[str, float] = field(
        default_factory=lambda: {"V": 12.0, "S": 40.0, "R": 0.6, "P": 0.6, "T": 0.6, "F": 0.6}
    )
    area_misalignment_um: Mapping[str, Vector2] = field(
        default_factory=lambda: {"V": (0.22, -0.20), "S": (1.6, -2.3), "F": (0.0, 0.0), "T": (0.0, 0.0)}
    )
    area_defocus_error_um: Mapping[str, float] = field(default_factory=lambda: {"V": 2.5, "S": -8.0})
    focus_zero_um: float = 1.4
    focus_wander_um: float = 0.06
    focus_wander_period_s: float = 7200.0
    # Time. Sessions: 8.9 s per target and tilt with six targets, tilting included; 53 s (48-61) per tilt.
    tilt_overhead_s: float = 2.5  # World.tilt_to
    tilt_s_per_deg: float = 0.15  # World.tilt_to
    stage_overhead_s: float = 1.5  # World.move_stage_to
    stage_s_per_um: float = 0.06  # World.move_stage_to
    image_shift_s: float = 0.5  # World.set_image_shift: settling time, times the factor asked for
    focus_s: float = 0.1  # World.set_focus
    beam_tilt_s: float = 0.1  # World.set_beam_tilt
    mag_change_s: float = 1.2  # World.set_mag_index
    lda_change_s: float = 0.6  # booked by the caller when the low-dose area really changes
    record_overhead_s: float = (
        4.3  # World.expose: shutter, frame alignment, saving of frames, transfer (set R)
    )
    readout_s: float = 1.3  # World.expose: the same for other sets
    save_s: float = 0.6  # booked by the caller: writing a section and its metadata
    align_s: float = 0.6  # booked by the caller: one correlation, in "align"
    ctf_fit_s: float = 2.0  # booked by the caller
    command_s: float = 0.01  # booked by the caller: any other command, in "script"


KRIOS_SCOPE = MicroscopeProfile(name="krios")

CRYOARM_SCOPE = replace(
    KRIOS_SCOPE,
    name="cryoarm",
    # Image-shift units of these columns are deflector steps, hundreds to the micrometre.
    is_scale=0.0072,
    is_mirrored=True,
    image_shift_limit_um=15.0,
    measurement=MeasurementProfile(shift_outlier=2e-4, eucentric_fine_sigma_um=0.15),
    tilt_overhead_s=3.0,
    image_shift_s=0.6,
)

SIDE_ENTRY_SCOPE = replace(
    KRIOS_SCOPE,
    name="side-entry",
    image_shift_limit_um=10.0,
    # On such stages a larger field is recorded, so that a jump does not leave it.
    area_mag_index={"V": 17, "S": 11, "R": 24, "P": 24, "T": 24, "F": 24},
    area_beam_radius_um={"V": 12.0, "S": 40.0, "R": 1.1, "P": 1.1, "T": 1.1, "F": 1.1},
    measurement=MeasurementProfile(
        shift_sigma_nm=6.0,
        shift_outlier=1e-3,
        autofocus_sigma_um=0.1,
        autofocus_failure=0.01,
        eucentric_fine_sigma_um=0.5,
        eucentric_rough_sigma_um=1.5,
        ctf_sigma_um=0.1,
        ctf_wrong=0.05,
    ),
    tilt_overhead_s=3.5,
    tilt_s_per_deg=0.3,
)

PROFILES: Mapping[str, tuple[StageProfile, MicroscopeProfile]] = {
    "krios": (KRIOS, KRIOS_SCOPE),
    "cryoarm": (CRYOARM, CRYOARM_SCOPE),
    "side-entry": (SIDE_ENTRY, SIDE_ENTRY_SCOPE),
    "ideal": (IDEAL, KRIOS_SCOPE),
}
"""Stage and the microscope it usually sits in, by name."""
