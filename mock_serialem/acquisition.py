"""Taking images: from a camera set to a picture in buffer A with its metadata."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from mock_serialem import beam, shifts
from mock_serialem.areas import go_to_area
from mock_serialem.camera_sets import AREA_OF_SET, CameraSet
from mock_serialem.errors import CommandError
from mock_serialem.files.autodoc import month_name, number, numbers
from mock_serialem.frame_series import FrameStep, play
from mock_serialem.frames import NameParts
from mock_serialem.image import AREA_LETTERS, SET_LETTERS, Image
from mock_serialem.sim.shot import ExposureSetup, Shot

if TYPE_CHECKING:
    from mock_serialem.session import Session

_TIME_STAMP_ZERO = datetime(2020, 1, 1)


def setup_for(session: Session, letter: str, camera_set: CameraSet | None = None) -> ExposureSetup:
    """Exposure of a camera set in the optics of its area (the present optics outside low dose)."""
    used = camera_set or session.cameras.get(letter)
    area_letter = AREA_OF_SET[letter] if session.low_dose.on else "R"
    area = session.low_dose.areas[area_letter]
    world = session.world
    binning = int(used.binning)
    # The operator spreads the beam with the field; in low dose each area has its own beam at its own magnification.
    spread = max(1.0, world.pixel_um(world.mag_index) / world.pixel_um(area.mag_index))
    rate, width = beam.strength(session, session.low_dose.calibrated[area_letter])
    return ExposureSetup(
        camera_set=letter,
        area=area_letter,
        mag_index=world.mag_index,
        binning=binning,
        size_px=used.size_px,
        exposure_s=used.exposure_s,
        drift_settle_s=used.drift_s,
        dose_rate_e_per_a2_s=area.dose_rate_e_per_a2_s
        * rate
        * session.column.duty_percent
        / 100.0
        / spread**2,
        beam_radius_um=area.beam_radius_um * spread * width,
        offset_px=(used.offset_px[0], -used.offset_px[1]),
    )


def prepare(session: Session, letter: str) -> None:
    """Go to the area of a camera set if low dose is on, and check that there is a beam.

    Raises
    ------
    CommandError
        The column valves are closed.
    """
    if not session.column.valves_open:
        raise CommandError("The column valves are closed, an image cannot be taken")
    if not session.camera_inserted:
        session.spend(3.0, "wait")
        session.camera_inserted = True
    if session.low_dose.on:
        go_to_area(session, AREA_OF_SET[letter])


def acquire(session: Session, letter: str, camera_set: CameraSet | None = None, frames: bool = True) -> Image:
    """Take an image with a camera set and put it into A.

    Parameters
    ----------
    session : Session
    letter : str
        Camera set.
    camera_set : CameraSet, optional
        Parameters to use in place of the set's own.
    frames : bool
        Save frames if the set says so.

    Raises
    ------
    CommandError
        The image cannot be taken.
    """
    prepare(session, letter)
    used = camera_set or session.cameras.get(letter)
    shot = session.world.expose(setup_for(session, letter, used))
    script = session.script
    script.opposite_side = False
    image = image_of(session, shot, used)
    steps: list[FrameStep] = []
    if letter == "R" and frames:
        steps, script.frame_steps = script.frame_steps, []
    if frames and used.dose_frac and used.save_frames:
        _name_frames(session, image, used, len(steps))
    play(session, steps)
    if script.defer_sum:
        script.defer_sum, session.deferred_sum = False, image.copy()
    session.buffers.push(image)
    return image


def image_of(session: Session, shot: Shot, used: CameraSet) -> Image:
    """Wrap a shot with what SerialEM knows about it."""
    setup = shot.setup
    pixels = shot.pixels if shot.pixels is not None else np.zeros((1, 1), np.int16)
    in_low_dose = session.low_dose.on
    magnification = next(m.magnification for m in session.scope.magnifications if m.index == setup.mag_index)
    image = Image(
        pixels=pixels,
        size_px=setup.size_px,
        pixel_um=shot.pixel_um,
        binning=float(setup.binning),
        camera_set=SET_LETTERS.index(setup.camera_set),
        area=AREA_LETTERS.index(setup.area) if in_low_dose else -1,
        mag_index=setup.mag_index,
        magnification=magnification,
        exposure_s=setup.exposure_s,
        drift_s=setup.drift_settle_s,
        dose_e_per_a2=shot.dose_e_per_a2,
        tilt_deg=shot.tilt_deg,
        rotation_deg=shot.rotation_deg,
        intensity=session.column.intensity,
        stage_um=shot.stage_um,
        image_shift=shifts.displayed(session),
        shot=shot,
        tick_s=session.world.clock_s,
        aside_um=_aside_um(session, setup),
        counts_per_electron=shot.counts_per_electron,
    )
    image.keys = _keys(session, image, shot, used)
    return image


def _aside_um(session: Session, setup: ExposureSetup) -> tuple[float, float]:
    """Where the program takes an area beside the middle of the camera to lie on the specimen."""
    index = setup.mag_index
    matrix = shifts.specimen_to_camera(session, index, session.world.pixel_um(index))
    return shifts.times(shifts.inverse(matrix), setup.offset_px)


def _keys(session: Session, image: Image, shot: Shot, used: CameraSet) -> dict[str, str]:
    """Return mdoc keys in SerialEM's order, without ``MinMaxMean``."""
    setup, column, now = shot.setup, session.column, session.world.now()
    letter_index = image.camera_set
    # Electrons per physical camera pixel and second, as the camera sees them behind the sample.
    rate = shot.mean_counts / shot.counts_per_electron / setup.binning**2 / max(setup.exposure_s, 1e-9)
    keys = {
        "TiltAngle": number(shot.tilt_deg),
        "StagePosition": numbers(shot.stage_um[:2]),
        "StageZ": number(shot.stage_um[2]),
        "Magnification": number(image.magnification),
        "Intensity": number(column.intensity),
        "ExposureDose": number(shot.dose_e_per_a2),
        "DoseRate": number(rate),
        "PixelSpacing": number(image.pixel_um * 1e4),
        "SpotSize": str(column.spot),
        "ProbeMode": str(column.probe_mode),
        "Defocus": number(shot.focus_um - column.defocus_zero_um),
        "ImageShift": numbers(image.image_shift),
        "RotationAngle": number(image.rotation_deg),
        "ExposureTime": number(setup.exposure_s),
        "Binning": number(image.binning),
        "CameraIndex": "0",
        "DividedBy2": "0",
        "OperatingMode": str(used.read_mode),
        "UsingCDS": str(int(session.cds_mode)),
        "MagIndex": str(setup.mag_index),
        "LowDoseConSet": str(letter_index + 1 if session.low_dose.on else -letter_index),
        "CountsPerElectron": number(shot.counts_per_electron),
        "TargetDefocus": number(session.focus.target_um),
    }
    prior = session.script.prior_dose
    if prior is not None:
        keys["PriorRecordDose"] = number(prior)
    keys["DateTime"] = f"{now.day:02d}-{month_name(now.month)}-{now.year}  {now:%H:%M:%S}"
    navigator = session.navigator
    if navigator.acquiring >= 0:
        keys["NavigatorLabel"] = navigator.items[navigator.acquiring].label
    loss = (column.slit_width_ev, column.energy_loss_ev) if column.slit_in else (0.0, 0.0)
    keys["FilterSlitAndLoss"] = numbers(loss)
    keys["TimeStamp"] = str(int((now - _TIME_STAMP_ZERO).total_seconds()))
    return keys


