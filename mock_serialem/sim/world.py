"""The simulated microscope as a whole: clock, stage, optics, sample, camera and truth log.

Nothing here sleeps. Each action adds what it costs on a real column to `World.clock_s`, booked under its
activity. Actions that only the program above knows of (saving a section, one correlation, a change of
low-dose area, any other command) are booked by that program with `World.advance` and the profile's costs;
see the comments in `profiles.MicroscopeProfile`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from mock_serialem.sim import correlate, measure
from mock_serialem.sim.camera import Camera
from mock_serialem.sim.clock import Clock
from mock_serialem.sim.mishaps import Mishaps
from mock_serialem.sim.optics import Optics
from mock_serialem.sim.pose import Floats, Point, Pose
from mock_serialem.sim.profiles import PROFILES, MicroscopeProfile, StageProfile
from mock_serialem.sim.sample import HoleySpec, LamellaSpec, SampleSpec, Sheet
from mock_serialem.sim.scene import ImagingState, Scene
from mock_serialem.sim.shot import AutofocusResult, CtfFit, ExposureSetup, ShiftMeasurement, Shot
from mock_serialem.sim.stage import BACKLASH_DEG, Stage
from mock_serialem.sim.truth import TruthLog, about

_CHANGING = (
    "mag_index",
    "image_shift",
    "focus_um",
    "beam_tilt",
    "beam_blanked",
    "_exposures",
)

FIDELITIES = ("rendered", "kinematic")
SAMPLES = {"lamella": LamellaSpec, "holey": HoleySpec}

FINE_EUCENTRICITY_DEG = (-8.0, 0.0, 8.0, 16.0)
ROUGH_EUCENTRICITY_DEG = (0.0, 2.0, 4.0)
AUTOFOCUS_IMAGES = 3


@dataclass(frozen=True)
class WorldConfig:
    """What makes a world; the same config and the same calls give the same bytes."""

    sample: SampleSpec
    stage: StageProfile
    microscope: MicroscopeProfile
    seed: int = 0
    fidelity: str = "rendered"
    start: datetime = datetime(2026, 1, 15, 9, 0, 0)


def make_world(
    sample: str = "lamella",
    stage: str = "krios",
    seed: int = 0,
    fidelity: str = "rendered",
    truth: Path | None = None,
) -> World:
    """World by names; the microscope goes with the stage.

    Raises
    ------
    ValueError
        For a name that does not exist.
    """
    if sample not in SAMPLES:
        raise ValueError(f"no sample {sample!r}; there are {', '.join(SAMPLES)}")
    if stage not in PROFILES:
        raise ValueError(f"no stage {stage!r}; there are {', '.join(PROFILES)}")
    stage_profile, microscope = PROFILES[stage]
    config = WorldConfig(SAMPLES[sample](), stage_profile, microscope, seed, fidelity)
    return World(config, TruthLog(truth))


class World:
    """The microscope's state and everything that can be done to it.

    Attributes
    ----------
    mag_index : int
    image_shift : (x, y)
        Raw units.
    focus_um : float
        Readout.
    beam_tilt : (x, y)
        mrad. Its effect on images is left out: at these doses and pixel sizes coma does not show.
    beam_blanked : bool
        Kept for the program above; taking an image unblanks.
    mishaps : Mishaps
        Decides what goes wrong.
    """

    def __init__(self, config: WorldConfig, truth: TruthLog) -> None:
        if config.fidelity not in FIDELITIES:
            raise ValueError(f"no fidelity {config.fidelity!r}; there are {', '.join(FIDELITIES)}")
        self.config = config
        self.truth = truth
        self._clock = Clock()
        microscope, seed = config.microscope, config.seed
        # Those that go on drawing while the session lasts.
        self._streams = {number: self._stream(number) for number in (1, 4, 5, 6, 7)}
        self.stage = Stage(config.stage, self._streams[1], self._stream(2))
        self.optics = Optics(microscope, self.stage.motion, self._stream(3))
        self.sheet = Sheet(config.sample, seed)
        focus_phase = float(self._stream(8).uniform(0.0, 2.0 * math.pi))
        self._scene = Scene(microscope, self.stage, self.optics, self.sheet, focus_phase)
        self._camera = Camera(microscope, self.sheet, seed, self._streams[4])
        self._observer = measure.Observer(
            microscope.measurement,
            self.optics,
            self.sheet,
            seed,
            {"shift": self._streams[5], "routine": self._streams[6], "ctf": self._streams[7]},
        )
        self.mag_index = microscope.area_mag_index["R"]
        self.image_shift = (0.0, 0.0)
        self.focus_um = 0.0
        self.beam_tilt = (0.0, 0.0)
        self.beam_blanked = False
        self.mishaps = Mishaps()
        self._exposures = 0
        self._first_centres: dict[str, Point] = {}

    def _stream(self, number: int) -> np.random.Generator:
        """Generator of its own for each use, so that one does not disturb another."""
        return np.random.default_rng([self.config.seed, number])

    # --- saved and restored

    def state(self) -> dict[str, Any]:
        """All that calls have changed, as plain values, for `restore`; `mishaps` and the truth log are left out."""
        return {
            "clock": self._clock.state(),
            "stage": self.stage.state(),
            "streams": {number: stream.bit_generator.state for number, stream in self._streams.items()},
            **{name: getattr(self, name) for name in _CHANGING},
            "first_centres": dict(self._first_centres),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on, bit for bit, from what `state` of a world of the same config returned."""
        self._clock.restore(state["clock"])
        self.stage.restore(state["stage"])
        for number, stream in self._streams.items():
            stream.bit_generator.state = state["streams"][number]
        for name in _CHANGING:
            setattr(self, name, state[name])
        self._first_centres = dict(state["first_centres"])

    def acknowledge(self, lines: Sequence[Mapping[str, Any]]) -> None:
        """Take note of truth lines that this state knows nothing of: their exposures count, their time has passed.

        What else happened then is lost. The generators are set to other places, so that no noise comes twice.
        """
        for line in lines:
            if line["event"] == "exposure":
                self._exposures += 1
            elif line["event"] == "saved" and line["section"] == 0:
                x_um, y_um, z_um = (line[f"sample_{axis}_um"] for axis in "xyz")
                self._first_centres[line["file"]] = (x_um, y_um, z_um)
        latest_s = max((line["t_s"] + line.get("exposure_s", 0.0) for line in lines), default=0.0)
        self.advance(max(0.0, latest_s - self.clock_s), "wait")
        for number, stream in self._streams.items():
            fresh = np.random.default_rng([self.config.seed, number, self._exposures])
            stream.bit_generator.state = fresh.bit_generator.state

    @property
    def exposures(self) -> int:
        """Images taken so far."""
        return self._exposures

    # --- clock

    @property
    def clock_s(self) -> float:
        """Simulated seconds since the start."""
        return self._clock.seconds

    @property
    def activities(self) -> dict[str, float]:
        """Seconds by activity; they add up to the clock."""
        return self._clock.activities

    def advance(self, seconds: float, activity: str) -> None:
        """Let time pass; see `Clock.advance`."""
        self._clock.advance(seconds, activity)

    def pace_by(self, pacer: Callable[[float], None] | None) -> None:
        """Have `pacer` called with the clock after each advance, so that it can wait for as much real time."""
        self._clock.pacer = pacer

    def now(self) -> datetime:
        """Simulated date and time."""
        return self.config.start + timedelta(seconds=self.clock_s)

    # --- stage

    def stage_position_um(self) -> tuple[float, float, float]:
        """Stage x, y, z as read back."""
        return self.stage.commanded_um

    def tilt_readback_deg(self) -> float:
        """Tilt as read back: the angle reached, to the encoder's 0.001 degrees."""
        return round(self.stage.tilt_true_deg, 3)

    def move_stage_to(self, x_um: float, y_um: float, z_um: float | None = None) -> None:
        """Move in x and y, and z unless None.

        Raises
        ------
        ValueError
            Beyond the reach of the stage; nothing moves.
        """
        old = self.stage.commanded_um
        new = (float(x_um), float(y_um), old[2] if z_um is None else float(z_um))
        profile = self.config.microscope
        self.stage.move_to(*new)
        self.advance(profile.stage_overhead_s + profile.stage_s_per_um * math.dist(old, new), "stage")

    def tilt_to(self, tilt_deg: float) -> None:
        """Tilt the stage.

        Raises
        ------
        ValueError
            Beyond the largest tilt; nothing moves.
        """
        profile = self.config.microscope
        tilt_deg = self.mishaps.tilt_reached(self.stage.tilt_nominal_deg, float(tilt_deg))
        turn = abs(tilt_deg - self.stage.tilt_nominal_deg)
        cost = profile.tilt_overhead_s + profile.tilt_s_per_deg * turn
        self.stage.tilt_to(tilt_deg, self.clock_s + cost)
        self.advance(cost, "tilt")

    def remove_backlash(self) -> None:
        """Go down by a few degrees and come up again, so that the mechanism lies on its usual flank."""
        tilt = self.stage.tilt_nominal_deg
        self.tilt_to(max(tilt - BACKLASH_DEG, -self.config.stage.maximum_tilt_deg))
        self.tilt_to(tilt)

    # --- optics

    def set_image_shift(self, raw: tuple[float, float], settle: float = 1.0) -> None:
        """Set raw image shift; `settle` multiplies the settling time."""
        self.image_shift = (float(raw[0]), float(raw[1]))
        self.advance(self.config.microscope.image_shift_s * settle, "image_shift")

    def set_focus(self, focus_um: float) -> None:
        """Set the focus readout."""
        self.focus_um = float(focus_um)
        self.advance(self.config.microscope.focus_s, "optics")

    def set_mag_index(self, index: int) -> None:
        """Change magnification; costs nothing if it is set already. KeyError for an unknown index."""
        self.optics.mag(index)
        if index != self.mag_index:
            self.mag_index = index
            self.advance(self.config.microscope.mag_change_s, "optics")

    def set_beam_tilt(self, tilt_mrad: tuple[float, float]) -> None:
        """Set beam tilt (mrad)."""
        self.beam_tilt = (float(tilt_mrad[0]), float(tilt_mrad[1]))
        self.advance(self.config.microscope.beam_tilt_s, "optics")

    # --- calibrations as measured

    def is_to_specimen(self, mag_index: int) -> Floats:
        """2x2: specimen point (um) that a unit of raw image shift centres."""
        return self.optics.is_to_specimen(mag_index)

    def stage_to_specimen(self, mag_index: int) -> Floats:
        """2x2: specimen point (um) that a stage move of 1 um centres; the same at every magnification."""
        self.optics.mag(mag_index)
        return self.optics.stage_to_specimen()

    def pixel_um(self, mag_index: int) -> float:
        """Physical camera pixel on the specimen."""
        return self.optics.pixel_um(mag_index)

    def rotation_deg(self, mag_index: int) -> float:
        """From the image's x axis counter-clockwise to the tilt axis."""
        return self.optics.rotation_deg(mag_index)

    def is_to_beam_tilt(self) -> Floats:
        """2x2: beam tilt (mrad) that undoes the coma of a unit of raw image shift."""
        return self.optics.is_to_beam_tilt()

    # --- truth about the present

    def pose(self, area: str = "R", mag_index: int | None = None, binning: int = 1) -> Pose:
        """True mapping from sample to image as things stand; takes no time and no image."""
        return self._scene.pose(self._state(area, mag_index), binning, self.clock_s)[0]

    def _state(self, area: str, mag_index: int | None) -> ImagingState:
        index = self.mag_index if mag_index is None else mag_index
        return ImagingState(area, index, self.image_shift, self.focus_um)

    # --- exposures

    def expose(self, setup: ExposureSetup) -> Shot:
        """Take one image in the present state of stage and optics; writes its truth line.

        Raises
        ------
        KeyError
            If the magnification index does not exist.
        ValueError
            For a binning the camera does not have or an exposure that is not positive.
        """
        return self._expose(setup, self.config.fidelity == "rendered")

    def _expose(self, setup: ExposureSetup, rendered: bool) -> Shot:
        profile = self.config.microscope
        if setup.binning not in profile.camera.binnings:
            raise ValueError(f"{profile.camera.name} has no binning {setup.binning}")
        if not setup.exposure_s > 0.0:
            raise ValueError(f"an exposure of {setup.exposure_s} s is impossible")
        self.advance(setup.drift_settle_s, "wait")
        beam = self.mishaps.before_exposure(self._exposures + 1)
        self._exposures += 1
        middle_s = self.clock_s + setup.exposure_s / 2.0
        state = replace(self._state(setup.area, setup.mag_index), offset_px=setup.offset_px)
        pose, placement = self._scene.pose(state, setup.binning, middle_s)
        lit = setup if beam == 1.0 else replace(setup, dose_rate_e_per_a2_s=setup.dose_rate_e_per_a2_s * beam)
        frame = self._camera.take(lit, pose, placement, rendered)
        shot = Shot(
            setup=setup,
            number=self._exposures,
            t_s=middle_s,
            tilt_deg=self.tilt_readback_deg(),
            stage_um=self.stage_position_um(),
            image_shift=self.image_shift,
            focus_um=self.focus_um,
            pixel_um=self.pixel_um(setup.mag_index) * setup.binning,
            rotation_deg=self.rotation_deg(setup.mag_index),
            mean_counts=frame.mean_counts,
            counts_per_electron=profile.camera.counts_per_electron,
            dose_e_per_a2=setup.dose_rate_e_per_a2_s * setup.exposure_s,
            electrons_per_pixel=frame.electrons_per_pixel,
            contrast=frame.contrast,
            pixels=frame.pixels,
            pose=pose,
            beam=beam,
        )
        # Written before the time passes: STOP may come in the middle of it.
        self.truth.write("exposure", t_s=round(middle_s, 3), **about(shot))
        self.advance(setup.exposure_s, "expose")
        overhead = profile.record_overhead_s if setup.camera_set == "R" else profile.readout_s
        self.advance(overhead, "readout")
        self.mishaps.after_exposure(shot.number)
        return shot

    def note_saved(self, shot: Shot, file: str, section: int) -> None:
        """Write the truth line of a saved section (0-based).

        Section 0 of a file sets the point that its later sections are compared with; where section 0 was
        not seen, the residual is None.
        """
        if section == 0:
            self._first_centres[file] = shot.pose.centre_um
        first = self._first_centres.get(file)
        residual = None if first is None else shot.pose.where(first)
        self.truth.write(
            "saved",
            t_s=round(self.clock_s, 3),
            **about(shot),
            file=file,
            section=section,
            residual_x_um=None if residual is None else round(residual[0], 6),
            residual_y_um=None if residual is None else round(residual[1], 6),
        )

    # --- measurements

    def measure_shift(self, image: Shot, reference: Shot, limit_um: float | None) -> ShiftMeasurement:
        """Shift by which the content of `image` must move to match `reference`; takes no time of its own.

        Rendered: a real correlation of the pixels, see `correlate`. Kinematic: from the two poses, by the model
        stated in `measure`.

        Parameters
        ----------
        image, reference : Shot
        limit_um : float or None
            Largest shift looked for.
        """
        if self.config.fidelity == "rendered":
            return self.mishaps.shift(correlate.measure(image, reference, limit_um))
        return self.mishaps.shift(self._observer.shift(image, reference, limit_um))

    def autofocus(self, setup: ExposureSetup, target_um: float) -> AutofocusResult:
        """Measure defocus with tilted-beam images; changes neither focus nor anything else.

        Both fidelities draw the result from the model stated in `measure`; the images are not rendered.

        Parameters
        ----------
        setup : ExposureSetup
            Usually the Focus area.
        target_um : float
            Defocus wanted; the routine's accuracy does not depend on it.
        """
        with self._clock.booking("autofocus"):
            shots = [self._expose(setup, rendered=False) for _ in range(AUTOFOCUS_IMAGES)]
        return self.mishaps.autofocus(self._observer.autofocus(shots))

    def find_eucentric_z(self, fine: bool, setup: ExposureSetup) -> float | None:
        """Tilt a little, take images, come back, and tell the stage z (um) to set.

        Both fidelities draw the error from the model stated in `measure`; the images are not rendered.

        Returns
        -------
        float or None
            None if there is nothing to align on.
        """
        home, limit = self.stage.tilt_nominal_deg, self.config.stage.maximum_tilt_deg
        shots = []
        with self._clock.booking("eucentricity"):
            for step in FINE_EUCENTRICITY_DEG if fine else ROUGH_EUCENTRICITY_DEG:
                self.tilt_to(min(max(home + step, -limit), limit))
                shots.append(self._expose(setup, rendered=False))
            self.tilt_to(home)
        point = self.pose(setup.area, setup.mag_index).centre_um
        height = point[2] + float(self.stage.shift_um()[2])
        error = self._observer.eucentric_error_um(shots, fine)
        return None if error is None else self.stage.commanded_um[2] - height + error

    def fit_ctf(self, shot: Shot) -> CtfFit | None:
        """CTF fit of an image by the model stated in `measure`, in both fidelities; takes no time of its own."""
        return self.mishaps.ctf(self._observer.ctf_fit(shot))