def _name_frames(session: Session, image: Image, used: CameraSet, steps: int) -> None:
    frames = max(1, steps, round(used.exposure_s / used.frame_s))
    parts = NameParts(
        root=_current_root(session),
        label=_navigator_label(session),
        acquiring=session.navigator.acquiring >= 0,
        tilt_deg=image.tilt_deg,
        magnification=int(image.magnification),
        time=session.world.now(),
    )
    path = session.frames.next_name(parts, frames)
    added = {
        "SubFramePath": path,
        "NumSubFrames": str(frames),
        "FrameDosesAndNumber": f"{number(image.dose_e_per_a2 / frames)} {frames}",
    }
    image.keys = _before(image.keys, "DateTime", added)
    if session.frame_mdoc is not None:
        session.frame_mdoc.add_exposure(dict(image.keys))


def _before(keys: dict[str, str], place: str, added: dict[str, str]) -> dict[str, str]:
    out: dict[str, str] = {}
    for key, value in keys.items():
        if key == place:
            out.update(added)
        out[key] = value
    return out


def _current_root(session: Session) -> str:
    files = session.files
    return files.current.path.stem if files.index >= 0 else ""


def _navigator_label(session: Session) -> str:
    navigator = session.navigator
    place = navigator.acquiring if navigator.acquiring >= 0 else navigator.current
    return navigator.items[place].label if navigator.is_open and 0 <= place < len(navigator.items) else ""


def acquire_to_match(session: Session, other: Image) -> Image:
    """Take an image with set, binning, exposure and size of another one.

    Raises
    ------
    CommandError
        The other image does not say with which set and binning it was taken.
    """
    if other.shot is None or other.binning <= 0.0:
        raise CommandError("The image in the buffer has no camera set or binning to match")
    letter = other.shot.setup.camera_set
    base = session.cameras.get(letter)
    binning = max(other.binning, float(min(session.scope.camera.binnings)))
    most = session.cameras.binned_size(binning)
    size = (min(other.size_px[0], most[0]), min(other.size_px[1], most[1]))
    x, y = other.shot.setup.offset_px
    used = replace(
        base,
        binning=binning,
        size_px=size,
        offset_px=(x, -y),
        exposure_s=other.exposure_s,
        drift_s=other.drift_s,
    )
    return acquire(session, letter, used, frames=False)
